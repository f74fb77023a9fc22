"""The account of a submission's de-identification: gathered, and laid out as a document."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Final

from sqlalchemy import select

from trialimg.casework.access import Person, Place
from trialimg.casework.definition import definition
from trialimg.casework.services import Services
from trialimg.casework.slots import linked_studies
from trialimg.documents.deid import DeidAccount, deid_html
from trialimg.domain.deid_report import CLEANED, DISCARDED, DUPLICATE, HELD, LEFT_OUT, REFUSED, Report
from trialimg.domain.submission import Fate
from trialimg.errors import NotFound
from trialimg.reporting.typesetter import Typesetter
from trialimg.store.base import db, utc_now
from trialimg.store.imaging import Submission, SubmissionObject
from trialimg.store.unit_of_work import UnitOfWork

_OUTCOME: Final = {
    Fate.CLEAN: CLEANED,
    Fate.SENT: CLEANED,
    Fate.WITHDRAWN: CLEANED,
    Fate.HELD: HELD,
    Fate.RELEASED: HELD,
    Fate.REFUSED: REFUSED,
    Fate.DUPLICATE: DUPLICATE,
    Fate.LEFT_OUT: LEFT_OUT,
    Fate.DISCARDED: DISCARDED,
}


def deid_account(place: Place, person: Person) -> DeidAccount:
    """Give what is told of the submission at a place, to this person, now."""
    submission = db.session.get_one(Submission, place.submission_id)
    trial = definition(submission.subject.definition_id)
    ours = Report.from_json(json.loads(submission.report)) if submission.report else None
    told = Report.from_json(json.loads(submission.sender_report)) if submission.sender_report else None
    return DeidAccount(
        trial=place.trial_code,
        protocol=trial.protocol_id,
        subject=place.subject_number,
        visit=place.visit_key,
        slot=place.slot_key,
        submission_id=submission.id,
        studies=tuple(study.study_instance_uid for study in linked_studies(submission.id)),
        cleaned_at_source=submission.cleaned_at_source,
        report=ours.with_outcomes(_outcomes(submission.id)) if ours else None,
        told=told,
        made_at=utc_now().strftime("%Y-%m-%d %H:%M"),
        made_by=person.email,
    )


def _outcomes(submission_id: str) -> Counter[tuple[str, str]]:
    """Count what became of each object, and why it did not simply go on."""
    rows = db.session.execute(
        select(SubmissionObject.fate, SubmissionObject.code).where(SubmissionObject.submission_id == submission_id)
    ).all()
    known = ((_OUTCOME.get(Fate(fate)), code) for fate, code in rows)
    return Counter((outcome, "" if outcome == CLEANED else code) for outcome, code in known if outcome is not None)


def deid_document(tools: Services, account: DeidAccount, target: Path) -> None:
    """Lay the account out as a PDF/A, in a child process; raises :class:`NotFound` where there is nothing to tell."""
    if account.any_report is None:
        raise NotFound
    with Typesetter(tools.settings, at_once=1) as typesetter:
        typesetter.pages(typesetter.begin(deid_html(account), target))


def note_download(uow: UnitOfWork, place: Place) -> None:
    """Leave a record that somebody took the report along as JSON."""
    uow.note("download", "submission", place.submission_id, "de-identification report, JSON")
