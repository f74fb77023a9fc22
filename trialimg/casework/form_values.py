"""The values of forms as the record holds them, and what a form may look at beside itself.

In memory a form's values are group → row → item → text; the one row of a group that does not repeat has the key
``""``. A repeating row whose values were all cleared is a removed one: it is not shown, and its values stay in the
audit trail under the same rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from trialimg.casework.definition import definition
from trialimg.casework.enrolment import latest_today
from trialimg.domain.acquisition import ACQUIRED
from trialimg.domain.crf import FormDef
from trialimg.domain.edit_check import evaluate
from trialimg.domain.expression import names
from trialimg.domain.form_scope import Context, FormScope, FormValues
from trialimg.domain.item_value import Finding, Value, parse_value
from trialimg.domain.trial import TrialDefinition
from trialimg.errors import NotFound
from trialimg.store.base import utc_now
from trialimg.store.casebook import FormRecord, ItemValue
from trialimg.store.imaging import ImagingStudy, Slot
from trialimg.store.subject import Subject, Visit

Values = dict[str, dict[str, dict[str, str]]]
ONLY_ROW: Final = ""
IMAGE_DATE: Final = "image_date"
"""The check that compares that date with the images' own."""


@dataclass(frozen=True)
class Casebook:
    """All a subject's forms as far as they are filled, loaded in three queries."""

    subject: Subject
    rules: TrialDefinition
    visits: Mapping[str, Visit]
    records: Mapping[str, FormRecord]
    rows: Mapping[str, list[ItemValue]]
    acquired: Mapping[tuple[str, str], list[date]]
    today: date

    def form(self, record: FormRecord) -> FormDef:
        """Give what the trial's definition says of a form; raises :class:`NotFound`."""
        found = self.rules.forms.get(record.form_key)
        if found is None:
            raise NotFound
        return found

    def values(self, record: FormRecord) -> Values:
        """Give the values of one form; removed rows are left out."""
        return as_values(self.form(record), self.rows.get(record.id, ()))

    def context(self, record: FormRecord, ahead: Mapping[str, FormValues] | None = None) -> Context:
        """Give what a form may look at; ``ahead`` holds values of forms (by record) that are not written yet."""
        here = self.visits[record.visit_id]
        around: dict[str, dict[str, FormValues]] = defaultdict(dict)
        for other in self.records.values():
            visit = self.visits[other.visit_id]
            if visit.repeat and visit.id != here.id:
                continue  # of a repeating visit only the form's own occasion
            if other.form_key in self.rules.forms:
                values = (ahead or {}).get(other.id)
                around[visit.definition_key][other.form_key] = self.values(other) if values is None else values
        told = {"BRTHYR": str(self.subject.birth_year or ""), "SEX": self.subject.sex or ""}
        return Context(self.rules, here.definition_key, self.today, around, {k: v for k, v in told.items() if v})

    def check(self, record: FormRecord, values: FormValues, context: Context) -> list[Finding]:
        """Check a form's values, the dates of its images included."""
        form = self.form(record)
        return [*evaluate(form, values, context), *self._image_dates(record, form, values, context)]

    def _image_dates(
        self, record: FormRecord, form: FormDef, values: FormValues, context: Context
    ) -> Iterable[Finding]:
        scope = FormScope(form, values, context)
        for group in form.groups:
            slots = [item.slot for item in group.items if item.kind == "imaging"]
            days = [day for slot in slots for day in self.acquired.get((record.visit_id, slot), ())]
            for item in group.items:
                if not days or item.kind != "date" or item.variable != ACQUIRED:
                    continue
                for key, row in values.get(group.key, {}).items():
                    typed = parse_value(item, row.get(item.key, "") or "?")
                    if isinstance(typed, Value) and scope.in_row(group.key, key).shows(group, item):
                        apart = min(((day - date.fromisoformat(typed.text)).days for day in days), key=abs)
                        if apart:
                            yield Finding(IMAGE_DATE, _apart(apart), "soft", item.key, group.key, key)


def _apart(days: int) -> str:
    count = "1 day" if abs(days) == 1 else f"{abs(days)} days"
    side = "after" if days > 0 else "before"
    return (
        f"The linked images say they were acquired {count} {side} this date. Correct the date, check that the "
        "right images are linked, or confirm it with a reason."
    )


def as_values(form: FormDef, rows: Iterable[ItemValue]) -> Values:
    """Arrange stored values as a form's; what its definition does not know (any more) stays in the record only."""
    found: Values = {group.key: {} if group.repeating else {ONLY_ROW: {}} for group in form.groups}
    for each in sorted(rows, key=lambda row: row.row_number):
        if each.group_key in found:
            found[each.group_key].setdefault(each.repeat_key, {})[each.item_key] = each.value
    for group in form.groups:
        if group.repeating:
            kept = {key: row for key, row in found[group.key].items() if any(row.values())}
            found[group.key] = kept
    return found


def lock_casebook(session: Session, subject_id: str) -> None:
    """Give those who change a subject's forms their order: a form is judged by what others of them hold."""
    session.scalar(select(Subject.id).where(Subject.id == subject_id).with_for_update(key_share=True))


def open_casebook(session: Session, subject_id: str) -> Casebook:
    """Load what is needed to check the forms of a subject."""
    subject = session.get(Subject, subject_id)
    if subject is None:
        raise NotFound
    visits = session.scalars(select(Visit).where(Visit.subject_id == subject_id))
    records = session.scalars(select(FormRecord).join(Visit).where(Visit.subject_id == subject_id))
    wanted = select(ItemValue).join(FormRecord).join(Visit).where(Visit.subject_id == subject_id)
    rows: dict[str, list[ItemValue]] = defaultdict(list)
    for each in session.scalars(wanted):
        rows[each.form_record_id].append(each)
    return Casebook(
        subject,
        definition(subject.definition_id),
        {visit.id: visit for visit in visits},
        {record.id: record for record in records},
        rows,
        _acquired(session, subject_id),
        latest_today(utc_now()),
    )


def _acquired(session: Session, subject_id: str) -> dict[tuple[str, str], list[date]]:
    wanted = (
        select(Slot.visit_id, Slot.key, ImagingStudy.acquired)
        .join(ImagingStudy, ImagingStudy.slot_id == Slot.id)
        .where(ImagingStudy.subject_id == subject_id, ImagingStudy.state == "linked")
    )
    found: dict[tuple[str, str], list[date]] = defaultdict(list)
    for visit_id, key, day in session.execute(wanted):
        if day is not None:
            found[visit_id, key].append(day)
    return found


def find_record(book: Casebook, visit_id: str, form_key: str) -> FormRecord:
    """Find the form of a visit; raises :class:`NotFound`."""
    for record in book.records.values():
        if record.visit_id == visit_id and record.form_key == form_key and form_key in book.rules.forms:
            return record
    raise NotFound


def refers_to(form: FormDef, other: str) -> bool:
    """Say whether checks or skip logic of a form look at another form."""
    sources = [check.must for check in form.checks]
    sources += [group.show_if for group in form.groups]
    sources += [item.show_if for _, item in form.items()]
    return any(other in name.parts[:-1] for source in sources if source for name in names(source))


def looks_at(form: FormDef, finding: Finding) -> frozenset[str]:
    """Give the items of the form that a finding depends on."""
    check = next((check for check in form.checks if check.key == finding.check_key), None)
    named = {name.parts[-1] for name in names(check.must) if len(name.parts) == 1} if check else set()
    return frozenset(named | {finding.item})


def label_of(form: FormDef, group_key: str, repeat_key: str, item_key: str, values: FormValues) -> str:
    """Name a place of a form to a person: its label, and the row's number where there are several."""
    group = form.group(group_key)
    item = group.item(item_key) if group else None
    if group is None or item is None:
        return item_key
    if not group.repeating:
        return item.label
    keys = list(values.get(group_key, {}))
    number = f" {keys.index(repeat_key) + 1}" if repeat_key in keys else ""
    return f"{group.title}{number}: {item.label}"


def without(values: FormValues, places: Iterable[tuple[str, str, str]]) -> Values:
    """Give the values with some places cleared."""
    copy: Values = {g: {key: dict(row) for key, row in rows.items()} for g, rows in values.items()}
    for group, key, item in places:
        copy[group][key][item] = ""
    return copy
