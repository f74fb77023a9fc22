"""How a submission moves: the table asked, the row changed, the next job enqueued, in one transaction."""

from __future__ import annotations

from sqlalchemy import select

from trialimg.domain.submission import Outcome, Stage, Step, advance, release
from trialimg.errors import NotFound
from trialimg.store.imaging import Submission
from trialimg.store.job import STOPPED, WAITING, Job, enqueue
from trialimg.store.unit_of_work import UnitOfWork


def load(uow: UnitOfWork, submission_id: str) -> Submission:
    """Load a submission under its row lock, which gives all who act on it their order."""
    locked = select(Submission).where(Submission.id == submission_id).with_for_update()
    found = uow.session.scalar(locked)
    if found is None:
        raise NotFound
    return found


def stop_waiting_jobs(uow: UnitOfWork, submission: Submission, sentence: str) -> None:
    """Stop every job of the submission that has not started; one that runs finds its attempt outdated."""
    waiting = select(Job).where(Job.submission_id == submission.id, Job.state.in_((WAITING, "running")))
    for job in uow.session.scalars(waiting):
        job.state = STOPPED
        job.attempt += 1  # the fence: a result that arrives later is not written
        job.sentence = sentence


def move(
    uow: UnitOfWork, submission: Submission, outcome: Outcome, sentence: str = "", *, code: str = ""
) -> Step | None:
    """Let an outcome happen to a submission; raises :class:`trialimg.errors.ImpossibleStep`."""
    stage = Stage(submission.stage)
    following, step = advance(stage, outcome)
    if outcome is Outcome.HOLD:
        submission.held_from = stage.value
    _settle(uow, submission, following, sentence or outcome.value, code)
    if step is not None:
        enqueue(uow, step.value, trial_id=submission.trial_id, submission_id=submission.id)
    return step


def let_go_on(uow: UnitOfWork, submission: Submission, sentence: str) -> Step:
    """Let a held submission go on where it was held, or a waiting job run now."""
    stage, step = release(Stage(submission.held_from if submission.stage == Stage.HELD else submission.stage))
    stop_waiting_jobs(uow, submission, "A person started this step again.")
    submission.held_from = ""
    _settle(uow, submission, stage, sentence, "")
    enqueue(uow, step.value, trial_id=submission.trial_id, submission_id=submission.id)
    return step


def _settle(uow: UnitOfWork, submission: Submission, stage: Stage, sentence: str, code: str) -> None:
    submission.stage = stage.value
    submission.sentence = sentence
    submission.error_code = code
    submission.stage_since = uow.at
