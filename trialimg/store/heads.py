"""The heads of the audit chains, kept in one file outside the data base that every host reaches."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from trialimg.domain.audit import Head, read_head

_START: Final = '{"chain":'


def _write(handle: int, line: bytes) -> None:
    while line:
        line = line[os.write(handle, line) :]
    os.fsync(handle)


class HeadsFile:
    """An append-only file of heads, each a line with its MAC."""

    def __init__(self, path: Path, key: Callable[[], bytes]) -> None:
        self.path = path
        self.key = key

    def keep(self, head: Head) -> None:
        """Append a head and see it on disk; raises OSError and then leaves the file as it was."""
        line = head.line(self.key()).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            end = os.fstat(handle).st_size
            if end and os.pread(handle, 1, end - 1) != b"\n":
                line = b"\n" + line  # a line torn by a power cut ends here
            try:
                _write(handle, line)
            except OSError:
                os.ftruncate(handle, end)
                raise
        finally:
            os.close(handle)

    def read(self) -> Iterator[Head | None]:
        """Give every kept head in order; None for a line whose MAC does not fit.

        A torn line, the beginning of one that a power cut kept from its end, is passed over: whoever could make one
        could as well take the line away, and it says no more than that.
        """
        if not self.path.exists():
            return
        key = self.key()
        with self.path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                torn = line.startswith(_START) and not line.rstrip().endswith("}")
                if line.strip() and not torn:
                    yield read_head(line, key)

    def newest(self) -> dict[str, Head]:
        """Give the newest kept head of each chain."""
        found: dict[str, Head] = {}
        for head in self.read():
            if head is not None and head.number >= found.get(head.chain, head).number:
                found[head.chain] = head
        return found
