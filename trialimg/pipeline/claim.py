"""What a step needs to know about a submission, read once and then only values: no row, no session."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import select

from trialimg.casework.access import submission_place
from trialimg.casework.definition import definition
from trialimg.casework.sending import Sending, sending_for
from trialimg.casework.services import services
from trialimg.domain.submission import Fate
from trialimg.domain.trial import SlotDef
from trialimg.errors import Conflict
from trialimg.store.base import db
from trialimg.store.imaging import Submission, SubmissionObject


@dataclass(frozen=True)
class ClaimedObject:
    """One object of a submission as the record has it."""

    ordinal: int
    fate: Fate
    received_sha256: str
    received_size: int
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    modality: str
    clean_sha256: str
    canonical_hash: str


@dataclass(frozen=True)
class Claim:
    """What a submission says it is: images of this subject, visit and slot, with the rules that hold for it."""

    submission_id: str
    trial_id: str
    subject_id: str
    subject_number: str
    birth_year: int | None
    sex: str | None
    visit_date: date | None
    slot_id: str
    slot: SlotDef
    acquired: date | None
    cleaned_at_source: bool
    announced: int
    sending: Sending = field(repr=False)
    objects: tuple[ClaimedObject, ...] = field(repr=False)

    @property
    def tells_true_dates(self) -> bool:
        """Say whether the dates in what was received are true: in cleaned files of a trial that shifts they are not."""
        return not self.cleaned_at_source or self.sending.profile.dates == "kept"

    def having(self, *fates: Fate) -> tuple[ClaimedObject, ...]:
        """Give the objects with one of these fates, in their order."""
        return tuple(each for each in self.objects if each.fate in fates)


def load_claim(submission_id: str) -> Claim:
    """Read a submission with its objects and rules; raises NotFound, and Conflict where the slot is no more."""
    db.session.rollback()
    try:
        return _read(submission_id)
    finally:
        db.session.rollback()


def _read(submission_id: str) -> Claim:
    place = submission_place(submission_id)
    found = db.session.get_one(Submission, submission_id, populate_existing=True)
    subject, visit = found.subject, found.slot.visit
    slot = definition(subject.definition_id).slots.get(found.slot.key)
    if slot is None:
        raise Conflict("The trial's definition does not know this slot any more. A data manager must look.")
    return Claim(
        submission_id=found.id,
        trial_id=found.trial_id,
        subject_id=subject.id,
        subject_number=subject.number,
        birth_year=subject.birth_year,
        sex=subject.sex,
        visit_date=visit.date,
        slot_id=found.slot_id,
        slot=slot,
        acquired=found.acquired,
        cleaned_at_source=found.cleaned_at_source,
        announced=found.announced,
        sending=sending_for(services(), place),
        objects=_objects(submission_id),
    )


def _objects(submission_id: str) -> tuple[ClaimedObject, ...]:
    columns = (
        SubmissionObject.ordinal, SubmissionObject.fate, SubmissionObject.received_sha256,
        SubmissionObject.received_size, SubmissionObject.study_instance_uid, SubmissionObject.series_instance_uid,
        SubmissionObject.sop_instance_uid, SubmissionObject.modality, SubmissionObject.clean_sha256,
        SubmissionObject.canonical_hash,
    )  # fmt: skip
    wanted = select(*columns).where(SubmissionObject.submission_id == submission_id)
    rows = db.session.execute(wanted.order_by(SubmissionObject.ordinal)).all()
    return tuple(ClaimedObject(*[row[0], Fate(row[1]), *row[2:]]) for row in rows)
