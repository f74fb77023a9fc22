"""Recipes for files of hundreds of megabytes and more of compressed pixel data, written without being held in memory."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import UID

JPEG, JPEG_2000, RLE, MPEG4 = (f"1.2.840.10008.1.2.{leaf}" for leaf in ("4.50", "4.90", "5", "4.102"))
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
NAME = b"seen with Okonkwo"
_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def item(value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value


def picture(kind: str, side: int, **options: object) -> bytes:
    """Give a picture of noise, which no compression makes small."""
    stream = BytesIO()
    Image.effect_noise((side, side), 60).convert("RGB").save(stream, kind, **options)
    return stream.getvalue()


def header(syntax: str, frames: int, side: int, *, slide: bool = False) -> Dataset:
    """Give an ultrasound clip's header, or that of a slide, without its pixels."""
    dataset = dcmread(get_testdata_file("examples_ybr_color.dcm"), stop_before_pixels=True)
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames, side, side
    dataset.PatientName, dataset.PatientID = "Okonkwo^Adaeze", "4711000815"
    if slide:
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID(WHOLE_SLIDE)
        dataset.Modality, dataset.ImageType = "SM", ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
        dataset.SpecimenLabelInImage, dataset.BurnedInAnnotation = "NO", "NO"
    return dataset


def write_large(
    path: Path, dataset: Dataset, frame: bytes, *, table: bool = True, extended: bool = False, cut: int = 0
) -> int:
    """Write a file whose frames are the same, as many as its header says; give its size in bytes.

    ``table`` lists where they begin, as far as 4 GB; ``extended`` in the Extended Offset Table; ``cut`` parts a frame
    into fragments of so many bytes.
    """
    frames = int(dataset.NumberOfFrames)
    parts = [frame[at : at + cut] for at in range(0, len(frame), cut)] if cut else [frame]
    whole = b"".join(item(part) for part in parts)
    if extended:
        dataset.ExtendedOffsetTable = struct.pack(f"<{frames}Q", *(len(whole) * number for number in range(frames)))
        dataset.ExtendedOffsetTableLengths = struct.pack(f"<{frames}Q", *[len(frame)] * frames)
    dcmwrite(path, dataset, enforce_file_format=True)
    starts = [len(whole) * number for number in range(frames)] if table and not extended else []
    with path.open("ab") as stream:
        stream.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF))
        stream.write(item(struct.pack(f"<{len(starts)}L", *starts)))
        many = max(1, (1 << 22) // len(whole))
        for _ in range(frames // many):
            stream.write(whole * many)
        stream.write(whole * (frames % many) + _END)
    return path.stat().st_size


def clip(path: Path, size: int, **options: bool) -> int:
    """Write an ultrasound clip in JPEG, with a name in a comment of every frame."""
    frame = picture("JPEG", 640, quality=90, comment=NAME)
    return write_large(path, header(JPEG, size // len(frame), 640), frame, **options)


def slide(path: Path, size: int, **options: bool) -> int:
    """Write a whole slide of tiles in JPEG 2000."""
    tile = picture("JPEG2000", 256, no_jp2=True, comment=NAME)
    return write_large(path, header(JPEG_2000, size // len(tile), 256, slide=True), tile, **options)


def film(path: Path, size: int) -> int:
    """Write a film of one stream in fragments of 1 MB."""
    dataset = header(MPEG4, 1, 480)
    dataset.NumberOfFrames = 1000
    stream = bytes(range(256)) * (size // 256)
    dcmwrite(path, dataset, enforce_file_format=True)
    with path.open("ab") as target:
        target.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + item(b""))
        for at in range(0, len(stream), 1 << 20):
            target.write(item(stream[at : at + (1 << 20)]))
        target.write(_END)
    return path.stat().st_size


KINDS: dict[str, Callable[..., int]] = {"clip": clip, "slide": slide, "film": film}
