"""Tokens with which programs act for a person: random, kept as a hash, expiring, revocable."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from trialimg.casework.access import Person
from trialimg.casework.accounts import person_of
from trialimg.casework.session import SEEN_EVERY, token_hash
from trialimg.domain.plain_text import is_line
from trialimg.errors import BadInput, NotFound
from trialimg.store.account import AccessToken, Account
from trialimg.store.base import db, utc_now
from trialimg.store.unit_of_work import UnitOfWork, unit_of_work

PREFIX: Final = "trialimg_"
"""What a scanner for secrets in published files can look for."""
DAYS: Final = 90
MOST_DAYS: Final = 366
_LONGEST_LABEL: Final = 120


@dataclass(frozen=True)
class TokenCard:
    """A token as its owner sees it; the token itself is never shown again."""

    token_id: str
    label: str
    created_at: datetime
    created_by: str
    ends_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    live: bool


def create_token(uow: UnitOfWork, account_id: str, *, label: str, days: int = DAYS) -> str:
    """Make a token for a person and give it, this once; raises :class:`BadInput`, :class:`NotFound`."""
    label = label.strip()
    if not 0 < len(label) <= _LONGEST_LABEL or not is_line(label):
        raise BadInput(f"A token needs a label of at most {_LONGEST_LABEL} characters that tells where it is used.")
    if not 1 <= days <= MOST_DAYS:
        raise BadInput(f"A token lasts between 1 and {MOST_DAYS} days. Choose how long.")
    account = uow.session.get(Account, account_id)
    if account is None or not account.active:
        raise NotFound("There is no such account, or its access has ended.")
    token = PREFIX + secrets.token_urlsafe(32)
    uow.session.add(
        AccessToken(
            token_hash=token_hash(token), account_id=account_id, label=label, created_at=uow.at,
            created_by=uow.actor.name, ends_at=uow.at + timedelta(days=days),
        )
    )  # fmt: skip
    return token


def revoke_token(uow: UnitOfWork, person: Person, token_id: str) -> None:
    """Revoke one of one's own tokens, at once; raises :class:`NotFound` for another's."""
    row = uow.session.get(AccessToken, token_id)
    if row is None or row.account_id != person.account_id:
        raise NotFound
    if row.revoked_at is None:
        row.revoked_at = uow.at


def tokens_of(person: Person) -> list[TokenCard]:
    """List a person's tokens, the newest first, ended ones too."""
    now = utc_now()
    wanted = select(AccessToken).where(AccessToken.account_id == person.account_id)
    return [
        TokenCard(
            t.id, t.label, t.created_at, t.created_by, t.ends_at, t.used_at, t.revoked_at,
            live=t.revoked_at is None and t.ends_at > now,
        )
        for t in db.session.scalars(wanted.order_by(AccessToken.created_at.desc()))
    ]  # fmt: skip


def person_of_token(token: str) -> Person | None:
    """Give who a token stands for; None where it was revoked, has expired, or is none."""
    if not token.startswith(PREFIX):
        return None
    now = utc_now()
    found = db.session.execute(
        select(AccessToken, Account)
        .join(Account, Account.id == AccessToken.account_id)
        .where(AccessToken.token_hash == token_hash(token))
        .options(selectinload(Account.grants))
    ).first()
    if found is None:
        return None
    row, account = found
    if row.revoked_at is not None or row.ends_at <= now or not account.active:
        return None
    person = person_of(account)
    if row.used_at is None or now - row.used_at >= SEEN_EVERY:
        with unit_of_work(person.actor, "used") as uow:
            mine = uow.session.get(AccessToken, row.id)
            if mine is not None:
                mine.used_at = now
    return person
