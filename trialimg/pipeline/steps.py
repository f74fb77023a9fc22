"""The steps of the pipeline, and the one way a job is run: start, work, result; done, again, or held.

A start raises the job's attempt in a transaction of its own. The work happens outside any transaction. The result
is written in one transaction that finds the job only while the attempt is still this one (the fence), under the
row lock of the submission. So a job may be started twice, late, or be killed anywhere, and ends the same.
"""

from __future__ import annotations

import json
import logging
import random
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy import select

from trialimg.casework.services import services
from trialimg.casework.submission import load, move, tidy
from trialimg.domain.submission import BESIDE, ENDED, TABLE, Outcome, Stage, Step, delay
from trialimg.errors import ArchiveRefusesUs, BadInput, Conflict, Held, Misconfigured, NoSpace, TrialimgError, TryLater
from trialimg.pipeline.deidentify import deidentify
from trialimg.pipeline.destination import is_paused, pause
from trialimg.pipeline.forget import forget
from trialimg.pipeline.look import look
from trialimg.pipeline.outbox import promise
from trialimg.pipeline.push import push
from trialimg.pipeline.survey import survey
from trialimg.pipeline.verify import verify
from trialimg.pipeline.work import WORKER, Finish, Work, heartbeat
from trialimg.store.base import db
from trialimg.store.imaging import Submission
from trialimg.store.job import (
    DONE,
    RUNNING,
    STOPPED,
    WAITING,
    Interrupted,
    Job,
    Superseded,
    announce,
    may_start,
    wake,
)
from trialimg.store.unit_of_work import UnitOfWork, unit_of_work

log = logging.getLogger("trialimg.pipeline")

STEPS: Final[dict[Step, Callable[[Work], Finish]]] = {
    Step.SURVEY: survey,
    Step.DEIDENTIFY: deidentify,
    Step.OUTBOX: promise,
    Step.PUSH: push,
    Step.VERIFY: verify,
    Step.FORGET: forget,
    Step.LOOK: look,
}
"""What each job does; proved complete by a test."""

ASKS_THE_ARCHIVE: Final = frozenset({Step.PUSH.value, Step.VERIFY.value, Step.FORGET.value})
"""Steps that wait while the destination is paused."""

MOST_FAULTS: Final = 4
"""How often a step may fail for a reason nobody foresaw before a person must look."""

_SLACK: Final = timedelta(seconds=5)
_FULL: Final = (
    "The disk that keeps images on their way is full. Nothing is lost, and it goes on by itself as soon as there is "
    "space: the operator must make some."
)
_FAULT: Final = (
    "A step failed for a reason nobody foresaw, several times. Nothing is lost: what was received and what is clean is "
    "kept. The operator finds the kind of failure in the log; then let the work go on."
)


def run(job_id: str, also: Mapping[str, Callable[[Work], Finish]] = MappingProxyType({})) -> bool:
    """Run a job once; False where it is not to be run now (it runs elsewhere, waits, or is over).

    ``also`` are steps of other rooms (documents), run in the same way.
    """
    work = _start(job_id)
    if work is None:
        return False
    began = time.monotonic()
    try:
        with heartbeat(work):
            finish = (also.get(work.step) or STEPS[Step(work.step)])(work)
        _succeed(work, finish, time.monotonic() - began)
    except Superseded:
        _clean_up_after(work)
    except Interrupted:
        _settle(work, _put_back)
    except ArchiveRefusesUs as error:
        pause(error.sentence)
        sentence = error.sentence
        _settle(work, lambda uow, job: _again(uow, job, sentence))
    except TryLater as error:
        sentence = _FULL if isinstance(error, NoSpace) else error.sentence
        _settle(work, lambda uow, job: _again(uow, job, sentence))
    except (BadInput, Held, Conflict, Misconfigured) as error:
        refused = error
        _settle(work, lambda uow, job: _hold(uow, job, refused))
    except Exception as error:  # noqa: BLE001 (whatever it is, the work must not be lost)
        failed = (work.step, type(error).__name__, _place(error))
        log.error("step %s failed: %s at %s", *failed)  # noqa: TRY400 (never the message: it may hold what a file says)
        _settle(work, _fault)
    finally:
        db.session.rollback()
    return True


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "trialimg" in frame.filename] or frames
    return f"{ours[-1].filename.rsplit('/', 1)[-1]}:{ours[-1].lineno}" if ours else "?"


def _start(job_id: str) -> Work | None:
    """Take the job if it is to be run now: the attempt is raised, and whoever had it before can write no more."""
    peek = db.session.get(Job, job_id, populate_existing=True)
    db.session.rollback()
    if peek is None or (peek.step in ASKS_THE_ARCHIVE and is_paused()):
        return None
    with unit_of_work(WORKER, f"start {peek.step}", trial_id=peek.trial_id) as uow:
        if peek.submission_id:
            load(uow, peek.submission_id)
        job = uow.session.scalar(select(Job).where(Job.id == job_id).with_for_update())
        if job is None or not may_start(job, uow.at, _SLACK):
            return None
        job.attempt += 1
        job.state, job.heard_at = RUNNING, uow.at
        job.progress_done = job.progress_total = 0
        return Work(
            services=services(),
            job_id=job.id,
            attempt=job.attempt,
            step=job.step,
            trial_id=job.trial_id,
            submission_id=job.submission_id or "",
            study_id=job.study_id or "",
        )


def _mine(uow: UnitOfWork, work: Work) -> Job | None:
    """Find the job behind the fence, the submission's lock first, as everybody takes them."""
    if work.submission_id:
        load(uow, work.submission_id)
    wanted = select(Job).where(Job.id == work.job_id, Job.attempt == work.attempt, Job.state == RUNNING)
    return uow.session.scalar(wanted.with_for_update())


def _succeed(work: Work, finish: Finish, seconds: float) -> None:
    with unit_of_work(WORKER, f"result of {work.step}", trial_id=work.trial_id) as uow:
        job = _mine(uow, work)
        if job is None:
            raise Superseded
        job.state, job.sentence, job.heard_at = DONE, "", None
        if work.submission_id and work.step not in BESIDE:
            _note_time(load(uow, work.submission_id), work.step, seconds)
        finish(uow)


def _note_time(submission: Submission, step: str, seconds: float) -> None:
    timings = json.loads(submission.timings or "{}")
    timings[step] = round(timings.get(step, 0) + seconds, 3)
    submission.timings = json.dumps(timings)


def _settle(work: Work, end: Callable[[UnitOfWork, Job], None]) -> None:
    """Write the end of an attempt that did not succeed, unless the job is no longer ours."""
    with unit_of_work(WORKER, f"end of an attempt at {work.step}", trial_id=work.trial_id) as uow:
        job = _mine(uow, work)
        if job is not None:
            end(uow, job)
    if job is None:
        _clean_up_after(work)


def _put_back(uow: UnitOfWork, job: Job) -> None:
    job.state, job.due, job.heard_at = WAITING, uow.at, None
    job.sentence = "The worker was stopped; another one takes it up."
    announce(uow.session, job.id, job.queue, job.due)


def _again(uow: UnitOfWork, job: Job, sentence: str) -> None:
    job.failures += 1
    seconds = delay(job.failures, random.random())  # noqa: S311 (jitter)
    job.state, job.due = WAITING, uow.at + timedelta(seconds=seconds)
    job.heard_at = uow.at  # shows, when it lies ahead, that the clock was set back since
    job.sentence = f"{sentence} Tried {_times(job.failures)}; the next attempt is due at {_clock(job.due)} UTC."
    if job.submission_id and job.step not in BESIDE:
        load(uow, job.submission_id).sentence = job.sentence
    announce(uow.session, job.id, job.queue, job.due)
    uow.afterwards(wake)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S")


def _hold(uow: UnitOfWork, job: Job, error: TrialimgError) -> None:
    job.state, job.sentence, job.heard_at = STOPPED, error.sentence, None
    if not job.submission_id or job.step in BESIDE:
        return
    submission = load(uow, job.submission_id)
    if (Stage(submission.stage), Outcome.HOLD) in TABLE:
        move(uow, submission, Outcome.HOLD, error.sentence, code=error.code)
    elif submission.stage in ENDED:
        submission.sentence = f"{submission.sentence} {error.sentence}"


def _fault(uow: UnitOfWork, job: Job) -> None:
    if job.failures + 1 >= MOST_FAULTS:
        _hold(uow, job, Held(_FAULT))
    else:
        _again(uow, job, "Something failed that nobody foresaw; the operator finds its kind in the log.")


def _clean_up_after(work: Work) -> None:
    """Destroy what a superseded step may have put down after a person's decision had cleared it."""
    if work.submission_id:
        tidy(work.submission_id)
