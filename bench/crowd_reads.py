"""Reads for a trial of a size: made by linking, as in life, and signed or begun by their reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from tests.world import PASSWORD, World, email_of
from trialimg.casework import reading
from trialimg.casework.read_basis import images_linked
from trialimg.casework.read_page import read_page
from trialimg.casework.services import services
from trialimg.domain.lesion import (
    Measurement,
    NonTargetLesion,
    NonTargetState,
    Organ,
    Seen,
    TargetLesion,
    TargetState,
)
from trialimg.domain.read_values import ImageQuality, ReadValues
from trialimg.domain.reading import ReadState
from trialimg.domain.submission import Fate
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Submission, SubmissionObject
from trialimg.store.reading import Read
from trialimg.store.subject import Subject, Visit
from trialimg.store.unit_of_work import Actor, UnitOfWork, unit_of_work

READER: Final = "reader"
EVERY: Final = 4
"""One in so many subjects is read: a few hundred reads."""
SIGNED: Final = 2
"""So many time points of each subject that is read are signed, the next one is begun."""


def read_some(world: World, numbers: Sequence[str]) -> int:
    """Let one in ``EVERY`` subjects be read; gives how many reads there are. Needs an application context."""
    for number in numbers[::EVERY]:
        with unit_of_work(Actor("pipeline"), "linked", trial_id=world.trial_id) as uow:
            for study in uow.session.scalars(
                select(ImagingStudy).join(Subject).where(Subject.number == number).order_by(ImagingStudy.acquired)
            ).all():
                _show(uow, study)
                images_linked(uow, study)
        _read(world, number)
        db.session.remove()
    return len(db.session.scalars(select(Read.id)).all())


def _show(uow: UnitOfWork, study: ImagingStudy) -> None:
    submission = uow.session.scalars(select(Submission).where(Submission.study_id == study.id)).one()
    uid = study.study_instance_uid
    uow.session.add(
        SubmissionObject(
            submission_id=submission.id, ordinal=1, received_sha256="0" * 64, received_size=1, fate=Fate.SENT.value,
            study_id=study.id, study_instance_uid=uid, series_instance_uid=f"{uid}.1", sop_instance_uid=f"{uid}.1.1",
            canonical_hash=f"hash of {uid}", modality="CT",
        )
    )  # fmt: skip
    uow.session.flush()


def _read(world: World, number: str) -> None:
    person = world.person(READER)
    wanted = (
        select(Read.id)
        .join(Visit, Visit.id == Read.visit_id)
        .join(Subject, Subject.id == Read.subject_id)
        .where(Subject.number == number, Read.account_id == person.account_id)
        .order_by(Visit.ordinal)
    )
    for at, key in enumerate(db.session.scalars(wanted).all()[: SIGNED + 1]):
        page = read_page(person, key)
        if page.waits or page.state != ReadState.OPEN:
            return
        said = _values(f"{page.shown[0]}.1.1", baseline=not at)
        with unit_of_work(person.actor, "saved", trial_id=world.trial_id) as uow:
            revision = reading.save_draft(uow, key, revision=page.revision, values=said, answers={})
        if at < SIGNED:
            by = reading.Credentials(email_of(READER), PASSWORD)
            reading.sign(services(), person, key, revision=revision, by=by)
        db.session.rollback()
        db.session.expunge_all()


def _values(sop_instance_uid: str, *, baseline: bool) -> ReadValues:
    """Give values of a stable disease: one target lesion, one other, none new."""
    target = TargetLesion(
        "T1", Organ.LIVER, "segment 4", TargetState.MEASURED, (Measurement("30", sop_instance_uid, 1),)
    )
    other = NonTargetLesion("N1", Organ.PLEURA, "left", NonTargetState.PRESENT)
    return ReadValues((target,), (other,), None if baseline else Seen.NO, (), ImageQuality.GOOD, "")
