"""Subjects and their visits."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trialimg.store.base import Base, Keyed, UtcDateTime
from trialimg.store.trial import Site, Trial


class Subject(Keyed, Base):
    """A subject, known by number only; ``enrolment_site`` and ``key_version`` fix its keys for life."""

    __tablename__ = "subject"
    __table_args__ = (UniqueConstraint("trial_id", "number"),)

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"))
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"), index=True)
    enrolment_site: Mapped[str] = mapped_column(String(20))
    key_version: Mapped[int] = mapped_column(Integer)
    number: Mapped[str] = mapped_column(String(64))
    birth_year: Mapped[int | None] = mapped_column(Integer)
    sex: Mapped[str | None] = mapped_column(String(1))
    enrolled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    definition_id: Mapped[str] = mapped_column(ForeignKey("trial_definition.id"))
    trial: Mapped[Trial] = relationship()
    site: Mapped[Site] = relationship()
    visits: Mapped[list[Visit]] = relationship(back_populates="subject", order_by="Visit.ordinal")


class Visit(Keyed, Base):
    """One visit of a subject (ODM StudyEvent); ``repeat`` counts unscheduled ones, ``key`` is e.g. W8 or UNS-2."""

    __tablename__ = "visit"
    __table_args__ = (UniqueConstraint("subject_id", "key"),)

    subject_id: Mapped[str] = mapped_column(ForeignKey("subject.id"))
    key: Mapped[str] = mapped_column(String(20))
    definition_key: Mapped[str] = mapped_column(String(20))
    repeat: Mapped[int] = mapped_column(Integer, default=0)
    ordinal: Mapped[int] = mapped_column(Integer)
    date: Mapped[date | None] = mapped_column(Date)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    not_done_reason: Mapped[str] = mapped_column(Text, default="")
    subject: Mapped[Subject] = relationship(back_populates="visits")
