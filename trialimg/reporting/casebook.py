"""The casebook of a subject put together from the record, as one person may see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Person, Place
from trialimg.casework.blinding import NOT_SHOWN, hidden_items, tells_of
from trialimg.casework.casebook import SubjectCard, subject_cards
from trialimg.casework.definition import definition
from trialimg.casework.form_findings import RESOLVED
from trialimg.casework.form_values import Casebook as Filled
from trialimg.casework.form_values import Values, label_of, open_casebook
from trialimg.casework.visit_card import VisitCard
from trialimg.documents import casebook as document
from trialimg.documents.casebook import GIVEN, MISSING, Answer, Form, Group, Head, Remark, SlotLine, Visit
from trialimg.domain.crf import FormDef, GroupDef, ItemDef
from trialimg.domain.edit_check import visible
from trialimg.domain.item_value import Value, parse_value
from trialimg.domain.permission import Permission
from trialimg.errors import NotFound
from trialimg.reporting.reads import reads_of
from trialimg.store.base import db
from trialimg.store.casebook import CheckFinding, FormRecord
from trialimg.store.subject import Subject
from trialimg.store.trial import TrialDefinitionVersion

_SEX: Final = {"F": "female", "M": "male", "U": "undifferentiated"}


@dataclass(frozen=True)
class _Seen:
    """One form with what this person may see of it."""

    book: Filled
    record: FormRecord
    form: FormDef
    values: Values
    shown: frozenset[tuple[str, str, str]]
    unseen: frozenset[str]
    slots: dict[str, str]


def casebook_of(person: Person, place: Place, made_at: datetime) -> document.Casebook:
    """Give the casebook of a subject without pictures and history, which are asked for apart."""
    wanted = select(Subject).where(Subject.id == place.subject_id)
    subject = db.session.scalars(wanted.options(joinedload(Subject.trial), joinedload(Subject.site))).one()
    (card,) = subject_cards([subject])
    book = open_casebook(db.session(), subject.id)
    findings: dict[str, list[CheckFinding]] = {key: [] for key in book.records}
    stored = select(CheckFinding).where(CheckFinding.form_record_id.in_(findings), CheckFinding.state != RESOLVED)
    for each in db.session.scalars(stored):
        findings[each.form_record_id].append(each)
    may_see = person.may(Permission.SEE_DATA, place)
    return document.Casebook(
        head=_head(person, subject, card, made_at, may_see=may_see),
        visits=tuple(_visit(visit, book, findings, person, place) for visit in card.visits),
        slots=tuple(SlotLine(v.key, s.title, s.state, s.sentence) for v in card.visits for s in v.slots),
        studies=(),
        reads=reads_of(place, person),
    )


def _head(person: Person, subject: Subject, card: SubjectCard, made_at: datetime, *, may_see: bool) -> Head:
    version, rules = (
        db.session.get_one(TrialDefinitionVersion, subject.definition_id),
        definition(subject.definition_id),
    )
    told = []
    if may_see and card.birth_year:
        told.append(("Year of birth", str(card.birth_year)))
    if may_see and card.sex:
        told.append(("Sex", f"{_SEX.get(card.sex, card.sex)} ({card.sex})"))
    return Head(
        trial=card.trial_code,
        trial_title=card.trial_title,
        protocol=rules.protocol_id,
        sponsor=rules.sponsor,
        subject=subject.number,
        site=f"{subject.site.code}, {subject.site.name}",
        enrolled=f"{subject.enrolled_at:%Y-%m-%d %H:%M} UTC",
        told=tuple(told),
        definition=f"version {version.version}, SHA-256 {version.digest[:16]}…",
        made_at=f"{made_at:%Y-%m-%d %H:%M} UTC",
        made_by=f"{person.name} <{person.email}>",
    )


def _visit(
    visit: VisitCard, book: Filled, findings: dict[str, list[CheckFinding]], person: Person, place: Place
) -> Visit:
    if visit.not_done_reason:
        date = f"Not done: {visit.not_done_reason}"
    else:
        date = f"Dated {visit.date}." if visit.date else "Not dated: this visit has not taken place yet."
    records = {record.form_key: record for record in book.records.values() if record.visit_id == visit.visit_id}
    slots = {each.key: f"{each.state.replace('_', ' ')}: {each.sentence}" for each in visit.slots}
    forms = []
    for card in visit.forms:
        record = records[card.key]
        try:
            form = book.form(record)
        except NotFound:
            why = "This form is no longer in the definition; its values are in the audit trail."
            forms.append(Form(card.key, card.title, record.form_version, record.state, "", (), why_empty=why))
            continue
        values = book.values(record)
        shown = visible(form, values, book.context(record))
        seen = _Seen(book, record, form, values, shown, hidden_items(person, place, form), slots)
        forms.append(_form(seen, findings[record.id], visit))
    return Visit(visit.key, visit.title, date, visit.timing.sentence if visit.timing else "", tuple(forms))


def _form(seen: _Seen, findings: Iterable[CheckFinding], visit: VisitCard) -> Form:
    record, form = seen.record, seen.form
    saved = f"saved {record.saved_at:%Y-%m-%d %H:%M} UTC by {record.saved_by}" if record.saved_at else "never saved"
    empty = record.state == "empty"
    groups = () if empty else tuple(group for each in form.groups if (group := _group(seen, each)) is not None)
    why = ""
    if empty:
        asked = len({item for _, _, item in seen.shown})
        because = f"the visit was not done: {visit.not_done_reason}" if visit.not_done_reason else "nothing was entered"
        why = f"Missing: all {asked} answers; {because}."
    told = [each for each in findings if not tells_of(form, each.check_key, each.item_key, seen.unseen)]
    return Form(
        form.key, form.title, record.form_version, record.state, saved, groups,
        tuple(_remark(seen, each) for each in told), 0 if empty else len(seen.unseen), why,
    )  # fmt: skip


def _remark(seen: _Seen, each: CheckFinding) -> Remark:
    about = label_of(seen.form, each.group_key, each.repeat_key, each.item_key, seen.values)
    return Remark(about or seen.form.title, each.sentence, each.severity, each.state, each.answer)


def _group(seen: _Seen, group: GroupDef) -> Group | None:
    rows, not_asked = [], []
    for key, row in seen.values.get(group.key, {}).items():
        answers = []
        for item in group.items:
            text = row.get(item.key, "")
            if item.key in seen.unseen:
                answers.append(Answer(item.label, NOT_SHOWN, state=document.NOT_SHOWN))
            elif text or (group.key, key, item.key) in seen.shown:
                answers.append(answer_of(item, text, seen.slots))
            elif item.label not in not_asked:
                not_asked.append(item.label)
        rows.append(tuple(answers))
    if not any(rows) and not group.repeating:
        return None
    return Group(group.title, tuple(rows), group.repeating, tuple(not_asked))


def answer_of(item: ItemDef, text: str, slots: dict[str, str] | None = None) -> Answer:
    """Give an answer as people read it: decoded, with its unit; or why there is none."""
    if item.kind == "imaging":
        state = (slots or {}).get(item.slot)
        return Answer(item.label, state, state=GIVEN) if state else Answer(item.label, "Missing", state=MISSING)
    if not text:
        return Answer(item.label, "Missing: required" if item.required else "Missing", state=MISSING)
    if item.choices:
        label = item.label_of(text)
        return Answer(item.label, label, code=text if label != text else "")
    readable = isinstance(parse_value(item, text), Value)
    unit = item.unit if item.unit != "1" else ""
    return Answer(item.label, text, unit=unit, code="" if readable else f"not a {item.kind.replace('_', ' ')}")
