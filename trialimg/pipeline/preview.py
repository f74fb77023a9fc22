"""A picture of one original in quarantine, for the person of the site who must decide on it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from trialimg.casework.services import Services
from trialimg.casework.submission import quarantine
from trialimg.errors import NotFound, UnreadableObject
from trialimg.pipeline.child import Limits, ask_each
from trialimg.pipeline.claim import load_claim
from trialimg.pipeline.survey import child_setup
from trialimg.store.base import db
from trialimg.store.imaging import SubmissionObject

LONGEST_SIDE: Final = 1024
"""Pixels of a preview's longer side: text burned into the image must be legible."""


def preview(services: Services, submission_id: str, ordinal: int) -> bytes:
    """Give a PNG of an original, made in a child process and kept in the quarantine from then on.

    Raises NotFound where the original is gone, UnreadableObject where it cannot be shown. Who may see it is the
    caller's to ask.
    """
    wanted = select(SubmissionObject.received_sha256).where(
        SubmissionObject.submission_id == submission_id, SubmissionObject.ordinal == ordinal
    )
    sha256 = db.session.scalar(wanted)
    area, note = quarantine(submission_id), f"preview-{ordinal}"
    if sha256 is None or not area.holds(sha256):
        raise NotFound("The original of this image is no longer in quarantine, so it cannot be shown.")
    kept = area.read_note(note)
    if kept is not None:
        return kept
    request = {"do": "picture", "sha256": sha256, "note": note, "longest": LONGEST_SIDE}
    setup = child_setup(services, load_claim(submission_id))
    for _, answer in ask_each([request], setup, Limits.of(services.settings)):
        if "refused" in answer:
            raise UnreadableObject(answer["refused"]["sentence"])
    made = area.read_note(note)
    if made is None:
        raise NotFound("The original of this image is no longer in quarantine, so it cannot be shown.")
    return made
