"""One start of one job: its heartbeat, its progress, and how it learns that it is no longer wanted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from flask import Flask, current_app

from trialimg.casework.services import Services
from trialimg.store.base import db, utc_now
from trialimg.store.job import Interrupted, Superseded, beat
from trialimg.store.unit_of_work import Actor, UnitOfWork, unit_of_work

log = logging.getLogger("trialimg.pipeline")

WORKER: Final = Actor("worker")
"""Who acts when no person does."""

BEAT_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 1.0

stopping: Final = threading.Event()
"""Set when this process was asked to end: steps stop at their next progress and are taken up by another."""

Finish = Callable[[UnitOfWork], None]
"""What a step found out, to be written in the transaction that ends its job."""


@dataclass
class Work:
    """A started job as its step sees it."""

    services: Services
    job_id: str
    attempt: int
    step: str
    trial_id: str | None
    submission_id: str
    study_id: str
    asked_by: str = ""
    _progress: tuple[int, int] | None = None
    _lost: threading.Event = field(default_factory=threading.Event)

    def progress(self, done: int, total: int) -> None:
        """Tell how far it is; raises Superseded or Interrupted where the step must stop."""
        self._progress = (done, total)
        self.go_on()

    def go_on(self) -> None:
        """Return while the step is still wanted; raises Superseded or Interrupted."""
        if self._lost.is_set():
            raise Superseded
        if stopping.is_set():
            raise Interrupted


@contextmanager
def heartbeat(work: Work) -> Iterator[None]:
    """Let a thread say that this worker lives, and report progress, while the step runs."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy, typed as the app
    end = threading.Event()
    thread = threading.Thread(target=_beat, args=(app, work, end), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _beat(app: Flask, work: Work, end: threading.Event) -> None:
    told, last = work._progress, time.monotonic()
    while not end.wait(_LOOK_SECONDS):
        progress = work._progress
        if progress == told and time.monotonic() - last < BEAT_SECONDS:
            continue
        try:
            with app.app_context():
                alive = _tell(work, progress)
        except Exception as error:  # noqa: BLE001 (a busy data base must not end the heartbeat)
            log.warning("a heartbeat could not be written: %s", type(error).__name__)
            continue
        told, last = progress, time.monotonic()
        if not alive:
            work._lost.set()
            return


def _tell(work: Work, progress: tuple[int, int] | None) -> bool:
    try:
        with unit_of_work(WORKER, "heartbeat") as uow:
            return beat(uow.session, work.job_id, work.attempt, utc_now(), progress)
    finally:
        db.session.remove()
