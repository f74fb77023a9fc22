"""What is looked for after cleaning, made ready: the pattern that decides, and marks that tell fast where it need not.

Nothing here knows pydicom; ``residue`` searches data sets with it, ``splice`` bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from trialimg.dicom.rules.identifying import (
    APART,
    DATED,
    GROUPED,
    LONG_WORD,
    SHORT_DATE,
    SHORTEST_NAME,
    folded,
    forms_of,
    forms_of_birth_date,
)
from trialimg.dicom.rules.values import dummy
from trialimg.dicom.standard.table import vr_of
from trialimg.domain.pattern import late
from trialimg.errors import UnreadableObject

NOT_ENTERED: Final = frozenset({0x52009229, 0x52009230, 0x30060039, 0x00081140, 0x00082112, 0x00081199})
"""Sequences of frames, contours and references, which name nobody and have thousands of items."""
OURS: Final = frozenset({0x00100010, 0x00100020, 0x00200010})
"""Name, number and Study ID, which the engine writes: of the outermost data set they are not searched."""
BINARIES: Final = frozenset({"OB", "OW", "OL", "OV", "OD", "OF", "UN", "US", "SS", "UL", "SL"})
"""The VRs that both ways search as bytes; a manufacturer's other numbers only the parser's way meets (``residue``)."""
DUMMIES: Final = frozenset({dummy("DA").decode(), "00010101"})
_DECODED: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""The VRs of texts that are written in the character set of the file (PS3.5 6.1.2.2)."""
_LONGEST_BINARY: Final = 1 << 18
SHORTEST_BINARY: Final = 6
"""Bytes below which no binary value holds what is looked for in one."""
_BETWEEN_DIGITS: Final = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f()/.'_-"
_MOST_NAMING: Final = 1 << 15
"""Letters of all values that name somebody; of 861 real files the most were 2,456. More would cost memory and hours."""
_MOST_SOUGHT: Final = 1 << 30
"""Letters, times values that are looked for in them, in the bytes' way: some seconds."""
_TWO_BYTES: Final = late(rb"[\x02-\x08\x0e-\x1a]|[^\0\x01]\0[^\0\x01]")
_IN_TEXTS: Final = "texts"
"""The group of the pattern for what is looked for in texts alone."""
_NO_DIGIT, _END_OF_DIGITS, _MARK = r"(?<![\d.])", r"(?![\d.]\d|\d)", r"[ \t\xa0'\u2019/_\u2013-]"
BETWEEN: Final = b"\x01"
"""Between texts that are searched together: no mark that may stand between two words, and no letter."""


class Needles(NamedTuple):
    """What names somebody: the pattern, and words and digits of which one stands in every text that it finds."""

    values: frozenset[str]
    pattern: re.Pattern[str]
    words: tuple[bytes, ...]
    digits: tuple[bytes, ...]

    def names_someone(self, text: bytes) -> bool:
        """Tell whether ASCII texts, put together with ``BETWEEN``, hold what the pattern finds."""
        small = text.lower()
        found = any(word in small for word in self.words)
        if not found and self.digits:
            close = small.translate(None, _BETWEEN_DIGITS)
            found = any(digits in close for digits in self.digits)
        if found and self.take_long(len(small)):
            return True
        return found and self.pattern.search(small.decode("ascii")) is not None

    def take_long(self, length: int) -> bool:
        """Tell whether a search of so many letters is not done here: the parser's way has a limit of time."""
        return length * len(self.values) > _MOST_SOUGHT


@lru_cache(maxsize=32)
def needles_of(named: tuple[tuple[int, bytes], ...], study_date: bytes, encoding: str = "ascii") -> Needles | None:
    """Make ready what the values of attributes name, in the encoding of texts; None where they name nobody.

    Raises UnicodeDecodeError for a value in another one, and what ``refuse_too_many`` does.
    """
    refuse_too_many(value for _, value in named)
    values: set[str] = set()
    for tag, value in named:
        text = value.decode(encoding if vr_of(tag) in _DECODED else "ascii").strip(" \0")
        values.update(forms_of(tag, text) if value.isascii() else as_read(tag, value, text))
    refuse_too_many(values)  # of a name that is said in pieces there are many forms
    studied = study_date.decode("latin-1").strip(" \0").replace(".", "")
    values = values - set(forms_of_birth_date(studied)) - DUMMIES
    if not values:
        return None
    marks = [value for value in values if value.isascii()]
    words = _standing_for(values)
    digits = {value.replace(APART, "").lstrip(GROUPED) for value in marks if {APART, GROUPED} & set(value)}
    known = frozenset(values)
    return Needles(known, pattern_of(known), tuple(word.encode() for word in words), tuple(d.encode() for d in digits))


def as_read(tag: int, value: bytes, declared: str) -> Iterator[str]:
    """Give the forms of a value that is not ASCII, in whatever encoding it is written (``readings``)."""
    from trialimg.dicom.rules.readings import forms_as_read  # not loaded before a file needs it

    return forms_as_read(tag, value, declared)


def refuse_too_many(named: Iterable[bytes | str]) -> None:
    """Raise UnreadableObject where more is said of persons and places than can be searched for."""
    if sum(map(len, named)) > _MOST_NAMING:
        raise UnreadableObject(
            "The file names more persons and places than any image does, so nobody can check that none of them is "
            "left. It is not opened; ask for another export."
        )


def _standing_for(values: set[str]) -> list[str]:
    """Give ASCII words of which one stands in every text with a value: as few as can be, for every file is asked."""
    dated = [value.split(DATED)[1:] for value in values if DATED in value]
    words = {name for _day, months, _year in dated for name in months.split() if name.isascii()}
    words |= {year for _day, _months, year in dated}
    words |= {value.lstrip(SHORT_DATE) for value in values if value.startswith(SHORT_DATE)}
    words |= {max(value.split(), key=len) for value in values if _is_plain(value)}
    return [word for word in words if not any(other != word and other in word for other in words)]


@lru_cache(maxsize=32)
def pattern_of(values: frozenset[str]) -> re.Pattern[str]:
    """Match short words and numbers as wholes, longer ones anywhere; a blank stands for any mark between words."""
    alternatives: list[str] = []
    in_texts: list[str] = []
    for value in sorted(values, key=len, reverse=True):
        if value[:1] in {GROUPED, SHORT_DATE}:
            in_texts += _in_groups(value[1:]) if value[0] == GROUPED else [rf"{_NO_DIGIT}{value[1:]}{_END_OF_DIGITS}"]
            continue
        if DATED in value:
            alternatives.append(_date_in_words(*value.split(DATED)[1:]))
            continue
        if APART in value:
            alternatives.append(r"[\s()/.-]{0,2}".join(value.split(APART)))
            continue
        quoted = r"[\s,;^._=\\/'\u2019-]+".join(re.escape(word) for word in value.split())
        if re.fullmatch(r"[\d ./-]+", value):
            alternatives.append(f"{_NO_DIGIT}{quoted}{_END_OF_DIGITS}")
        elif value.isascii() and (len(value) < LONG_WORD or len(min(value.split(), key=len)) < SHORTEST_NAME):
            beside = r"[^\W\d_]" if value.replace(" ", "").isalpha() else r"[^\W_]"
            alternatives.append(f"(?<!{beside}){quoted}(?!{beside})")
        else:
            alternatives.append(quoted)
    if in_texts:
        alternatives.append(f"(?P<{_IN_TEXTS}>{'|'.join(in_texts)})")
    return re.compile("|".join(alternatives))


def _in_groups(digits: str) -> list[str]:
    """Match the digits of a number in groups of two and more, with marks between; with dots where two stand, since one
    is a decimal's.
    """
    marked, dotted = (mark.join(digits) for mark in (rf"{_MARK}?", r"\.?"))
    return [
        rf"{_NO_DIGIT}(?=\d+{_MARK}\d\d){marked}{_END_OF_DIGITS}",
        rf"{_NO_DIGIT}(?=\d+\.\d\d+\.\d\d){dotted}{_END_OF_DIGITS}",
    ]


def is_everywhere(found: re.Match[str]) -> bool:
    """Tell whether what the pattern found counts in numbers, UIDs and binary values too: not numbers in groups."""
    return found.lastgroup != _IN_TEXTS


def _date_in_words(day: str, months: str, year: str) -> str:
    """Match a day, the name of its month and a year of two or four digits, the month first too, or the whole year."""
    month = "(?:" + "|".join(map(re.escape, sorted(months.split(), key=len, reverse=True))) + ")"
    between, end = r"[\s,;^._=\\/'\u2019-]*+", rf"(?:{year[:2]})?{year[2:]}(?!\d)"
    date, of = rf"0?{day}(?:st|nd|rd|th|er|[ºª])?{between}", rf"(?:(?:of|de|den|di){between})?"
    year_first = rf"(?<!\d){year}[\u5e74\ub144]?{between}{month}{between}0?{day}(?!\d)"
    return rf"(?<!\d){date}{of}{month}{between}{of}{end}|{month}{between}{date}{end}|{year_first}"


class Among(NamedTuple):
    """What is looked for in binary values: a pattern, bytes of which some stand wherever it finds anything, and values
    that are not ASCII as bytes of any encoding.
    """

    pattern: re.Pattern[str]
    words: tuple[bytes, ...]
    digits: tuple[bytes, ...]
    written: tuple[bytes, ...]


@lru_cache(maxsize=32)
def among_of(values: frozenset[str]) -> Among:
    """Make ready what of the values is long enough to be looked for in binary values, and counts there."""
    long = frozenset(
        value
        for value in values
        if value[:1] not in {GROUPED, SHORT_DATE} and (len(value) > LONG_WORD or not value.isascii())
    )
    words = tuple(word.encode("ascii") for word in _standing_for(set(long)))
    digits = tuple(value.replace(APART, "").encode("ascii") for value in long if APART in value)
    written: tuple[bytes, ...] = ()
    if any(not value.isascii() and DATED not in value for value in long):
        from trialimg.dicom.rules.readings import in_other_bytes  # not loaded before a file needs it

        written = in_other_bytes(long)
    return Among(pattern_of(long), words, digits, written)


def in_binary(value: bytes, among: Among) -> bool:
    """Search bytes as text of one and of two bytes a letter; longer ones are pictures, films and waves."""
    if not SHORTEST_BINARY <= len(value) <= _LONGEST_BINARY:
        return False
    small = value.lower()
    if any(written in small for written in among.written):
        return True
    close = small.translate(None, b"\0")  # of two bytes a letter one is 0
    found = any(word in close for word in among.words)
    if not found and among.digits:
        close = close.translate(None, _BETWEEN_DIGITS)
        found = any(digits in close for digits in among.digits)
    return found and _is_in_spellings(value, among.pattern)


def _is_in_spellings(value: bytes, pattern: re.Pattern[str]) -> bool:
    spellings = (value.decode("latin-1"), value.decode("utf-8", "ignore"), value.decode("utf-16-le", "ignore"))
    more = (value.decode("utf-16-be", "ignore"), value[1:].decode("utf-16-le", "ignore"))
    return any(len(hit[0]) > LONG_WORD for text in (*spellings, *more) for hit in pattern.finditer(folded(text)))


def may_be_of_two_bytes(text: bytes) -> bool:
    """Tell whether a text, or texts put together with ``BETWEEN``, may be one of two bytes a letter."""
    return _TWO_BYTES.search(text) is not None


def _is_plain(value: str) -> bool:
    """Tell whether a value is looked for as it is written here."""
    return value.isascii() and value.isprintable()


class InBytes:
    """Searches compressed pixel data, part by part, for the longer values as text, as a comment would be."""

    def __init__(self, values: frozenset[str]) -> None:
        found = (value.encode("ascii").lower() for value in values if _is_plain(value) and len(value) > LONG_WORD)
        self._words = tuple(found)
        self._reach = max(map(len, self._words), default=1) - 1
        self._before = b""

    def finds(self, part: bytes | memoryview) -> bool:
        """Tell whether a value is in this part, or begins in one before and ends in it."""
        if not self._words:
            return False
        text = self._before + bytes(part).lower()
        self._before = text[-self._reach :]
        return any(word in text for word in self._words)
