"""Central reading: codes in place of subjects' numbers, reads, their versions, and the signatures given for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trialimg.store.account import Account
from trialimg.store.base import Base, Keyed, UtcDateTime
from trialimg.store.subject import Subject, Visit


class ReadingCode(Keyed, Base):
    """The random code under which readers know a subject, for as long as it is read."""

    __tablename__ = "reading_code"

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), index=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("subject.id"), unique=True)
    code: Mapped[str] = mapped_column(String(20), unique=True)
    subject: Mapped[Subject] = relationship()


class ReadingRule(Keyed, Base):
    """What a trial administrator says of the assignment in place of ``reading.yaml``; ``listed`` are accounts, JSON."""

    __tablename__ = "reading_rule"

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), unique=True)
    assignment: Mapped[str] = mapped_column(String(20), default="")
    listed: Mapped[str] = mapped_column(Text, default="[]")


class Read(Keyed, Base):
    """One reader's read of one time point; ``number`` counts those after a void one. It is never deleted.

    ``basis_sentence`` says why a signed one does not count as final for now.
    """

    __tablename__ = "read"
    __table_args__ = (UniqueConstraint("visit_id", "account_id", "number"),)

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), index=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("subject.id"), index=True)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visit.id"), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    number: Mapped[int] = mapped_column(Integer, default=1)
    state: Mapped[str] = mapped_column(String(20), default="open", index=True)
    version: Mapped[int] = mapped_column(Integer, default=1)
    basis_sentence: Mapped[str] = mapped_column(Text, default="")
    void_reason: Mapped[str] = mapped_column(Text, default="")
    assigned_at: Mapped[datetime] = mapped_column(UtcDateTime)
    assigned_by: Mapped[str] = mapped_column(String(200))
    subject: Mapped[Subject] = relationship()
    visit: Mapped[Visit] = relationship()
    account: Mapped[Account] = relationship()
    versions: Mapped[list[ReadVersion]] = relationship(back_populates="read", order_by="ReadVersion.version")


class ReadVersion(Keyed, Base):
    """The values of one version as JSON, what follows from them, and the answers to doubts; draft, signed, superseded.

    ``revision`` tells a stale page from a fresh one; ``reason`` is why a signed version was reopened into this one.
    """

    __tablename__ = "read_version"
    __table_args__ = (UniqueConstraint("read_id", "version"),)

    read_id: Mapped[str] = mapped_column(ForeignKey("read.id"))
    version: Mapped[int] = mapped_column(Integer)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    state: Mapped[str] = mapped_column(String(12), default="draft")
    content: Mapped[str] = mapped_column(Text, default="{}")
    computed: Mapped[str] = mapped_column(Text, default="{}")
    answers: Mapped[str] = mapped_column(Text, default="[]")
    reason: Mapped[str] = mapped_column(Text, default="")
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    saved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    read: Mapped[Read] = relationship(back_populates="versions")
    signatures: Mapped[list[ReadSignature]] = relationship(
        back_populates="read_version", order_by="ReadSignature.signed_at"
    )


class ReadSignature(Keyed, Base):
    """A signature for one version, with what it rested on; the newest one counts, earlier ones stay readable.

    ``computed`` is what followed from the values when it was given. ``superseded_why`` is empty while it stands.
    """

    __tablename__ = "read_signature"

    read_version_id: Mapped[str] = mapped_column(ForeignKey("read_version.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    account: Mapped[str] = mapped_column(String(200))
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    zone: Mapped[str] = mapped_column(String(64))
    meaning: Mapped[str] = mapped_column(String(200))
    record: Mapped[str] = mapped_column(String(80))
    content_sha256: Mapped[str] = mapped_column(String(64))
    seal: Mapped[str] = mapped_column(String(64))
    computed: Mapped[str] = mapped_column(Text)
    basis: Mapped[str] = mapped_column(Text)
    basis_sha256: Mapped[str] = mapped_column(String(64))
    superseded_why: Mapped[str] = mapped_column(String(200), default="")
    read_version: Mapped[ReadVersion] = relationship(back_populates="signatures")
