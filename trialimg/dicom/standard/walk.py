"""What a data set is built of, element by element, by its bytes alone (PS3.5 chapter 7).

The walk is iterative, checks every length against the bytes that are there, and copies nothing: so a
damaged or hostile file is found out before a parser that knows no limits sees it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from trialimg.dicom.standard.part10 import LONG_FORM, PIXEL_DATA, Part10, damaged, truncated
from trialimg.dicom.standard.table import vr_of
from trialimg.errors import UnreadableObject

MAX_DEPTH: Final = 64
"""Nested sequences; the deepest of 8,345 real files was 6, and parsers give up near 250."""
MAX_PARTS: Final = 2_000_000
"""Elements, items and fragments of one file."""

_ROOM: Final = 150 * 2**20
_ITEM_COST, _PART_COST = 1200, 250
"""Bytes of memory that a parser takes for an item and for an element; beyond ``_ROOM`` and the file's own size it would
be a file made to fill the memory: 8 MB of empty items took 1.3 GB."""
_TOO_MANY: Final = "The file is built of more parts than any image needs. It is not opened; ask for another export."
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class Event(NamedTuple):
    """One step of a walk.

    ``kind``: ``E`` element, ``S``/``s`` sequence begins/ends, ``I``/``i`` item begins/ends, ``P``/``p``
    encapsulated pixel data begin/end, ``F`` a fragment (the first is the offset table).
    ``start`` and ``length`` are bytes in the data; ``vr`` is as stated, ``""`` in implicit VR.
    """

    kind: str
    tag: int
    vr: str
    start: int
    length: int
    depth: int


class _Level:
    """A data set or a sequence that is being walked; ``end`` is None where a delimiter ends it."""

    __slots__ = ("end", "implicit", "is_sequence", "tag")

    def __init__(self, end: int | None, *, implicit: bool, is_sequence: bool, tag: int) -> None:
        self.end, self.implicit, self.is_sequence, self.tag = end, implicit, is_sequence, tag


def walk(part: Part10, *, past_pixels: bool = True) -> Iterator[Event]:
    """Go through every element of the data set in its order, into sequences and fragments.

    With ``past_pixels=False`` it ends with the pixel data of the outermost data set; what is behind
    them is never part of an image. Raises UnreadableObject where bytes and lengths disagree.
    """
    return _Walk(part, past_pixels=past_pixels).events()


def followed_by(part: Part10, end: int) -> list[int] | None:
    """Give the tags of what follows the image; None where it is no row of whole elements or zeros.

    Then bytes are missing or too many before it, and some of what stood behind is read as pixels.
    """
    if not bytes(part.data[end:]).strip(b"\0"):
        return []
    found = [PIXEL_DATA]
    try:
        for event in walk(part._replace(start=end)):
            if event.depth == 0 and event.kind in "ESP":
                if event.tag <= found[-1]:
                    return None
                found.append(event.tag)
    except UnreadableObject:
        return None
    return found[1:]


def is_followed_well(part: Part10, end: int) -> bool:
    """Tell whether what follows the image is a row of whole elements or of zeros, as its writer would have ended it."""
    return followed_by(part, end) is not None


class _Walk:
    """The state of one walk: a stack of levels instead of recursion."""

    def __init__(self, part: Part10, *, past_pixels: bool) -> None:
        self.data, self.position, self.size = part.data, part.start, len(part.data)
        self.past_pixels, self.encapsulated = past_pixels, part.is_encapsulated
        sign = "<" if part.little else ">"
        self.tag_at = struct.Struct(sign + "HH").unpack_from
        self.short_at = struct.Struct(sign + "H").unpack_from
        self.long_at = struct.Struct(sign + "L").unpack_from
        self.levels = [_Level(self.size, implicit=part.implicit, is_sequence=False, tag=0)]
        self.parts = self.items = self.last = 0
        self.room = _ROOM + self.size

    def events(self) -> Iterator[Event]:
        levels = self.levels
        while levels:
            self.parts += 1
            if self.parts > MAX_PARTS or self.items * _ITEM_COST + self.parts * _PART_COST > self.room:
                raise UnreadableObject(_TOO_MANY)
            level = levels[-1]
            if level.end is not None and self.position >= level.end:
                if self.position > level.end:
                    raise damaged(level.tag)
                levels.pop()
                if levels:
                    yield self._closed(level)
                continue
            if level.is_sequence:
                yield self._item(level)
                continue
            if len(levels) == 1 and self.size - self.position < 8:  # noqa: PLR2004 - less than a header
                self._refuse_remainder()
                return
            event = self._element(level)
            self.last = event.tag
            yield event
            if event.kind == "P":
                yield from self._fragments(event.tag)
            if event.tag == PIXEL_DATA and len(levels) == 1 and not self.past_pixels:
                return

    def _refuse_remainder(self) -> None:
        if any(self.data[self.position :]):
            raise truncated(self.last)

    def _closed(self, level: _Level) -> Event:
        return Event("s" if level.is_sequence else "i", level.tag, "", self.position, 0, len(self.levels) - 1)

    def _tag(self) -> int:
        if self.position + 8 > self.size:
            raise truncated(self.levels[-1].tag or PIXEL_DATA)
        group, element = self.tag_at(self.data, self.position)
        return int(group) << 16 | int(element)

    def _item(self, level: _Level) -> Event:
        tag = self._tag()
        (length,) = self.long_at(self.data, self.position + 4)
        self.position += 8
        if tag == _SEQUENCE_END and level.end is None:
            self.levels.pop()
            return self._closed(level)
        if tag != _ITEM:
            raise damaged(level.tag)
        self.items += 1
        end = None if length == _UNDEFINED else self._end_of(level.tag, length)
        vr = bytes(self.data[self.position + 4 : self.position + 6])
        # An item inside explicit VR may be implicit: PS3.5 6.2.2 of UN, and writers that switch.
        implicit = level.implicit or not (vr.isalpha() and vr.isupper())
        self.levels.append(_Level(end, implicit=implicit, is_sequence=False, tag=level.tag))
        return Event("I", level.tag, "", self.position, 0, len(self.levels) - 2)

    def _end_of(self, tag: int, length: int) -> int:
        end = self.position + length
        if end > self.size:
            raise truncated(tag)
        for level in reversed(self.levels):
            if level.end is not None:
                if end > level.end:
                    raise damaged(tag)
                break
        return end

    def _element(self, level: _Level) -> Event:
        tag = self._tag()
        depth = len(self.levels) - 1
        if tag == _ITEM_END and level.end is None:
            self.position += 8
            self.levels.pop()
            return self._closed(level)
        if tag >> 16 == 0xFFFE:  # noqa: PLR2004 - a delimiter where an element should be
            raise damaged(level.tag)
        vr, length = self._vr_and_length(tag, implicit=level.implicit)
        known = vr if vr not in {"", "UN"} else vr_of(tag)
        if length == _UNDEFINED:
            return self._undefined(tag, vr, known, level, depth)
        start, end = self.position, self._end_of(tag, length)
        if known == "SQ":
            self._open_sequence(end, tag, implicit=level.implicit or vr == "UN")
            return Event("S", tag, vr, start, length, depth)
        if tag == PIXEL_DATA and depth == 0 and self.encapsulated:
            raise UnreadableObject(
                "The pixel data are said to be compressed and are not written that way. Ask for another export."
            )
        self.position = end
        return Event("E", tag, vr, start, length, depth)

    def _vr_and_length(self, tag: int, *, implicit: bool) -> tuple[str, int]:
        code = bytes(self.data[self.position + 4 : self.position + 6])
        if implicit or not (code.isalpha() and code.isupper()):
            (length,) = self.long_at(self.data, self.position + 4)
            self.position += 8
            return "", int(length)
        if code in LONG_FORM:
            if self.position + 12 > self.size:
                raise truncated(tag)
            (length,) = self.long_at(self.data, self.position + 8)
            self.position += 12
        else:
            (length,) = self.short_at(self.data, self.position + 6)
            self.position += 8
        return code.decode("ascii"), int(length)

    def _undefined(self, tag: int, vr: str, known: str, level: _Level, depth: int) -> Event:
        if tag == PIXEL_DATA and depth == 0 and not self.encapsulated:
            raise UnreadableObject(
                "The pixel data are written as compressed and the file says they are not. Ask for another export."
            )
        if tag == PIXEL_DATA and depth == 0 and vr not in {"", "OB", "OW"}:
            raise UnreadableObject("The pixel data are said to be something else. Ask for another export.")
        if tag == PIXEL_DATA:
            return Event("P", tag, vr, self.position, 0, depth)
        if known != "SQ" and vr != "UN" and not (vr == "" and self._tag() == _ITEM):
            raise damaged(tag)
        self._open_sequence(None, tag, implicit=level.implicit or vr == "UN")
        return Event("S", tag, vr, self.position, 0, depth)

    def _open_sequence(self, end: int | None, tag: int, *, implicit: bool) -> None:
        if len(self.levels) // 2 >= MAX_DEPTH:
            raise UnreadableObject(
                f"Sequences are nested more than {MAX_DEPTH} deep, which no image needs. The file is not opened; "
                "ask for another export."
            )
        self.levels.append(_Level(end, implicit=implicit, is_sequence=True, tag=tag))

    def _fragments(self, tag: int) -> Iterator[Event]:
        depth = len(self.levels)
        while True:
            self.parts += 1
            if self.parts > MAX_PARTS:
                raise UnreadableObject(_TOO_MANY)
            found = self._tag()
            (length,) = self.long_at(self.data, self.position + 4)
            self.position += 8
            if found == _SEQUENCE_END:
                yield Event("p", tag, "", self.position, 0, depth - 1)
                return
            if found != _ITEM or length == _UNDEFINED:
                raise damaged(tag)
            end = self._end_of(tag, length)
            yield Event("F", tag, "", self.position, int(length), depth)
            self.position = end
