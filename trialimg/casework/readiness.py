"""Can the installation work: the data base, the vault, the archive and a worker, each tried for real."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from trialimg.casework.services import Services
from trialimg.errors import TrialimgError
from trialimg.store.base import db, utc_now
from trialimg.store.job import WAITING, Job

PATIENCE = timedelta(minutes=5)


def unready(services: Services) -> dict[str, str]:
    """Give the parts that cannot work, each with a sentence; empty when all can."""
    faults: dict[str, str] = {}
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
    if worker := _worker_fault():
        faults["worker"] = worker
    return faults


def _worker_fault() -> str:
    alive = current_app.extensions.get("trialimg_worker_alive")
    if alive is not None:
        return "" if alive() else "The worker in this process has stopped; start the server again."
    overdue = db.session.scalar(
        select(func.count()).select_from(Job).where(Job.state == WAITING, Job.due < utc_now() - PATIENCE)
    )
    if overdue:
        return "Work has been due for over five minutes and nobody does it; start `trialimg worker`."
    return ""
