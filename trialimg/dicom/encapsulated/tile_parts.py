"""What the headers of a JPEG 2000 picture say of the lengths of its parts and packets, held against what they are.

Decoders do without these lengths (ITU-T T.800 A.7), so nobody would notice a text in their place.
"""

from __future__ import annotations

from typing import Final

TLM, PLM, PLT, CRG, COM = 0x55, 0x57, 0x58, 0x63, 0x64
_MOST_PARTS: Final = 1 << 16


class TileParts:
    """The parts of one picture as they are met, and what is said of them."""

    def __init__(self) -> None:
        self._said: list[tuple[int, int]] = []
        self._found: list[tuple[int, int]] = []
        self._segments = self._index = 0
        self._packets: list[tuple[int, int]] = []

    def take(self, made: bytearray, marker: int, start: int, stop: int) -> bool:
        """Take a segment that tells lengths, its payload between two positions; tell whether it is well formed.

        Those of the packets of all parts become an empty comment, and registration, which no reader asks, is none.
        """
        if marker == TLM:
            return self._take_lengths(bytes(made[start:stop]))
        if marker == PLT:
            self._packets.append((start, stop))
        elif marker == PLM:
            _silence(made, start, stop)
        else:
            made[start:stop] = bytes(stop - start)
        return True

    def _take_lengths(self, payload: bytes) -> bool:
        """Read lengths of tile-parts (T.800 A.7.1), which may leave out of which tile each is."""
        if len(payload) < 2 or payload[0] != self._segments:  # noqa: PLR2004 - its number, and its form
            return False
        self._segments += 1
        width, size = payload[1] >> 4 & 3, 4 if payload[1] & 0x40 else 2
        if payload[1] & 0x8F or width == 3 or (len(payload) - 2) % (width + size):  # noqa: PLR2004 - T.800 table A.33
            return False
        for at in range(2, len(payload), width + size):
            tile = int.from_bytes(payload[at : at + width], "big") if width else len(self._said)
            self._said.append((tile, int.from_bytes(payload[at + width : at + width + size], "big")))
        return len(self._said) <= _MOST_PARTS

    def begin(self, tile: int) -> None:
        """Begin a part of a tile."""
        self._index, self._packets = tile, []

    def end(self, made: bytearray, length: int, coded: int) -> None:
        """End a part of a length, so much of it coded: lengths of packets that do not come to that are silenced."""
        self._found.append((self._index, length))
        parts = [bytes(made[start:stop]) for start, stop in self._packets]
        told = [_sum_of(part[1:]) if part[:1] == bytes([n & 0xFF]) else None for n, part in enumerate(parts)]
        if None in told or sum(filter(None, told)) != coded:
            for start, stop in self._packets:
                _silence(made, start, stop)

    def are_as_said(self) -> bool:
        """Tell whether the parts are as long as it was said, if it was."""
        return not self._segments or self._said == self._found


def _sum_of(lengths: bytes) -> int | None:
    """Add lengths of packets, of seven bits a byte with a mark on all but the last (T.800 table A.36)."""
    total = value = 0
    if lengths and lengths[-1] & 0x80:
        return None
    for byte in lengths:
        value = value << 7 | byte & 0x7F
        if value >> 32:
            return None
        if not byte & 0x80:
            total, value = total + value, 0
    return total


def _silence(made: bytearray, start: int, stop: int) -> None:
    """Make a segment a comment that says nothing (T.800 A.9.2)."""
    made[start - 3] = COM
    made[start:stop] = bytes(stop - start)
