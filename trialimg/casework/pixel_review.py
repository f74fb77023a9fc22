"""Decisions on held pixels: noted for each series, taken back while they are only noted, and then sent together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from trialimg.casework.access import Person, Place, admit
from trialimg.casework.definition import definition
from trialimg.casework.imaging import a_reason
from trialimg.casework.pixel_series import Pair, alike, held_reviews, in_series, mark, proposed, sized
from trialimg.casework.submission import destroy_unneeded, load, move
from trialimg.domain.deidentification import Profile
from trialimg.domain.mask import Mask
from trialimg.domain.permission import ROLES, SITE_ROLES, Permission, Role
from trialimg.domain.pixel_review import IMAGING_QC, Drawn, Verdict, masks
from trialimg.domain.submission import Fate, Outcome, Stage
from trialimg.errors import BadInput, Conflict, NotAllowed, NotFound
from trialimg.store.base import db
from trialimg.store.imaging import Submission
from trialimg.store.pixel_review import PixelReview
from trialimg.store.subject import Subject
from trialimg.store.unit_of_work import UnitOfWork

_CHANGED: Final = (
    "Somebody has decided on these images, or they were looked at anew, since this page was made. Nothing was changed; "
    "look at what stands here now and decide again."
)
_UNDER_WAY: Final = (
    "These images are under way. Decide when the submission is linked or held; nothing was changed."
)  # fmt: skip


def reviewing_role(person: Person, place: Place) -> Role | None:
    """Give the role by which somebody may look at pixels nobody has looked at, None where the trial gives them none."""
    roles = [
        grant.role
        for grant in person.grants
        if Permission.REVIEW_PIXELS in ROLES[grant.role] and grant.covers(place.scope)
    ]
    of_site = next((role for role in roles if role in SITE_ROLES), None)
    if of_site is not None or not roles:
        return of_site
    return roles[0] if IMAGING_QC in _reviewers(place) else None


def _reviewers(place: Place) -> frozenset[str]:
    subject = db.session.get(Subject, place.subject_id)
    if subject is None:
        raise NotFound
    return Profile.from_mapping(definition(subject.definition_id).deidentification).pixel_reviewers


def admit_reviewer(person: Person, permission: Permission, place: Place | None) -> None:
    """Let somebody look at pixels nobody has looked at; raises NotAllowed where the trial leaves that to the site."""
    admit(person, permission, place)
    if place is None or reviewing_role(person, place) is None:
        raise NotAllowed(
            "In this trial only people of the site look at images before it is sure that they show no text."
        )


# --- verbs ---------------------------------------------------------------------------------------------------


def approve(
    uow: UnitOfWork, place: Place, series: int, *, seen: str, drawn: Sequence[Drawn], also: bool, role: Role
) -> int:
    """Note that a series may go on with these boxes covered, none where nothing is to hide; gives how many images.

    ``series`` is the ordinal of its first image, ``seen`` the mark of the page. ``also`` approves the other undecided
    series of the same size with the boxes that are for every image, beside what was found there. Raises Conflict
    where somebody decided meanwhile.
    """
    submission, pairs = _open(uow, place)
    chosen = _series(pairs, series, seen)
    laid = masks(drawn, [sized(pair) for pair in chosen])
    for each in alike(pairs, chosen) if also else []:
        # What was found there is covered as well: nobody has looked at it with these boxes alone.
        everywhere = [box for box in drawn if box.ordinal is None]
        laid |= masks([*everywhere, *proposed(each)], [sized(pair) for pair in each])
        chosen = chosen + each
    for review, item in chosen:
        _note(uow, review, Verdict.APPROVED, role, mask=laid[item.ordinal])
    uow.note("review pixels", "submission", submission.id, f"{len(chosen)} approved")
    return len(chosen)


def reject(uow: UnitOfWork, place: Place, series: int, *, seen: str, reason: str, role: Role) -> int:
    """Note that a series is not to be sent, and why; gives how many images."""
    why = a_reason(reason)
    submission, pairs = _open(uow, place)
    chosen = _series(pairs, series, seen)
    for review, _ in chosen:
        _note(uow, review, Verdict.REJECTED, role, reason=why)
    uow.note("review pixels", "submission", submission.id, f"{len(chosen)} rejected")
    return len(chosen)


def take_back(uow: UnitOfWork, place: Place, series: int, *, seen: str) -> None:
    """Take a decision back that was only noted; the boxes stay as they were drawn."""
    _, pairs = _open(uow, place)
    for review, _item in _series(pairs, series, seen):
        review.decision, review.reason, review.decided_by, review.decided_as = "", "", "", ""
        review.decided_at = None
        review.revision += 1


def send(uow: UnitOfWork, place: Place, *, seen: str) -> tuple[int, int]:
    """Start the steps for all that is decided; gives how many images go on and how many are discarded."""
    submission, pairs = _open(uow, place)
    decided = [pair for pair in pairs if pair[0].decision]
    if not decided:
        raise BadInput("Nothing is decided yet. Approve or reject a series first; nothing was changed.")
    if mark((review, item.ordinal) for review, item in decided) != seen:
        raise Conflict(_CHANGED)
    approved = 0
    for review, item in decided:
        item.decided_by = review.decided_by
        if review.decision == Verdict.APPROVED:
            item.fate, approved = Fate.RELEASED.value, approved + 1
            item.sentence = f"Looked at by the {review.decided_as}: {_covered(review)}."
        else:
            item.fate, item.sentence = Fate.DISCARDED.value, f"Discarded by decision: {review.reason}"
    verb = f"{approved} held images were released, {len(decided) - approved} discarded; the study is checked again."
    move(uow, submission, Outcome.DECIDED, verb)
    destroy_unneeded(uow, submission)
    return approved, len(decided) - approved


def _covered(review: PixelReview) -> str:
    count = len(json.loads(review.mask))
    if not count:
        return "nothing is to hide"
    return f"{count} {'box is' if count == 1 else 'boxes are'} covered"


def _open(uow: UnitOfWork, place: Place) -> tuple[Submission, list[Pair]]:
    submission = load(uow, place.submission_id)
    if Stage(submission.stage) not in {Stage.LINKED, Stage.HELD}:
        raise Conflict(_UNDER_WAY)
    return submission, held_reviews(uow.session, submission.id)


def _series(pairs: Sequence[Pair], series: int, seen: str) -> list[Pair]:
    chosen = next((each for each in in_series(pairs) if each[0][1].ordinal == series), None)
    if chosen is None or mark((review, item.ordinal) for review, item in chosen) != seen:
        raise Conflict(_CHANGED)
    return chosen


def _note(
    uow: UnitOfWork, review: PixelReview, verdict: Verdict, role: Role, *, mask: Mask | None = None, reason: str = ""
) -> None:
    review.decision, review.reason = verdict.value, reason
    if mask is not None:
        review.mask = json.dumps(mask.to_json())
    review.decided_by, review.decided_as, review.decided_at = uow.actor.name, role.value, uow.at
    review.revision += 1
