"""Whether anything that named the patient is still in a cleaned data set.

The values are known only where the original is, at the moment of cleaning; they are never stored and
never told: a find is reported by the tag path alone. What is searched, and which short or common values are not, is
written in ``identifying`` and told in docs/residue.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeGuard

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from trialimg.dicom.parsing.apply import judged_bytes, text_of
from trialimg.dicom.rules.identifying import (
    BIRTH_DATE,
    LONG_WORD,
    NAMES,
    WHOLE,
    folded,
    forms_of,
    forms_of_birth_date,
    without_accents,
)
from trialimg.dicom.rules.needles import (
    BINARIES,
    DUMMIES,
    NOT_ENTERED,
    OURS,
    Among,
    among_of,
    as_read,
    in_binary,
    is_everywhere,
    may_be_of_two_bytes,
    pattern_of,
    refuse_too_many,
)
from trialimg.dicom.standard.part10 import PIXEL_DATA
from trialimg.dicom.standard.table import is_registered, tag_text, vr_of
from trialimg.domain.pseudonym import is_mapped_uid

_STUDY_DATE: Final = 0x00080020
_TEXT: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_DATES: Final = frozenset({"DA", "DT", "TM"})
_NUMBERS: Final = frozenset({"AT", "FD", "FL", "SV", "UV"})
"""Those of the standard are judged when they are cleaned (``unlisted``); a manufacturer's are searched."""
_SEARCHED: Final = _TEXT | _DATES | BINARIES | {"AE", "CS", "UR", "IS", "DS", "UI", "AS"}
_NUMERIC_TEXT: Final = frozenset({"IS", "DS"})
_CLINICAL_TRIAL: Final = 0x0012


def identifying_values(original: Dataset, retained: frozenset[int] = frozenset()) -> frozenset[str]:
    """Collect what names the patient, the people around and the place, in the form it is searched in.

    Attributes that the profile retains are left out: what they say may stand; and so is a birth date that is the
    study's (of a newborn, or a placeholder): it stands everywhere. Raises what ``refuse_too_many`` does.
    """
    values: set[str] = set()
    _collect(original, values, retained)
    refuse_too_many(values)
    studied = text_of(original.get_item(_STUDY_DATE)).replace(".", "") if _STUDY_DATE in original else ""
    return frozenset(values - set(forms_of_birth_date(studied)) - DUMMIES)


def _collect(dataset: Dataset, values: set[str], retained: frozenset[int]) -> None:
    for key in list(dataset.keys()):
        tag = int(key)
        if tag in retained:
            continue
        if tag in NAMES or tag in WHOLE or tag == BIRTH_DATE:
            written = dataset.get_item(key).value
            text = _naming(dataset, key)
            values.update(as_read(tag, written, text) if _may_read_otherwise(written) else forms_of(tag, text))
        elif tag not in NOT_ENTERED and vr_of(tag) == "SQ":
            items = dataset[key].value
            for item in items if isinstance(items, Sequence) else ():
                _collect(item, values, retained)


def _naming(dataset: Dataset, key: BaseTag) -> str:
    text = _text(dataset, dataset.get_item(key))
    refuse_too_many((text,))
    return text


def find_residue(cleaned: Dataset, values: frozenset[str]) -> list[str]:
    """Search every remaining string, number, private value and nested item; give the tag paths of what is found."""
    if not values:
        return []
    return sorted(set(_find(cleaned, _Sought(pattern_of(values), among_of(values)), "")))


class _Sought(NamedTuple):
    """What is looked for in texts, and in binary values besides."""

    pattern: re.Pattern[str]
    among: Among


def _find(dataset: Dataset, sought: _Sought, path: str) -> Iterator[str]:
    for key in dataset.keys():  # noqa: SIM118 - iterating a data set decodes it
        tag = int(key)
        if not path and (tag in OURS or tag >> 16 == _CLINICAL_TRIAL or tag == PIXEL_DATA):
            continue  # the trial's own words; pixels are searched by themselves
        element = dataset.get_item(key)
        vr = element.VR or vr_of(tag) or "UN"
        if vr == "SQ":
            items = dataset[key].value
            for number, item in enumerate(items if isinstance(items, Sequence) else (), 1):
                yield from _find(item, sought, f"{path}{tag_text(tag)}[{number}].")
        elif (vr[:2] in _SEARCHED or (vr in _NUMBERS and tag >> 16 & 1)) and _names_someone(
            dataset, element, vr[:2], sought
        ):
            yield f"{path}{tag_text(tag)}"


def _names_someone(dataset: Dataset, element: DataElement | RawDataElement, vr: str, sought: _Sought) -> bool:
    value, pattern = element.value, sought.pattern
    if not value:
        return False
    if vr in BINARIES or vr in _NUMBERS:
        return in_binary(judged_bytes(element, vr, little=dataset.original_encoding[1] is not False), sought.among)
    if vr == "UI":
        uids = [uid for uid in text_of(element).split("\\") if not (is_mapped_uid(uid) or is_registered(uid))]
        return any(any(map(is_everywhere, pattern.finditer(uid))) or _is_in_arcs(uid, pattern) for uid in uids)
    text = _text(dataset, element)
    if vr in _NUMERIC_TEXT and not re.search("[A-DF-Za-df-z]", text):  # a number may have an exponent
        return any(len(n.strip()) > LONG_WORD and _is_all(n.strip(), pattern) for n in text.split("\\"))
    if vr in _DATES:
        return any(_is_all(found, pattern) for found in re.findall(r"\d{8}", text))
    return _is_in_text(text, pattern) or _read_otherwise(value, sought)


def _is_in_arcs(uid: str, pattern: re.Pattern[str]) -> bool:
    return any(len(arc) > LONG_WORD and _is_all(arc, pattern) for arc in uid.split("."))


def _is_all(number: str, pattern: re.Pattern[str]) -> bool:
    """Tell whether a number as a whole is what is looked for in numbers."""
    found = pattern.fullmatch(number)
    return found is not None and is_everywhere(found)


def _read_otherwise(value: object, sought: _Sought) -> bool:
    """Search a value as if it were written in another set than the file declares, or in two bytes a letter."""
    if isinstance(value, bytes) and may_be_of_two_bytes(value) and in_binary(value, sought.among):
        return True
    if not _may_read_otherwise(value):
        return False
    from trialimg.dicom.rules.readings import OTHER_ENCODINGS  # not loaded before a file needs it

    return any(_is_in_text(value.decode(name, "ignore"), sought.pattern) for name in OTHER_ENCODINGS)


def _is_in_text(text: str, pattern: re.Pattern[str]) -> bool:
    """Search a text, and one that is not ASCII as others would write it too."""
    small = folded(text)
    written = (small,) if small.isascii() else (small, *without_accents(small))
    return any(pattern.search(each) for each in written)


def _may_read_otherwise(value: object) -> TypeGuard[bytes]:
    """Tell whether bytes of a text are not ASCII, so that they may be read in many ways."""
    return isinstance(value, bytes) and (not value.isascii() or b"\x1b" in value)


def _text(dataset: Dataset, element: DataElement | RawDataElement) -> str:
    """Give a value as text, decoded by the character set where ASCII is not enough."""
    value = element.value
    if _may_read_otherwise(value):
        vr = element.VR or vr_of(int(element.tag))
        if vr in _TEXT:
            return text_of(dataset[element.tag])
    return text_of(element)
