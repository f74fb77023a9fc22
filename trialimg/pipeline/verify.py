"""Proves that the archive has every instance, equal by content, and links the study in the same transaction."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from typing import BinaryIO, Final

from sqlalchemy import select

from trialimg.archive.port import Archive
from trialimg.casework.submission import load, move
from trialimg.dicom.files.canonical import canonical_hash
from trialimg.dicom.files.header import read_facts
from trialimg.domain.submission import Equation, Fate, Outcome, delay, equation
from trialimg.errors import BadInput, Held, NotFound
from trialimg.pipeline.claim import Claim, load_claim
from trialimg.pipeline.judge import as_date
from trialimg.pipeline.link import link
from trialimg.pipeline.work import Finish, Work
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, SubmissionObject
from trialimg.store.unit_of_work import UnitOfWork

MOST_ROUNDS: Final = 5
"""How often an incomplete archive is sent the rest before a person must look."""

_ROUNDS: Final = "rounds"
_UNREADABLE: Final = "unreadable"


@dataclass(frozen=True, order=True)
class _Instance:
    study: str
    series: str
    uid: str


def verify(work: Work) -> Finish:
    """Read every instance back from the archive and compare; raises TryLater where it cannot be asked."""
    claim = load_claim(work.submission_id)
    mine = claim.having(Fate.CLEAN, Fate.SENT)
    expected = {
        _Instance(o.study_instance_uid, o.series_instance_uid, o.sop_instance_uid): o.canonical_hash for o in mine
    }
    expected |= _sent_before(claim, {instance.study for instance in expected})
    present = _fetch_all(work, sorted(expected))
    # What was pushed counts as sent exactly if the equation holds; it is written with the proof or not at all.
    fates: list[Fate] = [Fate.SENT if each.fate is Fate.CLEAN else each.fate for each in claim.objects]
    balance = equation(claim.announced, fates, {i.uid: h for i, h in expected.items()}, present)
    if balance.different:
        raise Held(str(balance.fault()))
    if balance.missing:
        return lambda uow: _incomplete(uow, work, balance)
    if fault := balance.fault():
        raise Held(f"The account of this submission does not balance, so nothing is linked: {fault}")
    acquired = _acquired(work, claim, sorted(expected))
    return lambda uow: link(uow, claim, acquired)


def _sent_before(claim: Claim, studies: Iterable[str]) -> dict[_Instance, str]:
    """Give what earlier submissions have put into the same studies: the whole is verified again."""
    wanted = (
        select(
            ImagingStudy.study_instance_uid,
            SubmissionObject.series_instance_uid,
            SubmissionObject.sop_instance_uid,
            SubmissionObject.canonical_hash,
        )
        .join(ImagingStudy, ImagingStudy.id == SubmissionObject.study_id)
        .where(ImagingStudy.study_instance_uid.in_(studies), SubmissionObject.fate == Fate.SENT.value)
        .where(SubmissionObject.submission_id != claim.submission_id, ImagingStudy.state != "withdrawn")
    )
    rows = db.session.execute(wanted).all()
    db.session.rollback()
    return {_Instance(*row[:3]): row[3] for row in rows}


def _fetch_all(work: Work, instances: list[_Instance]) -> dict[str, str]:
    archive = work.services.archive
    for study in sorted({instance.study for instance in instances}):
        # One question first: an archive that lost everything need not be asked for each instance.
        if not archive.holds(study):
            instances = [instance for instance in instances if instance.study != study]
        work.go_on()
    present: dict[str, str] = {}
    work.progress(0, len(instances))
    with ThreadPoolExecutor(work.services.settings.push_connections) as pool:
        waiting = {pool.submit(_hash_of, archive, instance): instance for instance in instances}
        try:
            for done, future in enumerate(as_completed(waiting), 1):
                found = future.result()
                if found is not None:
                    present[waiting[future].uid] = found
                work.progress(done, len(instances))
        finally:
            pool.shutdown(cancel_futures=True)
    return present


def _hash_of(archive: Archive, instance: _Instance) -> str | None:
    try:
        with archive.fetch(instance.study, instance.series, instance.uid) as stream:
            return canonical_hash(_seekable(stream))
    except NotFound:
        return None
    except BadInput:
        return _UNREADABLE  # equal to no hash: the archive holds something else under this name


def _acquired(work: Work, claim: Claim, instances: list[_Instance]) -> dict[str, date | None]:
    """Read the true date of each study from the archive; the date a person gave where the trial does not keep dates."""
    if claim.sending.profile.dates != "kept":
        return {}
    found: dict[str, date | None] = {}
    for instance in instances:
        if instance.study not in found:
            with work.services.archive.fetch(instance.study, instance.series, instance.uid) as stream:
                found[instance.study] = as_date(read_facts(_seekable(stream)).study_date)
    return found


def _seekable(stream: BinaryIO) -> BinaryIO:
    return stream if stream.seekable() else BytesIO(stream.read())


def _incomplete(uow: UnitOfWork, work: Work, balance: Equation) -> None:
    submission = load(uow, work.submission_id)
    timings = json.loads(submission.timings or "{}")
    rounds = int(timings.get(_ROUNDS, 0)) + 1
    told = f"{balance.fault()} It was sent {rounds} times."
    if rounds >= MOST_ROUNDS:
        timings[_ROUNDS] = 0
        submission.timings = json.dumps(timings)
        sentence = f"{told} The operator must look why the archive does not keep it; then let the work go on."
        move(uow, submission, Outcome.HOLD, sentence, code="archive.incomplete")
        return
    timings[_ROUNDS] = rounds
    submission.timings = json.dumps(timings)
    due = uow.at + timedelta(seconds=delay(rounds, random.random()))  # noqa: S311 (jitter)
    move(uow, submission, Outcome.INCOMPLETE, f"{told} The rest is sent again.", due=due)
