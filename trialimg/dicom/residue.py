"""Whether anything that named the patient is still in a cleaned data set.

The values are known only where the original is, at the moment of cleaning; they are never stored and
never told: a find is reported by the tag path alone. What is searched, and which short or common values are not, is
written in ``identifying`` and told in docs/residue.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from trialimg.dicom.apply import text_of
from trialimg.dicom.identifying import (
    APART,
    BIRTH_DATE,
    LONG_WORD,
    NAMES,
    PHONES,
    WHOLE,
    folded,
    forms_of_birth_date,
    forms_of_names,
    forms_of_phone,
    forms_of_whole,
)
from trialimg.dicom.markers import STUDY_ID
from trialimg.dicom.part10 import PIXEL_DATA
from trialimg.dicom.plan import PATIENT_ID, PATIENT_NAME
from trialimg.dicom.table import is_registered, tag_text, vr_of
from trialimg.dicom.values import dummy
from trialimg.domain.pseudonym import is_mapped_uid

_STUDY_DATE: Final = 0x00080020
_NOT_ENTERED: Final = frozenset({0x52009229, 0x52009230, 0x30060039, 0x00081140, 0x00082112, 0x00081199})
"""Sequences of frames, contours and references, which name nobody and have thousands of items."""
_TEXT: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_DATES: Final = frozenset({"DA", "DT", "TM"})
_BINARY: Final = frozenset({"OB", "OW", "OL", "OV", "OD", "OF", "UN", "US", "SS", "UL", "SL"})
_SEARCHED: Final = _TEXT | _DATES | _BINARY | {"AE", "CS", "UR", "IS", "DS", "UI", "AS"}
_NUMERIC_TEXT: Final = frozenset({"IS", "DS"})
_OTHER_ENCODINGS: Final = (
    *("utf-8", "latin-1", "gb18030", "shift_jis", "euc-jp", "euc-kr", "iso2022_jp_2", "iso2022_kr"),
    *("iso8859-2", "iso8859-5", "iso8859-7", "iso8859-9", "koi8-r"),
)
_LONGEST_BINARY: Final = 1 << 18
_SHORTEST_BINARY: Final = 6
_OURS: Final = frozenset({PATIENT_NAME, PATIENT_ID, STUDY_ID})
_CLINICAL_TRIAL: Final = 0x0012
_DUMMIES: Final = frozenset({dummy("DA").decode(), "00010101"})


def identifying_values(original: Dataset, retained: frozenset[int] = frozenset()) -> frozenset[str]:
    """Collect what names the patient, the people around and the place, in the form it is searched in.

    Attributes that the profile retains are left out: what they say may stand; and so is a birth date that is the
    study's (of a newborn, or a placeholder): it stands everywhere.
    """
    values: set[str] = set()
    _collect(original, values, retained)
    studied = text_of(original.get_item(_STUDY_DATE)).replace(".", "") if _STUDY_DATE in original else ""
    return frozenset(values - set(forms_of_birth_date(studied)) - _DUMMIES)


def _collect(dataset: Dataset, values: set[str], retained: frozenset[int]) -> None:
    for key in list(dataset.keys()):
        tag = int(key)
        if tag in retained:
            continue
        if tag in NAMES:
            values.update(forms_of_names(_text(dataset, dataset.get_item(key))))
        elif tag in WHOLE:
            values.update(forms_of_whole(tag, _text(dataset, dataset.get_item(key))))
            if tag in PHONES:
                values.update(forms_of_phone(_text(dataset, dataset.get_item(key))))
        elif tag == BIRTH_DATE:
            values.update(forms_of_birth_date(text_of(dataset.get_item(key)).replace(".", "")))
        elif tag not in _NOT_ENTERED and vr_of(tag) == "SQ":
            items = dataset[key].value
            for item in items if isinstance(items, Sequence) else ():
                _collect(item, values, retained)


def find_residue(cleaned: Dataset, values: frozenset[str]) -> list[str]:
    """Search every remaining string, number, private value and nested item; give the tag paths of what is found."""
    if not values:
        return []
    return sorted(set(_find(cleaned, _pattern(values), "")))


def find_in_bytes(data: memoryview, values: frozenset[str]) -> bool:
    """Tell whether compressed pixel data hold one of the longer values as text, as a comment would be."""
    longer = [re.escape(value.encode()) for value in values if value.isascii() and len(value) > LONG_WORD]
    return bool(longer) and re.search(b"|".join(longer), data, re.IGNORECASE) is not None


def _find(dataset: Dataset, pattern: re.Pattern[str], path: str) -> Iterator[str]:
    for key in dataset.keys():  # noqa: SIM118 - iterating a data set decodes it
        tag = int(key)
        if not path and (tag in _OURS or tag >> 16 == _CLINICAL_TRIAL or tag == PIXEL_DATA):
            continue  # the trial's own words; pixels are searched by themselves
        element = dataset.get_item(key)
        vr = element.VR or vr_of(tag) or "UN"
        if vr == "SQ":
            items = dataset[key].value
            for number, item in enumerate(items if isinstance(items, Sequence) else (), 1):
                yield from _find(item, pattern, f"{path}{tag_text(tag)}[{number}].")
        elif vr[:2] in _SEARCHED and _names_someone(dataset, element, vr[:2], pattern):
            yield f"{path}{tag_text(tag)}"


def _names_someone(dataset: Dataset, element: DataElement | RawDataElement, vr: str, pattern: re.Pattern[str]) -> bool:
    value = element.value
    if not value:
        return False
    if vr in _BINARY:
        return isinstance(value, bytes) and _in_binary(value, pattern)
    if vr == "UI":
        uids = [uid for uid in text_of(element).split("\\") if not (is_mapped_uid(uid) or is_registered(uid))]
        return any(pattern.search(uid) or _is_in_arcs(uid, pattern) for uid in uids)
    text = _text(dataset, element)
    if vr in _NUMERIC_TEXT and not re.search("[A-DF-Za-df-z]", text):  # a number may have an exponent
        return any(len(n.strip()) > LONG_WORD and pattern.fullmatch(n.strip()) for n in text.split("\\"))
    if vr in _DATES:
        return any(pattern.fullmatch(found) for found in re.findall(r"\d{8}", text))
    return pattern.search(folded(text)) is not None or _in_another_encoding(value, pattern)


def _is_in_arcs(uid: str, pattern: re.Pattern[str]) -> bool:
    return any(len(arc) > LONG_WORD and pattern.fullmatch(arc) for arc in uid.split("."))


def _in_binary(value: bytes, pattern: re.Pattern[str]) -> bool:
    """Search bytes as text of one and of two bytes a letter; longer ones are pictures, films and waves."""
    if not _SHORTEST_BINARY <= len(value) <= _LONGEST_BINARY:
        return False
    spellings = (value.decode("latin-1"), value.decode("utf-8", "ignore"), value.decode("utf-16-le", "ignore"))
    more = (value.decode("utf-16-be", "ignore"), value[1:].decode("utf-16-le", "ignore"))
    return any(len(found[0]) > LONG_WORD for text in (*spellings, *more) for found in pattern.finditer(folded(text)))


def _in_another_encoding(value: object, pattern: re.Pattern[str]) -> bool:
    """Search a value that is not ASCII as if it were written in another set than the file declares."""
    if not isinstance(value, bytes) or (value.isascii() and b"\x1b" not in value):
        return False
    return any(pattern.search(folded(value.decode(name, "ignore"))) for name in _OTHER_ENCODINGS)


def _text(dataset: Dataset, element: DataElement | RawDataElement) -> str:
    """Give a value as text, decoded by the character set where ASCII is not enough."""
    value = element.value
    if isinstance(value, bytes) and (not value.isascii() or b"\x1b" in value):
        vr = element.VR or vr_of(int(element.tag))
        if vr in _TEXT:
            return text_of(dataset[element.tag])
    return text_of(element)


@lru_cache(maxsize=32)
def _pattern(values: frozenset[str]) -> re.Pattern[str]:
    """Match short words and numbers as wholes, longer ones anywhere; a blank stands for any mark between words."""
    alternatives = []
    for value in sorted(values, key=len, reverse=True):
        if APART in value:
            alternatives.append(r"[\s()/.-]{0,2}".join(value.split(APART)))
            continue
        quoted = r"[\s,;^._=\\/-]+".join(re.escape(word) for word in value.split())
        if re.fullmatch(r"[\d .-]+", value):
            alternatives.append(rf"(?<![\d.]){quoted}(?![\d.]\d|\d)")
        elif len(value) < LONG_WORD and value.isascii():
            alternatives.append(rf"(?<!\w){quoted}(?!\w)")
        else:
            alternatives.append(quoted)
    return re.compile("|".join(alternatives))
