"""Puts the images of a submission in order: whose, which study, which series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from trialimg.casework.summary import FoundPatient, FoundSeries, FoundStudy
from trialimg.domain.pseudonym import marks_of_person

Facts = Mapping[str, Any]
"""What a child told of one image (see ``inside.py``)."""


@dataclass
class Grouping:
    """The order, built image by image; it names patients, so it becomes a note in the quarantine and nothing else."""

    patients: list[FoundPatient] = field(default_factory=list)
    studies: list[FoundStudy] = field(default_factory=list)
    members: list[list[tuple[int, Facts]]] = field(default_factory=list)
    _patients: dict[tuple[str, ...], int] = field(default_factory=dict)
    _studies: dict[tuple[int, str], int] = field(default_factory=dict)
    _series: dict[tuple[int, str], int] = field(default_factory=dict)
    _study_of: list[int] = field(default_factory=list)

    def add(self, ordinal: int, facts: Facts) -> int:
        """Put one image where it belongs and give the index of its series."""
        key = (self._study(self._patient(facts), facts), facts["series_instance_uid"])
        series = self._series.setdefault(key, len(self.members))
        if series == len(self.members):
            self.members.append([])
            self._study_of.append(key[0])
        self.members[series].append((ordinal, facts))
        return series

    def series(self, thumbnails: Mapping[int, str]) -> list[FoundSeries]:
        """Give the series, each told by its first image."""
        return [
            FoundSeries(
                index, self._study_of[index], _number(images[0][1]["series_number"]), images[0][1]["modality"],
                images[0][1]["series_description"], len(images),
                next((facts["risk"] for _, facts in images if facts["risk"]), ""), thumbnails.get(index, ""),
            )
            for index, images in enumerate(self.members)
        ]  # fmt: skip

    def middles(self) -> dict[int, int]:
        """Give for each series with pixels the object in its middle, by instance number."""
        found = {}
        for index, images in enumerate(self.members):
            shown = [image for image in images if image[1]["has_pixels"]]
            shown.sort(key=lambda image: (image[1]["instance_number"] or 0, image[0]))
            if shown:
                found[index] = shown[len(shown) // 2][0]
        return found

    def _patient(self, facts: Facts) -> int:
        key = marks_of_person(facts["patient_id"], facts["issuer"], facts["patient_name"], facts["birth_date"])
        index = self._patients.setdefault(key, len(self.patients))
        if index == len(self.patients):
            told = (facts["patient_name"], facts["patient_id"], facts["birth_date"], facts["sex"])
            self.patients.append(FoundPatient(index, *told))
        return index

    def _study(self, patient: int, facts: Facts) -> int:
        key = (patient, facts["study_instance_uid"])
        index = self._studies.setdefault(key, len(self.studies))
        if index == len(self.studies):
            told = (facts["study_date"], facts["study_description"], facts["fingerprint"])
            self.studies.append(FoundStudy(index, patient, *told))
        return index


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def shown_list(names: Iterable[str], most: int = 3) -> str:
    """Name a few of many."""
    several = list(names)
    more = f" and {len(several) - most} more" if len(several) > most else ""
    return ", ".join(several[:most]) + more
