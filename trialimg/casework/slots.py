"""How imaging slots stand: the state of each, and the page of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from trialimg.casework.access import Person, Place
from trialimg.casework.definition import definition
from trialimg.domain.permission import Permission
from trialimg.domain.slot import Dated, Linked, SentLine, stand
from trialimg.domain.submission import Fate, Stage
from trialimg.domain.trial import SlotDef, TrialDefinition
from trialimg.domain.visit import expectation
from trialimg.store.base import db, utc_now
from trialimg.store.imaging import ImagingStudy, Slot, Submission, SubmissionObject
from trialimg.store.subject import Subject, Visit

WAITING_STATES = frozenset({"empty", "due", "overdue", "missing", "optional"})


@dataclass(frozen=True)
class LinkedStudy:
    """A study in the case record."""

    study_instance_uid: str
    modalities: str
    acquired: date | None
    series: int
    instances: int
    held: int
    linked_at: datetime
    linked_by: str
    state: str


@dataclass(frozen=True)
class SlotState:
    """How one slot stands; ``state`` is a word of the state badge."""

    slot_id: str
    visit_id: str
    key: str
    title: str
    state: str
    sentence: str
    studies: tuple[LinkedStudy, ...]
    submission_id: str
    due: date | None
    modalities: tuple[str, ...]
    several_studies: bool


def _linked(study: ImagingStudy) -> LinkedStudy:
    return LinkedStudy(
        study.study_instance_uid, study.modalities, study.acquired, study.series_count,
        study.instance_count, study.held_count, study.linked_at, study.linked_by, study.state,
    )  # fmt: skip


def linked_studies(submission_id: str) -> tuple[LinkedStudy, ...]:
    """Give the linked studies that a submission brought images of."""
    wanted = (
        select(ImagingStudy)
        .join(SubmissionObject, SubmissionObject.study_id == ImagingStudy.id)
        .where(SubmissionObject.submission_id == submission_id, ImagingStudy.state == "linked")
        .order_by(ImagingStudy.study_instance_uid)
    )
    return tuple(_linked(study) for study in db.session.scalars(wanted).unique())


def _due_days(subjects: Mapping[str, Subject], visits: Iterable[Visit]) -> dict[str, date | None]:
    """Give when each visit is due, from the anchor visit's date of its subject."""
    visits = list(visits)
    anchors: dict[str, date | None] = {}
    for visit in visits:
        if visit.definition_key == definition(subjects[visit.subject_id].definition_id).anchor_visit:
            anchors[visit.subject_id] = visit.date
    found: dict[str, date | None] = {}
    for visit in visits:
        visit_def = definition(subjects[visit.subject_id].definition_id).visit(visit.definition_key)
        found[visit.id] = (
            expectation(visit_def, anchors.get(visit.subject_id)).due if visit_def and not visit.repeat else visit.date
        )
    return found


def slot_states(subject_ids: Iterable[str]) -> dict[str, dict[str, SlotState]]:
    """Give the slots of these subjects by visit key of ours (``visit_id``) and slot key, in five queries."""
    wanted = list(subject_ids)
    if not wanted:
        return {}
    subjects = {s.id: s for s in db.session.scalars(select(Subject).where(Subject.id.in_(wanted)))}
    visits = {v.id: v for v in db.session.scalars(select(Visit).where(Visit.subject_id.in_(wanted)))}
    studies: dict[str, list[LinkedStudy]] = defaultdict(list)
    linked = select(ImagingStudy).where(ImagingStudy.subject_id.in_(wanted), ImagingStudy.state == "linked")
    for study in db.session.scalars(linked):
        if study.slot_id:
            studies[study.slot_id].append(_linked(study))
    sent: dict[str, list[SentLine]] = defaultdict(list)
    columns = (Submission.id, Submission.stage, Submission.sentence, Submission.created_at, Submission.slot_id)
    for row in db.session.execute(select(*columns).where(Submission.subject_id.in_(wanted))):
        sent[row.slot_id].append(SentLine(*row[:4]))
    due, today = _due_days(subjects, visits.values()), utc_now().date()
    found: dict[str, dict[str, SlotState]] = defaultdict(dict)
    lines = select(Slot.id, Slot.visit_id, Slot.key, Slot.not_done_reason)
    for slot in db.session.execute(lines.join(Visit).where(Visit.subject_id.in_(wanted))):
        visit, here = visits[slot.visit_id], tuple(studies[slot.id])
        rules = definition(subjects[visit.subject_id].definition_id)
        slot_def, visit_def = slot_def_of(rules, slot.key), rules.visit(visit.definition_key)
        standing = stand(
            slot_def,
            Dated(visit.date, due[visit.id], visit.not_done_reason),
            today,
            optional=visit_def is not None and slot.key in visit_def.optional_slots,
            not_done_reason=slot.not_done_reason,
            linked=Linked(sum(s.instances for s in here), sum(s.held for s in here)) if here else None,
            sent=sent[slot.id],
        )
        found[slot.visit_id][slot.key] = SlotState(
            slot.id, slot.visit_id, slot.key, slot_def.title, standing.state, standing.sentence, here,
            standing.submission_id, due[visit.id], slot_def.modalities, slot_def.several_studies,
        )  # fmt: skip
    return dict(found)


def slot_def_of(rules: TrialDefinition, key: str) -> SlotDef:
    """Give a slot's definition; one that the definition does not know any more goes by its key."""
    return rules.slots.get(key) or SlotDef(key=key, title=key, modalities=())


@dataclass(frozen=True)
class SubmissionLine:
    """One submission in a list."""

    submission_id: str
    stage: str
    sentence: str
    created_at: datetime
    created_by: str
    source: str


@dataclass(frozen=True)
class SlotPage:
    """Everything the page of a slot shows.

    ``window`` is the days before and after the visit in which the images should be taken; ``under_way`` is the
    submission that must end before more can be attached, ``held_at`` one with held images to decide on, or empty.
    """

    state: SlotState
    visit_title: str
    hint: str
    modalities: tuple[str, ...]
    companions: tuple[str, ...]
    min_instances: int
    window: tuple[int | None, int | None]
    visit_date: date | None
    visit_not_done: bool
    not_done_reason: str
    deidentify_at: str
    held_days: int
    submissions: tuple[SubmissionLine, ...]
    under_way: str
    held_at: str
    may_attach: bool


def slot_page(place: Place, person: Person) -> SlotPage:
    """Give the page of a slot for this person."""
    slot = db.session.get_one(Slot, place.slot_id)
    trial = definition(slot.visit.subject.definition_id)
    slot_def = slot_def_of(trial, slot.key)
    visit_def = trial.visit(slot.visit.definition_key)
    submissions = db.session.scalars(
        select(Submission).where(Submission.slot_id == slot.id).order_by(Submission.created_at.desc())
    )
    lines = tuple(SubmissionLine(s.id, s.stage, s.sentence, s.created_at, s.created_by, s.source) for s in submissions)
    waiting = {Stage.RECEIVING, Stage.RECEIVED, Stage.SURVEYED}
    under_way = next((line.submission_id for line in lines if Stage(line.stage) in waiting), "")
    undone = bool(slot.not_done_reason or slot.visit.not_done_reason)
    return SlotPage(
        state=slot_states([place.subject_id])[place.visit_id][place.slot_key],
        visit_title=visit_def.title if visit_def else slot.visit.key,
        hint=slot_def.hint,
        modalities=slot_def.modalities,
        companions=slot_def.companions,
        min_instances=slot_def.min_instances,
        window=(slot_def.window_before, slot_def.window_after),
        visit_date=slot.visit.date,
        visit_not_done=bool(slot.visit.not_done_reason),
        not_done_reason=slot.not_done_reason,
        deidentify_at=trial.deidentify_at,
        held_days=int(trial.deidentification.get("held_days", 14)),
        submissions=lines,
        under_way=under_way,
        held_at=_held_at(slot.id),
        may_attach=person.may(Permission.ATTACH_IMAGES, place) and not undone and not under_way,
    )


def _held_at(slot_id: str) -> str:
    held = (
        select(Submission.id)
        .join(SubmissionObject, SubmissionObject.submission_id == Submission.id)
        .where(Submission.slot_id == slot_id, SubmissionObject.fate == Fate.HELD.value)
        .where(Submission.stage.in_((Stage.LINKED.value, Stage.HELD.value)))
        .order_by(Submission.created_at)
    )
    return db.session.scalar(held.limit(1)) or ""
