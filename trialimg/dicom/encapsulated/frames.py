"""Encapsulated pixel data (PS3.5 A.4) without anything but the pictures: fragments, frames and tables of offsets.

Nothing is decoded and no length changes: what may hold words is overwritten with zeros where it stands, so the
picture and every offset stay as they were. A comment of known words (the name of the program that made the frame)
stays, and so do the marks that a decoder needs. What is not built as its transfer syntax says could be anything, and
is told to be so.

Pixel data may be larger than the memory: they are read where they lie, one frame at a time.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from trialimg.dicom.encapsulated.codestream import JP2, SOC, SOI, quieten_boxes, quieten_j2k, quieten_jpeg, quieten_rle
from trialimg.dicom.standard.syntaxes import VIDEO_SYNTAXES

_JPEG_FAMILY: Final = "1.2.840.10008.1.2.4."
_RLE: Final = "1.2.840.10008.1.2.5"
_VIDEO: Final = 100
_ITEM: Final = b"\xfe\xff\x00\xe0"
_STARTS: Final = (SOI, SOC, JP2)
_LONGEST_START: Final = 8
_MOST_FRAGMENTS: Final = 2_000_000
"""Of one file, as ``walk`` allows it."""
_CHUNK: Final = 1 << 20

Piece = bytes | memoryview
Read = Callable[[int, int], Piece]
"""Gives so many bytes from a position on; fewer only where all end."""


class Fragments(NamedTuple):
    """What one walk over the heads of all items tells; the first item is the offset table, which is not counted.

    ``number`` is -1 where there is not even that. ``listed`` counts the entries of the table, each of which is where a
    fragment begins, in their order; it is None where one is not.
    """

    start: int
    end: int
    number: int
    listed: int | None
    are_even: bool


class _Item(NamedTuple):
    """Where the bytes of an item stand, how many there are, and whether a picture begins with them."""

    start: int
    length: int
    begins: bool


class _Frame(NamedTuple):
    """Where the fragments of a frame begin, with their heads, where they end, and how many there are."""

    start: int
    stop: int
    number: int


def has_comments(transfer_syntax: str) -> bool:
    """Tell whether frames of a transfer syntax are still pictures of the JPEG family."""
    if not transfer_syntax.startswith(_JPEG_FAMILY):
        return False
    number = transfer_syntax.removeprefix(_JPEG_FAMILY).split(".")[0]
    return number.isdecimal() and not _VIDEO <= int(number) < 2 * _VIDEO


def in_memory(value: bytes | memoryview) -> Read:
    """Read from bytes, or from a file that is mapped."""
    view = memoryview(value)
    return lambda start, length: view[start : start + length]


def find_fragments(read: Read, start: int, end: int) -> Fragments:
    """Go over the heads of all items between two positions, as far as they are items."""
    count, position, are_even = -1, start, True
    listed, base, wanted = 0.0, start, None
    table: Iterator[int] = iter(())
    for item in _items(read, start, end):
        if count < 0:
            table, base, listed = _numbers(read, item), item.start + item.length, item.length / 4
            wanted = next(table, None)
        elif item.start - 8 - base == wanted:
            wanted = next(table, None)
        count, position = count + 1, item.start + item.length
        are_even = are_even and not item.length & 1
        if count >= _MOST_FRAGMENTS:
            break
    # A table of more than 4 GB wraps around; such files carry the extended one.
    return Fragments(start, position, count, int(listed) if wanted is None and listed.is_integer() else None, are_even)


def _items(read: Read, position: int, end: int) -> Iterator[_Item]:
    while position + 8 <= end:
        head = bytes(read(position, 8 + _LONGEST_START))
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != _ITEM or position + 8 + length > end:
            return
        yield _Item(position + 8, length, head.startswith(_STARTS, 8, 8 + length))
        position += 8 + length


def _numbers(read: Read, item: _Item) -> Iterator[int]:
    """Give the entries of an offset table, which may say that there are more than the memory takes."""
    stop = item.start + item.length // 4 * 4
    for position in range(item.start, stop, _CHUNK):
        for (number,) in struct.iter_unpack("<L", read(position, min(_CHUNK, stop - position))):
            yield number


class Quiet:
    """Encapsulated pixel data that lie somewhere, and are given piece by piece with quiet frames.

    ``plane`` is how many bytes one segment of a frame comes to (RLE), ``planes`` how many there are, if that is known.
    A basic offset table that does not list where frames begin is emptied, and a fragment of an odd length is padded.
    ``is_understood`` and ``is_changed`` hold once all was given, or looked at.
    """

    def __init__(  # noqa: PLR0917 - what the header says of them
        self, read: Read, found: Fragments, frames: int, transfer_syntax: str, plane: int, planes: int = 0
    ) -> None:
        self._read, self._found = read, found
        self._frames, self._plane, self._planes = frames, plane, planes
        self._jpeg = has_comments(transfer_syntax)
        self._is_still = self._jpeg or transfer_syntax == _RLE
        self._has_true_table = found.listed == 0 or (found.listed == frames and found.are_even)
        self._is_film = transfer_syntax in VIDEO_SYNTAXES
        self._syntax = transfer_syntax
        self.is_understood = (self._is_still or self._is_film) and found.number >= 0
        self.is_changed = found.number >= 0 and not (self._has_true_table and found.are_even)

    @property
    def end(self) -> int:
        """Give where the last fragment ends."""
        return self._found.end

    def pieces(self) -> Iterator[Piece]:
        """Give everything up to the end of the last fragment."""
        if self._found.number < 0:
            return
        first = self._first()
        if self._has_true_table:
            yield from self._copied(self._found.start, first)
        else:
            yield _ITEM + bytes(4)
        if not self._is_still:
            yield from self._film(first) if self._is_film else self._copied(first, self._found.end)
            return
        for frame, made in self._quietened(first):
            at = 0
            for item in _items(self._read, frame.start, frame.stop):
                yield _head(item.length)
                yield memoryview(made)[at : at + item.length]
                yield bytes(item.length & 1)
                at += item.length

    def look(self) -> bool:
        """Look at every frame; tell whether any byte would be another."""
        if self._found.number >= 0 and (self._is_still or self._is_film):
            for _ in self._quietened(self._first()) if self._is_still else self._film(self._first()):
                pass
        return self.is_changed

    def _first(self) -> int:
        """Give where the first frame begins, behind the table."""
        table = next(_items(self._read, self._found.start, self._found.end))
        return table.start + table.length

    def _copied(self, start: int, stop: int) -> Iterator[Piece]:
        for position in range(start, stop, _CHUNK):
            yield self._read(position, min(_CHUNK, stop - position))

    def _film(self, first: int) -> Iterator[Piece]:
        """Give the fragments of a film, without what is said beside its pictures."""
        from array import array  # neither this nor what reads films is loaded where there is none

        from trialimg.dicom.encapsulated.film import quiet_film
        from trialimg.dicom.encapsulated.messages import Parts

        starts, lengths = array("Q"), array("L")
        for item in _items(self._read, first, self._found.end):
            starts.append(item.start)
            lengths.append(item.length)
        film = Parts(self._read, starts, lengths)
        understood, edits = quiet_film(film.read, film.size, self._syntax)
        self.is_understood = self.is_understood and understood
        self.is_changed = self.is_changed or bool(edits)
        for length, chunks in zip(lengths, film.edited(edits), strict=True):
            yield _head(length)
            yield from chunks
            yield bytes(length & 1)

    def _quietened(self, first: int) -> Iterator[tuple[_Frame, bytearray]]:
        count = 0
        for frame in self._each(first):
            count += 1
            made = self._joined(frame)
            understood = _quieten(made, self._plane) if self._jpeg else quieten_rle(made, self._plane, self._planes)
            self.is_understood = self.is_understood and understood
            self.is_changed = self.is_changed or not self._is_there(frame, made)
            yield frame, made
        self.is_understood = self.is_understood and count == self._frames

    def _each(self, first: int) -> Iterator[_Frame]:
        """Part fragments into frames: one begins where a picture does, and the fragments that follow belong to it."""
        start, stop, count = first, first, 0
        for item in _items(self._read, first, self._found.end):
            if count and (item.begins or not self._jpeg):
                yield _Frame(start, stop, count)
                start, count = stop, 0
            stop, count = item.start + item.length, count + 1
        if count:
            yield _Frame(start, stop, count)

    def _joined(self, frame: _Frame) -> bytearray:
        """Give the bytes of a frame, whose fragments are read in parts so that none is in memory twice."""
        made, at = bytearray(frame.stop - frame.start - 8 * frame.number), 0
        for item in _items(self._read, frame.start, frame.stop):
            for part in self._copied(item.start, item.start + item.length):
                made[at : at + len(part)] = part
                at += len(part)
        return made

    def _is_there(self, frame: _Frame, made: bytearray) -> bool:
        at = 0
        for item in _items(self._read, frame.start, frame.stop):
            for part in self._copied(item.start, item.start + item.length):
                if bytes(part) != made[at : at + len(part)]:
                    return False
                at += len(part)
        return True


def _head(length: int) -> bytes:
    """Give the head of a fragment, which is padded to an even length (PS3.5 A.4)."""
    return _ITEM + (length + (length & 1)).to_bytes(4, "little")


def in_chunks(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Give the same bytes in parts of a megabyte or less, small pieces put together."""
    held: list[Piece] = []
    size = 0
    for piece in pieces:
        if held and size + len(piece) > _CHUNK:
            yield b"".join(held)
            held, size = [], 0
        if len(piece) > _CHUNK:
            yield from (piece[position : position + _CHUNK] for position in range(0, len(piece), _CHUNK))
        else:
            held.append(piece)
            size += len(piece)
    if held:
        yield b"".join(held)


def _quieten(made: bytearray, pixels: int) -> bool:
    if made.startswith(SOI):
        return quieten_jpeg(made, pixels)
    if made.startswith(SOC):
        return quieten_j2k(made, pixels)
    return made.startswith(JP2) and quieten_boxes(made, pixels)


def offsets_are_true(value: bytes | memoryview, frames: int, offsets: bytes, lengths: bytes) -> bool:
    """Tell whether the extended offset table and its lengths say where the frames are (PS3.3 C.7.6.3.1.8).

    Behind a fragment of an odd length, which is padded, they say it no more.
    """
    if not frames == len(offsets) / 8 == len(lengths) / 8:
        return False
    told = zip(struct.iter_unpack("<Q", offsets), struct.iter_unpack("<Q", lengths), strict=True)
    items = _items(in_memory(value), 0, len(value))
    table = next(items, None)
    base = table.start + table.length if table else 0
    for item in items:
        (offset,), (said,) = next(told, ((-1,), (-1,)))
        if offset != item.start - 8 - base or item.length - said not in {0, 1} or item.length & 1:
            return False
    return table is not None and next(told, None) is None
