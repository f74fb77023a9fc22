"""A film in MP4 (ISO 14496-12 and 14496-15) without its titles, names, times and messages."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from trialimg.dicom.encapsulated.messages import AVC, HEVC, LONGEST_UNIT, Edit, Read, speaks, without_words
from trialimg.domain.pattern import late

_CONTAINERS: Final = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"mvex", b"moof", b"traf", b"mfra"}
)
_NUMBERS: Final = frozenset(
    {
        *(b"vmhd", b"smhd", b"nmhd", b"elst", b"stts", b"ctts", b"cslg", b"stss", b"stsz"),
        *(b"stz2", b"stsc", b"stco", b"co64", b"sdtp", b"sbgp", b"sgpd", b"trex", b"mehd", b"tfhd", b"tfdt", b"trun"),
        *(b"mfhd", b"tfra", b"mfro", b"sidx", b"tref", b"iods", b"avcC", b"hvcC", b"esds", b"pasp", b"btrt", b"clap"),
        b"fiel",
    }
)
"""Boxes without words."""
_BRANDS: Final = frozenset(
    {
        *(b"isom", b"iso2", b"iso3", b"iso4", b"iso5", b"iso6", b"iso7", b"iso8", b"iso9", b"avc1", b"hvc1", b"hev1"),
        *(b"mp41", b"mp42", b"mp71", b"M4V ", b"M4VH", b"M4VP", b"qt  ", b"MSNV", b"dash", b"msdh", b"msix", b"cmfc"),
        *(b"3gp4", b"3gp5", b"3gp6", b"3g2a", b"f4v ", b"XAVC", b"mmp4", b"NDSC", b"NDSM"),
    }
)
_WORD: Final = late(rb"[A-Za-z ^]{8}")
_TIMED: Final = frozenset({b"mvhd", b"tkhd", b"mdhd"})
_PICTURES: Final = {b"avc1": 78, b"avc3": 78, b"hvc1": 78, b"hev1": 78}
_SOUNDS: Final = {b"mp4a": 28, b"ac-3": 28, b"sowt": 28, b"twos": 28}
"""Kinds of tracks, and where their own boxes begin; another kind may be subtitles."""
_COMPRESSOR: Final = (42, 74)
_MOST_BOXES, _MOST_SAMPLES, _LONGEST_TABLE = 4096, 1 << 21, 1 << 23


class Mp4:
    """One film: what is changed in it, and whether all of it is understood."""

    def __init__(self, read: Read, size: int, coding: int) -> None:
        self.edits: list[Edit] = []
        self.is_understood = True
        self._read, self._coding, self._boxes = read, coding, 0
        self._tables: dict[bytes, bytes] = {}
        self._width, self._room = 0, size + _MOST_BOXES  # no film is read twice, whatever it says
        self._data: list[tuple[int, int]] = []
        self._used: list[tuple[int, int]] = []
        """Where data stand, and where samples of a track."""
        try:
            self._walk(0, size)
            if self.is_understood:
                self._blank_between()
        except (struct.error, IndexError, RecursionError):
            self.is_understood = False
        self.edits.sort()

    def _walk(self, position: int, end: int) -> None:
        while position + 8 <= end:
            length, kind = struct.unpack(">L4s", self._read(position, 8))
            start = position + 8
            if length == 1 and position + 16 <= end:
                (length,), start = struct.unpack(">Q", self._read(start, 8)), start + 8
            stop = end if length == 0 else position + length
            self._boxes += 1
            if stop < start or stop > end or self._boxes > _MOST_BOXES:
                self.is_understood = False
                return
            self._box(kind, position, start, stop)
            position = stop
        self._write(position, bytes(end - position))

    def _box(self, kind: bytes, position: int, start: int, stop: int) -> None:
        if kind in _CONTAINERS:
            self._tables = {} if kind == b"trak" else self._tables
            self._walk(start, stop)
            if kind == b"trak":
                self._quieten_samples(self._samples())
            # In a film of fragments it is told in another way where its pictures are.
            self.is_understood = self.is_understood and kind != b"moof"
        elif kind == b"stsd":
            self._entries(start + 8, stop)
        elif kind == b"dref":
            self._walk(start + 8, stop)
        elif kind in {b"stsz", b"stsc", b"stco", b"co64"} and stop - start <= _LONGEST_TABLE:
            self._tables[kind] = self._read(start, stop - start)
            self._refuse_words(start, stop)
        elif kind in {b"avcC", b"hvcC"} and 22 < stop - start <= _LONGEST_TABLE:  # noqa: PLR2004 - up to the arrays
            if self._coding != {b"avcC": AVC, b"hvcC": HEVC}[kind]:
                self.is_understood = False
                return
            self._width = (self._read(start + (4 if kind == b"avcC" else 21), 1)[0] & 3) + 1
            if kind == b"hvcC":
                self._quieten_configuration(start + 22, stop)
            else:
                self._refuse_words(start, stop)
        else:
            self._quieten_box(kind, position, start, stop)

    def _quieten_box(self, kind: bytes, position: int, start: int, stop: int) -> None:
        """Blank the words, times and addresses of a box, and a box that may hold others as a whole."""
        if kind in {b"ftyp", b"styp"}:
            for at in range(start, stop - 3, 4):
                if at != start + 4 and self._read(at, 4) not in _BRANDS:  # the second tells a version
                    self._write(at, b"isom")
            self._blank(stop - (stop - start) % 4, stop)
        elif kind in _TIMED:
            self._blank(start + 4, min(start + (20 if self._read(start, 1) == b"\1" else 12), stop))
        elif kind == b"mdat":
            self._data.append((start, stop))
        elif kind == b"hdlr":
            self._blank(start + 12, stop)
        elif kind in {b"url ", b"urn "}:
            self._blank(start + 4, stop)
        elif kind in _NUMBERS:
            self._refuse_words(start, stop)
        elif not (kind == b"colr" and self._read(start, 3) == b"ncl"):
            self._write(position + 4, b"free")
            self._blank(start, stop)

    def _refuse_words(self, start: int, stop: int) -> None:
        """Understand no film in which words stand where there should be numbers."""
        if stop - start > _LONGEST_TABLE or _WORD.search(self._read(start, stop - start)):
            self.is_understood = False

    def _entries(self, position: int, end: int) -> None:
        """Go through the kinds of samples of a track, which tell how its pictures are coded."""
        self._width = 0
        while position + 8 <= end:
            length, kind = struct.unpack(">L4s", self._read(position, 8))
            stop = position + length
            boxes = _PICTURES.get(kind) or _SOUNDS.get(kind)
            if boxes is None or stop > end or length < 8 + boxes:
                self.is_understood = False
                return
            if kind in _PICTURES:
                first, last = _COMPRESSOR
                self._write(position + 8 + first, bytes(last - first))
            self._walk(position + 8 + boxes, stop)
            position = stop

    def _quieten_configuration(self, position: int, stop: int) -> None:
        """Silence messages that stand beside the parameters of a track (ISO 14496-15 8.3.3.1)."""
        at = position + 1
        for _ in range(self._read(position, 1)[0]):
            (count,) = struct.unpack(">xH", self._read(at, 3))
            at += 3
            for _ in range(count):
                length = int.from_bytes(self._read(at, 2), "big")
                at += 2
                if at + length > stop:
                    self.is_understood = False
                    return
                self._quieten_unit(at, length)
                at += length

    def _quieten_samples(self, samples: list[tuple[int, int]]) -> None:
        """Silence messages in the samples of a track of pictures."""
        self._used += samples
        for at, length in self._units(samples):
            self._quieten_unit(at, length)

    def _quieten_unit(self, at: int, length: int) -> None:
        head = self._read(at, 1)
        if length < 2 or not speaks(head, self._coding):  # noqa: PLR2004 - there is nothing in it
            return
        self._room -= length
        if length > LONGEST_UNIT or self._room < 0:
            self.is_understood = False
            return
        self._write(at + 1, without_words(head[0], self._read(at + 1, length - 1), self._coding))

    def _units(self, samples: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Give where the units of a track of pictures stand, and their lengths (ISO 14496-15 4.3.3)."""
        for position, size in samples if self._width else ():
            at, end = position, position + size
            while at + self._width < end:
                length = int.from_bytes(self._read(at, self._width), "big")
                at += self._width
                self._room -= 1
                if length > end - at or self._room < 0:
                    self.is_understood = False
                    return
                yield at, length
                at += length

    def _samples(self) -> list[tuple[int, int]]:
        """Give where the samples of a track stand (ISO 14496-12 8.7)."""
        wide = b"co64" in self._tables
        sizes, runs, chunks = (self._tables.get(kind, b"") for kind in (b"stsz", b"stsc", b"co64" if wide else b"stco"))
        try:
            one, count = struct.unpack_from(">LL", sizes, 4)
            each = [one] * min(count, _MOST_SAMPLES) if one else struct.unpack_from(f">{count}L", sizes, 12)
            (number,) = struct.unpack_from(">L", chunks, 4)
            offsets = struct.unpack_from(f">{number}{'Q' if wide else 'L'}", chunks, 8)
            told = list(struct.iter_unpack(">LLL", runs[8 : 8 + 12 * struct.unpack_from(">L", runs, 4)[0]]))
        except struct.error:
            self.is_understood = False
            return []
        found: list[tuple[int, int]] = []
        following = [first - 1 for first, _, _ in told[1:]] + [number]
        for (first, samples, _), last in zip(told, following, strict=False):  # there may be none
            for at in offsets[first - 1 : last] if first else ():
                for size in each[len(found) : len(found) + samples]:
                    found.append((at, size))
                    at += size  # noqa: PLW2901 - where the next one stands
        firsts = [first for first, _, _ in told]
        is_whole = len(found) == len(each) == count and firsts == sorted(set(firsts))
        self.is_understood = self.is_understood and is_whole
        return found if is_whole else []

    def _blank_between(self) -> None:
        """Blank data that are of no track."""
        used, number, position = sorted(self._used), 0, 0
        for start, stop in self._data:
            position = max(position, start)
            while number < len(used) and used[number][0] < stop:
                at, size = used[number]
                self._blank(position, at)
                position, number = max(position, at + size), number + 1
            self._blank(position, stop)

    def _blank(self, start: int, stop: int) -> None:
        for position in range(start, stop, 1 << 20):
            self._write(position, bytes(min(1 << 20, stop - position)))

    def _write(self, position: int, value: bytes) -> None:
        if value and self._read(position, len(value)) != value:
            self.edits.append((position, value))


def is_mp4(beginning: bytes) -> bool:
    """Tell whether a film begins as one in MP4 does."""
    return beginning[4:8] in {b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"}
