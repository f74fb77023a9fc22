"""Whether anything that named the patient is still in a cleaned data set.

The values are known only where the original is, at the moment of cleaning; they are never stored and
never told: a find is reported by the tag path alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from trialimg.dicom.apply import text_of
from trialimg.dicom.markers import STUDY_ID
from trialimg.dicom.plan import PATIENT_ID, PATIENT_NAME
from trialimg.dicom.table import is_registered, tag_text, vr_of
from trialimg.domain.deidentification import is_mapped_uid

_NAMES: Final = frozenset(
    {
        *(
            0x00100010,
            0x00101001,
            0x00101005,
            0x00101060,
            0x00102297,
        ),  # patient, other, birth, mother's, responsible
        *(0x00080090, 0x0008009C, 0x00081048, 0x00081050, 0x00081060, 0x00081070),  # physicians, operators
        *(0x00321032, 0x00400006, 0x0040A075, 0x0040A123, 0x00700084, 0x00402008, 0x300E0008),
    }
)
_WHOLE: Final = frozenset(
    {
        *(
            0x00100020,
            0x00100021,
            0x00101000,
            0x00101040,
            0x00102154,
            0x00101090,
            0x001021F0,
        ),  # ids, address, phone
        *(0x00080050, 0x00080080, 0x00080081, 0x00081040, 0x00081010, 0x00181000, 0x00200010, 0x0020000D),
        *(0x00380010, 0x00400253, 0x00401001, 0x00402016, 0x00402017, 0x00120040, 0x00080094, 0x00080092),
    }
)
_BIRTH_DATE: Final = 0x00100030
_HOLDERS: Final = frozenset({0x00101002, 0x00400275, 0x00080096, 0x00101100, 0x0040A073, 0x00081120})
_SHORTEST: Final = {0x00081010: 6, 0x00181000: 6, 0x00200010: 5, 0x00081040: 6, 0x00080080: 5}
_SHORTEST_NAME, _SHORTEST_ID, _SHORTEST_DIGITS, _WORD = 3, 4, 5, 5

# Words that name no one: a phantom called "Head" must not stop every image of a head.
_ORDINARY: Final = frozenset(
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
_SEARCHED: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UR", "UT", "OB", "IS", "DS", "UI"})
_NUMERIC_TEXT: Final = frozenset({"IS", "DS"})
_LONGEST_BINARY: Final = 1 << 16
_OURS: Final = frozenset({PATIENT_NAME, PATIENT_ID, STUDY_ID})


def identifying_values(original: Dataset) -> frozenset[str]:
    """Collect what names the patient, the people around and the place, in the form it is searched in."""
    values: set[str] = set()
    _collect(original, values)
    return frozenset(values)


def _collect(dataset: Dataset, values: set[str]) -> None:
    for key in list(dataset.keys()):
        tag = int(key)
        if tag in _NAMES or tag in _WHOLE or tag == _BIRTH_DATE:
            text = _text(dataset, dataset.get_item(key))
            for value in _forms(tag, text):
                values.add(value)
        elif tag in _HOLDERS:
            items = dataset[key].value
            for item in items if isinstance(items, Sequence) else ():
                _collect(item, values)


def _forms(tag: int, text: str) -> Iterator[str]:
    if tag == _BIRTH_DATE:
        digits = text.replace(".", "")
        if re.fullmatch(r"[12]\d{7}", digits):
            year, month, day = digits[:4], digits[4:6], digits[6:]
            yield from (digits, f"{year}-{month}-{day}", f"{day}.{month}.{year}", f"{month}/{day}/{year}")
            yield from (f"{day}/{month}/{year}", f"{day}-{month}-{year}", f"{year}/{month}/{day}")
        return
    parts = re.split(r"[\^=\\,;\s]+", text) if tag in _NAMES else text.split("\\")
    for part in parts:
        value = _folded(part)
        if value in _ORDINARY or not re.search(r"\w", value):
            continue
        if tag in _NAMES:
            shortest = _SHORTEST_NAME if value.isascii() else 2
        else:
            shortest = _SHORTEST.get(tag, _SHORTEST_DIGITS if value.isdecimal() else _SHORTEST_ID)
        if len(value) >= shortest:
            yield value


def find_residue(cleaned: Dataset, values: frozenset[str]) -> list[str]:
    """Search every remaining string, private value and nested item; give the tag paths of what is found."""
    if not values:
        return []
    return sorted(set(_find(cleaned, _pattern(values), "")))


def find_in_bytes(data: memoryview, values: frozenset[str]) -> bool:
    """Tell whether compressed pixel data hold one of the longer values as text, as a comment would be."""
    longer = [re.escape(value.encode()) for value in values if value.isascii() and len(value) > _WORD]
    return bool(longer) and re.search(b"|".join(longer), data, re.IGNORECASE) is not None


def _find(dataset: Dataset, pattern: re.Pattern[str], path: str) -> Iterator[str]:
    for key in dataset.keys():  # noqa: SIM118 - iterating a data set decodes it
        tag = int(key)
        if not path and (tag in _OURS or tag >> 16 == 0x0012):  # noqa: PLR2004 - the trial's own words
            continue
        element = dataset.get_item(key)
        vr = element.VR or vr_of(tag) or "UN"
        if vr == "SQ":
            items = dataset[key].value
            for number, item in enumerate(items if isinstance(items, Sequence) else (), 1):
                yield from _find(item, pattern, f"{path}{tag_text(tag)}[{number}].")
        elif vr in _SEARCHED and _names_someone(dataset, element, vr, pattern):
            yield f"{path}{tag_text(tag)}"


def _names_someone(dataset: Dataset, element: DataElement | RawDataElement, vr: str, pattern: re.Pattern[str]) -> bool:
    value = element.value
    if not value or (vr in {"OB", "UN"} and isinstance(value, bytes) and len(value) > _LONGEST_BINARY):
        return False
    text = _text(dataset, element)
    if vr == "UI":
        uids = [uid for uid in text.split("\\") if not (is_mapped_uid(uid) or is_registered(uid))]
        return any(pattern.search(uid) for uid in uids)
    if vr in _NUMERIC_TEXT and not re.search("[A-DF-Za-df-z]", text):  # a number may have an exponent
        return any(len(n.strip()) > _WORD and pattern.fullmatch(n.strip()) for n in text.split("\\"))
    return pattern.search(_folded(text)) is not None


def _text(dataset: Dataset, element: DataElement | RawDataElement) -> str:
    """Give a value as text, decoded by the character set where ASCII is not enough."""
    value = element.value
    if isinstance(value, bytes) and (not value.isascii() or b"\x1b" in value):
        vr = element.VR or vr_of(int(element.tag))
        if vr in {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}:
            return text_of(dataset[element.tag])
    return text_of(element)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


@lru_cache(maxsize=32)
def _pattern(values: frozenset[str]) -> re.Pattern[str]:
    """Match short words and numbers as wholes, longer ones anywhere."""
    alternatives = []
    for value in sorted(values, key=len, reverse=True):
        quoted = re.escape(value)
        if value.isdecimal():
            alternatives.append(rf"(?<![\d.]){quoted}(?![\d.])")
        elif len(value) < _WORD and value.isascii():
            alternatives.append(rf"(?<!\w){quoted}(?!\w)")
        else:
            alternatives.append(quoted)
    return re.compile("|".join(alternatives))
