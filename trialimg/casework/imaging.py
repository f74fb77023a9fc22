"""What people do with images on their way: claim a slot for them, confirm what goes where, cancel, hold, let go on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import func, select

from trialimg.casework.access import Place
from trialimg.casework.services import Services
from trialimg.casework.submission import let_go_on, load, move, stop_waiting_jobs
from trialimg.casework.summary import Summary, read_summary
from trialimg.domain.submission import ENDED, Fate, Outcome, Stage, Step
from trialimg.errors import BadInput, Conflict, WrongPatient
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot, Submission, SubmissionObject
from trialimg.store.job import enqueue
from trialimg.store.unit_of_work import UnitOfWork

MOST_REASON = 2000


def quarantine(submission_id: str) -> str:
    """Name the vault's area of bytes that may still identify somebody."""
    return f"quarantine/{submission_id}"


def outbox(submission_id: str) -> str:
    """Name the vault's area of clean bytes on their way to the archive."""
    return f"outbox/{submission_id}"


def a_reason(text: str) -> str:
    """Give a reason fit for the trail; raises :class:`BadInput` where there is none."""
    reason = " ".join(text.split())
    if not reason:
        raise BadInput("Give a reason: it stands in the audit trail beside what you did.")
    if len(reason) > MOST_REASON:
        raise BadInput(f"The reason is longer than {MOST_REASON} characters. Shorten it; nothing was changed.")
    return reason


def start(
    uow: UnitOfWork, place: Place, *, source: str, acquired: date | None = None, cleaned_at_source: bool = False
) -> str:
    """Claim the slot for images that are about to be sent; gives the submission's key."""
    slot = uow.session.get_one(Slot, place.slot_id)
    if slot.not_done_reason:
        raise Conflict("This slot is marked as not done. Take that mark away, with a reason, before you attach images.")
    submission = Submission(
        trial_id=place.trial_id, site_id=place.site_id, subject_id=place.subject_id, slot_id=place.slot_id,
        stage=Stage.RECEIVING.value, source=source, cleaned_at_source=cleaned_at_source, acquired=acquired,
        created_at=uow.at, created_by=uow.actor.name, stage_since=uow.at, sentence="Waiting for the files.",
    )  # fmt: skip
    uow.session.add(submission)
    uow.session.flush()
    return submission.id


def confirm(
    uow: UnitOfWork, services: Services, place: Place, *, series: frozenset[int], acquired: date | None
) -> None:
    """Let the chosen series of a survey go on to this slot; what was not chosen is left out, and said so.

    Raises :class:`WrongPatient` where the choice holds more than one person, :class:`BadInput` where something
    found in the choice forbids it.
    """
    submission = load(uow, place.submission_id)
    summary = read_summary(services, submission.id)
    chosen = [entry for entry in summary.series if entry.index in series]
    if not chosen:
        raise BadInput("Choose at least one series, or cancel. Nothing was changed.")
    if len({summary.studies[entry.study].patient for entry in chosen}) > 1:
        raise WrongPatient(
            "Your choice holds images of more than one person. Choose the series of one person only; "
            "the others are left out and destroyed."
        )
    stops = summary.stops(series)
    if stops:
        raise BadInput(f"This cannot go on: {stops[0]}")
    wanted = summary.ordinals(series)
    for item in uow.session.scalars(_received(submission.id)):
        if item.ordinal not in wanted:
            item.fate = Fate.LEFT_OUT.value
            item.sentence = "Not chosen by the person who confirmed."
    submission.confirmed_by = uow.actor.name
    submission.acquired = acquired or submission.acquired or summary.study_date(series)
    move(uow, submission, Outcome.CONFIRMED, f"Confirmed: {len(wanted)} images are being de-identified.")


def _received(submission_id: str) -> Any:
    return select(SubmissionObject).where(
        SubmissionObject.submission_id == submission_id, SubmissionObject.fate == Fate.RECEIVED.value
    )


def cancel(uow: UnitOfWork, services: Services, place: Place, reason: str) -> None:
    """Cancel a submission: its bytes are destroyed, and what the archive was given already is removed there."""
    submission = load(uow, place.submission_id)
    was = Stage(submission.stage)
    move(uow, submission, Outcome.CANCELLED, f"Cancelled: {a_reason(reason)}")
    stop_waiting_jobs(uow, submission, "Cancelled by a person.")
    submission.originals_destroyed_at = uow.at
    sent = was in {Stage.PROMISED, Stage.SENT} or Stage(submission.held_from or was) in {Stage.PROMISED, Stage.SENT}
    for item in uow.session.scalars(_live_objects(submission.id)):
        item.fate = Fate.DISCARDED.value
        item.sentence = "The submission was cancelled."
        if sent and item.study_instance_uid:
            _forget_unlinked(uow, submission, item.study_instance_uid)
    destroy_after(uow, services, submission.id)


def _live_objects(submission_id: str) -> Any:
    ended = [Fate.REFUSED.value, Fate.DUPLICATE.value, Fate.LEFT_OUT.value, Fate.DISCARDED.value, Fate.WITHDRAWN.value]
    return select(SubmissionObject).where(
        SubmissionObject.submission_id == submission_id, SubmissionObject.fate.not_in(ended)
    )


def _forget_unlinked(uow: UnitOfWork, submission: Submission, study_instance_uid: str) -> None:
    """Have the archive forget what it was given of a study that no record will ever tell of."""
    known = select(ImagingStudy).where(ImagingStudy.study_instance_uid == study_instance_uid)
    if uow.session.scalar(known) is not None:
        return  # a linked study these images were to join: unlinked ones are never shown by the door
    study = ImagingStudy(
        trial_id=submission.trial_id, subject_id=submission.subject_id, slot_id=None,
        study_instance_uid=study_instance_uid, state="withdrawn", forget_state="asked",
        state_reason="The submission was cancelled before it was linked.",
        linked_at=uow.at, linked_by=uow.actor.name,
    )  # fmt: skip
    uow.session.add(study)
    uow.session.flush()
    enqueue(uow, Step.FORGET.value, trial_id=submission.trial_id, study_id=study.id)


def destroy_after(uow: UnitOfWork, services: Services, submission_id: str) -> None:
    """Destroy a submission's bytes once the record says so; the sweep repeats it should the process die between."""
    for name in (quarantine(submission_id), outbox(submission_id)):
        uow.afterwards(services.vault.area(name).clear)


def hold(uow: UnitOfWork, place: Place, reason: str) -> None:
    """Stop a submission until a person lets it go on."""
    submission = load(uow, place.submission_id)
    move(uow, submission, Outcome.HOLD, f"Held by {uow.actor.name}: {a_reason(reason)}")
    stop_waiting_jobs(uow, submission, "Held by a person.")


def retry(uow: UnitOfWork, place: Place) -> None:
    """Let a held submission go on, or run the step that waits now."""
    submission = load(uow, place.submission_id)
    if Stage(submission.stage) in ENDED:
        raise Conflict("This submission has ended; send the images again instead.")
    let_go_on(uow, submission, f"Started again by {uow.actor.name}.")


def counts_by_fate(submission_id: str) -> Mapping[Fate, int]:
    """Count a submission's objects by what became of them."""
    rows = db.session.execute(
        select(SubmissionObject.fate, func.count())
        .where(SubmissionObject.submission_id == submission_id)
        .group_by(SubmissionObject.fate)
    )
    return {Fate(fate): count for fate, count in rows}


def summary_of(services: Services, place: Place) -> Summary:
    """Give what the survey found, with the names that only the site's people may see."""
    return read_summary(services, place.submission_id)
