"""What stands in place of one value: bytes in, bytes out, whoever read them.

The parser's way (``apply``) and the way by bytes alone (``splice``) both ask here, so what an action does to a value is
written once. Nothing here knows pydicom.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from trialimg.dicom.rules.plan import CLAIMS, Do, Plan, Step
from trialimg.dicom.rules.unlisted import cleaned_value
from trialimg.dicom.standard.syntaxes import CHARACTER_SETS
from trialimg.dicom.standard.table import edition, is_registered, keyword_of, tag_text, vm_of
from trialimg.dicom.standard.words import REMOVED
from trialimg.domain.deid_report import NOT_SEARCHED, ActionCount, Report, Residue, rules_of
from trialimg.domain.deidentification import Profile
from trialimg.domain.pattern import late
from trialimg.domain.pseudonym import cap_age, date_shift, map_uid, shift_date

REMOVED_TEXT: Final = REMOVED.encode("ascii")
DUMMY_CODE: Final = ("REMOVED", "99TRIALIMG", "REMOVED")
"""Value, scheme and meaning; a scheme of one's own begins with 99 (PS3.16 chapter 8)."""
_KEEPING: Final = frozenset({"", "K", "C"})
"""Letters of steps that let a value stand as far as it may."""
_SHAPED: Final = {
    0x00080201: b"+0000",
    0x00080060: b"OT",
    **dict.fromkeys((0x00280301, 0x00280302), b"YES"),
    0x00080008: b"DERIVED\\SECONDARY\\OTHER",
    **dict.fromkeys((0x00280030, 0x00181164, 0x00182010), b"1\\1"),
    **dict.fromkeys((0x00180050, 0x00281053, 0x00281051), b"1"),
    0x00200037: b"1\\0\\0\\0\\1\\0",
}
"""Attributes whose value has a form that their VR does not tell: the offset from UTC, what an image is and may show,
distances of pixels and slices, a slope and a width, which may not be 0, and directions."""
_ZEROS: Final = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "UV": 8, "SV": 8, "FD": 8}
_DUMMIES: Final = {
    "AS": b"000Y",
    "DA": b"19000101",
    "DT": b"19000101000000",
    "TM": b"000000",
    "DS": b"0",
    "IS": b"0",
    "UR": b"urn:removed",
    **{vr: b"\0" * size for vr, size in _ZEROS.items()},
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), b"\x00" * 8),
}
_UID: Final = late(r"(?=.{0,64}\Z)(\d+(\.\d+)*)?\0?", re.ASCII)
_TIME: Final = r"(?:[01]\d|2[0-3])(?:(?P<colon>:?)[0-5]\d(?:(?P=colon)(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
_DATE_OR_TIME: Final = late(
    rf"""(?:
      (?:1[89]|20|21)\d\d(?P<mark>[-./]?)(?:0[1-9]|1[0-2])(?P=mark)(?:0[1-9]|[12]\d|3[01])
    | (?:1[89]|20|21)\d\d(?:(?:0[1-9]|1[0-2])(?:(?:0[1-9]|[12]\d|3[01])(?:(?:[01]\d|2[0-3])(?:[0-5]\d
      (?:(?:[0-5]\d|60)(?:\.\d{{1,6}})?)?)?)?)?)?(?:[+-](?:0\d|1[0-4])[0-5]\d)?
    | {_TIME}
    )?""",
    re.ASCII | re.VERBOSE,
)
"""A date, a moment or a time of this or the last centuries; any other row of digits may be somebody's number."""
_TIME_ALONE: Final = late(f"(?:{_TIME})?", re.ASCII)
_UNKNOWN_DATE: Final = late(r"(?!19(?!00|01)|2[01]).*|19700101.*", re.ASCII)
"""What programs write for a date that they do not know (1900, 1901, 9999, the first of 1970); nobody was seen then."""

_REFERRED_TO: Final = frozenset({0x00209056, 0x00480106, 0x006A000E})
"""Stack ID, Optical Path Identifier and the reference to one: equal labels must be equal afterwards, others not."""
_CONSONANTS: Final = "BCDFGHKLMNPQRSTVWXZ"

Path = tuple[int, ...]
"""The tags of the sequences around an attribute, and its own."""
Counts = Counter[tuple[Path, str]]
"""How often an attribute was met at a path, by the letter of what was done to it."""


@lru_cache(maxsize=1 << 10)
def dummy(vr: str, tag: int = 0) -> bytes:
    """Give the value, the same for every subject, that stands where one must and may not be told.

    It is as many values as the attribute has at least (PS3.6).
    """
    if tag in _SHAPED:
        return _SHAPED[tag]
    one, fewest = _DUMMIES.get(vr, REMOVED_TEXT), vm_of(tag).split("-")[0] if tag else ""
    times = int(fewest) if fewest.isdecimal() else 1
    return one * times if vr in _ZEROS else b"\\".join([one] * times)


def nested_subject(subject_number: str) -> str:
    """Give the subject's number as it stands inside items, in whatever character set they are written.

    A letter that is not of ASCII is told by its number in Unicode, so that no two subjects are one there.
    """
    letters = (c if c.isascii() else f"(U+{ord(c):04X})" for c in subject_number.replace("\\", "/"))
    return "".join(letters)[:64].strip()


def is_known_character_set(text: str) -> bool:
    """Tell whether every value is a term of the standard (PS3.3 C.12.1.1.2); the first may be empty."""
    return all(name.strip() in CHARACTER_SETS for name in text.split("\\"))


def _known_character_sets(text: str) -> bytes | None:
    """Give the terms that are of the standard, the first one empty where it is none; None where all are empty."""
    first, *others = (name.strip() if name.strip() in CHARACTER_SETS else "" for name in text.split("\\"))
    known = [first, *filter(None, others)]
    return "\\".join(known).encode("ascii") if any(known) else None


def is_date(text: str, vr: str = "") -> bool:
    """Tell whether every value is a date or time: of PS3.5 6.2, of its older edition, or with marks between.

    As a TM only a time is: beside dates that are shifted a true one would tell by how many days.
    """
    form = _TIME_ALONE if vr == "TM" else _DATE_OR_TIME
    return all(form.fullmatch(value.strip(" \0")) for value in text.split("\\"))


def shifted(text: str, days: int) -> str:
    """Move a DA or DT; one that stands for an unknown date goes, since moved it would tell by how many days."""
    return "" if _UNKNOWN_DATE.fullmatch(text.strip(" \0")) else shift_date(text, days)


def is_uid(text: str) -> bool:
    """Tell whether a value is a UID (PS3.5 chapter 9) or empty: it may have been anything."""
    return _UID.fullmatch(text) is not None


def says_no(text: str) -> bool:
    """Tell whether every value is a NO."""
    return {value.strip(" \0") for value in text.split("\\")} == {"NO"}


def _plain(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


@lru_cache(maxsize=1 << 12)
def _mapped(subject_key: bytes, uid: str) -> str:
    return map_uid(subject_key, uid)


class Values:
    """The values of one subject under one plan."""

    def __init__(self, plan: Plan, subject_number: str, subject_key: bytes) -> None:
        self.plan, self.key = plan, subject_key
        self.subject = nested_subject(subject_number)
        self.days = date_shift(subject_key) if plan.profile.dates == "shifted" else 0

    def changed(self, tag: int, step: Step, value: bytes, text: Callable[[], str]) -> bytes | None:
        """Give what stands in place of an encoded value: the very same object where it stays, None where it goes.

        ``text`` decodes it by the file's character set where ASCII is not enough. Not for what is kept or removed
        whole, nor for sequences, which are the caller's. The result may have to be padded to an even length.
        """
        do = step.do
        if do is Do.EMPTY or (do is Do.DUMMY and not value):
            # What was empty stays so: a dummy would claim that something stood there.
            return b"" if value else value
        if do is Do.DUMMY:
            return dummy(step.vr, tag)
        if do is Do.KNOWN_CHARACTER_SET:
            return value if is_known_character_set(_plain(value)) else _known_character_sets(_plain(value))
        if do is Do.JUDGE and step.needed and tag in CLAIMS and says_no(_plain(value)):
            return value
        if do is Do.JUDGE:
            after = cleaned_value(tag, step.vr, value, text, self.plan.words)
            if tag in _REFERRED_TO and after != value:
                after = self._new_label(_plain(value)).encode("ascii")
        else:
            before = _plain(value)
            new = self._new_text(step, before)
            after = value if new == before else new.encode("ascii", "replace")
        if after == value:
            return value
        return dummy(step.vr, tag) if step.needed and not after.strip(b" \0") else after

    def _new_text(self, step: Step, text: str) -> str:
        if step.do is Do.MAP_UID:
            return "\\".join(self.new_uid(uid.strip(" \0")) for uid in text.split("\\"))
        if step.do is Do.KEEP_UID:
            return "\\".join(uid if is_uid(uid) else self.new_uid(uid) for uid in text.split("\\"))
        if step.do is Do.SHIFT:
            return "\\".join(shifted(value, self.days) for value in text.split("\\"))
        if step.do is Do.KEEP_DATE:
            return text if is_date(text, step.vr) else ""
        return cap_age(text) if step.do is Do.CAP_AGE else self.subject

    def new_uid(self, uid: str) -> str:
        """Give the UID that stands for ``uid`` from now on; what the standard registered stays."""
        return uid if not uid or is_registered(uid) else _mapped(self.key, uid)

    def _new_label(self, label: str) -> str:
        """Give the label that stands for one that goes from now on, of words and numbers that may stand."""
        number, digits = divmod(int(_mapped(self.key, label).rpartition(".")[2]), 1000)
        number, first = divmod(number, len(_CONSONANTS))
        return f"{REMOVED} {_CONSONANTS[first]}{_CONSONANTS[number % len(_CONSONANTS)]}{digits:03}"

    def codes(self, *, structured_content: bool) -> tuple[str, ...]:
        """Give the codes of CID 7050 that are true of an instance."""
        return tuple(sorted({*self.plan.profile.options, *(("113104",) if structured_content else ())}))


def told_of(step: Step, before: bytes, after: bytes | None, tag: int) -> str:
    """Give the letter of what was done to a value, "" where nothing is told.

    What could not be kept, and a date that could not be moved, is told by what stands instead.
    """
    if after is before or step.told not in _KEEPING:
        return step.told
    if after is None:
        return "X"
    if not after.strip(b" \0"):
        return "Z"
    if step.vr == "UI":
        return "U"
    return "D" if after.strip(b" \0") == dummy(step.vr, tag).strip(b" \0") else "C"


def path_text(path: Path) -> str:
    """Write a path as ``(0040,A730).(0040,A168).(0008,0104)``: without the numbers of items."""
    return ".".join(map(tag_text, path))


def report_of(profile: Profile, codes: tuple[str, ...], done: Counts, residue: Residue = NOT_SEARCHED) -> Report:
    """Write down the counts of one instance; of instances alike it is the very same object."""
    return _report(profile, codes, tuple(done.items()), residue)


@lru_cache(maxsize=64)
def _report(
    profile: Profile, codes: tuple[str, ...], done: tuple[tuple[tuple[Path, str], int], ...], residue: Residue
) -> Report:
    actions = sorted(
        ActionCount(path_text(path), keyword_of(path[-1]), action, count) for (path, action), count in done
    )
    return Report(
        profile.name,
        profile.version,
        1,
        codes,
        tuple(actions),
        rules=rules_of(profile),
        residue=residue,
        table=edition(),
    )
