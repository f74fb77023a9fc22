"""The frames of one instance, decoded one at a time, and as a person sees them; in a child process only."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from io import BytesIO
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from trialimg.errors import UnreadableObject

Pixels = NDArray[Any]
MOST_PIXELS: Final = 64_000_000
"""Pixels of one frame, beyond which no picture is made."""
COLOURS: Final = 3
"""Dimensions of the array of a coloured frame: rows, columns, samples."""
UNDECODABLE: Final = (
    *(AttributeError, ValueError, RuntimeError, NotImplementedError, LookupError, TypeError, OSError, AssertionError),
    *(BytesLengthException, InvalidDicomError, OverflowError),
)
"""What pydicom and its decoders raise on pixel data that are damaged or of an unknown kind."""

_NO_PICTURE: Final = "The object holds no picture that can be shown here."
_GDCM: Final = "gdcm"
_OTHERS_DECODE: Final = (
    *(JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSLossless, JPEGLSNearLossless),
    *(JPEG2000Lossless, JPEG2000, RLELossless),
)


def _prefer_decoders_that_refuse() -> None:
    """Ask GDCM only for what nobody else decodes: on data it does not like it ends the process."""
    for syntax in _OTHERS_DECODE:
        decoder = get_decoder(syntax)
        if _GDCM in decoder.available_plugins:
            decoder.remove_plugin(_GDCM)


_prefer_decoders_that_refuse()


class Frames:
    """The picture of one instance; ``rows``, ``columns`` and ``frames`` are at least 1.

    Raises UnreadableObject where there is no picture, or none that can be decoded here.
    """

    def __init__(self, stream: BinaryIO) -> None:
        stream.seek(0)
        try:
            self.header: Dataset = dcmread(stream, stop_before_pixels=True, force=True)
            self.pixels_at = stream.tell()
            """Where the element of the pixel data begins."""
            self.rows, self.columns = int(self.header.get("Rows") or 0), int(self.header.get("Columns") or 0)
            self.frames = max(int(self.header.get("NumberOfFrames") or 1), 1)
        except UNDECODABLE as error:
            raise _cannot(error) from None
        if not self.rows or not self.columns:
            raise UnreadableObject(_NO_PICTURE)
        self.transfer_syntax = str(getattr(self.header, "file_meta", {}).get("TransferSyntaxUID", ""))
        self._source: BinaryIO | Dataset = stream
        if self.transfer_syntax == DeflatedExplicitVRLittleEndian:
            stream.seek(0)
            self._source = dcmread(stream)

    @property
    def photometric(self) -> str:
        """Give the photometric interpretation that the file declares."""
        return str(self.header.get("PhotometricInterpretation", ""))

    def decoded(self, indices: Iterable[int] | None = None, *, raw: bool = False) -> Generator[Pixels, None, None]:
        """Give frames as arrays of stored values, one after the other; colours as RGB unless ``raw``."""
        if self.rows * self.columns > MOST_PIXELS:
            raise UnreadableObject(_NO_PICTURE)
        wanted = None if indices is None else list(indices)
        if wanted is not None and not all(0 <= index < self.frames for index in wanted):
            raise UnreadableObject(f"There is no such frame: the image has {self.frames}.")
        try:
            yield from iter_pixels(self._source, indices=wanted, raw=raw)
        except UNDECODABLE as error:
            raise _cannot(error) from None

    def frame(self, index: int) -> Pixels:
        """Give one frame as an array of stored values, colours as RGB."""
        (pixels,) = self.decoded([index])
        return pixels

    def levels(self, pixels: Pixels) -> NDArray[np.uint8]:
        """Give a decoded frame as it is seen: 8 bits of grey, windowed as the file says, or of RGB."""
        if pixels.ndim == COLOURS:
            return _coloured(pixels)
        if self.photometric == "PALETTE COLOR" and "RedPaletteColorLookupTableDescriptor" in self.header:
            try:
                return _coloured(apply_color_lut(pixels, self.header))
            except UNDECODABLE as error:
                raise _cannot(error) from None
        return _grey(pixels, self.header)

    def png(self, index: int, *, longest: int) -> bytes:
        """Give a PNG of one frame, its longer side at most ``longest`` pixels."""
        levels = self.levels(self.frame(index))
        picture = Image.fromarray(np.ascontiguousarray(levels))
        picture.thumbnail((longest, longest))
        written = BytesIO()
        picture.save(written, "PNG")
        return written.getvalue()


def _cannot(error: Exception) -> UnreadableObject:
    return UnreadableObject(
        f"The picture cannot be decoded here ({type(error).__name__}): nobody can see what it shows before it is sent."
    )


def _coloured(pixels: Pixels) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8:
        pixels = (pixels.astype(np.float32) * (255 / max(int(pixels.max()), 1))).astype(np.uint8)
    return pixels[..., :3] if pixels.shape[-1] >= COLOURS else pixels[..., 0]


def _grey(pixels: Pixels, header: Dataset) -> NDArray[np.uint8]:
    try:
        values = np.asarray(apply_modality_lut(pixels, header), dtype=np.float32)
    except UNDECODABLE:
        values = pixels.astype(np.float32)
    centre, width = _window(header)
    if width > 1:
        low, high = centre - width / 2, centre + width / 2
    elif pixels.dtype == np.uint8:
        low, high = (float(edge) for edge in np.asarray(apply_modality_lut(np.array([0, 255], pixels.dtype), header)))
    else:
        low, high = (float(edge) for edge in np.percentile(values, (1, 99)))
        if low == high:
            low, high = float(values.min()), float(values.max())
    return stretched(values, low, high, inverted=header.get("PhotometricInterpretation") == "MONOCHROME1")


def stretched(values: Pixels, low: float, high: float, *, inverted: bool) -> NDArray[np.uint8]:
    """Give values from ``low`` to ``high`` as 8 bits, from black to white, or the other way round."""
    scaled = np.clip((values - np.float32(low)) * np.float32(255 / max(high - low, 1e-6)), 0, 255)
    levels: NDArray[np.uint8] = scaled.astype(np.uint8)
    return 255 - levels if inverted else levels


def _window(header: Dataset) -> tuple[float, float]:
    """Give centre and width of the first window; a width of 0 where there is none."""
    found = []
    for keyword in ("WindowCenter", "WindowWidth"):
        value = header.get(keyword)
        found.append(value[0] if isinstance(value, MultiValue) and value else value)
    try:
        return float(found[0]), float(found[1])
    except (TypeError, ValueError):
        return 0.0, 0.0
