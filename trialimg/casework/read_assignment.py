"""Who reads what: the reads that a linked study makes, the rule they are assigned by, and what a reader may open."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from trialimg.casework.access import Place
from trialimg.casework.definition import definition
from trialimg.domain import reading_design
from trialimg.domain.permission import Role
from trialimg.domain.reading import ReadState, new_reading_code
from trialimg.domain.reading_design import Candidate, ReadingDesign
from trialimg.store.account import Account, AccountGrant
from trialimg.store.base import utc_now
from trialimg.store.imaging import ImagingStudy, Slot
from trialimg.store.reading import Read, ReadingCode, ReadingRule
from trialimg.store.subject import Subject, Visit
from trialimg.store.unit_of_work import UnitOfWork

LINKED: Final = "linked"
LEFT: Final = "Its reader does not read for this trial any more; the time point is given to a reader anew."
"""Why the unsigned reads of a reader who left are void."""
WAITING: Final = (ReadState.OPEN.value, ReadState.DRAFT.value, ReadState.REOPENED.value, ReadState.BASIS_CHANGED.value)
"""States in which a read is work for its reader: what a reader's load counts."""


@dataclass(frozen=True)
class TimePoint:
    """A visit with images to read; ``day`` counts from the baseline's images, None where a date is lacking.

    ``studies`` are the keys of its linked studies in slots of the design; a time point without any was detached.
    """

    visit_id: str
    label: str
    ordinal: int
    day: int | None
    studies: tuple[str, ...]


def design_of(subject: Subject) -> ReadingDesign:
    """Give the read design of the version that the subject was enrolled under."""
    return _design(subject.definition_id)


@lru_cache(maxsize=64)
def _design(definition_id: str) -> ReadingDesign:
    return ReadingDesign.of(definition(definition_id))  # a version never changes


def time_points(session: Session, subject: Subject, also: Collection[str] = ()) -> list[TimePoint]:
    """Give a subject's time points in order: the baseline, then the others by their images' dates.

    ``also`` are visits that keep their place although nothing is linked at them now.
    """
    return time_points_of(session, [subject], also)[subject.id]


def time_points_of(
    session: Session, subjects: Collection[Subject], also: Collection[str] = ()
) -> dict[str, list[TimePoint]]:
    """Give the time points of many subjects at once, as ``time_points`` does for one."""
    keys = [each.id for each in subjects]
    wanted = (
        select(Visit, Slot.key, ImagingStudy)
        .join(Slot, Slot.visit_id == Visit.id)
        .join(ImagingStudy, ImagingStudy.slot_id == Slot.id)
        .where(Visit.subject_id.in_(keys), ImagingStudy.state == LINKED)
        .order_by(ImagingStudy.linked_at, ImagingStudy.id)
    )
    slots = {each.id: design_of(each).slots for each in subjects}
    visits: dict[str, dict[str, Visit]] = {key: {} for key in keys}
    studies: dict[str, list[ImagingStudy]] = {}
    for visit, slot, study in session.execute(wanted):
        if slot in slots[visit.subject_id]:
            visits[visit.subject_id][visit.id] = visit
            studies.setdefault(visit.id, []).append(study)
    others = [key for key in also if key not in studies]
    for visit in session.scalars(select(Visit).where(Visit.id.in_(others))) if others else ():
        visits[visit.subject_id][visit.id] = visit
    return {each.id: _in_order(each, visits[each.id].values(), studies) for each in subjects}


def _in_order(
    subject: Subject, visits: Iterable[Visit], studies: Mapping[str, Sequence[ImagingStudy]]
) -> list[TimePoint]:
    design = design_of(subject)
    titles = {each.key: each.title for each in definition(subject.definition_id).visits}
    dated = sorted((_dated(visit, studies.get(visit.id, ()), design) for visit in visits), key=lambda each: each[:3])
    first = next((day for later, day, _, _ in dated if not later and day != date.max), None)
    found = []
    for at, (later, day, _, visit) in enumerate(dated, 0 if dated and not dated[0][0] else 1):
        title = titles.get(visit.definition_key, visit.definition_key)
        found.append(
            TimePoint(
                visit.id,
                f"{title} {visit.repeat}" if visit.repeat else title,
                at if later else 0,
                (day - first).days if first is not None and day != date.max else None,
                tuple(study.id for study in studies.get(visit.id, ())),
            )
        )
    return found


def _dated(visit: Visit, studies: Sequence[ImagingStudy], design: ReadingDesign) -> tuple[bool, date, int, Visit]:
    days = [study.acquired for study in studies if study.acquired is not None]
    day = min(days, default=visit.date or date.max)
    return visit.definition_key != design.baseline_visit, day, visit.ordinal, visit


def reading_code(uow: UnitOfWork, subject: Subject) -> str:
    """Give the subject's reading code, made from chance the first time."""
    found = uow.session.scalar(select(ReadingCode.code).where(ReadingCode.subject_id == subject.id))
    while found is None:
        code = new_reading_code(secrets.token_bytes(32))
        if uow.session.scalar(select(ReadingCode.id).where(ReadingCode.code == code)) is None:
            uow.session.add(ReadingCode(trial_id=subject.trial_id, subject_id=subject.id, code=code))
            uow.session.flush()
            found = code
    return found


def assign(uow: UnitOfWork, study: ImagingStudy) -> None:
    """Make the reads of a linked study's time point, by the rule; a second call changes nothing.

    A slot that the design does not read, or a design without central readers, makes none.
    """
    uow.session.flush()
    slot = uow.session.get(Slot, study.slot_id) if study.slot_id else None
    if slot is None or study.state != LINKED:
        return
    subject = uow.session.get_one(Subject, study.subject_id)
    if slot.key in design_of(subject).slots:
        _assign_visit(uow, subject, slot.visit_id)


def assign_waiting(uow: UnitOfWork, place: Place, *, again: bool = True) -> int:
    """Assign every time point of the trial that lacks readers; gives how many reads were made.

    Without ``again`` nobody is given a time point anew whose read of it somebody voided.
    """
    before = _count(uow.session, place.trial_id)
    wanted = select(Subject).join(ImagingStudy, ImagingStudy.subject_id == Subject.id).where(
        ImagingStudy.trial_id == place.trial_id, ImagingStudy.state == LINKED
    )  # fmt: skip
    for subject in uow.session.scalars(wanted.distinct().order_by(Subject.id)).all():
        for point in time_points(uow.session, subject):
            _assign_visit(uow, subject, point.visit_id, again=again)
    return _count(uow.session, place.trial_id) - before


def _count(session: Session, trial_id: str) -> int:
    return session.scalar(select(func.count()).select_from(Read).where(Read.trial_id == trial_id)) or 0


def _assign_visit(uow: UnitOfWork, subject: Subject, visit_id: str, *, again: bool = True) -> None:
    design = ruled(uow.session, subject.trial_id, design_of(subject))
    if not design.readers:
        return
    # The subject's row is the lock: two studies of a time point linked at once must not both assign it.
    uow.session.execute(select(Subject.id).where(Subject.id == subject.id).with_for_update())
    reads = uow.session.scalars(select(Read).where(Read.subject_id == subject.id)).all()
    here = [each for each in reads if each.visit_id == visit_id]
    standing = {each.account_id for each in here if each.state != ReadState.VOID}
    if len(standing) >= design.readers and design.assignment != "all":
        return
    already = {each.account_id for each in reads}
    voided = {each.account_id for each in here if each.state == ReadState.VOID and each.void_reason != LEFT}
    able = [each for each in candidates(uow.session, subject.trial_id) if again or each.person not in voided - standing]
    chosen = reading_design.assign(design, able, already)
    reading_code(uow, subject)
    for account_id in chosen.readers:
        if account_id not in standing and (len(standing) < design.readers or design.assignment == "all"):
            standing.add(account_id)
            give(uow, subject, visit_id, account_id)


def give(uow: UnitOfWork, subject: Subject, visit_id: str, account_id: str) -> None:
    """Give a time point to a reader, and the earlier ones that this reader lacks: lesions are carried forward.

    The earlier reads of others stay as they are. A time point that the reader has is not given again.
    """
    reads = uow.session.scalars(select(Read).where(Read.subject_id == subject.id, Read.account_id == account_id)).all()
    points = time_points(uow.session, subject, [visit_id])
    this = next(point.ordinal for point in points if point.visit_id == visit_id)
    for point in points:
        mine = [each for each in reads if each.visit_id == point.visit_id]
        if point.ordinal > this or any(each.state != ReadState.VOID for each in mine):
            continue
        uow.session.add(
            Read(
                trial_id=subject.trial_id, subject_id=subject.id, visit_id=point.visit_id, account_id=account_id,
                number=1 + len(mine), assigned_at=uow.at, assigned_by=uow.actor.name,
            )
        )  # fmt: skip
    uow.session.flush()


def ruled(session: Session, trial_id: str, design: ReadingDesign) -> ReadingDesign:
    """Give the design with the trial administrator's rule of assignment in place of its own, where there is one."""
    rule = session.scalar(select(ReadingRule).where(ReadingRule.trial_id == trial_id))
    return replace(design, assignment=rule.assignment) if rule is not None and rule.assignment else design


def candidates(session: Session, trial_id: str) -> list[Candidate]:
    """Give the trial's readers of now with what waits for each."""
    rule = session.scalar(select(ReadingRule).where(ReadingRule.trial_id == trial_id))
    listed = set(json.loads(rule.listed)) if rule is not None else set()
    waiting = select(Read.account_id, func.count()).where(Read.trial_id == trial_id, Read.state.in_(WAITING))
    loads = {key: count for key, count in session.execute(waiting.group_by(Read.account_id))}  # noqa: C416 (typed)
    return [Candidate(each.id, loads.get(each.id, 0), each.id in listed) for each in readers(session, trial_id)]


def readers(session: Session, trial_id: str) -> list[Account]:
    """Give who reads for the trial now; whoever has another role in it too is no independent reader of it."""
    accounts = session.scalars(
        select(Account)
        .join(AccountGrant, AccountGrant.account_id == Account.id)
        .where(AccountGrant.role == Role.READER.value, AccountGrant.trial_id == trial_id, Account.active.is_(True))
        .options(joinedload(Account.grants))
        .order_by(Account.name, Account.id)
        .execution_options(populate_existing=True)  # a role given or ended in this very unit of work counts
    ).unique()
    now = utc_now()
    found = []
    for account in accounts:
        roles = {grant.role for grant in account.live_grants(now) if grant.trial_id == trial_id}
        if roles and roles <= {Role.READER, Role.ADJUDICATOR}:
            found.append(account)
    return found


def shown_studies(design: ReadingDesign, points: Sequence[TimePoint], visit_id: str) -> list[tuple[str, bool]]:
    """Give the studies shown with a read of a time point: (its own, False) first, then (a prior, True)."""
    by_visit = {point.visit_id: point for point in points}
    if visit_id not in by_visit:
        return []
    priors = design.priors_of([point.visit_id for point in points], visit_id)
    shown = [(key, False) for key in by_visit[visit_id].studies]
    return shown + [(key, True) for each in reversed(priors) for key in by_visit[each].studies]
