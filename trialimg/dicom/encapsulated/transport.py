"""A film in an MPEG-2 transport stream (ITU-T H.222.0) without names of services, private data and messages."""

from __future__ import annotations

from array import array
from typing import Final

from trialimg.dicom.encapsulated.messages import Edit, Found, Parts, Read, edits_of_stream
from trialimg.domain.pattern import late

_PACKET, _SYNC, _HEAD = 188, 0x47, 4
_PACKETS_AT_ONCE: Final = 4096
_PROGRAMS, _NOTHING = 0, 0x1FFF
_VIDEO: Final = frozenset({0x01, 0x02, 0x1B, 0x24})
_SOUND: Final = frozenset({0x03, 0x04, 0x0F, 0x11, 0x81})
"""Types of streams (H.222.0 table 2-34)."""
_WORD: Final = late(rb"[A-Za-z]{5}")
_EMPTY: Final = bytes([_SYNC, 0x1F, 0xFF, 0x10]) + b"\xff" * (_PACKET - _HEAD)


class _Wrong(Exception):
    """It is no transport stream, or one that is not read here."""


def is_transport(beginning: bytes) -> bool:
    """Tell whether a film begins as a transport stream does."""
    return len(beginning) > _PACKET and beginning[0] == beginning[_PACKET] == _SYNC


def quiet_transport(read: Read, size: int, coding: int) -> Found:
    """Silence the messages of the pictures, and empty every packet that is neither of a picture nor of sound."""
    try:
        stream = _Transport(read, size)
        pictures = Parts(read, stream.starts, stream.lengths)
        understood, edits = edits_of_stream(pictures.read, pictures.size, coding)
        found = [*stream.edits, *(part for edit in edits for part in pictures.placed(edit))]
        return understood and pictures.size > 0, sorted(found)
    except (_Wrong, IndexError):
        return False, []


class _Transport:
    """The packets of one film: what is changed in them, and where the bytes of its pictures stand."""

    def __init__(self, read: Read, size: int) -> None:
        self.edits: list[Edit] = []
        self.starts, self.lengths = array("Q"), array("L")
        self._maps: set[int] = set()
        self._kept: dict[int, bool] = {}
        """Streams of pictures (True) and of sound."""
        step = _PACKET * _PACKETS_AT_ONCE
        whole = size // _PACKET * _PACKET
        for position in range(0, whole, step):
            packets = read(position, min(step, whole - position))
            for at in range(0, len(packets), _PACKET):
                self._packet(packets[at : at + _PACKET], position + at)
        if any(read(whole, size - whole)):
            raise _Wrong

    def _packet(self, packet: bytes, position: int) -> None:
        if packet[0] != _SYNC:
            raise _Wrong
        number = (packet[1] & 0x1F) << 8 | packet[2]
        if number not in self._kept and number not in self._maps and number != _PROGRAMS:
            if packet != _EMPTY:
                self.edits.append((position, _EMPTY))
            return
        start = self._after_adaptation(packet, position)
        if number in self._kept:
            if self._kept[number] and start < _PACKET:
                self._picture(packet, position, start)
        elif start < _PACKET:
            self._section(packet, start, number)

    def _after_adaptation(self, packet: bytes, position: int) -> int:
        """Give where the payload begins; what a writer may put before it is emptied (H.222.0 2.4.3.4)."""
        if not packet[3] & 0x20:
            return _HEAD
        length = packet[4]
        end = _HEAD + 1 + length
        if end > _PACKET:
            raise _Wrong
        if length:
            flags = packet[5]
            at = 6 + 6 * (flags >> 4 & 1) + 6 * (flags >> 3 & 1) + (flags >> 2 & 1)
            at += flags >> 1 & 1  # the length of private data
            if flags & 1 and not flags & 2:
                at += 1 + packet[at]  # an extension
            if at > end:
                raise _Wrong
            if packet[at:end].strip(b"\xff"):
                self.edits.append((position + at, b"\xff" * (end - at)))
        return end if packet[3] & 0x10 else _PACKET

    def _section(self, packet: bytes, start: int, number: int) -> None:
        """Read which streams there are (H.222.0 2.4.4); tables of more than a packet are not."""
        if not packet[1] & 0x40:
            raise _Wrong
        table = packet[start + 1 + packet[start] :]
        length = (table[1] & 0x0F) << 8 | table[2]
        body = table[8 : 3 + length - 4]
        if len(table) < 3 + length or packet[start] or table[3 + length :].strip(b"\xff") or _WORD.search(body):
            raise _Wrong
        if number == _PROGRAMS:
            self._maps.update((body[at + 2] & 0x1F) << 8 | body[at + 3] for at in range(0, len(body) - 3, 4))
            return
        at = 4 + ((body[2] & 0x0F) << 8 | body[3])
        while at + 5 <= len(body):
            stream = (body[at + 1] & 0x1F) << 8 | body[at + 2]
            if body[at] in _VIDEO | _SOUND:
                self._kept[stream] = body[at] in _VIDEO
            at += 5 + ((body[at + 3] & 0x0F) << 8 | body[at + 4])

    def _picture(self, packet: bytes, position: int, start: int) -> None:
        """Note where bytes of pictures stand, without the heads of their own packets (H.222.0 2.4.3.6)."""
        if packet[1] & 0x40:
            if packet[start : start + 3] != b"\0\0\1":
                raise _Wrong
            start += 9 + packet[start + 8]
            if start > _PACKET:
                raise _Wrong
        self.starts.append(position + start)
        self.lengths.append(_PACKET - start)
