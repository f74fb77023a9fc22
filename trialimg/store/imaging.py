"""Slots, submissions with their objects, and linked studies."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

from sqlalchemy import BigInteger, Boolean, Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trialimg.store.base import Base, Keyed, UtcDateTime
from trialimg.store.subject import Subject, Visit

Big = BigInteger().with_variant(Integer, "sqlite")


class Slot(Keyed, Base):
    """The place at a visit where a study belongs."""

    __tablename__ = "slot"
    __table_args__ = (UniqueConstraint("visit_id", "key"),)

    visit_id: Mapped[str] = mapped_column(ForeignKey("visit.id"))
    key: Mapped[str] = mapped_column(String(20))
    not_done_reason: Mapped[str] = mapped_column(Text, default="")
    visit: Mapped[Visit] = relationship()
    studies: Mapped[list[ImagingStudy]] = relationship(back_populates="slot")
    submissions: Mapped[list[Submission]] = relationship(back_populates="slot")


class Submission(Keyed, Base):
    """Images sent for a slot: the claim, the stage, and the last sentence about it."""

    __tablename__ = "submission"

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("site.id"))
    subject_id: Mapped[str] = mapped_column(ForeignKey("subject.id"), index=True)
    slot_id: Mapped[str] = mapped_column(ForeignKey("slot.id"), index=True)
    study_id: Mapped[str | None] = mapped_column(ForeignKey("imaging_study.id"), index=True)
    stage: Mapped[str] = mapped_column(String(20), index=True)
    held_from: Mapped[str] = mapped_column(String(20), default="")
    source: Mapped[str] = mapped_column(String(20))
    cleaned_at_source: Mapped[bool] = mapped_column(Boolean, default=False)
    acquired: Mapped[date | None] = mapped_column(Date)
    announced: Mapped[int] = mapped_column(Integer, default=0)
    sentence: Mapped[str] = mapped_column(Text, default="")
    error_code: Mapped[str] = mapped_column(String(40), default="")
    report: Mapped[str] = mapped_column(Text, default="")
    sender_report: Mapped[str] = mapped_column(Text, default="")
    timings: Mapped[str] = mapped_column(Text, default="{}")
    originals_destroyed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by: Mapped[str] = mapped_column(String(200))
    confirmed_by: Mapped[str] = mapped_column(String(200), default="")
    stage_since: Mapped[datetime] = mapped_column(UtcDateTime)
    slot: Mapped[Slot] = relationship(back_populates="submissions")
    subject: Mapped[Subject] = relationship()
    study: Mapped[ImagingStudy | None] = relationship()
    objects: Mapped[list[SubmissionObject]] = relationship(back_populates="submission")


class SubmissionObject(Keyed, Base):
    """One object as received, and, once clean, the instance it became. Neutral: no name and no original UID.

    ``ordinal`` is how a person finds it: names of files and patients lie in the quarantine with the bytes.
    """

    __tablename__ = "submission_object"
    __table_args__ = (
        UniqueConstraint("submission_id", "ordinal"),
        Index("ix_submission_object_study", "study_id", "sop_instance_uid"),
    )
    AUDIT_AS_ROW: ClassVar[str] = "Machine-made facts, thousands at a time; each later change has its record."

    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))
    ordinal: Mapped[int] = mapped_column(Integer)
    received_sha256: Mapped[str] = mapped_column(String(64))
    received_size: Mapped[int] = mapped_column(Big)
    fate: Mapped[str] = mapped_column(String(12))
    code: Mapped[str] = mapped_column(String(40), default="")
    sentence: Mapped[str] = mapped_column(Text, default="")
    study_id: Mapped[str | None] = mapped_column(ForeignKey("imaging_study.id"))
    sop_class_uid: Mapped[str] = mapped_column(String(64), default="")
    study_instance_uid: Mapped[str] = mapped_column(String(64), default="")
    series_instance_uid: Mapped[str] = mapped_column(String(64), default="")
    sop_instance_uid: Mapped[str] = mapped_column(String(64), default="")
    modality: Mapped[str] = mapped_column(String(16), default="")
    clean_sha256: Mapped[str] = mapped_column(String(64), default="")
    clean_size: Mapped[int] = mapped_column(Big, default=0)
    canonical_hash: Mapped[str] = mapped_column(String(64), default="")
    decided_by: Mapped[str] = mapped_column(String(200), default="")
    submission: Mapped[Submission] = relationship(back_populates="objects")


class ImagingStudy(Keyed, Base):
    """A study proved to be in the archive and linked to the case record by its StudyInstanceUID."""

    __tablename__ = "imaging_study"

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"), index=True)
    subject_id: Mapped[str] = mapped_column(ForeignKey("subject.id"), index=True)
    slot_id: Mapped[str | None] = mapped_column(ForeignKey("slot.id"), index=True)
    study_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(12), default="linked")
    modalities: Mapped[str] = mapped_column(String(80), default="")
    acquired: Mapped[date | None] = mapped_column(Date)
    series_count: Mapped[int] = mapped_column(Integer, default=0)
    instance_count: Mapped[int] = mapped_column(Integer, default=0)
    held_count: Mapped[int] = mapped_column(Integer, default=0)
    linked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    linked_by: Mapped[str] = mapped_column(String(200))
    state_reason: Mapped[str] = mapped_column(Text, default="")
    forget_state: Mapped[str] = mapped_column(String(12), default="")
    slot: Mapped[Slot | None] = relationship(back_populates="studies")
    subject: Mapped[Subject] = relationship()


class StudyFingerprint(Keyed, Base):
    """A keyed hash of an original study, kept to notice that it was sent before, to whomever.

    ``study_instance_uid`` is the one the study was given; neither can be computed from the other without a key.
    """

    __tablename__ = "study_fingerprint"
    __table_args__ = (UniqueConstraint("submission_id", "fingerprint"),)

    trial_id: Mapped[str] = mapped_column(ForeignKey("trial.id"))
    fingerprint: Mapped[str] = mapped_column(String(64), index=True)
    study_instance_uid: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[str] = mapped_column(ForeignKey("subject.id"))
    submission_id: Mapped[str] = mapped_column(ForeignKey("submission.id"))


class Destination(Keyed, Base):
    """The archive as a destination: an authentication failure pauses it, it does not hold the data."""

    __tablename__ = "destination"

    name: Mapped[str] = mapped_column(String(40), unique=True)
    paused_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sentence: Mapped[str] = mapped_column(Text, default="")
