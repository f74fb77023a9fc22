"""An ordinary file laid open for cleaning by its bytes: its beginning in memory, the rest where it is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from io import UnsupportedOperation
from pathlib import Path
from typing import BinaryIO, Final, Self

from trialimg.dicom.files.header import DICOMDIR_CLASS
from trialimg.dicom.splicing.ground import Unusual
from trialimg.dicom.standard.part10 import read_meta
from trialimg.dicom.standard.syntaxes import ENCAPSULATED, EXPLICIT, IMPLICIT
from trialimg.errors import UnreadableObject

_PREAMBLE: Final = 128
_FIRST_READ: Final = 1 << 14
_NEXT_READ: Final = 1 << 18
_LONGEST_HEADER: Final = 1 << 24
_CHUNK: Final = 1 << 20
_SYNTAXES: Final = ENCAPSULATED | {EXPLICIT, IMPLICIT}
_HOW: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""A pipe that was put where a file was is not waited for."""
_TRANSFER_SYNTAX, _CLASS = 0x00020010, 0x00020002


class Opened:
    """A file of which a beginning was read; Unusual where even that is not of an ordinary file."""

    def __init__(self, source: Path | str | BinaryIO) -> None:
        self._own: int | None = None
        self._file: int | None = None
        self.head = b""
        if isinstance(source, (str, Path)):
            self._file = self._own = os.open(source, _HOW)
        else:
            with suppress(UnsupportedOperation, AttributeError):
                self._file = source.fileno()
        if self._file is None:
            source.seek(0)  # type: ignore[union-attr]  # a path has a descriptor
            self.head = source.read()  # type: ignore[union-attr]  # as above
        try:
            self.size = len(self.head) if self._file is None else os.fstat(self._file).st_size
            if self._file is not None:
                self.head = os.pread(self._file, _FIRST_READ, 0)
            self.start, self.syntax, self.sop_class = self._meta()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened here."""
        if self._own is not None:
            os.close(self._own)
            self._own = None

    @property
    def is_whole(self) -> bool:
        """Tell whether all of the file is in memory."""
        return len(self.head) == self.size

    @property
    def is_implicit(self) -> bool:
        """Tell whether no VR is written."""
        return self.syntax == IMPLICIT

    @property
    def is_encapsulated(self) -> bool:
        """Tell whether pixel data are a sequence of compressed fragments."""
        return self.syntax in ENCAPSULATED

    def _meta(self) -> tuple[int, str, bytes]:
        """Read file meta information; give where the data set begins, its transfer syntax, and its class."""
        if self.head[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
            raise Unusual
        try:
            meta, start = read_meta(memoryview(self.head), _PREAMBLE + 4)
        except UnreadableObject as error:
            raise Unusual from error
        syntax = meta.get(_TRANSFER_SYNTAX, b"").rstrip(b"\0 ").decode("ascii", "replace")
        vr = self.head[start + 4 : start + 6]
        told = vr.isalpha() and vr.isupper()
        sop_class = meta.get(_CLASS, b"")
        is_index = sop_class.rstrip(b"\0 ") == DICOMDIR_CLASS.encode()
        if is_index or syntax not in _SYNTAXES or told == (syntax == IMPLICIT):
            raise Unusual
        return start, syntax, sop_class

    def read_more(self) -> None:
        """Read a longer beginning; Unusual where there is none."""
        if self._file is None or self.is_whole or len(self.head) >= _LONGEST_HEADER:
            raise Unusual
        longer = min(max(8 * len(self.head), _NEXT_READ), _LONGEST_HEADER)
        self.head = os.pread(self._file, longer, 0)

    def rest(self, start: int) -> bytes:
        """Give everything from a position on."""
        return self.head[start:] if self._file is None else os.pread(self._file, self.size - start, start)

    def part(self, start: int, length: int) -> bytes:
        """Give so many bytes from a position on, fewer only at the end of the file."""
        if start + length <= len(self.head) or self._file is None:
            return self.head[start : start + length]
        return os.pread(self._file, length, start)

    def copy(self, target: int, start: int, length: int) -> None:
        """Append a part of the file to another, inside the system where it can."""
        if self._file is None:
            _write(target, memoryview(self.head)[start : start + length])
            return
        try:
            while length and (done := os.copy_file_range(self._file, target, length, start)):
                start, length = start + done, length - done
        except (OSError, AttributeError):
            pass  # two kinds of file systems, or none that knows how
        while length:
            part = os.pread(self._file, min(length, _CHUNK), start)
            if not part:
                raise Unusual
            _write(target, memoryview(part))
            start, length = start + len(part), length - len(part)


def write_new(
    path: Path | str, pieces: Iterable[bytes | memoryview], file: Opened, pixels: tuple[int, int], *, to_disk: bool
) -> int:
    """Write a file of pieces and a part of another file; give its size. There is none if it fails."""
    target, size = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o600), 0
    try:
        for piece in pieces:
            _write(target, memoryview(piece))
            size += len(piece)
        file.copy(target, *pixels)
        if to_disk:
            os.fsync(target)
    except BaseException:
        Path(path).unlink(missing_ok=True)
        raise
    finally:
        os.close(target)
    return size + pixels[1]


def _write(target: int, data: memoryview) -> None:
    while data:
        data = data[os.write(target, data) :]
