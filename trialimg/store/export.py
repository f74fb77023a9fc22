"""What left the house: every export that somebody asked for, who, of what, and what became of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trialimg.store.base import Base, Keyed, UtcDateTime
from trialimg.store.imaging import Big
from trialimg.store.job import Job
from trialimg.store.trial import Trial


class Export(Keyed, Base):
    """One export; while ``state`` is *asked* its job tells how far it is.

    ``what`` lists the subjects' numbers as JSON, an empty list is everybody within the person's reach; of a report of
    de-identification it names the submission. ``roles`` is what the person was when it was asked for: whoever is
    something else since must ask again.
    """

    __tablename__ = "export"

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), index=True)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("job.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    what: Mapped[str] = mapped_column(Text, default="[]")
    roles: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12), default="asked")
    subjects: Mapped[int] = mapped_column(Integer, default=0)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    sentence: Mapped[str] = mapped_column(Text, default="")
    sha256: Mapped[str] = mapped_column(String(64), default="")
    size: Mapped[int] = mapped_column(Big, default=0)
    file_name: Mapped[str] = mapped_column(String(120), default="")
    account_id: Mapped[str] = mapped_column(ForeignKey("account.id"), index=True)
    created_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    trial: Mapped[Trial] = relationship()
    job: Mapped[Job | None] = relationship()
