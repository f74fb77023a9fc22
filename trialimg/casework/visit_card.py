"""How one visit stands: its window, its forms and its image slots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

from trialimg.casework.slots import SlotState
from trialimg.domain.slot import SOON
from trialimg.domain.trial import TrialDefinition
from trialimg.domain.visit import Expectation, Timing, VisitDef, expectation, timing
from trialimg.store.subject import Visit

DONE_FORMS: Final = frozenset({"complete"})
DONE_SLOTS: Final = frozenset({"linked", "linked_held", "not_done", "optional"})


class FormCard(NamedTuple):
    """How one form stands."""

    key: str
    title: str
    state: str
    open_checks: int
    saved_at: datetime | None
    saved_by: str


class FormLine(NamedTuple):
    """What of a form's row its card is made of; a grid shows thousands, too many to load whole."""

    visit_id: str
    record_id: str
    form_key: str
    state: str
    saved_at: datetime | None
    saved_by: str


class SlotCard(NamedTuple):
    """How one slot stands; an optional one that is empty is not missed."""

    key: str
    title: str
    state: str
    sentence: str
    optional: bool
    submission_id: str
    images: int
    held: int


@dataclass(frozen=True)
class VisitCard:
    """A visit with its window and what belongs to it; ``state`` is a word of the state badge."""

    visit_id: str
    key: str
    definition_key: str
    title: str
    hint: str
    state: str
    date: date | None
    revision: int
    expected: Expectation
    timing: Timing | None
    overdue_days: int
    not_done_reason: str
    forms: tuple[FormCard, ...]
    slots: tuple[SlotCard, ...]

    @property
    def complete_forms(self) -> int:
        """Count the forms that need nothing more."""
        return sum(form.state in DONE_FORMS for form in self.forms)

    @property
    def open_checks(self) -> int:
        """Count the checks that wait for an answer."""
        return sum(form.open_checks for form in self.forms)


@dataclass(frozen=True)
class Around:
    """What a visit is judged by: the trial's rules, the subject's anchor date, today, and open checks by form."""

    rules: TrialDefinition
    anchor: date | None
    today: date
    checks: Mapping[str, int]


def visit_card(visit: Visit, records: Iterable[FormLine], slots: Mapping[str, SlotState], around: Around) -> VisitCard:
    """Put together how a visit stands."""
    known = around.rules.visit(visit.definition_key)
    visit_def = known or VisitDef(visit.definition_key, visit.definition_key, visit.ordinal)
    when = expectation(visit_def, around.anchor)
    forms = _form_cards(visit_def, records, around)
    cards = tuple(_slot_card(slots[key], visit_def) for key in visit_def.slots if key in slots)
    number = f" {visit.repeat}" if visit.repeat else ""
    undone = visit.date is None and not visit.not_done_reason
    anchor = visit_def.key == around.rules.anchor_visit
    return VisitCard(
        visit_id=visit.id,
        key=visit.key,
        definition_key=visit.definition_key,
        title=visit_def.title + number,
        hint=visit_def.hint,
        state=undated_state(when, around.today, is_anchor=anchor, not_done=not undone)
        if undone or visit.not_done_reason
        else _dated(forms, cards),
        date=visit.date,
        revision=visit.revision,
        expected=when,
        timing=timing(visit_def, around.anchor, visit.date) if visit.date else None,
        overdue_days=when.overdue_by(around.today) if undone else 0,
        not_done_reason=visit.not_done_reason,
        forms=forms,
        slots=cards,
    )


def _form_cards(visit_def: VisitDef, records: Iterable[FormLine], around: Around) -> tuple[FormCard, ...]:
    order = {key: number for number, key in enumerate(visit_def.forms)}
    titles = {key: form.title for key, form in around.rules.forms.items()}
    return tuple(
        FormCard(
            record.form_key,
            titles.get(record.form_key, record.form_key),
            record.state,
            around.checks.get(record.record_id, 0),
            record.saved_at,
            record.saved_by,
        )
        for record in sorted(records, key=lambda r: (order.get(r.form_key, len(order)), r.form_key))
    )


def _slot_card(state: SlotState, visit_def: VisitDef) -> SlotCard:
    return SlotCard(
        key=state.key,
        title=state.title,
        state=state.state,
        sentence=state.sentence,
        optional=state.key in visit_def.optional_slots,
        submission_id=state.submission_id,
        images=sum(study.instances for study in state.studies),
        held=sum(study.held for study in state.studies),
    )


def _dated(forms: Iterable[FormCard], slots: Iterable[SlotCard]) -> str:
    return dated_state(forms=all(f.state in DONE_FORMS for f in forms), slots=all(s.state in DONE_SLOTS for s in slots))


def dated_state(*, forms: bool, slots: bool) -> str:
    """Say how a visit that took place stands: ``forms`` and ``slots`` tell whether all of them are done."""
    return "complete" if forms and slots else "in_progress"


def undated_state(when: Expectation, today: date, *, is_anchor: bool, not_done: bool) -> str:
    """Say how a visit without a date stands."""
    if not_done:
        return "not_done"
    if when.overdue_by(today):
        return "overdue"
    soon = when.earliest is not None and when.earliest - SOON <= today
    return "due" if soon or is_anchor else "upcoming"
