"""May this person see this object, and under which names: the one answer the image door obeys.

Whoever blinds somebody (a reader's reading code in place of the subject's number) does it here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Person, Place
from trialimg.domain.permission import Permission
from trialimg.domain.submission import Fate
from trialimg.errors import NotFound
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot, SubmissionObject
from trialimg.store.subject import Subject
from trialimg.store.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class StudyCard:
    """A linked study as the door may tell of it, under the names this person may know."""

    study_instance_uid: str
    patient_id: str
    patient_name: str
    description: str
    acquired: date | None
    modalities: tuple[str, ...]
    series_count: int
    instance_count: int


@dataclass(frozen=True)
class StudyContents:
    """What of a study may be seen: SOP Instance UIDs by Series Instance UID."""

    study_instance_uid: str
    series: dict[str, frozenset[str]]

    def instances_of(self, series_instance_uid: str) -> frozenset[str]:
        """Give the instances of a series of this study; raises :class:`NotFound` for any other series."""
        try:
            return self.series[series_instance_uid]
        except KeyError:
            raise NotFound from None

    def require(self, series_instance_uid: str, sop_instance_uid: str) -> None:
        """Raise :class:`NotFound` unless the instance belongs to that series of this study."""
        if sop_instance_uid not in self.instances_of(series_instance_uid):
            raise NotFound


def visible_studies(
    person: Person, *, study_instance_uids: frozenset[str] | None = None, patient_id: str | None = None
) -> list[StudyCard]:
    """List the linked studies this person may open, newest first; what is not permitted is simply not there."""
    wanted = (
        select(ImagingStudy)
        .join(ImagingStudy.subject)
        .options(joinedload(ImagingStudy.subject), joinedload(ImagingStudy.slot).joinedload(Slot.visit))
        .where(ImagingStudy.state == "linked")
        .order_by(ImagingStudy.linked_at.desc())
    )
    reach = person.reach(Permission.OPEN_IMAGES)
    if not reach.everywhere:
        wanted = wanted.where(ImagingStudy.trial_id.in_(reach.trials) | Subject.site_id.in_(reach.sites))
    if study_instance_uids is not None:
        wanted = wanted.where(ImagingStudy.study_instance_uid.in_(study_instance_uids))
    if patient_id is not None:
        wanted = wanted.where(Subject.number == patient_id)
    return [_card(study) for study in db.session.scalars(wanted)]


def _card(study: ImagingStudy) -> StudyCard:
    where = f"{study.slot.visit.key} {study.slot.key}" if study.slot else "detached"
    return StudyCard(
        study_instance_uid=study.study_instance_uid,
        patient_id=study.subject.number,
        patient_name=study.subject.number,
        description=where,
        acquired=study.acquired,
        modalities=tuple(m for m in study.modalities.split(", ") if m),
        series_count=study.series_count,
        instance_count=study.instance_count,
    )


def contents(place: Place) -> StudyContents:
    """Give what of the study may be seen: the instances proved to be in the archive, neither held nor withdrawn.

    Raises :class:`NotFound` while the study is linked nowhere.
    """
    require_linked(place)
    rows = db.session.execute(
        select(SubmissionObject.series_instance_uid, SubmissionObject.sop_instance_uid).where(
            SubmissionObject.study_id == place.study_id, SubmissionObject.fate == Fate.SENT.value
        )
    )
    series: dict[str, set[str]] = {}
    for series_uid, sop_uid in rows:
        series.setdefault(series_uid, set()).add(sop_uid)
    return StudyContents(place.study_instance_uid, {uid: frozenset(sops) for uid, sops in series.items()})


def require_linked(place: Place) -> None:
    """Raise :class:`NotFound` unless the study is linked to a slot: what was detached is opened by nobody."""
    state = select(ImagingStudy.state).where(ImagingStudy.id == place.study_id)
    if db.session.scalar(state) != "linked":
        raise NotFound


def record_opening(uow: UnitOfWork, place: Place) -> None:
    """Leave a record that this person opened the study; raises :class:`NotFound` while it is linked nowhere."""
    require_linked(place)
    uow.note("open", "imaging_study", place.study_id)
