"""A subject whose images are linked without going the way, and two readers: for tests of reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from tests.world import PASSWORD, World, add_person, email_of
from trialimg.casework import accounts, link, reading
from trialimg.casework.access import Person, study_place, visit_place
from trialimg.casework.read_basis import images_linked
from trialimg.casework.read_page import ReadPage, read_page
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
from trialimg.domain.permission import Role
from trialimg.domain.read_values import ImageQuality, ReadValues
from trialimg.domain.reading import ReadState
from trialimg.domain.submission import Fate, Stage
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot, Submission, SubmissionObject
from trialimg.store.reading import Read, ReadingCode
from trialimg.store.subject import Subject, Visit
from trialimg.store.unit_of_work import Actor, unit_of_work

DAY = date(2026, 3, 2)
DAYS = {"SCR": 0, "W8": 56, "W16": 112}
UID = "2.25.7"


def sop_of(visit: str, at: int = 1) -> str:
    return f"{UID}.{1 + list(DAYS).index(visit)}.1.{at}"


@dataclass
class ReadingBed:
    """One subject of site 101; ``reader`` and ``second`` read it."""

    world: World
    number: str
    prefix: str = UID

    def person(self, name: str = "reader") -> Person:
        return self.world.person(name)

    @property
    def code(self) -> str:
        db.session.rollback()
        return db.session.scalars(select(ReadingCode.code)).first() or ""

    def link(self, visit: str, *, instances: int = 3, slot: str = "CT") -> str:
        """Let a study stand in the record, as the pipeline does at its end; gives its StudyInstanceUID."""
        uid = f"{self.prefix}.{1 + list(DAYS).index(visit)}"
        uid = uid if slot == "CT" else f"{uid}.99"
        with unit_of_work(Actor("pipeline"), "linked", trial_id=self.world.trial_id) as uow:
            subject = uow.session.scalars(select(Subject).where(Subject.number == self.number)).one()
            wanted = (
                select(Slot).join(Visit).where(Visit.subject_id == subject.id, Visit.key == visit, Slot.key == slot)
            )
            where = uow.session.scalars(wanted).one()
            study = ImagingStudy(
                trial_id=subject.trial_id, subject_id=subject.id, slot_id=where.id, study_instance_uid=uid,
                modalities="CT" if slot == "CT" else "MR", acquired=DAY + timedelta(DAYS[visit]), linked_at=uow.at,
                linked_by="x",
            )  # fmt: skip
            uow.session.add(study)
            uow.session.flush()
            self._add(uow, study, instances)
            images_linked(uow, study)
        return uid

    def join(self, uid: str, instances: int = 1) -> None:
        """Let more instances join a linked study."""
        with unit_of_work(Actor("pipeline"), "more linked", trial_id=self.world.trial_id) as uow:
            study = uow.session.scalars(select(ImagingStudy).where(ImagingStudy.study_instance_uid == uid)).one()
            self._add(uow, study, instances)
            images_linked(uow, study)

    def _add(self, uow, study: ImagingStudy, count: int) -> None:
        held = select(SubmissionObject).where(SubmissionObject.study_id == study.id)
        first = len(uow.session.scalars(held).all())
        slot = uow.session.get_one(Slot, study.slot_id)
        subject = uow.session.get_one(Subject, study.subject_id)
        submission = Submission(
            trial_id=study.trial_id, site_id=subject.site_id, subject_id=subject.id, slot_id=slot.id, study_id=study.id,
            stage=Stage.LINKED.value, source="browser", created_at=uow.at, created_by="x", stage_since=uow.at,
        )  # fmt: skip
        uow.session.add(submission)
        uow.session.flush()
        for at in range(first + 1, first + count + 1):
            uid = study.study_instance_uid
            uow.session.add(
                SubmissionObject(
                    submission_id=submission.id, ordinal=at, received_sha256="0" * 64, received_size=1,
                    fate=Fate.SENT.value, study_id=study.id, study_instance_uid=uid, series_instance_uid=f"{uid}.1",
                    sop_instance_uid=f"{uid}.1.{at}", canonical_hash=f"hash of {uid} {at}", modality="CT",
                )
            )  # fmt: skip
        uow.session.flush()

    def row(self, visit: str, who: str = "reader") -> Read:
        """Give the newest read of a person at a visit."""
        db.session.rollback()
        db.session.expunge_all()
        wanted = (
            select(Read)
            .join(Visit, Visit.id == Read.visit_id)
            .where(Visit.key == visit, Read.account_id == self.person(who).account_id)
            .order_by(Read.number.desc())
        )
        return db.session.scalars(wanted).first()  # type: ignore[return-value]  # a test that asks knows

    def key(self, visit: str, who: str = "reader") -> str:
        return self.row(visit, who).id

    def state(self, visit: str, who: str = "reader") -> ReadState:
        return ReadState(self.row(visit, who).state)

    def page(self, visit: str, who: str = "reader") -> ReadPage:
        return read_page(self.person(who), self.key(visit, who))

    def save(self, visit: str, values: ReadValues, who: str = "reader", **answers: str) -> int:
        page, person = self.page(visit, who), self.person(who)
        said = {tuple(key.split("__")): text for key, text in answers.items()}
        with unit_of_work(person.actor, "saved", trial_id=self.world.trial_id) as uow:
            return reading.save_draft(uow, page.read_id, revision=page.revision, values=values, answers=said)

    def sign(self, visit: str, who: str = "reader", password: str = PASSWORD) -> None:
        page = self.page(visit, who)
        by = reading.Credentials(email_of(who), password, "Europe/Zurich")
        act = reading.confirm_basis if page.state == ReadState.BASIS_CHANGED else reading.sign
        act(services(), self.person(who), page.read_id, revision=page.revision, by=by)

    def read(self, visit: str, millimetres: str, who: str = "reader") -> None:
        """Save and sign a time point whose one target has this diameter."""
        self.save(visit, values(visit, millimetres), who)
        self.sign(visit, who)

    def reopen(self, visit: str, reason: str = "T1 measured on the wrong slice", by: str = "data-manager") -> None:
        person = self.person(by)
        key = self.key(visit)
        with unit_of_work(person.actor, reason, trial_id=self.world.trial_id) as uow:
            reading.reopen(uow, person, key, reason)

    def act(self, uid: str, verb: str, reason: str = "a test") -> None:
        """Detach or withdraw a study."""
        place = study_place(uid)
        with unit_of_work(self.person("data-manager").actor, reason, trial_id=self.world.trial_id) as uow:
            getattr(link, verb)(uow, place, reason)


def values(visit: str, millimetres: str, *, sop: str = "") -> ReadValues:
    """Give values without a finding: one target of that diameter, one non-target lesion."""
    part = Measurement(millimetres, sop or sop_of(visit), 1, ((Decimal(10), Decimal(20)), (Decimal(40), Decimal(20))))
    target = TargetLesion("T1", Organ.LIVER, "segment 4", TargetState.MEASURED, (part,))
    other = NonTargetLesion("N1", Organ.PLEURA, "left", NonTargetState.PRESENT)
    new = None if visit == "SCR" else Seen.NO
    return ReadValues((target,), (other,), new, (), ImageQuality.GOOD, "")


def invite_second(world: World) -> None:
    by, account_id = world.person("trial-administrator"), add_person("second")
    with unit_of_work(by.actor, "a second reader", trial_id=world.trial_id) as uow:
        accounts.give_role(uow, by, account_id, Role.READER, trial_id=world.trial_id)


def make_reading_bed(world: World) -> ReadingBed:
    invite_second(world)
    return ReadingBed(world, world.subject("101"))


@pytest.fixture
def bed(world: World) -> ReadingBed:
    return make_reading_bed(world)


def visit_of(bed: ReadingBed, key: str) -> str:
    return visit_place(bed.world.code, bed.number, key).visit_id
