"""What a survey found in quarantine: the one document that still holds names. It is destroyed with the originals."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from trialimg.casework.services import Services
from trialimg.errors import Conflict, NotFound

NOTE = "summary"


@dataclass(frozen=True)
class FoundObject:
    """One object: its place in the submission, its name as it was sent, and what it is."""

    ordinal: int
    name: str
    kind: str
    sentence: str = ""
    series: int | None = None


@dataclass(frozen=True)
class FoundPatient:
    """A person named in the originals."""

    index: int
    name: str
    patient_id: str
    birth_date: str
    sex: str


@dataclass(frozen=True)
class FoundStudy:
    """A study of the originals; ``date`` is DICOM's YYYYMMDD or empty."""

    index: int
    patient: int
    date: str
    description: str
    fingerprint: str


@dataclass(frozen=True)
class FoundSeries:
    """A series of the originals; ``thumbnail`` is the key of a note with a PNG, or empty."""

    index: int
    study: int
    number: str
    modality: str
    description: str
    instances: int
    risk: str = ""
    thumbnail: str = ""


@dataclass(frozen=True)
class Problem:
    """Something wrong: ``level`` is ``stop`` or ``warn``, ``about`` is ``""``, ``study:N`` or ``series:N``."""

    level: str
    sentence: str
    about: str = ""


@dataclass(frozen=True)
class Summary:
    """Everything found."""

    objects: list[FoundObject] = field(default_factory=list)
    patients: list[FoundPatient] = field(default_factory=list)
    studies: list[FoundStudy] = field(default_factory=list)
    series: list[FoundSeries] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def ordinals(self, series: frozenset[int]) -> frozenset[int]:
        """Give the objects of these series."""
        return frozenset(item.ordinal for item in self.objects if item.series in series)

    def stops(self, series: frozenset[int]) -> list[str]:
        """Give the sentences that forbid these series to go on."""
        studies = {entry.study for entry in self.series if entry.index in series}
        about = {"", *(f"study:{n}" for n in studies), *(f"series:{n}" for n in series)}
        if len(studies) > 1:
            about.add("studies")
        if len({study.patient for study in self.studies if study.index in studies}) > 1:
            about.add("patients")
        return [problem.sentence for problem in self.problems if problem.level == "stop" and problem.about in about]

    @property
    def hopeless(self) -> list[str]:
        """Give the sentences that forbid anything of it to go on, whatever is chosen."""
        return [problem.sentence for problem in self.problems if problem.level == "stop" and not problem.about]

    def preselected(self, modalities: tuple[str, ...], *, several: bool) -> frozenset[int]:
        """Give the series most people would choose: nothing forbidden, of one person, and of one study if one is due.

        ``modalities`` are what the slot is for: the study with most instances of these is taken.
        """
        allowed = [entry for entry in self.series if not self.stops(frozenset({entry.index}))]
        weight: Counter[int] = Counter()
        for entry in allowed:
            weight[entry.study] += entry.instances if entry.modality in modalities else 0
        if not weight:
            return frozenset()
        best = max(weight, key=lambda study: weight[study])
        person = self.studies[best].patient
        kept = {s.index for s in self.studies if s.patient == person} if several else {best}
        return frozenset(entry.index for entry in allowed if entry.study in kept)

    def study_date(self, series: frozenset[int]) -> date | None:
        """Give the earliest study date among these series."""
        studies = {entry.study for entry in self.series if entry.index in series}
        days = [_day(study.date) for study in self.studies if study.index in studies]
        return min((day for day in days if day is not None), default=None)

    def to_json(self) -> bytes:
        """Write it for the quarantine."""
        return json.dumps(self, default=lambda part: part.__dict__, ensure_ascii=False).encode()


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def parse_summary(text: bytes) -> Summary:
    """Read a summary as it was written."""
    raw: dict[str, list[dict[str, Any]]] = json.loads(text)
    return Summary(
        [FoundObject(**entry) for entry in raw["objects"]],
        [FoundPatient(**entry) for entry in raw["patients"]],
        [FoundStudy(**entry) for entry in raw["studies"]],
        [FoundSeries(**entry) for entry in raw["series"]],
        [Problem(**entry) for entry in raw["problems"]],
    )


def find_summary(services: Services, submission_id: str) -> Summary | None:
    """Read a submission's summary, None where there is none yet or none any more."""
    text = services.vault.area(f"quarantine/{submission_id}").read_note(NOTE)
    return parse_summary(text) if text is not None else None


def read_picture(services: Services, submission_id: str, series: int) -> bytes:
    """Give the PNG of a series of the survey; raises :class:`NotFound` where there is none, or none any more."""
    summary = find_summary(services, submission_id)
    key = next((entry.thumbnail for entry in summary.series if entry.index == series), "") if summary else ""
    picture = services.vault.area(f"quarantine/{submission_id}").read_note(key) if key else None
    if picture is None:
        raise NotFound
    return picture


def read_summary(services: Services, submission_id: str) -> Summary:
    """Read a submission's summary; raises :class:`Conflict` where it was destroyed with the originals."""
    found = find_summary(services, submission_id)
    if found is None:
        raise Conflict("The originals of these images were destroyed, and what they showed with them.")
    return found
