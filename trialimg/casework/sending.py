"""What cleaning images for a slot needs: the profile, the names that stand in, and the subject's keys."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from trialimg.casework.access import Person, Place, slot_place
from trialimg.casework.definition import definition
from trialimg.casework.services import Services
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.domain.permission import Permission
from trialimg.domain.pseudonym import fingerprint_key, site_key, subject_key
from trialimg.errors import BadInput, Misconfigured, NotFound
from trialimg.store.base import db
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import Trial
from trialimg.store.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class Sending:
    """Everything the engine is given. The keys stay in memory and are never written or logged."""

    trial_code: str
    profile: Profile
    identity: SubjectIdentity
    subject_key: bytes
    fingerprint_key: bytes


def sending_for(services: Services, place: Place) -> Sending:
    """Give what cleaning images for this slot needs; the keys are those of the subject's enrolment, for life."""
    subject = db.session.get_one(Subject, place.subject_id)
    visit = db.session.get_one(Visit, place.visit_id)
    trial = definition(subject.definition_id)
    visit_def = trial.visit(visit.definition_key)
    of_site = site_key(services.keyring.trial_key(place.trial_code, subject.key_version), subject.enrolment_site)
    return Sending(
        trial_code=place.trial_code,
        profile=Profile.from_mapping(trial.deidentification, name=f"{trial.code} {trial.version}"),
        identity=SubjectIdentity(
            sponsor=trial.sponsor,
            protocol_id=trial.protocol_id,
            protocol_name=trial.title,
            site_id=subject.site.code,
            site_name="",  # a site's name can name a hospital; its number says enough
            subject_number=subject.number,
            time_point_id=visit.key,
            time_point_description=visit_def.title if visit_def else visit.key,
        ),
        subject_key=subject_key(of_site, subject.number),
        fingerprint_key=fingerprint_key(of_site),
    )


def slot_by_names(person: Person, *, subject: str, visit: str, slot: str, trial: str | None = None) -> Place:
    """Find a slot as a program names it; raises :class:`NotFound` outside the person's reach.

    Raises :class:`BadInput` where the subject's number stands in several trials and none was named.
    """
    reach = person.reach(Permission.ATTACH_IMAGES)
    wanted = select(Trial.code).join(Subject, Subject.trial_id == Trial.id).where(Subject.number == subject)
    if trial:
        wanted = wanted.where(Trial.code == trial)
    if not reach.everywhere:
        wanted = wanted.where(Subject.trial_id.in_(reach.trials) | Subject.site_id.in_(reach.sites))
    codes = list(db.session.scalars(wanted))
    if not codes:
        raise NotFound("There is no such subject to send for, or none within your reach.")
    if len(codes) > 1:
        raise BadInput("This subject number stands in several trials; name the trial as well.")
    try:
        return slot_place(codes[0], subject, visit, slot)
    except NotFound:
        raise NotFound(
            "This subject has no such visit, or the visit no such slot. Both are named by their keys, as the address "
            "of the slot's page ends: visits/W8/slots/CT."
        ) from None


def write_site_key(uow: UnitOfWork, services: Services, place: Place, file: Path) -> None:
    """Write the key of one site to a new file with mode 0600, and leave a record that it was given out."""
    trial = db.session.get_one(Trial, place.trial_id)
    key = site_key(services.keyring.trial_key(trial.code, trial.key_version), place.site_code)
    text = json.dumps({"trial": trial.code, "site": place.site_code, "version": trial.key_version, "key": key.hex()})
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w") as stream:
                stream.write(text + "\n")
        except OSError:
            file.unlink()  # half a key would be taken for a damaged one
            raise
    except FileExistsError:
        raise BadInput("There is a file of that name already; it was not touched. Choose another name.") from None
    except OSError as error:
        raise Misconfigured(f"The key file cannot be written ({error.strerror}). Name another place for it.") from None
    uow.note("give keys", "site", place.site_id)
