"""Casebooks as grids: subjects by visits, and one subject's visits by forms and image slots.

However many subjects a page shows, the number of queries is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Person, Place, trial_place
from trialimg.casework.definition import definition
from trialimg.casework.form_findings import OPEN
from trialimg.casework.overview import SubjectLine, SubjectRow, subject_lines
from trialimg.casework.slots import slot_states
from trialimg.casework.standstill import Standstill
from trialimg.casework.visit_card import Around, FormLine, VisitCard, visit_card
from trialimg.domain.permission import Permission, Reach
from trialimg.domain.visit import VisitDef
from trialimg.errors import NotFound
from trialimg.store.base import db, utc_now
from trialimg.store.casebook import CheckFinding, FormRecord
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import Site, Trial

PAGE_SIZE: Final = 25
LONGEST_NUMBER: Final = 64


@dataclass(frozen=True)
class SubjectCard:
    """A subject with all visits; what was told at enrolment is empty for those who may not see data."""

    trial_code: str
    trial_title: str
    site_id: str
    site_code: str
    number: str
    enrolled_at: datetime
    birth_year: int | None
    sex: str
    visits: tuple[VisitCard, ...]
    unscheduled: tuple[VisitDef, ...]

    def visit(self, key: str) -> VisitCard:
        """Find a visit; raises :class:`NotFound`."""
        found = next((visit for visit in self.visits if visit.key == key), None)
        if found is None:
            raise NotFound
        return found


@dataclass(frozen=True)
class SubjectGrid:
    """The subjects of a trial that a person may see, one page of them."""

    trial_code: str
    trial_title: str
    sites: tuple[tuple[str, str], ...]
    site: str
    find: str
    columns: tuple[tuple[str, str], ...]
    subjects: tuple[SubjectLine, ...]
    total: int
    page: int
    pages: int
    enrolling_sites: tuple[str, ...]


def within(reach: Reach) -> ColumnElement[bool]:
    """Give the condition that a subject lies within reach."""
    if reach.everywhere:
        return Subject.id.is_not(None)
    return or_(Subject.trial_id.in_(reach.trials), Subject.site_id.in_(reach.sites))


def part_of_trial(person: Person, trial: str, permission: Permission) -> tuple[Trial, tuple[Site, ...]]:
    """Give a trial and those of its sites where this person may do this; raises :class:`NotFound` where none."""
    found = db.session.scalar(select(Trial).where(Trial.code == trial))
    reach = person.reach(permission)
    if found is None:
        raise NotFound
    sites = db.session.scalars(select(Site).where(Site.trial_id == found.id).order_by(Site.code))
    mine = tuple(site for site in sites if reach.covers(found.id, site.id))
    if not mine and not reach.covers(found.id, ""):
        raise NotFound
    return found, mine


_STANDSTILL: Final = Standstill(most=24)


def subject_grid(person: Person, trial: str, *, site: str = "", find: str = "", page: int = 1) -> SubjectGrid:
    """Give the subjects of a trial, of one site or of all this person may see; ``find`` is a part of the number."""
    key = (utc_now().date(), person.grants, trial, site, find, page)
    return _STANDSTILL.get(key, lambda: _subject_grid(person, trial, site, find, page))


def _subject_grid(person: Person, trial: str, site: str, find: str, page: int) -> SubjectGrid:
    found, sites = part_of_trial(person, trial, Permission.SEE_TRIAL)
    condition = within(person.reach(Permission.SEE_TRIAL)) & (Subject.trial_id == found.id)
    if site:
        chosen = next((each.id for each in sites if each.code == site), None)
        if chosen is None:
            raise NotFound
        condition &= Subject.site_id == chosen
    find = find.strip()[:LONGEST_NUMBER]
    if find:
        condition &= Subject.number.icontains(find, autoescape=True)
    total = db.session.scalar(select(func.count()).select_from(Subject).where(condition)) or 0
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(page, 1), pages)
    codes = {each.id: each.code for each in sites}
    wanted = (
        select(Subject.id, Subject.number, Subject.site_id, Subject.definition_id)
        .where(condition)
        .order_by(Subject.number)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    rows = [SubjectRow(r[0], r[1], found.code, codes[r[2]], r[3]) for r in db.session.execute(wanted)]
    lines = subject_lines(rows)
    may = person.reach(Permission.ENROL)
    return SubjectGrid(
        trial_code=found.code,
        trial_title=found.title,
        sites=tuple((each.code, each.name) for each in sites),
        site=site,
        find=find,
        columns=_columns(found, lines),
        subjects=lines,
        total=total,
        page=page,
        pages=pages,
        enrolling_sites=tuple(s.code for s in sites if s.active and may.covers(found.id, s.id)),
    )


def subject_casebook(place: Place, person: Person) -> SubjectCard:
    """Give one subject with all visits, forms and slots."""
    wanted = select(Subject).where(Subject.id == place.subject_id)
    (card,) = subject_cards(list(db.session.scalars(_whole(wanted))))
    return card if person.may(Permission.SEE_DATA, place) else replace(card, birth_year=None, sex="")


def _whole(wanted: Select[Subject]) -> Select[Subject]:
    return wanted.options(joinedload(Subject.trial), joinedload(Subject.site))


def _columns(trial: Trial, lines: Iterable[SubjectLine]) -> tuple[tuple[str, str], ...]:
    rules = definition(trial.definition_id) if trial.definition_id else None
    titles = {visit.key: visit.title for visit in (rules.visits if rules else ()) if not visit.repeating}
    for line in lines:  # subjects enrolled under an earlier version may have other visits
        for visit in line.visits:
            if visit.scheduled and visit.key not in titles:
                titles[visit.key] = visit.title
    return tuple(titles.items())


def subject_cards(subjects: Sequence[Subject]) -> tuple[SubjectCard, ...]:
    """Give subjects (loaded with trial and site) with all that belongs to them."""
    ids = [subject.id for subject in subjects]
    visits: dict[str, list[Visit]] = defaultdict(list)
    for visit in db.session.scalars(select(Visit).where(Visit.subject_id.in_(ids)).order_by(Visit.ordinal)):
        visits[visit.subject_id].append(visit)
    records: dict[str, list[FormLine]] = defaultdict(list)
    columns = (
        FormRecord.visit_id, FormRecord.id, FormRecord.form_key, FormRecord.state, FormRecord.saved_at,
        FormRecord.saved_by,
    )  # fmt: skip
    for row in db.session.execute(select(*columns).join(Visit).where(Visit.subject_id.in_(ids))):
        records[row[0]].append(FormLine(*row))
    counts = (
        select(CheckFinding.form_record_id, func.count())
        .join(FormRecord)
        .join(Visit)
        .where(Visit.subject_id.in_(ids), CheckFinding.state == OPEN)
        .group_by(CheckFinding.form_record_id)
    )
    checks = {row[0]: row[1] for row in db.session.execute(counts)}
    slots = slot_states(ids)
    today = utc_now().date()
    cards = []
    for subject in subjects:
        rules = definition(subject.definition_id)
        anchor = next((v.date for v in visits[subject.id] if v.definition_key == rules.anchor_visit), None)
        around = Around(rules, anchor, today, checks)
        cards.append(
            SubjectCard(
                trial_code=subject.trial.code,
                trial_title=subject.trial.title,
                site_id=subject.site_id,
                site_code=subject.site.code,
                number=subject.number,
                enrolled_at=subject.enrolled_at,
                birth_year=subject.birth_year,
                sex=subject.sex or "",
                visits=tuple(visit_card(v, records[v.id], slots.get(v.id, {}), around) for v in visits[subject.id]),
                unscheduled=tuple(each for each in rules.visits if each.repeating),
            )
        )
    return tuple(cards)


def part_place(person: Person, trial: str, permission: Permission) -> Place:
    """Give the trial as a place for somebody who may do this in it, at the least at one site.

    Where they may not, the place they do see is given, or the trial: what is allowed there is the guard's to say.
    """
    whole = trial_place(trial)
    for wanted in (permission, Permission.SEE_TRIAL):
        reach = person.reach(wanted)
        if reach.covers(whole.trial_id, ""):
            return whole
        sites = db.session.scalars(select(Site).where(Site.trial_id == whole.trial_id).order_by(Site.code))
        mine = next((site for site in sites if reach.covers(whole.trial_id, site.id)), None)
        if mine is not None:
            return replace(whole, site_id=mine.id, site_code=mine.code)
    return whole
