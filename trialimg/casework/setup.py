"""The first day: the keys of an installation, a trial from its files, and its sites."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from trialimg import trialfiles
from trialimg.casework.access import Place
from trialimg.casework.services import Services
from trialimg.domain.trial import TrialDefinition
from trialimg.errors import BadDefinition, BadInput, Conflict, NotFound
from trialimg.keyring import AUDIT, SESSION, Keyring
from trialimg.store.base import db
from trialimg.store.subject import Subject
from trialimg.store.trial import Site, Trial, TrialDefinitionVersion
from trialimg.store.unit_of_work import UnitOfWork

# An address, a part of a subject's number, a name that a key is derived from.
_SITE_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,19}")
_TRIAL_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,19}")
_COUNTRY: Final = re.compile(r"[A-Z]{2}|")
_LONGEST_NAME: Final = 200


@dataclass(frozen=True)
class TrialCard:
    """A trial as pages show it; ``loaded`` are its versions, the oldest first."""

    trial_id: str
    code: str
    title: str
    version: str
    loaded: tuple[str, ...]
    sites: int
    subjects: int


@dataclass(frozen=True)
class SiteCard:
    """A site as pages show it."""

    site_id: str
    code: str
    name: str
    country: str
    active: bool
    subjects: int


def install(keyring: Keyring) -> None:
    """Make the keys of a new installation (mode 0600); keys that are there stay as they are."""
    for name in (AUDIT, SESSION):
        keyring.make(name)


def load_trial(uow: UnitOfWork, services: Services, folder: Path) -> str:
    """Load a version of a trial from its folder, make it the current one, and give the trial's code.

    A version stays for ever what it was: loading the same one again changes nothing, and with other content it is
    refused. Raises :class:`BadDefinition`, :class:`Conflict` and :class:`NotFound` (no such folder).
    """
    found = trialfiles.load(folder)
    if not _TRIAL_CODE.fullmatch(found.code):
        raise BadDefinition("A trial's code is made of at most 20 letters, digits and dashes; correct trial.yaml.")
    trial = uow.session.scalar(select(Trial).where(Trial.code == found.code))
    if trial is None:
        trial = Trial(code=found.code, title=found.title, key_version=1)
        uow.session.add(trial)
        uow.session.flush()
    services.keyring.make_trial_key(trial.code, trial.key_version)
    version = _keep_version(uow, trial, found)
    trial.definition_id = version.id
    trial.title = found.title
    return trial.code


def _keep_version(uow: UnitOfWork, trial: Trial, found: TrialDefinition) -> TrialDefinitionVersion:
    content = found.to_json()
    digest = hashlib.sha256(content.encode()).hexdigest()
    kept = uow.session.scalar(
        select(TrialDefinitionVersion).where(
            TrialDefinitionVersion.trial_id == trial.id, TrialDefinitionVersion.version == found.version
        )
    )
    if kept is None:
        kept = TrialDefinitionVersion(
            trial_id=trial.id, version=found.version, digest=digest, content=content, loaded_at=uow.at
        )
        uow.session.add(kept)
        uow.session.flush()
    elif kept.digest != digest:
        raise Conflict(
            f"Version {found.version} of {trial.code} is loaded already with other content, and subjects may have been "
            "enrolled under it. Nothing was changed. Give the new content a new version."
        )
    return kept


def add_site(uow: UnitOfWork, place: Place, *, code: str, name: str, country: str = "") -> str:
    """Add a site to a trial and give its key; raises :class:`BadInput` and :class:`Conflict`."""
    code, name, country = code.strip(), name.strip(), country.strip().upper()
    if not _SITE_CODE.fullmatch(code):
        raise BadInput("A site's code is made of at most 20 letters, digits and dashes, such as 101. Correct it.")
    if not 0 < len(name) <= _LONGEST_NAME:
        raise BadInput(f"A site needs a name of at most {_LONGEST_NAME} characters. Correct it.")
    if not _COUNTRY.fullmatch(country):
        raise BadInput("A country is given by its two letters (ISO 3166), such as CH, or left empty. Correct it.")
    # Codes that differ only in case would be one folder to some archives and one person to some readers.
    same = select(Site.code).where(Site.trial_id == place.trial_id, func.lower(Site.code) == code.lower())
    if uow.session.scalar(same) is not None:
        raise Conflict(f"There is a site {code} in this trial already. Nothing was changed. Choose another code.")
    site = Site(trial_id=place.trial_id, code=code, name=name, country=country)
    uow.session.add(site)
    uow.session.flush()
    return site.id


def set_site_active(uow: UnitOfWork, place: Place, *, active: bool) -> None:
    """Open or close a site for enrolment; its record stays as it is. Raises :class:`NotFound`."""
    site = uow.session.get(Site, place.site_id)
    if site is None:
        raise NotFound
    site.active = active


def trials() -> list[TrialCard]:
    """List every trial of the installation."""
    sites = dict(db.session.execute(select(Site.trial_id, func.count()).group_by(Site.trial_id)).all())
    counted = select(Subject.trial_id, func.count()).group_by(Subject.trial_id)
    subjects = dict(db.session.execute(counted).all())
    versions: dict[str, list[tuple[str, str]]] = {}
    rows = select(TrialDefinitionVersion.trial_id, TrialDefinitionVersion.id, TrialDefinitionVersion.version)
    for trial_id, key, version in db.session.execute(rows.order_by(TrialDefinitionVersion.loaded_at)):
        versions.setdefault(trial_id, []).append((key, version))
    return [
        TrialCard(
            trial_id=trial.id,
            code=trial.code,
            title=trial.title,
            version=next((v for key, v in versions.get(trial.id, []) if key == trial.definition_id), ""),
            loaded=tuple(v for _, v in versions.get(trial.id, [])),
            sites=sites.get(trial.id, 0),
            subjects=subjects.get(trial.id, 0),
        )
        for trial in db.session.scalars(select(Trial).order_by(Trial.code))
    ]


def sites(trial_id: str) -> list[SiteCard]:
    """List the sites of a trial by their codes."""
    counted = select(Subject.site_id, func.count()).where(Subject.trial_id == trial_id).group_by(Subject.site_id)
    subjects = dict(db.session.execute(counted).all())
    wanted = select(Site).where(Site.trial_id == trial_id).order_by(Site.code)
    return [
        SiteCard(s.id, s.code, s.name, s.country, s.active, subjects.get(s.id, 0)) for s in db.session.scalars(wanted)
    ]
