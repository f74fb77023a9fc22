"""Writes the link into the case record, in the transaction that holds the proof."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date

from sqlalchemy import select

from trialimg.casework.link import recheck_slots
from trialimg.casework.read_basis import images_linked
from trialimg.casework.submission import destroy_unneeded, load, move
from trialimg.domain.submission import Fate, Outcome, Stage
from trialimg.errors import Held
from trialimg.pipeline.claim import Claim
from trialimg.store.imaging import ImagingStudy, Submission, SubmissionObject
from trialimg.store.unit_of_work import UnitOfWork


def link(uow: UnitOfWork, claim: Claim, acquired: Mapping[str, date | None]) -> None:
    """Let every study of a proved submission stand in the record; raises Held where the record speaks against it.

    ``acquired`` gives the date of a study by its identifier, where its images tell it.
    """
    submission = load(uow, claim.submission_id)
    wanted = select(SubmissionObject).where(SubmissionObject.submission_id == submission.id)
    rows = list(uow.session.scalars(wanted.order_by(SubmissionObject.ordinal)))
    proved = [row for row in rows if row.fate in {Fate.CLEAN, Fate.SENT}]
    uids = list(dict.fromkeys(row.study_instance_uid for row in proved))
    studies = {uid: _study(uow, submission, uid, acquired.get(uid)) for uid in uids}
    uow.session.flush()
    for row in proved:
        row.fate = Fate.SENT.value
        row.study_id = studies[row.study_instance_uid].id
    for row in rows:
        if row.fate == Fate.HELD and row.study_instance_uid in studies:
            row.study_id = studies[row.study_instance_uid].id
    uow.session.flush()
    for study in studies.values():
        _count(uow, study)
    submission.study_id = studies[uids[0]].id
    timings = json.loads(submission.timings or "{}")
    if timings.pop("rounds", None) is not None:
        submission.timings = json.dumps(timings)
    held = sum(row.fate == Fate.HELD for row in rows)
    move(uow, submission, Outcome.PROVED)
    move(uow, submission, Outcome.LINKED, _sentence(len(proved), len(studies), held))
    destroy_unneeded(uow, submission)
    recheck_slots(uow, submission.slot_id)
    for study in studies.values():
        images_linked(uow, study)


def _study(uow: UnitOfWork, submission: Submission, uid: str, acquired: date | None) -> ImagingStudy:
    """Find the study's row where these instances join it, or make it."""
    wanted = select(ImagingStudy).where(ImagingStudy.study_instance_uid == uid).with_for_update()
    found = uow.session.scalar(wanted)
    if found is None:
        found = ImagingStudy(
            trial_id=submission.trial_id, subject_id=submission.subject_id, slot_id=submission.slot_id,
            study_instance_uid=uid, state="linked", acquired=acquired or submission.acquired, linked_at=uow.at,
            linked_by=submission.confirmed_by or submission.created_by,
        )  # fmt: skip
        uow.session.add(found)
        return found
    if found.subject_id != submission.subject_id:
        raise Held("This study is linked to another subject. A data manager must find out where it belongs.")
    if found.state == "withdrawn":
        if found.forget_state != "done":
            raise Held(
                "This study was withdrawn and the archive has not forgotten it yet. When it has, let the work go on."
            )
        found.state, found.state_reason, found.forget_state = "linked", "", ""
        found.slot_id, found.linked_at = submission.slot_id, uow.at
        found.linked_by = submission.confirmed_by or submission.created_by
    elif found.slot_id is None:
        found.slot_id, found.state, found.state_reason = submission.slot_id, "linked", ""
    elif found.slot_id != submission.slot_id:
        raise Held("This study is linked at another slot of this subject. Ask for that link to be moved.")
    return found


def _count(uow: UnitOfWork, study: ImagingStudy) -> None:
    """Count what stands in the record for a study, over all submissions."""
    wanted = select(
        SubmissionObject.fate, SubmissionObject.sop_instance_uid, SubmissionObject.series_instance_uid,
        SubmissionObject.modality,
    ).join(Submission, Submission.id == SubmissionObject.submission_id)  # fmt: skip
    counted = wanted.where(SubmissionObject.study_id == study.id, Submission.stage != Stage.WITHDRAWN.value)
    rows = uow.session.execute(counted).all()
    sent = [row for row in rows if row.fate == Fate.SENT]
    study.instance_count = len({row.sop_instance_uid for row in sent})
    study.series_count = len({row.series_instance_uid for row in sent})
    study.held_count = sum(row.fate == Fate.HELD for row in rows)
    study.modalities = _modalities(row.modality for row in sent)


def _modalities(found: Iterable[str]) -> str:
    return ", ".join(sorted({each for each in found if each}))[:80]


def _sentence(instances: int, studies: int, held: int) -> str:
    what = "the one instance" if instances == 1 else f"all {instances} instances"
    what += f" of {studies} studies" if studies > 1 else ""
    waiting = f"; {held} {'waits' if held == 1 else 'wait'} for a decision" if held else ""
    return f"Linked: the archive has {what}, equal to what was sent{waiting}."
