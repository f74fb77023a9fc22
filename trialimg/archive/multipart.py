"""Writes and reads multipart/related bodies (RFC 2387) without holding one in memory.

dicomweb-client builds a whole body, and every part of an answer, in memory; studies do not fit there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, cast

from trialimg.errors import ArchiveUnavailable

_SPOOL_AT: Final = 8 * 1024 * 1024  # bytes; larger parts wait on the disk
_LONGEST_HEADER: Final = 64 * 1024
_TORN: Final = "The archive's answer broke off or is not what DICOMweb says it should be: try later."


class Body:
    """A request's body of Part-10 files: read once, from start to end, a file open at a time.

    Knows its length, so that no server needs to understand chunked transfer.
    """

    def __init__(self, openers: list[Callable[[], BinaryIO]]) -> None:
        boundary = secrets.token_hex(24)
        self.content_type = f'multipart/related; type="application/dicom"; boundary="{boundary}"'
        head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        tail = f"--{boundary}--\r\n".encode()
        self._sources = self._in_order(openers, head, tail)
        self._current: BinaryIO = BytesIO()
        self._length = sum(_size(opener) + len(head) + 2 for opener in openers) + len(tail)

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        """Give the next bytes, empty at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        while not (data := self._current.read(size)):
            self._current.close()
            following = next(self._sources, None)
            if following is None:
                return b""
            self._current = following()
        return data

    @staticmethod
    def _in_order(openers: list[Callable[[], BinaryIO]], head: bytes, tail: bytes) -> Iterator[Callable[[], BinaryIO]]:
        for opener in openers:
            yield lambda: BytesIO(head)
            yield opener
            yield lambda: BytesIO(b"\r\n")
        yield lambda: BytesIO(tail)


@dataclass(frozen=True)
class Part:
    """One part of an answer; the file is closed by whoever got it."""

    content_type: str
    file: BinaryIO


def parts(content_type: str, chunks: Iterable[bytes]) -> Iterator[Part]:
    """Take an answer apart while it arrives; one that is no multipart is a single part.

    Raises ArchiveUnavailable when it ends before its last boundary.
    """
    media, parameters = media_and_parameters(content_type)
    boundary = parameters.get("boundary", "")
    if media != "multipart/related" or not boundary:
        yield Part(content_type, _spooled(chunks))
        return
    reader = _Reader(iter(chunks))
    # The first boundary may stand at the very start, where no line end precedes it.
    reader.buffer += b"\r\n"
    delimiter = b"\r\n--" + boundary.encode()
    for _ in reader.until(delimiter):
        pass
    while not reader.starts_with(b"--"):
        header = b"".join(reader.until(b"\r\n\r\n", limit=_LONGEST_HEADER))
        yield Part(_content_type(header), _spooled(reader.until(delimiter)))


def media_and_parameters(content_type: str) -> tuple[str, dict[str, str]]:
    """Split a Content-Type in its media type and its parameters, names in lower case."""
    message = Message()
    message["Content-Type"] = content_type
    pairs = cast("list[tuple[str, str]]", message.get_params([], unquote=True))
    return message.get_content_type(), {name.lower(): value for name, value in pairs[1:]}


class _Reader:
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.buffer = bytearray()
        self._chunks = chunks

    def until(self, mark: bytes, limit: int | None = None) -> Iterator[bytes]:
        """Give everything before a mark, and step over it."""
        given = 0
        while (found := self.buffer.find(mark)) < 0:
            # Keep as much as may be the mark's beginning.
            ready = max(0, len(self.buffer) - len(mark) + 1)
            given += ready
            if limit is not None and given > limit:
                raise ArchiveUnavailable(_TORN)
            yield bytes(self.buffer[:ready])
            del self.buffer[:ready]
            self._more()
        yield bytes(self.buffer[:found])
        del self.buffer[: found + len(mark)]

    def starts_with(self, mark: bytes) -> bool:
        while len(self.buffer) < len(mark):
            self._more()
        return self.buffer.startswith(mark)

    def _more(self) -> None:
        chunk = next(self._chunks, None)
        if chunk is None:
            raise ArchiveUnavailable(_TORN)
        self.buffer += chunk


def _spooled(chunks: Iterable[bytes]) -> BinaryIO:
    file = SpooledTemporaryFile(max_size=_SPOOL_AT)  # noqa: SIM115 - the receiver of the part closes it
    try:
        for chunk in chunks:
            file.write(chunk)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return cast("BinaryIO", file)


def _content_type(header: bytes) -> str:
    for line in header.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.strip()
    return "application/octet-stream"


def _size(opener: Callable[[], BinaryIO]) -> int:
    with opener() as stream:
        return stream.seek(0, 2)
