"""What programs ask for: the slots that still wait for images, and how the images of subjects stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Person
from trialimg.casework.slots import WAITING_STATES, slot_states
from trialimg.domain.permission import Permission
from trialimg.store.base import db
from trialimg.store.imaging import Slot, Submission
from trialimg.store.subject import Subject, Visit


@dataclass(frozen=True)
class OpenSlot:
    """A slot that still waits for images."""

    subject: str
    visit: str
    slot: str
    modality: str
    due: date | None
    trial: str


def open_slots(person: Person, *, modality: str | None = None) -> list[OpenSlot]:
    """List the slots this person may send to that have no linked study, soonest due first."""
    reach = person.reach(Permission.ATTACH_IMAGES)
    wanted = select(Subject).options(joinedload(Subject.trial)).order_by(Subject.number)
    if not reach.everywhere:
        wanted = wanted.where(Subject.trial_id.in_(reach.trials) | Subject.site_id.in_(reach.sites))
    subjects = {subject.id: subject for subject in db.session.scalars(wanted)}
    visits = {v.id: v for v in db.session.scalars(select(Visit).where(Visit.subject_id.in_(subjects)))}
    found = []
    for visit_id, slots in slot_states(subjects).items():
        visit = visits[visit_id]
        subject = subjects[visit.subject_id]
        for state in slots.values():
            if state.state in WAITING_STATES | {"refused"} and (modality is None or modality in state.modalities):
                main = modality or (state.modalities[0] if state.modalities else "")
                found.append(OpenSlot(subject.number, visit.key, state.key, main, state.due, subject.trial.code))
    return sorted(found, key=lambda s: (s.due or date.max, s.subject, s.visit, s.slot))


@dataclass(frozen=True)
class ImagingLine:
    """What the record says of images of a subject: a linked study, or a submission on its way."""

    subject: str
    visit: str
    slot: str
    stage: str
    study_instance_uid: str
    instances: int
    held: int
    linked_at: datetime | None
    sentence: str
    submission: str


def imaging_lines(person: Person, *, subject: str | None = None) -> list[ImagingLine]:
    """List linked studies and submissions on their way, within this person's reach."""
    reach = person.reach(Permission.SEE_TRIAL)
    wanted = (
        select(Submission)
        .join(Submission.subject)
        .options(
            joinedload(Submission.subject), joinedload(Submission.study),
            joinedload(Submission.slot).joinedload(Slot.visit),
        )
        .order_by(Submission.created_at)
    )  # fmt: skip
    if not reach.everywhere:
        wanted = wanted.where(Submission.trial_id.in_(reach.trials) | Submission.site_id.in_(reach.sites))
    if subject is not None:
        wanted = wanted.where(Subject.number == subject)
    return [_imaging_line(submission) for submission in db.session.scalars(wanted)]


def _imaging_line(submission: Submission) -> ImagingLine:
    study, slot = submission.study, submission.slot
    linked = study is not None and study.state == "linked"
    return ImagingLine(
        submission.subject.number, slot.visit.key, slot.key, submission.stage,
        study.study_instance_uid if study is not None and linked else "",
        study.instance_count if study is not None and linked else 0,
        study.held_count if study is not None and linked else 0,
        study.linked_at if study is not None and linked else None,
        submission.sentence, submission.id,
    )  # fmt: skip
