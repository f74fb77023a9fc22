"""Words that name nobody: a text that is let stand keeps them, and loses every other.

The list is made by ``tools/make_vocabulary.py`` from the standard's own dictionaries. What is not in it may be a name,
a place or a number of somebody, and goes.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

REMOVED: Final = "REMOVED"
"""Stands where every word of a value had to go: legal in every text VR, and never an attribute left empty."""

_TOKEN: Final = re.compile(r"[^\W_]+")
_PIECE: Final = re.compile(r"\d+|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Za-z]+")
_AGE: Final = re.compile(
    r"(?<![\w.])\d{1,3} ?-?(?:years?|yrs?|yo|y/o|y|jahre?|ans|m[oe]nate?|months?)(?![^\W\d_])", re.IGNORECASE
)
_DATE: Final = re.compile(r"(?<!\d)(?:\d{4}([./-])\d{1,2}\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2(?:\d{4}|\d\d))(?!\d)")
_LONGEST_NUMBER: Final = 3
"""Digits. A longer number may be a year, a date, a telephone or somebody's number."""
_SHORT: Final = 2
"""Letters beside a number (T1, L5, C2): a name of the body, a nucleus or a weighting."""
_TERM: Final = 3
"""Letters of a coded word (FFS, LL, PA) that name no one by themselves."""


@cache
def vocabulary() -> frozenset[str]:
    """Give the words, in small letters; they are read once."""
    text = files("trialimg.dicom").joinpath("data/words.txt").read_text(encoding="ascii")
    return frozenset(text.split())


def is_known(token: str, shortest: int = _SHORT) -> bool:
    """Tell whether a word without blanks names nobody: of known parts, and numbers of at most three digits."""
    if not token.isascii():
        return False
    if token.lower() in vocabulary():
        return True
    pieces = _PIECE.findall(token)
    letters = [piece for piece in pieces if not piece.isdecimal()]
    if any(len(piece) > _LONGEST_NUMBER for piece in pieces if piece.isdecimal()):
        return False
    if not letters:
        return True
    if len(letters) == 1 and len(token) == len(letters[0]):
        return len(token) == 1
    return all(piece.lower() in vocabulary() or (len(piece) <= shortest and len(pieces) > 1) for piece in letters)


@lru_cache(maxsize=4096)
def cleaned_words(text: str) -> str:
    """Give a free text without the words that nobody knows, without dates, ages and long numbers.

    What is known stays as it stands, blanks too; where no word is left it is ``REMOVED``. Cleaning again changes
    nothing.
    """
    parted = text.split("\\")
    if len(parted) > 1:
        return "\\".join(cleaned_words(part) for part in parted)
    kept = _DATE.sub(" ", _AGE.sub(" ", text))
    kept = _TOKEN.sub(lambda found: found[0] if is_known(found[0]) else "", kept)
    if kept == text and text.isascii():
        return text
    kept = re.sub(r"[^\x20-\x7e]|[\^=~`]", " ", kept)
    kept = re.sub(r"([(\[{\"'<])\s*([)\]}\"'>])", " ", kept)
    kept = re.sub(r"\s+", " ", kept).strip(" ,;:/-_.@")
    # What stood on both sides of a word that went may make a date or an age of the rest.
    again = kept and cleaned_words(kept)
    return (again if _TOKEN.search(again) else "") or (REMOVED if text.strip() else "")


@lru_cache(maxsize=4096)
def is_term(value: str) -> bool:
    """Tell whether one value of a CS is made of known words: of capitals, numbers and short abbreviations."""
    return len(value) <= 16 and all(  # noqa: PLR2004 - PS3.5 6.2
        is_known(token, _TERM) or (token.isascii() and token.isalpha() and len(token) <= _TERM)
        for token in _TOKEN.findall(value)
    )
