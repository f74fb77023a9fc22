"""SQLite's log of changes stays small whatever is read while there is writing: a disk is not filled by it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy import select, text

from trialimg.settings import Settings
from trialimg.store.base import LOG_LIMIT, cut_log, db
from trialimg.store.trial import Trial
from trialimg.store.unit_of_work import Actor, unit_of_work

WHO = Actor("tester@trial.example")
ROUNDS, EACH = 60, 40_000


def size(settings: Settings) -> int:
    return Path(f"{settings.data}/trialimg.sqlite-wal").stat().st_size


def write(number: int, length: int = EACH) -> None:
    with unit_of_work(WHO, "a test") as uow:
        uow.session.add(Trial(code=f"T{number}", title="A" * length))


@contextmanager
def always_read(app: Flask, after: threading.Event) -> Iterator[None]:
    """Hold a reading transaction, on a thread of its own, that sees what is true now until ``after``."""
    begun = threading.Event()

    def read() -> None:
        with app.app_context():
            db.session.scalars(select(Trial.code)).all()
            begun.set()
            after.wait(30)
            db.session.remove()

    thread = threading.Thread(target=read)
    thread.start()
    assert begun.wait(30)
    try:
        yield
    finally:
        after.set()
        thread.join()


def test_a_log_stays_small_where_pages_are_read_between_and_before_all_writes(context: Flask, settings: Settings) -> None:
    for number in range(ROUNDS):
        db.session.scalars(select(Trial.code)).all()
        write(number)
    assert ROUNDS * EACH * 4 > LOG_LIMIT  # every title lies in its row and in the trail, each with its pages
    assert size(settings) < LOG_LIMIT


def test_a_log_that_one_large_write_made_is_cut_back_by_the_next_ones(context: Flask, settings: Settings) -> None:
    write(0, 3 * LOG_LIMIT)
    assert size(settings) > 3 * LOG_LIMIT
    write(1)
    write(2)
    assert size(settings) <= LOG_LIMIT


def test_a_log_that_readers_kept_from_being_emptied_is_cut_by_what_time_brings(context: Flask, settings: Settings) -> None:
    first, second = threading.Event(), threading.Event()
    with always_read(context, first):
        write(0, 2 * LOG_LIMIT)
        with always_read(context, second):
            first.set()
            write(1)
    assert size(settings) > LOG_LIMIT
    cut_log()
    assert size(settings) == 0
    assert db.session.scalar(select(Trial.code).where(Trial.code == "T1")) == "T1"


def test_a_log_that_is_being_read_is_left_to_the_next_time_and_a_write_waits_as_long_as_before(
    context: Flask, settings: Settings
) -> None:
    with always_read(context, threading.Event()):
        write(0, 2 * LOG_LIMIT)
        cut_log()
        assert size(settings) > LOG_LIMIT
        write(1)
    assert db.session.execute(text("SELECT timeout FROM pragma_busy_timeout")).scalar() == 15_000
