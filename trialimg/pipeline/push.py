"""Gives the archive what it lacks: it is asked first, and the same bytes go on every attempt."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import BinaryIO

from sqlalchemy import select

from trialimg.casework.submission import load, move, outbox
from trialimg.domain.submission import Fate, Outcome
from trialimg.errors import Held, TryLater
from trialimg.pipeline.claim import load_claim
from trialimg.pipeline.forget import DONE
from trialimg.pipeline.work import Finish, Work
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy
from trialimg.store.unit_of_work import UnitOfWork


def push(work: Work) -> Finish:
    """Send every clean instance that the archive does not name; raises TryLater, or Held where it refuses for good.

    The archive's word is not proof: the next step reads everything back.
    """
    claim = load_claim(work.submission_id)
    clean = claim.having(Fate.CLEAN)
    archive, area = work.services.archive, outbox(work.submission_id)
    studies = sorted({each.study_instance_uid for each in clean})
    _wait_for_removal(studies)
    held: set[str] = set()
    for study in studies:
        held |= {instance.sop_instance_uid for instance in archive.holds(study)}
        work.go_on()
    lacking: list[tuple[str, Callable[[], BinaryIO]]] = [
        (each.sop_instance_uid, partial(area.open, each.clean_sha256))
        for each in clean
        if each.sop_instance_uid not in held
    ]
    there = len(clean) - len(lacking)
    work.progress(there, len(clean))
    result = archive.push(lacking, lambda settled: work.progress(there + settled, len(clean)))
    if result.failed:
        first = next(iter(result.failed.values()))
        raise Held(
            f"The archive refuses {len(result.failed)} of {len(clean)} instances: {first} Nothing is linked; the "
            "clean images are kept. When this is settled at the archive, let the work go on."
        )
    return lambda uow: _finish(uow, work.submission_id, len(lacking))


def _wait_for_removal(studies: list[str]) -> None:
    """Raise TryLater while the archive still has to forget one of these: it would forget what is sent now."""
    wanted = select(ImagingStudy.id).where(
        ImagingStudy.study_instance_uid.in_(studies),
        ImagingStudy.state == "withdrawn",
        ImagingStudy.forget_state != DONE,
    )
    pending = db.session.scalar(wanted.limit(1))
    db.session.rollback()
    if pending is not None:
        raise TryLater(
            "This study was withdrawn, or its sending cancelled, and the archive still has to remove what it got "
            "then. It is sent when that is done."
        )


def _finish(uow: UnitOfWork, submission_id: str, sent: int) -> None:
    what = "1 instance was" if sent == 1 else f"{sent} instances were"
    sentence = f"{what} sent to the archive; it is being asked what it has."
    move(uow, load(uow, submission_id), Outcome.PUSHED, sentence)
