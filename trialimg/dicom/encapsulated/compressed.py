"""Compressed pixel data of a parsed data set: what it says of them, and the tables that list their frames."""

from __future__ import annotations

from collections import Counter

from pydicom.dataset import Dataset

from trialimg.dicom.encapsulated.frames import Quiet, find_fragments, in_memory, offsets_are_true
from trialimg.dicom.encapsulated.strange import plane_of, planes_of
from trialimg.dicom.files.header import NUMBER_OF_FRAMES, whole
from trialimg.dicom.rules.plan import OFFSETS
from trialimg.dicom.rules.values import Counts

_ROWS, _COLUMNS, _BITS, _SAMPLES = 0x00280010, 0x00280011, 0x00280100, 0x00280002
_TABLE, _LENGTHS = 0x7FE00001, 0x7FE00002


def quiet_pixels(dataset: Dataset, transfer_syntax: str, pixels: memoryview) -> Quiet:
    """Give the compressed pixel data of a data set, which stand apart, with quiet frames."""
    read = in_memory(pixels)
    found = find_fragments(read, 0, len(pixels))
    plane = plane_of(_short(dataset, _ROWS) * _short(dataset, _COLUMNS), _short(dataset, _BITS))
    planes = planes_of(_short(dataset, _SAMPLES), _short(dataset, _BITS))
    return Quiet(read, found, _frames(dataset), transfer_syntax, plane, planes)


def drop_false_offsets(dataset: Dataset, pixels: memoryview | None) -> Counts:
    """Drop extended offset tables but those that list the frames of compressed pixel data; tell which."""
    tables = [_bytes(dataset, tag) for tag in (_TABLE, _LENGTHS) if tag in dataset]
    if pixels is not None and len(tables) > 1 and offsets_are_true(pixels, _frames(dataset), *tables):
        return Counter()
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
