"""How a trial stands, in numbers: a constant number of queries, however many subjects there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, case, func, select

from trialimg.casework.access import Person
from trialimg.casework.casebook import part_of_trial, within
from trialimg.casework.definition import definition
from trialimg.casework.form_findings import OPEN
from trialimg.casework.standstill import Standstill
from trialimg.domain.permission import Permission
from trialimg.domain.reading import ReadState
from trialimg.domain.submission import ENDED
from trialimg.domain.trial import TrialDefinition
from trialimg.reporting.read_counts import ReadCount, read_counts, readers_by_design
from trialimg.reporting.scan_days import ScanDays, scan_days
from trialimg.store.base import db, utc_now
from trialimg.store.casebook import CheckFinding, FormRecord
from trialimg.store.imaging import ImagingStudy, Slot, Submission
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import Trial


@dataclass
class Imaging:
    """Slots counted: *expected* at visits that took place; *missing* are those past their window with nothing sent."""

    expected: int = 0
    received: int = 0
    linked: int = 0
    held: int = 0
    missing: int = 0


@dataclass
class SiteLine:
    """One site in numbers; ``visits`` counts the subjects that had each visit."""

    code: str
    name: str
    subjects: int = 0
    visits: dict[str, int] = field(default_factory=dict)
    imaging: Imaging = field(default_factory=Imaging)
    forms: int = 0
    forms_complete: int = 0
    open_checks: int = 0


@dataclass(frozen=True)
class Dashboard:
    """A trial in numbers, the sites this person may see and all of them together."""

    trial_code: str
    trial_title: str
    visits: tuple[tuple[str, str], ...]
    sites: tuple[SiteLine, ...]
    total: SiteLine
    days: ScanDays
    reads: tuple[ReadCount, ...]

    @property
    def reads_signed(self) -> int:
        """Count the reads that are signed and stand."""
        return sum(each.by_state[ReadState.SIGNED.value] for each in self.reads)

    @property
    def reads_expected(self) -> int:
        """Count the reads that the design asks for at visits that took place."""
        return sum(each.expected for each in self.reads)


_STANDSTILL: Final = Standstill(most=16)


def dashboard(person: Person, trial: str) -> Dashboard:
    """Give the dashboard of a trial; raises :class:`NotFound` outside the person's reach.

    Whoever has the same roles sees the same numbers.
    """
    key = (utc_now().date(), trial, person.grants)
    return _STANDSTILL.get(key, lambda: _dashboard(person, trial))


def _dashboard(person: Person, trial: str) -> Dashboard:
    found, sites = part_of_trial(person, trial, Permission.SEE_DASHBOARD)
    mine = within(person.reach(Permission.SEE_DASHBOARD)) & (Subject.trial_id == found.id)
    lines = {site.id: SiteLine(site.code, site.name) for site in sites}
    versions = dict(_count_subjects(mine, lines))
    visits = _visit_titles(found, versions.values())
    _count_visits(mine, lines)
    expected = _count_imaging(mine, lines, versions)
    _count_forms(mine, lines)
    now = [definition(found.definition_id)] if found.definition_id else []
    return Dashboard(
        trial_code=found.code,
        trial_title=found.title,
        visits=visits,
        sites=tuple(lines.values()),
        total=_together(lines.values()),
        days=scan_days(person, found.id, mine, versions),
        reads=read_counts(mine, expected, [*now, *versions.values()]),
    )


def _count_subjects(mine: ColumnElement[bool], lines: Mapping[str, SiteLine]) -> Iterable[tuple[str, TrialDefinition]]:
    wanted = select(Subject.site_id, Subject.definition_id, func.count()).where(mine)
    for site_id, key, count in db.session.execute(wanted.group_by(Subject.site_id, Subject.definition_id)).all():
        lines[site_id].subjects += count
        yield key, definition(key)


def _visit_titles(trial: Trial, versions: Iterable[TrialDefinition]) -> tuple[tuple[str, str], ...]:
    now = [definition(trial.definition_id)] if trial.definition_id else []
    titles: dict[str, str] = {}
    for rules in (*now, *versions):
        for visit in rules.visits:
            if not visit.repeating:
                titles.setdefault(visit.key, visit.title)
    return tuple(titles.items())


def _count_visits(mine: ColumnElement[bool], lines: Mapping[str, SiteLine]) -> None:
    wanted = (
        select(Subject.site_id, Visit.definition_key, func.count())
        .join(Visit.subject)
        .where(mine, Visit.date.is_not(None), Visit.repeat == 0)
        .group_by(Subject.site_id, Visit.definition_key)
    )
    for site_id, key, count in db.session.execute(wanted):
        lines[site_id].visits[key] = count


def _count_imaging(
    mine: ColumnElement[bool], lines: Mapping[str, SiteLine], versions: Mapping[str, TrialDefinition]
) -> dict[str, int]:
    """Count slots into the lines of their sites; gives how many reads they ask for, by the visit's key."""
    under_way = (
        select(Submission.slot_id)
        .where(Submission.stage.not_in([stage.value for stage in ENDED]))
        .distinct()
        .subquery()
    )
    linked = (
        select(ImagingStudy.slot_id, func.sum(ImagingStudy.held_count).label("held"))
        .where(ImagingStudy.state == "linked")
        .group_by(ImagingStudy.slot_id)
        .subquery()
    )
    wanted = (
        select(
            Subject.site_id, Subject.definition_id, Visit.definition_key, Visit.date, Slot.key, Visit.id,
            Slot.not_done_reason, under_way.c.slot_id, linked.c.slot_id, linked.c.held,
        )
        .select_from(Slot)
        .join(Slot.visit)
        .join(Visit.subject)
        .outerjoin(under_way, under_way.c.slot_id == Slot.id)
        .outerjoin(linked, linked.c.slot_id == Slot.id)
        .where(mine, Visit.not_done_reason == "")
    )  # fmt: skip
    today, readers = utc_now().date(), readers_by_design(versions)
    to_read: dict[str, tuple[str, int]] = {}
    for site_id, version, visit_key, date, slot, visit_id, undone, sent, link, held in db.session.execute(wanted):
        visit, slot_def = versions[version].visit(visit_key), versions[version].slots.get(slot)
        optional = visit is not None and slot in visit.optional_slots
        counted = lines[site_id].imaging
        here = bool(sent or link)
        if undone or (not here and (optional or date is None)):
            continue
        counted.expected += 1
        if slot in readers[version][1]:
            to_read[visit_id] = (visit_key, readers[version][0])
        counted.received += here
        counted.linked += bool(link)
        counted.held += bool(held)
        last = timedelta(days=(slot_def.window_after or 0) if slot_def else 0)
        counted.missing += not here and today > date + last
    expected = defaultdict[str, int](int)
    for key, count in to_read.values():
        expected[key] += count
    return expected


def _count_forms(mine: ColumnElement[bool], lines: Mapping[str, SiteLine]) -> None:
    complete = func.sum(case((FormRecord.state == "complete", 1), else_=0))
    wanted = (
        select(Subject.site_id, func.count(), complete)
        .select_from(FormRecord)
        .join(FormRecord.visit)
        .join(Visit.subject)
        .where(mine, Visit.date.is_not(None), Visit.not_done_reason == "")
        .group_by(Subject.site_id)
    )
    for site_id, count, done in db.session.execute(wanted):
        lines[site_id].forms, lines[site_id].forms_complete = count, int(done or 0)
    checks = (
        select(Subject.site_id, func.count())
        .select_from(CheckFinding)
        .join(CheckFinding.form_record)
        .join(FormRecord.visit)
        .join(Visit.subject)
        .where(mine, CheckFinding.state == OPEN)
        .group_by(Subject.site_id)
    )
    for site_id, count in db.session.execute(checks):
        lines[site_id].open_checks = count


def _together(lines: Iterable[SiteLine]) -> SiteLine:
    total, visits = SiteLine("", "All sites"), defaultdict[str, int](int)
    for line in lines:
        total.subjects += line.subjects
        total.forms += line.forms
        total.forms_complete += line.forms_complete
        total.open_checks += line.open_checks
        for name in ("expected", "received", "linked", "held", "missing"):
            setattr(total.imaging, name, getattr(total.imaging, name) + getattr(line.imaging, name))
        for key, count in line.visits.items():
            visits[key] += count
    total.visits = dict(visits)
    return total
