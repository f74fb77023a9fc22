"""How many subjects stand, in few columns: what the grid of a trial and a worklist are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from trialimg.casework.definition import definition
from trialimg.casework.overview_rows import Rows, rows_of
from trialimg.casework.slots import slot_def_of
from trialimg.casework.visit_card import DONE_SLOTS, dated_state, undated_state
from trialimg.domain.slot import Dated, stand
from trialimg.domain.visit import Expectation, VisitDef, expectation
from trialimg.store.base import utc_now


class SubjectRow(NamedTuple):
    """A subject whose stand is asked for."""

    subject_id: str
    number: str
    trial_code: str
    site_code: str
    definition_id: str


class FormMark(NamedTuple):
    """A form that needs somebody; ``open_checks`` wait for an answer."""

    key: str
    title: str
    open_checks: int


class SlotMark(NamedTuple):
    """An image slot; ``submission_id`` tells more, or is empty."""

    key: str
    title: str
    state: str
    sentence: str
    submission_id: str


class VisitLine(NamedTuple):
    """A visit as a grid shows it.

    Worklists are given the forms that need somebody, in place of the counts: ``begun`` ones and those with open checks,
    and the ``empty`` ones, key and title, of a visit that took place.
    """

    key: str
    title: str
    scheduled: bool
    state: str
    day: date | None
    due: date | None
    overdue_days: int
    all_forms: int
    complete_forms: int
    open_checks: bool
    begun: tuple[FormMark, ...]
    empty: tuple[tuple[str, str], ...]
    slots: tuple[SlotMark, ...]


class SubjectLine(NamedTuple):
    """A subject with all visits in their order."""

    trial_code: str
    number: str
    site_code: str
    visits: tuple[VisitLine, ...]

    def in_columns(self, columns: Iterable[tuple[str, str]]) -> list[tuple[VisitLine, ...]]:
        """Give the visits column by column, each none or one; those that are in none of them come together last."""
        by_key = {visit.key: visit for visit in self.visits}
        found = [(by_key.pop(key),) if key in by_key else () for key, _ in columns]
        return [*found, tuple(by_key.values())]


class _Planned(NamedTuple):
    """A visit as the rules foresee it; ``ahead`` is how it stands while nothing has happened at it."""

    definition_id: str
    visit: VisitDef
    when: Expectation
    is_anchor: bool
    ahead: VisitLine


@lru_cache(maxsize=4096)
def _plan(definition_id: str, anchor: date | None, today: date) -> Mapping[str, _Planned]:
    """Foresee the visits of a subject; a version never changes, so the same is foreseen for the same two days."""
    rules = definition(definition_id)
    return {each.key: _foresee(definition_id, each, expectation(each, anchor), today) for each in rules.visits}


def _foresee(definition_id: str, visit: VisitDef, when: Expectation, today: date) -> _Planned:
    is_anchor = visit.key == definition(definition_id).anchor_visit
    slots = _nothing_here(definition_id, visit, Dated(None, when.due, ""), today)
    state = undated_state(when, today, is_anchor=is_anchor, not_done=False)
    ahead = VisitLine(
        visit.key, visit.title, scheduled=True, state=state, day=None, due=when.due,
        overdue_days=when.overdue_by(today), all_forms=0, complete_forms=0, open_checks=False, begun=(), empty=(),
        slots=slots,
    )  # fmt: skip
    return _Planned(definition_id, visit, when, is_anchor, ahead)


def _nothing_here(definition_id: str, visit: VisitDef, dated: Dated, today: date) -> tuple[SlotMark, ...]:
    slots = [slot_def_of(definition(definition_id), key) for key in visit.slots]
    optional = visit.optional_slots
    return tuple(
        SlotMark(
            slot.key,
            slot.title,
            *stand(slot, dated, today, optional=slot.key in optional, not_done_reason="", linked=None, sent=()),
        )
        for slot in slots
    )


def subject_lines(subjects: Sequence[SubjectRow], *, forms: bool = False) -> tuple[SubjectLine, ...]:
    """Give how these subjects stand: with counts of forms, or with the ``forms`` that need somebody."""
    rows = rows_of([subject.subject_id for subject in subjects], forms=forms)
    lines = []
    for subject in subjects:
        visits = rows.visits.get(subject.subject_id, ())
        key = definition(subject.definition_id).anchor_visit
        anchor = next((row.date for row in visits if row.definition_key == key), None)
        plan = _plan(subject.definition_id, anchor, rows.today)
        shown = tuple(_line(row, plan.get(row.definition_key) or _unplanned(subject, row), rows) for row in visits)
        lines.append(SubjectLine(subject.trial_code, subject.number, subject.site_code, shown))
    return tuple(lines)


def _unplanned(subject: SubjectRow, row: Any) -> _Planned:
    visit = VisitDef(row.definition_key, row.definition_key, row.ordinal)
    return _foresee(subject.definition_id, visit, Expectation(visit, row.date, None, None), utc_now().date())


def _line(row: Any, planned: _Planned, rows: Rows) -> VisitLine:
    _, visit_id, key, definition_key, repeat, day, not_done_reason, _, total, done, doubts, empty = row
    begun = rows.begun.get(visit_id)
    undated = day is None and not not_done_reason
    if undated and not (repeat or begun or total or visit_id in rows.touched):
        return planned.ahead  # most visits of a running trial, and each subject's is the same
    visit, when = planned.visit, planned.when
    slots = _slots(
        rows.slots.get(visit_id, ()), planned, Dated(day, day if repeat else when.due, not_done_reason), rows
    )
    if undated or not_done_reason:
        state = undated_state(when, rows.today, is_anchor=planned.is_anchor, not_done=not undated)
    else:
        ended = all(slot.state in DONE_SLOTS for slot in slots)
        state = dated_state(forms=total == done and not empty and not begun, slots=ended)
    return VisitLine(
        key,
        f"{visit.title} {repeat}" if repeat else visit.title,
        key == definition_key,
        state,
        day,
        when.due,
        when.overdue_by(rows.today) if state == "overdue" else 0,
        total,
        done,
        doubts > 0,
        _begun(planned, begun) if begun else (),
        _in_order(planned.definition_id, visit.key, empty) if empty else (),
        slots,
    )


def _slots(here: Sequence[Any], planned: _Planned, visit: Dated, rows: Rows) -> tuple[SlotMark, ...]:
    if not here:
        return ()
    rules, by_key = definition(planned.definition_id), {row[2]: row for row in here}
    found = []
    for key in planned.visit.slots:
        row = by_key.get(key)
        if row is None:
            continue
        _, slot_id, _, reason = row
        optional = key in planned.visit.optional_slots
        slot_def = slot_def_of(rules, key)
        standing = stand(
            slot_def, visit, rows.today, optional=optional, not_done_reason=reason, linked=rows.linked.get(slot_id),
            sent=rows.sent.get(slot_id, ()),
        )  # fmt: skip
        found.append(SlotMark(key, slot_def.title, *standing))
    return tuple(found)


def _begun(planned: _Planned, checks: Mapping[str, int]) -> tuple[FormMark, ...]:
    keys = _in_order(planned.definition_id, planned.visit.key, ",".join(sorted(checks)))
    return tuple(FormMark(key, title, checks[key]) for key, title in keys)


@lru_cache(maxsize=4096)
def _in_order(definition_id: str, visit_key: str, keys: str) -> tuple[tuple[str, str], ...]:
    """Give forms, named by their keys with commas, in the order of the visit, each with its title."""
    rules = definition(definition_id)
    visit = rules.visit(visit_key)
    order = visit.forms if visit is not None else ()
    sorted_keys = sorted(keys.split(","), key=lambda key: (order.index(key) if key in order else len(order), key))
    return tuple((key, rules.forms[key].title if key in rules.forms else key) for key in sorted_keys)
