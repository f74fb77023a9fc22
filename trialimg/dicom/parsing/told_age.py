"""An age that a report tells as a number: like Patient's Age it is told as 89 years where it is more (PS3.15 E.3.5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from trialimg.dicom.parsing.apply import name_of, text_of
from trialimg.dicom.parsing.dataset import raw
from trialimg.dicom.rules.told import CONCEPT_NAME, tells_an_age
from trialimg.dicom.rules.values import Path
from trialimg.domain.pseudonym import OLDEST_AGE_TOLD

_MEASURED, _NUMBER, _UNITS = 0x0040A300, 0x0040A30A, 0x004008EA
_CODE: Final = 0x00080100
_FLOATING, _NUMERATOR, _DENOMINATOR = 0x0040A161, 0x0040A162, 0x0040A163
_OTHER_FORMS: Final = (_FLOATING, _NUMERATOR, _DENOMINATOR)
"""The same number as a binary one and as a fraction; they may be absent where the number itself suffices."""
_IN_A_YEAR: Final = {"mo": 12.0, "wk": 52.18, "d": 365.25, "h": 8766.0, "min": 525960.0}


def cap_told_ages(dataset: Dataset) -> list[Path]:
    """Cap the age in every item whose coded name says that it tells one; give the paths where one was told.

    The sequences of the data set are read already.
    """
    found: list[Path] = []
    for tag in list(dataset.keys()):
        sequence = dataset.get_item(tag).value
        for item in sequence if isinstance(sequence, Sequence) else ():
            found += [(int(tag), *path) for path in (*_cap_item(item), *cap_told_ages(item))]
    return found


def _cap_item(item: Dataset) -> list[Path]:
    """Cap the age that one item tells, in its own units; give where there was one to cap."""
    if CONCEPT_NAME not in item or not tells_an_age(*name_of(item)):
        return []
    holders: list[tuple[Path, Dataset]] = [((_NUMBER,), item)]
    holders += [((_MEASURED, _NUMBER), measured) for measured in _items(item, _MEASURED)]
    return [path for path, holder in holders if _cap(holder)]


def _cap(holder: Dataset) -> bool:
    most = OLDEST_AGE_TOLD * _IN_A_YEAR.get(_first(holder, _UNITS, _CODE), 1.0)
    too_old = any(number > most for number in _numbers(holder))
    if too_old:
        holder[_NUMBER] = raw(holder, _NUMBER, "DS", str(int(most)).encode())
        for tag in _OTHER_FORMS:
            if tag in holder:
                del holder[tag]
    return too_old


def _numbers(holder: Dataset) -> Iterator[float]:
    """Give every number that an item tells, in whatever form."""
    for text in text_of(holder.get_item(_NUMBER)).split("\\") if _NUMBER in holder else ():
        try:
            yield float(text)
        except ValueError:
            continue
    values = [_unpacked(holder, tag, form) for tag, form in zip(_OTHER_FORMS, "dlL", strict=True)]
    yield from values[0]
    yield from (over / under for over, under in zip(values[1], values[2], strict=False) if under)


def _unpacked(holder: Dataset, tag: int, form: str) -> tuple[float, ...]:
    value = holder.get_item(tag).value if tag in holder else b""
    if not isinstance(value, bytes):
        return tuple(map(float, value if isinstance(value, list) else [value]))
    sign = "<" if holder.original_encoding[1] is not False else ">"
    size = struct.calcsize(sign + form)
    return struct.unpack(f"{sign}{len(value) // size}{form}", value[: len(value) // size * size])


def _items(dataset: Dataset, tag: int) -> list[Dataset]:
    value = dataset[tag].value if tag in dataset else None
    return list(value) if isinstance(value, Sequence) else []


def _first(dataset: Dataset, sequence: int, tag: int) -> str:
    """Give a text of the first item of a sequence."""
    item = next(iter(_items(dataset, sequence)), None)
    return text_of(item.get_item(tag)) if item is not None and tag in item else ""
