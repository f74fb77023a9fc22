"""The pages that list reads ask the data base a handful of times, however many subjects are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from tests.casework.reading_bed import UID, ReadingBed, bed
from trialimg.casework.read_list import trial_reads
from trialimg.casework.read_page import worklist
from trialimg.store.base import db

__all__ = ["bed"]
SUBJECTS = 4


@contextmanager
def counted() -> Iterator[list[str]]:
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.startswith("PRAGMA"):
            asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


PAGES: dict[str, Callable[[ReadingBed], object]] = {
    "worklist": lambda bed: worklist(bed.person()),
    "team": lambda bed: trial_reads(bed.person("data-manager"), bed.world.trial),
}


@pytest.mark.parametrize("page", PAGES)
def test_no_query_is_asked_for_each_subject_or_read(bed: ReadingBed, page: str) -> None:
    asked = []
    for at in range(SUBJECTS):
        one = bed if not at else ReadingBed(bed.world, bed.world.subject("101"), f"{UID}{at}")
        one.link("SCR")
        one.link("W8")
        if at in {0, SUBJECTS - 1}:
            person = PAGES[page]
            person(bed)
            with bed.world.acting("data-manager") as uow:
                uow.note("looked", "trial", bed.world.trial_id)  # nothing that was worked out before is kept
            db.session.rollback()
            db.session.expunge_all()
            with counted() as statements:
                person(bed)
            asked.append(len(statements))
    assert asked[0] == asked[1], "the same questions for four subjects as for one"
    assert 6 < asked[1] < 25
