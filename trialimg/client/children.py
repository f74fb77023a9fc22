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
from contextlib import contextmanager, suppress
from functools import partial
from select import POLLIN, poll
from types import FrameType
from typing import Any, Final, Generic, Protocol, TypeVar

from trialimg.client.forked import Forked
from trialimg.errors import UnreadableObject

MEMORY: Final = 2 * 2**30
"""Bytes of memory a child may use."""
_MAPPED: Final = 64 * 2**30
"""Bytes of files that it may have mapped besides, which takes no memory: a film or a slide may have many gigabytes."""
SECONDS: Final = 300
"""Processor seconds a child may spend on one item."""
_OF_THE_PARENT: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that are the parent's to answer, which kills its children."""
_AHEAD: Final = 3
"""Items that lie ready at a child while it works."""
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class _Pipe(Protocol):
    """What objects go through to a child and back."""

    def send(self, item: Any, /) -> None:
        """Give an object to the other side."""

    def recv(self) -> Any:
        """Take an object from the other side; raises EOFError when it is gone."""

    def fileno(self) -> int:
        """Give what can be waited on."""

    def close(self) -> None:
        """Give up this side."""


class _Process(Protocol):
    def kill(self) -> None: ...

    def join(self) -> None: ...


class _Child(Generic[Item, Outcome]):
    """One process, and the items it was given and has not answered, the oldest first."""

    def __init__(self, process: _Process, pipe: _Pipe, read: Callable[[Any], Outcome]) -> None:
        self.process, self.pipe, self.read = process, pipe, read
        self.given: deque[tuple[int, Item]] = deque()

    def end(self) -> None:
        """See that it has ended, wherever it was."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Children(Generic[Item, Outcome]):
    """The children of one piece of work. ``work`` is a function that a child can import, ``lost`` what to say of an
    item that ended its child; ``preload`` names the modules that every child needs beside those that are here, which
    are imported once for all of them. ``reader`` gives, for each child, what makes an outcome of its answer, where an
    answer may refer to the one before.
    """

    def __init__(
        self,
        work: Callable[[Item], Any],
        lost: Callable[[Item], Outcome],
        *,
        workers: int,
        preload: Sequence[str],
        reader: Callable[[], Callable[[Any], Outcome]] = lambda: lambda answer: answer,
    ) -> None:
        self._work, self._lost, self._workers, self._reader = work, lost, workers, reader
        self._start = _begun_with(preload)
        self._children: list[_Child[Item, Outcome]] = []
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
                child.process.kill()  # all of them, and only then each is waited for
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

    def _free(self) -> _Child[Item, Outcome] | None:
        """Give the child with the least to do, a new one where there may be one more; None where all have enough."""
        idle = any(not child.given for child in self._children)
        if not idle and len(self._children) < self._workers:
            process, pipe = self._start(self._work, [child.pipe for child in self._children])
            self._children.append(_Child(process, pipe, self._reader()))
        child = min(self._children, key=lambda each: len(each.given))
        return child if len(child.given) < _AHEAD else None

    def _answers(self) -> Iterator[tuple[int, Outcome]]:
        by_pipe = {child.pipe.fileno(): child for child in self._children if child.given}
        waiting = poll()
        for pipe in by_pipe:
            waiting.register(pipe, POLLIN)
        for pipe, _what in waiting.poll():
            child = by_pipe[pipe]
            try:
                answer = child.pipe.recv()
            except (EOFError, ConnectionResetError):
                yield from self._ended(child)
            else:
                yield child.given.popleft()[0], child.read(answer)

    def _ended(self, child: _Child[Item, Outcome]) -> Iterator[tuple[int, Outcome]]:
        """Tell of the item that a child was at when it ended for the second time; the others are done again."""
        self._children.remove(child)
        child.end()
        number, item = child.given[0]
        if number in self._fatal:
            child.given.popleft()
            yield number, self._lost(item)
        self._fatal.add(number)
        self._again.extendleft(reversed(child.given))


_Start = Callable[[Callable[[Any], Any], list[Any]], tuple[_Process, _Pipe]]
"""Begins a child that does a work; it does not keep the pipes to the others open."""


def _begun_with(preload: Sequence[str]) -> _Start:
    """Choose how children begin: as this process is, or, where it has threads or lacks a module, from a clean one."""
    if not preload and threading.active_count() == 1:
        return _as_it_is
    from multiprocessing import get_context, resource_tracker  # as costly to load as all of the engine
    from multiprocessing.forkserver import ensure_running

    context = get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    resource_tracker.ensure_running()  # which would let signals through again
    with _undisturbed():
        ensure_running()  # what begins children never hears of a signal, not even while it loads; it ends with us

    def clean(work: Callable[[Any], Any], _others: list[Any]) -> tuple[_Process, _Pipe]:
        mine, theirs = context.Pipe()
        process = context.Process(target=_serve_clean, args=(theirs, work), daemon=True)
        try:
            with _undisturbed():
                process.start()  # half a message would be told of by the child
        except BaseException:
            if process.is_alive():
                process.kill()
            raise
        theirs.close()
        return process, mine

    return clean


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Answer a signal that comes meanwhile when this is done; what is begun meanwhile never hears of one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_PARENT)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _as_it_is(work: Callable[[Any], Any], others: list[Any]) -> tuple[_Process, _Pipe]:
    process = Forked(lambda pipe: _serve(pipe, work, pipe.wait_for_the_end), others)
    return process, process.pipe


def _serve_clean(pipe: _Pipe, work: Callable[[Any], Any]) -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    _serve(pipe, work, parent.join if parent is not None else lambda: None)


def _serve(pipe: _Pipe, work: Callable[[Any], Any], parent_ended: Callable[[], None]) -> None:
    """Answer items one by one until the parent closes the pipe; runs in a child."""
    for how in _OF_THE_PARENT:
        signal.signal(how, signal.SIG_IGN)
    threading.Thread(target=partial(_end_with_parent, parent_ended), daemon=True).start()
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


def _end_with_parent(parent_ended: Callable[[], None]) -> None:
    parent_ended()  # waits on a pipe that closes however the parent ends
    os._exit(1)


def _out_of_time(_signal: int, _frame: FrameType | None) -> None:
    raise UnreadableObject("Reading it takes longer than the reader may take.")
