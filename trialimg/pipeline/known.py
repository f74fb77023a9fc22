"""Whether a study was sent before, and what the slot holds: questions to the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from trialimg.domain.submission import ENDED, Stage
from trialimg.pipeline.claim import Claim
from trialimg.pipeline.judge import KnownStudy
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot, StudyFingerprint, Submission

WITHDRAWN = "withdrawn"


def told_marks(claim: Claim) -> dict[str, str]:
    """Give the marks of the originals that a sender told of the studies it cleaned, by their new identifiers."""
    wanted = select(StudyFingerprint.study_instance_uid, StudyFingerprint.fingerprint).where(
        StudyFingerprint.submission_id == claim.submission_id
    )
    told = {uid: mark for uid, mark in db.session.execute(wanted).all() if uid != mark}
    db.session.rollback()
    return told


def known_studies(claim: Claim, fingerprints: Sequence[str], mapped_uids: Mapping[str, str]) -> list[KnownStudy]:
    """Give where studies with these fingerprints, or these identifiers once mapped (each with its mark), were sent.

    Submissions that came to nothing and withdrawn studies do not count; a link that was moved counts where it is.
    """
    found: dict[tuple[str, str], KnownStudy] = {}
    wanted = (
        select(StudyFingerprint.fingerprint, Submission, ImagingStudy)
        .join(Submission, Submission.id == StudyFingerprint.submission_id)
        .outerjoin(ImagingStudy, ImagingStudy.study_instance_uid == StudyFingerprint.study_instance_uid)
        .where(StudyFingerprint.trial_id == claim.trial_id, StudyFingerprint.fingerprint.in_(fingerprints))
        .where(Submission.id != claim.submission_id, Submission.stage.not_in({*ENDED, Stage.RECEIVING}))
    )
    for mark, submission, study in db.session.execute(wanted).all():
        if study is not None and study.state == WITHDRAWN:
            continue
        slot = study.slot if study is not None and study.slot is not None else submission.slot
        found.setdefault((mark, slot.id), _known(claim, mark, slot))
    linked = select(ImagingStudy).where(ImagingStudy.study_instance_uid.in_(mapped_uids))
    for study in db.session.scalars(linked.where(ImagingStudy.state != WITHDRAWN)):
        if study.slot is not None:
            mark = mapped_uids[study.study_instance_uid]
            found.setdefault((mark, study.slot.id), _known(claim, mark, study.slot))
    db.session.rollback()
    return list(found.values())


def slot_is_taken(claim: Claim) -> bool:
    """Say whether a study is linked to the slot."""
    wanted = select(ImagingStudy.id).where(ImagingStudy.slot_id == claim.slot_id, ImagingStudy.state != WITHDRAWN)
    taken = db.session.scalar(wanted.limit(1)) is not None
    db.session.rollback()
    return taken


def _known(claim: Claim, mark: str, slot: Slot) -> KnownStudy:
    subject = slot.visit.subject
    return KnownStudy(
        mark, subject.number, slot.visit.key, slot.key, subject.id == claim.subject_id, slot.id == claim.slot_id
    )
