"""Data sets as pydicom holds them: how they are read, changed and written."""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import BinaryIO

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag

from trialimg.dicom.encode import file_meta
from trialimg.dicom.part10 import Part10
from trialimg.dicom.quiet import silence_the_parser
from trialimg.dicom.syntaxes import BIG_ENDIAN, DEFLATED, IMPLICIT


def parse(part: Part10, end: int) -> Dataset:
    """Read a data set up to ``end``; the caller has walked it, so its lengths are right."""
    silence_the_parser()
    stream = BytesIO(part.data[part.start : end])
    return read_dataset(stream, part.implicit, part.little)


def raw(dataset: Dataset, tag: int, vr: str, value: bytes) -> RawDataElement:
    """Make an element of encoded bytes, padded to an even length, for this data set's encoding."""
    implicit, little = dataset.original_encoding
    if len(value) % 2:
        value += b"\0" if vr in {"UI", "OB", "UN"} else b" "
    return RawDataElement(
        BaseTag(tag), None if implicit else vr, len(value), value, 0, bool(implicit), little is not False
    )


def write_file(target: BinaryIO, dataset: Dataset, transfer_syntax: str, sop_class: str, sop_instance: str) -> None:
    """Write a DICOM file: 128 zero bytes, our own file meta information, and the data set as it is."""
    target.write(b"\0" * 128 + b"DICM")
    target.write(file_meta(transfer_syntax, sop_class, sop_instance))
    if transfer_syntax == DEFLATED:
        plain = BytesIO()
        _write(plain, dataset, transfer_syntax)
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = deflater.compress(plain.getbuffer()) + deflater.flush()
        target.write(packed + b"\0" * (len(packed) % 2))
    else:
        _write(target, dataset, transfer_syntax)


def _write(target: BinaryIO, dataset: Dataset, transfer_syntax: str) -> None:
    stream = DicomIO(target)
    stream.is_implicit_VR = transfer_syntax == IMPLICIT
    stream.is_little_endian = transfer_syntax != BIG_ENDIAN
    write_dataset(stream, dataset)
