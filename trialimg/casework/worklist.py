"""My work: what is due at my sites, the most urgent first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Person
from trialimg.casework.casebook import SubjectCard, subject_cards, within
from trialimg.casework.visit_card import VisitCard
from trialimg.domain.permission import Permission
from trialimg.store.base import db
from trialimg.store.subject import Subject
from trialimg.store.trial import Site, Trial

MOST_TASKS: Final = 200
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

    @property
    def order(self) -> tuple[int, date, str, str]:
        """Give its place in the list."""
        return (URGENCY.index(self.state), self.due or date.max, self.subject, self.visit)


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
    """What the first page shows; ``counts`` tells how much there is in each state, ``more`` what is not listed."""

    items: tuple[WorkItem, ...]
    more: int
    counts: tuple[tuple[str, int], ...]
    trials: tuple[TrialLine, ...]
    subjects: tuple[SubjectLine, ...]


def my_work(person: Person) -> Worklist:
    """Give what this person is to do, in the trials and sites where they enter data."""
    wanted = (
        select(Subject)
        .where(within(person.reach(Permission.ENTER_DATA)))
        .options(joinedload(Subject.trial), joinedload(Subject.site))
        .order_by(Subject.number)
    )
    cards = subject_cards(list(db.session.scalars(wanted))) if person.may_somewhere(Permission.ENTER_DATA) else ()
    items = sorted((item for card in cards for item in _of_subject(card)), key=lambda item: item.order)
    states = Counter(item.state for item in items)
    work = Counter((item.trial_code, item.subject) for item in items)
    return Worklist(
        items=tuple(items[:MOST_TASKS]),
        more=max(0, len(items) - MOST_TASKS),
        counts=tuple((state, states[state]) for state in URGENCY if state in states),
        trials=_trials(person),
        subjects=tuple(_line(card, work[card.trial_code, card.number]) for card in cards),
    )


def _trials(person: Person) -> tuple[TrialLine, ...]:
    see, enrol = person.reach(Permission.SEE_TRIAL), person.reach(Permission.ENROL)
    counts = select(Subject.trial_id, func.count()).where(within(see)).group_by(Subject.trial_id)
    subjects = {row[0]: row[1] for row in db.session.execute(counts)}
    sites = db.session.execute(select(Site.trial_id, Site.id, Site.active)).all()
    seen = {t for t, s, _ in sites if see.covers(t, s)} | see.trials
    enrolling = {t for t, s, active in sites if active and enrol.covers(t, s)}
    trials = db.session.scalars(select(Trial).where(Trial.id.in_(seen)).order_by(Trial.code))
    return tuple(TrialLine(t.code, t.title, subjects.get(t.id, 0), t.id in enrolling) for t in trials)


def _line(card: SubjectCard, work: int) -> SubjectLine:
    coming = next((v for v in card.visits if v.state in {"overdue", "due", "upcoming"}), None)
    return SubjectLine(
        card.trial_code, card.number, card.site_code,
        coming.title if coming else "", coming.expected.due if coming else None, coming.state if coming else "", work,
    )  # fmt: skip


def _of_subject(card: SubjectCard) -> Iterator[WorkItem]:
    for visit in card.visits:
        if visit.not_done_reason:
            continue
        if visit.date is None and visit.state in {"overdue", "due"}:
            yield _item(card, visit, visit.state, _waiting(visit))
        yield from _of_slots(card, visit)
        yield from _of_forms(card, visit)


def _waiting(visit: VisitCard) -> str:
    if visit.overdue_days:
        days = "1 day" if visit.overdue_days == 1 else f"{visit.overdue_days} days"
        return f"Its window closed {days} ago. Date the visit, or say that it was not done."
    if visit.expected.due is None:
        return "Date the visit when it has taken place; all later visits count from it."
    return f"Due on {visit.expected.due.isoformat()}. Date the visit when it has taken place."


def _of_slots(card: SubjectCard, visit: VisitCard) -> Iterator[WorkItem]:
    for slot in visit.slots:
        # Images of a visit that is not dated yet are told of with the visit.
        waiting = slot.state in {"overdue", "due"} and visit.date is None
        if slot.state in URGENCY and not waiting:
            sentence, key = slot.sentence, slot.key
            yield _item(card, visit, slot.state, sentence, slot=key, what=slot.title, submission_id=slot.submission_id)


def _of_forms(card: SubjectCard, visit: VisitCard) -> Iterator[WorkItem]:
    for form in visit.forms:
        if form.open_checks:
            count = "1 check waits" if form.open_checks == 1 else f"{form.open_checks} checks wait"
            sentence = f"{count} for a correction or a reason."
            yield _item(card, visit, "open_checks", sentence, form=form.key, what=form.title)
        elif form.state == "in_progress":
            yield _item(card, visit, "in_progress", "Begun, not complete.", form=form.key, what=form.title)
    empty = [form.title for form in visit.forms if form.state == "empty"]
    if visit.date is not None and empty:
        yield _item(card, visit, "due", f"Still empty: {', '.join(empty)}.")


def _item(
    card: SubjectCard, visit: VisitCard, state: str, sentence: str, *, form: str = "", slot: str = "", what: str = "",
    submission_id: str = "",
) -> WorkItem:  # fmt: skip
    return WorkItem(
        state, sentence, card.trial_code, card.number, visit.key, visit.title, visit.date or visit.expected.due,
        form, slot, submission_id, what or visit.title,
    )  # fmt: skip
