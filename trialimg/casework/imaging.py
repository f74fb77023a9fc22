"""What people do with images on their way: claim a slot for them, confirm what goes where, cancel, hold, let go on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any

from sqlalchemy import select

from trialimg.casework.access import Place
from trialimg.casework.definition import definition
from trialimg.casework.services import Services
from trialimg.casework.submission import destroy_unneeded, keep_marks, let_go_on, load, move, stop_waiting_jobs
from trialimg.casework.summary import Summary, read_summary
from trialimg.domain.submission import ENDED, Fate, Outcome, Stage, Step
from trialimg.errors import BadInput, Conflict, WrongPatient
from trialimg.store.base import new_id
from trialimg.store.imaging import ImagingStudy, Slot, Submission, SubmissionObject
from trialimg.store.job import enqueue
from trialimg.store.unit_of_work import UnitOfWork

MOST_REASON = 2000


def a_reason(text: str) -> str:
    """Give a reason fit for the trail; raises :class:`BadInput` where there is none."""
    reason = " ".join(text.split())
    if not reason:
        raise BadInput("Give a reason: it stands in the audit trail beside what you did.")
    if len(reason) > MOST_REASON:
        raise BadInput(f"The reason is longer than {MOST_REASON} characters. Shorten it; nothing was changed.")
    return reason


def start(
    uow: UnitOfWork,
    place: Place,
    *,
    source: str,
    acquired: date | None = None,
    cleaned_at_source: bool = False,
    marks: Mapping[str, str] = MappingProxyType({}),
    once: str = "",
) -> str:
    """Claim the slot for images that are about to be sent; gives the submission's key.

    ``marks`` are those of the originals of what was cleaned at its source, by the new identifier of the study: only
    whoever had the originals can make them, and without them nobody sees that a study is sent for another subject.
    ``once`` is a key of the program that asks: what it asks twice with it, as an answer was lost, is one submission.
    Raises :class:`Conflict` where the slot or its visit is marked not done, where the trial lets no original
    leave the site, or where the key was used for something else.
    """
    # The slot's row gives claims their order, so that one that is asked twice at a moment is one.
    slot = uow.session.get_one(Slot, place.slot_id, with_for_update=bool(once))
    if once and (known := uow.session.get(Submission, once)) is not None:
        if (known.slot_id, known.created_by, known.source) != (slot.id, uow.actor.name, source):
            raise Conflict("This key was used for another submission. Use a new one for each; nothing was changed.")
        return known.id
    if not cleaned_at_source and definition(slot.visit.subject.definition_id).deidentify_at != "server":
        raise Conflict(
            "In this trial images are de-identified before they leave your site, so this page takes none. Use the "
            "sending program there; nothing was sent."
        )
    if slot.visit.not_done_reason:
        raise Conflict("This visit is marked as not done. Take that mark away, with a reason; then attach images.")
    if slot.not_done_reason:
        raise Conflict("This slot is marked as not done. Take that mark away, with a reason, before you attach images.")
    submission = Submission(
        id=once or new_id(), trial_id=place.trial_id, site_id=place.site_id, subject_id=place.subject_id,
        slot_id=place.slot_id, stage=Stage.RECEIVING.value, source=source, cleaned_at_source=cleaned_at_source,
        acquired=acquired, created_at=uow.at, created_by=uow.actor.name, stage_since=uow.at,
        sentence="Waiting for the files.",
    )  # fmt: skip
    uow.session.add(submission)
    uow.session.flush()
    keep_marks(uow, submission, {mark: uid for uid, mark in marks.items()})
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
    if Stage(submission.stage) is not Stage.SURVEYED:
        raise Conflict("Somebody has confirmed or cancelled these images in between. Load the page again.")
    wanted = summary.ordinals(series)
    for item in uow.session.scalars(_received(submission.id)):
        if item.ordinal not in wanted:
            item.fate = Fate.LEFT_OUT.value
            item.sentence = "Not chosen by the person who confirmed."
    submission.confirmed_by = uow.actor.name
    submission.acquired = acquired or submission.acquired or summary.study_date(series)
    what = "1 image is" if len(wanted) == 1 else f"{len(wanted)} images are"
    move(uow, submission, Outcome.CONFIRMED, f"Confirmed: {what} being de-identified.")
    destroy_unneeded(uow, submission)


def _received(submission_id: str) -> Any:
    return select(SubmissionObject).where(
        SubmissionObject.submission_id == submission_id, SubmissionObject.fate == Fate.RECEIVED.value
    )


def cancel(uow: UnitOfWork, services: Services, place: Place, reason: str) -> None:
    """Cancel a submission: its bytes are destroyed, and what the archive was given already is removed there.

    Where a part of it is linked already, that part stays; only what is still on its way is discarded. Raises
    :class:`Conflict` where the archive was given some of that, since single images cannot be taken back from it.
    """
    del services
    submission = load(uow, place.submission_id)
    was = Stage(submission.stage)
    sent = {was, Stage(submission.held_from or was)} & {Stage.PROMISED, Stage.SENT}
    if submission.study_id is not None and was not in ENDED | {Stage.LINKED}:
        _back_to_linked(uow, submission, a_reason(reason), sent=bool(sent))
        return
    move(uow, submission, Outcome.CANCELLED, f"Cancelled: {a_reason(reason)}")
    stop_waiting_jobs(uow, submission, "Cancelled by a person.")
    given = set()
    for item in uow.session.scalars(_live_objects(submission.id)):
        item.fate = Fate.DISCARDED.value
        item.sentence = "The submission was cancelled."
        if sent and item.study_instance_uid:
            given.add(item.study_instance_uid)
    for study_instance_uid in sorted(given):
        _forget_unlinked(uow, submission, study_instance_uid)
    destroy_unneeded(uow, submission)


def _back_to_linked(uow: UnitOfWork, submission: Submission, reason: str, *, sent: bool) -> None:
    """Give up what is still on its way of a submission that is linked in part, and have the rest verified again."""
    if sent:
        raise Conflict(
            "A part of these images is linked already and the rest is on its way to the archive. Wait until it has "
            "arrived, or ask the archive's operator; what should not stand can then be withdrawn. Nothing was changed."
        )
    if submission.stage != Stage.HELD:
        move(uow, submission, Outcome.HOLD, "Stopped by a person.")
    stop_waiting_jobs(uow, submission, "Cancelled by a person.")
    for item in uow.session.scalars(_live_objects(submission.id)):
        if item.fate != Fate.SENT:
            item.fate = Fate.DISCARDED.value
            item.sentence = f"Cancelled: {reason}"
    move(uow, submission, Outcome.DECIDED, "What was on its way was cancelled; the linked images are checked again.")
    destroy_unneeded(uow, submission)


def _live_objects(submission_id: str) -> Any:
    ended = [Fate.REFUSED.value, Fate.DUPLICATE.value, Fate.LEFT_OUT.value, Fate.DISCARDED.value, Fate.WITHDRAWN.value]
    return select(SubmissionObject).where(
        SubmissionObject.submission_id == submission_id, SubmissionObject.fate.not_in(ended)
    )


def _forget_unlinked(uow: UnitOfWork, submission: Submission, study_instance_uid: str) -> None:
    """Have the archive forget what it was given of a study that no record will ever tell of."""
    study = uow.session.scalar(select(ImagingStudy).where(ImagingStudy.study_instance_uid == study_instance_uid))
    if study is not None and (study.state != "withdrawn" or study.forget_state != "done"):
        return  # a linked study these images were to join (the door shows linked ones only), or it goes anyway
    if study is None:
        study = ImagingStudy(
            trial_id=submission.trial_id, subject_id=submission.subject_id, slot_id=None,
            study_instance_uid=study_instance_uid, state="withdrawn", linked_at=uow.at, linked_by=uow.actor.name,
        )  # fmt: skip
        uow.session.add(study)
    study.state_reason = "The submission was cancelled before it was linked."
    study.forget_state = "asked"
    uow.session.flush()
    enqueue(uow, Step.FORGET.value, trial_id=submission.trial_id, study_id=study.id)


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
    if submission.stage == Stage.HELD and not submission.held_from:
        raise Conflict("Every image of this submission waits for a decision; the site decides on its page.")
    let_go_on(uow, submission, f"Started again by {uow.actor.name}.")


def summary_of(services: Services, place: Place) -> Summary:
    """Give what the survey found, with the names that only the site's people may see."""
    return read_summary(services, place.submission_id)
