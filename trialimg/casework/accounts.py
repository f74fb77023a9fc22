"""People: invited, given roles for a trial or a site, and their access ended. Nobody edits above their own scope."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Person, Place
from trialimg.casework.readers_change import reads_follow
from trialimg.domain.permission import INSTALLATION_ROLES, SITE_ROLES, Grant, Permission, Role, Scope, may
from trialimg.domain.plain_text import is_line
from trialimg.errors import BadInput, Conflict, NotAllowed, NotFound
from trialimg.store.account import AccessToken, Account, AccountGrant, AccountSession
from trialimg.store.base import db, utc_now
from trialimg.store.trial import Site, Trial
from trialimg.store.unit_of_work import UnitOfWork

OPERATOR: Final = Person("", "operator", "Operator at the shell", (Grant(Role.ADMINISTRATOR),))
"""Who acts when nobody is signed in: whoever can start programs on this server."""

# Not all of RFC 5322: what people have as an address, without what could break out of a page, header or log line.
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
_LONGEST: Final = 200


@dataclass(frozen=True)
class GrantCard:
    """A role of a person as pages show it; ``where`` is empty for the installation."""

    grant_id: str
    role: Role
    trial: str
    site: str
    given_at: datetime
    given_by: str
    ended_at: datetime | None


@dataclass(frozen=True)
class PersonCard:
    """A person as pages show it; ``invited`` is one who has not set a password yet."""

    account_id: str
    email: str
    name: str
    active: bool
    invited: bool
    locked_until: datetime | None
    roles: tuple[GrantCard, ...]


def person_of(account: Account) -> Person:
    """Give an account as a person with the roles it has at this moment."""
    return Person(account.id, account.email, account.name, tuple(account.live_grants(utc_now())))


def find_person(email: str) -> Person:
    """Find somebody by the e-mail address; raises :class:`NotFound` where there is none, or access has ended."""
    account = db.session.scalar(select(Account).where(Account.email == email.strip().lower()))
    if account is None or not account.active:
        raise NotFound("There is no account with that e-mail address, or its access has ended.")
    return person_of(account)


def invite(uow: UnitOfWork, by: Person, *, email: str, name: str) -> str:
    """Make an account and give its key; somebody who has one already keeps it as it is.

    It can do nothing until it is given a role. Raises :class:`BadInput`, :class:`Conflict`, :class:`NotAllowed`.
    """
    if not (by.may_somewhere(Permission.MANAGE_TRIAL) or by.may_somewhere(Permission.MANAGE_INSTALLATION)):
        raise NotAllowed("Your role does not allow you to invite people. Ask the trial administrator.")
    email, name = email.strip().lower(), " ".join(name.split())
    if len(email) > _LONGEST or not _EMAIL.fullmatch(email):
        raise BadInput("This is no complete e-mail address. Correct it, for example anna.keller@hospital.example.")
    if not 0 < len(name) <= _LONGEST or not is_line(name):
        raise BadInput(f"A person needs a name of at most {_LONGEST} characters. Correct it.")
    account = uow.session.scalar(select(Account).where(Account.email == email))
    if account is None:
        account = Account(email=email, name=name, fs_uniquifier=secrets.token_hex(32), created_at=uow.at)
        uow.session.add(account)
        uow.session.flush()
    elif not account.active:
        raise Conflict(
            "The access of this person was ended. Nothing was changed. An administrator of the installation can open "
            "the account again."
        )
    return account.id


def give_role(
    uow: UnitOfWork, by: Person, account_id: str, role: Role, *, trial_id: str | None = None, site_id: str | None = None
) -> str:
    """Give a person a role, for the installation, a trial or a site of it, and give the grant's key.

    A role the person has there already is not given twice. Raises :class:`NotAllowed` above one's own scope,
    :class:`BadInput` where role and place do not fit, :class:`NotFound`.
    """
    scope = _place_of(uow, role, trial_id, site_id)
    _require_over(by, role, scope)
    account = _load(uow, account_id)
    if not account.active:
        raise Conflict("The access of this person was ended; open the account again before giving a role.")
    for grant in account.grants:
        same = (grant.role, grant.trial_id, grant.site_id) == (role.value, scope.trial_id, scope.site_id)
        if same and grant.ended_at is None:
            return grant.id
    fresh = AccountGrant(
        account_id=account.id, role=role.value, trial_id=scope.trial_id, site_id=scope.site_id,
        given_at=uow.at, given_by=by.email,
    )  # fmt: skip
    uow.session.add(fresh)
    uow.session.flush()
    reads_follow(uow, account.id, scope.trial_id)
    return fresh.id


def _place_of(uow: UnitOfWork, role: Role, trial_id: str | None, site_id: str | None) -> Scope:
    if role in INSTALLATION_ROLES:
        if trial_id or site_id:
            raise BadInput(
                f"The role {role.value} is given for the installation, not for a trial. Nothing was changed."
            )
        return Scope()
    trial = uow.session.get(Trial, trial_id) if trial_id else None
    if trial is None:
        raise BadInput(f"The role {role.value} is given for a trial. Choose one; nothing was changed.")
    if role in SITE_ROLES and not site_id:
        raise BadInput(f"The role {role.value} is always given for one site. Choose the site; nothing was changed.")
    if site_id:
        site = uow.session.get(Site, site_id)
        if site is None or site.trial_id != trial.id:
            raise NotFound("There is no such site in this trial. Nothing was changed.")
    return Scope(trial.id, site_id or None)


def may_give(by: Person, role: Role, scope: Scope) -> bool:
    """Say whether somebody may give and end this role there.

    An administrator of the installation starts a trial by naming its trial administrators, who do the rest: so
    nobody gives themselves the way to a trial's data alone.
    """
    if role in INSTALLATION_ROLES or role is Role.TRIAL_ADMINISTRATOR:
        return may(by.grants, Permission.MANAGE_INSTALLATION, Scope()) or (
            role not in INSTALLATION_ROLES and may(by.grants, Permission.MANAGE_TRIAL, scope)
        )
    return may(by.grants, Permission.MANAGE_TRIAL, scope)


def _require_over(by: Person, role: Role, scope: Scope) -> None:
    if may_give(by, role, scope):
        return
    raise NotAllowed(f"Your role does not allow you to give or end the role {role.value} here. Nothing was changed.")


def require_over_all(by: Person, account: Account) -> None:
    """Let ``by`` act on a whole account only where they stand over every role it has.

    Raises :class:`NotAllowed`. An account with a password and no role belongs to the installation.
    """
    if may(by.grants, Permission.MANAGE_INSTALLATION, Scope()):
        return
    live = account.live_grants(utc_now())
    over = all(may_give(by, g.role, Scope(g.trial_id, g.site_id)) for g in live)
    if not over or (not live and account.password is not None):
        raise NotAllowed(
            "This person also works where you do not manage people, so you cannot act on the whole account. Nothing "
            "was changed. End the roles of your trial, or ask an administrator of the installation."
        )


def end_role(uow: UnitOfWork, by: Person, grant_id: str) -> None:
    """End a role; it takes effect at the person's next request. Raises :class:`NotAllowed`, :class:`NotFound`."""
    grant = uow.session.get(AccountGrant, grant_id)
    if grant is None:
        raise NotFound
    _require_over(by, Role(grant.role), Scope(grant.trial_id, grant.site_id))
    if grant.ended_at is not None:
        return
    if grant.role == Role.ADMINISTRATOR:
        _require_another_administrator(uow, grant.account_id)
    grant.ended_at = uow.at
    if grant.trial_id:
        reads_follow(uow, grant.account_id, grant.trial_id)


def _require_another_administrator(uow: UnitOfWork, account_id: str) -> None:
    others = (
        select(AccountGrant.id)
        .join(Account)
        .where(
            AccountGrant.role == Role.ADMINISTRATOR.value,
            AccountGrant.ended_at.is_(None),
            AccountGrant.account_id != account_id,
            Account.active,
        )
    )
    if uow.session.scalar(others.limit(1)) is None:
        raise Conflict(
            "This is the only administrator of the installation; without one nobody could manage it. Nothing was "
            "changed. Give the role to another person first."
        )


def end_access(uow: UnitOfWork, by: Person, account_id: str) -> None:
    """End a person's access: sessions and tokens end at once, links die; the record of what they did stays."""
    account = _load(uow, account_id)
    require_over_all(by, account)
    if any(g.role == Role.ADMINISTRATOR and g.ended_at is None for g in account.grants):
        _require_another_administrator(uow, account.id)
    account.active = False
    account.fs_uniquifier = secrets.token_hex(32)
    end_sessions(uow, account.id, "access ended")
    tokens = select(AccessToken).where(AccessToken.account_id == account.id, AccessToken.revoked_at.is_(None))
    for token in uow.session.scalars(tokens):
        token.revoked_at = uow.at
    reads_follow(uow, account.id)


def open_access(uow: UnitOfWork, by: Person, account_id: str) -> None:
    """Open an ended account again, with the roles that were not ended; sessions and tokens stay ended."""
    account = _load(uow, account_id)
    if not may(by.grants, Permission.MANAGE_INSTALLATION, Scope()):
        raise NotAllowed("Only an administrator of the installation can open an account again.")
    account.active = True
    reads_follow(uow, account.id)


def unlock(uow: UnitOfWork, by: Person, account_id: str) -> None:
    """Lift a lock after too many failed sign-ins."""
    account = _load(uow, account_id)
    require_over_all(by, account)
    account.failures, account.locked_until = 0, None


def end_sessions(uow: UnitOfWork, account_id: str, why: str, *, but: str = "") -> None:
    """End every session of an account but one (its key)."""
    wanted = select(AccountSession).where(AccountSession.account_id == account_id, AccountSession.ended_at.is_(None))
    for row in uow.session.scalars(wanted):
        if row.id != but:
            row.ended_at, row.ended_why = uow.at, why


def has_password(uow: UnitOfWork, account_id: str) -> bool:
    """Say whether the person has set a password, and so needs no link to begin with."""
    return _load(uow, account_id).password is not None


def _load(uow: UnitOfWork, account_id: str) -> Account:
    account = uow.session.scalar(select(Account).where(Account.id == account_id).with_for_update())
    if account is None:
        raise NotFound
    return account


def people(place: Place) -> list[PersonCard]:
    """List the people with a role in a trial, live or ended, each with the roles of that trial only."""
    held = select(AccountGrant.account_id).where(AccountGrant.trial_id == place.trial_id)
    return _cards(db.session.scalars(_everybody().where(Account.id.in_(held))).unique(), place.trial_id)


def everybody() -> list[PersonCard]:
    """List all people of the installation with all their roles."""
    return _cards(db.session.scalars(_everybody()).unique(), "")


def card(account_id: str) -> PersonCard:
    """Give one person with all roles; raises :class:`NotFound`."""
    found = _cards(db.session.scalars(_everybody().where(Account.id == account_id)).unique(), "")
    if not found:
        raise NotFound
    return found[0]


def _everybody() -> Select[Account]:
    return select(Account).options(joinedload(Account.grants)).order_by(Account.name, Account.email)


def _cards(accounts: Iterable[Account], trial_id: str) -> list[PersonCard]:
    trials = dict(db.session.execute(select(Trial.id, Trial.code)).all())
    sites = dict(db.session.execute(select(Site.id, Site.code)).all())
    now = utc_now()
    return [
        PersonCard(
            account_id=account.id,
            email=account.email,
            name=account.name,
            active=account.active,
            invited=account.password is None,
            locked_until=account.locked_until if account.locked_until and account.locked_until > now else None,
            roles=tuple(
                GrantCard(
                    g.id, Role(g.role), trials.get(g.trial_id or "", ""), sites.get(g.site_id or "", ""),
                    g.given_at, g.given_by, g.ended_at,
                )
                for g in sorted(account.grants, key=lambda g: (g.ended_at is not None, g.role, g.site_id or ""))
                if not trial_id or g.trial_id == trial_id
            ),
        )
        for account in accounts
    ]  # fmt: skip
