"""The values of a read as texts, numbers, lists and mappings: how they are stored, sent and signed."""

from __future__ import annotations

import unicodedata
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final, TypeVar

from trialimg.domain.definition import Plain, Section, WrongHere
from trialimg.domain.item_value import tidy
from trialimg.domain.lesion import (
    Measurement,
    NewLesion,
    NonTargetLesion,
    NonTargetState,
    Organ,
    Point,
    Seen,
    TargetLesion,
    TargetState,
)
from trialimg.domain.read_values import ImageQuality, ReadValues
from trialimg.errors import BadInput

LONGEST_TEXT: Final = 4000
MOST_OF_A_KIND: Final = 100
"""What a read takes at most: characters of a text, lesions of a kind."""

Word = TypeVar("Word", bound=StrEnum)


def from_plain(plain: object) -> ReadValues:
    """Rebuild stored values, or take what a page or program sends.

    Raises BadInput where the shape is wrong, a text or list is too long, or a word is not one of its list.
    What a *reader* may get wrong (a diameter that is no number) is taken and found by ``read_check``, so
    that a draft keeps it.
    """
    try:
        return _values(Section.of("read", (), plain))
    except WrongHere as wrong:
        raise BadInput(f"This read cannot be taken: {wrong.problem.sentence}. Nothing was changed.") from None


def to_plain(values: ReadValues) -> Plain:
    """Write the values; equal values give equal plain ones, lengths are texts as they were recorded."""
    return {
        "targets": [_target_plain(each) for each in values.targets],
        "non_targets": [_non_target_plain(each) for each in values.non_targets],
        "new": values.new.value if values.new else "",
        "new_lesions": [_new_plain(each) for each in values.new_lesions],
        "quality": values.quality.value if values.quality else "",
        "comment": values.comment,
    }


def _target_plain(lesion: TargetLesion) -> Plain:
    return {
        "id": lesion.id,
        "organ": lesion.organ.value,
        "location": lesion.location,
        "state": lesion.state.value if lesion.state else "",
        "measurements": [_measurement_plain(each) for each in lesion.measurements],
        "merged_into": lesion.merged_into,
        "reason": lesion.reason,
    }


def _measurement_plain(measurement: Measurement) -> Plain:
    thickness = measurement.slice_thickness
    return {
        "diameter": measurement.diameter,
        "sop_instance_uid": measurement.sop_instance_uid,
        "frame": measurement.frame,
        "end_points": [{"column": str(column), "row": str(row)} for column, row in measurement.end_points],
        "slice_thickness": "" if thickness is None else str(thickness),
    }


def _non_target_plain(lesion: NonTargetLesion) -> Plain:
    return {
        "id": lesion.id,
        "organ": lesion.organ.value,
        "location": lesion.location,
        "state": lesion.state.value if lesion.state else "",
        "reason": lesion.reason,
    }


def _new_plain(lesion: NewLesion) -> Plain:
    return {
        "id": lesion.id,
        "organ": lesion.organ.value,
        "location": lesion.location,
        "certainty": lesion.certainty.value,
        "sop_instance_uid": lesion.sop_instance_uid,
        "frame": lesion.frame,
    }


def _values(section: Section) -> ReadValues:
    values = ReadValues(
        tuple(_target(each) for each in _several(section, "targets")),
        tuple(_non_target(each) for each in _several(section, "non_targets")),
        _word(section, "new", Seen),
        tuple(_new(each) for each in _several(section, "new_lesions")),
        _word(section, "quality", ImageQuality),
        _text(section, "comment"),
    )
    section.close()
    return values


def _target(section: Section) -> TargetLesion:
    lesion = TargetLesion(
        _text(section, "id"),
        _needed(section, "organ", Organ),
        _text(section, "location"),
        _word(section, "state", TargetState),
        tuple(_measurement(each) for each in _several(section, "measurements")),
        _text(section, "merged_into"),
        _text(section, "reason"),
    )
    section.close()
    return lesion


def _measurement(section: Section) -> Measurement:
    thickness = _text(section, "slice_thickness")
    measurement = Measurement(
        _text(section, "diameter"),
        _text(section, "sop_instance_uid"),
        section.whole("frame", 1),
        tuple(_point(each) for each in _several(section, "end_points")),
        _number(section, "slice_thickness") if thickness else None,
    )
    section.close()
    return measurement


def _point(section: Section) -> Point:
    point = (_number(section, "column"), _number(section, "row"))
    section.close()
    return point


def _non_target(section: Section) -> NonTargetLesion:
    lesion = NonTargetLesion(
        _text(section, "id"),
        _needed(section, "organ", Organ),
        _text(section, "location"),
        _word(section, "state", NonTargetState),
        _text(section, "reason"),
    )
    section.close()
    return lesion


def _new(section: Section) -> NewLesion:
    lesion = NewLesion(
        _text(section, "id"),
        _needed(section, "organ", Organ),
        _text(section, "location"),
        _needed(section, "certainty", Seen),
        _text(section, "sop_instance_uid"),
        section.whole("frame", 1),
    )
    section.close()
    return lesion


def _several(section: Section, key: str) -> list[Section]:
    found = section.sections(key)
    if len(found) > MOST_OF_A_KIND:
        raise section.wrong(key, f"holds more than {MOST_OF_A_KIND} entries")
    return found


def _text(section: Section, key: str) -> str:
    text = tidy(section.text(key, ""))
    if len(text) > LONGEST_TEXT:
        raise section.wrong(key, f"is longer than {LONGEST_TEXT} characters")
    if any(unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\t" for sign in text):
        raise section.wrong(key, "holds signs that cannot be in a text")
    return text


def _word(section: Section, key: str, words: type[Word]) -> Word | None:
    text = section.one_of(key, ("", *(word.value for word in words)), "")
    return words(text) if text else None


def _needed(section: Section, key: str, words: type[Word]) -> Word:
    return words(section.one_of(key, tuple(word.value for word in words)))


def _number(section: Section, key: str) -> Decimal:
    try:
        number = Decimal(section.text(key))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > LONGEST_TEXT * LONGEST_TEXT:
        raise section.wrong(key, "must be a number, written as a text")
    return number
