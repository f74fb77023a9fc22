"""The reads of a trial as its team lists them: filtered, fifty to a page, in a handful of queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, func, select

from trialimg.casework.access import Person, Place
from trialimg.casework.casebook import part_of_trial, within
from trialimg.casework.definition import current_definition
from trialimg.casework.read_basis import benches
from trialimg.casework.read_results import ReadLine, SubjectReads, may_reopen, reads_on, shows_values
from trialimg.casework.standstill import Standstill
from trialimg.domain.permission import Permission
from trialimg.domain.reading import ReadState
from trialimg.domain.reading_design import ReadingDesign
from trialimg.store.account import Account
from trialimg.store.base import db
from trialimg.store.reading import Read, ReadingCode
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import Site

PER_PAGE: Final = 50
Option = tuple[str, str]


@dataclass(frozen=True)
class ReadFilter:
    """What is looked for; empty is everything. ``reader`` is an account's key and asks for the right to see values."""

    state: str = ""
    time_point: str = ""
    reader: str = ""
    site: str = ""


@dataclass(frozen=True)
class Listed:
    """One subject of the list with those of its reads that are on the page."""

    subject: SubjectReads
    lines: tuple[ReadLine, ...]


@dataclass(frozen=True)
class TrialReads:
    """One page of the reads of a trial within a person's reach, by subject; the options of its filter beside it.

    ``readers`` are named only to who may see values.
    """

    subjects: tuple[Listed, ...]
    shows_values: bool
    may_reopen: bool
    total: int
    page: int
    pages: int
    states: tuple[str, ...]
    time_points: tuple[Option, ...]
    readers: tuple[Option, ...]
    sites: tuple[Option, ...]


_STANDSTILL: Final = Standstill(most=16)


def trial_reads(person: Person, place: Place, looked_for: ReadFilter | None = None, page: int = 1) -> TrialReads:
    """Give how the reads of a trial stand; raises NotFound outside the person's reach.

    Whoever has the same roles sees the same.
    """
    key = (person.grants, place, looked_for, page)
    return _STANDSTILL.get(key, lambda: _trial_reads(person, place, looked_for, page))


def _trial_reads(person: Person, place: Place, looked_for: ReadFilter | None, page: int) -> TrialReads:
    design = ReadingDesign.of(current_definition(place.trial_id))
    shown = shows_values(person, place.trial_id, design)
    _, sites = part_of_trial(person, place.trial_code, Permission.SEE_READ_STATUS)
    reach = within(person.reach(Permission.SEE_READ_STATUS)) & (Subject.trial_id == place.trial_id)
    wanted = reach & _looked_for(looked_for or ReadFilter(), shown=shown)
    total, page, keys = _on_page(wanted, page)
    around = benches(db.session(), {subject_id for _, subject_id in keys})
    codes = _codes(around)
    listed = {read_id for read_id, _ in keys}
    found = []
    for subject_id in dict.fromkeys(subject_id for _, subject_id in keys):
        whole = reads_on(around[subject_id], person, codes.get(subject_id, ""))
        found.append(Listed(whole, tuple(line for line in whole.lines if line.read_id in listed)))
    return TrialReads(
        tuple(found), shown, may_reopen(person, place.trial_id, design), total, page, _pages(total),
        tuple(state.value for state in ReadState), _time_points(reach, place.trial_id),
        _readers(reach) if shown else (), tuple((site.code, site.name) for site in sites),
    )  # fmt: skip


def _looked_for(asked: ReadFilter, *, shown: bool) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = Read.id.is_not(None)
    if asked.state:
        condition &= Read.state == asked.state
    if asked.time_point:
        condition &= Visit.definition_key == asked.time_point
    if asked.site:
        condition &= Site.code == asked.site
    if asked.reader and shown:
        condition &= Read.account_id == asked.reader
    return condition


def _pages(total: int) -> int:
    return max(1, -(-total // PER_PAGE))


def _on_page(wanted: ColumnElement[bool], page: int) -> tuple[int, int, list[tuple[str, str]]]:
    """Give how many reads there are, the page that exists, and the keys of its reads and their subjects."""
    joined = (
        select(Read.id, Read.subject_id)
        .join(Subject, Subject.id == Read.subject_id)
        .join(Site, Site.id == Subject.site_id)
        .join(Visit, Visit.id == Read.visit_id)
        .join(Account, Account.id == Read.account_id)
        .where(wanted)
    )
    total = db.session.scalar(select(func.count()).select_from(joined.subquery())) or 0
    page = min(max(1, page), _pages(total))
    in_order = joined.order_by(Subject.number, Visit.ordinal, Account.name, Read.account_id, Read.number)
    rows = db.session.execute(in_order.limit(PER_PAGE).offset((page - 1) * PER_PAGE))
    return total, page, [(read_id, subject_id) for read_id, subject_id in rows]


def _codes(subjects: Iterable[str]) -> dict[str, str]:
    wanted = select(ReadingCode.subject_id, ReadingCode.code).where(ReadingCode.subject_id.in_(subjects))
    return {key: code for key, code in db.session.execute(wanted)}  # noqa: C416 (typed)


def _time_points(reach: ColumnElement[bool], trial_id: str) -> tuple[Option, ...]:
    wanted = select(Visit.definition_key).join(Read, Read.visit_id == Visit.id).join(Subject).where(reach).distinct()
    present = set(db.session.scalars(wanted))
    titles = {visit.key: visit.title for visit in current_definition(trial_id).visits if visit.key in present}
    return tuple(titles.items()) + tuple((key, key) for key in sorted(present - titles.keys()))


def _readers(reach: ColumnElement[bool]) -> tuple[Option, ...]:
    wanted = (
        select(Account.id, Account.name)
        .join(Read, Read.account_id == Account.id)
        .join(Subject, Subject.id == Read.subject_id)
        .where(reach)
        .distinct()
        .order_by(Account.name, Account.id)
    )
    return tuple((key, name) for key, name in db.session.execute(wanted))
