"""A small grey or coloured picture of an instance, to recognise a series by; run it in a child process only."""

from __future__ import annotations

from typing import BinaryIO

from trialimg.pixels.frames import Frames


def thumbnail(stream: BinaryIO, *, longest: int = 128) -> bytes:
    """Give a PNG of the middle frame, its longer side at most ``longest`` pixels, windowed as the file says.

    Raises UnreadableObject where there is no picture, or none that can be decoded here.
    """
    frames = Frames(stream)
    return frames.png(frames.frames // 2 if frames.frames > 1 else 0, longest=longest)
