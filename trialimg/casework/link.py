"""The link between a study and the case record: detached, moved within a subject, or withdrawn from a wrong one.

The archive must never tell another story than the record: a study at the wrong subject is hidden from everyone at
once, and removed from the archive on an authorised decision; its images are sent again to the right subject, where
their UIDs differ, because the subject is part of them.
"""

from __future__ import annotations

from sqlalchemy import select

from trialimg.casework.access import Place
from trialimg.casework.imaging import a_reason
from trialimg.casework.submission import stop_waiting_jobs
from trialimg.domain.submission import Fate, Outcome, Stage, Step, advance
from trialimg.errors import BadInput, Conflict, ImpossibleStep, NotFound
from trialimg.store.imaging import ImagingStudy, Slot, Submission, SubmissionObject
from trialimg.store.job import enqueue
from trialimg.store.unit_of_work import UnitOfWork

LINKED, DETACHED, WITHDRAWN = "linked", "detached", "withdrawn"


def _load(uow: UnitOfWork, place: Place) -> ImagingStudy:
    study = uow.session.scalar(select(ImagingStudy).where(ImagingStudy.id == place.study_id).with_for_update())
    if study is None or study.state == WITHDRAWN:
        raise NotFound
    return study


def detach(uow: UnitOfWork, place: Place, reason: str) -> None:
    """Take the link away; the study stays with its subject and in the archive, and nobody opens it meanwhile."""
    study = _load(uow, place)
    if study.state != LINKED:
        raise Conflict("This study is not linked to a slot. Load the page again.")
    study.state, study.state_reason, study.slot_id = DETACHED, a_reason(reason), None


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
    study.state, study.state_reason, study.slot_id = LINKED, a_reason(reason), slot.id
    for submission in uow.session.scalars(select(Submission).where(Submission.study_id == study.id)):
        submission.slot_id = slot.id


def withdraw(uow: UnitOfWork, place: Place, reason: str) -> None:
    """Withdraw a study that belongs to somebody else: hidden from everyone with this commit."""
    study = _load(uow, place)
    why = a_reason(reason)
    study.state, study.state_reason, study.slot_id, study.forget_state = WITHDRAWN, why, None, "to authorise"
    for item in uow.session.scalars(select(SubmissionObject).where(SubmissionObject.study_id == study.id)):
        if item.fate == Fate.SENT.value:
            item.fate, item.sentence = Fate.WITHDRAWN.value, "The study was withdrawn."
    for submission in uow.session.scalars(select(Submission).where(Submission.study_id == study.id)):
        try:
            stage, _ = advance(Stage(submission.stage), Outcome.WITHDRAWN)
        except ImpossibleStep:
            raise Conflict(
                "More images are on their way to this study. Cancel that submission first, then withdraw the study."
            ) from None
        stop_waiting_jobs(uow, submission, "The study was withdrawn.")
        submission.stage, submission.stage_since = stage.value, uow.at
        submission.sentence = f"Withdrawn: {why}"


def authorise_removal(uow: UnitOfWork, study_id: str, reason: str) -> None:
    """Decide that the archive forgets a withdrawn study."""
    study = uow.session.scalar(select(ImagingStudy).where(ImagingStudy.id == study_id).with_for_update())
    if study is None or study.state != WITHDRAWN:
        raise NotFound
    if study.forget_state != "to authorise":
        raise Conflict("The removal of this study was decided already.")
    study.forget_state, study.state_reason = "asked", f"{study.state_reason} Removal: {a_reason(reason)}"
    enqueue(uow, Step.FORGET.value, trial_id=study.trial_id, study_id=study.id)
