"""Pages laid out in processes of their own that serve several documents each, as many at once as cores are free.

A child is replaced after some documents, or when it has needed much memory, which comes back only with its end; so
no process grows with the length of a history or with the number of subjects.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from trialimg.errors import Misconfigured, OurFault
from trialimg.reporting.child import PATIENCE, answer_in, question, start
from trialimg.settings import Settings

_PAGES_SECONDS: Final = 600
_MOST_DOCUMENTS: Final = 25
_MOST_MEMORY_KIB: Final = 200 * 1024
_MOST_AT_ONCE: Final = 2


@dataclass
class Pending:
    """A document that a child lays out, or has laid out."""

    source: Path
    target: Path
    then: Callable[[Pending], None]
    answer: dict[str, Any] | None = None

    @property
    def pages(self) -> int:
        """Give the number of its pages; 0 where it is not laid out, or could not be."""
        return int((self.answer or {}).get("done", {}).get("pages", 0))


@dataclass
class _Child:
    """One process with the document it is at."""

    settings: Settings
    served: int = 0
    pending: Pending | None = None
    until: float = 0.0
    tired: bool = False

    def __post_init__(self) -> None:
        self.process = start(self.settings)

    def ask(self, pending: Pending) -> None:
        """Give it a document; where it has ended meanwhile, that is its answer."""
        asked = {"do": "pages", "source": str(pending.source), "target": str(pending.target)}
        self.pending, self.until = pending, time.monotonic() + _PAGES_SECONDS * PATIENCE
        self.served += 1
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(question(self.settings, asked, _PAGES_SECONDS))
            self.process.stdin.flush()
        except BrokenPipeError:
            self.tired = True

    def take(self) -> Pending:
        """Read its answer, which is there or never comes."""
        assert self.process.stdout is not None
        assert self.pending is not None
        pending, self.pending = self.pending, None
        pending.answer = answer_in(self.process.stdout.readline())
        pending.source.unlink(missing_ok=True)
        grown = pending.answer.get("memory", 0) > _MOST_MEMORY_KIB
        self.tired = self.tired or grown or not pending.answer or self.served >= _MOST_DOCUMENTS
        return pending

    def end(self) -> None:
        """End it, wherever it is."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue
        if self.pending is not None:
            self.pending.source.unlink(missing_ok=True)


@dataclass
class Typesetter:
    """The children of one export; a context manager, of one thread."""

    settings: Settings
    at_once: int = field(default_factory=lambda: min(_MOST_AT_ONCE, len(os.sched_getaffinity(0))))
    _children: list[_Child] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._children:
            self._children.pop().end()

    def begin(self, html: str, target: Path, then: Callable[[Pending], None] = lambda _: None) -> Pending:
        """Have a page laid out as PDF, waiting while all children are busy; ``then`` is called when it is answered."""
        pending = Pending(target.with_suffix(".html"), target, then)
        pending.source.write_text(html, "utf-8")
        self._free().ask(pending)
        return pending

    def pages(self, pending: Pending) -> int:
        """Wait for a document and give the number of its pages; raises :class:`OurFault` where it failed."""
        answer = self.answer(pending)
        if answer.get("failed") == "OSError":
            raise Misconfigured(
                "Documents cannot be made on this machine: the library Pango is missing or broken, or the disk is full."
                " On Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0; then try again."
            )
        if "done" not in answer:
            raise OurFault(f"A document could not be laid out ({answer.get('failed', 'the process ended')}).")
        return pending.pages

    def answer(self, pending: Pending) -> dict[str, Any]:
        """Wait for a document and give what the child says of it, good or bad."""
        while pending.answer is None:
            self._wait()
        return pending.answer

    def _free(self) -> _Child:
        """Give a child that has nothing to do, a new one where there may be one more."""
        while True:
            for child in self._children:
                if child.pending is None:
                    return child
            if len(self._children) < self.at_once:
                self._children.append(_Child(self.settings))
                return self._children[-1]
            self._wait()

    def _wait(self) -> None:
        """Wait until a child answers or has had its time, and take what it answered."""
        busy = [child for child in self._children if child.pending is not None]
        seconds = max(0.0, min(child.until for child in busy) - time.monotonic())
        with selectors.DefaultSelector() as selector:
            for child in busy:
                assert child.process.stdout is not None
                selector.register(child.process.stdout, selectors.EVENT_READ, child)
            ready: list[_Child] = [key.data for key, _ in selector.select(seconds)]
        if not ready:
            for child in busy:
                if child.until <= time.monotonic():
                    child.process.kill()  # its answer is then that it ended
        told = [child.take() for child in ready]
        for child in [each for each in ready if each.tired]:
            self._children.remove(child)
            child.end()
        for pending in told:
            pending.then(pending)
