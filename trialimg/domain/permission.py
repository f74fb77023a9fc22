"""Who may do what, on one page: permissions, roles, and the scope a role was given for.

Roles say *may*. Whether a thing *can* be done now (locked, held, not yours) is each domain's own rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """One act a person may be allowed to do."""

    SEE_TRIAL = "see the trial and its subjects"
    SEE_DATA = "see the values of forms"
    ENROL = "enrol a subject"
    ENTER_DATA = "enter data and date visits"
    ATTACH_IMAGES = "attach images to a slot"
    DECIDE_HELD = "see held images and decide on them"
    REVIEW_PIXELS = "look at pixels nobody has looked at, where the trial names the role"
    OPEN_IMAGES = "open linked images"
    MOVE_LINK = "detach and re-link a study"
    WITHDRAW_STUDY = "withdraw a study from a wrong subject"
    AUTHORISE_REMOVAL = "authorise that the archive forgets a withdrawn study"
    RUN_PIPELINE = "retry, hold or cancel work of the pipeline"
    SEE_PIPELINE = "see the work of the pipeline"
    SEE_AUDIT = "see the audit trail"
    SEE_DASHBOARD = "see the dashboard of the trial"
    EXPORT_CASEBOOK = "make casebooks of subjects"
    EXPORT_DATA = "export the data of the trial"
    READ = "read images blinded"
    SEE_READ_STATUS = "see how the reads of the trial stand"
    SEE_READ_VALUES = "see the values of reads where reading.yaml names the role"
    REOPEN_READ = "reopen or void a read where reading.yaml names the role"
    MANAGE_TRIAL = "set up sites and invite people"
    MANAGE_INSTALLATION = "load trials and manage accounts of the installation"
    OWN_ACCOUNT = "manage the own account and tokens"


class Role(StrEnum):
    """A role of the field, given for a trial or for one site of it."""

    SITE_COORDINATOR = "site coordinator"
    INVESTIGATOR = "investigator"
    MONITOR = "monitor"
    DATA_MANAGER = "data manager"
    IMAGING_QC = "imaging QC"
    READER = "reader"
    ADJUDICATOR = "adjudicator"
    SPONSOR = "sponsor"
    TRIAL_ADMINISTRATOR = "trial administrator"
    INSPECTOR = "inspector"
    ADMINISTRATOR = "administrator"


P = Permission
ROLES: Final[dict[Role, frozenset[Permission]]] = {
    Role.SITE_COORDINATOR: frozenset(
        {P.SEE_TRIAL, P.SEE_DATA, P.ENROL, P.ENTER_DATA, P.ATTACH_IMAGES, P.DECIDE_HELD, P.OPEN_IMAGES}
        | {P.REVIEW_PIXELS, P.SEE_READ_STATUS}
    ),
    Role.INVESTIGATOR: frozenset(
        {P.SEE_TRIAL, P.SEE_DATA, P.ENROL, P.ENTER_DATA, P.ATTACH_IMAGES, P.DECIDE_HELD, P.OPEN_IMAGES, P.MOVE_LINK}
        | {P.REVIEW_PIXELS, P.SEE_READ_STATUS}
    ),
    Role.MONITOR: frozenset(
        {P.SEE_TRIAL, P.SEE_DATA, P.OPEN_IMAGES, P.SEE_AUDIT, P.EXPORT_CASEBOOK}
        | {P.SEE_READ_STATUS, P.SEE_READ_VALUES, P.REOPEN_READ}
    ),
    Role.DATA_MANAGER: frozenset(
        {P.SEE_TRIAL, P.SEE_DATA, P.OPEN_IMAGES, P.MOVE_LINK, P.WITHDRAW_STUDY, P.SEE_PIPELINE, P.RUN_PIPELINE}
        | {P.SEE_AUDIT, P.SEE_DASHBOARD, P.EXPORT_CASEBOOK, P.EXPORT_DATA}
        | {P.SEE_READ_STATUS, P.SEE_READ_VALUES, P.REOPEN_READ}
    ),
    Role.IMAGING_QC: frozenset(
        {P.SEE_TRIAL, P.REVIEW_PIXELS, P.OPEN_IMAGES, P.SEE_PIPELINE, P.SEE_READ_STATUS, P.SEE_READ_VALUES}
        | {P.REOPEN_READ}
    ),
    # A reader opens images by way of a read only, never by the subject's pages.
    Role.READER: frozenset({P.READ}),
    Role.ADJUDICATOR: frozenset(),
    Role.SPONSOR: frozenset(
        {P.SEE_TRIAL, P.SEE_DATA, P.OPEN_IMAGES, P.SEE_DASHBOARD, P.EXPORT_CASEBOOK, P.EXPORT_DATA}
        | {P.SEE_READ_STATUS, P.SEE_READ_VALUES, P.REOPEN_READ}
    ),
    Role.TRIAL_ADMINISTRATOR: frozenset(
        {P.SEE_TRIAL, P.MANAGE_TRIAL, P.MOVE_LINK, P.WITHDRAW_STUDY, P.AUTHORISE_REMOVAL, P.SEE_PIPELINE}
        | {P.RUN_PIPELINE, P.SEE_AUDIT, P.SEE_DASHBOARD, P.SEE_READ_STATUS, P.SEE_READ_VALUES, P.REOPEN_READ}
    ),
    Role.INSPECTOR: frozenset(
        {P.SEE_TRIAL, P.SEE_DATA, P.OPEN_IMAGES, P.SEE_PIPELINE, P.SEE_AUDIT, P.SEE_DASHBOARD}
        | {P.EXPORT_CASEBOOK, P.EXPORT_DATA, P.SEE_READ_STATUS, P.SEE_READ_VALUES}
    ),
    Role.ADMINISTRATOR: frozenset({P.MANAGE_INSTALLATION, P.SEE_PIPELINE, P.RUN_PIPELINE, P.SEE_AUDIT}),
}
"""What each role may. Every signed-in person has OWN_ACCOUNT besides."""

SITE_ROLES: Final = frozenset({Role.SITE_COORDINATOR, Role.INVESTIGATOR})
"""Roles that are always given for one site."""

INSTALLATION_ROLES: Final = frozenset({Role.ADMINISTRATOR})
"""Roles that belong to no trial."""


@dataclass(frozen=True)
class Scope:
    """Where an act happens: in a trial, at a site of it, or (both empty) in the installation."""

    trial_id: str | None = None
    site_id: str | None = None


@dataclass(frozen=True)
class Grant:
    """A role given to a person: for the installation, a trial, or one site of a trial."""

    role: Role
    trial_id: str | None = None
    site_id: str | None = None

    def covers(self, scope: Scope) -> bool:
        """Say whether this grant reaches the scope; a grant for a trial reaches all its sites."""
        if self.role in INSTALLATION_ROLES:
            return True
        if scope.trial_id is None or self.trial_id != scope.trial_id:
            return False
        return self.site_id is None or self.site_id == scope.site_id


def may(grants: Iterable[Grant], permission: Permission, scope: Scope) -> bool:
    """Say whether somebody with these grants may do this there."""
    if permission is Permission.OWN_ACCOUNT:
        return True
    return any(permission in ROLES[grant.role] and grant.covers(scope) for grant in grants)


def may_somewhere(grants: Iterable[Grant], permission: Permission) -> bool:
    """Say whether somebody with these grants may do this anywhere at all."""
    return permission is Permission.OWN_ACCOUNT or any(permission in ROLES[g.role] for g in grants)


@dataclass(frozen=True)
class Reach:
    """Where a permission holds for a person: whole trials and single sites."""

    everywhere: bool
    trials: frozenset[str]
    sites: frozenset[str]

    def covers(self, trial_id: str, site_id: str) -> bool:
        """Say whether a site of a trial lies within reach."""
        return self.everywhere or trial_id in self.trials or site_id in self.sites


def reach(grants: Iterable[Grant], permission: Permission) -> Reach:
    """Give the part of the installation in which somebody with these grants may do this."""
    having = [g for g in grants if permission in ROLES[g.role]]
    return Reach(
        everywhere=any(g.role in INSTALLATION_ROLES for g in having),
        trials=frozenset(g.trial_id for g in having if g.trial_id and g.site_id is None),
        sites=frozenset(g.site_id for g in having if g.site_id),
    )
