"""My work: what is due at my sites, the most urgent first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import func, select

from trialimg.casework import overview
from trialimg.casework.access import Person
from trialimg.casework.casebook import within
from trialimg.casework.overview import FormMark, SlotMark, SubjectRow, VisitLine, subject_lines
from trialimg.casework.standstill import Standstill
from trialimg.domain.permission import Permission
from trialimg.store.base import db, utc_now
from trialimg.store.subject import Subject
from trialimg.store.trial import Site, Trial

TASKS_A_PAGE: Final = 50
URGENCY: Final = (
    "overdue",
    "missing",
    "held",
    "linked_held",
    "open_checks",
    "refused",
    "surveyed",
    "due",
    "in_progress",
)
"""States that ask for a person, the most urgent first."""
_RANK: Final = {state: rank for rank, state in enumerate(URGENCY)}


@dataclass(frozen=True)
class WorkItem:
    """One thing to do. ``form`` or ``slot`` says where at the visit; both empty mean the visit itself."""

    state: str
    sentence: str
    trial_code: str
    subject: str
    visit: str
    visit_title: str
    due: date | None
    form: str = ""
    slot: str = ""
    submission_id: str = ""
    what: str = ""


@dataclass(frozen=True)
class TrialLine:
    """A trial this person sees: how many subjects, and whether they may enrol one."""

    code: str
    title: str
    subjects: int
    may_enrol: bool


@dataclass(frozen=True)
class SubjectLine:
    """A subject of mine: which visit comes next, and how much is to do."""

    trial_code: str
    number: str
    site_code: str
    next_visit: str
    next_due: date | None
    next_state: str
    work: int


@dataclass(frozen=True)
class Worklist:
    """What the first page shows, one page of it; ``total`` is how much there is, ``counts`` how much in each state."""

    items: tuple[WorkItem, ...]
    total: int
    page: int
    pages: int
    counts: tuple[tuple[str, int], ...]
    trials: tuple[TrialLine, ...]
    subjects: tuple[SubjectLine, ...]


class _Task(NamedTuple):
    """Something to do, in the order of the list; it is put into words only where it is shown."""

    rank: int
    due: date
    number: str
    visit_key: str
    subject: overview.SubjectLine
    visit: VisitLine
    state: str
    about: FormMark | SlotMark | None


_STANDSTILL: Final = Standstill(most=24)


def my_work(person: Person, *, page: int = 1) -> Worklist:
    """Give what this person is to do, in the trials and sites where they enter data."""
    return _STANDSTILL.get((utc_now().date(), person.grants, page), lambda: _my_work(person, page))


def _my_work(person: Person, page: int) -> Worklist:
    lines = subject_lines(_mine(person), forms=True)
    tasks = [task for line in lines for task in _tasks(line)]
    tasks.sort(key=lambda task: task[:4])
    pages = max(1, -(-len(tasks) // TASKS_A_PAGE))
    page = min(max(page, 1), pages)
    states = Counter(task.state for task in tasks)
    work = Counter((task.subject.trial_code, task.number) for task in tasks)
    return Worklist(
        items=tuple(_item(task) for task in tasks[(page - 1) * TASKS_A_PAGE : page * TASKS_A_PAGE]),
        total=len(tasks),
        page=page,
        pages=pages,
        counts=tuple((state, states[state]) for state in URGENCY if state in states),
        trials=_trials(person),
        subjects=tuple(_line(line, work[line.trial_code, line.number]) for line in lines),
    )


def _mine(person: Person) -> list[SubjectRow]:
    if not person.may_somewhere(Permission.ENTER_DATA):
        return []
    wanted = (
        select(Subject.id, Subject.number, Trial.code, Site.code, Subject.definition_id)
        .join(Trial, Trial.id == Subject.trial_id)
        .join(Site, Site.id == Subject.site_id)
        .where(within(person.reach(Permission.ENTER_DATA)))
        .order_by(Subject.number)
    )
    return [SubjectRow(*row) for row in db.session.execute(wanted)]


def _trials(person: Person) -> tuple[TrialLine, ...]:
    see, enrol = person.reach(Permission.SEE_TRIAL), person.reach(Permission.ENROL)
    counts = select(Subject.trial_id, func.count()).where(within(see)).group_by(Subject.trial_id)
    subjects = {row[0]: row[1] for row in db.session.execute(counts)}
    sites = db.session.execute(select(Site.trial_id, Site.id, Site.active)).all()
    seen = {t for t, s, _ in sites if see.covers(t, s)} | see.trials
    enrolling = {t for t, s, active in sites if active and enrol.covers(t, s)}
    wanted = select(Trial.id, Trial.code, Trial.title).where(Trial.id.in_(seen)).order_by(Trial.code)
    trials = db.session.execute(wanted)
    return tuple(TrialLine(code, title, subjects.get(key, 0), key in enrolling) for key, code, title in trials)


def _line(line: overview.SubjectLine, work: int) -> SubjectLine:
    coming = next((v for v in line.visits if v.state in {"overdue", "due", "upcoming"}), None)
    return SubjectLine(
        line.trial_code, line.number, line.site_code,
        coming.title if coming else "", coming.due if coming else None, coming.state if coming else "", work,
    )  # fmt: skip


def _tasks(subject: overview.SubjectLine) -> Iterator[_Task]:
    for visit in subject.visits:
        if visit.state == "not_done":
            continue
        due = visit.day or visit.due or date.max
        for state, about in _of_visit(visit):
            yield _Task(_RANK[state], due, subject.number, visit.key, subject, visit, state, about)


def _of_visit(visit: VisitLine) -> Iterator[tuple[str, FormMark | SlotMark | None]]:
    undated = visit.day is None
    if undated and visit.state in {"overdue", "due"}:
        yield visit.state, None
    for slot in visit.slots:
        # Images of a visit that is not dated yet are told of with the visit.
        if slot.state in _RANK and not (undated and slot.state in {"overdue", "due"}):
            yield slot.state, slot
    for form in visit.begun:
        yield ("open_checks" if form.open_checks else "in_progress"), form
    if visit.empty and not undated:  # all that are still empty are one thing to do
        yield "due", None


def _item(task: _Task) -> WorkItem:
    visit, about = task.visit, task.about
    slot = about if isinstance(about, SlotMark) else None
    return WorkItem(
        task.state, _sentence(task), task.subject.trial_code, task.number, visit.key, visit.title,
        visit.day or visit.due,
        form=about.key if isinstance(about, FormMark) else "",
        slot=slot.key if slot else "",
        submission_id=slot.submission_id if slot else "",
        what=about.title if about else visit.title,
    )  # fmt: skip


def _sentence(task: _Task) -> str:
    visit, about = task.visit, task.about
    if isinstance(about, SlotMark):
        return about.sentence
    if about is not None and about.open_checks:
        count = "1 check waits" if about.open_checks == 1 else f"{about.open_checks} checks wait"
        return f"{count} for a correction or a reason."
    if about is not None:
        return "Begun, not complete."
    if visit.day is not None:
        return f"Still empty: {', '.join(title for _, title in visit.empty)}."
    return _waiting(visit)


def _waiting(visit: VisitLine) -> str:
    if visit.overdue_days:
        days = "1 day" if visit.overdue_days == 1 else f"{visit.overdue_days} days"
        return f"Its window closed {days} ago. Date the visit, or say that it was not done."
    if visit.due is None:
        return "Date the visit when it has taken place; all later visits count from it."
    return f"Due on {visit.due.isoformat()}. Date the visit when it has taken place."
