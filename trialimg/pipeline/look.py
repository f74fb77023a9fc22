"""Looks at held pixels ahead of the person who decides: finds text, and makes the pictures the review page shows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select

from trialimg.casework.access import Place
from trialimg.casework.pixel_series import MAY_SHOW_TEXT, held_reviews, open_review
from trialimg.casework.submission import destroy_unneeded, load, picture_note
from trialimg.domain.pixel_review import Look, spread
from trialimg.domain.submission import Fate, Step
from trialimg.pipeline.child import Json, Limits, ask_each
from trialimg.pipeline.claim import load_claim
from trialimg.pipeline.survey import child_setup
from trialimg.pipeline.work import Finish, Work
from trialimg.store.base import db
from trialimg.store.imaging import SubmissionObject
from trialimg.store.job import RUNNING, Job, enqueue
from trialimg.store.job import WAITING as JOB_WAITING
from trialimg.store.pixel_review import PixelReview
from trialimg.store.unit_of_work import UnitOfWork

QUEUE: Final = "pixels"
LONGEST_SIDE: Final = 1024
"""Pixels of a picture's longer side: text burned into most images is legible then."""
FULL_SIDE: Final = 6000
"""The same of a picture at full size, which is made when somebody asks for it: letters on plates are small."""
MOST_PICTURES: Final = 400
"""Pictures of one submission that are made ahead; the others are made when somebody turns to them."""
_EACH_AHEAD: Final = 60
"""Frames of one clip that are made ahead, spread evenly over it."""


@dataclass
class _Seen:
    """What a child told of one object."""

    told: Json = field(default_factory=dict)
    pictures: int = 0


def look(work: Work) -> Finish:
    """Find text in held images and make their pictures, so that whoever decides waits for neither."""
    waiting, for_text = _waiting(work.submission_id)
    seen = {ordinal: _Seen() for ordinal in waiting}
    setup = child_setup(work.services, load_claim(work.submission_id))
    limits = Limits.of(work.services.settings)
    finding = [{"do": "find_text", "ordinal": n, "sha256": sha} for n, sha in waiting.items() if n in for_text]
    total = len(finding) + len(waiting)
    work.progress(0, total)
    for done, (request, answer) in enumerate(ask_each(finding, setup, Limits.to_find_text(work.services.settings)), 1):
        seen[request["ordinal"]].told = answer.get("done", {})
        work.progress(done, total)
    ahead = _ahead({n: int(each.told.get("frames") or 1) for n, each in seen.items()})
    pictures = [picture_request(n, waiting[n], frame) for n, frame in ahead]
    total = len(finding) + len(pictures)
    for done, (request, answer) in enumerate(ask_each(pictures, setup, limits), 1):
        if "done" in answer:
            seen[request["ordinal"]].pictures += 1
            seen[request["ordinal"]].told = {**answer["done"], **seen[request["ordinal"]].told}
        work.progress(len(finding) + done, total)
    return lambda uow: _finish(uow, work.submission_id, seen)


def picture_request(ordinal: int, sha256: str, frame: int, *, full: bool = False) -> Json:
    """Give what a child is asked for a picture of one frame."""
    note, longest = picture_note(ordinal, frame, full=full), FULL_SIDE if full else LONGEST_SIDE
    return {"do": "frame", "ordinal": ordinal, "sha256": sha256, "note": note, "frame": frame, "longest": longest}


def ask_to_look(uow: UnitOfWork, submission_id: str, trial_id: str, rows: list[SubmissionObject]) -> None:
    """Open the review of what is now held for its pixels, and have it looked at beside the main line."""
    if not rows:
        return
    for row in rows:
        open_review(uow, row)
    enqueue(uow, Step.LOOK.value, trial_id=trial_id, submission_id=submission_id, queue=QUEUE)


def start_look(uow: UnitOfWork, place: Place) -> None:
    """Have what still waits for the search looked at, unless that is under way or nothing waits."""
    submission = load(uow, place.submission_id)
    under_way = select(Job.id).where(
        Job.submission_id == submission.id, Job.step == Step.LOOK.value, Job.state.in_((JOB_WAITING, RUNNING))
    )
    waits = any(review.state == Look.WAITING for review, _ in held_reviews(uow.session, submission.id))
    if waits and uow.session.scalar(under_way.limit(1)) is None:
        enqueue(uow, Step.LOOK.value, trial_id=submission.trial_id, submission_id=submission.id, queue=QUEUE)


def _waiting(submission_id: str) -> tuple[dict[int, str], frozenset[int]]:
    """Give the objects nobody has looked at, with the hash of their bytes, and those that may show text.

    What is held for a face is not searched: it is CT or MR, hundreds at a time.
    """
    wanted = (
        select(SubmissionObject.ordinal, SubmissionObject.received_sha256, SubmissionObject.code)
        .join(PixelReview, PixelReview.object_id == SubmissionObject.id)
        .where(SubmissionObject.submission_id == submission_id, SubmissionObject.fate == Fate.HELD.value)
        .where(PixelReview.state == Look.WAITING.value)
        .order_by(SubmissionObject.ordinal)
    )
    rows = db.session.execute(wanted).all()
    db.session.rollback()
    return {row[0]: row[1] for row in rows}, frozenset(row[0] for row in rows if row[2] == MAY_SHOW_TEXT)


def _ahead(frames: dict[int, int]) -> list[tuple[int, int]]:
    """Choose the frames whose pictures are made ahead: the first of every image before the rest of any."""
    each = max(1, min(_EACH_AHEAD, MOST_PICTURES // max(1, len(frames))))
    chosen = [(n, frame) for n, count in frames.items() for frame in spread(count, each)]
    return sorted(chosen, key=lambda one: (one[1] > 0, one[0], one[1]))[: max(MOST_PICTURES, len(frames))]


def _finish(uow: UnitOfWork, submission_id: str, seen: dict[int, _Seen]) -> None:
    submission = load(uow, submission_id)
    wanted = (
        select(PixelReview, SubmissionObject.ordinal)
        .join(SubmissionObject, SubmissionObject.id == PixelReview.object_id)
        .where(PixelReview.submission_id == submission_id, PixelReview.state == Look.WAITING.value)
        .where(SubmissionObject.fate == Fate.HELD.value, SubmissionObject.ordinal.in_(seen))
    )
    for review, ordinal in uow.session.execute(wanted).all():
        _write(review, seen[ordinal])
    destroy_unneeded(uow, submission)  # pictures of what somebody decided on meanwhile go at once


def _write(review: PixelReview, seen: _Seen) -> None:
    told: dict[str, Any] = seen.told
    review.frames, review.rows, review.columns = (int(told.get(k) or 0) for k in ("frames", "rows", "columns"))
    shown = seen.pictures > 0 and min(review.frames, review.rows, review.columns) > 0
    review.state = (Look.LOOKED if shown else Look.UNSEEN).value
    review.device = str(told.get("device") or "")[:80]
    review.found = json.dumps(told.get("boxes") or [])
    review.looked_at = json.dumps(told.get("looked_at") or [])
