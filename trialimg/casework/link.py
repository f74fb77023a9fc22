"""The link between a study and the case record: detached, moved within a subject, or withdrawn from a wrong one.

The archive must never tell another story than the record: a study at the wrong subject is hidden from everyone at
once, and removed from the archive on an authorised decision; its images are sent again to the right subject, where
their UIDs differ, because the subject is part of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Place, trial_place
from trialimg.casework.definition import definition
from trialimg.casework.form_findings import recheck_visit
from trialimg.casework.imaging import a_reason
from trialimg.casework.read_basis import basis_changed, images_gone, images_linked, last_slot
from trialimg.casework.slots import slot_states
from trialimg.casework.submission import destroy_unneeded, load, move, stop_waiting_jobs
from trialimg.domain.submission import ENDED, Fate, Outcome, Stage, Step
from trialimg.errors import BadInput, Conflict, NotFound
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot, Submission, SubmissionObject
from trialimg.store.job import enqueue
from trialimg.store.subject import Visit
from trialimg.store.unit_of_work import UnitOfWork

LINKED, DETACHED, WITHDRAWN = "linked", "detached", "withdrawn"
TO_AUTHORISE: Final = "to authorise"


def _load(uow: UnitOfWork, place: Place) -> ImagingStudy:
    """Load a study under its row lock, its submissions first: the order in which the pipeline takes them."""
    mine = select(Submission.id).where(Submission.study_id == place.study_id).order_by(Submission.id)
    for key in uow.session.scalars(mine).all():
        load(uow, key)
    study = uow.session.scalar(select(ImagingStudy).where(ImagingStudy.id == place.study_id).with_for_update())
    if study is None or study.state == WITHDRAWN:
        raise NotFound
    return study


def detach(uow: UnitOfWork, place: Place, reason: str) -> None:
    """Take the link away; the study stays with its subject and in the archive, and nobody opens it meanwhile."""
    study = _load(uow, place)
    if study.state != LINKED:
        raise Conflict("This study is not linked to a slot. Load the page again.")
    slot_id = study.slot_id
    study.state, study.state_reason, study.slot_id = DETACHED, a_reason(reason), None
    recheck_slots(uow, slot_id)
    basis_changed(uow, study.subject_id)


def relink(uow: UnitOfWork, place: Place, target: Place, reason: str) -> None:
    """Link the study to another slot of the same subject; the bytes stay where they are."""
    study = _load(uow, place)
    if target.subject_id != study.subject_id:
        raise BadInput(
            "A study can be moved between visits and slots of its own subject only. Where it belongs to somebody else, "
            "withdraw it and send the images again to the right subject."
        )
    slot = uow.session.get_one(Slot, target.slot_id)
    if slot.not_done_reason:
        raise Conflict("That slot is marked as not done. Take that mark away first, with a reason.")
    if study.state == LINKED and study.slot_id == slot.id:
        raise Conflict("The study is linked to that slot already.")
    _refuse_taken(uow, study, slot)
    before, read_at = study.slot_id, last_slot(uow, study)
    study.state, study.state_reason, study.slot_id = LINKED, a_reason(reason), slot.id
    for submission in uow.session.scalars(select(Submission).where(Submission.study_id == study.id)):
        submission.slot_id = slot.id
    recheck_slots(uow, before, slot.id)
    images_linked(uow, study)
    images_gone(uow, study, read_at, "Its images belong to another time point and were moved there.")


def recheck_slots(uow: UnitOfWork, *slot_ids: str | None) -> None:
    """Check the forms of these slots' visits again: what they say of images is compared with what is linked."""
    uow.session.flush()
    wanted = select(Slot.visit_id).where(Slot.id.in_([key for key in slot_ids if key is not None])).distinct()
    for visit_id in uow.session.scalars(wanted).all():
        recheck_visit(uow, visit_id)


def _refuse_taken(uow: UnitOfWork, study: ImagingStudy, slot: Slot) -> None:
    rules = definition(slot.visit.subject.definition_id).slots.get(slot.key)
    if rules is None:
        raise Conflict("The trial's definition does not know that slot any more. Choose another one.")
    there = select(ImagingStudy.id).where(
        ImagingStudy.slot_id == slot.id, ImagingStudy.state == LINKED, ImagingStudy.id != study.id
    )
    if not rules.several_studies and uow.session.scalar(there.limit(1)) is not None:
        raise Conflict("That slot has a linked study and takes one. Detach that one first. Nothing was changed.")
    found = {each for each in study.modalities.replace("\\", ",").replace(" ", "").split(",") if each}
    if found and not found & set(rules.modalities):
        raise BadInput(
            f"That slot takes {' or '.join(rules.modalities)}; this study is {', '.join(sorted(found))}. Choose the "
            "slot where it belongs. Nothing was changed."
        )


def withdraw(uow: UnitOfWork, place: Place, reason: str) -> None:
    """Withdraw a study that belongs to somebody else: hidden from everyone with this commit."""
    study = _load(uow, place)
    why, slot_id, read_at = a_reason(reason), study.slot_id, last_slot(uow, study)
    study.state, study.state_reason, study.slot_id, study.forget_state = WITHDRAWN, why, None, TO_AUTHORISE
    items = select(SubmissionObject).where(SubmissionObject.study_id == study.id)
    touched = set()
    for item in uow.session.scalars(items):
        touched.add(item.submission_id)
        if item.fate == Fate.SENT:
            item.fate, item.sentence = Fate.WITHDRAWN.value, "The study was withdrawn."
        elif item.fate in {Fate.HELD, Fate.RELEASED, Fate.CLEAN}:
            item.fate, item.sentence = Fate.DISCARDED.value, "The study was withdrawn while this image waited."
    uow.session.flush()
    for key in sorted(touched):
        _end_submission(uow, key, study.id, why)
    recheck_slots(uow, slot_id)
    images_gone(uow, study, read_at, "Its images were withdrawn: they belong to somebody else.")


def _end_submission(uow: UnitOfWork, submission_id: str, study_id: str, why: str) -> None:
    """End a submission whose study was withdrawn, unless it brought another study too, which stays."""
    submission = load(uow, submission_id)
    if Stage(submission.stage) not in {Stage.LINKED, Stage.HELD, *ENDED}:
        raise Conflict(
            "More images are on their way to this study. Wait until they have arrived or cancel that submission, then "
            "withdraw the study. Nothing was changed."
        )
    others = select(SubmissionObject.study_id).where(
        SubmissionObject.submission_id == submission_id,
        SubmissionObject.study_id != study_id,
        SubmissionObject.fate == Fate.SENT.value,
    )
    other = uow.session.scalar(others.limit(1))
    if other is not None:
        submission.study_id = other
        submission.sentence = f"One of its studies was withdrawn: {why} The others stay linked."
    elif Stage(submission.stage) not in ENDED:
        stop_waiting_jobs(uow, submission, "The study was withdrawn.")
        move(uow, submission, Outcome.WITHDRAWN, f"Withdrawn: {why}")
    destroy_unneeded(uow, submission)


def authorise_removal(uow: UnitOfWork, study_id: str, reason: str) -> None:
    """Decide that the archive forgets a withdrawn study."""
    study = uow.session.scalar(select(ImagingStudy).where(ImagingStudy.id == study_id).with_for_update())
    if study is None or study.state != WITHDRAWN:
        raise NotFound
    if study.forget_state != TO_AUTHORISE:
        raise Conflict("The removal of this study was decided already.")
    study.forget_state, study.state_reason = "asked", f"{study.state_reason} Removal: {a_reason(reason)}"
    enqueue(uow, Step.FORGET.value, trial_id=study.trial_id, study_id=study.id)


@dataclass(frozen=True)
class Target:
    """A slot of the same subject that a study can be moved to; ``state`` is a word of the state badge."""

    visit_key: str
    slot_key: str
    title: str
    state: str


@dataclass(frozen=True)
class LinkPage:
    """What the page of a study's link shows."""

    study_instance_uid: str
    state: str
    state_reason: str
    visit_key: str
    slot_key: str
    modalities: str
    acquired: date | None
    instances: int
    held: int
    linked_at: datetime
    linked_by: str
    targets: tuple[Target, ...]


def link_page(place: Place) -> LinkPage:
    """Give how a study is linked, and the slots it could be moved to."""
    study = db.session.get_one(ImagingStudy, place.study_id)
    states = slot_states([place.subject_id])
    visits = db.session.scalars(select(Visit).where(Visit.subject_id == place.subject_id).order_by(Visit.ordinal))
    targets = [
        Target(visit.key, state.key, state.title, state.state)
        for visit in visits
        for state in states.get(visit.id, {}).values()
        if state.slot_id != study.slot_id and state.state != "not_done"
    ]
    return LinkPage(
        study.study_instance_uid, study.state, study.state_reason, place.visit_key, place.slot_key,
        study.modalities.replace("\\", ", "), study.acquired, study.instance_count, study.held_count, study.linked_at,
        study.linked_by, tuple(targets),
    )  # fmt: skip


@dataclass(frozen=True)
class WithdrawnStudy:
    """A study that nobody sees any more; ``removal`` says how far the archive is with forgetting it."""

    study_instance_uid: str
    subject_number: str
    reason: str
    removal: str


def withdrawn_studies(place: Place) -> list[WithdrawnStudy]:
    """List the withdrawn studies of a trial, those to decide on first."""
    wanted = select(ImagingStudy).where(ImagingStudy.trial_id == place.trial_id, ImagingStudy.state == WITHDRAWN)
    order = {TO_AUTHORISE: 0, "operator": 1, "asked": 2}
    found = [
        WithdrawnStudy(study.study_instance_uid, study.subject.number, study.state_reason, study.forget_state)
        for study in db.session.scalars(wanted.options(joinedload(ImagingStudy.subject)))
    ]
    return sorted(found, key=lambda each: (order.get(each.removal, 3), each.subject_number, each.study_instance_uid))


def withdrawn_place(trial: str, study_instance_uid: str) -> Place:
    """Find a withdrawn study of a trial; raises :class:`NotFound`."""
    place = trial_place(trial)
    wanted = select(ImagingStudy.id).where(
        ImagingStudy.trial_id == place.trial_id,
        ImagingStudy.study_instance_uid == study_instance_uid,
        ImagingStudy.state == WITHDRAWN,
    )
    key = db.session.scalar(wanted)
    if key is None:
        raise NotFound
    return replace(place, study_id=key, study_instance_uid=study_instance_uid)
