"""One-time links and passwords, by the accounts library's tokens, hashes and rules."""

from __future__ import annotations

import secrets
from typing import Any

from flask import current_app
from flask_security import hash_password, verify_password
from flask_security.recoverable import generate_reset_password_token, reset_password_token_status

from trialimg.casework.access import Person
from trialimg.casework.accounts import end_sessions, person_of, require_over_all
from trialimg.casework.services import Services
from trialimg.errors import BadInput, NotAllowed, NotFound
from trialimg.store.account import Account
from trialimg.store.base import db
from trialimg.store.unit_of_work import Actor, UnitOfWork, unit_of_work

LONGEST = 200
"""Characters of a password; a longer one costs the checks more than it protects."""


def one_time_link(uow: UnitOfWork, services: Services, by: Person, account_id: str) -> str:
    """Make the link with which a person sets a password, once; a link made before stops working.

    It is shown once to whoever made it and handed over by them: this program sends no mail. Raises
    :class:`NotAllowed` for an account above one's own scope, :class:`NotFound` for one whose access has ended.
    """
    account = uow.session.get(Account, account_id)
    if account is None or not account.active:
        raise NotFound("There is no such account, or its access has ended.")
    require_over_all(by, account)
    account.fs_uniquifier = secrets.token_hex(32)
    uow.session.flush()
    uow.note("one-time link", "account", account.id)
    return f"{services.settings.address}/link/{_token_for(account)}"


def holder_of_link(token: str) -> Person:
    """Give whose one-time link this is; raises :class:`NotAllowed` where it was used, is too old, or is none."""
    account = _account_of(token)
    if account is None or not account.active:
        raise NotAllowed(
            "This link was used already, is too old, or was replaced by a newer one. Nothing was changed. Ask whoever "
            "invited you for a new one."
        )
    return person_of(account)


def set_password(token: str, password: str) -> Person:
    """Set the password of whoever holds the link, end all their sessions, and give who they are.

    Raises :class:`NotAllowed` for a link that does not work (any more), :class:`BadInput` with what the password
    lacks.
    """
    person, seen = holder_of_link(token), _account_of(token)
    made_for = seen.fs_uniquifier if seen is not None else ""
    hashed = _checked(person, password)
    with unit_of_work(Actor(person.email, person.account_id), "password set by one-time link") as uow:
        # Of two requests with the same link only the first finds the account as the link was made for.
        account = uow.session.get(Account, person.account_id, with_for_update=True)
        if account is None or account.fs_uniquifier != made_for or not account.active:
            raise NotAllowed("This link was used a moment ago. Nothing was changed. Ask for a new one.")
        _put(uow, account, hashed)
        account.confirmed_at = account.confirmed_at or uow.at
        end_sessions(uow, account.id, "password changed")
    return person


def change_password(person: Person, old: str, new: str, *, keep_session: str = "") -> None:
    """Change the own password, ending all sessions but the one given; raises :class:`BadInput`."""
    account = db.session.get(Account, person.account_id)
    if account is None or account.password is None or not verify_password(normalized(old), account.password):
        raise BadInput("The password you have now is another one. Nothing was changed. Type it again.")
    hashed = _checked(person, new)
    with unit_of_work(person.actor, "own password changed") as uow:
        row = uow.session.get(Account, person.account_id, with_for_update=True)
        if row is None or not row.active:
            raise NotFound
        _put(uow, row, hashed)
        end_sessions(uow, row.id, "password changed", but=keep_session)


def normalized(password: str) -> str:
    """Give a password as it is hashed (Unicode NFKD), cut to what one may be."""
    return str(_rules().normalize(password[:LONGEST]))


def _checked(person: Person, password: str) -> str:
    if len(password) > LONGEST:
        raise BadInput(f"A password has at most {LONGEST} characters. Choose a shorter one.")
    account = db.session.get(Account, person.account_id)
    problems, ready = _rules().validate(password, is_register=False, user=account)
    if not problems and any(part in ready.lower() for part in (person.email.split("@")[0], person.email)):
        problems = ["It must not contain your e-mail address."]
    if problems:
        said = " ".join(str(each).strip() for each in problems)
        raise BadInput(
            f"This password cannot be taken: {said} Choose a longer one, such as four words without relation."
        )
    return str(hash_password(ready))


def _put(uow: UnitOfWork, account: Account, hashed: str) -> None:
    account.password = hashed
    account.fs_uniquifier = secrets.token_hex(32)  # every link made before is void
    account.failures, account.locked_until = 0, None
    uow.session.flush()


def _rules() -> Any:
    return current_app.extensions["security"].password_util


def _token_for(account: Account) -> str:
    return str(generate_reset_password_token(account))  # type: ignore[no-untyped-call]  # the library has no types


def _account_of(token: str) -> Account | None:
    expired, invalid, account = reset_password_token_status(token)  # type: ignore[no-untyped-call]  # as above
    return account if isinstance(account, Account) and not (expired or invalid) else None
