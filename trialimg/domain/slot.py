"""How an imaging slot stands: judged from the visit's date, what is linked, and what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from trialimg.domain.submission import ENDED, Stage
from trialimg.domain.trial import SlotDef

SOON: Final = timedelta(days=14)
"""A visit and its images are said to be due from so long before."""


class Dated(NamedTuple):
    """What of a visit its slots are judged by: its date, when it is due, and why it was not done."""

    day: date | None
    due: date | None
    not_done_reason: str


class Linked(NamedTuple):
    """What is linked at a slot, in sums."""

    images: int
    held: int


class SentLine(NamedTuple):
    """What of a submission its slot is judged from."""

    submission_id: str
    stage: str
    sentence: str
    created_at: datetime


class Standing(NamedTuple):
    """How a slot stands: a word of the state badge, a sentence, and the submission that tells more, or empty."""

    state: str
    sentence: str
    submission_id: str


def stand(
    slot_def: SlotDef, visit: Dated, today: date, *, optional: bool, not_done_reason: str, linked: Linked | None,
    sent: Sequence[SentLine],
) -> Standing:  # fmt: skip
    """Judge how a slot stands from what is linked at it and what was sent for it; the one rule for every page."""
    under_way = [s for s in sent if Stage(s.stage) not in ENDED and s.stage != Stage.LINKED] if sent else ()
    latest = max(under_way or sent, key=lambda s: s.created_at, default=None)
    told = latest.submission_id if latest is not None else ""
    if not_done_reason:
        return Standing("not_done", f"Not done: {not_done_reason}", told)
    if linked is not None:
        held = f", {linked.held} held for a decision" if linked.held else ""
        return Standing("linked_held" if held else "linked", f"{linked.images} images linked{held}.", told)
    if latest is not None and (under_way or latest.stage == Stage.REFUSED):
        return Standing(latest.stage, latest.sentence, told)
    return Standing(*_waiting(visit, slot_def, today, optional=optional), told)


def _waiting(visit: Dated, slot_def: SlotDef, today: date, *, optional: bool) -> tuple[str, str]:
    """Judge a slot that has nothing yet: from the visit's date, else from when the visit is due."""
    if visit.not_done_reason:
        return "not_done", f"The visit was not done: {visit.not_done_reason}"
    if optional:
        return "optional", "Images here are optional; attach them where there are any."
    after, due = timedelta(days=slot_def.window_after or 0), visit.due
    if visit.day is not None and today > visit.day + after:
        return "missing", "The visit took place and its images are not here yet. Attach them, or say not done."
    if visit.day is not None:
        return "due", "The visit is dated; attach its images."
    return _waiting_for_visit(due, after, today)


def _waiting_for_visit(due: date | None, after: timedelta, today: date) -> tuple[str, str]:
    if due is not None and today > due + after:
        return "overdue", f"The visit was due on {due.isoformat()}. Date it and attach its images, or say not done."
    if due is not None and due - today <= SOON:
        return "due", f"The visit is due on {due.isoformat()}."
    return "empty", "Nothing is expected here yet."
