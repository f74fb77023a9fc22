"""Items that tell by a coded name what an attribute tells of the patient: they are treated as that attribute is.

A report, the context of an acquisition, the preparation of a specimen or a protocol may say of the patient what the
header does: "Subject Birth Date", "Subject Sex", "Patient Weight". Where the plan does not let the attribute stand, the
value of such an item goes; a dummy stands where one must. Nothing here knows pydicom.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from trialimg.dicom.rules.identifying import AGES, BIRTH_DATE
from trialimg.dicom.rules.plan import AGE, PATIENT_ID, SEX, SIZE, WEIGHT, Do, Place, Step
from trialimg.domain.pattern import late

CONCEPT_NAME: Final = 0x0040A043
EQUIVALENT_CODE: Final = 0x00080121
CODES: Final = (0x00080100, 0x00080119, 0x00080120)
"""Code Value, Long Code Value, URN Code Value."""
MEANING: Final = 0x00080104
_ETHNIC, _SMOKING, _PREGNANCY, _NEUTERED = 0x00102160, 0x001021A0, 0x001021C0, 0x00102203


class Telling(NamedTuple):
    """A kind of concept: the attributes that tell the same, its codes, its words, and words beside which it is none."""

    tags: tuple[int, ...]
    codes: frozenset[str]
    words: re.Pattern[str]
    no_words: re.Pattern[str]


def _telling(tags: tuple[int, ...], codes: frozenset[str], words: str, no_words: str = r"(?!)") -> Telling:
    return Telling(tags, codes, late(words, re.IGNORECASE), late(no_words, re.IGNORECASE))


_AGE_WORD: Final = late(r"\bage\b", re.IGNORECASE)
_WHOSE: Final = r"\b(?:patient|subject|body|person|maternal)(?:'?s)? (?:body )?"
_NOT_THE_PATIENT: Final = r"\bmodel\b|estimated from|\bf(?:o?etal|o?etus)\b|uptake|\bSUV|\bmethod\b"
TELLINGS: Final = (
    _telling(
        (PATIENT_ID,),
        frozenset({"121029", "121030"}),
        r"\b(?:patient|subject)(?:'?s)? (?:name|id|identifier|number|no)\b|\bmedical record|\bMRN\b",
    ),
    _telling(
        (BIRTH_DATE,),
        frozenset({"121031", "21112-8", "184099003", "3950001"}),
        r"(?<!at )\bbirth|\bdob\b|\bborn\b|\bgeb(?:urt|oorte|\b)|naissance|nacimiento|nascita|nascimento",
        r"\bbirths|birthing",
    ),
    _telling(
        (SEX,),
        frozenset({"121032", "46098-0", "76689-9", "21840-4", "263495000", "734000001", "429019009", "184100006"}),
        r"\b(?:sex|gender|geschlecht|sexe|sexo|sesso|geslacht)\b",
        _NOT_THE_PATIENT,
    ),
    _telling(
        (AGE,),
        AGES,
        r"\bage\b",
        rf"{_NOT_THE_PATIENT}|gestation|ultrasound|embryo|conception|ovulation|menstrual|\bLMP\b"
        r"|\b(?:bone|skeletal|dental|biological|lesion|fracture)\b|corrected",
    ),
    _telling(
        (SIZE,),
        frozenset({"8302-2", "3137-7", "3138-5", "8301-4", "8306-3", "8307-1", "8308-9", "50373000", "248333004"}),
        rf"{_WHOSE}(?:height|size|length)\b|\bstature\b",
        _NOT_THE_PATIENT,
    ),
    _telling(
        (WEIGHT,),
        frozenset({"29463-7", "3141-9", "3142-7", "8335-2", "8341-0", "27113001"}),
        rf"{_WHOSE}weight\b|(?<![A-Za-z] )(?<![A-Za-z])weight\b(?! ?[A-Za-z])",
        rf"{_NOT_THE_PATIENT}|exceeds",
    ),
    _telling(
        (SIZE, WEIGHT),
        frozenset({"8277-6", "3139-3", "3140-1", "301898006"}),
        r"\bbody surface area\b(?! formula)|\bBSA\b(?! formula)",
        rf"{_NOT_THE_PATIENT}|/|index|\bby\b|\bto\b",
    ),
    _telling(
        (_ETHNIC,),
        frozenset({"46463-6", "32624-9", "42784-9", "69490-1", "103579009", "372148003", "397731000"}),
        r"\bethnic|\brace\b",
    ),
    _telling(
        (_SMOKING,),
        frozenset({"72166-2", "11367-0", "229819007", "365981007", "266918002"}),
        r"\bsmok|\btobacco\b|\bcigarette",
    ),
    _telling(
        (_PREGNANCY,),
        frozenset({"111532", "110508", "82810-3", "11449-6", "67471-3", "77386006", "289908002", "364320009"}),
        r"\bpregnant\b|\bpregnancy (?:status|state)\b",
    ),
    _telling((_NEUTERED,), frozenset(), r"\bneuter"),
)
"""Codes of DCM, SNOMED CT and LOINC, whatever scheme the file names, or for other codes the words of their meaning."""

_TAKEN_AWAY: Final = frozenset({Do.REMOVE, Do.EMPTY, Do.DUMMY, Do.NAME})
_WHY: Final = "what the name of its item says is told by an attribute of the patient that does not stay"
_VALUES: Final[Mapping[int, Step]] = {
    **{
        tag: Step(Do.DUMMY, "D", vr, needed=True, why=_WHY)
        for tag, vr in (
            *((0x0040A120, "DT"), (0x0040A121, "DA"), (0x0040A122, "TM"), (0x0040A160, "UT"), (0x0040A168, "SQ")),
            (0x0040A30A, "DS"),
        )
    },
    0x0040A300: Step(Do.EMPTY, "Z", "SQ", why=_WHY),
    **{
        tag: Step(Do.REMOVE, "X", vr, why=_WHY)
        for tag, vr in ((0x0040A161, "FD"), (0x0040A162, "SL"), (0x0040A163, "UL"), (0x00700006, "ST"))
    },
}
"""The values of an item: date, time, text, code and number; of Measured Value Sequence Type 2, so it may be empty."""
_NOTHING: Final[Mapping[int, Step]] = {}
_LONGEST_REMEMBERED: Final = 512


def may_tell(concept: bytes) -> bool:
    """Tell whether the encoded name of an item may be of a kind that tells of the patient: rather too often."""
    return _may_tell(concept) if len(concept) <= _LONGEST_REMEMBERED else _tells(concept)


def _tells(concept: bytes) -> bool:
    text = concept.decode("latin-1")
    return any(telling.words.search(text) or any(code in text for code in telling.codes) for telling in TELLINGS)


_may_tell = lru_cache(maxsize=1024)(_tells)


def tells_an_age(codes: frozenset[str], meanings: tuple[str, ...]) -> bool:
    """Tell whether a concept is an age, by its code or, of another scheme, by its words."""
    return bool(codes & AGES) or any(_AGE_WORD.search(meaning) for meaning in meanings)


def steps_for(place: Place, codes: frozenset[str], meanings: tuple[str, ...]) -> Mapping[int, Step]:
    """Give what is done with the values of an item of this name beside what the place says; nothing of most."""
    told = _told_by(codes, meanings)
    return _VALUES if any(place.step(tag, None).do in _TAKEN_AWAY for tag in told) else _NOTHING


@lru_cache(maxsize=1024)
def _told_by(codes: frozenset[str], meanings: tuple[str, ...]) -> tuple[int, ...]:
    """Give the attributes that tell what an item of this name tells."""
    return tuple(
        tag
        for telling in TELLINGS
        if codes & telling.codes
        or any(telling.words.search(said) and not telling.no_words.search(said) for said in meanings)
        for tag in telling.tags
    )
