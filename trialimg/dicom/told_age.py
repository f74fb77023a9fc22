"""An age that a report tells as a number: like Patient's Age it is told as 89 years where it is more (PS3.15 E.3.5)."""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from trialimg.dicom.apply import text_of
from trialimg.dicom.dataset import raw
from trialimg.dicom.values import Path
from trialimg.domain.pseudonym import OLDEST_AGE_TOLD

CONTENTS: Final = (0x0040A730, 0x00400555, 0x00400610, 0x00400612)
"""Content Sequence, Acquisition Context, Specimen Preparation and its steps."""
_CONCEPT, _MEASURED, _NUMBER, _UNITS, _CODE = 0x0040A043, 0x0040A300, 0x0040A30A, 0x004008EA, 0x00080100
AGES: Final = frozenset({"121033", "397669002", "424144002", "30525-0", "29553-5", "21612-7", "63900-5"})
"""Codes of DCM, SNOMED CT and LOINC that mean the age of the subject."""
_IN_A_YEAR: Final = {"mo": 12.0, "wk": 52.18, "d": 365.25, "min": 525960.0}


def cap_told_ages(dataset: Dataset) -> list[Path]:
    """Cap every age in the content of a report or the context of an acquisition; give the paths where one was told."""
    found: list[Path] = []
    for sequence in CONTENTS:
        for item in _items(dataset, sequence):
            found += [(sequence, *path) for path in (*_cap_item(item), *cap_told_ages(item))]
    return found


def _cap_item(item: Dataset) -> list[Path]:
    """Cap the age that one item tells, in its own units; give where there was one to cap."""
    if _code(item, _CONCEPT) not in AGES:
        return []
    holders: list[tuple[Path, Dataset]] = [((_NUMBER,), item)]
    holders += [((_MEASURED, _NUMBER), measured) for measured in _items(item, _MEASURED)]
    return [path for path, holder in holders if _NUMBER in holder and _cap(holder)]


def _cap(holder: Dataset) -> bool:
    most = OLDEST_AGE_TOLD * _IN_A_YEAR.get(_code(holder, _UNITS), 1.0)
    try:
        too_old = float(text_of(holder.get_item(_NUMBER)).split("\\")[0]) > most
    except ValueError:
        too_old = False
    if too_old:
        holder[_NUMBER] = raw(holder, _NUMBER, "DS", str(int(most)).encode())
    return too_old


def _items(dataset: Dataset, tag: int) -> list[Dataset]:
    value = dataset[tag].value if tag in dataset else None
    return list(value) if isinstance(value, Sequence) else []


def _code(dataset: Dataset, tag: int) -> str:
    first = next(iter(_items(dataset, tag)), None)
    return text_of(first.get_item(_CODE)) if first is not None and _CODE in first else ""
