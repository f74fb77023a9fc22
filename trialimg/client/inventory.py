"""The inventory of a run: a line for each file cleaned or held, on the disk, so that memory does not grow with them.

A line has nothing of an original but its number among the files given: it lies among the clean ones, if only in a file
without a name, which is gone when the run ends, however it ends. Where the disk is full, lines stay in memory.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Any, Final, NamedTuple

CLEAN, HELD, SPOILED = 1, 2, 3
"""What became of a file: it lies in the folder; it does not, since it was held; another one claims its identifier."""
_HEAD: Final = Struct("<BHIIHI32s")
"""Of a line: what became of it, length of its UID, number among the files, series, code, report, hash of content."""
_NO_HASH: Final = bytes(32)
_AT_ONCE: Final = 1 << 14
"""Bytes of lines that are written at once."""
_LONGEST_UID: Final = (1 << 16) - 1
"""A longer one, which no image has, is counted as that of another file whenever it comes."""
_LONGEST: Final = _HEAD.size + _LONGEST_UID


class Series(NamedTuple):
    """Where the clean files of a series lie, the new UID of its study, and the mark of the original study, or ""."""

    study: str
    place: str
    mark: str


class Entry(NamedTuple):
    """One line: a file cleaned or held, ``at`` its place in the inventory, with the number of its report."""

    at: int
    state: int
    among: int
    series: Series
    code: str
    report: int
    canonical_hash: str
    instance: str

    @property
    def study(self) -> str:
        """Give the new UID of its study."""
        return self.series.study

    @property
    def place(self) -> str:
        """Give where its clean file lies, as text."""
        return f"{self.series.place}/{self.instance}.dcm"

    @property
    def target(self) -> Path:
        """Give where its clean file lies."""
        return Path(self.place)


class Inventory:
    """All lines, found by their new SOPInstanceUID; as a collection, it is that of the clean files."""

    def __init__(self) -> None:
        self.studies: Counter[str] = Counter()
        """How many clean files each study has."""
        self._handle = -1
        self._written = 0
        self._rest = bytearray()
        self._places = _Places()
        self._series: list[Series] = []
        self._codes: list[str] = []
        self._numbers: dict[Series | str, int] = {}

    def __del__(self) -> None:
        """Give the file back."""
        if self._handle >= 0:
            os.close(self._handle)

    def keep_in(self, folder: Path) -> None:
        """Keep the lines in a file without a name on the disk of this folder."""
        if self._handle >= 0:
            return
        path = f"{folder}/inventory"
        with suppress(OSError):
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            os.unlink(path)  # noqa: PTH108 (a path object would be made for this alone)

    def add(  # noqa: PLR0917 (the columns of a line)
        self, state: int, among: int, series: Series, code: str, report: int, canonical_hash: str, instance: str
    ) -> None:
        """Add a line."""
        uid = instance.encode("utf-8", "replace")[:_LONGEST_UID]
        self._places.add(hash(instance), self._written + len(self._rest))
        digest = bytes.fromhex(canonical_hash) or _NO_HASH
        numbers = self._number(series, self._series), self._number(code, self._codes)
        self._rest += _HEAD.pack(state, len(uid), among, *numbers, report, digest) + uid
        if state == CLEAN:
            self.studies[series.study] += 1
        if len(self._rest) >= _AT_ONCE and self._handle >= 0:
            self._write()

    def _number(self, value: Series | str, known: list[Any]) -> int:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(known)
            known.append(value)
        return number

    def _write(self) -> None:
        """Put lines on the disk; where it has no room they stay here, until it has."""
        with suppress(OSError):
            done = os.pwrite(self._handle, self._rest, self._written)
            self._written += done
            del self._rest[:done]

    def find(self, instance: str) -> Entry | None:
        """Give the line of an identifier."""
        for at in self._places.of(hash(instance)):
            entry = self._entry(self._read(at, _LONGEST), at)
            if entry.instance == instance:
                return entry
        return None

    def spoil(self, entry: Entry) -> None:
        """Have a line say that another file claims its identifier."""
        if entry.state == CLEAN:
            self.studies[entry.study] -= 1
        if entry.at >= self._written:
            self._rest[entry.at - self._written] = SPOILED
        else:
            os.pwrite(self._handle, bytes([SPOILED]), entry.at)

    def __len__(self) -> int:
        """Count the clean files."""
        return self.studies.total()

    def __iter__(self) -> Iterator[Entry]:
        """Give the clean files in the order in which they came."""
        at = 0
        while lines := self._read(at, _LONGEST):
            inside = 0
            while (end := _end_of(lines, inside)) <= len(lines):
                if lines[inside] == CLEAN:
                    yield self._entry(lines[inside:end], at + inside)
                inside = end
            at += inside

    def _read(self, at: int, length: int) -> bytes:
        """Read lines from a place on; the last of them may not be whole."""
        if at < self._written:
            lines = os.pread(self._handle, length, at)
            return lines + self._rest[: length - len(lines)]
        return bytes(self._rest[at - self._written :][:length])

    def _entry(self, line: bytes, at: int) -> Entry:
        state, _length, among, series, code, report, digest = _HEAD.unpack_from(line)
        content = "" if digest == _NO_HASH else digest.hex()
        uid = line[_HEAD.size : _end_of(line, 0)].decode("utf-8", "replace")
        return Entry(at, state, among, self._series[series], self._codes[code], report, content, uid)


def _end_of(lines: bytes, start: int) -> int:
    """Give where a line ends; behind all, where its head is not whole."""
    if start + _HEAD.size > len(lines):
        return len(lines) + 1
    return start + _HEAD.size + int.from_bytes(lines[start + 1 : start + 3], "little")


class _Places:
    """Places in the inventory by a hash: eight bytes each in one table, of which at least half is empty.

    A dictionary of numbers would take several times as much for each file.
    """

    _BITS: Final = 40
    """Of the place, plus one; the bits above are those of the hash, of which the lowest say where to look first."""

    def __init__(self) -> None:
        self._used = 0
        self._table = memoryview(bytearray(8 << 10)).cast("Q")

    def add(self, hashed: int, at: int) -> None:
        """Add a place."""
        if self._used * 2 >= len(self._table):
            self._grow()
        self._used += 1
        self._put(self._table, (hashed & 0xFFFFFF) << self._BITS | at + 1)

    def _put(self, table: memoryview, value: int) -> None:
        number, last = value >> self._BITS & len(table) - 1, len(table) - 1
        while table[number]:
            number = number + 1 & last
        table[number] = value

    def _grow(self) -> None:
        table = memoryview(bytearray(self._table.nbytes * 2)).cast("Q")
        for value in self._table:
            if value:
                self._put(table, value)
        self._table = table

    def of(self, hashed: int) -> Iterator[int]:
        """Give all places that may be meant by a hash."""
        last, mark = len(self._table) - 1, hashed & 0xFFFFFF
        number = mark & last
        while value := self._table[number]:
            if value >> self._BITS == mark:
                yield (value & (1 << self._BITS) - 1) - 1
            number = number + 1 & last
