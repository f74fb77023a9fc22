"""What happens to one attribute under one profile: the only place where that is decided.

Closed by default. In this order: what is never carried on; private and unknown attributes (removed);
who the subject is; the trial's own rules; the options for patient characteristics and dates; the row
of PS3.15 table E.1-1; and for public attributes without a row, what ``unlisted`` says. Wherever an
action would leave less than PS3.3 demands, the Type of the attribute at its place (``iod``) decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from trialimg.dicom.iod import At, inside, is_code, place_of, type_at
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
    needed: bool = False
    """Whether a value must stand here: of Type 1, or 1C and there."""


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

# Stricter than the table, in its letters: free text that it leaves to the parent sequence.
_BEYOND: Final[Mapping[int, str]] = {
    0x0040A160: "D",  # Text Value, inside Content Sequence
    0x00400400: "X",  # Comments on the Scheduled Procedure Step
    0x00400255: "X",  # Performed Procedure Type Description
    0x00420010: "Z",  # Document Title
    0x0040E001: "X",  # HL7 Instance Identifier
    0x30020004: "X",  # RT Image Description
    0x300A01D0: "X",  # Setup Reference Description
    0x30080202: "X",  # Treatment Status Comment
}
# Never carried on, and not demanded once they or what they belong to are out, so no Type is asked.
_OTHER_STATES: Final = frozenset(
    {
        *(0x04000500, 0x04000550, 0x04000561, 0x4FFE0001),  # encrypted, modified, original attributes, MAC parameters
        *(0x00880200, 0x0040A390),  # icon image; reference to an HL7 document outside
        *(0x00100035, 0x00102298),  # calendar of a birth date, role of a responsible person: both are out themselves
    }
)
_FIXED: Final[Mapping[int, tuple[Do, str]]] = {
    0x00080005: (Do.KNOWN_CHARACTER_SET, ""),
    PATIENT_NAME: (Do.NAME, "D"),
    PATIENT_ID: (Do.NAME, "D"),
    0x00200010: (Do.EMPTY, "D"),  # Study ID: the outermost one is written anew
    **dict.fromkeys(PIXELS, (Do.KEEP, "")),
}
_CLINICAL_TRIAL: Final = 0x0012
_DATES: Final = frozenset({"DA", "DT", "TM"})
OF_EVERYBODY: Final = frozenset({0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07})
"""Versions of published code lists and templates: the same in the files of everybody."""
_TEXT: Final = frozenset(
    {*("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT"), *("SH", "ST", "TM", "UC", "UR", "UT")}
)
NUMBERS: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
_BULK: Final = frozenset({"OB", "OW", "OF", "OD", "OL", "OV"})
_FAMILIES: Final = (_TEXT, NUMBERS, _BULK, frozenset({"SQ"}), frozenset({"PN"}), frozenset({"UI"}))


_NEEDED: Final = frozenset({"1", "1C"})
_MAY_BE_EMPTY: Final = frozenset({"2", "2C"})
_UNKNOWN: Final = Step(Do.REMOVE, "X", "")


class _Attribute(NamedTuple):
    """What is to be decided about: an attribute, its VR as treated, and its Type at its place."""

    tag: int
    vr: str
    kind: str
    is_code: bool
    """Whether it is a sequence of codes."""


class Place:
    """One place in an object, the data set or the items of a sequence: what is decided there is remembered."""

    __slots__ = ("_at", "_plan", "_steps")

    def __init__(self, plan: Plan, at: At) -> None:
        self._plan, self._at = plan, at
        self._steps: dict[tuple[int, str], Step] = {}

    def step(self, tag: int, stated_vr: str | None) -> Step:
        """Decide about an element; ``stated_vr`` is the file's, None, UN or a choice where it tells none."""
        key = (tag, stated_vr if stated_vr is not None and len(stated_vr) == 2 else "UN")  # noqa: PLR2004
        step = self._steps.get(key)
        if step is None:
            vr = _effective_vr(tag, key[1])
            if not vr:
                return _UNKNOWN  # not remembered: a file may hold any number of unknown tags
            step = self._steps[key] = self._plan.decide(self._at, tag, vr)
        return step

    def inside(self, sequence: int) -> Place:
        """Give the place of the items of a sequence that stands here."""
        return self._plan.place(inside(self._at, sequence))


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
        self._places: dict[At, Place] = {}

    def root(self, sop_class_uid: str, present: Collection[int]) -> Place:
        """Give the place of a whole data set of a class, by the tags it has."""
        return self.place(place_of(sop_class_uid, present))

    def place(self, at: At) -> Place:
        """Give the decisions for one place in the standard."""
        place = self._places.get(at)
        if place is None:
            place = self._places[at] = Place(self, at)
        return place

    def decide(self, at: At, tag: int, vr: str) -> Step:
        """Decide about an attribute of PS3.6 at a place."""
        kind = type_at(at, tag)
        do, told = self._choose(_Attribute(tag, vr, kind, is_code=vr == "SQ" and is_code(at, tag)))
        return Step(do, told, vr, needed=kind in _NEEDED)

    def _choose(self, what: _Attribute) -> tuple[Do, str]:
        tag = what.tag
        if _never_carried(tag) or (tag >> 16 == _CLINICAL_TRIAL and what.kind not in {"1", "2"}):
            return Do.REMOVE, "X"
        if tag >> 16 == _CLINICAL_TRIAL:
            return _by_letters("X", what)  # the outermost ones are written anew
        if tag in _FIXED:
            return _FIXED[tag]
        if tag in self._rules:
            return self._by_rule(self._rules[tag], what)
        if tag in _BEYOND:
            return _by_letters(_BEYOND[tag], what)
        return self._by_option(tag, what.vr) or self._by_table(what)

    def _by_table(self, what: _Attribute) -> tuple[Do, str]:
        row = self._rows.get(what.tag)
        return _without_row(what) if row is None else _by_letters(row.basic, what)

    def _by_option(self, tag: int, vr: str) -> tuple[Do, str] | None:
        """Apply the options for patient characteristics and dates; None leaves it to the Basic Profile."""
        if self._kept.get(tag):
            return (Do.CAP_AGE, "C") if tag == AGE else (Do.KEEP, "K")
        row = self._rows.get(tag)
        if (row is None and vr in _DATES) or (row is not None and FULL_DATES in row.options):
            return self._by_date_option(row, tag, vr)
        return None

    def _by_rule(self, action: str, what: _Attribute) -> tuple[Do, str]:
        tag, vr = what.tag, what.vr
        if action == "K":
            return (Do.CAP_AGE, "C") if tag == AGE else (_kept_as(tag, vr), "K")
        if action == "U" and vr in {"UI", "SQ"}:
            return _kept_as(tag, vr), "U"
        return _by_letters("X" if action == "U" else action, what)

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
    """Tell of group lengths, commands, file meta, media directories, curves, overlays, tails, other states."""
    group = tag >> 16
    return (
        tag in _OTHER_STATES
        or tag & 0xFFFF == 0
        or group in {0x0000, 0x0002, 0x0004}
        or group >> 8 in {0x50, 0x60}
        or tag > PIXEL_DATA
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


def _by_letters(letters: str, what: _Attribute) -> tuple[Do, str]:
    """Choose among the actions of a row (PS3.15 table E.1-1a) by the attribute's Type at its place.

    Of Type 1 it needs a dummy, of Type 2 it may be empty, else the row's first action is good; a conditional one is
    there because its condition holds, so it stays as if it were demanded. That holds where the row says X alone too:
    the table is made for the attribute as most objects have it, and PS3.15 E.1.1 wants the result to be valid.
    """
    tag, vr = what.tag, what.vr
    if letters in {"U", "X/Z/U*"}:
        # Of the three for sequences of references U is legal everywhere, and the references still lead somewhere.
        return _kept_as(tag, vr), "U" if vr == "UI" else ""
    letter = letters[0]
    if what.kind in _NEEDED:
        letter = "D"
    elif what.kind in _MAY_BE_EMPTY and letter != "D":
        letter = "Z"
    if letter != "D":
        return Do(letter), letter
    if vr == "UI":
        return Do.MAP_UID, "D"
    if vr == "SQ" and not what.is_code:
        return Do.CLEAN_ITEMS, "C"
    return Do.DUMMY, "D"


def _without_row(what: _Attribute) -> tuple[Do, str]:
    tag, vr = what.tag, what.vr
    if is_retired(tag) or tag in NEVER_KEPT:
        return _by_letters("X", what)
    if vr == "PN" or vr in _DATES:
        return _by_letters("Z", what)
    do = _kept_as(tag, vr)
    if do is Do.KEEP and is_judged(tag, vr):
        return Do.JUDGE, ""
    return do, "U" if do is Do.MAP_UID else ""
