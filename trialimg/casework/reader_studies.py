"""Which linked studies a person may open as a reader, and under which reading code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from trialimg.casework.read_assignment import TimePoint, design_of, shown_studies, time_points
from trialimg.domain import reading as rules
from trialimg.domain.permission import Role
from trialimg.domain.reading import ReadState
from trialimg.domain.reading_design import ReadingDesign
from trialimg.store.account import Account
from trialimg.store.base import db, utc_now
from trialimg.store.imaging import ImagingStudy
from trialimg.store.reading import Read, ReadingCode
from trialimg.store.subject import Subject


class ReadersStudy(NamedTuple):
    """A linked study that a reader may open, under its subject's reading code."""

    study_instance_uid: str
    study_id: str
    reading_code: str
    subject_id: str
    is_prior: bool


def studies_of_reader(account_id: str, subject_id: str | None = None) -> list[ReadersStudy]:
    """Give the linked studies that a person may open as a reader: their reads' own, and the priors the design shows.

    A read gives its studies from its turn on, as long as it is not void and its reader is a reader of the trial: what
    comes later is not shown beside an unsigned baseline. A study that is both a read's own and another one's prior
    comes once, as its own. ``subject_id`` asks for one subject's only.
    """
    reads = _live_reads(account_id, subject_id)
    found: dict[str, ReadersStudy] = {}
    subjects = {each.subject_id for each in reads}
    wanted_codes = select(ReadingCode.subject_id, ReadingCode.code).where(ReadingCode.subject_id.in_(subjects))
    codes = {key: code for key, code in db.session.execute(wanted_codes)}  # noqa: C416 (typed)
    shown: dict[str, bool] = {}
    for subject, of_subject in _by_subject(reads):
        points, design = time_points(db.session(), subject, [each.visit_id for each in of_subject]), design_of(subject)
        for read in _whose_turn_came(design, points, of_subject):
            for study_id, is_prior in shown_studies(design, points, read.visit_id):
                shown[study_id] = shown.get(study_id, True) and is_prior
    wanted = select(ImagingStudy).where(ImagingStudy.id.in_(shown))
    for study in db.session.scalars(wanted):
        code = codes[study.subject_id]
        found[study.id] = ReadersStudy(study.study_instance_uid, study.id, code, study.subject_id, shown[study.id])
    return [found[key] for key in shown]


def _whose_turn_came(design: ReadingDesign, points: Sequence[TimePoint], reads: list[Read]) -> list[Read]:
    """Leave out the reads that wait for an earlier one; what was begun stays open to its reader."""
    ordinals = {point.visit_id: point.ordinal for point in points}
    known = {
        row.id: rules.Read(
            row.id, row.account_id, row.subject_id, "", ordinals[row.visit_id], ReadState(row.state), row.version
        )
        for row in reads
        if row.visit_id in ordinals
    }
    return [
        row
        for row in reads
        if row.id in known
        and (
            known[row.id].state is not ReadState.OPEN or rules.waits_for(design, known[row.id], known.values()) is None
        )
    ]


def _live_reads(account_id: str, subject_id: str | None) -> list[Read]:
    account = db.session.get(Account, account_id)
    if account is None or not account.active:
        return []
    trials = {grant.trial_id for grant in account.live_grants(utc_now()) if grant.role is Role.READER}
    wanted = select(Read).where(
        Read.account_id == account_id, Read.trial_id.in_(trials), Read.state != ReadState.VOID.value
    )
    if subject_id is not None:
        wanted = wanted.where(Read.subject_id == subject_id)
    return list(db.session.scalars(wanted.options(joinedload(Read.subject)).order_by(Read.assigned_at, Read.id)))


def _by_subject(reads: Iterable[Read]) -> list[tuple[Subject, list[Read]]]:
    found: dict[str, tuple[Subject, list[Read]]] = {}
    for each in reads:
        found.setdefault(each.subject_id, (each.subject, []))[1].append(each)
    return list(found.values())
