"""A trial as data: everything its definition files say, in one value that can be stored and rebuilt."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal, TypeVar

from trialimg.domain.codelist import CodeList
from trialimg.domain.crf import FormDef
from trialimg.domain.definition import Plain, Problem, Section, WrongHere, without_defaults
from trialimg.domain.visit import Expectation, VisitDef, expected
from trialimg.errors import BadDefinition

PARTS: Final = ("trial", "schedule", "codelists", "imaging", "deidentification", "reading")
"""The files of a definition beside ``forms/*``, and the keys of its mapping beside ``forms``."""

_PLACEHOLDER = re.compile(r"\{(site|sequence)(?::0(\d)d?)?\}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # an address, a file name, a DICOM LO


@dataclass(frozen=True)
class SlotDef:
    """The place at a visit where an imaging study belongs, and what is expected there.

    ``modalities`` are DICOM Modality values of which one must be there; ``companions`` may come along
    (a dose report, contours). The window is in days around the visit's date.
    """

    key: str
    title: str
    modalities: tuple[str, ...]
    companions: tuple[str, ...] = ()
    hint: str = ""
    min_series: int = 1
    min_instances: int = 1
    several_studies: bool = False
    window_before: int | None = None
    window_after: int | None = None

    @classmethod
    def read(cls, section: Section) -> SlotDef:
        """Read one slot."""
        window = section.section("window")
        slot = cls(
            key=section.text("key"),
            title=section.text("title"),
            modalities=section.texts("modalities"),
            companions=section.texts("companions"),
            hint=section.text("hint", ""),
            min_series=section.whole("min_series", 1),
            min_instances=section.whole("min_instances", 1),
            several_studies=section.flag("several_studies"),
            window_before=window.maybe_whole("before"),
            window_after=window.maybe_whole("after"),
        )
        window.close()
        section.close()
        return slot

    def takes(self, modality: str) -> bool:
        """Say whether instances of this modality may be in the slot."""
        return modality in self.modalities or modality in self.companions

    def to_mapping(self) -> Plain:
        """Give it back as it is written."""
        sides = {"before": self.window_before, "after": self.window_after}
        return without_defaults(
            key=self.key,
            title=self.title,
            hint=self.hint,
            modalities=list(self.modalities),
            companions=list(self.companions),
            min_series=None if self.min_series == 1 else self.min_series,
            min_instances=None if self.min_instances == 1 else self.min_instances,
            several_studies=self.several_studies,
            window={side: days for side, days in sides.items() if days is not None},
        )


@dataclass(frozen=True)
class TrialDefinition:
    """One version of a trial. ``subject_id`` is a pattern such as ``{site}-{sequence:03}``."""

    code: str
    version: str
    title: str
    protocol_id: str
    sponsor: str
    phase: str
    subject_id: str
    asks_birth_year: bool
    asks_sex: bool
    anchor_visit: str
    visits: tuple[VisitDef, ...]
    forms: Mapping[str, FormDef]
    codelists: Mapping[str, CodeList]
    slots: Mapping[str, SlotDef]
    product: str = ""
    indication: str = ""
    deidentification: Mapping[str, Any] = field(default_factory=dict)
    reading: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> TrialDefinition:
        """Build it from one mapping of all files: ``trial``, ``schedule``, ``forms`` (a list), ….

        Raises BadDefinition with a sentence that names the file and the key.
        """
        try:
            return cls.read(mapping)
        except WrongHere as wrong:
            raise BadDefinition(wrong.problem.text) from None

    @classmethod
    def read(cls, mapping: Mapping[str, Any]) -> TrialDefinition:
        """Build it as ``from_mapping`` does, but raise WrongHere, which knows the place."""
        files = {part: Section.of(f"{part}.yaml", (), mapping.get(part) or {}) for part in PARTS}
        codelists = _keyed([CodeList.read(each) for each in files["codelists"].sections("codelists")], "codelists.yaml")
        slots = _keyed([SlotDef.read(each) for each in files["imaging"].sections("slots")], "imaging.yaml")
        forms = _keyed([FormDef.read(each, codelists) for each in _form_files(mapping)], "forms")
        schedule, trial = files["schedule"], files["trial"]
        visits = [VisitDef.read(each, at) for at, each in enumerate(schedule.sections("visits"))]
        _keyed(visits, "schedule.yaml")
        subject = trial.section("subject")
        definition = cls(
            code=trial.text("code"),
            version=trial.text("version"),
            title=trial.text("title"),
            protocol_id=trial.text("protocol_id"),
            sponsor=trial.text("sponsor"),
            phase=trial.text("phase", ""),
            product=trial.text("product", ""),
            indication=trial.text("indication", ""),
            subject_id=_numbering(subject),
            asks_birth_year=subject.flag("birth_year"),
            asks_sex=subject.flag("sex"),
            anchor_visit=schedule.text("anchor_visit"),
            visits=tuple(visits),
            forms=forms,
            codelists=codelists,
            slots=slots,
            deidentification=files["deidentification"].values,
            reading=files["reading"].values,
        )
        for section in (subject, trial, schedule, files["codelists"], files["imaging"]):
            section.close()
        return definition

    @classmethod
    def from_json(cls, text: str) -> TrialDefinition:
        """Rebuild a stored definition."""
        return cls.from_mapping(json.loads(text))

    def to_json(self) -> str:
        """Write it in one canonical form: equal definitions give equal texts, whose hash names them."""
        return json.dumps(self.to_mapping(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    def to_mapping(self) -> Plain:
        """Give it back as its files say it."""
        return {
            "trial": without_defaults(
                code=self.code,
                version=self.version,
                title=self.title,
                protocol_id=self.protocol_id,
                sponsor=self.sponsor,
                phase=self.phase,
                product=self.product,
                indication=self.indication,
                subject={"id": self.subject_id, "birth_year": self.asks_birth_year, "sex": self.asks_sex},
            ),
            "schedule": {
                "anchor_visit": self.anchor_visit,
                "visits": [visit.to_mapping() for visit in self.visits],
            },
            "forms": [form.to_mapping() for form in self.forms.values()],
            "codelists": {"codelists": [each.to_mapping() for each in self.codelists.values()]},
            "imaging": {"slots": [slot.to_mapping() for slot in self.slots.values()]},
            "deidentification": dict(self.deidentification),
            "reading": dict(self.reading),
        }

    def visit(self, key: str) -> VisitDef | None:
        """Find a visit by its key."""
        return next((visit for visit in self.visits if visit.key == key), None)

    def expected(self, anchor_day: date | None) -> list[Expectation]:
        """Give the dates of all visits of a subject whose anchor visit is, or is not yet, dated."""
        return expected(self.visits, anchor_day)

    @property
    def deidentify_at(self) -> Literal["server", "site"]:
        """Where images are cleaned: at the site, unless the definition says otherwise."""
        return "server" if self.deidentification.get("deidentify_at") == "server" else "site"

    def subject_identifier(self, site: str, sequence: int) -> str:
        """Number a subject by the trial's rule; ``sequence`` counts from 1 within the site.

        Raises BadDefinition where the rule gives what cannot be an address or a DICOM PatientID.
        """

        def fill(found: re.Match[str]) -> str:
            value = site if found[1] == "site" else str(sequence)
            return value.rjust(int(found[2] or 0), "0")

        identifier = _PLACEHOLDER.sub(fill, self.subject_id)
        if not _IDENTIFIER.fullmatch(identifier):
            raise BadDefinition(
                "The trial's numbering rule gives a subject identifier with characters other than letters, "
                "digits, dot, dash and underscore, or longer than 64; change the site's code or the rule."
            )
        return identifier


T = TypeVar("T", CodeList, SlotDef, FormDef, VisitDef)


def _form_files(mapping: Mapping[str, Any]) -> list[Section]:
    """Name each form's part of the mapping after the file it stands in."""
    forms = mapping.get("forms") or []
    if not isinstance(forms, list | tuple):
        raise WrongHere(Problem("forms", (), "must be a list of forms"))
    found = []
    for at, form in enumerate(forms):
        key = form.get("key") if isinstance(form, Mapping) else None
        found.append(Section.of(f"forms/{key or at}.yaml", (), form))
    return found


def _keyed(values: list[T], file: str) -> dict[str, T]:
    found: dict[str, T] = {}
    for value in values:
        if value.key in found:
            raise WrongHere(Problem(file, (), f"“{value.key}” is defined twice"))
        found[value.key] = value
    return found


def _numbering(subject: Section) -> str:
    """Take the pattern of subject identifiers, which must hold the sequence and nothing unknown."""
    pattern = subject.text("id")
    rest = _PLACEHOLDER.sub("", pattern)
    if "{sequence" not in pattern or "{" in rest or "}" in rest:
        raise subject.wrong("id", "must be a pattern such as {site}-{sequence:03} and hold {sequence…}")
    return pattern
