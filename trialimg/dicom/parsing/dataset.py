"""Data sets as pydicom holds them: how they are read, changed and written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from io import SEEK_CUR, BytesIO
from typing import BinaryIO, Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag

from trialimg.dicom.encapsulated.frames import Piece
from trialimg.dicom.files.encode import file_meta
from trialimg.dicom.standard.part10 import LONG_FORM, PIXEL_DATA, Part10
from trialimg.dicom.standard.quiet import silence_the_parser
from trialimg.dicom.standard.syntaxes import BIG_ENDIAN, DEFLATED, IMPLICIT
from trialimg.dicom.standard.walk import walk

_LARGE: Final = 1 << 26
"""Bytes of a data set beyond which native pixel data are left where they are: a parser would hold them twice."""
_CHUNK: Final = 1 << 20
_PLACE: Final = struct.pack("<HHLHHL", 0xFFFE, 0xE000, 0, 0xFFFE, 0xE0DD, 0)
"""Stands in a parsed data set where compressed pixel data are: an empty offset table, and the end of the sequence."""
_END: Final = 8


def parse(part: Part10, end: int, apart: memoryview | None = None) -> Dataset:
    """Read a data set up to ``end``; the caller has walked it, so its lengths are right.

    Pixel data that ``pixels_apart`` gives are left empty.
    """
    silence_the_parser()
    pixels = pixels_apart(part, end) if apart is None else apart
    data: bytes | memoryview = part.data[part.start : end]
    if len(pixels) and part.is_encapsulated:
        data = bytes(data[: -len(pixels) - _END]) + _PLACE
    elif len(pixels):
        data = bytes(data[: -len(pixels) - 4]) + bytes(4)  # their length is written in the four bytes before them
    return read_dataset(BytesIO(data), part.implicit, part.little)


def pixels_apart(part: Part10, end: int) -> memoryview:
    """Give the pixel data that end a data set, where they are large; compressed ones always, up to the end of their
    last fragment. Empty where there are none.
    """
    if part.transfer_syntax == DEFLATED or not (part.is_encapsulated or end - part.start >= _LARGE):
        return memoryview(b"")
    for event in walk(part, past_pixels=False):
        if event.tag != PIXEL_DATA or event.depth:
            continue
        if event.kind == "P":
            return part.data[event.start : end - _END]
        if event.start + event.length == end and (not event.vr or event.vr.encode("ascii") in LONG_FORM):
            return part.data[event.start : end]
    return memoryview(b"")


def raw(dataset: Dataset, tag: int, vr: str, value: bytes) -> RawDataElement:
    """Make an element of encoded bytes, padded to an even length, for this data set's encoding.

    A private one keeps its VR in implicit VR too: nobody could tell it where the file is written with VRs.
    """
    implicit, little = dataset.original_encoding
    if len(value) % 2:
        value += b"\0" if vr in {"UI", "OB", "UN"} else b" "
    return RawDataElement(
        BaseTag(tag),
        vr if tag >> 16 & 1 or not implicit else None,
        len(value),
        value,
        0,
        bool(implicit),
        little is not False,
    )


def write_file(
    target: BinaryIO,
    dataset: Dataset,
    transfer_syntax: str,
    uids: tuple[str, str],
    pixels: Iterable[Piece] | memoryview | None = None,
) -> None:
    """Write a DICOM file: 128 zero bytes, our own file meta information, and the data set as it is.

    ``uids`` are of its SOP class and instance; ``pixels`` what ``pixels_apart`` gave, of compressed ones every part in
    turn: they end the data set.
    """
    target.write(b"\0" * 128 + b"DICM")
    target.write(file_meta(transfer_syntax, *uids))
    if transfer_syntax == DEFLATED:
        plain = BytesIO()
        _write(plain, dataset, transfer_syntax)
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = deflater.compress(plain.getbuffer()) + deflater.flush()
        target.write(packed + b"\0" * (len(packed) % 2))
    else:
        _write(target, dataset, transfer_syntax)
    if pixels is None or PIXEL_DATA not in dataset:
        return
    if not isinstance(pixels, memoryview):
        target.seek(-len(_PLACE), SEEK_CUR)
        target.writelines(pixels)
        target.write(_PLACE[-_END:])
    elif len(pixels):
        target.seek(-4, SEEK_CUR)
        target.write(len(pixels).to_bytes(4, "big" if transfer_syntax == BIG_ENDIAN else "little"))
        target.writelines(pixels[position : position + _CHUNK] for position in range(0, len(pixels), _CHUNK))


def _write(target: BinaryIO, dataset: Dataset, transfer_syntax: str) -> None:
    stream = DicomIO(target)
    stream.is_implicit_VR = transfer_syntax == IMPLICIT
    stream.is_little_endian = transfer_syntax != BIG_ENDIAN
    write_dataset(stream, dataset)
