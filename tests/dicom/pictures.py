"""When the pixel data of two files are the same picture."""

from __future__ import annotations


def same_picture(before: bytes | None, after: bytes | None) -> bool:
    """Whether pixel data are equal byte for byte; of a JP2 file inside, but for what stands beside the picture."""
    if before == after or before is None or after is None:
        return before == after
    start = before.find(b"jp2c")
    return start > 0 and b"jP  " in before[:start] and before[start:] == after[start:]
