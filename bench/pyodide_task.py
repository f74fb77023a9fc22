"""What is done with the engine wherever it runs: under CPython, and inside Pyodide, where this file is put beside it.

Standard library and engine only. Values cross from and to JavaScript as JSON.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any, Final

import trialimg
from trialimg.dicom.deidentify import clean_file, clean_into
from trialimg.domain.deid_report import Report, joined
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.errors import TrialimgError

PROFILE: Final = {"name": "bench", "version": "1", "dates": "kept", "keep": ["sex", "age"]}
"""What a trial's deidentification.yaml would say."""
IDENTITY: Final = ("Sponsor", "PROT-1", "A phase II", "101", "Site one", "101-001", "W8", "Week 8")


class Batch:
    """One subject's files, cleaned one after the other from a folder into another.

    ``given`` is JSON: the profile, the subject's key, and whether the engine counts digests (else the caller does).
    """

    def __init__(self, source: str, target: str, given: str) -> None:
        told = json.loads(given)
        self._source, self._target = Path(source), Path(target)
        self._profile, self._identity = Profile.from_mapping(told["profile"]), SubjectIdentity(*IDENTITY)
        self._key = told["key"].encode("ascii")
        self._digests = told.get("digests", True)
        self._reports: list[Report] = []
        for folder in (self._source, self._target):
            folder.mkdir(parents=True, exist_ok=True)

    def clean(self, name: str) -> str:
        """Clean one file; give what became of it."""
        given: dict[str, Any] = {"profile": self._profile, "identity": self._identity, "subject_key": self._key}
        try:
            if not self._digests:
                made = clean_into(self._source / name, self._target / name, **given)
                return self._told(name, made.report, made.hold_reason)
            result = clean_file(self._source / name, self._target / name, **given)
        except TrialimgError as refused:
            return json.dumps({"name": name, "refused": refused.sentence})
        digests = {"sha256": result.sha256, "content": result.canonical_hash}
        return self._told(name, result.report, result.hold_reason, **digests)

    def _told(self, name: str, report: Report, held: str | None, **digests: str) -> str:
        self._reports.append(report)
        return json.dumps({"name": name, "held": held, **digests})

    def report(self) -> str:
        """Give the account of all files."""
        return json.dumps(joined(self._reports).to_json()) if self._reports else "null"


def load_everything() -> str:
    """Import each module that is here, so that one which asks for what is not here fails; give their names."""
    names = [module.name for module in pkgutil.walk_packages(trialimg.__path__, "trialimg.")]
    return json.dumps([importlib.import_module(name).__name__ for name in names])
