"""The promises of a job: fenced, repeatable, three outcomes only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.pipeline.bed import Bed, FakeArchive
from trialimg.casework import imaging
from trialimg.casework.access import submission_place
from trialimg.casework.submission import load
from trialimg.domain.submission import Outcome, Stage, Step
from trialimg.errors import Held, TryLater
from trialimg.pipeline import steps, work
from trialimg.pipeline.reconcile import adopt_orphans, ready_jobs
from trialimg.pipeline.work import Finish, Work
from trialimg.store import job as jobs
from trialimg.store import unit_of_work as uow_module
from trialimg.store.base import db, utc_now
from trialimg.store.job import DONE, LEASE, RUNNING, STOPPED, WAITING, Job
from trialimg.store.unit_of_work import unit_of_work


def confirmed(bed: Bed, ct: list[Path]) -> str:
    key = bed.survey(ct)
    bed.confirm(key)
    return key


def the_job(bed: Bed, key: str) -> Job:
    return bed.jobs(key)[-1]


def change(bed: Bed, job: Job, **values: object) -> None:
    with unit_of_work(bed.actor, "a test", trial_id=bed.world.trial_id) as uow:
        found = uow.session.get_one(Job, job.id)
        for name, value in values.items():
            setattr(found, name, value)


def replaced(monkeypatch: pytest.MonkeyPatch, step: Step, act: object) -> None:
    monkeypatch.setitem(steps.STEPS, step, act)


def test_a_start_that_lost_its_job_writes_nothing(bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    key = confirmed(bed, ct)
    job = the_job(bed, key)
    real = steps.STEPS[Step.DEIDENTIFY]

    def overtaken(started: Work) -> Finish:
        finish = real(started)
        change(bed, job, heard_at=utc_now() - 2 * LEASE)
        monkeypatch.setitem(steps.STEPS, Step.DEIDENTIFY, real)
        assert steps.run(job.id)  # another worker takes it up and ends it
        return finish

    replaced(monkeypatch, Step.DEIDENTIFY, overtaken)
    assert steps.run(job.id)
    assert bed.stage(key) is Stage.CLEAN
    assert len([j for j in bed.jobs(key) if j.step == Step.OUTBOX]) == 1
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_a_job_is_not_started_twice_at_a_time(bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    key = confirmed(bed, ct)
    job, seen = the_job(bed, key), []
    real = steps.STEPS[Step.DEIDENTIFY]

    def counted(started: Work) -> Finish:
        seen.append(steps.run(job.id))
        return real(started)

    replaced(monkeypatch, Step.DEIDENTIFY, counted)
    steps.run(job.id)
    assert seen == [False]


def test_a_job_that_is_done_or_not_due_is_not_run(bed: Bed, ct: list[Path]) -> None:
    key = confirmed(bed, ct)
    job = the_job(bed, key)
    change(bed, job, due=utc_now() + timedelta(minutes=5))
    assert not steps.run(job.id)
    change(bed, job, due=utc_now())
    assert steps.run(job.id)
    assert not steps.run(job.id)


def test_what_would_work_later_is_tried_again_after_a_growing_delay(
    bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = confirmed(bed, ct)
    job = the_job(bed, key)

    def later(_work: Work) -> Finish:
        raise TryLater("The archive is asleep.")

    replaced(monkeypatch, Step.DEIDENTIFY, later)
    waits = []
    for _ in range(3):
        change(bed, the_job(bed, key), due=utc_now())
        assert steps.run(job.id)
        waits.append((the_job(bed, key).due - utc_now()).total_seconds())
    assert waits == sorted(waits)
    assert (the_job(bed, key).state, the_job(bed, key).failures) == (WAITING, 3)
    assert "The archive is asleep. Tried 3 times" in bed.sentence(key)
    assert bed.stage(key) is Stage.CONFIRMED


def test_what_only_a_person_can_settle_is_held_with_its_sentence(
    bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = confirmed(bed, ct)

    def refuse(_work: Work) -> Finish:
        raise Held("Look at it.")

    with monkeypatch.context() as patch:
        patch.setitem(steps.STEPS, Step.DEIDENTIFY, refuse)
        bed.run()
    assert (bed.stage(key), bed.sentence(key)) == (Stage.HELD, "Look at it.")
    bed.retry(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_a_failure_nobody_foresaw_is_tried_a_few_times_then_held_and_never_logged_in_its_words(
    bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = confirmed(bed, ct)

    def burst(_work: Work) -> Finish:
        raise ValueError("Meier^Anna")

    replaced(monkeypatch, Step.DEIDENTIFY, burst)
    with caplog.at_level(logging.DEBUG):
        for _ in range(steps.MOST_FAULTS):
            change(bed, the_job(bed, key), due=utc_now())
            steps.run(the_job(bed, key).id)
    assert bed.stage(key) is Stage.HELD
    assert "ValueError" in caplog.text
    assert "Meier" not in caplog.text + bed.sentence(key) + the_job(bed, key).sentence


def test_a_cancel_takes_effect_at_once_while_a_step_waits_in_backoff(
    bed: Bed, ct: list[Path], archive: FakeArchive
) -> None:
    archive.goes_down()
    key = confirmed(bed, ct)
    bed.run()
    assert bed.stage(key) is Stage.PROMISED
    bed.cancel(key)
    assert bed.stage(key) is Stage.CANCELLED
    assert {j.state for j in bed.jobs(key)} <= {DONE, STOPPED}
    archive.comes_back()
    bed.run()
    assert (bed.stage(key), bed.studies()[0].state) == (Stage.CANCELLED, "withdrawn")


def test_a_retry_by_a_person_does_not_wait_for_the_backoff(bed: Bed, ct: list[Path], archive: FakeArchive) -> None:
    archive.goes_down()
    key = confirmed(bed, ct)
    bed.run()
    archive.comes_back()
    bed.retry(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_a_running_step_notices_that_a_person_cancelled_it(
    bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = confirmed(bed, ct)
    seen: list[str] = []

    def long(started: Work) -> Finish:
        bed.cancel(key)
        for n in range(200):
            try:
                started.progress(n, 200)
            except work.Superseded:
                seen.append("stopped")
                raise
            started._lost.wait(0.05)
        raise AssertionError("it was never told")

    replaced(monkeypatch, Step.DEIDENTIFY, long)
    bed.run()
    assert seen == ["stopped"]
    assert bed.stage(key) is Stage.CANCELLED


def test_a_stopped_worker_puts_its_job_back_without_counting_a_failure(
    bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = confirmed(bed, ct)
    work.stopping.set()
    try:
        steps.run(the_job(bed, key).id)
    finally:
        work.stopping.clear()
    assert (the_job(bed, key).state, the_job(bed, key).failures) == (WAITING, 0)
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_progress_is_told_while_a_step_runs(bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    key = confirmed(bed, ct)
    seen: list[tuple[int, int]] = []
    real = steps.STEPS[Step.DEIDENTIFY]

    def slow(started: Work) -> Finish:
        started.progress(2, 5)
        started._lost.wait(2.5)
        job = the_job(bed, key)
        seen.append((job.progress_done, job.progress_total))
        return real(started)

    replaced(monkeypatch, Step.DEIDENTIFY, slow)
    bed.run()
    assert seen == [(2, 5)]


def test_a_job_whose_worker_fell_silent_is_run_again(bed: Bed, ct: list[Path]) -> None:
    key = confirmed(bed, ct)
    job = the_job(bed, key)
    change(bed, job, state=RUNNING, attempt=1, heard_at=utc_now())
    assert job.id not in ready_jobs()
    change(bed, job, heard_at=utc_now() - LEASE - timedelta(seconds=1))
    assert job.id in ready_jobs()
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_the_only_worker_takes_up_what_its_predecessor_was_at(bed: Bed, ct: list[Path]) -> None:
    key = confirmed(bed, ct)
    change(bed, the_job(bed, key), state=RUNNING, attempt=1, heard_at=utc_now())
    adopt_orphans()
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_a_clock_set_back_does_not_make_work_wait(
    bed: Bed, ct: list[Path], archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = confirmed(bed, ct)
    archive.goes_down()
    bed.run()
    assert bed.stage(key) is Stage.PROMISED
    archive.comes_back()
    for module in (jobs, uow_module):
        monkeypatch.setattr(module, "utc_now", lambda: utc_now() - timedelta(hours=3))
    monkeypatch.setattr("trialimg.pipeline.reconcile.utc_now", lambda: utc_now() - timedelta(hours=3))
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_every_step_can_run_twice_with_the_same_end(bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for step, act in list(steps.STEPS.items()):

        def twice(started: Work, act: Callable[[Work], Finish] = act) -> Finish:
            act(started)
            return act(started)

        monkeypatch.setitem(steps.STEPS, step, twice)
    key = bed.link(ct)
    assert bed.stage(key) is Stage.LINKED
    assert bed.studies()[0].instance_count == len(ct)


def test_a_person_can_hold_and_let_go_on(bed: Bed, ct: list[Path]) -> None:
    key = confirmed(bed, ct)
    with bed.world.acting("data-manager") as uow:
        imaging.hold(uow, submission_place(key), "wait for the site")
    bed.run()
    assert bed.stage(key) is Stage.HELD
    bed.retry(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_a_stage_never_changes_outside_the_table(bed: Bed) -> None:
    from trialimg.casework.submission import move
    from trialimg.errors import ImpossibleStep

    key = bed.start()
    with pytest.raises(ImpossibleStep), unit_of_work(bed.actor, "x", trial_id=bed.world.trial_id) as uow:
        move(uow, load(uow, key), Outcome.LINKED)
    assert bed.stage(key) is Stage.RECEIVING


def test_no_job_of_an_ended_submission_is_left_waiting(bed: Bed, ct: list[Path]) -> None:
    key = bed.link(ct)
    wanted = select(Job.state).where(Job.submission_id == key)
    assert set(db.session.scalars(wanted)) == {DONE}
    assert set(bed.timings(key)) == {"survey", "deidentify", "outbox", "push", "verify"}
