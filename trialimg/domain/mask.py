"""Which parts of a picture are covered before it leaves: boxes, for every frame or for one.

Coordinates are pixels of the stored frame, from its top left, from 0; frames count from 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from trialimg.errors import BadInput

MOST_BOXES: Final = 200
_NUMBERS_OF_A_BOX: Final = 5


@dataclass(frozen=True, order=True)
class Box:
    """A rectangle: its left and top edge, how wide and how high it is."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """Give the first column right of the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """Give the first row below the box."""
        return self.y + self.height

    @property
    def is_empty(self) -> bool:
        """Tell whether no pixel lies inside."""
        return self.width < 1 or self.height < 1

    def clipped(self, columns: int, rows: int) -> Box:
        """Give the part that lies inside a frame; it may be empty."""
        x, y = max(self.x, 0), max(self.y, 0)
        return Box(x, y, min(self.right, columns) - x, min(self.bottom, rows) - y)

    def grown(self, by: int) -> Box:
        """Give a box that reaches ``by`` pixels further on every side."""
        return Box(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def touches(self, other: Box) -> bool:
        """Tell whether the two share a pixel or an edge."""
        return (
            self.x <= other.right and other.x <= self.right and self.y <= other.bottom and other.y <= self.bottom
        )  # fmt: skip

    def covers(self, other: Box) -> bool:
        """Tell whether the other lies wholly inside."""
        return (
            self.x <= other.x and self.y <= other.y and other.right <= self.right and other.bottom <= self.bottom
        )  # fmt: skip

    def joined(self, other: Box) -> Box:
        """Give the smallest box that holds both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Box(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)


@dataclass(frozen=True)
class MaskBox:
    """A box on one frame, or on every frame where ``frame`` is None."""

    box: Box
    frame: int | None = None


@dataclass(frozen=True)
class Mask:
    """All that is covered in one instance."""

    boxes: tuple[MaskBox, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.boxes)

    @classmethod
    def everywhere(cls, boxes: Iterable[Box]) -> Self:
        """Cover these boxes in every frame."""
        return cls(tuple(MaskBox(box) for box in boxes))

    @classmethod
    def from_json(cls, entries: Any) -> Self:
        """Read ``[[frame or null, x, y, width, height], …]``; BadInput where it is nothing of the kind."""
        if not isinstance(entries, list) or not all(_is_entry(entry) for entry in entries):
            raise BadInput(
                "The boxes cannot be read: each is a frame (or none), left, top, width and height. Nothing was "
                "covered; load the page again and draw them anew."
            )
        return cls(tuple(MaskBox(Box(x, y, width, height), frame) for frame, x, y, width, height in entries))

    def to_json(self) -> list[list[int | None]]:
        """Give what ``from_json`` reads."""
        return [
            [each.frame, each.box.x, each.box.y, each.box.width, each.box.height] for each in self.boxes
        ]  # fmt: skip

    def fitted(self, columns: int, rows: int, frames: int) -> Self:
        """Give the mask as it lies on an image of this size: clipped, and nothing twice.

        Raises BadInput for more than 200 boxes, an empty one, one that lies outside, and a frame that is not there:
        whoever drew it meant something else.
        """
        if len(self.boxes) > MOST_BOXES:
            raise BadInput(
                f"{len(self.boxes)} boxes were drawn and {MOST_BOXES} is the most one image takes. Nothing was "
                "covered; draw fewer and larger ones."
            )
        kept: list[MaskBox] = []
        for number, each in enumerate(self.boxes, 1):
            if each.box.is_empty:
                raise BadInput(f"Box {number} is empty. Nothing was covered; draw it again or take it away.")
            if each.frame is not None and not 0 <= each.frame < frames:
                raise BadInput(
                    f"Box {number} is for a frame that is not there: the image has {frames}. Nothing was covered."
                )
            inside = each.box.clipped(columns, rows)
            if inside.is_empty:
                raise BadInput(
                    f"Box {number} lies outside the image of {columns} by {rows} pixels. Nothing was covered; draw it "
                    "on the image."
                )
            kept.append(replace(each, box=inside))
        return type(self)(_without_the_covered(kept))

    def on(self, frame: int) -> tuple[Box, ...]:
        """Give the boxes that cover a frame."""
        return tuple(each.box for each in self.boxes if each.frame in {None, frame})


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, list) or len(entry) != _NUMBERS_OF_A_BOX:
        return False
    frame, *numbers = entry
    whole = [number for number in numbers if isinstance(number, int) and not isinstance(number, bool)]
    return len(whole) == len(numbers) and (frame is None or (isinstance(frame, int) and not isinstance(frame, bool)))


def _without_the_covered(boxes: list[MaskBox]) -> tuple[MaskBox, ...]:
    """Leave out a box that another one covers on the same frames."""
    kept: list[MaskBox] = []
    for each in sorted(set(boxes), key=lambda each: (-each.box.width * each.box.height, each.frame is not None)):
        if not any(other.box.covers(each.box) and other.frame in {None, each.frame} for other in kept):
            kept.append(each)
    return tuple(sorted(kept, key=lambda each: (each.frame is not None, each.frame or 0, each.box)))


def gathered(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """Join boxes that touch each other until none does; the result covers all that was covered."""
    left = sorted(boxes)
    done: list[Box] = []
    while left:
        box = left.pop()
        touching = [other for other in (*left, *done) if other.touches(box)]
        if not touching:
            done.append(box)
            continue
        left = [other for other in left if other not in touching]
        done = [other for other in done if other not in touching]
        for other in touching:
            box = box.joined(other)
        left.append(box)
    return tuple(sorted(done))
