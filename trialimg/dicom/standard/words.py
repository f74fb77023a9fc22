"""Words that name nobody: a text that is let stand keeps them, and loses every other.

The list is made by ``tools/make_vocabulary.py`` from the standard's own dictionaries. What is not in it may be a name,
a place or a number of somebody, and goes. So do numbers that might be a date, a telephone or a record's, however they
are grouped, and words that are spelled letter by letter.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from trialimg.domain.pattern import late

REMOVED: Final = "REMOVED"
"""Stands where every word of a value had to go: legal in every text VR, and never an attribute left empty."""

_NOTHING: Final[frozenset[str]] = frozenset()
_TOKEN: Final = late(r"[^\W_]+")
_PIECE: Final = late(r"\d+|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Za-z]+")
_MONTH: Final = (
    r"(?:jan|feb|fev|f[eé]vr|m[aä]r|mrz|mars|apr|avr|abr|ma[iy]|mei|jun|juin|jul|juil|aug|ago|ao[uû]t|sep|set|o[ck]t|"
    r"nov|de[cz]|d[eé]c|ene)[a-zé]*\.?"
)
_MARKS: Final = "[ .,'/_-]{0,2}"
_TOP_LEVEL: Final = (
    "com|org|net|edu|gov|int|mil|info|health|de|at|ch|fr|uk|it|es|nl|be|eu|us|ca|au|jp|cn|br|pl|se|dk|no"
)
AGE_FORMS: Final = (
    r"(?<![\w.])\d{1,3} ?-?(?:years?|yrs?|yo|y/o|y|jahre?|j|ans?|a[nñ]os|m[oe]nate?|months?)(?![^\W\d_])"
    r"|(?<![^\W_])(?:aged?|alter|edad|[aâ]ge|et[aà]) ?[:=]? ?\d{1,3}(?!\d)"
)
_AGE_AND_SEX: Final = (
    r"(?<![\w.])(?!99[ -]?m[ -]?tc)(?:[2-9]\d|1[01]\d)(?: ?[/-] ?| ?)[mf](?![^\W_])"
    r"|(?<![\w.])(?:[2-9]\d|1[01]\d) ?/ ?w(?![^\W_])"
    r"|(?<![^\W_])[mfw] ?/ ?(?:[2-9]\d|1[01]\d)(?!\d)"
)
"""91F, 64/m, F/91: not 18F and F18, which are isotopes."""
WRITTEN_DATES: Final = (
    rf"(?<!\w)\d{{1,4}}(?:st|nd|rd|th|er|\.)?{_MARKS}{_MONTH}(?![^\W\d_]){_MARKS}\d{{0,4}}(?!\d)"
    rf"|(?<![^\W\d_]){_MONTH}{_MARKS}\d{{1,4}}(?!\d)"
)
"""Dates with the name of a month."""
_RECORD: Final = (
    r"(?<![^\W_])(?:(?:patient|pat|subject|record|chart|case|fall)(?:'?s)?[ .'_-]{0,3}(?:no|nr|num|number|id)|mrn)"
    r"[ .:#_-]{0,3}\d[\w-]*"
)
"""The number of somebody's record, however short."""
_SOMEBODYS: Final = late(
    "|".join(
        (
            AGE_FORMS,
            _AGE_AND_SEX,
            WRITTEN_DATES,
            _RECORD,
            r"[a-z]{0,16}://\S*|(?<!\w)www\.\S+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{0,64}[a-z]\S*",
            rf"(?<![\w.-])[a-z0-9][\w-]{{0,63}}(?:\.[\w-]{{1,63}}){{0,8}}\.(?:{_TOP_LEVEL})(?:[/:]\S*)?(?![\w])",
            r"(?<!\d)(?:\d{4}([./-])\d{1,2}\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2(?:\d{4}|\d\d))(?!\d)",
        )
    ),
    re.IGNORECASE,
)
"""Ages, dates in figures or with the name of a month, and addresses of web and mail."""
_MARKED: Final = late(r"[\d.:@]")
"""One of these stands in each of them."""
_GROUPS: Final = late(r"(?<![^\W_])\d+(?:[ ./:\-_+()]{1,3}\d+)+(?![^\W_])")
"""Numbers with nothing but marks between them."""
_SPELLED: Final = late(r"(?<![^\W_])[^\W\d_](?:[^\w]{1,2}[^\W\d_]|_[^\W\d_]){2,}(?![^\W_])")
"""Three or more single letters."""
_NO_TEXT: Final = late(r"[\x01-\x08\x0e-\x1a]")
"""Control characters that no text has (PS3.5 6.1.3); the upper halves of other scripts' letters in UTF-16 are such."""
_DECIMAL: Final = late(r"\d{1,3}\.\d{1,3}0*|\d{1,3}:1")
"""A measure, or a ratio."""
_VERSION: Final = late(r"\d\.\d{1,3}\.\d{1,2}")
_B_VALUE: Final = late(r"b[=_-]?\d{1,4}", re.IGNORECASE)
_DIGITS_OF_B: Final = 4
_UNITS: Final = frozenset({"mAs", "mmol", "MBq", "GBq", "mCi", "mGy", "cGy", "kBq", "mSv"})
"""Written so they are no names."""
_SIZE: Final = late(
    r"(?:\d{1,3}|1024|1280|1536|2048|2560|3072|4096)(?:[xX](?:\d{1,3}|1024|1280|1536|2048|2560|3072|4096)){1,2}"
)
"""Of a picture or a voxel; numbers of four digits only where they cannot be a year."""
_LIGATURES: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "œ": "oe", "Œ": "Oe", "æ": "ae"}
)
_LONGEST_NUMBER: Final = 3
"""Digits. A longer number may be a year, a date, a telephone or somebody's number; a longer group of them too."""
_SHORT: Final = 2
"""Letters beside a number (T1, L5, C2): a name of the body, a nucleus or a weighting."""
_TERM: Final = 3
"""Letters of a coded word (FFS, LL, PA) that name no one by themselves."""
_WITH: Final = frozenset("woc&/ .,")
"""W/O, "W & W/O": with and without contrast."""


@cache
def vocabulary() -> frozenset[str]:
    """Give the words, in small letters; they are read once."""
    text = (Path(__file__).parents[1] / "data" / "words.txt").read_text(encoding="ascii")
    return frozenset(text.split())


def is_known(token: str, shortest: int = _SHORT, words: frozenset[str] = _NOTHING) -> bool:
    """Tell whether a word without blanks names nobody: of known parts, and numbers of at most three digits."""
    if not token.isascii():
        return False
    if token.lower() in vocabulary() or token.lower() in words or token in _UNITS:
        return True
    pieces = _PIECE.findall(token)
    letters = [piece for piece in pieces if not piece.isdecimal()]
    digits = [len(piece) for piece in pieces if piece.isdecimal()]
    if not letters:
        return len(token) <= _LONGEST_NUMBER
    if digits and letters[0] in "xX" and _SIZE.fullmatch(token):
        return True
    if not digits:
        # A crumb of a spelling that mixes large and small letters is no word.
        whole = [piece for piece in letters if len(piece) > _SHORT and piece.lower() in vocabulary()]
        return len(token) == 1 or (len(whole) == len(letters) > 1)
    return (sum(digits) <= _LONGEST_NUMBER or _B_VALUE.fullmatch(token) is not None) and _are_short(letters, shortest)


def _are_short(letters: list[str], shortest: int) -> bool:
    """Tell whether the letters of a word with digits are known, but for one abbreviation or two single letters."""
    unknown = [piece for piece in letters if piece.lower() not in vocabulary()]
    single = all(len(piece) == 1 for piece in letters)
    return all(len(piece) <= shortest for piece in unknown) and (
        len(unknown) <= 1 or (single and len(letters) <= _SHORT)
    )


_LONGEST_REMEMBERED: Final = 256
_MOST_PASSES: Final = 16
"""A text that still changes then is made to: nothing of it stays."""


def cleaned_words(text: str, words: frozenset[str] = _NOTHING) -> str:
    """Give a free text without the words that nobody knows, without dates, ages, telephones and long numbers.

    What is known stays as it stands, blanks too; where no word is left it is ``REMOVED``. ``words``, in small letters,
    are known besides. Cleaning again changes nothing.
    """
    return _remembered(text, words) if len(text) <= _LONGEST_REMEMBERED else _cleaned(text, words)


def _cleaned(text: str, words: frozenset[str]) -> str:
    if _NO_TEXT.search(text):
        return REMOVED
    if not text.isascii():
        text = _unaccented(text)
    if "\\" in text:
        return "\\".join(cleaned_words(part, words) for part in text.split("\\"))
    before, kept = text, _once(text, words)
    # What stood on both sides of a word that went may make a date or an age of the rest.
    for _ in range(_MOST_PASSES):
        if kept == before:
            break
        before, kept = kept, _once(kept, words)
    if kept == text:
        return text
    return kept if kept == before and _TOKEN.search(kept) else REMOVED if text.strip() else ""


_remembered = lru_cache(maxsize=4096)(_cleaned)


def _once(text: str, words: frozenset[str]) -> str:
    kept = _SOMEBODYS.sub(" ", text) if _MARKED.search(text) else text
    kept = _GROUPS.sub(lambda found: found[0] if _names_nobody(found) else " ", kept)
    kept = _SPELLED.sub(lambda found: found[0] if set(found[0].lower()) <= _WITH else " ", kept)
    kept = _TOKEN.sub(lambda found: found[0] if is_known(found[0], words=words) or _is_of_a_phrase(found) else "", kept)
    if kept == text and text.isascii():
        return text
    kept = re.sub(r"[^\x20-\x7e]|[\^=~`]", " ", kept)
    kept = re.sub(r"([(\[{\"'<])\s*([)\]}\"'>])", " ", kept)
    return re.sub(r"\s+", " ", kept).strip(" ,;:/-_.@")


def _is_of_a_phrase(found: re.Match[str]) -> bool:
    """Tell whether a longer number is that of JPEG 2000, or a b-value of diffusion."""
    number, before = found[0], found.string[: found.start()]
    if number == "2000" and before.endswith("JPEG "):
        return True
    return (
        number.isdecimal() and len(number) == _DIGITS_OF_B and number.endswith("00") and before.lower().endswith("b=")
    )


def _unaccented(text: str) -> str:
    """Write letters with marks as the list of words has them; letters of other scripts stay and are no words."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.translate(_LIGATURES)) if not unicodedata.combining(c))


def _names_nobody(found: re.Match[str]) -> bool:
    """Tell whether numbers beside each other are too short for a date, a time, a telephone or a record's number."""
    group = found[0]
    if _DECIMAL.fullmatch(group):
        return True
    if _VERSION.fullmatch(group) and found.string[: found.start()].lower().endswith("version "):
        return True
    numbers = re.findall(r"\d+", group)
    joined = re.search("[/:_-]", group) is not None and any(len(number) > 1 for number in numbers)
    return sum(map(len, numbers)) <= _LONGEST_NUMBER and not joined


@lru_cache(maxsize=4096)
def is_term(value: str, words: frozenset[str] = _NOTHING) -> bool:
    """Tell whether one value of a CS is made of known words: of capitals, numbers and short abbreviations."""
    tokens = _TOKEN.findall(value)
    if len(value) > 16 or not _are_terms(tokens):  # noqa: PLR2004 - PS3.5 6.2
        return False
    return all(
        is_known(token, _TERM, words) or (token.isascii() and token.isalpha() and len(token) <= _TERM)
        for token in tokens
    )


def _are_terms(tokens: list[str]) -> bool:
    """Tell whether a term spells no word and no longer number by parts."""
    digits = sum(len(token) for token in tokens if token.isdecimal())
    return digits <= _LONGEST_NUMBER and sum(len(token) == 1 for token in tokens if token.isalpha()) <= _TERM
