"""Can the installation work: the data base, the vault, the archive and a worker, each tried for real."""

from __future__ import annotations

import fcntl
import os
from datetime import timedelta
from pathlib import Path

from flask import current_app
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from trialimg.casework.services import Services
from trialimg.errors import TrialimgError
from trialimg.settings import Settings
from trialimg.store.base import db, utc_now
from trialimg.store.job import WAITING, Job, engine_is_served

PATIENCE = timedelta(minutes=5)


def unready(services: Services) -> dict[str, str]:
    """Give the parts that cannot work, each with a sentence; empty when all can."""
    faults: dict[str, str] = {}
    # A process goes on writing into a file that was moved away, and all of it is lost.
    file = db.engine.url.database if db.engine.dialect.name == "sqlite" else None
    if file and not Path(file).exists():
        return {"database": "The file of the data base is gone; stop the server, and put it back or restore it."}
    try:
        db.session.execute(text("SELECT 1 FROM audit_chain LIMIT 1"))
    except SQLAlchemyError:
        db.session.rollback()
        return {"database": "The data base cannot be reached or has not been migrated; run `trialimg init`."}
    for part, check in (("vault", services.vault.check_writable), ("archive", services.archive.check)):
        try:
            check()
        except TrialimgError as error:
            faults[part] = error.sentence
    if worker := _worker_fault(services.settings):
        faults["worker"] = worker
    return faults


def _worker_fault(settings: Settings) -> str:
    alive = current_app.extensions.get("trialimg_worker_alive")
    if alive is not None and not alive():
        return "The worker in this process has stopped; start the server again."
    if alive is None and not _another_works(settings):
        return "Nobody does the work that images need; start `trialimg worker`."
    overdue = db.session.scalar(
        select(func.count()).select_from(Job).where(Job.state == WAITING, Job.due < utc_now() - PATIENCE)
    )
    if alive is None and overdue:
        return "Work has been due for over five minutes and nobody does it; look at `trialimg worker`."
    return ""


def _another_works(settings: Settings) -> bool:
    """Say whether another process is the worker: by the engine's heartbeats, on SQLite by the lock it holds."""
    if settings.on_postgresql:
        return engine_is_served(db.session())
    try:
        handle = os.open(settings.worker_lock_file, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
