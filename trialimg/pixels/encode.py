"""Frames written compressed again, without loss, each proved by decoding it; and laid one behind the other."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from trialimg.pixels.frames import COLOURS, UNDECODABLE, Pixels

_ENCODERS: Final[Mapping[str, str]] = {
    RLELossless: "pylibjpeg",
    JPEGLSLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
}
_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_LARGEST_OFFSET: Final = 0xFFFFFFFF
_CHUNK: Final = 1 << 20


class NotEncodable(Exception):
    """These pixels cannot be written again, without loss, in the syntax they came in."""


def can_encode(transfer_syntax: str) -> bool:
    """Tell whether frames of a transfer syntax can be written again in it, without loss."""
    return transfer_syntax in _ENCODERS


def encoded(pixels: Pixels, header: Dataset, transfer_syntax: str) -> bytes:
    """Compress one frame of stored values. Raises NotEncodable unless decoding gives every one of them again."""
    options: dict[str, Any] = {
        "rows": pixels.shape[0],
        "columns": pixels.shape[1],
        "samples_per_pixel": pixels.shape[2] if pixels.ndim == COLOURS else 1,
        "number_of_frames": 1,
        "bits_allocated": pixels.dtype.itemsize * 8,
        "bits_stored": int(header.get("BitsStored") or pixels.dtype.itemsize * 8),
        "pixel_representation": int(header.get("PixelRepresentation") or 0),
        "photometric_interpretation": str(header.get("PhotometricInterpretation", "")),
        "planar_configuration": 0,
    }
    decoding: dict[str, Any] = {**options, "pixel_keyword": "PixelData"}
    try:
        made = get_encoder(transfer_syntax).encode(
            np.ascontiguousarray(pixels), encoding_plugin=_ENCODERS[transfer_syntax], **options
        )
        again, _ = get_decoder(transfer_syntax).as_array(encapsulate([made]), raw=True, **decoding)
    except UNDECODABLE:
        raise NotEncodable from None
    if not np.array_equal(again.reshape(pixels.shape), pixels):
        raise NotEncodable
    return bytes(made)


@dataclass
class Fragments:
    """Compressed frames in a spool, one fragment each (PS3.5 A.4)."""

    spool: BinaryIO
    lengths: list[int] = field(default_factory=list)

    def add(self, frame: bytes) -> None:
        """Put a frame behind the others, as an item of even length."""
        odd = len(frame) % 2
        self.spool.write(struct.pack("<HHL", _ITEM >> 16, _ITEM & 0xFFFF, len(frame) + odd))
        self.spool.write(frame)
        self.spool.write(b"\0" * odd)
        self.lengths.append(len(frame) + odd)

    @property
    def offsets(self) -> list[int]:
        """Give where each item begins, from the first."""
        starts, position = [], 0
        for length in self.lengths:
            starts.append(position)
            position += 8 + length
        return starts

    def describe(self, header: Dataset, *, extended: bool) -> bytes:
        """Give the basic offset table; where it is too narrow, or the file had one, write the extended one."""
        offsets = self.offsets
        if not extended and offsets[-1] <= _LARGEST_OFFSET:
            return struct.pack(f"<{len(offsets)}L", *offsets)
        header.ExtendedOffsetTable = struct.pack(f"<{len(offsets)}Q", *offsets)
        header.ExtendedOffsetTableLengths = struct.pack(f"<{len(offsets)}Q", *self.lengths)
        return b""

    def write_to(self, target: BinaryIO, table: bytes) -> None:
        """Write the whole pixel data element, explicit VR little endian."""
        target.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF))
        target.write(struct.pack("<HHL", _ITEM >> 16, _ITEM & 0xFFFF, len(table)) + table)
        self.spool.seek(0)
        target.writelines(iter(lambda: self.spool.read(_CHUNK), b""))
        target.write(struct.pack("<HHL", _END >> 16, _END & 0xFFFF, 0))
