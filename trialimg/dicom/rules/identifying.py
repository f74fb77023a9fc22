"""Which values of an original identify, and in what forms they are looked for after cleaning.

The rule for short and common values, so that a search alarms nobody without need:

- Every part of a person's name of three letters or more (two in another script) is searched; below five letters as a
  whole word only. A part that is an ordinary word (of the vocabulary, or of ``ORDINARY``: a phantom called Head, a
  patient called White) is not searched by itself, but beside another part of the same name. So are the first two parts
  written as one word, an initial before a short family name, parts without their marks, and other ``spellings``.
- A number or label of the patient, the visit, the place or the machine is searched from four characters on (five
  digits; the names of machines from six), as a whole where it is digits; of a number with letters the digits too, from
  five on, and from six on as somebody may have put them in groups.
- The birth date is searched as people write it, with day, month (as a number, or its name in seven languages) and year,
  which may have two digits where marks or a name stand between, in texts also as six digits; a year alone never is.
- A telephone number is searched by its digits, from seven on, however they are grouped.
- An address is searched as a whole and by its parts between commas, from six characters on.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import permutations
from typing import Final

from trialimg.dicom.standard.words import vocabulary
from trialimg.domain.pattern import late

NAMES: Final = frozenset(
    {
        *(0x00100010, 0x00101001, 0x00101005, 0x00101060, 0x00102297),  # patient, other, birth, mother's, responsible
        *(0x00080090, 0x0008009C, 0x00081048, 0x00081050, 0x00081060, 0x00081070),  # physicians, operators
        *(0x00321032, 0x00321033, 0x00400006, 0x0040A075, 0x0040A123, 0x00700084, 0x00402008, 0x300E0008, 0x00401010),
        *(0x00404037, 0x40080102, 0x4008010A, 0x4008010C, 0x40080114),  # performers, those who read and reported
    }
)
"""Persons: the patient and relatives, physicians, operators, observers, verifiers, those who entered or approved."""
PHONES: Final = frozenset({0x00102154, 0x00080094, 0x00402010, 0x00401103})
_ADDRESSES: Final = frozenset({0x00101040, 0x00080092, 0x00080081})
WHOLE: Final = frozenset(
    {
        *(0x00100020, 0x00100021, 0x00101000, 0x00101040, 0x00102154, 0x00101090, 0x001021F0, 0x00102155),
        *(0x00080050, 0x00080080, 0x00080081, 0x00081040, 0x00081010, 0x00181000, 0x00200010, 0x0020000D),
        *(0x00380010, 0x00400253, 0x00401001, 0x00402016, 0x00402017, 0x00120040, 0x00080094, 0x00080092),
        *(0x00402010, 0x00380060, 0x00401102, 0x00401103, 0x00102152, 0x00102299, 0x00404036, 0x00380300),
        *(0x00400009, 0x00400253, 0x00400010, 0x00400512, 0x00400551, 0x00120030, 0x00120031),
    }
)
"""Numbers of patient, order, step, visit, specimen and study; addresses, telephones, mail, places; institution,
department, machine; what another trial calls its site.
"""
BIRTH_DATE: Final = 0x00100030

AGE_PLACES: Final = (0x0040A730, 0x00400555, 0x00400610, 0x00400612)
"""Content Sequence, Acquisition Context, Specimen Preparation and its steps: where an age is told as a number."""
AGES: Final = frozenset(
    {"121033", "397669002", "424144002", "105726004", "30525-0", "29553-5", "21611-9", "21612-7", "63900-5"}
)
"""Codes of DCM, SNOMED CT and LOINC that mean the age of the subject."""
_ESCAPE: Final = late(r"\x1b[\x20-\x2f]+[\x30-\x7e]")
_UNSEEN: Final = late("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
"""Characters that nobody sees between letters."""
_AGE_WORD: Final = late(r"\bage\b", re.IGNORECASE)

DATED: Final = "\x1e"
"""Before a date that is searched with the name of its month: day, names, and year follow, each after this mark."""
APART: Final = "\x1f"
"""Between the digits of a telephone number: other marks may stand there, or none."""
GROUPED: Final = "\x1d"
"""Before the digits of a number that somebody may have put in groups."""
SHORT_DATE: Final = "\x1c"
"""Before a birth date of six digits without marks. Both are looked for in texts alone."""
LONG_WORD: Final = 5
_IS_DATE: Final = late(r"[12]\d{3}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
SHORTEST_NAME, _SHORTEST_ID, _SHORTEST_DIGITS, _SHORTEST_PHONE, _SHORTEST_PART = 3, 4, 5, 7, 6
_SHORTEST: Final = {0x00081010: 6, 0x00181000: 6, 0x00200010: 5, 0x00081040: 6, 0x00080080: 5}
_MOST_PARTS: Final = 5
_SHORTEST_GROUPED, _LONGEST_GROUPED, _MOST_GROUPS = 6, 16, 4
_LETTER_INSIDE: Final = late(r"\d.*[^\W\d_].*\d")
_INITIALED: Final = 4
"""Letters of a family name that is also searched with an initial before it; longer ones are found anywhere."""
_MONTHS: Final = (
    "jan january januar janvier enero gennaio januari janeiro jänner",
    "feb february februar février fevrier febrero febbraio februari fevereiro feber",
    "mar march märz maerz mrz mars marzo maart março marco",
    "apr april avril abril aprile",
    "may mai mayo maggio mei maio",
    "jun june juni juin junio giugno junho",
    "jul july juli juillet julio luglio julho",
    "aug august août aout agosto augustus",
    "sep sept september septembre septiembre settembre setembro",
    "oct october okt oktober octobre octubre ottobre outubro",
    "nov november novembre noviembre novembro",
    "dec december dez dezember décembre decembre diciembre dicembre dezembro",
)
"""What the months are called in English, German, French, Spanish, Italian, Dutch and Portuguese."""
_NUMBERS: Final = frozenset(
    {
        0x00100020,
        0x00101000,
        0x00101090,
        0x00080050,
        0x00200010,
        0x00380010,
        0x00380060,
        0x00401001,
        0x00402016,
        0x00402017,
    }
)
"""Numbers of patient, order, visit and study that may have letters before their digits."""
_SPELLED: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae", "œ": "oe", "þ": "th"}
)
_STRIPPED: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)

# Words that name no one: a phantom called "Head" must not stop every image of a head.
ORDINARY: Final = frozenset(
    re.split(
        r"\s+",
        """abdomen agfa and ankle anon anonymized anonymous arm axial brain breast canon cardiac case center
        centre chest clinic coronal ct demo den department der derived dicom doctor dos dose elbow female
        foot fuji ge general hand head head/neck heart hip hitachi hospital image imaging institute knee
        kodak leg liver localiser localizer lung male med medical mip mpr mr mrs neck none original other
        patient patients pelvis pet pet/ct phantom phantome philips primary prof radiology removed research
        sagittal scan scout secondary series shoulder siemens spine study subject test the thorax toshiba
        university unknown van volunteer von water wrist yes""",
    )
)


def folded(text: str) -> str:
    """Give a text in the form in which it is compared: compatible letters, no case, no escapes of ISO 2022."""
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)  # the parser leaves those of GB 2312 (ISO 2022 IR 58)
    if not text.isascii():
        text = _UNSEEN.sub("", text)
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _is_ordinary(value: str) -> bool:
    words = re.findall(r"[^\W_]+", value)
    return value in ORDINARY or all(word in ORDINARY or word in vocabulary() for word in words)


def is_age(code: str, meaning: str) -> bool:
    """Tell whether a concept is an age, by its code or, of another scheme, by its words."""
    return code in AGES or _AGE_WORD.search(meaning) is not None


def forms_of(tag: int, text: str) -> Iterator[str]:
    """Give every form in which the value of an attribute that identifies is looked for; none of any other."""
    if tag in NAMES:
        yield from forms_of_names(text)
    elif tag in WHOLE:
        yield from forms_of_whole(tag, text)
        if tag in PHONES:
            yield from forms_of_phone(text)
    elif tag == BIRTH_DATE:
        yield from forms_of_birth_date(text.replace(".", ""))


def forms_of_names(text: str) -> Iterator[str]:
    """Give the parts of every person's name in a value; of ordinary words, pairs that stand beside each other."""
    for person in re.split(r"[=\\;]+", text):
        every = [part for part in map(folded, re.split(r"[\^,\s]+", person)) if re.search(r"\w", part)]
        parts = every[:_MOST_PARTS]
        ordinary = [part for part in parts if _is_ordinary(part)]
        for part in every:
            for spelled in spellings(part):
                if len(spelled) >= (SHORTEST_NAME if spelled.isascii() else 2) and not _is_ordinary(spelled):
                    yield spelled
        yield from _as_one_word(parts[:2])
        if not set(parts[:2]) <= set(ordinary) and _are_short(parts[:2]):
            yield from map(" ".join, permutations(parts[:2], 2))
        if len(parts) > len(ordinary) or not all(part in ORDINARY for part in parts):
            for one, other in permutations(parts, 2):
                if one in ordinary and len(one + other) > LONG_WORD and not {one, other} <= ORDINARY:
                    yield f"{one} {other}"


def _are_short(parts: list[str]) -> bool:
    """Tell whether family and given name are too short to be searched by themselves, or one of them is a character."""
    return all(part.isalpha() and len(part) == SHORTEST_NAME - 1 for part in parts) or any(
        len(part) == 1 and not part.isascii() for part in parts
    )


def spellings(part: str) -> set[str]:
    """Give a part of a name as it is, without its inner marks, its pieces, and as others spell it."""
    words = {part}
    # A name of more pieces is none, and its pieces, each beside each, would be millions.
    if 1 < len(pieces := re.findall(r"[^\W_]+", part)) <= _MOST_PARTS and all(map(str.isalpha, pieces)):
        words |= {"".join(pieces), " ".join(pieces), *pieces}
    if part.isascii():
        return words
    return words | {written for word in words for written in without_accents(word)}


def without_accents(text: str) -> tuple[str, str]:
    """Give a folded text as others write it: without accents, and with the letters that stand for some of them."""
    stripped = unicodedata.normalize("NFD", text.translate(_STRIPPED))
    return "".join(letter for letter in stripped if not unicodedata.combining(letter)), text.translate(_SPELLED)


def _as_one_word(parts: list[str]) -> Iterator[str]:
    """Give family and given name written together, in both orders, and an initial beside a short family name."""
    if len(parts) <= 1 or set(parts) <= ORDINARY:
        return
    for family in spellings(parts[0]):
        for given in spellings(parts[1]):
            joined = [word for word in (family + given, given + family) if not word.isascii() and len(word) > 1]
            joined += [word for word in (family + given, given + family) if len(word) >= _SHORTEST_ID]
            if len(family) <= _INITIALED:
                joined += [word for word in (given[0] + family, family + given[0]) if len(word) >= _SHORTEST_ID]
            yield from (word for word in joined if word.isalpha() and not _is_ordinary(word))


def forms_of_whole(tag: int, text: str) -> Iterator[str]:
    """Give a value that identifies as a whole; of an address its longer parts too."""
    for part in text.split("\\"):
        value = folded(part)
        if tag in _NUMBERS:
            yield from _digits_of(value)
        pieces = re.split(r"[,;^|~\t\r\n]+|\s{2,}", value) if tag in _ADDRESSES else ()
        for piece in {value, *(piece.strip() for piece in pieces if len(piece.strip()) >= _SHORTEST_PART)}:
            shortest = _SHORTEST.get(tag, _SHORTEST_DIGITS if piece.isdecimal() else _SHORTEST_ID)
            if len(piece) >= shortest and re.search(r"\w", piece) and not _is_ordinary(piece):
                yield piece


def _digits_of(number: str) -> Iterator[str]:
    """Give the digits of a number that has letters, marks or zeros before or in them, and of longer ones in groups;
    none that are a date.
    """
    runs = re.findall(r"\d+", number)
    joined = "".join(runs)
    if _IS_DATE.fullmatch(joined) or not 0 < len(runs) <= _MOST_GROUPS or _LETTER_INSIDE.search(number):
        return
    for digits in {joined, joined.lstrip("0")}:
        if digits != number and len(digits) >= (_SHORTEST_DIGITS if len(runs) == 1 else _SHORTEST_GROUPED):
            yield digits
        if _SHORTEST_GROUPED <= len(digits) <= _LONGEST_GROUPED:
            yield f"{GROUPED}{digits}"


def forms_of_phone(text: str) -> Iterator[str]:
    """Give the digits of a telephone number, however they are grouped."""
    for part in text.split("\\"):
        digits = re.sub(r"\D", "", part)
        if len(digits) >= _SHORTEST_PHONE:
            yield APART.join(digits)
        # As it is dialled within the country: of one to three digits, and behind a single zero.
        abroad = part.lstrip(" (").startswith(("+", "00"))
        national = digits.lstrip("0")
        for within in (national[1:], national[2:], national[3:]) if abroad else (national,):
            if len(within) > _SHORTEST_PHONE and within != digits:
                yield APART.join(within)


def forms_of_birth_date(digits: str) -> Iterator[str]:
    """Give a birth date of eight digits as people write it."""
    if not _IS_DATE.fullmatch(digits):
        return
    year, month, day = digits[:4], digits[4:6], digits[6:]
    yield from (digits, f"{year}-{month}-{day}", f"{day}.{month}.{year}", f"{month}/{day}/{year}")
    yield from (f"{day}/{month}/{year}", f"{day}-{month}-{year}", f"{year}/{month}/{day}", f"{day}{month}{year}")
    yield from (f"{int(day)}.{int(month)}.{year}", f"{int(month)}/{int(day)}/{year}", f"{int(day)}/{int(month)}/{year}")
    short = year[2:]
    yield from (f"{day}.{month}.{short}", f"{day}-{month}-{short}", f"{short}-{month}-{day}", f"{short}/{month}/{day}")
    yield from (f"{day}/{month}/{short}", f"{month}/{day}/{short}")
    yield from (f"{int(day)}/{int(month)}/{short}", f"{int(month)}/{int(day)}/{short}")
    if month + day != "0101":  # which stands for an unknown day
        yield from (f"{SHORT_DATE}{date}" for date in (short + month + day, day + month + short, month + day + short))
    eastern = " ".join(f"{number}{sign}" for number in sorted({month, str(int(month))}) for sign in "月월")
    yield f"{DATED}{int(day)}{DATED}{_MONTHS[int(month) - 1]} {eastern}{DATED}{year}"
