"""A small grey or coloured picture of an instance, to recognise a series by; run it in a child process only."""

from __future__ import annotations

from io import BytesIO
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_modality_lut
from pydicom.pixels.utils import pixel_array

from trialimg.errors import UnreadableObject

MOST_PIXELS: Final = 64_000_000
"""Pixels of one frame, beyond which no picture is made."""
_COLOURS: Final = 3


def thumbnail(stream: BinaryIO, *, longest: int = 128) -> bytes:
    """Give a PNG of the middle frame, its longer side at most ``longest`` pixels, windowed as the file says.

    Raises UnreadableObject where there is no picture, or none that can be decoded here.
    """
    stream.seek(0)
    dataset = dcmread(stream, stop_before_pixels=True)
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if not rows or not columns or rows * columns > MOST_PIXELS:
        raise UnreadableObject("The object holds no picture that can be shown here.")
    frames = int(dataset.get("NumberOfFrames") or 1)
    stream.seek(0)
    try:
        pixels = pixel_array(stream, index=frames // 2 if frames > 1 else 0)
    except (AttributeError, ValueError, RuntimeError, NotImplementedError, KeyError, TypeError) as error:
        raise UnreadableObject(
            f"The picture cannot be decoded here ({type(error).__name__}); it is sent as it is."
        ) from error
    picture = _coloured(pixels) if pixels.ndim == _COLOURS else _grey(pixels, dataset)
    picture.thumbnail((longest, longest))
    written = BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def _coloured(pixels: NDArray[Any]) -> Image.Image:
    most = max(int(pixels.max()), 1)
    scaled = pixels if pixels.dtype == np.uint8 else (pixels.astype(np.float32) * (255 / most)).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(scaled[..., :3]), "RGB")


def _grey(pixels: NDArray[Any], dataset: Dataset) -> Image.Image:
    values = np.asarray(apply_modality_lut(pixels, dataset), dtype=np.float32)
    centre, width = _window(dataset)
    if width > 1:
        low, high = centre - width / 2, centre + width / 2
    else:
        low, high = (float(edge) for edge in np.percentile(values, (1, 99)))
    scaled = np.clip((values - low) / max(high - low, 1e-6), 0, 1) * 255
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        scaled = 255 - scaled
    return Image.fromarray(scaled.astype(np.uint8), "L")


def _window(dataset: Dataset) -> tuple[float, float]:
    """Give centre and width of the first window; a width of 0 where there is none."""
    found = []
    for keyword in ("WindowCenter", "WindowWidth"):
        value = dataset.get(keyword)
        found.append(value[0] if isinstance(value, MultiValue) and value else value)
    try:
        return float(found[0]), float(found[1])
    except (TypeError, ValueError):
        return 0.0, 0.0
