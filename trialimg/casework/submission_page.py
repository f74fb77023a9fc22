"""How one submission stands: for its page, for its progress bar, and for the program that sent it.

Nothing here names a patient or a file: those stand in the summary, in quarantine, and only the site's people see it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from trialimg.casework.access import Place
from trialimg.casework.definition import definition
from trialimg.casework.slots import LinkedStudy, linked_studies
from trialimg.domain.submission import BESIDE, ENDED, OPEN_ENDED, Fate, Stage
from trialimg.store.base import db
from trialimg.store.imaging import Submission, SubmissionObject
from trialimg.store.job import RUNNING, WAITING, Job

MAIN_LINE: Final = (
    Stage.RECEIVING, Stage.RECEIVED, Stage.SURVEYED, Stage.CONFIRMED, Stage.CLEAN, Stage.PROMISED, Stage.SENT,
    Stage.LINKED,
)  # fmt: skip
"""The stages of a submission that goes well, in order."""


@dataclass(frozen=True)
class ObjectLine:
    """One object and what became of it."""

    ordinal: int
    fate: Fate
    code: str
    sentence: str
    modality: str
    sop_class_uid: str
    sop_instance_uid: str
    canonical_hash: str
    size: int
    decided_by: str


@dataclass(frozen=True)
class Work:
    """The job that carries the submission on."""

    step: str
    state: str
    failures: int
    done: int
    total: int
    sentence: str


@dataclass(frozen=True)
class SubmissionReport:
    """Everything about one submission that holds no patient's data."""

    submission_id: str
    subject: str
    visit: str
    slot: str
    stage: Stage
    held_from: str
    sentence: str
    code: str
    source: str
    created_at: datetime
    created_by: str
    confirmed_by: str
    acquired: date | None
    originals_until: date | None
    originals_destroyed_at: datetime | None
    announced: int
    counts: dict[str, int]
    objects: tuple[ObjectLine, ...]
    studies: tuple[LinkedStudy, ...]
    work: Work | None
    deid_report: dict[str, Any]
    timings: dict[str, float]

    @property
    def held(self) -> tuple[ObjectLine, ...]:
        """Give the objects that wait for a decision."""
        return tuple(item for item in self.objects if item.fate is Fate.HELD)

    @property
    def waits_for_person(self) -> bool:
        """Say whether nothing happens until somebody acts."""
        return self.stage in OPEN_ENDED

    @property
    def finished(self) -> bool:
        """Say whether no step is to come by itself."""
        return _finished(self.stage)

    def progress(self) -> dict[str, Any]:
        """Give what a progress bar needs."""
        return _progress(self.stage, self.sentence, self.work)

    def to_json(self) -> dict[str, Any]:
        """Give the document programs read."""
        uids = [study.study_instance_uid for study in self.studies]
        return {
            "submission": self.submission_id,
            "subject": self.subject,
            "visit": self.visit,
            "slot": self.slot,
            **self.progress(),
            "code": self.code,
            "study_instance_uid": uids[0] if uids else None,
            "study_instance_uids": uids,
            "counts": {"announced": self.announced, **self.counts},
            "instances": [
                {
                    "ordinal": item.ordinal,
                    "fate": item.fate.value,
                    "sop_instance_uid": item.sop_instance_uid,
                    "hash": item.canonical_hash,
                    "code": item.code,
                    "sentence": item.sentence,
                }
                for item in self.objects
            ],
        }


def _finished(stage: Stage) -> bool:
    return stage in ENDED | OPEN_ENDED or stage is Stage.LINKED


def _progress(stage: Stage, sentence: str, work: Work | None) -> dict[str, Any]:
    return {
        "stage": stage.value,
        "done": work.done if work else 0,
        "total": work.total if work else 0,
        "sentence": work.sentence if work is not None and work.sentence and work.failures else sentence,
        "finished": _finished(stage),
        "needs_person": stage in OPEN_ENDED,
        "retrying": bool(work and work.failures),
        "position": MAIN_LINE.index(stage) if stage in MAIN_LINE else -1,
    }


def submission_progress(place: Place) -> dict[str, Any]:
    """Give what a progress bar needs, in two small queries: it is asked each second."""
    submission = db.session.get_one(Submission, place.submission_id)
    return _progress(Stage(submission.stage), submission.sentence, _work(submission.id))


def submission_report(place: Place) -> SubmissionReport:
    """Give how a submission stands."""
    submission = db.session.get_one(Submission, place.submission_id)
    rows = db.session.scalars(
        select(SubmissionObject)
        .where(SubmissionObject.submission_id == submission.id)
        .order_by(SubmissionObject.ordinal)
    )
    objects = tuple(_line(row) for row in rows)
    return SubmissionReport(
        submission_id=submission.id,
        subject=place.subject_number,
        visit=place.visit_key,
        slot=place.slot_key,
        stage=Stage(submission.stage),
        held_from=submission.held_from,
        sentence=submission.sentence,
        code=submission.error_code,
        source=submission.source,
        created_at=submission.created_at,
        created_by=submission.created_by,
        confirmed_by=submission.confirmed_by,
        acquired=submission.acquired,
        originals_until=_originals_until(submission, objects),
        originals_destroyed_at=submission.originals_destroyed_at,
        announced=submission.announced,
        counts={fate.value: count for fate, count in Counter(item.fate for item in objects).items()},
        objects=objects,
        studies=linked_studies(submission.id),
        work=_work(submission.id),
        deid_report=json.loads(submission.report) if submission.report else {},
        timings=json.loads(submission.timings or "{}"),
    )


def _line(row: SubmissionObject) -> ObjectLine:
    return ObjectLine(
        row.ordinal, Fate(row.fate), row.code, row.sentence, row.modality, row.sop_class_uid, row.sop_instance_uid,
        row.canonical_hash, row.received_size, row.decided_by,
    )  # fmt: skip


def _originals_until(submission: Submission, objects: tuple[ObjectLine, ...]) -> date | None:
    """Give the day on which originals that wait for a person are destroyed, None where none wait."""
    waits = Stage(submission.stage) in {Stage.SURVEYED, Stage.HELD} or (
        submission.stage == Stage.LINKED and any(item.fate is Fate.HELD for item in objects)
    )
    if not waits or submission.originals_destroyed_at is not None:
        return None
    rules = definition(submission.subject.definition_id).deidentification
    return (submission.stage_since + timedelta(days=int(rules.get("held_days", 14)))).date()


def _work(submission_id: str) -> Work | None:
    job = db.session.scalar(
        select(Job)
        .where(Job.submission_id == submission_id, Job.state.in_((WAITING, RUNNING)), Job.step.not_in(BESIDE))
        .order_by(Job.created_at.desc())
        .limit(1)
    )
    if job is None:
        return None
    return Work(
        job.step, job.state, job.failures, job.progress_done,
        job.progress_total, job.sentence,
    )  # fmt: skip
