"""What can be done with an attribute, and which of the actions that a row of table E.1-1 leaves open is done.

Wherever an action would leave less than PS3.3 demands, the Type of the attribute at its place (``iod``) decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from trialimg.dicom.rules.unlisted import NEVER_KEPT, is_judged
from trialimg.dicom.standard.part10 import PIXEL_DATA
from trialimg.dicom.standard.table import is_retired, keyword_of, vr_of


class Do(StrEnum):
    """What the engine does with an element."""

    KEEP = "K"
    REMOVE = "X"
    EMPTY = "Z"
    DUMMY = "D"
    MAP_UID = "U"
    KEEP_UID = "I"
    """Keep if it is a UID, else empty."""
    SHIFT = "C"
    CAP_AGE = "A"
    NAME = "N"
    """Write the subject's number of the trial."""
    KNOWN_CHARACTER_SET = "E"
    """Keep the terms that the standard defines, and no other: it is read by machines and may say anything."""
    KEEP_DATE = "T"
    """Keep if it is a date or time, else empty."""
    JUDGE = "J"
    """Keep a value as far as it is what the attribute is for (:mod:`trialimg.dicom.rules.unlisted`)."""
    CLEAN_ITEMS = "S"
    """Keep a sequence and clean what is in it."""


class Step(NamedTuple):
    """What to do, and the letter the report gives it (PS3.15 table E.1-1a), "" where only a change is told.

    A "K" becomes another where the value could not stay as it was (``values.told_of``).
    """

    do: Do
    told: str
    vr: str
    needed: bool = False
    """Whether a value must stand here: of Type 1, or 1C and there."""
    why: str = ""
    """By which rule, in a few words."""


class Attribute(NamedTuple):
    """What is to be decided about: an attribute, its VR as treated, and its Type at its place."""

    tag: int
    vr: str
    kind: str
    is_code: bool
    """Whether it is a sequence of codes."""


Choice = tuple[Do, str, str]
"""What to do, the letter told, and by which rule."""

_TEXT: Final = frozenset(
    {*("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT"), *("SH", "ST", "TM", "UC", "UR", "UT")}
)
NUMBERS: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"})
_BULK: Final = frozenset({"OB", "OW", "OF", "OD", "OL", "OV"})
_FAMILIES: Final = (_TEXT, NUMBERS, _BULK, frozenset({"SQ"}), frozenset({"PN"}), frozenset({"UI"}))
DATES: Final = frozenset({"DA", "DT", "TM"})
_FORMED: Final = DATES | {"AS"}
"""Texts of a form that a term or a word has not, so that what is written as one of them is not."""
NEEDED: Final = frozenset({"1", "1C"})
_MAY_BE_EMPTY: Final = frozenset({"2", "2C"})
UNKNOWN: Final = Step(Do.REMOVE, "X", "", why="nobody knows it, or it is written as what it cannot be: removed")
GOES: Final = Step(Do.REMOVE, "X", "", why="private, and no rule keeps it: removed")
LENGTH: Final = Step(Do.REMOVE, "X", "", why="the length of a group: never carried on")
CLASSES_AND_SCHEMES: Final = frozenset(
    {
        *(0x00080016, 0x0008001A, 0x0008001B, 0x00080062, 0x0008010C, 0x00080117, 0x00080118, 0x0008040E),
        *(0x00081150, 0x0008115A, 0x00083002, 0x00340003, 0x30100052, 0x30100053),
    }
)
"""UI attributes that name a class, a coding scheme or an encoding: never a thing of this patient."""

# Stricter than the table, in its letters: free text that it leaves to the parent sequence.
BEYOND: Final[Mapping[int, str]] = {
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
        *(0x00880200, 0x0040A390, 0x00280303),  # icon image; HL7 document outside; claim of what became of dates
        *(0x00100035, 0x00102298),  # calendar of a birth date, role of a responsible person: both are out themselves
    }
)
WITHOUT_VALUE: Final = {"X": Do.REMOVE, "Z": Do.EMPTY}
_DEMANDED: Final = {
    "1": "Type 1 here, so a value must stand",
    "1C": "Type 1C here, so a value must stand",
    "2": "Type 2 here, so it may be empty",
    "2C": "Type 2C here, so it may be empty",
}


def is_never_carried(tag: int) -> bool:
    """Tell of group lengths, commands, file meta, media directories, curves, overlays, tails, other states."""
    group = tag >> 16
    return (
        tag in _OTHER_STATES
        or tag & 0xFFFF == 0
        or group in {0x0000, 0x0002, 0x0004}
        or group >> 8 in {0x50, 0x60}
        or tag > PIXEL_DATA
    )


def of_nobody(tag: int) -> Step:
    """Decide about a tag that PS3.6 does not know as what it is written: it goes."""
    if tag & 0xFFFF == 0:
        return LENGTH
    return GOES if tag >> 16 & 1 else UNKNOWN


def kept_as(tag: int, vr: str) -> Do:
    """Give how an attribute stays: a sequence cleaned inside, a UID of a thing as another, anything else as it is."""
    if vr == "SQ":
        return Do.CLEAN_ITEMS
    return Do.MAP_UID if vr == "UI" and tag not in CLASSES_AND_SCHEMES else Do.KEEP


def by_letters(letters: str, what: Attribute, rule: str) -> Choice:
    """Choose among the actions of a row (PS3.15 table E.1-1a) by the attribute's Type at its place.

    Of Type 1 it needs a dummy, of Type 2 it may be empty, else the row's first action is good; a conditional one is
    there because its condition holds, so it stays as if it were demanded. That holds where the row says X alone too:
    the table is made for the attribute as most objects have it, and PS3.15 E.1.1 wants the result to be valid.
    """
    tag, vr = what.tag, what.vr
    if letters in {"U", "X/Z/U*"}:
        # Of the three for sequences of references U is legal everywhere, and the references still lead somewhere.
        return kept_as(tag, vr), "U" if vr == "UI" else "C", rule
    letter = letters[0]
    if what.kind in NEEDED:
        letter = "D"
    elif what.kind in _MAY_BE_EMPTY and letter != "D":
        letter = "Z"
    if letter != letters and what.kind in _DEMANDED:
        rule = f"{rule}; {_DEMANDED[what.kind]}"
    if letter != "D":
        return WITHOUT_VALUE[letter], letter, rule
    if vr == "UI":
        return Do.MAP_UID, "D", rule
    if vr == "SQ" and not what.is_code:
        return Do.CLEAN_ITEMS, "C", rule
    return Do.DUMMY, "D", rule


def without_row(what: Attribute) -> Choice:
    """Choose for a public attribute that table E.1-1 does not list."""
    tag, vr = what.tag, what.vr
    if is_retired(tag) or keyword_of(tag) in NEVER_KEPT:
        why = "retired" if is_retired(tag) else "of those that are never carried on"
        return by_letters("X", what, f"not in table E.1-1: {why}")
    if vr == "PN" or vr in DATES:
        return by_letters("Z", what, "not in table E.1-1: a person, date or time")
    do = kept_as(tag, vr)
    if do is Do.KEEP and is_judged(tag, vr):
        return Do.JUDGE, "", "not in table E.1-1: what it is for stays, anything else goes"
    if do is Do.MAP_UID:
        return do, "U", "not in table E.1-1: a UID of a thing is another from now on, one of the standard stays"
    inside = (
        "each item is cleaned" if do is Do.CLEAN_ITEMS else "a machine wrote it, and it is searched for the patient"
    )
    return do, "", f"not in table E.1-1: {inside}"


def effective_vr(tag: int, stated: str) -> str:
    """Give the VR to treat an element as; "" if it is private, unknown, or written as what it cannot be."""
    known = vr_of(tag)
    if not known or stated == "UN":
        return known.split(" or ", maxsplit=1)[0]
    choices = known.split(" or ")
    if stated in choices:
        return stated
    for family in _FAMILIES:
        if stated in family:
            if choices[0] in family:
                return choices[0] if stated in _FORMED and choices[0] not in DATES else stated
            # The stricter of the two: a UID written as text is still a UID.
            return "UI" if {stated, choices[0]} & {"UI"} else ""
    return ""
