"""Takes out of the archive what the record does not name (any more): the two never tell different stories."""

from __future__ import annotations

from sqlalchemy import select

from trialimg.casework.services import Services, services
from trialimg.errors import Conflict, NotFound, TryLater
from trialimg.pipeline.work import WORKER, Finish, Work
from trialimg.store.account import Task
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy
from trialimg.store.unit_of_work import UnitOfWork, unit_of_work

FORGET_TASK = "archive.forget"
"""The kind of task that asks the archive's operator to remove a study; ``about`` is its StudyInstanceUID."""

ASKED_OPERATOR, DONE = "operator", "done"


def forget(work: Work) -> Finish:
    """Let the archive forget a withdrawn study; where it does not let us, ask its operator by an open task."""
    study = db.session.get(ImagingStudy, work.study_id, populate_existing=True)
    db.session.rollback()
    if study is None:
        raise NotFound
    if study.state != "withdrawn":
        raise Conflict("The study is not withdrawn, so the archive keeps it.")
    uid = study.study_instance_uid
    gone = _remove(work.services, uid)
    return lambda uow: _finish(uow, work.study_id, uid, gone=gone)


def check_tasks() -> None:
    """Close every open task whose study the archive does not hold any more."""
    wanted = select(Task.id, Task.about, Task.trial_id).where(Task.kind == FORGET_TASK, Task.done_at.is_(None))
    tasks = db.session.execute(wanted).all()
    db.session.rollback()
    for key, uid, trial_id in tasks:
        try:
            if services().archive.holds(uid):
                continue
        except TryLater:
            return
        with unit_of_work(WORKER, "the archive does not hold the study any more", trial_id=trial_id) as uow:
            task = uow.session.get(Task, key)
            if task is not None and task.done_at is None:
                task.done_at = uow.at
            found = uow.session.scalar(select(ImagingStudy).where(ImagingStudy.study_instance_uid == uid))
            if found is not None and found.forget_state == ASKED_OPERATOR:
                found.forget_state = DONE


def _remove(tools: Services, uid: str) -> bool:
    """Remove a study; False where the archive's operator must do it. Raises TryLater while it is still there."""
    if not tools.archive.holds(uid):
        return True
    if not tools.archive.can_forget:
        return False
    try:
        tools.archive.forget(uid)
    except Conflict:
        return False
    if tools.archive.holds(uid):
        raise TryLater("The archive was told to remove a study and still holds it; it is asked again.")
    return True


def _finish(uow: UnitOfWork, study_id: str, uid: str, *, gone: bool) -> None:
    study = uow.session.get_one(ImagingStudy, study_id)
    study.forget_state = DONE if gone else ASKED_OPERATOR
    if gone:
        return
    open_task = select(Task.id).where(Task.kind == FORGET_TASK, Task.about == uid, Task.done_at.is_(None))
    if uow.session.scalar(open_task.limit(1)) is None:
        sentence = (
            f"The archive holds the study {uid}, which was withdrawn, and does not let us remove it. The archive's "
            "operator must remove it there; this closes by itself when it is gone."
        )
        uow.session.add(
            Task(trial_id=study.trial_id, kind=FORGET_TASK, about=uid, sentence=sentence, created_at=uow.at)
        )
