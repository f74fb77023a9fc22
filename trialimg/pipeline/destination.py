"""The archive as a destination: where it does not accept us, all sending waits, and no data is held for it."""

from __future__ import annotations

from sqlalchemy import select

from trialimg.casework.services import services
from trialimg.errors import ArchiveRefusesUs, TryLater
from trialimg.pipeline.work import WORKER
from trialimg.store.base import db
from trialimg.store.imaging import Destination
from trialimg.store.job import wake
from trialimg.store.unit_of_work import UnitOfWork, unit_of_work


def is_paused() -> bool:
    """Say whether sending waits."""
    wanted = select(Destination.id).where(Destination.name == _name(), Destination.paused_since.is_not(None))
    paused = db.session.scalar(wanted) is not None
    db.session.rollback()
    return paused


def pause(sentence: str) -> None:
    """Let all sending wait until the archive accepts us again or a person resumes it."""
    with unit_of_work(WORKER, "the archive does not accept us") as uow:
        found = _row(uow)
        if found.paused_since is None:
            found.paused_since = uow.at
        found.sentence = f"{sentence} Nothing is lost: all sending waits until the archive accepts us again."


def resume(uow: UnitOfWork) -> None:
    """Let sending go on; for a person, and for the worker when the archive accepts us again."""
    found = _row(uow)
    found.paused_since, found.sentence = None, ""
    uow.afterwards(wake)


def try_paused() -> None:
    """Ask a paused archive whether it accepts us now, and resume."""
    if not is_paused():
        return
    try:
        services().archive.check()
    except (ArchiveRefusesUs, TryLater):
        return
    with unit_of_work(WORKER, "the archive accepts us again") as uow:
        resume(uow)


def _name() -> str:
    return services().archive.name[:40]


def _row(uow: UnitOfWork) -> Destination:
    found = uow.session.scalar(select(Destination).where(Destination.name == _name()))
    if found is None:
        found = Destination(name=_name())
        uow.session.add(found)
    return found
