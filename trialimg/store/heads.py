"""The heads of the audit chains, kept in one file outside the data base that every host reaches."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from trialimg.domain.audit import Head, read_head


class HeadsFile:
    """An append-only file of heads, each a line with its MAC."""

    def __init__(self, path: Path, key: Callable[[], bytes]) -> None:
        self.path = path
        self.key = key

    def keep(self, head: Head) -> None:
        """Append a head and see it on disk; raises OSError."""
        line = head.line(self.key()) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)

    def read(self) -> Iterator[Head | None]:
        """Give every kept head in order; None for a line whose MAC does not fit."""
        if not self.path.exists():
            return
        key = self.key()
        with self.path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.strip():
                    yield read_head(line, key)

    def newest(self) -> dict[str, Head]:
        """Give the newest kept head of each chain."""
        found: dict[str, Head] = {}
        for head in self.read():
            if head is not None and head.number >= found.get(head.chain, head).number:
                found[head.chain] = head
        return found
