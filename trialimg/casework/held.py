"""Decisions on held images: send them all the same, discard them, or keep them waiting; audited with the reason."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Final

from sqlalchemy import select

from trialimg.casework.access import Place
from trialimg.casework.imaging import a_reason
from trialimg.casework.pixel_series import REVIEWED, on_review_page
from trialimg.casework.submission import destroy_unneeded, load, move, quarantine
from trialimg.domain.submission import Fate, Outcome, Stage
from trialimg.errors import BadInput, Conflict
from trialimg.store.imaging import Submission, SubmissionObject
from trialimg.store.unit_of_work import UnitOfWork

PREVIEW: Final = "preview-"
"""The beginning of the keys of pictures of held images among the notes of the quarantine; the ordinal follows."""


class Decision(StrEnum):
    """What a person of the site may decide on held images."""

    SEND = "send"
    DISCARD = "discard"
    KEEP = "keep"


def decide(uow: UnitOfWork, place: Place, *, ordinals: frozenset[int], decision: Decision, reason: str) -> int:
    """Decide on held images of a submission and start the steps again for them; gives how many were decided on."""
    submission = load(uow, place.submission_id)
    if Stage(submission.stage) not in {Stage.LINKED, Stage.HELD}:
        raise Conflict("These images are under way. Decide when the submission is linked or held; nothing was changed.")
    why = a_reason(reason)
    held = _held(uow, submission, ordinals)
    if decision is Decision.SEND and any(item.code not in REVIEWED for item in held):
        raise BadInput(
            "Some of these images are not held for what their pixels may show: looking at them cannot settle it, so "
            "they cannot be sent. Discard them, or keep them and ask a data manager. Nothing was changed."
        )
    if decision is Decision.SEND and on_review_page(uow.session, held):
        raise BadInput(
            "Some of these images can be looked at on the page for held pixels, where what they show is covered. "
            "Decide on them there; nothing was changed."
        )
    if decision is Decision.KEEP:
        for item in held:
            item.decided_by = uow.actor.name
        uow.note("keep held", "submission", submission.id, str(len(held)))
        return len(held)
    for item in held:
        item.fate = (Fate.RELEASED if decision is Decision.SEND else Fate.DISCARDED).value
        item.decided_by = uow.actor.name
        item.sentence = f"{'Sent' if decision is Decision.SEND else 'Discarded'} by decision: {why}"
        uow.afterwards(partial(_blank_picture, submission.id, item.ordinal))
    verb = "released" if decision is Decision.SEND else "discarded"
    move(uow, submission, Outcome.DECIDED, f"{len(held)} held images were {verb}; the study is checked again.")
    destroy_unneeded(uow, submission)
    return len(held)


def _held(uow: UnitOfWork, submission: Submission, ordinals: frozenset[int]) -> list[SubmissionObject]:
    wanted = select(SubmissionObject).where(
        SubmissionObject.submission_id == submission.id,
        SubmissionObject.fate == Fate.HELD.value,
        SubmissionObject.ordinal.in_(ordinals),
    )
    held = list(uow.session.scalars(wanted))
    if not held:
        raise BadInput("Choose at least one of the held images. Nothing was changed.")
    if len(held) != len(ordinals):
        raise Conflict("Somebody has decided on some of these images in between. Load the page again.")
    return held


def _blank_picture(submission_id: str, ordinal: int) -> None:
    """Empty the picture that was made of a held image; the rest of the quarantine may have to stay."""
    area, note = quarantine(submission_id), f"{PREVIEW}{ordinal}"
    if area.read_note(note):
        area.note(note, b"")
