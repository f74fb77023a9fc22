"""The work of the pipeline as its operators see it: every submission, the job that carries it on, and what is stuck."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Person, Place
from trialimg.casework.link import TO_AUTHORISE
from trialimg.domain.permission import Permission, Reach
from trialimg.domain.submission import BESIDE, OPEN_ENDED, RESUME, Stage
from trialimg.store.account import Task
from trialimg.store.base import db, utc_now
from trialimg.store.imaging import Destination, ImagingStudy, Slot, Submission
from trialimg.store.job import LEASE, RUNNING, STOPPED, WAITING, Job
from trialimg.store.subject import Subject
from trialimg.store.trial import Trial

PAGE: Final = 50
LATE: Final = timedelta(minutes=2)
"""How long a due job may wait for a worker before it is shown as stuck."""

PERSON, STUCK, AGAIN = "person", "stuck", "again"
"""Filters beside the stages: waits for a person; nobody works on it though somebody should; is tried again."""


@dataclass(frozen=True)
class JobLine:
    """One job: what it does, how often it was tried, and when it runs next."""

    step: str
    state: str
    attempt: int
    failures: int
    due: datetime
    created_at: datetime
    sentence: str
    overdue: bool


@dataclass(frozen=True)
class WorkLine:
    """One submission on the operators' page."""

    submission_id: str
    trial_code: str
    subject_number: str
    visit_key: str
    slot_key: str
    stage: str
    held_from: str
    sentence: str
    since: datetime
    job: JobLine | None
    stuck: bool
    waits_for_person: bool


@dataclass(frozen=True)
class Paused:
    """An archive to which nothing is sent until it accepts us again."""

    name: str
    since: datetime
    sentence: str


@dataclass(frozen=True)
class StudyWork:
    """Work on a study rather than on a submission: its removal from the archive."""

    study_instance_uid: str
    trial_id: str
    job: JobLine


@dataclass(frozen=True)
class PipelinePage:
    """What the operators see."""

    counts: dict[str, int]
    waiting_for_person: int
    stuck: int
    trying_again: int
    lines: tuple[WorkLine, ...]
    page: int
    pages: int
    paused: tuple[Paused, ...]
    study_work: tuple[StudyWork, ...]
    to_authorise: dict[str, int]
    tasks: tuple[str, ...]


def pipeline_page(person: Person, *, show: str = "", page: int = 1) -> PipelinePage:
    """Give the operators' page within this person's reach; ``show`` is a stage, ``person``, ``stuck`` or ``again``."""
    reach = person.reach(Permission.SEE_PIPELINE)
    filters = {PERSON: _waits_for_person(), STUCK: _stuck(), AGAIN: _again()}
    counts = _counts(reach)
    chosen = filters.get(show, Submission.stage == show) if show else None
    total = _number(reach, chosen) if chosen is not None else sum(counts.values())
    pages = max(1, -(-total // PAGE))
    page = min(max(page, 1), pages)
    numbers = {key: _number(reach, condition) for key, condition in filters.items()}
    return PipelinePage(
        counts=counts,
        waiting_for_person=numbers[PERSON],
        stuck=numbers[STUCK],
        trying_again=numbers[AGAIN],
        lines=_lines(reach, chosen, page),
        page=page,
        pages=pages,
        paused=_paused(),
        study_work=_study_work(reach),
        to_authorise=_to_authorise(reach),
        tasks=open_tasks(reach),
    )


def submission_jobs(place: Place) -> list[JobLine]:
    """List every job of a submission, the newest first."""
    wanted = select(Job).where(Job.submission_id == place.submission_id).order_by(Job.created_at.desc())
    return [_job(job) for job in db.session.scalars(wanted)]


def open_tasks(reach: Reach) -> tuple[str, ...]:
    """Give what people must do outside this program, within reach."""
    wanted = select(Task).where(Task.done_at.is_(None)).order_by(Task.created_at)
    if not reach.everywhere:
        wanted = wanted.where(Task.trial_id.in_(reach.trials))
    return tuple(task.sentence for task in db.session.scalars(wanted))


def trial_tasks(place: Place) -> tuple[str, ...]:
    """Give what people must do outside this program for a trial."""
    return open_tasks(Reach(everywhere=False, trials=frozenset({place.trial_id}), sites=frozenset()))


def _within(reach: Reach) -> ColumnElement[bool]:
    if reach.everywhere:
        return Submission.id.is_not(None)
    return or_(Submission.trial_id.in_(reach.trials), Submission.site_id.in_(reach.sites))


def _live(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    main = and_(Job.state.in_((WAITING, RUNNING)), Job.step.not_in(BESIDE))
    return exists().where(and_(Job.submission_id == Submission.id, main, *conditions))


def _waits_for_person() -> ColumnElement[bool]:
    return Submission.stage.in_([stage.value for stage in OPEN_ENDED])


def _overdue() -> ColumnElement[bool]:
    now = utc_now()
    return or_(
        and_(Job.state == WAITING, Job.due < now - LATE),
        and_(Job.state == RUNNING, Job.heard_at < now - LEASE),
    )


def _stuck() -> ColumnElement[bool]:
    """Choose what should go on by itself and does not: no live job, or one that nobody has taken up."""
    moving = Submission.stage.in_([stage.value for stage in RESUME])
    return and_(moving, or_(~_live(), _live(_overdue())))


def _again() -> ColumnElement[bool]:
    return _live(Job.failures > 0)


def _counts(reach: Reach) -> dict[str, int]:
    rows = db.session.execute(
        select(Submission.stage, func.count()).where(_within(reach)).group_by(Submission.stage)
    ).all()
    found = {stage: number for stage, number in rows}  # noqa: C416 (a row is no tuple to mypy)
    return {stage.value: found.get(stage.value, 0) for stage in Stage}


def _number(reach: Reach, condition: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(Submission).where(_within(reach), condition)) or 0


def _lines(reach: Reach, condition: ColumnElement[bool] | None, page: int) -> tuple[WorkLine, ...]:
    wanted = (
        select(Submission)
        .where(_within(reach), *([] if condition is None else [condition]))
        .options(
            joinedload(Submission.subject).joinedload(Subject.trial), joinedload(Submission.slot).joinedload(Slot.visit)
        )
        .order_by(Submission.stage_since.desc(), Submission.id)
        .limit(PAGE)
        .offset((page - 1) * PAGE)
    )
    submissions = list(db.session.scalars(wanted))
    jobs: dict[str, Job] = {}
    live = select(Job).where(
        Job.submission_id.in_([each.id for each in submissions]), Job.state.in_((WAITING, RUNNING)),
        Job.step.not_in(BESIDE),
    )  # fmt: skip
    for job in db.session.scalars(live.order_by(Job.created_at)):
        jobs[str(job.submission_id)] = job
    return tuple(_line(each, jobs.get(each.id)) for each in submissions)


def _line(submission: Submission, job: Job | None) -> WorkLine:
    line, stage = _job(job) if job is not None else None, Stage(submission.stage)
    return WorkLine(
        submission_id=submission.id,
        trial_code=submission.subject.trial.code,
        subject_number=submission.subject.number,
        visit_key=submission.slot.visit.key,
        slot_key=submission.slot.key,
        stage=submission.stage,
        held_from=submission.held_from,
        sentence=submission.sentence,
        since=submission.stage_since,
        job=line,
        stuck=stage in RESUME and (line is None or line.overdue),
        waits_for_person=stage in OPEN_ENDED,
    )


def _job(job: Job) -> JobLine:
    now = utc_now()
    silent = job.state == RUNNING and job.heard_at is not None and job.heard_at < now - LEASE
    overdue = silent or (job.state == WAITING and job.due < now - LATE)
    return JobLine(job.step, job.state, job.attempt, job.failures, job.due, job.created_at, job.sentence, overdue)


def _paused() -> tuple[Paused, ...]:
    wanted: Any = select(Destination).where(Destination.paused_since.is_not(None)).order_by(Destination.name)
    return tuple(Paused(each.name, each.paused_since, each.sentence) for each in db.session.scalars(wanted))


def _study_work(reach: Reach) -> tuple[StudyWork, ...]:
    wanted = (
        select(Job, ImagingStudy.study_instance_uid, ImagingStudy.trial_id)
        .join(ImagingStudy, ImagingStudy.id == Job.study_id)
        .where(Job.state.in_((WAITING, RUNNING, STOPPED)), ImagingStudy.forget_state == "asked")
        .order_by(Job.created_at)
    )
    if not reach.everywhere:
        wanted = wanted.where(ImagingStudy.trial_id.in_(reach.trials))
    return tuple(StudyWork(uid, trial, _job(job)) for job, uid, trial in db.session.execute(wanted))


def _to_authorise(reach: Reach) -> dict[str, int]:
    """Count the withdrawn studies whose removal nobody has decided on, by the code of their trial."""
    wanted = (
        select(Trial.code, func.count())
        .join(ImagingStudy, ImagingStudy.trial_id == Trial.id)
        .where(ImagingStudy.forget_state == TO_AUTHORISE)
        .group_by(Trial.code)
        .order_by(Trial.code)
    )
    if not reach.everywhere:
        wanted = wanted.where(Trial.id.in_(reach.trials))
    return {code: count for code, count in db.session.execute(wanted)}  # noqa: C416 (a row is no tuple to mypy)
