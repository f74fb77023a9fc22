"""How imaging slots stand: the state of each, and the page of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select

from trialimg.casework.access import Person, Place
from trialimg.casework.definition import definition
from trialimg.domain.permission import Permission
from trialimg.domain.submission import ENDED, Fate, Stage
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


class SlotLine(NamedTuple):
    """What of a slot's row its state is judged from; a grid shows hundreds, too many to load whole."""

    slot_id: str
    visit_id: str
    key: str
    not_done_reason: str


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


def _waiting(visit: Visit, slot_def: SlotDef, due: date | None, *, optional: bool) -> tuple[str, str]:
    """Judge a slot that has nothing yet."""
    if visit.not_done_reason:
        return "not_done", f"The visit was not done: {visit.not_done_reason}"
    if optional:
        return "optional", "Images here are optional; attach them where there are any."
    return _by_date(visit, slot_def, due, utc_now().date())


def _by_date(visit: Visit, slot_def: SlotDef, due: date | None, today: date) -> tuple[str, str]:
    """Judge from the visit's date, else from when the visit is due."""
    after = timedelta(days=slot_def.window_after or 0)
    if visit.date is not None:
        if today > visit.date + after:
            return "missing", "The visit took place and its images are not here yet. Attach them, or say not done."
        return "due", "The visit is dated; attach its images."
    if due is not None and today > due + after:
        return "overdue", f"The visit was due on {due.isoformat()}. Date it and attach its images, or say not done."
    if due is not None and due - today <= timedelta(days=14):
        return "due", f"The visit is due on {due.isoformat()}."
    return "empty", "Nothing is expected here yet."


def _judge(
    slot: SlotLine,
    visit: Visit,
    rules: TrialDefinition,
    due: date | None,
    *,
    studies: list[ImagingStudy],
    submissions: list[Submission],
) -> SlotState:
    slot_def, visit_def = _slot_def(rules, slot.key), rules.visit(visit.definition_key)
    optional = visit_def is not None and slot.key in visit_def.optional_slots
    under_way = [s for s in submissions if Stage(s.stage) not in ENDED and s.stage != Stage.LINKED]
    latest = max(under_way or submissions, key=lambda s: s.created_at, default=None)
    if slot.not_done_reason:
        state, sentence = "not_done", f"Not done: {slot.not_done_reason}"
    elif studies:
        held = sum(study.held_count for study in studies)
        count = sum(study.instance_count for study in studies)
        state = "linked_held" if held else "linked"
        sentence = f"{count} images linked" + (f", {held} held for a decision" if held else "") + "."
    elif under_way and latest is not None:
        state, sentence = latest.stage, latest.sentence
    elif latest is not None and latest.stage == Stage.REFUSED:
        state, sentence = "refused", latest.sentence
    else:
        state, sentence = _waiting(visit, slot_def, due, optional=optional)
    return SlotState(
        slot.slot_id, slot.visit_id, slot.key, slot_def.title, state, sentence, tuple(_linked(s) for s in studies),
        latest.id if latest is not None else "", due, slot_def.modalities, slot_def.several_studies,
    )  # fmt: skip


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
    """Give the slots of these subjects by visit key of ours (``visit_id``) and slot key, in four queries."""
    wanted = list(subject_ids)
    if not wanted:
        return {}
    subjects = {s.id: s for s in db.session.scalars(select(Subject).where(Subject.id.in_(wanted)))}
    visits = {v.id: v for v in db.session.scalars(select(Visit).where(Visit.subject_id.in_(wanted)))}
    columns = select(Slot.id, Slot.visit_id, Slot.key, Slot.not_done_reason)
    slots = [SlotLine(*row) for row in db.session.execute(columns.join(Visit).where(Visit.subject_id.in_(wanted)))]
    studies: dict[str, list[ImagingStudy]] = defaultdict(list)
    linked = select(ImagingStudy).where(ImagingStudy.subject_id.in_(wanted), ImagingStudy.state == "linked")
    for study in db.session.scalars(linked):
        if study.slot_id:
            studies[study.slot_id].append(study)
    submissions: dict[str, list[Submission]] = defaultdict(list)
    for submission in db.session.scalars(select(Submission).where(Submission.subject_id.in_(wanted))):
        submissions[submission.slot_id].append(submission)
    due = _due_days(subjects, visits.values())
    found: dict[str, dict[str, SlotState]] = defaultdict(dict)
    for slot in slots:
        visit = visits[slot.visit_id]
        trial = definition(subjects[visit.subject_id].definition_id)
        key = slot.slot_id
        found[slot.visit_id][slot.key] = _judge(
            slot, visit, trial, due[slot.visit_id], studies=studies[key], submissions=submissions[key]
        )
    return dict(found)


def _slot_def(trial: TrialDefinition, key: str) -> SlotDef:
    return trial.slots.get(key) or SlotDef(key=key, title=key, modalities=())


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
    slot_def = _slot_def(trial, slot.key)
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
