"""What a person makes of held pixels: boxes proposed for a series, drawn, and laid on each of its images.

A series here is what one look covers: images of one series, of one size, from one device.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trialimg.domain.mask import MOST_BOXES, Box, Mask, MaskBox, gathered
from trialimg.errors import BadInput

IMAGING_QC: Final = "imaging_qc"
"""The word of ``pixel_review`` in deidentification.yaml by which a trial names its central role."""

MOST_DRAWN: Final = 2000
"""Boxes of one series; each image of it takes 200."""

_ALIKE: Final = 0.5
_ON: Final = re.compile(r"([0-9]{1,12})(?:/([1-9][0-9]{0,11}))?")


class Look(StrEnum):
    """How far the search for text in one object is."""

    WAITING = "waiting"
    LOOKED = "looked"
    UNSEEN = "unseen"
    """No picture can be made of it, so nobody can decide by looking."""


class Verdict(StrEnum):
    """What a person said of one object."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Drawn:
    """A box and the images it is for: all of the series, or one by its ordinal, and of that all frames or one."""

    box: Box
    ordinal: int | None = None
    frame: int | None = None

    @property
    def on(self) -> str:
        """Write what it is for as the page does: nothing, ``17`` or ``17/3`` (frames from 1)."""
        if self.ordinal is None:
            return ""
        return str(self.ordinal) if self.frame is None else f"{self.ordinal}/{self.frame + 1}"


@dataclass(frozen=True)
class Sized:
    """One image as far as boxes are concerned."""

    ordinal: int
    columns: int
    rows: int
    frames: int


def read_on(text: str) -> tuple[int | None, int | None]:
    """Read what ``Drawn.on`` wrote; raises BadInput."""
    if not text.strip():
        return None, None
    found = _ON.fullmatch(text.strip())
    if found is None:
        raise BadInput("It was not understood which images a box is for. Load the page again; nothing was changed.")
    return int(found[1]), int(found[2]) - 1 if found[2] else None


def masks(drawn: Iterable[Drawn], images: Iterable[Sized]) -> dict[int, Mask]:
    """Lay the boxes on each image; raises BadInput for one that is empty, outside, or for an image not there."""
    boxes, sized = list(drawn), {image.ordinal: image for image in images}
    if len(boxes) > MOST_DRAWN:
        raise BadInput(f"More than {MOST_DRAWN} boxes were drawn. Draw fewer and larger ones; nothing was changed.")
    if any(each.ordinal is not None and each.ordinal not in sized for each in boxes):
        raise BadInput("A box is for an image that is not of this series. Load the page again; nothing was changed.")
    return {
        ordinal: Mask(tuple(MaskBox(each.box, each.frame) for each in boxes if each.ordinal in {None, ordinal})).fitted(
            image.columns, image.rows, image.frames
        )
        for ordinal, image in sized.items()
    }


def proposals(found: Mapping[int, Iterable[Box]]) -> tuple[Drawn, ...]:
    """Propose boxes for a series by what was found in each image, by ordinal.

    What shows alike in half of the images or more is proposed for all of them and every frame: text burned in by the
    device stays where it is, and one image in which it was missed must not let it through.
    """
    images = {ordinal: sorted(set(boxes)) for ordinal, boxes in found.items()}
    clusters: list[tuple[Box, set[int]]] = []
    for ordinal, boxes in images.items():
        for box in boxes:
            _into_cluster(clusters, box, ordinal)
    # Boxes that touch stay apart: those around the part that shows the echoes would join to the whole picture.
    common = _outermost(box for box, where in clusters if 2 * len(where) >= len(images))
    single = [
        Drawn(box, ordinal)
        for ordinal, boxes in images.items()
        for box in boxes
        if not any(each.covers(box) for each in common)
    ]
    if len(single) + len(common) > MOST_DRAWN or any(len(boxes) > MOST_BOXES // 2 for boxes in images.values()):
        everything = gathered(box for boxes in images.values() for box in boxes)
        return tuple(Drawn(box) for box in everything[:MOST_BOXES])
    return (*(Drawn(box) for box in common), *single)


def _outermost(boxes: Iterable[Box]) -> list[Box]:
    """Leave out a box that lies wholly inside another."""
    kept: list[Box] = []
    for box in sorted(set(boxes), key=lambda each: -each.width * each.height):
        if not any(other.covers(box) for other in kept):
            kept.append(box)
    return sorted(kept)


def _into_cluster(clusters: list[tuple[Box, set[int]]], box: Box, ordinal: int) -> None:
    for number, (known, where) in enumerate(clusters):
        if _overlap(known, box) >= _ALIKE:
            clusters[number] = (known.joined(box), where | {ordinal})
            return
    clusters.append((box, {ordinal}))


def _overlap(one: Box, other: Box) -> float:
    """Give the share of the smaller box that lies in the other."""
    width = min(one.right, other.right) - max(one.x, other.x)
    height = min(one.bottom, other.bottom) - max(one.y, other.y)
    smaller = min(one.width * one.height, other.width * other.height)
    return width * height / smaller if width > 0 and height > 0 and smaller else 0.0


def is_found(box: Box, found: Iterable[Box]) -> bool:
    """Say whether a box is about where something was found; else a person drew it."""
    return any(_overlap(box, known) >= _ALIKE for known in found)


def spread(count: int, most: int) -> list[int]:
    """Give at most ``most`` frames of ``count``, by their numbers from 0: evenly, with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(at * (count - 1) / max(1, most - 1)) for at in range(most)})
