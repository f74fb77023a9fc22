"""Jobs as rows of the record, and the port to the engine that runs them.

The row is written in the transaction of the row it serves, so neither can exist without the other. The engine
(procrastinate on PostgreSQL, two threads on SQLite) may run a job late or twice and can do no harm: a start raises
the attempt number, and a result is written only where the attempt is still ours (the fence).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import procrastinate
from flask import current_app
from sqlalchemy import ColumnElement, ForeignKey, Index, Integer, String, Text, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from trialimg.store.base import Base, Keyed, UtcDateTime, utc_now
from trialimg.store.unit_of_work import UnitOfWork

TASK = "trialimg.run_job"
engine = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
"""The engine on PostgreSQL; jobs are told on the unit of work's own connection, so it needs none here."""

WAITING, RUNNING, DONE, STOPPED = "waiting", "running", "done", "stopped"
LEASE = timedelta(seconds=50)
"""A running job whose worker has not been heard of for so long is started again."""


class Stopped(Exception):
    """A start of a job must stop where it is, whatever it is at; nothing of it is a failure."""


class Superseded(Stopped):
    """The start is no longer the job's: a person cancelled it, or another worker has it. Nothing is written."""


class Interrupted(Stopped):
    """The process was asked to end; the job goes back to where it was."""


class Job(Keyed, Base):
    """One piece of work: which step, of what, when it is due, and what became of it."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_state_due", "state", "due"),)
    UNAUDITED_COLUMNS: ClassVar[dict[str, str]] = {
        "heard_at": "A heartbeat says only that a worker lives.",
        "progress_done": "Progress is for the eye; the outcome is recorded.",
        "progress_total": "Progress is for the eye; the outcome is recorded.",
    }

    step: Mapped[str] = mapped_column(String(20))
    queue: Mapped[str] = mapped_column(String(20), default="images")
    trial_id: Mapped[str | None] = mapped_column(ForeignKey("trial.id"))
    submission_id: Mapped[str | None] = mapped_column(ForeignKey("submission.id"), index=True)
    study_id: Mapped[str | None] = mapped_column(ForeignKey("imaging_study.id"))
    state: Mapped[str] = mapped_column(String(10), default=WAITING)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    due: Mapped[datetime] = mapped_column(UtcDateTime)
    heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    progress_done: Mapped[int] = mapped_column(Integer, default=0)
    progress_total: Mapped[int] = mapped_column(Integer, default=0)
    sentence: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(200))


def announce(session: Session, job_id: str, queue: str, due: datetime) -> None:
    """Tell the engine of a job, in the transaction of its row where the engine lives in the data base."""
    if session.get_bind().dialect.name != "postgresql":
        return  # the embedded worker reads the rows themselves; it is woken after commit
    deferrer = engine.configure_task(
        TASK,
        queue=queue,
        schedule_at=due if due > utc_now() else None,
        connection=session.connection().connection.driver_connection,
    )
    deferrer.defer(job_id=job_id)


def enqueue(
    uow: UnitOfWork,
    step: str,
    *,
    trial_id: str | None = None,
    submission_id: str | None = None,
    study_id: str | None = None,
    queue: str = "images",
    due: datetime | None = None,
) -> Job:
    """Add a job to the record and tell the engine, all in the unit of work's transaction."""
    job = Job(
        step=step, queue=queue, trial_id=trial_id, submission_id=submission_id, study_id=study_id,
        due=due or uow.at, created_at=uow.at, created_by=uow.actor.name,
    )  # fmt: skip
    uow.session.add(job)
    uow.session.flush()
    announce(uow.session, job.id, queue, job.due)
    uow.afterwards(wake)
    return job


def wake() -> None:
    """Wake the embedded worker of this process, if there is one."""
    waker = current_app.extensions.get("trialimg_wake")
    if waker is not None:
        waker()


def due_jobs(
    session: Session, now: datetime, limit: int = 20, *, but: frozenset[str] = frozenset(), queues: Sequence[str] = ()
) -> list[str]:
    """Give the keys of jobs that should run now: due ones, and running ones nobody has heard of.

    ``but`` names steps that must wait, ``queues`` those to look in; none are all. A moment in the row that lies ahead
    of ``now`` shows that the clock was set back since; such a job is not made to wait for it.
    """
    ready = (Job.state == WAITING) & ((Job.due <= now) | (Job.created_at > now) | (Job.heard_at > now))
    wanted = select(Job.id).where(ready | _silent(now)).where(Job.step.not_in(but))
    if queues:
        wanted = wanted.where(Job.queue.in_(queues))
    return list(session.scalars(wanted.order_by(Job.due).limit(limit)))


def _silent(now: datetime) -> ColumnElement[bool]:
    return (Job.state == RUNNING) & ((Job.heard_at < now - LEASE) | (Job.heard_at > now + LEASE))


def may_start(job: Job, now: datetime, slack: timedelta) -> bool:
    """Say whether a job may start now: it waits and is due (within ``slack``), or its worker fell silent."""
    if job.state == RUNNING:
        return job.heard_at is None or abs(now - job.heard_at) > LEASE
    clock_went_back = job.created_at > now or (job.heard_at is not None and job.heard_at > now)
    return job.state == WAITING and (job.due <= now + slack or clock_went_back)


def told_to_engine(session: Session) -> set[str]:
    """Give the keys of jobs that the engine on PostgreSQL runs or is about to run."""
    wanted = text(
        "SELECT args->>'job_id' FROM procrastinate_jobs WHERE task_name = :task AND "
        "(status = 'doing' OR (status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())))"
    )
    return set(session.scalars(wanted, {"task": TASK}))


def engine_is_served(session: Session) -> bool:
    """Say whether any worker of the engine on PostgreSQL has been heard of within a minute."""
    wanted = text("SELECT 1 FROM procrastinate_workers WHERE last_heartbeat > now() - interval '60 seconds' LIMIT 1")
    return session.scalar(wanted) is not None


def beat(session: Session, job_id: str, attempt: int, now: datetime, progress: tuple[int, int] | None) -> bool:
    """Say that the worker of this attempt lives; False where the job is no longer this worker's."""
    values: dict[str, Any] = {"heard_at": now}
    if progress is not None:
        values["progress_done"], values["progress_total"] = progress
    mine = update(Job).where(Job.id == job_id, Job.attempt == attempt, Job.state == RUNNING).values(**values)
    done = session.execute(mine, execution_options={"unaudited": "a heartbeat"})
    return bool(done.rowcount)  # type: ignore[attr-defined]  # the result of an UPDATE has it
