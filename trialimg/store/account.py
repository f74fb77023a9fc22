"""Accounts, their roles, their sessions and tokens; the accounts library writes through the unit of work too."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from flask_security import RoleMixin, SQLAlchemyUserDatastore, UserMixin
from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trialimg.domain.permission import Grant, Role
from trialimg.store.base import Base, Keyed, UtcDateTime, db, new_id, utc_now
from trialimg.store.unit_of_work import Actor, unit_of_work


class Account(UserMixin, Keyed, Base):
    """A person who may sign in. Failed sign-ins in a row lock the account for a while."""

    __tablename__ = "account"
    UNAUDITED_COLUMNS: ClassVar[dict[str, str]] = {
        "failures": "Counted before the password is looked at; each refusal is a record of its own."
    }

    # Said again, because the library's mixin takes keys for numbers.
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)  # type: ignore[assignment]  # as said above
    email: Mapped[str] = mapped_column(String(200), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    grants: Mapped[list[AccountGrant]] = relationship(back_populates="account")

    SECRET_COLUMNS: ClassVar[frozenset[str]] = frozenset({"password", "fs_uniquifier"})

    @property
    def roles(self) -> list[Any]:  # type: ignore[override]  # a column in the library, none here
        """Give none: roles here are grants for a trial or site, judged by domain/permission.py."""
        return []

    def live_grants(self, now: datetime) -> list[Grant]:
        """Give the roles this person has now."""
        return [
            Grant(Role(g.role), g.trial_id, g.site_id) for g in self.grants if g.ended_at is None or g.ended_at > now
        ]


class LibraryRole(RoleMixin, Keyed, Base):  # type: ignore[misc]  # flask_security has no types
    """Only because the accounts library asks for a role class; roles here are grants."""

    __tablename__ = "library_role"

    name: Mapped[str] = mapped_column(String(80), unique=True)
    description: Mapped[str] = mapped_column(String(255), default="")


class AccountGrant(Keyed, Base):
    """A role of a person, for the installation, a trial, or one site; it is ended, never deleted."""

    __tablename__ = "account_grant"

    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    role: Mapped[str] = mapped_column(String(40))
    trial_id: Mapped[str | None] = mapped_column(ForeignKey("trial.id"))
    site_id: Mapped[str | None] = mapped_column(ForeignKey("site.id"))
    given_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    given_by: Mapped[str] = mapped_column(String(200))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    account: Mapped[Account] = relationship(back_populates="grants")


class AccountSession(Keyed, Base):
    """One sign-in, known by the hash of what the cookie holds; ending it ends it at once, everywhere."""

    __tablename__ = "account_session"
    UNAUDITED_COLUMNS: ClassVar[dict[str, str]] = {"seen_at": "Written once a minute at most, to end idle sessions."}

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_why: Mapped[str] = mapped_column(String(40), default="")
    agent: Mapped[str] = mapped_column(String(120), default="")


class AccessToken(Keyed, Base):
    """A token of a person for programs; only its hash is kept."""

    __tablename__ = "access_token"
    UNAUDITED_COLUMNS: ClassVar[dict[str, str]] = {"used_at": "Written once a minute at most, to show unused tokens."}

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    label: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(200))
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Task(Keyed, Base):
    """Something a person must do outside this program, open until it is seen to be done."""

    __tablename__ = "task"

    trial_id: Mapped[str | None] = mapped_column(ForeignKey("trial.id"))
    kind: Mapped[str] = mapped_column(String(40))
    about: Mapped[str] = mapped_column(String(80))
    sentence: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AccountStore(SQLAlchemyUserDatastore):
    """The accounts library's door to the data base; its commits become units of work."""

    def __init__(self) -> None:
        super().__init__(db, Account, LibraryRole)

    def find_user(self, case_insensitive: bool = False, **wanted: Any) -> Account | None:  # noqa: FBT001, FBT002 (the library's signature)
        """Find an account by the values of its columns, without the library's roles, which do not exist here."""
        del case_insensitive  # e-mail addresses are kept in lower case
        found: Account | None = db.session.scalar(select(Account).filter_by(**wanted))
        return found

    def commit(self) -> None:
        """Write what the library changed as one audited unit of work."""
        changed = [o for o in [*db.session.new, *db.session.dirty] if db.session.is_modified(o) or o in db.session.new]
        if not changed:
            return
        names = {o.email for o in changed if isinstance(o, Account)}
        actor = Actor(name=", ".join(sorted(names)) or "accounts")
        with unit_of_work(actor, "by the accounts library") as uow:
            for entity in changed:
                uow.session.merge(entity)
        db.session.rollback()
