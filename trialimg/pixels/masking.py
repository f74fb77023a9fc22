"""Covers what a person or a rule marked, in every frame, and says so in the file; for clean files, in a child process.

What is outside the boxes keeps every bit. Compressed pixel data are written again in their own syntax where that loses
nothing (RLE, JPEG-LS, JPEG 2000 lossless), and as native pixels, explicit VR little endian, where it would lose: of a
lossy picture the decoded values stay and Lossy Image Compression still says that it was one.

Image Type stays, and so does the SOP Instance UID, which is not the original's anyway: covering text beside the
anatomy derives no other picture (PS3.3 C.7.6.1.1.2). Burned In Annotation becomes NO, and 113101, Clean Pixel Data
Option, stands among the methods (PS3.15 E.3.1); both also where a person looked and there was nothing to cover.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final

import numpy as np
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from trialimg.domain.deid_report import ActionCount
from trialimg.domain.mask import Mask
from trialimg.errors import BadInput
from trialimg.pixels.encode import Fragments, NotEncodable, can_encode, encoded
from trialimg.pixels.frames import COLOURS, UNDECODABLE, Frames, Pixels
from trialimg.pixels.paint import Layout, black, drop_unused_bits, paint, paint_bytes, turn_words

CLEAN_PIXEL_DATA: Final = ("113101", "DCM", "Clean Pixel Data Option")
_METHODS: Final = "DeidentificationMethodCodeSequence"
_PIXEL_DATA, _PIXEL_DATA_BIG = b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10"
_OVERLAYS: Final = 0x6000
_LARGEST: Final = 0xFFFFFFFE
_CHUNK: Final = 1 << 20
_STALE: Final = ("SmallestImagePixelValue", "LargestImagePixelValue", "IconImageSequence")
_LOSSLESS: Final = frozenset(
    {
        *(RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLossless, JPEGLosslessSV1),
        *("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"),
    }
)
_NOT_PAINTABLE: Final = tuple(error for error in UNDECODABLE if error is not OSError)
_WRITTEN_BY_US: Final = 0x0012
_CODEC_TURNS: Final = frozenset({"YBR_ICT", "YBR_RCT"})
"""Colours that exist only inside JPEG 2000: its decoder gives RGB."""


def write_masked(source: Path, target: Path, mask: Mask) -> None:
    """Write a clean file again with these boxes covered; without any, with what a person's look makes true.

    Raises BadInput for boxes that do not fit the image, and for pixels on which none can be laid; UnreadableObject
    where they cannot be decoded. Then there is no target.
    """
    with source.open("rb") as original, TemporaryFile() as inflated:
        frames = Frames(original)
        pixels: BinaryIO = original
        if frames.transfer_syntax == DeflatedExplicitVRLittleEndian:
            _inflate(original, inflated)
            frames, pixels = Frames(inflated), inflated
        mask = mask.fitted(frames.columns, frames.rows, frames.frames)
        _say_so(frames.header, covered=bool(mask))
        try:
            with target.open("wb") as stream:
                if not mask:
                    _write_as_it_is(pixels, stream, frames)
                elif not UID(frames.transfer_syntax).is_encapsulated:
                    _write_native(pixels, stream, frames, mask)
                elif not (can_encode(frames.transfer_syntax) and _write_compressed(source, stream, frames, mask)):
                    _write_decoded(stream, frames, mask)
        except _NOT_PAINTABLE as error:
            target.unlink(missing_ok=True)
            raise BadInput(
                f"The boxes could not be laid on this image ({type(error).__name__}). Nothing was covered; discard "
                "it, or have it exported in another way."
            ) from None
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def told_of_masking(source: Path, target: Path, *, covered: bool) -> tuple[ActionCount, ...]:
    """Say what ``write_masked`` did to attributes that were there: the pixels, and what speaks of them."""
    before, after = (dcmread(path, stop_before_pixels=True) for path in (source, target))
    told = [ActionCount("(7FE0,0010)", "PixelData", "C", 1)] if covered else []
    for each in before:
        if each.tag.group != _WRITTEN_BY_US and after.get(each.tag) != each:
            path = f"({each.tag.group:04X},{each.tag.element:04X})"
            told.append(ActionCount(path, each.keyword, "D" if each.tag in after else "X", 1))
    return tuple(told)


def _inflate(source: BinaryIO, inflated: BinaryIO) -> None:
    source.seek(0)
    _write_head(inflated, dcmread(source), ExplicitVRLittleEndian)


def _say_so(header: Dataset, *, covered: bool) -> None:
    header.BurnedInAnnotation = "NO"
    if _METHODS not in header:
        header.DeidentificationMethodCodeSequence = []
    methods = header.DeidentificationMethodCodeSequence
    if all(str(each.get("CodeValue", "")) != CLEAN_PIXEL_DATA[0] for each in methods):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = CLEAN_PIXEL_DATA
        methods.append(item)
    if covered:
        overlays = [tag for tag in header.keys() if tag.group & 0xFF00 == _OVERLAYS]  # noqa: SIM118 (no mapping)
        for tag in (*overlays, *(Tag(keyword) for keyword in _STALE if keyword in header)):
            del header[tag]


def _write_head(stream: BinaryIO, header: Dataset, syntax: UID) -> None:
    header.file_meta.TransferSyntaxUID = syntax
    dcmwrite(
        stream, header, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian,
        enforce_file_format=True,
    )  # fmt: skip


def _write_as_it_is(source: BinaryIO, stream: BinaryIO, frames: Frames) -> None:
    _write_head(stream, frames.header, UID(frames.transfer_syntax))
    source.seek(frames.pixels_at)
    stream.writelines(iter(lambda: source.read(_CHUNK), b""))


def _write_native(source: BinaryIO, stream: BinaryIO, frames: Frames, mask: Mask) -> None:
    """Lay the boxes on the bytes of each frame; what no frame needs is not written again."""
    syntax = UID(frames.transfer_syntax)
    layout = Layout.of(frames.header, little=syntax.is_little_endian)
    colour = black(frames.header, layout)
    _write_head(stream, frames.header, syntax)
    source.seek(frames.pixels_at)
    head = source.read(8 if syntax.is_implicit_VR else 12)
    if len(head) < 8 or head[:4] not in {_PIXEL_DATA, _PIXEL_DATA_BIG}:  # noqa: PLR2004 - tag and length
        raise BadInput("The pixels are fractions, on which no box can be laid. Discard the image.")
    size = layout.frame_bytes * frames.frames
    order = "<" if syntax.is_little_endian else ">"
    stream.write(head[:-4] + struct.pack(f"{order}L", size + size % 2))
    in_words = layout.bits == 8 and not layout.little and head[4:6] == b"OW"  # noqa: PLR2004 - each word is turned
    if in_words and layout.frame_bytes % 2 and frames.frames > 1:
        raise BadInput("The frames share words of big-endian pixels, so no box can be laid on them. Discard the image.")
    for number in range(frames.frames):
        frame = bytearray(source.read(layout.frame_bytes + (in_words and layout.frame_bytes % 2)))
        turn_words(frame, really=in_words)
        paint_bytes(frame, mask.on(number), layout, colour)
        turn_words(frame, really=in_words)
        stream.write(frame)
    stream.write(b"\0" * (size % 2 and not in_words))


def _write_compressed(source: Path, stream: BinaryIO, frames: Frames, mask: Mask) -> bool:
    """Write covered frames compressed again, and the others as they came; False where that would lose something."""
    layout = Layout.of(frames.header)
    colour = black(frames.header, layout)
    had_extended = "ExtendedOffsetTable" in frames.header
    covered = [number for number in range(frames.frames) if mask.on(number)]
    decoded = frames.decoded(None if len(covered) == frames.frames else covered, raw=True)
    with source.open("rb") as coded, TemporaryFile() as spool, closing(decoded) as painted:
        fragments = Fragments(spool)
        for number, frame in enumerate(_as_they_came(coded, frames)):
            if mask.on(number):
                pixels = next(painted)
                drop_unused_bits(pixels, layout)
                paint(pixels, mask.on(number), colour)
                try:
                    frame = encoded(pixels, frames.header, frames.transfer_syntax)  # noqa: PLW2901 - the one that is covered
                except NotEncodable:
                    return False
            fragments.add(frame)
        table = fragments.describe(frames.header, extended=had_extended)
        _write_head(stream, frames.header, UID(frames.transfer_syntax))
        fragments.write_to(stream, table)
    return True


def _as_they_came(coded: BinaryIO, frames: Frames) -> Iterator[bytes]:
    header = frames.header
    tables = None
    if "ExtendedOffsetTable" in header and "ExtendedOffsetTableLengths" in header:
        tables = (header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths)
    coded.seek(frames.pixels_at + 12)
    return generate_frames(coded, number_of_frames=frames.frames, extended_offsets=tables)


def _write_decoded(stream: BinaryIO, frames: Frames, mask: Mask) -> None:
    """Write decoded values as native pixels, explicit VR little endian; of a lossy picture colours as RGB."""
    header, keeps_all = frames.header, frames.transfer_syntax in _LOSSLESS
    decoded = frames.decoded(raw=keeps_all)
    first = next(decoded)
    size = first.nbytes * frames.frames
    if size > _LARGEST:
        raise BadInput(
            "Written without compression this clip is larger than a DICOM file can be, and in its own compression it "
            "cannot be written without loss. Nothing was covered; have it exported in parts, or discard it."
        )
    _describe_decoded(header, first, keeps_all=keeps_all)
    layout = Layout.of(header)
    colour = black(header, layout)
    _write_head(stream, header, ExplicitVRLittleEndian)
    vr = b"OB" if layout.bits == 8 else b"OW"  # noqa: PLR2004 - PS3.5 8.1.1
    stream.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, vr, 0, size + size % 2))
    for number, pixels in enumerate(chain([first], decoded)):
        drop_unused_bits(pixels, layout)
        paint(pixels, mask.on(number), colour)
        stream.write(np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes())
    stream.write(b"\0" * (size % 2))


def _describe_decoded(header: Dataset, pixels: Pixels, *, keeps_all: bool) -> None:
    header.BitsAllocated = pixels.dtype.itemsize * 8
    if pixels.ndim == COLOURS:
        header.PlanarConfiguration = 0
        inside = str(header.get("PhotometricInterpretation", ""))
        kept = "YBR_FULL" if inside.startswith("YBR_FULL") else inside
        header.PhotometricInterpretation = "RGB" if not keeps_all or inside in _CODEC_TURNS else kept
    if not keeps_all:
        header.LossyImageCompression = "01"
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in header:
            delattr(header, keyword)
