"""Held pixels as series: what was found in each image, what one look covers, and what was decided of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import select

from trialimg.domain.deid_report import MASKED, REJECTED, SHOWN, WAITING, PixelCount
from trialimg.domain.mask import Box, Mask
from trialimg.domain.pixel_review import Drawn, Look, Sized, Verdict, is_found, proposals
from trialimg.domain.submission import Fate
from trialimg.store.base import db
from trialimg.store.imaging import SubmissionObject
from trialimg.store.pixel_review import PixelReview
from trialimg.store.unit_of_work import UnitOfWork

MAY_SHOW_TEXT: Final = "image.may_show_text"
RECOGNISABLE: Final = "image.recognisable"
"""The code of what is held because it may show a face."""
REVIEWED: Final = frozenset({MAY_SHOW_TEXT, RECOGNISABLE})
"""The codes of the reasons to hold that a person who looks at the picture can settle."""


Pair = tuple[PixelReview, SubmissionObject]
"""The review of one held object, and the object."""


def open_review(uow: UnitOfWork, item: SubmissionObject) -> None:
    """Begin the review of an object that is held for its pixels; an earlier one starts anew."""
    review = uow.session.scalar(select(PixelReview).where(PixelReview.object_id == item.id))
    if review is None:
        uow.session.add(PixelReview(submission_id=item.submission_id, object_id=item.id))
        return
    review.state, review.decision, review.mask = Look.WAITING.value, "", "[]"
    review.revision += 1


def mark(reviews: Iterable[tuple[PixelReview, int]]) -> str:
    """Give the mark of what a page shows: it changes with every decision on, and every look at, one of these."""
    told = sorted((ordinal, review.revision, review.state) for review, ordinal in reviews)
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def held_reviews(session: Any, submission_id: str) -> list[tuple[PixelReview, SubmissionObject]]:
    """Give the reviews of what is held, with the objects, in their order."""
    wanted = (
        select(PixelReview, SubmissionObject)
        .join(SubmissionObject, SubmissionObject.id == PixelReview.object_id)
        .where(PixelReview.submission_id == submission_id, SubmissionObject.fate == Fate.HELD.value)
        .where(SubmissionObject.code.in_(REVIEWED))
        .order_by(SubmissionObject.ordinal)
    )
    return [(review, item) for review, item in session.execute(wanted).all()]


def on_review_page(session: Any, items: Iterable[SubmissionObject]) -> bool:
    """Say whether any of these objects is to be decided on by looking at it on the page for held pixels."""
    shown = select(PixelReview.id).where(
        PixelReview.object_id.in_([item.id for item in items]), PixelReview.state != Look.UNSEEN.value
    )
    return session.scalar(shown.limit(1)) is not None


def series_key(pair: Pair) -> tuple[str, int, int, str]:
    """Give what images of one look have in common: the series, the size, and the device as far as it is known."""
    review, item = pair
    return item.series_instance_uid, review.columns, review.rows, review.device


def same_size(one: Pair, other: Pair) -> bool:
    """Say whether boxes of one image can be laid on another."""
    return series_key(one)[1:] == series_key(other)[1:]


def in_series(pairs: Sequence[Pair]) -> list[list[Pair]]:
    """Put what can be shown into series, in the order of their first image."""
    found: dict[tuple[str, int, int, str], list[Pair]] = {}
    for pair in pairs:
        if pair[0].state == Look.LOOKED.value:
            found.setdefault(series_key(pair), []).append(pair)
    return list(found.values())


def alike(pairs: Sequence[Pair], chosen: Sequence[Pair]) -> list[list[Pair]]:
    """Give the other undecided series whose images have the size of this one's."""
    first = chosen[0][1].ordinal
    others = [each for each in in_series(pairs) if each[0][1].ordinal != first and not each[0][0].decision]
    return [each for each in others if same_size(each[0], chosen[0])]


def proposed(series: Sequence[Pair]) -> tuple[Drawn, ...]:
    """Propose boxes for a series by what was found in its images."""
    return proposals({item.ordinal: [box for box, _ in found_boxes(review)] for review, item in series})


def sized(pair: Pair) -> Sized:
    """Give an image as far as boxes are concerned."""
    review, item = pair
    return Sized(item.ordinal, review.columns, review.rows, review.frames)


def found_boxes(review: PixelReview) -> list[tuple[Box, bool]]:
    """Give the boxes that were found in an image, each with whether a device's rule named it."""
    return [(Box(x, y, width, height), score == 1) for _frame, x, y, width, height, score in json.loads(review.found)]


# --- what the pipeline asks --------------------------------------------------------------------------------


def waits_for_look(item: SubmissionObject) -> bool:
    """Say whether an object is held for what its pixels may show."""
    return item.fate == Fate.HELD and item.code in REVIEWED


def noted_masks(submission_id: str) -> dict[int, list[list[int | None]]]:
    """Give what is to be covered in each image that a person approved, by ordinal."""
    wanted = (
        select(SubmissionObject.ordinal, PixelReview.mask)
        .join(PixelReview, PixelReview.object_id == SubmissionObject.id)
        .where(PixelReview.submission_id == submission_id, PixelReview.decision == Verdict.APPROVED.value)
    )
    found = {ordinal: json.loads(mask) for ordinal, mask in db.session.execute(wanted)}
    db.session.rollback()
    return found


def pixel_counts(session: Any, submission_id: str) -> tuple[PixelCount, ...]:
    """Count what was decided on the pixels of a submission, by whom, and what found the boxes."""
    wanted = (
        select(PixelReview, SubmissionObject)
        .join(SubmissionObject, SubmissionObject.id == PixelReview.object_id)
        .where(PixelReview.submission_id == submission_id)
    )
    sums: dict[tuple[str, str], Counter[str]] = {}
    for review, item in session.execute(wanted).all():
        boxes = Mask.from_json(json.loads(review.mask)).boxes if review.decision == Verdict.APPROVED else ()
        decision, role = _told(review, item, covered=bool(boxes))
        found = found_boxes(review)
        counts = sums.setdefault((decision, role), Counter())
        counts["instances"] += 1
        counts.update(found_by(each.box, found) for each in boxes)
    names = ("instances", "rule", "text", "person")
    return tuple(sorted(PixelCount(*key, *(counts[name] for name in names)) for key, counts in sums.items()))


def _told(review: PixelReview, item: SubmissionObject, *, covered: bool) -> tuple[str, str]:
    """Give the word of the report for what was decided, and the role of whoever did; what is only noted still waits."""
    if item.fate == Fate.HELD:
        return WAITING, ""
    if review.decision == Verdict.APPROVED:
        return (MASKED if covered else SHOWN), review.decided_as
    return REJECTED, review.decided_as


def found_by(box: Box, found: Sequence[tuple[Box, bool]]) -> str:
    """Say what found a box: a device's ``rule``, the search for ``text``, or neither, so a ``person`` drew it."""
    if is_found(box, [known for known, rule in found if rule]):
        return "rule"
    return "text" if is_found(box, [known for known, _ in found]) else "person"
