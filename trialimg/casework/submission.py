"""How a submission moves: the table asked, the row changed, the next job enqueued, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from trialimg.casework.services import services
from trialimg.domain.submission import (
    BESIDE,
    ENDED,
    NEEDS_ORIGINAL,
    Fate,
    Outcome,
    Stage,
    Step,
    advance,
    release,
)
from trialimg.errors import NotFound
from trialimg.store.imaging import StudyFingerprint, Submission, SubmissionObject
from trialimg.store.job import RUNNING, STOPPED, WAITING, Job, enqueue
from trialimg.store.unit_of_work import Actor, UnitOfWork, unit_of_work
from trialimg.vault import Area

PICTURES: Final = "frame-"
"""The beginning of the keys of pictures of held images among the notes of the quarantine; see ``picture_note``."""
FULL_SIZE: Final = "-full"
"""The end of the keys of those made at full size."""

NAMES_KEPT: Final = timedelta(hours=24)
"""How long a refused submission still tells which file was refused why; its bytes go at once."""

_HOUSEKEEPER: Final = Actor("worker")


def quarantine(submission_id: str) -> Area:
    """Give the area of the originals of a submission."""
    return services().vault.area(f"quarantine/{submission_id}")


def outbox(submission_id: str) -> Area:
    """Give the area of the clean bytes of a submission."""
    return services().vault.area(f"outbox/{submission_id}")


def picture_note(ordinal: int, frame: int, *, full: bool = False) -> str:
    """Give the key of the note with the picture of one frame of a held image, made small or at full size."""
    return f"{PICTURES}{ordinal}-{frame}{FULL_SIZE if full else ''}"


def keep_marks(uow: UnitOfWork, submission: Submission, marks: Mapping[str, str]) -> None:
    """Keep the marks of the originals of a submission's studies, each with the identifier that the study was given."""
    known = select(StudyFingerprint.fingerprint).where(StudyFingerprint.submission_id == submission.id)
    for mark in sorted(marks.keys() - set(uow.session.scalars(known))):
        uow.session.add(
            StudyFingerprint(
                trial_id=submission.trial_id,
                fingerprint=mark,
                study_instance_uid=marks[mark],
                subject_id=submission.subject_id,
                submission_id=submission.id,
            )
        )


def load(uow: UnitOfWork, submission_id: str) -> Submission:
    """Load a submission under its row lock, which gives all who act on it their order."""
    locked = select(Submission).where(Submission.id == submission_id).with_for_update()
    found = uow.session.scalar(locked)
    if found is None:
        raise NotFound
    return found


def stop_waiting_jobs(uow: UnitOfWork, submission: Submission, sentence: str) -> None:
    """Stop every job of the submission that has not started; one that runs finds its attempt outdated.

    A look at its pictures goes on beside: where nothing is held any more, it finds nothing to do.
    """
    waiting = select(Job).where(
        Job.submission_id == submission.id, Job.state.in_((WAITING, RUNNING)), Job.step.not_in(BESIDE)
    )
    for job in uow.session.scalars(waiting):
        job.state = STOPPED
        job.attempt += 1  # the fence: a result that arrives later is not written
        job.sentence = sentence


def move(
    uow: UnitOfWork, submission: Submission, outcome: Outcome, sentence: str = "", *, code: str = "",
    due: datetime | None = None,
) -> Step | None:  # fmt: skip
    """Let an outcome happen to a submission; raises :class:`trialimg.errors.ImpossibleStep`.

    The job that follows runs at once, or when it is ``due``.
    """
    stage = Stage(submission.stage)
    following, step = advance(stage, outcome)
    if outcome in {Outcome.HOLD, Outcome.DECIDED}:
        submission.held_from = stage.value if outcome is Outcome.HOLD else ""
    _settle(uow, submission, following, sentence or outcome.value, code)
    if step is not None:
        enqueue(uow, step.value, trial_id=submission.trial_id, submission_id=submission.id, due=due)
    return step


def let_go_on(uow: UnitOfWork, submission: Submission, sentence: str) -> Step:
    """Let a held submission go on where it was held, or a waiting job run now."""
    stage, step = release(Stage(submission.held_from if submission.stage == Stage.HELD else submission.stage))
    stop_waiting_jobs(uow, submission, "A person started this step again.")
    submission.held_from = ""
    _settle(uow, submission, stage, sentence, "")
    enqueue(uow, step.value, trial_id=submission.trial_id, submission_id=submission.id)
    return step


def destroy_unneeded(uow: UnitOfWork, submission: Submission) -> None:
    """Destroy, after the commit, every byte this submission no longer needs, and note when originals went.

    Call it wherever fates or the stage changed; a sweep repeats it after a crash.
    """
    uow.session.flush()
    if submission.originals_destroyed_at is None and not _originals_needed(uow, submission):
        submission.originals_destroyed_at = uow.at
    key = submission.id
    uow.afterwards(lambda: tidy(key))


def _originals_needed(uow: UnitOfWork, submission: Submission) -> bool:
    if submission.stage in ENDED:
        return False
    needed = select(SubmissionObject.id).where(
        SubmissionObject.submission_id == submission.id, SubmissionObject.fate.in_(_needing(submission.stage))
    )
    return uow.session.scalar(needed.limit(1)) is not None


def _needing(stage: str) -> list[str]:
    clean_needed = stage not in {Stage.LINKED, Stage.VERIFIED}
    return [fate.value for fate in NEEDS_ORIGINAL if clean_needed or fate is not Fate.CLEAN]


def tidy(submission_id: str) -> None:
    """Destroy what the record says is not needed: originals, clean bytes, notes. Can run at any time, twice.

    It happens under the row lock of the submission, so that no step can begin to write there meanwhile. A submission
    nobody knows needs nothing.
    """
    with unit_of_work(_HOUSEKEEPER, "bytes that are not needed") as uow:
        found = uow.session.scalar(select(Submission).where(Submission.id == submission_id).with_for_update())
        if found is None:
            _keep_only(quarantine(submission_id), set(), notes=False)
            _keep_only(outbox(submission_id), set(), notes=False)
        elif found.stage not in {Stage.RECEIVING, Stage.RECEIVED}:
            # There, bytes are safe on the disk before their row is: what has no row yet is about to get one.
            _keep_needed(uow, found)


def _keep_needed(uow: UnitOfWork, submission: Submission) -> None:
    stage = submission.stage
    objects = select(
        SubmissionObject.fate, SubmissionObject.received_sha256, SubmissionObject.clean_sha256, SubmissionObject.ordinal
    ).where(SubmissionObject.submission_id == submission.id)
    rows = [] if stage in ENDED else uow.session.execute(objects).all()
    _drop_pictures(quarantine(submission.id), {ordinal for fate, *_, ordinal in rows if fate == Fate.HELD})
    needing = set(_needing(stage)) if submission.originals_destroyed_at is None else set()
    originals = {received for fate, received, *_ in rows if fate in needing}
    told = stage == Stage.REFUSED and uow.at - submission.stage_since < NAMES_KEPT
    under_way = stage not in {*ENDED, Stage.LINKED}
    _keep_only(quarantine(submission.id), originals, notes=bool(originals) or under_way or told)
    if stage != Stage.CONFIRMED:  # cleaning may be at work there
        clean = {sha for fate, _, sha, _ in rows if fate == Fate.CLEAN and stage != Stage.LINKED}
        _keep_only(outbox(submission.id), clean, notes=False)


def _keep_only(area: Area, needed: set[str], *, notes: bool) -> None:
    if not needed and not notes:
        area.clear()
        return
    for stored in area.listing():
        if stored.sha256 not in needed:
            area.drop(stored.sha256)


def _drop_pictures(area: Area, held: set[int]) -> None:
    """Destroy the pictures of images that nobody has to decide on any more."""
    for note in area.notes():
        if note.startswith(PICTURES) and int(note.split("-")[1]) not in held:
            area.drop_note(note)


def _settle(uow: UnitOfWork, submission: Submission, stage: Stage, sentence: str, code: str) -> None:
    submission.stage = stage.value
    submission.sentence = sentence
    submission.error_code = code
    submission.stage_since = uow.at
