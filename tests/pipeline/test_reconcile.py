from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.pipeline.bed import Bed, FakeArchive
from tests.pipeline.test_steps import change, confirmed, the_job
from trialimg.casework.services import services
from trialimg.casework.submission import outbox, quarantine
from trialimg.casework.trail import verify
from trialimg.domain.submission import Stage
from trialimg.pipeline import intake, reconcile
from trialimg.store.base import db, utc_now
from trialimg.store.job import told_to_engine

on_postgresql = pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.postgresql)])


def queue(statement: str) -> list[object]:
    with db.engine.begin() as connection:
        found = connection.execute(text(statement))
        return list(found.scalars()) if found.returns_rows else []


@on_postgresql
def test_an_emptied_queue_loses_nothing(bed: Bed, ct: list[Path], engine: str) -> None:
    key = confirmed(bed, ct)
    job = the_job(bed, key)
    assert job.id in told_to_engine(db.session())
    db.session.rollback()
    queue("DELETE FROM procrastinate_events")
    queue("DELETE FROM procrastinate_jobs")
    assert reconcile.announce_due() == 1
    assert reconcile.announce_due() == 0, "it was told already"
    assert job.id in told_to_engine(db.session())
    db.session.rollback()


@on_postgresql
def test_a_job_and_its_row_are_committed_or_lost_together(bed: Bed, ct: list[Path], engine: str) -> None:
    key = bed.start()
    count = bed.send(key, ct)
    before = queue("SELECT id FROM procrastinate_jobs")

    def announce_and_fail() -> None:
        with bed.world.acting("coordinator-101") as uow:
            intake.announce(uow, key, count)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        announce_and_fail()
    assert (bed.stage(key), bed.jobs(key)) == (Stage.RECEIVING, [])
    assert queue("SELECT id FROM procrastinate_jobs") == before


@on_postgresql
def test_a_job_that_waits_is_told_to_the_engine_for_its_time(
    bed: Bed, ct: list[Path], archive: FakeArchive, engine: str
) -> None:
    archive.goes_down()
    key = confirmed(bed, ct)
    bed.run()
    job = the_job(bed, key)
    wanted = f"SELECT scheduled_at FROM procrastinate_jobs WHERE args->>'job_id' = '{job.id}' ORDER BY id DESC LIMIT 1"
    assert queue(wanted) == [job.due]


def test_a_periodic_act_that_fails_keeps_no_other_from_being_done(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def burst() -> None:
        raise ValueError("Meier^Anna")

    monkeypatch.setattr(reconcile, "announce_due", burst)
    stray = services().vault.area("outbox/nobody")
    stray.put_bytes(b"x")
    reconcile.periodic()
    assert stray.listing() == []
    assert "ValueError" in caplog.text
    assert "Meier" not in caplog.text


def test_bytes_left_by_a_crash_after_the_commit_are_swept(
    bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("trialimg.casework.submission.tidy", lambda key: None)
        key = bed.link(ct)
    assert quarantine(key).listing()
    assert outbox(key).listing()
    reconcile.periodic()
    assert (quarantine(key).listing(), outbox(key).listing(), quarantine(key).notes()) == ([], [], [])


def test_a_sweep_in_the_middle_takes_nothing_that_is_needed(bed: Bed, ct: list[Path]) -> None:
    key = bed.start()
    bed.announce(key, bed.send(key, ct))
    reconcile.periodic()
    bed.run()
    reconcile.periodic()
    bed.confirm(key)
    while bed.stage(key) is not Stage.LINKED:
        reconcile.periodic()
        job = the_job(bed, key)
        from trialimg.pipeline.steps import run

        assert run(job.id)
    reconcile.periodic()
    assert bed.studies()[0].instance_count == len(ct)


def test_a_refusal_tells_the_names_of_files_for_a_day_and_then_no_more(bed: Bed) -> None:
    from trialimg.casework.submission import load
    from trialimg.store.unit_of_work import unit_of_work

    key = bed.survey([("holiday.txt", b"no image at all, sorry")])
    assert bed.stage(key) is Stage.REFUSED
    reconcile.periodic()
    assert bed.summary(key).objects[0].name == "holiday.txt"
    with unit_of_work(bed.actor, "time passes", trial_id=bed.world.trial_id) as uow:
        load(uow, key).stage_since = uow.at - timedelta(hours=25)
    reconcile.periodic()
    assert quarantine(key).notes() == []


def test_the_trail_is_whole_after_a_day_at_work(bed: Bed, ct: list[Path]) -> None:
    bed.link(ct)
    bed.cancel(bed.survey(ct, bed.slot("W8")))
    reconcile.periodic()
    result = verify(services())
    assert not result.faults, result


def test_an_overdue_job_is_run_whoever_forgot_it(bed: Bed, ct: list[Path]) -> None:
    key = confirmed(bed, ct)
    change(bed, the_job(bed, key), due=utc_now() - timedelta(days=30))
    assert the_job(bed, key).id in reconcile.ready_jobs()
    db.session.rollback()
