"""Forms as filled: their state, their values, and what edit checks found."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trialimg.store.base import Base, Keyed, UtcDateTime
from trialimg.store.subject import Visit


class FormRecord(Keyed, Base):
    """One form at one visit; ``revision`` tells a stale page from a fresh one."""

    __tablename__ = "form_record"
    __table_args__ = (
        UniqueConstraint("visit_id", "form_key"),
        # Grids, worklists and the dashboard count forms by state, thousands at a time, from this index alone.
        Index("ix_form_record_state", "visit_id", "state", "form_key"),
    )

    visit_id: Mapped[str] = mapped_column(ForeignKey("visit.id"))
    form_key: Mapped[str] = mapped_column(String(20))
    form_version: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="empty")
    marked_complete: Mapped[bool] = mapped_column(Boolean, default=False)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    saved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    saved_by: Mapped[str] = mapped_column(String(200), default="")
    visit: Mapped[Visit] = relationship()
    values: Mapped[list[ItemValue]] = relationship(back_populates="form_record")
    findings: Mapped[list[CheckFinding]] = relationship(back_populates="form_record")


class ItemValue(Keyed, Base):
    """One value of one item; ``repeat_key`` is a repeating row's stable key ("" where the group does not repeat).

    ``revision`` is the form's when the value was written last: a page made before it shows an older one.
    """

    __tablename__ = "item_value"
    __table_args__ = (UniqueConstraint("form_record_id", "group_key", "repeat_key", "item_key"),)

    form_record_id: Mapped[str] = mapped_column(ForeignKey("form_record.id"))
    group_key: Mapped[str] = mapped_column(String(40))
    repeat_key: Mapped[str] = mapped_column(String(32), default="")
    row_number: Mapped[int] = mapped_column(Integer, default=0)
    item_key: Mapped[str] = mapped_column(String(40))
    value: Mapped[str] = mapped_column(Text)
    unit: Mapped[str] = mapped_column(String(40), default="")
    revision: Mapped[int] = mapped_column(Integer, default=0)
    form_record: Mapped[FormRecord] = relationship(back_populates="values")


class CheckFinding(Keyed, Base):
    """What an edit check says about a saved form, and the answer to it where it may be answered."""

    __tablename__ = "check_finding"
    __table_args__ = (UniqueConstraint("form_record_id", "check_key", "group_key", "repeat_key", "item_key"),)

    form_record_id: Mapped[str] = mapped_column(ForeignKey("form_record.id"))
    check_key: Mapped[str] = mapped_column(String(60))
    group_key: Mapped[str] = mapped_column(String(40), default="")
    repeat_key: Mapped[str] = mapped_column(String(32), default="")
    item_key: Mapped[str] = mapped_column(String(40), default="")
    severity: Mapped[str] = mapped_column(String(10))
    sentence: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(10), default="open")
    answer: Mapped[str] = mapped_column(Text, default="")
    form_record: Mapped[FormRecord] = relationship(back_populates="findings")
