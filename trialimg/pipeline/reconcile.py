"""What time brings: lost work started again, waits that ended, bytes that must go. Every act can run twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from trialimg.casework.definition import definition
from trialimg.casework.services import services
from trialimg.casework.submission import destroy_unneeded, load, move, tidy
from trialimg.casework.trail import catch_up_heads
from trialimg.domain.deidentification import Profile
from trialimg.domain.submission import Fate, Outcome, Stage
from trialimg.pipeline.destination import is_paused, try_paused
from trialimg.pipeline.forget import check_tasks
from trialimg.pipeline.steps import ASKS_THE_ARCHIVE
from trialimg.pipeline.work import WORKER
from trialimg.store.account import Task
from trialimg.store.base import cut_log, db, utc_now
from trialimg.store.imaging import Submission, SubmissionObject
from trialimg.store.job import RUNNING, WAITING, Job, announce, due_jobs, told_to_engine, wake
from trialimg.store.unit_of_work import unit_of_work

log = logging.getLogger("trialimg.pipeline")

ABANDONED_AFTER: Final = timedelta(hours=24)
"""How long a submission may stay without a new file before it is given up."""
WARNED_BEFORE: Final = timedelta(days=3)
"""How long before originals are destroyed the site is told."""
EXPIRY_TASK: Final = "originals.expire"
"""The kind of task that tells a site of it; ``about`` is the submission."""

_WAITING: Final = (Stage.SURVEYED, Stage.HELD, Stage.PROMISED, Stage.SENT)
"""Stages in which originals may wait long: for a person, or, the clean bytes being safe, for the archive."""
_MOST: Final = 500
_OLD_ARRIVALS: Final = 24 * 3600.0


def periodic() -> None:
    """Do everything that is due; one act's failure never keeps the others from being done."""
    acts: tuple[Callable[[], object], ...] = (
        try_paused,
        announce_due,
        give_up_abandoned,
        destroy_expired,
        sweep_vault,
        check_tasks,
        keep_heads,
        cut_log,
    )
    for act in acts:
        try:
            act()
        except Exception as error:  # noqa: BLE001 (the others must be done all the same)
            log.warning("a periodic act (%s) failed: %s", act.__name__, type(error).__name__)
        finally:
            db.session.rollback()


def ready_jobs(limit: int = 20, *, queues: Sequence[str] = ()) -> list[str]:
    """Give the jobs of some queues or all that should run now; those that ask the archive only while it accepts us."""
    but = ASKS_THE_ARCHIVE if is_paused() else frozenset()
    found = due_jobs(db.session(), utc_now(), limit, but=but, queues=queues)
    db.session.rollback()
    return found


def adopt_orphans() -> None:
    """Let jobs that ran when the only worker of this data base ended be run again at once."""
    running = select(Job.id).where(Job.state == RUNNING)
    orphans = list(db.session.scalars(running))
    db.session.rollback()
    if not orphans:
        return
    with unit_of_work(WORKER, "the worker that ran these jobs has ended") as uow:
        for job in uow.session.scalars(select(Job).where(Job.id.in_(orphans), Job.state == RUNNING)):
            job.state, job.due, job.heard_at = WAITING, uow.at, None


def announce_due() -> int:
    """Tell the engine again of due jobs it does not know of, so that an emptied queue loses nothing."""
    ready = ready_jobs(_MOST)
    if not services().settings.on_postgresql:
        if ready:
            wake()
        return len(ready)
    known = told_to_engine(db.session())
    missing = [key for key in ready if key not in known]
    db.session.rollback()
    if missing:
        with unit_of_work(WORKER, "work announced again") as uow:
            for job in uow.session.scalars(select(Job).where(Job.id.in_(missing))):
                announce(uow.session, job.id, job.queue, uow.at)
    return len(missing)


def give_up_abandoned() -> int:
    """Cancel submissions that nobody sent anything to for a day; what had come is destroyed."""
    wanted = select(Submission.id, Submission.trial_id).where(
        Submission.stage == Stage.RECEIVING.value, Submission.stage_since < utc_now() - ABANDONED_AFTER
    )
    found = db.session.execute(wanted.limit(_MOST)).all()
    db.session.rollback()
    for key, trial_id in found:
        with unit_of_work(WORKER, "nothing was sent for a day", trial_id=trial_id) as uow:
            submission = load(uow, key)
            if submission.stage != Stage.RECEIVING or uow.at - submission.stage_since < ABANDONED_AFTER:
                continue
            sentence = "Nothing more was sent for a day: this was given up and what had come was destroyed. Send again."
            move(uow, submission, Outcome.CANCELLED, sentence, code="submission.abandoned")
            destroy_unneeded(uow, submission)
    return len(found)


def destroy_expired() -> int:
    """Destroy originals that were held or waited longer than the trial allows; warn the site three days before."""
    destroyed = 0
    for key, since, profile in _with_waiting_originals():
        expiry = since + timedelta(days=profile.held_days)
        if utc_now() >= expiry:
            destroyed += _expire(key, profile.held_days)
        elif utc_now() >= expiry - WARNED_BEFORE:
            _warn(key, expiry)
    return destroyed


def _with_waiting_originals() -> list[tuple[str, datetime, Profile]]:
    """Give submissions whose originals nobody works on now, with the moment they came and the trial's rules."""
    held = (
        select(SubmissionObject.id)
        .where(SubmissionObject.submission_id == Submission.id, SubmissionObject.fate == Fate.HELD.value)
        .exists()
    )
    waits = Submission.stage.in_([stage.value for stage in _WAITING])
    wanted = select(Submission).where(
        Submission.originals_destroyed_at.is_(None), waits | ((Submission.stage == Stage.LINKED.value) & held)
    )
    found = []
    for submission in db.session.scalars(wanted.limit(_MOST)):
        rules = definition(submission.subject.definition_id).deidentification
        found.append((submission.id, submission.created_at, Profile.from_mapping(rules)))
    db.session.rollback()
    return found


def _expire(key: str, days: int) -> int:
    found = db.session.get(Submission, key, populate_existing=True)
    trial_id = found.trial_id if found is not None else None
    db.session.rollback()
    why = f"The originals waited for {days} days, the longest this trial allows, and were destroyed."
    with unit_of_work(WORKER, why, trial_id=trial_id) as uow:
        submission = load(uow, key)
        if submission.stage == Stage.SURVEYED:
            move(uow, submission, Outcome.CANCELLED, f"{why} Send the images again.", code="submission.expired")
        else:
            _discard_held(uow.session, key, why)
            rest = _count(uow.session, key, Fate.SENT, Fate.CLEAN)
            if submission.stage == Stage.LINKED:
                move(uow, submission, Outcome.DECIDED, f"{why} The study is checked again.")
            elif not rest and submission.stage == Stage.HELD:
                move(uow, submission, Outcome.CANCELLED, f"{why} Send the images again.", code="submission.expired")
        submission.originals_destroyed_at = uow.at
        destroy_unneeded(uow, submission)
        open_task = select(Task).where(Task.kind == EXPIRY_TASK, Task.about == key, Task.done_at.is_(None))
        for task in uow.session.scalars(open_task):
            task.done_at = uow.at
    return 1


def _discard_held(session: Session, key: str, why: str) -> None:
    waiting = [Fate.HELD.value, Fate.RECEIVED.value, Fate.RELEASED.value]
    wanted = select(SubmissionObject).where(SubmissionObject.submission_id == key, SubmissionObject.fate.in_(waiting))
    for item in session.scalars(wanted):
        item.fate, item.code, item.sentence = Fate.DISCARDED.value, "submission.expired", why
    session.flush()


def _count(session: Session, key: str, *fates: Fate) -> int:
    wanted = select(func.count()).where(
        SubmissionObject.submission_id == key, SubmissionObject.fate.in_([fate.value for fate in fates])
    )
    return session.scalar(wanted) or 0


def _warn(key: str, expiry: datetime) -> None:
    known = select(Task.id).where(Task.kind == EXPIRY_TASK, Task.about == key)
    told = db.session.scalar(known.limit(1)) is not None
    found = db.session.get(Submission, key)
    db.session.rollback()
    if told or found is None:
        return
    with unit_of_work(WORKER, "the site is told before originals go", trial_id=found.trial_id) as uow:
        sentence = (
            f"Images wait for a decision and their originals are destroyed on {expiry:%Y-%m-%d}. Decide before; after "
            "that they can only be sent again."
        )
        uow.session.add(
            Task(trial_id=found.trial_id, kind=EXPIRY_TASK, about=key, sentence=sentence, created_at=uow.at)
        )


def keep_heads() -> None:
    """Keep the heads of the audit chains that a crash left behind, outside the data base."""
    catch_up_heads(services())


def sweep_vault() -> None:
    """Destroy bytes that no submission needs: left by a crash between a commit and its deletion, or by nobody known."""
    vault = services().vault
    vault.drop_abandoned(_OLD_ARRIVALS)
    for name in vault.sweep(set()):
        place, _, key = name.partition("/")
        if place in {"quarantine", "outbox"}:
            tidy(key)
