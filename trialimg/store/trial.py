"""Trials, their loaded definitions, and their sites."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trialimg.store.base import Base, Keyed, UtcDateTime


class Trial(Keyed, Base):
    """A clinical trial (ODM Study)."""

    __tablename__ = "trial"

    code: Mapped[str] = mapped_column(String(20), unique=True)
    title: Mapped[str] = mapped_column(String(300))
    definition_id: Mapped[str | None] = mapped_column(String(32))
    key_version: Mapped[int] = mapped_column(Integer, default=1)
    sites: Mapped[list[Site]] = relationship(back_populates="trial", order_by="Site.code")


class TrialDefinitionVersion(Keyed, Base):
    """One version of a trial's definition, kept whole, so that the record can always be read as it was made."""

    __tablename__ = "trial_definition"
    __table_args__ = (UniqueConstraint("trial_id", "version"),)

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"))
    version: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[str] = mapped_column(Text)
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Site(Keyed, Base):
    """A site of a trial."""

    __tablename__ = "site"
    __table_args__ = (UniqueConstraint("trial_id", "code"),)

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"))
    code: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    country: Mapped[str] = mapped_column(String(2), default="")
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    trial: Mapped[Trial] = relationship(back_populates="sites")
