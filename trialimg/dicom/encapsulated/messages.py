"""Messages and user data in the stream of a film (ITU-T H.262, H.264, H.265), which no picture shows.

What is said in them is overwritten where it stands; no length changes, and no byte of a picture.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Final

from trialimg.domain.pattern import late

Read = Callable[[int, int], bytes]
"""Gives so many bytes from a position on."""
Edit = tuple[int, bytes]
"""Where other bytes stand from now on, and which."""
Found = tuple[bool, list[Edit]]
"""Whether a film is built as one is, and what is changed in it, in the order of the places."""

MPEG2, AVC, HEVC = range(3)
_START: Final = b"\0\0\1"
_SPEAKING: Final = (
    late(rb"\0\0\x01\xb2"),
    late(rb"\0\0\x01[\x00\x06\x0c\x18-\x20\x38-\x40\x58-\x60\x78-\x7f]"),
    late(rb"\0\0\x01[\x4c-\x7f]"),
)
"""How user data begin, a unit of messages or of filling, or one that means nothing (H.264 and H.265 table 7-1)."""
_MESSAGES: Final[tuple[frozenset[int], ...]] = (
    frozenset(),
    frozenset({0x06}),
    frozenset({0x4E, 0x4F, 0x50, 0x51}),
)
_BEGINNINGS: Final = (late(rb"\0\0\x01\xb3"), late(rb"\0\0\x01[\x27\x47\x67]"), late(rb"\0\0\x01\x42\x01"))
"""How the parameters of pictures begin, without which none can be decoded."""
_NEXT: Final = late(rb"\0\0[\0\x01]")
_KEPT: Final = frozenset({0, 1, 6, 19, 45, 47, *range(129, 138), 144, 147})
"""Messages of when and how pictures are shown (H.264 D.1, H.265 D.2.1); what users say are 4 and 5."""
_UNREGISTERED: Final = 5
_WORD: Final = late(rb"[A-Za-z ]{8}")
_UUID: Final = 16
_X264: Final = late(
    rb"x264 - core \d+[ \w]{0,30} - H\.264/MPEG-4 AVC codec - Copy(left|right) 2003-\d{4} - "
    rb"http://www\.videolan\.org/x264\.html - options:( [a-z0-9_]+=[0-9.,:x-]+| [a-z_]+=[a-z]{1,4})*\0?"
)
"""What the commonest encoder says of itself."""
_CHUNK: Final = 1 << 20
LONGEST_UNIT, _MOST_UNITS = 1 << 20, 1 << 20
"""Bytes of a unit of messages, which has some hundreds, and units of them in a film: two of each picture of hours."""
_SILENT: Final = 0x2E
_NEVER_EMULATED: Final = 3
"""Bytes up to it keep the marks apart that stand in a unit (H.264 7.4.1), and say nothing."""


class Parts:
    """Parts of bytes, where each begins and how long it is, read as one."""

    def __init__(self, read: Callable[[int, int], bytes | memoryview], starts: array[int], lengths: array[int]) -> None:
        self._read = read
        self.starts, self._lengths, self._begins = starts, lengths, array("Q")
        self.size = 0
        for length in lengths:
            self._begins.append(self.size)
            self.size += length

    def read(self, position: int, length: int) -> bytes:
        """Give so many bytes from a position on, fewer only where all end."""
        found = [bytes(self._read(start, size)) for start, size in self._places(position, length)]
        return found[0] if len(found) == 1 else b"".join(found)

    def placed(self, edit: Edit) -> Iterator[Edit]:
        """Give an edit by the places where its bytes stand."""
        position, value = edit
        at = 0
        for start, size in self._places(position, len(value)):
            yield start, value[at : at + size]
            at += size

    def _places(self, position: int, length: int) -> Iterator[tuple[int, int]]:
        number = max(bisect_right(self._begins, position) - 1, 0)
        while length > 0 and number < len(self.starts):
            inside = position - self._begins[number]
            size = min(length, self._lengths[number] - inside)
            if size > 0:
                yield self.starts[number] + inside, size
            position, length, number = position + size, length - size, number + 1

    def edited(self, edits: list[Edit]) -> Iterator[Iterator[bytes]]:
        """Give the parts, each in chunks, with other bytes where the edits say."""
        longest = max((len(value) for _, value in edits), default=0)
        for begin, length in zip(self._begins, self._lengths, strict=True):
            yield self._chunks(begin, begin + length, edits, longest)

    def _chunks(self, begin: int, end: int, edits: list[Edit], longest: int) -> Iterator[bytes]:
        for position in range(begin, end, _CHUNK):
            stop = min(position + _CHUNK, end)
            made = bytearray(self.read(position, stop - position))
            for at, value in edits[bisect_left(edits, (position - longest, b"")) : bisect_left(edits, (stop, b""))]:
                first, last = max(at, position), min(at + len(value), stop)
                if first < last:
                    made[first - position : last - position] = value[first - at : last - at]
            yield bytes(made)


def edits_of_stream(read: Read, size: int, coding: int) -> Found:
    """Go through a stream whose units begin with start codes (H.264 annex B), and silence what users say in it."""
    edits: list[Edit] = []
    count = 0
    beginning = read(0, min(_CHUNK, size))
    if not _BEGINNINGS[coding].search(beginning) or (coding == AVC and _BEGINNINGS[HEVC].search(beginning)):
        return False, []  # its pictures are coded in another way, and might look like messages
    for position in range(0, size, _CHUNK):
        for found in _SPEAKING[coding].finditer(read(position, min(_CHUNK + len(_START), size - position))):
            start = position + found.end()
            unit, count = _unit(read, start, size), count + 1
            if unit is None or count > _MOST_UNITS:
                return False, []
            silent = bytes([_SILENT]) * len(unit) if coding == MPEG2 else without_words(found[0][3], unit, coding)
            if silent != unit:
                edits.append((start, silent))
    return True, edits


def _unit(read: Read, start: int, size: int) -> bytes | None:
    """Give what stands before the next start code or zeros; None where that is more than any message."""
    length = 256
    while length <= LONGEST_UNIT:
        unit = read(start, min(length, size - start))
        following = _NEXT.search(unit)
        if following or start + len(unit) >= size:
            return unit[: following.start()] if following else unit
        length *= 8
    return None


def speaks(unit: bytes, coding: int) -> bool:
    """Tell whether a unit, of which the first byte is given, is one that shows nothing."""
    return coding != MPEG2 and _SPEAKING[coding].fullmatch(_START + unit[:1]) is not None


def without_words(head: int, unit: bytes, coding: int) -> bytes:
    """Silence what is said in a unit that shows nothing, by the first byte of its head, and what follows that."""
    made = bytearray(unit)
    bytes_of = [
        at
        for at in range(coding == HEVC, len(made))
        if not (made[at] == _NEVER_EMULATED and at > 1 and made[at - 2 : at] == b"\0\0")
    ]
    if head not in _MESSAGES[coding]:
        _silence(made, bytes_of[:-1], 0xFF)
        return bytes(made)
    position = 0
    while position + 2 < len(bytes_of):
        kind, position = _number(made, bytes_of, position)
        length, position = _number(made, bytes_of, position)
        where = bytes_of[position : position + length]
        said = bytes(made[at] for at in where)
        stays = not _WORD.search(said) if kind in _KEPT else kind == _UNREGISTERED and _X264.fullmatch(said[_UUID:])
        if not stays:
            _silence(made, where, _SILENT)
        position += length
    return bytes(made)


def _silence(made: bytearray, where: list[int], by: int) -> None:
    for at in where:
        made[at] = by if made[at] > _NEVER_EMULATED else made[at]


def _number(made: bytearray, bytes_of: list[int], position: int) -> tuple[int, int]:
    """Read a number of a message, to which each byte of ones adds 255 (H.264 7.3.2.3.1)."""
    total = 0
    while position < len(bytes_of):
        byte = made[bytes_of[position]]
        total, position = total + byte, position + 1
        if byte != 0xFF:  # noqa: PLR2004 - eight ones
            break
    return total, position
