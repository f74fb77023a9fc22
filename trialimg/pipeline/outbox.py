"""Promises what will be sent: every clean byte is read again from the disk before anything leaves."""

from __future__ import annotations

import hashlib
from typing import Final

from trialimg.casework.submission import load, move, outbox
from trialimg.domain.submission import Fate, Outcome
from trialimg.errors import Held, OurFault
from trialimg.pipeline.claim import load_claim
from trialimg.pipeline.work import Finish, Work
from trialimg.store.unit_of_work import UnitOfWork

_PIECE: Final = 1 << 20


def promise(work: Work) -> Finish:
    """Compare the SHA-256 of every clean file with what the record says; raises Held where one differs."""
    claim = load_claim(work.submission_id)
    clean = claim.having(Fate.CLEAN)
    area = outbox(work.submission_id)
    for done, each in enumerate(clean, 1):
        digest = hashlib.sha256()
        try:
            with area.open(each.clean_sha256) as stream:
                while piece := stream.read(_PIECE):
                    digest.update(piece)
        except OurFault:
            raise _damaged() from None
        if digest.hexdigest() != each.clean_sha256 or not each.canonical_hash:
            raise _damaged()
        work.progress(done, len(clean))
    return lambda uow: _finish(uow, work.submission_id, len(clean))


def _damaged() -> Held:
    return Held(
        "A cleaned file has changed or gone since it was written to the disk; nothing was sent. The operator must "
        "check the disk; then cancel this submission and send the images again."
    )


def _finish(uow: UnitOfWork, submission_id: str, count: int) -> None:
    ready = "1 instance is" if count == 1 else f"{count} instances are"
    move(uow, load(uow, submission_id), Outcome.SPOOLED, f"{ready} ready to be sent.")
