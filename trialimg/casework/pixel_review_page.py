"""What the page of held pixels shows: series, frames, the boxes proposed or noted, and how far the look is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from trialimg.casework.access import Place
from trialimg.casework.pixel_series import (
    Pair,
    alike,
    found_boxes,
    found_by,
    held_reviews,
    in_series,
    mark,
    proposed,
)
from trialimg.dicom.standard.iod import may_have_pixels
from trialimg.domain.mask import Mask
from trialimg.domain.pixel_review import Drawn, Look, Verdict
from trialimg.domain.submission import ENDED, Fate, Stage, Step
from trialimg.errors import NotFound
from trialimg.store.base import db
from trialimg.store.imaging import Submission, SubmissionObject
from trialimg.store.job import RUNNING, WAITING, Job


@dataclass(frozen=True)
class SeriesLine:
    """One series of held images; ``series`` is the ordinal of its first image, by which it is found."""

    series: int
    number: int
    modality: str
    images: int
    frames: int
    columns: int
    rows: int
    why: str
    device: str
    found: int
    decision: str
    boxes: int
    decided_by: str
    reason: str
    seen: str

    @property
    def told(self) -> str:
        """Say how large it is."""
        images = "1 image" if self.images == 1 else f"{self.images} images"
        frames = f", {self.frames} frames" if self.frames != self.images else ""
        return f"{images}{frames}, {self.columns} by {self.rows} pixels"

    @property
    def longest(self) -> int:
        """Give the longer side of its images, in pixels."""
        return max(self.columns, self.rows)

    @property
    def approved(self) -> bool:
        """Say whether it was noted that it may go on."""
        return self.decision == Verdict.APPROVED


@dataclass(frozen=True)
class ShownBox:
    """A box as it stands in the list: where, on which images, and who found it."""

    x: int
    y: int
    width: int
    height: int
    on: str
    by: str


@dataclass(frozen=True)
class SeriesView:
    """One series to decide on: ``images`` are pairs of ordinal and number of frames."""

    line: SeriesLine
    images: tuple[tuple[int, int], ...]
    boxes: tuple[ShownBox, ...]
    searched: tuple[int, ...]
    alike_series: int
    alike_images: int


@dataclass(frozen=True)
class ReviewPage:
    """All series of a submission whose pixels wait for a person."""

    lines: tuple[SeriesLine, ...]
    waiting: int
    unseen: int
    decided: int
    seen: str
    closed: str
    """Why nothing can be decided here now, "" where it can."""
    looking: bool
    stopped: str
    done: int
    total: int

    @property
    def open(self) -> bool:
        """Say whether decisions are taken now."""
        return not self.closed

    @property
    def next(self) -> int | None:
        """Give the first series nobody has decided on."""
        return next((line.series for line in self.lines if not line.decision), None)

    def progress(self) -> dict[str, Any]:
        """Give what a progress bar needs."""
        sentence = (
            "The images are searched for text and their pictures are made."
            if self.looking
            else (self.stopped or "Every held image was searched for text.")
        )
        return {
            "stage": "looking" if self.looking else "looked", "done": self.done, "total": self.total,
            "sentence": sentence, "finished": not self.looking, "needs_person": False,
        }  # fmt: skip


def review_page(place: Place) -> ReviewPage:
    """Give how the review of a submission's held pixels stands."""
    submission = db.session.get_one(Submission, place.submission_id)
    pairs = held_reviews(db.session, submission.id)
    decided = [pair for pair in pairs if pair[0].decision]
    waiting = sum(review.state == Look.WAITING for review, _ in pairs)
    job = db.session.scalar(
        select(Job)
        .where(Job.submission_id == submission.id, Job.step == Step.LOOK.value)
        .order_by(Job.created_at.desc())
        .limit(1)
    )
    live = job is not None and job.state in {WAITING, RUNNING}
    return ReviewPage(
        lines=tuple(_line(number, each) for number, each in enumerate(in_series(pairs), 1)),
        waiting=waiting,
        unseen=sum(review.state == Look.UNSEEN for review, _ in pairs),
        decided=len(decided),
        seen=mark((review, item.ordinal) for review, item in decided),
        closed=_closed(Stage(submission.stage)),
        looking=bool(waiting and live),
        stopped=job.sentence or "The search for text was stopped." if waiting and job is not None and not live else "",
        done=job.progress_done if live and job else 0,
        total=job.progress_total if live and job else 0,
    )


def _closed(stage: Stage) -> str:
    """Say why nothing can be decided on at this stage, "" where it can."""
    if stage in {Stage.LINKED, Stage.HELD}:
        return ""
    if stage in ENDED:
        return "These images did not go on, and nothing of them is kept here. There is nothing to decide."
    if stage in {Stage.RECEIVING, Stage.RECEIVED}:
        return "These images are still arriving, or are looked through. Whether any must be looked at is not known yet."
    if stage is Stage.SURVEYED:
        return (
            "Nobody has confirmed yet what goes on, so whether any image must be looked at is not known. Confirm it "
            "at the images sent."
        )
    return "These images are under way now. What is held can be decided on when that is done."


def never_shown(place: Place) -> frozenset[int]:
    """Give the held objects of which no picture can be made here, as of films, or is none, as of reports."""
    wanted = select(SubmissionObject.ordinal, SubmissionObject.sop_class_uid).where(
        SubmissionObject.submission_id == place.submission_id, SubmissionObject.fate == Fate.HELD.value
    )
    without = {ordinal for ordinal, sop_class in db.session.execute(wanted) if not may_have_pixels(sop_class)}
    pairs = held_reviews(db.session, place.submission_id)
    return frozenset(without | {item.ordinal for review, item in pairs if review.state == Look.UNSEEN})


def to_look_at(place: Place) -> frozenset[int]:
    """Give the held objects that are decided on by looking at them, or are about to be."""
    pairs = held_reviews(db.session, place.submission_id)
    return frozenset(item.ordinal for review, item in pairs if review.state != Look.UNSEEN)


def series_view(place: Place, series: int) -> SeriesView:
    """Give one series to decide on; raises NotFound where it does not wait for a person."""
    pairs = held_reviews(db.session, place.submission_id)
    number, chosen = next(
        ((n, each) for n, each in enumerate(in_series(pairs), 1) if each[0][1].ordinal == series), (0, None)
    )
    if chosen is None:
        raise NotFound("This series does not wait for a decision any more.")
    others = alike(pairs, chosen)
    return SeriesView(
        line=_line(number, chosen),
        images=tuple((item.ordinal, review.frames) for review, item in chosen),
        boxes=tuple(_shown(each, chosen) for each in _drawn(chosen)),
        searched=tuple(json.loads(chosen[0][0].looked_at)),
        alike_series=len(others),
        alike_images=sum(len(each) for each in others),
    )


def held_for_pixels(place: Place, ordinal: int, frame: int) -> int:
    """Give the longer side of this frame; raises NotFound unless it is of an image whose pixels wait for a person."""
    for review, item in held_reviews(db.session, place.submission_id):
        if item.ordinal == ordinal and review.state == Look.LOOKED and 0 <= frame < review.frames:
            return max(review.columns, review.rows)
    raise NotFound("This image does not wait for a decision, so it is not shown here.")


def _line(number: int, series: Sequence[Pair]) -> SeriesLine:
    review, item = series[0]
    return SeriesLine(
        series=item.ordinal, number=number, modality=item.modality, images=len(series),
        frames=sum(each.frames for each, _ in series), columns=review.columns, rows=review.rows, why=item.sentence,
        device=review.device, found=sum(len(json.loads(each.found)) for each, _ in series), decision=review.decision,
        boxes=len(_noted(series)) if review.decision else 0, decided_by=review.decided_by, reason=review.reason,
        seen=mark((each, of.ordinal) for each, of in series),
    )  # fmt: skip


def _drawn(series: Sequence[Pair]) -> tuple[Drawn, ...]:
    """Give the boxes as they were noted, else as they are proposed."""
    noted = _noted(series)
    return noted if noted or series[0][0].decision == Verdict.APPROVED else proposed(series)


def _noted(series: Sequence[Pair]) -> tuple[Drawn, ...]:
    """Give the noted boxes: those that lie on every image once, the others with their image."""
    laid = {item.ordinal: Mask.from_json(json.loads(review.mask)).boxes for review, item in series}
    common = [each for each in next(iter(laid.values())) if all(each in boxes for boxes in laid.values())]
    everywhere = [each for each in common if each.frame is None]
    single = [
        Drawn(each.box, ordinal, each.frame)
        for ordinal, boxes in laid.items()
        for each in boxes
        if each not in everywhere
    ]
    return (*(Drawn(each.box) for each in everywhere), *single)


def _shown(drawn: Drawn, series: Sequence[Pair]) -> ShownBox:
    found = [each for review, item in series if drawn.ordinal in {None, item.ordinal} for each in found_boxes(review)]
    return ShownBox(
        drawn.box.x, drawn.box.y, drawn.box.width, drawn.box.height, drawn.on, found_by(drawn.box, found)
    )  # fmt: skip
