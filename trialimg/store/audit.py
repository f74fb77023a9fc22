"""The audit trail as rows: insert-only, chained just before commit, one chain a trial and one for the system."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from trialimg.store.base import Base, Keyed, UtcDateTime


class AuditRecord(Keyed, Base):
    """One chained record. No foreign keys, on purpose: the trail outlives what it tells of."""

    __tablename__ = "audit_record"
    # Without SQLite's hidden rowid there is no further key through which INSERT OR REPLACE could delete a row.
    __table_args__ = (UniqueConstraint("chain", "number"), UniqueConstraint("hash"), {"sqlite_with_rowid": False})
    NOT_AUDITED: ClassVar[str] = "It is the trail."

    chain: Mapped[str] = mapped_column(String(32))
    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(200), index=True)
    action: Mapped[str] = mapped_column(String(20))
    table_name: Mapped[str] = mapped_column(String(60))
    row_id: Mapped[str] = mapped_column(String(80), index=True)
    column_name: Mapped[str] = mapped_column(String(60))
    old: Mapped[str] = mapped_column(String(64))
    new: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditValue(Base):
    """The values beside a record; the row may go only when a redaction record names it."""

    __tablename__ = "audit_value"
    __table_args__ = ({"sqlite_with_rowid": False},)
    NOT_AUDITED: ClassVar[str] = "It is the trail; a redaction is a record of its own."

    record_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    salt: Mapped[str] = mapped_column(String(32))
    old: Mapped[str | None] = mapped_column(Text)
    new: Mapped[str | None] = mapped_column(Text)


class AuditChain(Base):
    """The newest record of each chain; its row is the lock under which records are numbered."""

    __tablename__ = "audit_chain"
    NOT_AUDITED: ClassVar[str] = "It repeats what the trail says, to number the next record."

    chain: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"))
    hash: Mapped[str] = mapped_column(String(64))
