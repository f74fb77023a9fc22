"""Child processes that read what nobody has checked: as many as asked, each with limits, all gone when the work is.

Outcomes come in the order of the items. An item that ends its child, by whatever limit, is told of and the others go
on; nothing of a child lives longer than the loop over the outcomes, however that ends.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any, Final, Generic, TypeVar

from trialimg.errors import UnreadableObject

MEMORY: Final = 2 * 2**30
"""Bytes of memory a child may use."""
_MAPPED: Final = 64 * 2**30
"""Bytes of files that it may have mapped besides, which takes no memory: a film or a slide may have many gigabytes."""
SECONDS: Final = 300
"""Processor seconds a child may spend on one item."""
_AHEAD: Final = 3
"""Items that lie ready at a child while it works."""
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass
class _Child(Generic[Item]):
    """One process, and the items it was given and has not answered, the oldest first."""

    process: Any
    pipe: Connection
    given: deque[tuple[int, Item]] = field(default_factory=deque)

    def end(self) -> None:
        """End it, wherever it is."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Children(Generic[Item, Outcome]):
    """The children of one piece of work. ``work`` is a function that a child can import, ``lost`` what to say of an
    item that ended its child; ``preload`` names the modules that every child needs beside those that are here, which
    are imported once for all of them.
    """

    def __init__(
        self,
        work: Callable[[Item], Outcome],
        lost: Callable[[Item], Outcome],
        *,
        workers: int,
        preload: Sequence[str],
    ) -> None:
        self._work, self._lost, self._workers = work, lost, workers
        self._context = _context(preload)
        self._children: list[_Child[Item]] = []
        self._again: deque[tuple[int, Item]] = deque()
        self._fatal: set[int] = set()
        self._reached = 0

    def each(self, items: Iterator[Item]) -> Generator[Outcome, None, None]:
        """Give the outcome of each item, in their order; children end with this generator."""
        numbered = enumerate(items)
        ready: dict[int, Outcome] = {}
        due = 0
        try:
            while True:
                self._hand_out(numbered, due)
                if not any(child.given for child in self._children):
                    return
                ready.update(self._answers())
                while due in ready:
                    yield ready.pop(due)
                    due += 1
        finally:
            for child in self._children:
                child.end()
            self._children.clear()

    def _hand_out(self, numbered: Iterator[tuple[int, Item]], due: int) -> None:
        """Keep every child busy, and none so far ahead of the slowest that outcomes pile up."""
        while (entry := self._next(numbered, due)) is not None:
            child = self._free()
            if child is None:
                self._again.appendleft(entry)
                return
            child.given.append(entry)
            with suppress(BrokenPipeError, ConnectionResetError):  # it has ended, which its answer will tell
                child.pipe.send(entry[1])

    def _next(self, numbered: Iterator[tuple[int, Item]], due: int) -> tuple[int, Item] | None:
        if self._again:
            return self._again.popleft()
        if self._reached >= due + self._workers * _AHEAD * 4:
            return None
        entry = next(numbered, None)
        self._reached += entry is not None
        return entry

    def _free(self) -> _Child[Item] | None:
        """Give the child with the least to do, a new one where there may be one more; None where all have enough."""
        idle = any(not child.given for child in self._children)
        if not idle and len(self._children) < self._workers:
            self._children.append(self._start())
        child = min(self._children, key=lambda each: len(each.given))
        return child if len(child.given) < _AHEAD else None

    def _start(self) -> _Child[Item]:
        mine, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._work), daemon=True)
        process.start()
        theirs.close()
        return _Child(process, mine)

    def _answers(self) -> Iterator[tuple[int, Outcome]]:
        by_pipe = {child.pipe: child for child in self._children if child.given}
        for pipe in wait(list(by_pipe)):
            child = by_pipe[pipe]  # type: ignore[index]  # only those pipes were waited on
            try:
                outcome: Outcome = child.pipe.recv()
            except (EOFError, ConnectionResetError):
                yield from self._ended(child)
            else:
                yield child.given.popleft()[0], outcome

    def _ended(self, child: _Child[Item]) -> Iterator[tuple[int, Outcome]]:
        """Tell of the item that a child was at when it ended for the second time; the others are done again."""
        self._children.remove(child)
        child.end()
        number, item = child.given[0]
        if number in self._fatal:
            child.given.popleft()
            yield number, self._lost(item)
        self._fatal.add(number)
        self._again.extendleft(reversed(child.given))


def _context(preload: Sequence[str]) -> Any:
    """Choose how children begin: as this process is, or, where it has threads or lacks a module, from a clean one."""
    if not preload and threading.active_count() == 1:
        return get_context("fork")
    context = get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def _serve(pipe: Connection, work: Callable[[Item], Any]) -> None:
    """Answer items one by one until the parent closes the pipe; runs in a child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGPROF, _out_of_time)
    for limit, most in ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_AS, MEMORY + _MAPPED)):
        _soft, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            outcome = work(item)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send(outcome)


def allow_more_time() -> None:
    """Begin the time that an item may take anew: called in a child by work that is done in parts."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()  # waits on a pipe that closes however the parent ends
        os._exit(1)


def _out_of_time(_signal: int, _frame: FrameType | None) -> None:
    raise UnreadableObject("Reading it takes longer than the reader may take.")
