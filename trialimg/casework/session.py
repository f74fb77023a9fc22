"""Signing in and out: sessions kept on the server, known by the hash of what the cookie holds, revocable at once."""

from __future__ import annotations

import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from flask_security import hash_password, verify_password
from sqlalchemy import bindparam, select

from trialimg.casework.access import Person
from trialimg.casework.password import normalized
from trialimg.casework.services import Services
from trialimg.domain.permission import Grant, Role
from trialimg.errors import NotAllowed, NotFound
from trialimg.store.account import Account, AccountGrant, AccountSession
from trialimg.store.base import db, utc_now
from trialimg.store.unit_of_work import Actor, UnitOfWork, unit_of_work

log = logging.getLogger("trialimg.casework")
SEEN_EVERY: Final = timedelta(minutes=1)
"""How often a session's or token's last use is written."""


@dataclass(frozen=True)
class SessionCard:
    """A session of one's own, as the account page shows it."""

    session_id: str
    agent: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    current: bool


def token_hash(token: str) -> str:
    """Give what is kept of a random token of ours; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def sign_in(services: Services, email: str, password: str, agent: str = "") -> str:
    """Sign somebody in and give the token of the new session.

    Every refusal has the same sentence, and takes the same time, whether the account exists, is locked or has ended.
    An attempt counts before the password is looked at, so that many at a time cannot pass the limit. Raises
    :class:`NotAllowed`.
    """
    minutes = services.settings.lockout_minutes
    account_id, hashed = _count_attempt(services, email.strip().lower())
    right = verify_password(normalized(password), hashed or _nobodys_hash())
    if not (account_id and hashed and right):
        _note_refusal(account_id)
        raise NotAllowed(
            "This e-mail address and password do not fit, or the account is locked: after "
            f"{services.settings.lockout_failures} failures in a row it stays so for {minutes} minutes. Try again, or "
            "ask whoever invited you for a new one-time link."
        )
    return _open_session(services, account_id, agent)


def prove(services: Services, person: Person, email: str, password: str) -> None:
    """Let somebody who is signed in prove again that it is they, as each signature asks (21 CFR 11.200(a)(1)).

    A failure counts towards the lock as one at sign-in does. Raises :class:`NotAllowed`.
    """
    account_id, hashed = _count_attempt(services, person.email)
    right = verify_password(normalized(password), hashed or _nobodys_hash())
    if not (hashed and right and email.strip().lower() == person.email and account_id == person.account_id):
        _note_refusal(account_id)
        raise NotAllowed(
            "This user name and password are not yours, or your account is locked: after "
            f"{services.settings.lockout_failures} failures in a row it stays so for "
            f"{services.settings.lockout_minutes} minutes. Nothing was signed. Type both again."
        )
    with unit_of_work(person.actor, "proved who they are") as uow:
        account = uow.session.get(Account, account_id, with_for_update=True)
        if account is None or not account.active:
            raise NotAllowed("The access of this account has just been ended. Nothing was signed.")
        account.failures, account.locked_until = 0, None
        uow.note("password proved", "account", account_id)


def _count_attempt(services: Services, email: str) -> tuple[str, str | None]:
    """Count the attempt; give the account and its password hash where one may be tried now."""
    with unit_of_work(Actor(email if "@" in email else "unknown"), "sign-in") as uow:
        account = uow.session.scalar(select(Account).where(Account.email == email).with_for_update())
        if account is None:
            return "", None
        if not account.active or (account.locked_until is not None and account.locked_until > uow.at):
            return account.id, None
        if account.locked_until is not None:
            account.failures, account.locked_until = 0, None
        account.failures += 1
        if account.failures >= services.settings.lockout_failures:
            account.locked_until = uow.at + timedelta(minutes=services.settings.lockout_minutes)
        return account.id, account.password


def _note_refusal(account_id: str) -> None:
    if not account_id:
        # What was typed is not kept: it may be a password in the wrong field.
        log.warning("a sign-in with an unknown e-mail address was refused")
        return
    with unit_of_work(Actor("sign-in"), "a sign-in was refused") as uow:
        uow.note("sign-in refused", "account", account_id)


def _open_session(services: Services, account_id: str, agent: str) -> str:
    token = secrets.token_urlsafe(32)
    email = db.session.scalars(select(Account.email).where(Account.id == account_id)).one()
    with unit_of_work(Actor(email, account_id), "sign-in") as uow:
        account = uow.session.get(Account, account_id, with_for_update=True)
        if account is None or not account.active:
            raise NotAllowed("The access of this account has just been ended.")
        account.failures, account.locked_until = 0, None
        uow.session.add(
            AccountSession(
                token_hash=token_hash(token), account_id=account_id, created_at=uow.at, seen_at=uow.at,
                ends_at=uow.at + timedelta(hours=services.settings.session_hours), agent=_agent(agent),
            )
        )  # fmt: skip
        uow.note("sign-in", "account", account_id)
    return token


def _agent(said: str) -> str:
    return "".join(c for c in said[:120] if c.isprintable())


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    # Compared with where there is no account, so that the time taken tells nothing.
    return str(hash_password(secrets.token_hex(16)))


_WHO: Final = (
    select(
        AccountSession.id, AccountSession.seen_at, AccountSession.ends_at, AccountSession.ended_at,
        AccountSession.account_id, Account.email, Account.name, Account.active, AccountGrant.role,
        AccountGrant.trial_id, AccountGrant.site_id, AccountGrant.ended_at.label("until"),
    )
    .join(Account, Account.id == AccountSession.account_id)
    .outerjoin(AccountGrant, AccountGrant.account_id == Account.id)
    .where(AccountSession.token_hash == bindparam("token"))
    .order_by(AccountGrant.given_at, AccountGrant.id)
)  # fmt: skip
"""Asked at every request, so it is one statement, made once, of the few columns that tell who asks."""


def person_of_session(services: Services, token: str) -> tuple[Person, str] | None:
    """Give who a cookie's token stands for, with the session's key; None where it has ended in any way."""
    now = utc_now()
    rows = db.session.execute(_WHO, {"token": token_hash(token)}).all()
    if not rows:
        return None
    row = rows[0]
    patience = timedelta(minutes=services.settings.idle_minutes)
    idle = row.seen_at + patience
    # Seen long after now: the clock was wrong then, and what it said must not let a session live on.
    ended = row.ended_at is not None or now >= min(row.ends_at, idle) or row.seen_at - now > patience
    if ended or not row.active:
        return None
    grants = (
        Grant(Role(each.role), each.trial_id, each.site_id)
        for each in rows
        if each.role is not None and (each.until is None or each.until > now)
    )
    person = Person(row.account_id, row.email, row.name, tuple(grants))
    if now - row.seen_at >= SEEN_EVERY:
        with unit_of_work(person.actor, "seen") as uow:
            mine = uow.session.get(AccountSession, row.id)
            if mine is not None:
                mine.seen_at = now
    return person, row.id


def sign_out(person: Person, session_id: str) -> None:
    """End the session one works in."""
    with unit_of_work(person.actor, "sign-out") as uow:
        end_session(uow, person, session_id, "signed out")


def end_session(uow: UnitOfWork, person: Person, session_id: str, why: str = "ended by its owner") -> None:
    """End one of one's own sessions, at once, wherever it is open; raises :class:`NotFound` for another's."""
    row = uow.session.get(AccountSession, session_id)
    if row is None or row.account_id != person.account_id:
        raise NotFound
    if row.ended_at is None:
        row.ended_at, row.ended_why = uow.at, why


_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def browser_words(agent: str) -> str:
    """Say what a browser calls itself in words its user knows; what is not understood stays as it is."""
    browser = next((word for mark, word in _BROWSERS if mark in agent), "")
    system = next((word for mark, word in _SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if browser and system else browser or agent[:40]


def sessions_of(person: Person, services: Services, current: str = "") -> list[SessionCard]:
    """List the sessions of a person that are open now, the newest first."""
    now = utc_now()
    idle = now - timedelta(minutes=services.settings.idle_minutes)
    wanted = select(AccountSession).where(
        AccountSession.account_id == person.account_id,
        AccountSession.ended_at.is_(None),
        AccountSession.ends_at > now,
        AccountSession.seen_at > idle,
    )
    return [
        SessionCard(s.id, browser_words(s.agent), s.created_at, s.seen_at, s.ends_at, s.id == current)
        for s in db.session.scalars(wanted.order_by(AccountSession.created_at.desc()))
    ]
