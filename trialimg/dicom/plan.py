"""What happens to one attribute under one profile: the only place where that is decided.

Closed by default. In this order: what is never carried on; private and unknown attributes (removed);
who the subject is; the trial's own rules; the options for patient characteristics and dates; the row
of PS3.15 table E.1-1; and for public attributes without a row, what ``unlisted`` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from trialimg.dicom.part10 import PIXEL_DATA
from trialimg.dicom.table import FULL_DATES, MODIFIED_DATES, Row, confidentiality_table, is_retired, vr_of
from trialimg.dicom.unlisted import NEVER_KEPT, is_judged
from trialimg.domain.deidentification import Profile


class Do(StrEnum):
    """What the engine does with an element."""

    KEEP = "K"
    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    MAP_UID = "U"
    SHIFT = "C"
    CAP_AGE = "A"
    NAME = "N"
    """Write the subject's number of the trial."""
    KNOWN_CHARACTER_SET = "E"
    """Keep if the standard defines it, else remove: it is read by machines and may say anything."""
    KEEP_DATE = "T"
    """Keep if it is a date or time, else empty."""
    JUDGE = "J"
    """Keep a value as far as it is what the attribute is for (:mod:`trialimg.dicom.unlisted`)."""
    CLEAN_ITEMS = "S"
    """Keep a sequence and clean what is in it."""


class Step(NamedTuple):
    """What to do, and the letter the report gives it (PS3.15 table E.1-1a), "" where nothing is told."""

    do: Do
    told: str
    vr: str


PATIENT_NAME: Final = 0x00100010
PATIENT_ID: Final = 0x00100020
SEX, AGE, SIZE, WEIGHT = 0x00100040, 0x00101010, 0x00101020, 0x00101030
CONTENT_SEQUENCE: Final = 0x0040A730
OFFSETS: Final = frozenset({0x7FE00001, 0x7FE00002})
"""Extended Offset Table and its lengths: eight bytes a frame."""
PIXELS: Final = OFFSETS | {0x7FE00008, 0x7FE00009, PIXEL_DATA}
"""Pixel data and their offset tables, of the outermost data set."""

CLASSES_AND_SCHEMES: Final = frozenset(
    {
        *(0x00080016, 0x0008001A, 0x0008001B, 0x00080062, 0x0008010C, 0x00080117, 0x00080118, 0x0008040E),
        *(0x00081150, 0x0008115A, 0x00083002, 0x00340003, 0x30100052, 0x30100053),
    }
)
"""UI attributes that name a class, a coding scheme or an encoding: never a thing of this patient."""

# Stricter than the table: free text it leaves to its parent sequence, and what would be stale or hidden.
_BEYOND: Final[Mapping[int, Do]] = {
    0x0040A160: Do.DUMMY,  # Text Value, inside Content Sequence
    0x00400400: Do.REMOVE,  # Comments on the Scheduled Procedure Step
    0x00400255: Do.REMOVE,  # Performed Procedure Type Description
    0x00420010: Do.EMPTY,  # Document Title
    0x0040E001: Do.REMOVE,  # HL7 Instance Identifier
    0x30020004: Do.REMOVE,  # RT Image Description
    0x300A01D0: Do.REMOVE,  # Setup Reference Description
    0x30080202: Do.REMOVE,  # Treatment Status Comment
    0x04000500: Do.REMOVE,  # Encrypted Attributes Sequence
    0x04000550: Do.REMOVE,  # Modified Attributes Sequence
    0x04000561: Do.REMOVE,  # Original Attributes Sequence
    0x4FFE0001: Do.REMOVE,  # MAC Parameters Sequence
    0x00880200: Do.REMOVE,  # Icon Image Sequence
}

# Type 1 somewhere in PS3.3, so that an empty value or none would make the object invalid.
_NEEDS_A_VALUE: Final = frozenset(
    {
        *(0x00080023, 0x00080033, 0x0008002A),  # content date and time, acquisition date and time
        0x00081111,  # referenced performed procedure step: type 2 in reports, 3 in images; its UIDs are mapped
        *(0x00181000, 0x00189516, 0x00189517, 0x0040A032),  # device serial number, start and end, observation
    }
)
_FIXED: Final[Mapping[int, tuple[Do, str]]] = {
    0x00080005: (Do.KNOWN_CHARACTER_SET, ""),
    PATIENT_NAME: (Do.NAME, "D"),
    PATIENT_ID: (Do.NAME, "D"),
    0x00200010: (Do.EMPTY, "D"),  # Study ID: the outermost one is written anew
    **dict.fromkeys(PIXELS, (Do.KEEP, "")),
}
_NEEDS_A_SEQUENCE: Final = frozenset({0x00400555})  # acquisition context: type 2, may be empty
_DATES: Final = frozenset({"DA", "DT", "TM"})
OF_EVERYBODY: Final = frozenset({0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07})
"""Versions of published code lists and templates: the same in the files of everybody."""
_TEXT: Final = frozenset(
    {*("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT"), *("SH", "ST", "TM", "UC", "UR", "UT")}
)
NUMBERS: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
_BULK: Final = frozenset({"OB", "OW", "OF", "OD", "OL", "OV"})
_FAMILIES: Final = (_TEXT, NUMBERS, _BULK, frozenset({"SQ"}), frozenset({"PN"}), frozenset({"UI"}))


class Plan:
    """The decisions of one profile, each made once."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._rules = {rule.tag: rule.action for rule in profile.rules}
        self._kept = {
            SEX: profile.keep_sex,
            AGE: profile.keep_age,
            SIZE: profile.keep_size,
            WEIGHT: profile.keep_weight,
        }
        self._rows = confidentiality_table().rows
        self._steps: dict[tuple[int, str], Step] = {}

    def step(self, tag: int, stated_vr: str | None) -> Step:
        """Decide about an element; ``stated_vr`` is the file's, None, UN or a choice where it tells none."""
        key = (tag, stated_vr if stated_vr is not None and len(stated_vr) == 2 else "UN")  # noqa: PLR2004
        step = self._steps.get(key)
        if step is None:
            vr = _effective_vr(tag, key[1])
            do, told = self._decide(tag, vr) if vr else (Do.REMOVE, "X")
            step = self._steps[key] = Step(do, told, vr)
        return step

    def _decide(self, tag: int, vr: str) -> tuple[Do, str]:
        if _never_carried(tag):
            return Do.REMOVE, "X"
        if tag in _FIXED:
            return _FIXED[tag]
        if tag in self._rules:
            return self._by_rule(self._rules[tag], tag, vr)
        if tag in _BEYOND:
            return _BEYOND[tag], _BEYOND[tag].value
        return self._by_option(tag, vr) or self._by_table(tag, vr)

    def _by_table(self, tag: int, vr: str) -> tuple[Do, str]:
        row = self._rows.get(tag)
        return _without_row(tag, vr) if row is None else _by_row(row, tag, vr)

    def _by_option(self, tag: int, vr: str) -> tuple[Do, str] | None:
        """Apply the options for patient characteristics and dates; None leaves it to the Basic Profile."""
        if self._kept.get(tag):
            return (Do.CAP_AGE, "C") if tag == AGE else (Do.KEEP, "K")
        row = self._rows.get(tag)
        if (row is None and vr in _DATES) or (row is not None and FULL_DATES in row.options):
            return self._by_date_option(row, tag, vr)
        return None

    def _by_rule(self, action: str, tag: int, vr: str) -> tuple[Do, str]:
        if action == "K":
            return (Do.CAP_AGE, "C") if tag == AGE else (_kept_as(tag, vr), "K")
        if action == "D":
            return _dummy_as(vr), "D"
        if action == "U":
            return _kept_as(tag, vr) if vr in {"UI", "SQ"} else Do.REMOVE, "U" if vr in {"UI", "SQ"} else "X"
        return Do(action), action

    def _by_date_option(self, row: Row | None, tag: int, vr: str) -> tuple[Do, str] | None:
        """Apply the options for dates, 113106 and 113107."""
        dates = self.profile.dates
        if dates == "kept":
            return Do.KEEP_DATE if vr in _DATES else _kept_as(tag, vr), "K"
        if dates == "shifted" and tag in OF_EVERYBODY:
            return None  # as in the Basic Profile: a constant that is published would give the shift away
        if dates == "shifted" and vr in _DATES and (row is None or MODIFIED_DATES in row.options):
            return (Do.KEEP_DATE, "K") if vr == "TM" else (Do.SHIFT, "C")
        return None


def _never_carried(tag: int) -> bool:
    """Tell of group lengths, commands, file meta, media directories, trial claims, curves, overlays, tails."""
    group = tag >> 16
    return (
        tag & 0xFFFF == 0 or group in {0x0000, 0x0002, 0x0004, 0x0012} or group >> 8 in {0x50, 0x60} or tag > PIXEL_DATA
    )


def _effective_vr(tag: int, stated: str) -> str:
    """Give the VR to treat an element as; "" if it is private, unknown, or written as what it cannot be."""
    known = vr_of(tag)
    if not known or stated == "UN":
        return known.split(" or ", maxsplit=1)[0]
    choices = known.split(" or ")
    if stated in choices:
        return stated
    for family in _FAMILIES:
        if stated in family:
            # The stricter of the two: a UID written as text is still a UID.
            return stated if choices[0] in family else ("UI" if {stated, choices[0]} & {"UI"} else "")
    return ""


def _kept_as(tag: int, vr: str) -> Do:
    if vr == "SQ":
        return Do.CLEAN_ITEMS
    return Do.MAP_UID if vr == "UI" and tag not in CLASSES_AND_SCHEMES else Do.KEEP


def _dummy_as(vr: str) -> Do:
    return Do.CLEAN_ITEMS if vr == "SQ" else Do.MAP_UID if vr == "UI" else Do.DUMMY


def _by_row(row: Row, tag: int, vr: str) -> tuple[Do, str]:
    """Choose among the actions of a row the one that keeps the object valid and destroys least."""
    basic = row.basic
    if basic in {"U", "X/Z/U*"}:
        return _kept_as(tag, vr), "U" if vr == "UI" else ""
    if basic == "D":
        return _dummy_as(vr), "C" if vr == "SQ" else "D"
    if "D" in basic and (tag in _NEEDS_A_VALUE or (basic == "X/D" and vr in {"LO", "SH", "CS"})):
        return _dummy_as(vr), "D"
    # An empty value is legal wherever none is, and needed where the attribute is of type 2; not so a sequence.
    do = Do.REMOVE if basic == "X" or (vr == "SQ" and "X" in basic and tag not in _NEEDS_A_SEQUENCE) else Do.EMPTY
    return do, do.value


def _without_row(tag: int, vr: str) -> tuple[Do, str]:
    if is_retired(tag) or tag in NEVER_KEPT:
        return Do.REMOVE, "X"
    if vr == "PN" or vr in _DATES:
        return Do.EMPTY, "Z"
    do = _kept_as(tag, vr)
    if do is Do.KEEP and is_judged(tag, vr):
        return Do.JUDGE, ""
    return do, "U" if do is Do.MAP_UID else ""
