"""What was found in the pixels of a held object, and what a person decided to cover: positions, never a text."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trialimg.store.base import Base, Keyed, UtcDateTime
from trialimg.store.imaging import SubmissionObject


class PixelReview(Keyed, Base):
    """The look at one held object: where text was found, and the decision on it until it is sent and after.

    ``found`` is JSON ``[[frame or null, x, y, width, height, score], …]``, ``mask`` the same without the score,
    ``looked_at`` the frames that were searched; ``revision`` tells two people's decisions apart.
    """

    __tablename__ = "pixel_review"
    AUDIT_AS_ROW: ClassVar[str] = "What was found is machine-made, hundreds at a time; each decision has its record."

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"), index=True)
    object_id: Mapped[str] = mapped_column(ForeignKey("submission_object.id"), unique=True)
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    frames: Mapped[int] = mapped_column(Integer, default=0)
    rows: Mapped[int] = mapped_column(Integer, default=0)
    columns: Mapped[int] = mapped_column(Integer, default=0)
    device: Mapped[str] = mapped_column(String(80), default="")
    found: Mapped[str] = mapped_column(Text, default="[]")
    looked_at: Mapped[str] = mapped_column(Text, default="[]")
    decision: Mapped[str] = mapped_column(String(10), default="")
    mask: Mapped[str] = mapped_column(Text, default="[]")
    reason: Mapped[str] = mapped_column(Text, default="")
    decided_by: Mapped[str] = mapped_column(String(200), default="")
    decided_as: Mapped[str] = mapped_column(String(40), default="")
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    object: Mapped[SubmissionObject] = relationship()
