"""Who asks, and where: persons with their roles, and the places of a trial that an address names.

A place outside a person's scope is *not found*, never *forbidden*: the two must not be told apart.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from sqlalchemy import select

from trialimg.domain.permission import Grant, Permission, Reach, Scope, may, may_somewhere, reach
from trialimg.errors import NotAllowed, NotFound
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot, Submission
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import Site, Trial
from trialimg.store.unit_of_work import Actor, UnitOfWork, unit_of_work


@dataclass(frozen=True)
class Person:
    """Somebody signed in, by a session or a token, with the roles they have at this moment."""

    account_id: str
    email: str
    name: str
    grants: tuple[Grant, ...]

    @property
    def actor(self) -> Actor:
        """Give this person as the one who acts in a unit of work."""
        return Actor(self.email, self.account_id)

    def acting(self, reason: str, place: Place) -> AbstractContextManager[UnitOfWork]:
        """Open a unit of work in which this person acts: what the doors use, since they know no data base."""
        return unit_of_work(self.actor, reason, trial_id=place.trial_id or None)

    def may(self, permission: Permission, place: Place) -> bool:
        """Say whether this person may do this there."""
        return may(self.grants, permission, place.scope)

    def may_somewhere(self, permission: Permission) -> bool:
        """Say whether this person may do this anywhere."""
        return may_somewhere(self.grants, permission)

    def reach(self, permission: Permission) -> Reach:
        """Give where this person may do this."""
        return reach(self.grants, permission)

    def sees(self, place: Place) -> bool:
        """Say whether the place exists for this person at all.

        A site, a subject, and all that is a subject's, exists only for whoever may see the trial's subjects there: a
        reader, who knows them by reading codes alone, must not learn by trying which sites and numbers there are.
        """
        if place.site_id or place.subject_id or place.study_id:
            return self.may(Permission.SEE_TRIAL, place)
        return any(may(self.grants, p, place.scope) for p in Permission if p is not Permission.OWN_ACCOUNT)


@dataclass(frozen=True)
class Place:
    """What an address names: a trial, and in it a subject, visit, slot, submission or study."""

    trial_id: str = ""
    trial_code: str = ""
    trial_title: str = ""
    site_id: str = ""
    site_code: str = ""
    subject_id: str = ""
    subject_number: str = ""
    visit_id: str = ""
    visit_key: str = ""
    slot_id: str = ""
    slot_key: str = ""
    submission_id: str = ""
    study_id: str = ""
    study_instance_uid: str = ""

    @property
    def scope(self) -> Scope:
        """Give the scope a role must cover to act here."""
        return Scope(self.trial_id or None, self.site_id or None)


INSTALLATION = Place()
"""The installation as a whole."""


def admit(person: Person, permission: Permission, place: Place | None) -> None:
    """Let the person act there, or raise :class:`NotFound` (outside the scope) or :class:`NotAllowed`.

    Without a place it is enough to be allowed to do this anywhere.
    """
    if place is None:
        if not person.may_somewhere(permission):
            raise NotAllowed(f"None of your roles allows you to {permission.value}.")
        return
    if person.may(permission, place):
        return
    if place.trial_id and not person.sees(place):
        raise NotFound
    raise NotAllowed(f"Your role does not allow you to {permission.value} here. Ask the trial administrator.")


def trial_place(trial: str) -> Place:
    """Find a trial by its code."""
    found = db.session.scalar(select(Trial).where(Trial.code == trial))
    if found is None:
        raise NotFound
    return Place(trial_id=found.id, trial_code=found.code, trial_title=found.title)


def site_place(trial: str, site: str) -> Place:
    """Find a site of a trial by its code."""
    place = trial_place(trial)
    found = db.session.scalar(select(Site).where(Site.trial_id == place.trial_id, Site.code == site))
    if found is None:
        raise NotFound
    return replace(place, site_id=found.id, site_code=found.code)


def _of_subject(subject: Subject) -> Place:
    return Place(
        trial_id=subject.trial_id,
        trial_code=subject.trial.code,
        trial_title=subject.trial.title,
        site_id=subject.site_id,
        site_code=subject.site.code,
        subject_id=subject.id,
        subject_number=subject.number,
    )


def subject_place(trial: str, subject: str) -> Place:
    """Find a subject of a trial by its number."""
    wanted = select(Subject).join(Trial).where(Trial.code == trial, Subject.number == subject)
    found = db.session.scalar(wanted)
    if found is None:
        raise NotFound
    return _of_subject(found)


def visit_place(trial: str, subject: str, visit: str) -> Place:
    """Find a visit of a subject by its key (W8, UNS-1)."""
    place = subject_place(trial, subject)
    found = db.session.scalar(select(Visit).where(Visit.subject_id == place.subject_id, Visit.key == visit))
    if found is None:
        raise NotFound
    return replace(place, visit_id=found.id, visit_key=found.key)


def slot_place(trial: str, subject: str, visit: str, slot: str) -> Place:
    """Find an imaging slot of a visit."""
    place = visit_place(trial, subject, visit)
    found = db.session.scalar(select(Slot).where(Slot.visit_id == place.visit_id, Slot.key == slot))
    if found is None:
        raise NotFound
    return replace(place, slot_id=found.id, slot_key=found.key)


def _of_slot(slot: Slot) -> Place:
    place = _of_subject(slot.visit.subject)
    return replace(place, visit_id=slot.visit_id, visit_key=slot.visit.key, slot_id=slot.id, slot_key=slot.key)


def submission_place(submission: str) -> Place:
    """Find a submission by its key."""
    found = db.session.get(Submission, submission)
    if found is None:
        raise NotFound
    return replace(_of_slot(found.slot), submission_id=found.id)


def study_place(study_instance_uid: str) -> Place:
    """Find a linked study by its StudyInstanceUID; a withdrawn one is not found."""
    wanted = select(ImagingStudy).where(ImagingStudy.study_instance_uid == study_instance_uid)
    found = db.session.scalar(wanted)
    if found is None or found.state == "withdrawn":
        raise NotFound
    place = _of_slot(found.slot) if found.slot is not None else _of_subject(found.subject)
    return replace(place, study_id=found.id, study_instance_uid=found.study_instance_uid)
