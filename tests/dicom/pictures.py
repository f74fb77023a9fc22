"""When the pixel data of two files are the same picture."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array


def same_picture(before: bytes | None, after: bytes | None) -> bool:
    """Whether pixel data are equal byte for byte; of a JP2 file inside, but for what stands beside the picture."""
    if before == after or before is None or after is None:
        return before == after
    start = before.find(b"jp2c")
    return start > 0 and b"jP  " in before[:start] and before[start:] == after[start:]


def same_image(before: Dataset, after: Dataset) -> bool:
    """Whether two data sets hold the same picture: byte for byte, or else as a decoder sees it.

    What stands beside the picture in compressed frames (APPn, comments) may have been blanked.
    """
    if same_picture(before.get("PixelData"), after.get("PixelData")):
        return True
    try:
        return bool(np.array_equal(pixel_array(before), pixel_array(after)))
    except Exception:  # noqa: BLE001 - what no decoder reads must be the same bytes
        return False
