"""Where the frames of one instance show text: which of them are looked at, and in what light.

A clip's text usually stands still, so a few frames are looked at, and two pictures made of all of them: the brightest
that each pixel becomes (it keeps what shows in one frame only, on dark ground) and the darkest (it keeps what stands
still over what moves).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from trialimg.domain.mask import Box
from trialimg.domain.pixel_review import spread
from trialimg.pixels.frames import COLOURS, Frames, Pixels, stretched
from trialimg.pixels.text import Found, Levels, find_text, joined

_BETWEEN: Final = 3
"""Frames between the first and the last that are looked at."""
_THROUGH: Final = 600
"""Frames of a longer clip that the brightest and the darkest picture are made of, evenly spread."""
_PIXELS: Final = 16_000_000
"""Pixels looked at in one instance; about 1.7 seconds of a processor for each million."""
_TWICE: Final = 2_500_000
"""Pixels of a picture up to which it is looked at again: enlarged with its dark parts lifted, and reduced."""
_ENLARGED: Final = 1.5
_REDUCED: Final = 0.5
"""Large letters over speckle are seen best from afar."""
_FAIRLY: Final = 0.4
_SURE: Final = 0.6
"""How sure the detector must be in a light that also lifts noise."""
_LIFTED: Final = (255 * np.sqrt(np.arange(256) / 255)).astype(np.uint8)
_LINE: Final = 1.5
"""How much longer than high a line is; what is not may be a single letter."""
_SHADES: Final = 65_536


@dataclass(frozen=True)
class Looked:
    """What was found, in every frame that was looked at and, of a clip, ``through`` so many frames of it."""

    found: tuple[Found, ...]
    looked_at: tuple[int, ...]
    through: int


def look(frames: Frames) -> Looked:
    """Find the text that an instance shows. Raises UnreadableObject where it cannot be decoded."""
    indices = _chosen(frames)
    found: list[Found] = []
    for pixels in frames.decoded(indices):
        found += _in_picture(frames, pixels)
    through = spread(frames.frames, _THROUGH) if frames.frames > 1 else []
    if through:
        for levels in _projections(frames, through):
            found += _in_levels(levels)
    whole = [Found(_lengthened(each.box).clipped(frames.columns, frames.rows), each.score) for each in joined(found)]
    return Looked(tuple(joined(whole)), tuple(indices), len(through))


def _lengthened(box: Box) -> Box:
    """Reach further along the line: where text runs into anatomy its last letters are those that are missed."""
    by = min(box.width, box.height)
    if max(box.width, box.height) < _LINE * by:
        return box
    if box.width > box.height:
        return Box(box.x - by, box.y, box.width + 2 * by, box.height)
    return Box(box.x, box.y - by, box.width, box.height + 2 * by)


def _chosen(frames: Frames) -> list[int]:
    most = _PIXELS // (frames.rows * frames.columns) - 2
    return spread(frames.frames, min(max(most, 1), _BETWEEN + 2))


def _projections(frames: Frames, through: list[int]) -> tuple[Levels, Levels]:
    pictures: Iterator[Levels] = (frames.levels(pixels) for pixels in frames.decoded(through))
    bright = next(pictures)
    dark = bright
    for levels in pictures:
        bright, dark = np.maximum(bright, levels), np.minimum(dark, levels)
    return bright, dark


def _in_picture(frames: Frames, pixels: Pixels) -> list[Found]:
    found = _in_levels(frames.levels(pixels))
    if pixels.ndim < COLOURS and pixels.dtype != np.uint8 and pixels.size <= _PIXELS:
        found += _in_levels(_evened(pixels, inverted=frames.photometric == "MONOCHROME1"), sure_only=True)
    return found


def _in_levels(levels: Levels, *, sure_only: bool = False) -> list[Found]:
    found = find_text(levels, sure=_SURE if sure_only else _FAIRLY)
    if sure_only or levels.shape[0] * levels.shape[1] > _TWICE:
        return found
    grey = levels.max(axis=2) if levels.ndim == COLOURS else levels
    for scale, seen in ((_ENLARGED, _LIFTED[grey]), (_REDUCED, grey)):
        wide, high = (max(round(size * scale), 1) for size in (grey.shape[1], grey.shape[0]))
        resized = np.asarray(Image.fromarray(seen).resize((wide, high), Image.Resampling.BICUBIC))
        found += [_scaled_back(each, scale) for each in find_text(resized, sure=_SURE)]
    return found


def _scaled_back(found: Found, scale: float) -> Found:
    x, y = int(found.box.x / scale), int(found.box.y / scale)
    right, bottom = -int(-found.box.right // scale), -int(-found.box.bottom // scale)
    return Found(Box(x, y, right - x, bottom - y), found.score)


def _evened(pixels: Pixels, *, inverted: bool) -> Levels:
    """Give a picture in which every shade that occurs is told from the next, whatever window the file asks for."""
    flat = pixels.astype(np.int64) - int(pixels.min())
    if not 0 < int(flat.max()) < _SHADES:
        return stretched(pixels, float(pixels.min()), float(pixels.max()), inverted=inverted)
    counts = np.bincount(flat.ravel())
    ranks = np.cumsum(counts) - counts
    levels = (ranks * (255 / max(int(ranks[-1]), 1))).astype(np.uint8)[flat]
    return 255 - levels if inverted else levels
