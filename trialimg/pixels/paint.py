"""The colour that covers, and how it is laid on stored values: in every layout that native pixel data have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from trialimg.domain.mask import Box
from trialimg.errors import BadInput
from trialimg.pixels.frames import COLOURS, UNDECODABLE, Pixels

_WHOLE_BYTES: Final = frozenset({8, 16, 32})
_AIR: Final = -1024
"""Black in any usual window, where stored values have a sign; the lowest of all would widen windows made from them."""
_LUMINANCE_FIRST: Final = frozenset({"YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420"})


@dataclass(frozen=True)
class Layout:
    """How one frame of native pixel data lies in its bytes."""

    rows: int
    columns: int
    samples: int
    bits: int
    stored: int
    high: int
    signed: bool
    photometric: str
    by_plane: bool
    little: bool

    @classmethod
    def of(cls, header: Dataset, *, little: bool = True) -> Layout:
        """Read it from a header; BadInput where no box can be laid on such pixels."""
        bits, photometric = int(header.get("BitsAllocated") or 0), str(header.get("PhotometricInterpretation", ""))
        samples, columns = int(header.get("SamplesPerPixel") or 1), int(header.Columns)
        shared = photometric.endswith("422") and samples == COLOURS
        if bits not in _WHOLE_BYTES or photometric.endswith("420") or (shared and columns % 2):
            raise BadInput(
                "No box can be laid on pixels that are stored like these (single bits, fractions, or colours shared "
                "by four). Nothing was covered; discard the image, or have it exported in another way."
            )
        stored = int(header.get("BitsStored") or bits)
        return cls(
            rows=int(header.Rows), columns=columns, samples=samples, bits=bits, stored=stored,
            high=int(header.get("HighBit", stored - 1)), signed=bool(header.get("PixelRepresentation")),
            photometric=photometric, by_plane=bool(header.get("PlanarConfiguration")) and samples > 1, little=little,
        )  # fmt: skip

    @property
    def shares_colours(self) -> bool:
        """Tell whether two neighbouring pixels share their colour (PS3.3 C.7.6.3.1.2)."""
        return self.photometric.endswith("422") and self.samples == COLOURS

    @property
    def frame_bytes(self) -> int:
        """Give the bytes of one frame."""
        return self.rows * self.columns * (2 if self.shares_colours else self.samples) * self.bits // 8


def black(header: Dataset, layout: Layout) -> tuple[int, ...]:
    """Give the stored value of each sample that is seen as black, or as the darkest there is."""
    if layout.samples > 1:
        if layout.photometric in _LUMINANCE_FIRST:
            middle = 1 << (layout.stored - 1)
            return (16 if "PARTIAL" in layout.photometric else 0, middle, middle)
        return (0,) * layout.samples
    if layout.photometric == "PALETTE COLOR":
        return (_darkest(header, layout),)
    lowest, highest = (-(1 << layout.stored - 1), (1 << layout.stored - 1) - 1) if layout.signed else (0, 0)
    if layout.photometric == "MONOCHROME1":
        return (highest if layout.signed else (1 << layout.stored) - 1,)
    return (max(lowest, _AIR) if layout.signed else 0,)


def _darkest(header: Dataset, layout: Layout) -> int:
    try:
        kind = np.uint16 if layout.bits > 8 else np.uint8  # noqa: PLR2004 - a byte
        shades = np.arange(1 << min(layout.stored, 16), dtype=kind)
        colours = apply_color_lut(shades.reshape(1, -1), header).astype(np.int64)
        return int(colours.sum(axis=-1).argmin())
    except UNDECODABLE:
        return 0


def paint(pixels: Pixels, boxes: Iterable[Box], colour: tuple[int, ...]) -> None:
    """Cover boxes of a decoded frame (rows, columns and, of colours, samples), in place."""
    for box in boxes:
        pixels[box.y : box.bottom, box.x : box.right] = colour if pixels.ndim == COLOURS else colour[0]


def turn_words(frame: bytearray, *, really: bool) -> None:
    """Exchange the two bytes of each word, in place."""
    if really:
        frame[::2], frame[1::2] = frame[1::2], frame[::2]


def paint_bytes(frame: bytearray, boxes: Iterable[Box], layout: Layout, colour: tuple[int, ...]) -> None:
    """Cover boxes of one frame of native pixel data, in place; where pixels share a colour, whole pairs."""
    kind = np.dtype(f"{'<' if layout.little else '>'}{'i' if layout.signed else 'u'}{layout.bits // 8}")
    values: NDArray[Any] = np.frombuffer(frame, dtype=kind, count=layout.frame_bytes // kind.itemsize)
    if layout.shares_colours:
        pairs = values.reshape(layout.rows, layout.columns // 2, 4)
        for box in boxes:
            pairs[box.y : box.bottom, box.x // 2 : -(-box.right // 2)] = (colour[0], *colour)
    elif layout.by_plane:
        planes = values.reshape(layout.samples, layout.rows, layout.columns)
        for plane, value in zip(planes, colour, strict=True):
            paint(plane, boxes, (value,))
    elif layout.samples > 1:
        paint(values.reshape(layout.rows, layout.columns, layout.samples), boxes, colour)
    else:
        drop_unused_bits(values, layout)
        paint(values.reshape(layout.rows, layout.columns), boxes, colour)


def drop_unused_bits(values: Pixels, layout: Layout) -> None:
    """Clear what stands beside the stored bits of grey pixels, in place: overlays were once kept there (PS3.5 8.1.2).

    Above a number with a sign its sign is repeated.
    """
    if layout.stored >= layout.bits or layout.samples > 1 or not layout.stored - 1 <= layout.high < layout.bits:
        return
    if layout.signed:
        above = layout.bits - 1 - layout.high
        values <<= above
        values >>= above
    else:
        values &= ((1 << layout.stored) - 1) << (layout.high + 1 - layout.stored)
