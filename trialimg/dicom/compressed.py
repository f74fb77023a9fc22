"""Compressed pixel data inside a parsed data set: quietened where they stand."""

from __future__ import annotations

from collections import Counter

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from trialimg.dicom.frames import offsets_are_true, quiet_frames
from trialimg.dicom.header import NUMBER_OF_FRAMES, whole
from trialimg.dicom.part10 import PIXEL_DATA, Part10
from trialimg.dicom.plan import OFFSETS
from trialimg.dicom.values import Counts

_ROWS, _COLUMNS, _BITS = 0x00280010, 0x00280011, 0x00280100
_TABLE, _LENGTHS = 0x7FE00001, 0x7FE00002


def quieten(dataset: Dataset, part: Part10) -> Counts:
    """Blank what stands around the picture in compressed frames, drop offset tables that are none; tell what was."""
    if PIXEL_DATA not in dataset or not part.is_encapsulated:
        return _drop_offsets(dataset)
    element, value, frames = dataset.get_item(PIXEL_DATA), pixel_bytes(dataset), _frames(dataset)
    tables = [_bytes(dataset, tag) for tag in (_TABLE, _LENGTHS) if tag in dataset]
    done: Counts = Counter()
    if tables and not (len(tables) > 1 and offsets_are_true(value, frames, *tables)):
        done = _drop_offsets(dataset)
    quiet = quiet_frames(value, frames, part.transfer_syntax, _plane(dataset)).value
    if quiet is not value and isinstance(element, RawDataElement):
        done[(PIXEL_DATA,), "C"] = 1
        dataset[PIXEL_DATA] = element._replace(value=quiet)
    return done


def _plane(dataset: Dataset) -> int:
    """Give the bytes of one segment of a run-length encoded frame."""
    pixels = _short(dataset, _ROWS) * _short(dataset, _COLUMNS)
    return (pixels + 7) // 8 if _short(dataset, _BITS) == 1 else pixels


def pixel_bytes(dataset: Dataset) -> bytes:
    """Give the bytes of the pixel data as they stand in the file."""
    value = dataset.get_item(PIXEL_DATA).value
    return value if isinstance(value, bytes) else b""


def _drop_offsets(dataset: Dataset) -> Counts:
    present = OFFSETS & set(dataset.keys())
    for tag in present:
        del dataset[tag]
    return Counter({((tag,), "X"): 1 for tag in present})


def _frames(dataset: Dataset) -> int:
    number = whole(_bytes(dataset, NUMBER_OF_FRAMES)) if NUMBER_OF_FRAMES in dataset else None
    return max(number or 1, 1)


def _short(dataset: Dataset, tag: int) -> int:
    value = _bytes(dataset, tag) if tag in dataset else b""
    return int.from_bytes(value[:2], "little")


def _bytes(dataset: Dataset, tag: int) -> bytes:
    value = dataset.get_item(tag).value
    return value if isinstance(value, bytes) else str(value).encode("ascii", "replace")
