"""Processes that look at bytes nobody has checked: with limits, killed with their parent, replaced when they die.

A child runs :mod:`trialimg.pipeline.inside`. It is asked and answers in JSON lines over pipes; keys go to it that
way too, never by its command line or environment. What it writes to standard error is thrown away: it may name a
patient.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from trialimg.errors import NoSpace, OurFault
from trialimg.settings import Settings

log = logging.getLogger("trialimg.pipeline")

Json = dict[str, Any]
_PACKAGE: Final = Path(__file__).resolve().parents[2]
_PIECE: Final = 1 << 16
_GRACE_SECONDS: Final = 30.0
_PATIENCE: Final = 4.0  # seconds on the wall for each second of the processor, on a machine that is busy
_DETECTOR_MB: Final = 1280
_DIED: Final = {
    "code": "image.unreadable",
    "sentence": (
        "Looking at this file took more memory or time than is allowed, so it was given up: it is damaged, made to "
        "do harm, or larger than this installation can take. Export it again from the scanner; if that does not "
        "help, send it to the operator of this installation on another way."
    ),
}


@dataclass(frozen=True)
class Limits:
    """What one child may use: ``memory`` in bytes, ``seconds`` of the processor for one object."""

    memory: int
    seconds: int

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Give the limits that the settings name."""
        return cls(settings.child_memory_mb * 2**20, settings.child_cpu_seconds)

    @classmethod
    def to_find_text(cls, settings: Settings) -> Limits:
        """Give those of a child that seeks text in pictures: the detector alone takes 0.8 GB of address space."""
        return cls(max(settings.child_memory_mb, _DETECTOR_MB) * 2**20, max(settings.child_cpu_seconds, 120))


class Died(Exception):
    """The child ended, or had to be ended, while it was at work on one object."""


class Killed(Died):
    """The child was killed by another hand: by a system short of memory, or an operator. No file need be to blame."""


class Child:
    """One child process, set up for one piece of work; use it as a context manager."""

    def __init__(self, setup: Mapping[str, Any], limits: Limits) -> None:
        self._setup = {**setup, "memory": limits.memory, "seconds": limits.seconds}
        self._wall = limits.seconds * _PATIENCE + _GRACE_SECONDS
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: Json) -> Json:
        """Hand over one request and wait for its answer; raises Died, after which the next one gets a new child.

        Raises OurFault when a child cannot even start, Killed (a Died) where another hand killed it.
        """
        process = self._process or self._start()
        try:
            _write(process, request)
            return self._answer(process)
        except (BrokenPipeError, Died, ValueError):
            killed = _is_killed(process)
            self.close()
            raise (Killed if killed else Died) from None

    def close(self) -> None:
        """End the child and all it may have started."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        # Nothing of our environment goes along: it may hold passwords.
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(_PACKAGE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
            "OPENBLAS_NUM_THREADS": "1",  # its threads would take address space we count
            "MALLOC_ARENA_MAX": "2",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "trialimg.pipeline.inside"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
        self._process, self._rest = process, b""
        try:
            _write(process, {**self._setup, "parent": os.getpid()})
            self._answer(process)
        except (BrokenPipeError, Died, ValueError):
            # It was given no file yet, so no file is to blame: one that takes the blame would be destroyed.
            self.close()
            raise OurFault(
                "A child process that looks at images could not start, so none was looked at; none is lost. The "
                "operator must look: most often the program was replaced while it ran and must be started again."
            ) from None
        return process

    def _answer(self, process: subprocess.Popen[bytes]) -> Json:
        assert process.stdout is not None
        until = time.monotonic() + self._wall
        pieces = [self._rest]
        while b"\n" not in pieces[-1]:
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))
            piece = os.read(process.stdout.fileno(), _PIECE) if ready else b""
            if not piece:
                raise Died
            pieces.append(piece)
        line, _, self._rest = b"".join(pieces).partition(b"\n")
        answer = json.loads(line)
        if answer.get("alive"):  # a long piece of work, such as a large zip, says that it goes on
            return self._answer(process)
        return dict(answer)


def _is_killed(process: subprocess.Popen[bytes]) -> bool:
    """Say whether a child that ended was killed: limits of memory and time end it otherwise."""
    try:
        return process.wait(timeout=1) == -signal.SIGKILL
    except subprocess.TimeoutExpired:
        return False  # it hangs


def _write(process: subprocess.Popen[bytes], message: Mapping[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()


def ask_each(
    requests: Iterable[Json], setup: Mapping[str, Any], limits: Limits, *, children: int | None = None
) -> Iterator[tuple[Json, Json]]:
    """Give every request with its answer, in the order in which they are done, from several long-lived children.

    An answer has ``done`` (what was asked for) or ``refused`` (code and sentence, also where the child died of it, or
    the engine failed on this one, which is logged).
    Raises NoSpace when the disk is full, OurFault when a child cannot even start.
    """
    waiting = list(requests)
    todo: queue.SimpleQueue[Json] = queue.SimpleQueue()
    for request in waiting:
        todo.put(request)
    done: queue.SimpleQueue[tuple[Json, Json] | BaseException] = queue.SimpleQueue()
    end = threading.Event()
    count = min(children or os.cpu_count() or 1, len(waiting))
    threads = [
        threading.Thread(target=_serve, args=(todo, done, end, setup, limits), name=f"child-{n}", daemon=True)
        for n in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in waiting:
            answered = done.get()
            if isinstance(answered, BaseException):
                raise answered
            yield answered
    finally:
        end.set()
        for thread in threads:
            thread.join()


def _serve(
    todo: queue.SimpleQueue[Json],
    done: queue.SimpleQueue[tuple[Json, Json] | BaseException],
    end: threading.Event,
    setup: Mapping[str, Any],
    limits: Limits,
) -> None:
    # The child is made in the thread that asks it: it is killed when the thread that made it ends.
    with Child(setup, limits) as child:
        while not end.is_set():
            try:
                request = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((request, _checked(child.ask, request)))
            except Exception as error:  # noqa: BLE001 (it is raised where the answers are read)
                done.put(error)
                return


def _checked(ask: Callable[[Json], Json], request: Json) -> Json:
    try:
        try:
            answer = ask(request)
        except Killed:
            answer = ask(request)  # once more: a file that is refused is destroyed, and this one may be innocent
    except Died:
        return {"refused": _DIED}
    if "full" in answer:
        raise NoSpace(str(answer["full"]))
    if "fault" in answer and "refused" in answer:
        log.error("a fault of ours on one file, which was refused: %s", answer["fault"])
    elif "fault" in answer:
        raise OurFault(f"A child process could not do its work ({answer['fault']}). The operator must look.")
    return answer
