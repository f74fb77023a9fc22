"""A picture of one original in quarantine, for the person of the site who must decide on it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from trialimg.casework.services import Services
from trialimg.casework.submission import FULL_SIZE, quarantine
from trialimg.errors import NotFound, UnreadableObject
from trialimg.pipeline.child import Json, Limits, ask_each
from trialimg.pipeline.claim import load_claim
from trialimg.pipeline.look import LONGEST_SIDE, picture_request
from trialimg.pipeline.survey import child_setup
from trialimg.store.base import db
from trialimg.store.imaging import SubmissionObject

MOST_AT_FULL_SIZE: Final = 256 * 2**20
"""Bytes that the pictures of one submission at full size may take together; an older one is made again when asked."""
_GONE: Final = "The original of this image is no longer in quarantine, so it cannot be shown."


def preview(services: Services, submission_id: str, ordinal: int) -> bytes:
    """Give a PNG of an original, made in a child process and kept in the quarantine from then on.

    Raises NotFound where the original is gone, UnreadableObject where it cannot be shown. Who may see it is the
    caller's to ask.
    """
    note = f"preview-{ordinal}"
    sha256 = _original(submission_id, ordinal)
    request = {"do": "picture", "sha256": sha256, "note": note, "longest": LONGEST_SIDE}
    return _picture(services, submission_id, request)


def frame_picture(services: Services, submission_id: str, ordinal: int, frame: int, *, full: bool = False) -> bytes:
    """Give a PNG of one frame of a held image: the one made ahead, else made now; otherwise as ``preview``.

    ``full`` gives it at the size it is stored in, as far as that is shown at all.
    """
    request = picture_request(ordinal, _original(submission_id, ordinal), frame, full=full)
    return _picture(services, submission_id, request)


def _original(submission_id: str, ordinal: int) -> str:
    wanted = select(SubmissionObject.received_sha256).where(
        SubmissionObject.submission_id == submission_id, SubmissionObject.ordinal == ordinal
    )
    sha256 = db.session.scalar(wanted)
    if sha256 is None or not quarantine(submission_id).holds(sha256):
        raise NotFound(_GONE)
    return sha256


def _picture(services: Services, submission_id: str, request: Json) -> bytes:
    area = quarantine(submission_id)
    kept = area.read_note(request["note"])
    if kept is not None:
        return kept
    setup = child_setup(services, load_claim(submission_id))
    for _ in range(2):  # once more where another picture, made meanwhile, drove this one out
        for _, answer in ask_each([request], setup, Limits.of(services.settings)):
            if "refused" in answer:
                raise UnreadableObject(answer["refused"]["sentence"])
        made = area.read_note(request["note"])
        area.trim_notes(FULL_SIZE, MOST_AT_FULL_SIZE)
        if made is not None:
            return made
    raise NotFound(_GONE)
