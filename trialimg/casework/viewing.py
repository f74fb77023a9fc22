"""May this person see this object, and under which names: the one answer the image door obeys.

The trial's team opens images by role, under the subject's number. Readers open the studies of their reads and the
priors that go with them, never by a role: under the subject's reading code, without the site, with all dates moved by
one number of days of that subject: a secret one, or the one that lays its baseline on a day that is nobody's. Who is a
reader of a trial and has another role in it as well is a reader there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Person, Place, admit
from trialimg.casework.reader_studies import studies_of_reader
from trialimg.casework.viewing_masks import day_in_images, masks_of_readers, masks_of_team
from trialimg.dicom.blind import Mask
from trialimg.domain.permission import ROLES, Permission
from trialimg.domain.reading import ReadState
from trialimg.domain.submission import Fate
from trialimg.errors import NotFound
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot, SubmissionObject
from trialimg.store.reading import Read
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
    """What of a study may be seen: SOP Instance UIDs by Series Instance UID, and the mask it is seen by, if any."""

    study_instance_uid: str
    series: dict[str, frozenset[str]]
    mask: Mask | None = None

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


def admit_to_images(person: Person, permission: Permission, place: Place | None) -> None:
    """Let somebody to the image door, in place of ``admit``; raises :class:`NotFound`, :class:`NotAllowed`.

    A reader of the trial comes in by a read only: any other study is *not found*, whatever else they are there.
    """
    if place is None:
        if not person.may_somewhere(Permission.READ):
            admit(person, permission, None)
    elif place.trial_id not in _read_trials(person):
        admit(person, permission, place)
    elif _code_for(person, place) is None:
        raise NotFound


def _read_trials(person: Person) -> frozenset[str]:
    """Give the trials in which this person is a reader, so sees nothing but what is to be read."""
    reading = [grant for grant in person.grants if Permission.READ in ROLES[grant.role]]
    return frozenset(grant.trial_id for grant in reading if grant.trial_id)


def _code_for(person: Person, place: Place) -> str | None:
    """Give the code under which a reader may open this study; None where no read of theirs shows it."""
    shown = studies_of_reader(person.account_id, place.subject_id)
    return next((each.reading_code for each in shown if each.study_id == place.study_id), None)


def visible_studies(
    person: Person, *, study_instance_uids: frozenset[str] | None = None, patient_id: str | None = None
) -> list[StudyCard]:
    """List the linked studies this person may open, newest first; what is not permitted is simply not there.

    ``patient_id`` is the name under which the person knows the subject: a reader's is the reading code.
    """
    wanted = (
        select(ImagingStudy)
        .join(ImagingStudy.subject)
        .options(
            joinedload(ImagingStudy.subject).joinedload(Subject.trial),
            joinedload(ImagingStudy.subject).joinedload(Subject.site),
            joinedload(ImagingStudy.slot).joinedload(Slot.visit),
        )
        .where(ImagingStudy.state == "linked")
        .order_by(ImagingStudy.linked_at.desc())
    )
    if study_instance_uids is not None:
        wanted = wanted.where(ImagingStudy.study_instance_uid.in_(study_instance_uids))
    reach, blind = person.reach(Permission.OPEN_IMAGES), _read_trials(person)
    by_role = wanted.where(ImagingStudy.trial_id.not_in(blind))
    if not reach.everywhere:
        by_role = by_role.where(ImagingStudy.trial_id.in_(reach.trials) | Subject.site_id.in_(reach.sites))
    if patient_id is not None:
        by_role = by_role.where(Subject.number == patient_id)
    listed = db.session.scalars(by_role).all()
    masks = masks_of_team({study.subject_id for study in listed})
    cards = [_card(study, masks.get(study.subject_id)) for study in listed]
    if not blind:
        return cards
    codes = {each.study_id: each.reading_code for each in studies_of_reader(person.account_id)}
    mine = {key for key, code in codes.items() if patient_id in {None, code}}
    to_read = db.session.scalars(wanted.where(ImagingStudy.id.in_(mine))) if mine else ()
    return [*cards, *_blinded(to_read, codes)]


def _blinded(studies: Iterable[ImagingStudy], codes: dict[str, str]) -> list[StudyCard]:
    listed = list(studies)
    masks = masks_of_readers({study.subject_id: codes[study.id] for study in listed})
    found = []
    for study in listed:
        mask = masks[study.subject_id]
        code = mask.reading_code
        found.append(replace(_card(study, mask), patient_id=code, patient_name=code))
    return found


def _card(study: ImagingStudy, mask: Mask | None) -> StudyCard:
    where = f"{study.slot.visit.key} {study.slot.key}" if study.slot else "detached"
    return StudyCard(
        study_instance_uid=study.study_instance_uid,
        patient_id=study.subject.number,
        patient_name=study.subject.number,
        description=where,
        acquired=day_in_images(mask, study.subject, study.acquired),
        modalities=tuple(m for m in study.modalities.split(", ") if m),
        series_count=study.series_count,
        instance_count=study.instance_count,
    )


def seen_by(person: Person, place: Place) -> StudyContents:
    """Give what of the study this person may see, and by which mask; raises :class:`NotFound`.

    The person has been let in by ``admit_to_images``; a reader whose read has just ended is not.
    """
    if place.trial_id not in _read_trials(person):
        return replace(contents(place), mask=masks_of_team([place.subject_id]).get(place.subject_id))
    code = _code_for(person, place)
    if code is None:
        raise NotFound
    return replace(contents(place), mask=masks_of_readers({place.subject_id: code})[place.subject_id])


def read_to_open(person: Person, place: Place) -> str | None:
    """Give the key of the read with which a reader opens the study; None for the team, and for a prior of others."""
    if place.trial_id not in _read_trials(person):
        return None
    mine = select(Read.id).where(
        Read.account_id == person.account_id,
        Read.subject_id == place.subject_id,
        Read.visit_id == place.visit_id,
        Read.state != ReadState.VOID.value,
    )
    return db.session.scalar(mine.order_by(Read.number.desc()).limit(1))


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
