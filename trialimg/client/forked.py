"""A child that begins as this process is, with a pipe to it: what `multiprocessing` does too, and takes long to load.

Only for a process of one thread: a lock that another one holds would be held for ever in the child.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from fcntl import F_SETPIPE_SZ, fcntl
from signal import SIGKILL
from typing import Any, Final

_LENGTH: Final = 8
_AT_ONCE: Final = 1 << 16
_ROOM: Final = 1 << 20
"""Bytes that may lie ready for a child: all that it is given ahead, so that nobody waits to give while it answers."""


class Pipe:
    """One side of a pipe for objects, between two processes of ours alone: each its length, then its pickle."""

    def __init__(self, incoming: int, outgoing: int, life: int) -> None:
        self._in, self._out, self._life = incoming, outgoing, life

    def send(self, item: Any) -> None:
        """Give an object to the other side; raises BrokenPipeError when it is gone."""
        content = pickle.dumps(item, pickle.HIGHEST_PROTOCOL)
        rest = memoryview(len(content).to_bytes(_LENGTH, "little") + content)
        while rest:
            rest = rest[os.write(self._out, rest) :]

    def recv(self) -> Any:
        """Take an object from the other side; raises EOFError when it is gone, in the middle of one too."""
        return pickle.loads(self._exactly(int.from_bytes(self._exactly(_LENGTH), "little")))  # noqa: S301 (our child's)

    def _exactly(self, length: int) -> bytes:
        parts = []
        while length:
            part = os.read(self._in, min(length, _AT_ONCE))
            if not part:
                raise EOFError
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def fileno(self) -> int:
        """Give what can be waited on for the next object."""
        return self._in

    def wait_for_the_end(self) -> None:
        """Wait until the process on the other side has ended, in whatever way."""
        with suppress(OSError):
            os.read(self._life, 1)

    def close(self) -> None:
        """Give up this side."""
        for handle in (self._in, self._out, self._life):
            os.close(handle)


class Forked:
    """A child process that does ``work`` with its side of a pipe, and then ends.

    ``others`` are the sides of pipes to other children, which it must not keep open.
    """

    def __init__(self, work: Callable[[Pipe], None], others: list[Pipe]) -> None:
        to_child, from_child, life = os.pipe(), os.pipe(), os.pipe()
        with suppress(OSError):  # all the room that the system gives is taken: then as it was
            fcntl(to_child[1], F_SETPIPE_SZ, _ROOM)
        self.pipe = Pipe(from_child[0], to_child[1], life[1])
        self._ended = False
        self._pid = os.fork()
        if not self._pid:
            self._be(work, Pipe(to_child[0], from_child[1], life[0]), others)
        for handle in (to_child[0], from_child[1], life[0]):
            os.close(handle)

    def _be(self, work: Callable[[Pipe], None], mine: Pipe, others: list[Pipe]) -> None:
        """Live as the child: never back into what the parent was doing."""
        try:
            for pipe in (self.pipe, *others):
                pipe.close()
            work(mine)
        finally:
            os._exit(0)

    def kill(self) -> None:
        """End it, wherever it is."""
        if not self._ended:
            os.kill(self._pid, SIGKILL)

    def join(self) -> None:
        """Wait until it has ended."""
        if not self._ended:
            os.waitpid(self._pid, 0)
            self._ended = True
