"""Under which names and dates the image door shows a subject: to readers, and to the team where a trial shifts dates.

Images of a trial that shifts hold dates moved by a secret number of days, and its forms hold the true ones: the pair
would give the secret away. So its team is shown intervals at the door, with the subject's first study on a day that
is nobody's; only readers, who see no form, are shown dates that are merely moved once more (DESIGN.md 6).
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from trialimg.casework.definition import definition
from trialimg.casework.read_assignment import design_of, time_points_of
from trialimg.casework.services import services
from trialimg.dicom.blind import Mask
from trialimg.domain.pseudonym import date_shift, site_key, subject_key
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy
from trialimg.store.subject import Subject

_PURPOSE: Final = b"reader dates"
DAY_ZERO: Final = date(2000, 1, 1)
"""Where intervals are shown in place of dates, every subject's first day lies on this one."""


def masks_of_readers(codes: Mapping[str, str]) -> dict[str, Mask]:
    """Make the masks of subjects, by key: all images of one move alike, for every reader, so that intervals stay."""
    subjects = _subjects(codes)
    first = _baseline_days([each for each in subjects if design_of(each).dates == "study_days"])
    return {
        each.id: Mask(codes[each.id], _days(each, first.get(each.id)), (each.number, each.site.name))
        for each in subjects
    }


def masks_of_team(keys: Collection[str]) -> dict[str, Mask]:
    """Make the masks by which the trial's team sees subjects of trials that shift dates; others need none."""
    shifting = [each for each in _subjects(keys) if _shifts(each)]
    if not shifting:
        return {}
    wanted = (
        select(ImagingStudy.subject_id, func.min(ImagingStudy.acquired))
        .where(ImagingStudy.subject_id.in_([each.id for each in shifting]), ImagingStudy.state == "linked")
        .group_by(ImagingStudy.subject_id)
    )
    first = {key: day for key, day in db.session.execute(wanted) if day is not None}
    return {each.id: _intervals(each, first.get(each.id)) for each in shifting}


def day_in_images(mask: Mask | None, subject: Subject, acquired: date | None) -> date | None:
    """Give the day that the images of a study say under a mask; ``acquired`` is the true one."""
    if mask is None or acquired is None:
        return acquired
    return None if mask.days is None else acquired + timedelta(shift_of(subject) + mask.days)


def shift_of(subject: Subject) -> int:
    """Give the days by which the dates of a subject's images were moved when they were cleaned; secret."""
    return date_shift(_key(subject)) if _shifts(subject) else 0


def _subjects(keys: Collection[str]) -> list[Subject]:
    wanted = select(Subject).where(Subject.id.in_(keys)).options(joinedload(Subject.trial), joinedload(Subject.site))
    return list(db.session.scalars(wanted))


def _shifts(subject: Subject) -> bool:
    return bool(definition(subject.definition_id).deidentification.get("dates") == "shifted")


def _key(subject: Subject) -> bytes:
    trial_key = services().keyring.trial_key(subject.trial.code, subject.key_version)
    return subject_key(site_key(trial_key, subject.enrolment_site), subject.number)


def _intervals(subject: Subject, first: date | None) -> Mask:
    days = None if first is None else (DAY_ZERO - first).days - shift_of(subject)
    return Mask(subject.number, days, dates_only=True)


def _days(subject: Subject, baseline: date | None) -> int:
    """Give by how many days a subject's dates are moved for readers, by ``dates`` of ``reading.yaml``."""
    if baseline is not None:
        return (DAY_ZERO - baseline).days - shift_of(subject)
    return date_shift(hmac.digest(_key(subject), _PURPOSE, "sha256"))


def _baseline_days(subjects: Collection[Subject]) -> dict[str, date]:
    """Give the days of subjects' baseline images, where they are known."""
    points = time_points_of(db.session(), subjects) if subjects else {}
    owners = {
        study: subject
        for subject, in_order in points.items()
        for point in in_order
        if point.ordinal == 0
        for study in point.studies
    }
    found: dict[str, date] = {}
    wanted = select(ImagingStudy.id, ImagingStudy.acquired).where(ImagingStudy.id.in_(owners))
    for study, day in db.session.execute(wanted):
        if day is not None:
            found[owners[study]] = min(day, found.get(owners[study], day))
    return found
