"""The door for time: runs the jobs that are due, in this process on SQLite, by procrastinate on PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import procrastinate
import psycopg
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from trialimg.casework.services import EXTENSION
from trialimg.pipeline.reconcile import adopt_orphans, periodic, ready_jobs
from trialimg.pipeline.steps import run
from trialimg.pipeline.work import stopping
from trialimg.reporting.export import destroy_old
from trialimg.reporting.steps import DOCUMENT_STEPS
from trialimg.settings import Settings
from trialimg.store.base import db
from trialimg.store.job import TASK, WAITING, Job

log = logging.getLogger("trialimg.worker")

QUEUES: Final = ("images", "pixels", "documents")
HOUSEKEEPING: Final = "housekeeping"
PERIOD_SECONDS: Final = 60.0
STALLED_SECONDS: Final = 60.0
"""A worker on PostgreSQL that was silent for so long is dead; longer than a job's lease, which must be over by then."""
_LOOK_SECONDS: Final = 1.0
_EMBEDDED: Final = "trialimg_worker"
_Lane = tuple[str, ...]
_LANES: Final[tuple[_Lane, _Lane]] = (tuple(queue for queue in QUEUES if queue != "pixels"), ("pixels",))
"""The queues of each thread of the embedded worker."""
_AT_ONCE: Final = 2  # one long step must not keep housekeeping, or another submission, waiting


class Embedded:
    """The only worker of an installation on SQLite: two threads, and a file lock that says there is one.

    The search for text in held pixels takes seconds for each image, so it has a thread beside the one of all else.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._wakes = {lane: threading.Event() for lane in _LANES}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._live, name="trialimg-worker", daemon=True)

    def start(self) -> None:
        """Start the thread; where another process has the lock, wait for it to end."""
        stopping.clear()
        self._app.extensions["trialimg_wake"] = self._wake
        self._app.extensions["trialimg_worker_alive"] = self._thread.is_alive
        self._thread.start()

    def stop(self) -> None:
        """Let the step that runs put itself back, and end the thread."""
        self._end.set()
        stopping.set()
        self._wake()
        self._thread.join()
        stopping.clear()

    def _wake(self) -> None:
        for wake in self._wakes.values():
            wake.set()

    def _live(self) -> None:
        while not self._end.is_set():
            with _only_one(_settings(self._app)) as alone:
                if alone:
                    self._work()
            self._end.wait(_LOOK_SECONDS)

    def _work(self) -> None:
        with self._app.app_context():
            _guarded(adopt_orphans)
        main, pixels = _LANES
        beside = threading.Thread(target=self._take, args=(pixels,), name="trialimg-worker-pixels", daemon=True)
        beside.start()
        last = 0.0
        while not self._end.is_set():
            if not last or time.monotonic() - last >= PERIOD_SECONDS:
                with self._app.app_context():
                    _guarded(periodic)
                    _guarded(destroy_old)
                last = time.monotonic()
            self._turn(main)
        beside.join()

    def _take(self, lane: _Lane) -> None:
        while not self._end.is_set():
            self._turn(lane)

    def _turn(self, lane: _Lane) -> None:
        self._wakes[lane].clear()
        if not _guarded(lambda: self._round(lane)):
            self._wakes[lane].wait(_LOOK_SECONDS)

    def _round(self, lane: _Lane) -> bool:
        """Run what is due in one lane; say whether anything was."""
        with self._app.app_context():
            found = ready_jobs(queues=lane)
        ran = False
        for key in found:
            if self._end.is_set():
                return True
            with self._app.app_context():
                ran = run(key, DOCUMENT_STEPS) or ran
        return ran


def start_embedded(app: Flask) -> None:
    """Run the worker in this process, which serves the application; for SQLite."""
    worker = Embedded(app)
    app.extensions[_EMBEDDED] = worker
    worker.start()


def stop_embedded(app: Flask) -> None:
    """End the worker of this process, if there is one; what it was at goes on at the next start."""
    worker = app.extensions.pop(_EMBEDDED, None)
    if isinstance(worker, Embedded):
        worker.stop()


def run_until_idle(app: Flask, *, patience: float = 0.0) -> int:
    """Run jobs here until none is due, or will be within ``patience`` seconds; gives how many were run.

    For tests, seeding and benches, where no other worker runs.
    """
    until, count = time.monotonic() + patience, 0
    while True:
        with app.app_context():
            found = ready_jobs()
            waiting = db.session.scalar(select(func.count()).select_from(Job).where(Job.state == WAITING))
        ran = 0
        for key in found:
            with app.app_context():
                ran += run(key, DOCUMENT_STEPS)
        count += ran
        if not ran and (not waiting or time.monotonic() >= until):
            return count
        if not ran:
            time.sleep(0.05)


def run_worker(app: Flask, *, queues: Sequence[str] = ()) -> None:
    """Run jobs until SIGTERM or SIGINT: any number of these on PostgreSQL, one on SQLite."""
    settings = _settings(app)
    if settings.on_postgresql:
        asyncio.run(_run_engine(app, settings, [*(queues or QUEUES), HOUSEKEEPING]))
        return
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    worker = Embedded(app)
    worker.start()
    end.wait()
    worker.stop()


def make_engine(app: Flask, settings: Settings) -> procrastinate.App:
    """Make the engine on PostgreSQL, with the task that runs a job and those that keep the house in order."""
    url = make_url(settings.effective_database_url).set(drivername="postgresql")
    connector = procrastinate.PsycopgConnector(conninfo=url.render_as_string(hide_password=False))
    engine = procrastinate.App(connector=connector)

    @engine.task(name=TASK)
    def run_job(job_id: str) -> None:
        with app.app_context():
            run(job_id, DOCUMENT_STEPS)

    @engine.periodic(cron="* * * * *")
    @engine.task(name="trialimg.periodic", queue=HOUSEKEEPING, queueing_lock="trialimg.periodic")
    def keep_house(timestamp: int) -> None:
        del timestamp
        with app.app_context():
            periodic()
            _guarded(destroy_old)

    return engine


async def _run_engine(app: Flask, settings: Settings, queues: list[str]) -> None:
    """Keep a worker running until asked to end, also over a data base that is away for a while."""
    end = asyncio.Event()

    def ask_to_end() -> None:
        stopping.set()
        end.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask_to_end)
    while not end.is_set():
        engine = make_engine(app, settings)
        try:
            async with engine.open_async():
                await _work_until(engine, queues, end)
        except (psycopg.Error, procrastinate.exceptions.ConnectorException) as error:
            log.warning("the data base cannot be reached: %s; trying again", type(error).__name__)
        if not end.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(end.wait(), 2)


async def _work_until(engine: procrastinate.App, queues: list[str], end: asyncio.Event) -> None:
    work = asyncio.create_task(
        engine.run_worker_async(
            queues=queues,
            concurrency=_AT_ONCE,
            install_signal_handlers=False,
            delete_jobs="successful",
            update_heartbeat_interval=STALLED_SECONDS / 3,
            stalled_worker_timeout=STALLED_SECONDS,
        )
    )
    others = [asyncio.create_task(end.wait()), asyncio.create_task(_retry_stalled(engine))]
    await asyncio.wait([work, *others], return_when=asyncio.FIRST_COMPLETED)
    for task in (work, *others):
        task.cancel()
    results: list[Any] = await asyncio.gather(work, *others, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _retry_stalled(engine: procrastinate.App) -> None:
    """Let another worker take up what a dead one was at: the engine leaves this to us."""
    while True:
        await asyncio.sleep(STALLED_SECONDS / 3)
        for job in await engine.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
            await engine.job_manager.retry_job(job)


def _settings(app: Flask) -> Settings:
    settings = app.extensions[EXTENSION].settings
    assert isinstance(settings, Settings)
    return settings


@contextlib.contextmanager
def _only_one(settings: Settings) -> Any:
    """Take the lock of the data folder; gives whether it was free. It ends with the process, however that ends."""
    handle = os.open(settings.worker_lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _guarded(act: Any) -> bool:
    """Do something whose failure must not end the worker."""
    try:
        return bool(act())
    except Exception as error:  # noqa: BLE001 (the data base may be busy or away; the next round tries again)
        log.warning("a round of the worker failed: %s", type(error).__name__)
        return False
