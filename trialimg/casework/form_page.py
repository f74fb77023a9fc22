"""A form as a page shows it: definition, values, findings with their answers, and what somebody saved meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from sqlalchemy import select

from trialimg.casework.access import Person, Place
from trialimg.casework.blinding import hidden_items, tells_of
from trialimg.casework.data_entry import Posted, arranged, hidden_places, longest, normal
from trialimg.casework.form_findings import NOT_KEPT, OPEN, RESOLVED, FindingPlace, place_of
from trialimg.casework.form_history import values_before
from trialimg.casework.form_values import Casebook, Values, find_record, label_of, open_casebook
from trialimg.casework.slots import SlotState, slot_states
from trialimg.domain.crf import FormDef
from trialimg.domain.edit_check import visible
from trialimg.domain.expression import names
from trialimg.domain.form_scope import FormScope, FormValues
from trialimg.domain.form_scope import Place as ItemPlace
from trialimg.domain.item_value import Finding
from trialimg.domain.permission import Permission
from trialimg.store.base import db
from trialimg.store.casebook import CheckFinding, FormRecord


@dataclass(frozen=True)
class FindingView:
    """What a check says of one place of the form, and the answer to it."""

    check_key: str
    group: str
    repeat_key: str
    item: str
    severity: str
    sentence: str
    state: str = OPEN
    answer: str = ""

    @property
    def place(self) -> FindingPlace:
        """Give what tells it from the others."""
        return (self.check_key, self.group, self.repeat_key, self.item)


@dataclass(frozen=True)
class FormPage:
    """One form at one visit for one person.

    ``shown`` are the places asked now; ``ruled_out`` the questions (group and item, or group and "" for all of it)
    that no answer on this form can bring up; ``hidden`` the labels of answers that are there although skip logic
    does not ask for them; ``unfinished`` what keeps the form from being complete; ``meanwhile`` what somebody else
    saved where something else was typed; ``removed`` rows that go when the page is saved; ``not_shown`` the items whose
    values this person is blinded to: they are not in ``values``, and such a page takes no data.
    """

    form: FormDef
    visit_title: str
    visit_date: date | None
    not_done_reason: str
    revision: int
    state: str
    marked_complete: bool
    saved_at: datetime | None
    saved_by: str
    values: FormValues
    shown: frozenset[ItemPlace]
    ruled_out: frozenset[tuple[str, str]]
    hidden: tuple[str, ...]
    findings: tuple[FindingView, ...]
    unfinished: tuple[FindingView, ...]
    slots: Mapping[str, SlotState]
    may_edit: bool
    saved_rows: frozenset[tuple[str, str]]
    meanwhile: Mapping[ItemPlace, str] = field(default_factory=dict)
    removed: tuple[tuple[str, str], ...] = ()
    not_shown: frozenset[str] = frozenset()

    def label(self, place: ItemPlace) -> str:
        """Name a place to a person."""
        return label_of(self.form, *place, self.values)


def form_page(place: Place, form_key: str, person: Person) -> FormPage:
    """Give a form as it is saved; raises :class:`NotFound` where the visit has no such form."""
    book = open_casebook(db.session(), place.subject_id)
    record = find_record(book, place.visit_id, form_key)
    stored = db.session.scalars(select(CheckFinding).where(CheckFinding.form_record_id == record.id))
    kept = {place_of(each): each for each in stored if each.state != RESOLVED}
    values = book.values(record)
    return _page(book, record, values, person, place, findings=_kept(book.form(record), kept.values()))


def typed_page(place: Place, form_key: str, person: Person, posted: Posted) -> FormPage:
    """Give a form as somebody left it without saving: everything typed, checked, beside what was saved meanwhile.

    Values too long to be stored are left out; rows that somebody added meanwhile are shown. What was typed where the
    person is blinded is left out: whether it differs from what is saved would tell of it.
    """
    book = open_casebook(db.session(), place.subject_id)
    record = find_record(book, place.visit_id, form_key)
    form, saved = book.form(record), book.values(record)
    typed = arranged(form, posted)
    for group in form.groups:
        for row in typed[group.key].values():
            for item in group.items:
                if len(row.get(item.key, "")) > longest(item):
                    row[item.key] = ""
        for key, row in saved[group.key].items():
            if key not in typed[group.key] and (group.key, key) not in posted.removed:
                typed[group.key][key] = row
    unseen = hidden_items(person, place, form)
    _unspoilt(typed, saved, unseen)
    meanwhile = {p: text for p, text in _merge(book, record, typed, posted.revision).items() if p[2] not in unseen}
    page = _page(book, record, typed, person, place, findings=_found(book, record, typed, posted.answers))
    return replace(page, meanwhile=meanwhile, removed=tuple(sorted(posted.removed)))


def _unspoilt(typed: Values, saved: Values, unseen: frozenset[str]) -> None:
    """Put what is saved in place of what was typed where the person may not see it."""
    for group, rows in typed.items():
        for key, row in rows.items():
            for item in unseen & row.keys():
                row[item] = saved[group].get(key, {}).get(item, "")


def _merge(book: Casebook, record: FormRecord, typed: Values, revision: int) -> dict[ItemPlace, str]:
    """Take over what somebody saved meanwhile where nothing else was typed, and give where something else was."""
    form = book.form(record)
    newer = [value for value in book.rows.get(record.id, ()) if value.revision > revision]
    before = values_before(record, newer, revision) if newer else {}
    differing: dict[ItemPlace, str] = {}
    for value in newer:
        found = form.find(value.item_key)
        row = typed.get(value.group_key, {}).get(value.repeat_key)
        if found is None or row is None:
            continue
        mine = normal(found[1], row.get(value.item_key, ""))
        if mine == before[value.id]:
            row[value.item_key] = value.value
        elif mine != value.value:
            differing[value.group_key, value.repeat_key, value.item_key] = value.value
    saved = book.values(record)
    for group in form.groups:
        stored = {value.repeat_key for value in newer if value.group_key == group.key}
        if group.repeating:  # rows removed meanwhile that nobody typed into
            for key in stored - saved[group.key].keys():
                if not any(typed[group.key].get(key, {}).values()):
                    typed[group.key].pop(key, None)
    return differing


def _kept(form: FormDef, stored: Iterable[CheckFinding]) -> tuple[FindingView, ...]:
    order = {item.key: number for number, (_, item) in enumerate(form.items())}
    views = [FindingView(*place_of(each), each.severity, each.sentence, each.state, each.answer) for each in stored]
    return tuple(sorted(views, key=lambda view: (order.get(view.item, -1), view.repeat_key, view.check_key)))


def _view(finding: Finding, answers: Mapping[FindingPlace, str]) -> FindingView:
    place = place_of(finding)
    return FindingView(*place, finding.severity, finding.sentence, OPEN, answers.get(place, ""))


def _found(
    book: Casebook, record: FormRecord, values: FormValues, answers: Mapping[FindingPlace, str]
) -> tuple[FindingView, ...]:
    found = book.check(record, values, book.context(record, {record.id: values}))
    return tuple(_view(each, answers) for each in found if each.check_key not in NOT_KEPT)


def _ruled_out(scope: FormScope) -> frozenset[tuple[str, str]]:
    found = set()
    for group in scope.form.groups:
        for key, show_if in (("", group.show_if), *((item.key, item.show_if) for item in group.items)):
            if show_if and not _looks_at_itself(scope.form, show_if) and scope.holds(show_if) is not True:
                found.add((group.key, key))
    return frozenset(found)


def _looks_at_itself(form: FormDef, show_if: str) -> bool:
    return any(
        form.find(name.parts[-1]) is not None if len(name.parts) == 1 else name.parts[-2] == form.key
        for name in names(show_if)
    )


def _page(
    book: Casebook,
    record: FormRecord,
    values: Values,
    person: Person,
    place: Place,
    *,
    findings: tuple[FindingView, ...],
) -> FormPage:
    form, visit = book.form(record), book.visits[record.visit_id]
    context = book.context(record, {record.id: values})
    visit_def = book.rules.visit(visit.definition_key)
    unfinished = tuple(_view(f, {}) for f in book.check(record, values, context) if f.check_key in NOT_KEPT)
    unseen = hidden_items(person, place, form)
    slots = any(item.kind == "imaging" for _, item in form.items())
    return FormPage(
        form=form,
        visit_title=visit_def.title if visit_def else visit.key,
        visit_date=visit.date,
        not_done_reason=visit.not_done_reason,
        revision=record.revision,
        state=record.state,
        marked_complete=record.marked_complete,
        saved_at=record.saved_at,
        saved_by=record.saved_by,
        values=_seen(values, unseen),
        shown=visible(form, values, context),
        ruled_out=_ruled_out(FormScope(form, values, context)),
        hidden=tuple(
            label_of(form, *p, values) for p in hidden_places(form, book, record, values) if p[2] not in unseen
        ),
        findings=_told(form, findings, unseen),
        unfinished=_told(form, unfinished, unseen),
        slots=slot_states([place.subject_id]).get(visit.id, {}) if slots else {},
        may_edit=person.may(Permission.ENTER_DATA, place) and not visit.not_done_reason and not unseen,
        saved_rows=frozenset((group, key) for group, rows in book.values(record).items() for key in rows),
        not_shown=unseen,
    )


def _seen(values: FormValues, unseen: frozenset[str]) -> FormValues:
    if not unseen:
        return values
    return {
        group: {key: {item: text for item, text in row.items() if item not in unseen} for key, row in rows.items()}
        for group, rows in values.items()
    }


def _told(form: FormDef, findings: tuple[FindingView, ...], unseen: frozenset[str]) -> tuple[FindingView, ...]:
    return tuple(each for each in findings if not tells_of(form, each.check_key, each.item, unseen))
