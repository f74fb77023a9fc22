"""How images come in: one object at a time, safe on the disk before anybody is told so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, Final

from sqlalchemy import func, select

from trialimg.casework.services import Services
from trialimg.casework.submission import load, move, quarantine
from trialimg.domain.submission import Fate, Outcome, Stage
from trialimg.errors import BadInput, Conflict, NotFound
from trialimg.store.base import db
from trialimg.store.imaging import Submission, SubmissionObject
from trialimg.store.unit_of_work import Actor, UnitOfWork, unit_of_work

NAMES: Final = "names"
"""The note in the quarantine that tells the names of the files as sent, one JSON line each."""

_LONGEST_NAME: Final = 500
_TOUCHED: Final = timedelta(minutes=10)
_NOT_RECEIVING: Final = (
    "These images are no longer being received: they were sent off, cancelled or given up. What came "
    "before is not changed; start again at the slot to send more."
)


@dataclass(frozen=True)
class Received:
    """The receipt of one object: its number in the submission, its SHA-256 and its size in bytes."""

    ordinal: int
    sha256: str
    size: int


def receive(
    services: Services,
    submission_id: str,
    stream: BinaryIO,
    *,
    name: str,
    actor: Actor,
    ordinal: int | None = None,
) -> Received:
    """Take one object into quarantine and answer when bytes and record are safe.

    ``name`` is the sender's and stays in the quarantine. ``ordinal`` is the sender's number, under which a
    repeat of the same bytes is the same object. Raises Conflict where the submission receives no more or the
    number has other bytes, BadInput beyond the size limit, NoSpace when the disk is full.
    """
    if ordinal is not None and not 0 <= ordinal < 2**31:
        raise BadInput("The number of a file must be a whole number from 0 on.")
    trial_id = _receiving(submission_id)
    area = quarantine(submission_id)
    stored = area.put(stream, limit=services.settings.upload_limit_mb * 2**20)
    try:
        with unit_of_work(actor, "images received", trial_id=trial_id) as uow:
            submission = load(uow, submission_id)
            _refuse_late(submission.stage)
            number = _number(uow, submission_id, ordinal, stored.sha256)
            if number is None:
                assert ordinal is not None
                return Received(ordinal, stored.sha256, stored.size)
            line = {"ordinal": number, "name": shown_name(name)}
            area.add_to_note(NAMES, json.dumps(line).encode())
            uow.session.add(_row(submission_id, number, stored.sha256, stored.size))
            if uow.at - submission.stage_since > _TOUCHED:
                submission.stage_since = uow.at  # so that a long upload is not taken for an abandoned one
    except Conflict:
        _drop_unknown(submission_id, stored.sha256)
        raise
    return Received(number, stored.sha256, stored.size)


def announce(uow: UnitOfWork, submission_id: str, count: int) -> None:
    """Say that all was sent: ``count`` objects, which must be what was received; raises Conflict where it is not."""
    submission = load(uow, submission_id)
    wanted = select(func.count()).where(SubmissionObject.submission_id == submission_id)
    received = uow.session.scalar(wanted) or 0
    if submission.stage != Stage.RECEIVING:
        if submission.stage not in {Stage.CANCELLED, Stage.REFUSED} and submission.announced == count:
            return  # the answer to the first announcement was lost on its way
        raise Conflict(_NOT_RECEIVING)
    if not count:
        raise BadInput("Nothing was sent. Choose the folder or the files of the study, then send again.")
    if received != count:
        raise Conflict(
            f"{count} files were announced and {received} have arrived. Send the missing ones again, then finish."
        )
    submission.announced = count
    came = "1 file was received and is" if count == 1 else f"{count} files were received and are"
    move(uow, submission, Outcome.ANNOUNCED, f"{came} being looked at.")


def shown_name(name: str) -> str:
    """Make a name of a file fit to be shown: one line, no control characters, not endless."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)[-_LONGEST_NAME:]


def _receiving(submission_id: str) -> str:
    found = db.session.get(Submission, submission_id, populate_existing=True)
    if found is None:
        raise NotFound
    trial_id, stage = found.trial_id, found.stage
    db.session.rollback()
    _refuse_late(stage)
    return trial_id


def _refuse_late(stage: str) -> None:
    if stage != Stage.RECEIVING:
        raise Conflict(_NOT_RECEIVING)


def _number(uow: UnitOfWork, submission_id: str, ordinal: int | None, sha256: str) -> int | None:
    """Give the number of a new object; None where this very object is known already."""
    mine = SubmissionObject.submission_id == submission_id
    if ordinal is None:
        highest = uow.session.scalar(select(func.max(SubmissionObject.ordinal)).where(mine))
        return 0 if highest is None else highest + 1
    known = uow.session.scalar(
        select(SubmissionObject.received_sha256).where(mine, SubmissionObject.ordinal == ordinal)
    )
    if known is None:
        return ordinal
    if known == sha256:
        return None
    raise Conflict("Under this number another file was received before. Start the upload again.")


def _row(submission_id: str, ordinal: int, sha256: str, size: int) -> SubmissionObject:
    return SubmissionObject(
        submission_id=submission_id,
        ordinal=ordinal,
        received_sha256=sha256,
        received_size=size,
        fate=Fate.RECEIVED.value,
    )


def _drop_unknown(submission_id: str, sha256: str) -> None:
    """Destroy bytes that came too late, unless an object that is still wanted has the same."""
    wanted = select(SubmissionObject.id).where(
        SubmissionObject.submission_id == submission_id, SubmissionObject.received_sha256 == sha256
    )
    known = db.session.scalar(wanted.limit(1))
    found = db.session.get(Submission, submission_id)
    ended = found is None or found.stage in {Stage.CANCELLED, Stage.REFUSED}
    db.session.rollback()
    area = quarantine(submission_id)
    if ended:
        area.clear()
    elif known is None:
        area.drop(sha256)
