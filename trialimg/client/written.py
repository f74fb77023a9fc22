"""What a run leaves beside the clean files: its report, and, where somebody insists, who was who."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from trialimg.client.account import FULL, Account
from trialimg.client.place import is_file, is_there, real, refusal
from trialimg.domain.deid_report import Report
from trialimg.errors import BadInput, Misconfigured, NoSpace

REPORT, MAP = "report", "map of identifiers"
_BEGINNING: Final = b'{\n "trial": '


def report_of(account: Account, **told: Any) -> dict[str, Any]:
    """Give what was done but for the studies: files that were not taken by number and code; never a value or name."""
    return {**told, **account.summary()}


def instances_of(account: Account, out: Path) -> Iterator[dict[str, str]]:
    """Give the clean files of a run, one by one: where each lies in its folder, and what it is."""
    for item in account.cleaned:
        hashed = {"hash": item.canonical_hash} if item.canonical_hash else {}
        yield {"file": item.place.removeprefix(f"{out}/"), "sop_instance_uid": item.instance, **hashed}


def write_report(
    path: Path,
    document: dict[str, Any],
    studies: Iterable[tuple[str, Report]] = (),
    instances: Iterable[dict[str, str]] = (),
) -> None:
    """Write a report: what it says of all, then of each study paths, actions and counts, and last its clean files.

    It is written whole or not at all, and over nothing but an earlier report. A device or pipe is written to.
    """

    def write(stream: TextIO) -> None:
        stream.write(json.dumps(document, indent=1).removesuffix("\n}"))
        stream.write(',\n "studies": {')
        between = "\n  "
        for study, report in studies:
            stream.write(f"{between}{json.dumps(study)}: {json.dumps(report.to_json(), indent=1)}")
            between = ",\n  "
        stream.write('\n },\n "instances": [')
        between = "\n  "
        for each in instances:
            stream.write(between + json.dumps(each))
            between = ",\n  "
        stream.write("\n ]\n}\n")

    refuse_another(path)
    _write(path, write, REPORT)


def refuse_another(path: Path) -> None:
    """Raise :class:`BadInput` where a file is there that is no report of ours: it may be an original, or a key."""
    if not is_file(path):
        return
    try:
        with path.open("rb") as stream:
            beginning = stream.read(len(_BEGINNING))
    except OSError:
        beginning = b"?"  # who may not read it cannot know what it is
    if beginning not in {b"", _BEGINNING}:
        raise BadInput(f"{path.name} is there already and is no report, so it was not written over; name another file.")


def refuse_unwritable(path: Path, what: str) -> None:
    """Raise :class:`Misconfigured` where nothing can be written: that is told before the work, not after it."""
    if (why := refusal(path)) is not None:
        raise Misconfigured(f"The {what} cannot be written there ({why}). Nothing was done; give another place for it.")


def refuse_existing(path: Path) -> None:
    """Raise :class:`BadInput` where a file is there that must not be written over."""
    if is_there(path):
        raise BadInput(f"{path.name} is there already, and it was not written over; name another file.")


def write_pairs(path: Path, pairs: set[tuple[str, str]]) -> None:
    """Write old and new identifiers, for its owner's eyes only, and over nothing."""
    import csv  # not loaded where nobody asks for it

    def write(stream: TextIO) -> None:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(("id_old", "id_new"))
        rows.writerows(sorted(pair for pair in pairs if pair[0]))

    refuse_existing(path)
    _write(path, write, MAP)


def _write(path: Path, write: Callable[[TextIO], None], what: str) -> None:
    """Write beside, force to the disk, and only then give the name; what a link leads to is written, not the link."""
    path = real(path)
    fresh = path.with_name(f".{os.urandom(8).hex()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if is_there(path) and not is_file(path):
            with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
                write(stream)
            return
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        kind = NoSpace if error.errno in FULL else Misconfigured
        raise kind(
            f"The {what} could not be written ({error.strerror}). The clean files are whole; give another place and "
            "run this again."
        ) from None
