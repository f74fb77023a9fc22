"""What is kept while the record stands still: never older than the record, never another's, worked out once."""

import threading
from datetime import timedelta

import pytest
from flask import current_app

from tests.casework.bed import Bed, lay
from tests.casework.test_casebook import acting, screened
from trialimg.casework.casebook import subject_grid
from trialimg.casework.enrolment import date_visit
from trialimg.casework.standstill import Standstill
from trialimg.casework.worklist import my_work
from trialimg.errors import NotFound
from trialimg.store.base import db, utc_now
from trialimg.store.unit_of_work import Actor, unit_of_work


@pytest.fixture
def bed(context) -> Bed:
    return lay()


class Count:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return self.asked


def write(chain: str | None) -> None:
    with unit_of_work(Actor("somebody"), "a change", trial_id=chain) as uow:
        uow.note("looked", "trial", "x")
    db.session.rollback()


def refuse_to_commit(bed: Bed) -> None:
    with unit_of_work(Actor("somebody"), "a change", trial_id=bed.trial_id) as uow:
        uow.note("looked", "trial", "x")
        raise RuntimeError


def test_an_answer_is_kept_while_nothing_is_written(bed):
    kept, make = Standstill(most=4), Count()
    assert [kept.get("key", make) for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("chain", ["the trial's", "the system's"])
def test_a_change_on_any_chain_ends_what_was_kept(bed, chain):
    kept, make = Standstill(most=4), Count()
    kept.get("key", make)
    write(bed.trial_id if chain == "the trial's" else None)
    assert kept.get("key", make) == 2


def test_a_change_that_was_not_committed_ends_nothing(bed):
    kept, make = Standstill(most=4), Count()
    kept.get("key", make)
    with pytest.raises(RuntimeError):
        refuse_to_commit(bed)
    db.session.rollback()
    assert kept.get("key", make) == 1


def test_another_key_is_another_answer_and_the_oldest_goes(bed):
    kept, make = Standstill(most=2), Count()
    assert [kept.get(key, make) for key in ("a", "b", "a", "c", "a", "b")] == [1, 2, 1, 3, 1, 4]


def test_an_error_is_not_kept(bed):
    kept, make = Standstill(most=2), Count()

    def refuse() -> int:
        raise NotFound

    with pytest.raises(NotFound):
        kept.get("key", refuse)
    assert kept.get("key", make) == 1


def test_many_at_once_work_it_out_once(bed):
    kept, make, found = Standstill(most=2), Count(), []
    app, begin = current_app._get_current_object(), threading.Event()

    def ask() -> None:
        with app.app_context():
            begin.wait(10)
            found.append(kept.get("key", make))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for each in threads:
        each.start()
    begin.set()
    for each in threads:
        each.join(30)
    assert (found, make.asked) == ([1] * 6, 1)


def test_a_grid_and_a_worklist_show_what_was_just_written(bed):
    number = screened(bed, 100)
    db.session.rollback()
    before = subject_grid(bed.coordinator, bed.code), my_work(bed.coordinator)
    with acting(bed) as uow:
        date_visit(uow, bed.visit(number, "W8").visit_id, utc_now().date() - timedelta(days=44), 0)
    after = subject_grid(bed.coordinator, bed.code), my_work(bed.coordinator)
    assert [grid.subjects[0].visits[1].state for grid in (before[0], after[0])] == ["overdue", "in_progress"]
    assert before[1].items[0].state == "overdue"
    assert "overdue" not in dict(after[1].counts)


def test_a_new_day_is_judged_anew(bed, monkeypatch):
    screened(bed, 63)
    db.session.rollback()
    assert subject_grid(bed.coordinator, bed.code).subjects[0].visits[1].state == "due"
    tomorrow = utc_now() + timedelta(days=1)
    for module in ("casebook", "overview", "overview_rows"):
        monkeypatch.setattr(f"trialimg.casework.{module}.utc_now", lambda: tomorrow)
    assert subject_grid(bed.coordinator, bed.code).subjects[0].visits[1].state == "overdue"
