"""All data of a trial within a person's reach as tables, written row by row: no more than one subject in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select

from trialimg.casework.access import Person, Place, subject_place
from trialimg.casework.blinding import NOT_SHOWN, hidden_items, tells_of
from trialimg.casework.casebook import subject_cards
from trialimg.casework.definition import definition
from trialimg.casework.form_values import Casebook, label_of, open_casebook
from trialimg.documents.tables import Column, Table, write_dictionary
from trialimg.domain.submission import Fate
from trialimg.domain.trial import TrialDefinition
from trialimg.reporting.form_tables import WHERE, columns_of, rows_of
from trialimg.reporting.history import numbers_of, told
from trialimg.reporting.read_columns import TABLES as READ_TABLES
from trialimg.reporting.read_tables import rows_of_reads
from trialimg.store.base import db
from trialimg.store.casebook import CheckFinding
from trialimg.store.imaging import ImagingStudy, Slot, Submission, SubmissionObject
from trialimg.store.subject import Subject, Visit

Progress = Callable[[int, int], None]
"""Told how many subjects of how many are written; what it raises ends the work."""


def _columns(*names: str, **kinds: Any) -> tuple[Column, ...]:
    return tuple(Column(name, name.replace("_", " ").capitalize(), kinds.get(name, "text")) for name in names)


_STUDY: Final = _columns(
    "slot", "study_instance_uid", "state", "modalities", "acquired", "series", "instances", "held", "linked_at",
    "linked_by", acquired="date", series="number", instances="number", held="number", linked_at="time",
)  # fmt: skip
_TABLES: Final[dict[str, tuple[Column, ...]]] = {
    "subjects": _columns(
        "site", "subject", "enrolled_at", "birth_year", "sex", "definition_version",
        enrolled_at="time", birth_year="number", sex="code",
    ),
    "visits": (*WHERE, *_columns("title", "state", "due", "earliest", "latest", "timing", "not_done_reason",
                                 state="code", due="date", earliest="date", latest="date")),
    "imaging": (*WHERE, *_STUDY),
    "instances": _columns(
        "site", "subject", "visit", "slot", "study_instance_uid", "series_instance_uid", "sop_instance_uid",
        "sop_class_uid", "modality", "fate", "sentence", "canonical_hash", "decided_by", fate="code",
    ),
    "findings": (*WHERE, *_columns("form", "group", "item", "about", "check", "severity", "state", "sentence", "answer",
                                   severity="code", state="code")),
    **READ_TABLES,
    "audit": _columns("subject", "number", "at", "actor", "table", "row", "column", "about", "old", "new", "reason",
                      number="number", at="time"),
}  # fmt: skip


@dataclass(frozen=True)
class _Writing:
    """The tables that are open, and who they are for."""

    person: Person
    tables: dict[str, Table]
    hidden: dict[tuple[str, str, str], frozenset[str]]

    def unseen(self, place: Place, definition_id: str, form_key: str) -> frozenset[str]:
        """Give the items of a form this person is blinded to there; worked out once."""
        key = (place.site_id, definition_id, form_key)
        if key not in self.hidden:
            self.hidden[key] = hidden_items(self.person, place, definition(definition_id).forms[form_key])
        return self.hidden[key]


def write_data(person: Person, place: Place, subjects: Sequence[str], folder: Path, progress: Progress) -> int:
    """Write the tables of these subjects (by number) into a folder with their dictionary; gives the rows written."""
    wanted = select(Subject.definition_id).where(Subject.trial_id == place.trial_id).distinct()
    versions = sorted((definition(key) for key in db.session.scalars(wanted)), key=_version)
    forms = list(dict.fromkeys(key for rules in versions for key in rules.forms))
    with ExitStack() as stack:
        tables = {name: stack.enter_context(Table(folder, name, columns)) for name, columns in _TABLES.items()}
        no_column = {key: _hidden_everywhere(person, place, versions, key) for key in forms}
        for key in forms:
            columns = columns_of(versions, key, no_column[key])
            tables[f"form_{key}"] = stack.enter_context(Table(folder, f"form_{key}", columns))
        writing = _Writing(person, tables, {})
        for done, number in enumerate(subjects):
            progress(done, len(subjects))
            _subject(writing, subject_place(place.trial_code, number))
            db.session.rollback()
            db.session.expunge_all()
        progress(len(subjects), len(subjects))
        not_shown = {key: sorted(items) for key, items in no_column.items() if items}
        about = {"trial": place.trial_code, "for": person.email, NOT_SHOWN: not_shown}
        write_dictionary(folder, tables.values(), about)
        return sum(table.rows for table in tables.values())


def _version(rules: TrialDefinition) -> tuple[int, ...]:
    return tuple(int(part) for part in rules.version.split(".") if part.isdecimal())


def _hidden_everywhere(
    person: Person, place: Place, versions: Sequence[TrialDefinition], form_key: str
) -> frozenset[str]:
    """Give the items that this person may see in no version at any site of theirs: they have no column."""
    grants = [grant for grant in person.grants if grant.trial_id == place.trial_id]
    places = {replace(place, site_id=grant.site_id or place.site_id) for grant in grants}
    known: set[str] = set()
    seen: set[str] = set()
    for form in (rules.forms[form_key] for rules in versions if form_key in rules.forms):
        items = {item.key for _, item in form.items()}
        known |= items
        seen |= items.difference(frozenset.intersection(*(hidden_items(person, where, form) for where in places)))
    return frozenset(known - seen)


def _subject(writing: _Writing, place: Place) -> None:
    book = open_casebook(db.session(), place.subject_id)
    begin: dict[str, object] = {"site": place.site_code, "subject": place.subject_number}
    subject = book.subject
    writing.tables["subjects"].add(
        begin
        | {
            "enrolled_at": subject.enrolled_at.isoformat(timespec="seconds"),
            "birth_year": subject.birth_year,
            "sex": subject.sex,
            "definition_version": book.rules.version,
        }
    )
    _visits(writing, book, begin)
    in_order = {record.id: book.visits[record.visit_id].ordinal for record in book.records.values()}
    for record in sorted(book.records.values(), key=lambda each: (in_order[each.id], each.form_key)):
        form = book.rules.forms.get(record.form_key)
        if form is None:
            continue
        visit = book.visits[record.visit_id]
        unseen = writing.unseen(place, subject.definition_id, form.key)
        for row in rows_of(book, record, form, unseen):
            writing.tables[f"form_{form.key}"].add(begin | {"visit": visit.key, "visit_date": visit.date} | row)
    _findings(writing, book, place, begin)
    _imaging(writing, place, begin)
    for table, cells in rows_of_reads(writing.person, place):
        writing.tables[table].add(cells)
    for each in told(writing.person, place, numbers_of(place, whole=True)):
        row = {"table": each.table, "row": each.row, "column": each.column, "subject": place.subject_number}
        writing.tables["audit"].add(asdict(each.change) | row)


def _visits(writing: _Writing, book: Casebook, begin: dict[str, object]) -> None:
    (card,) = subject_cards([book.subject])
    for visit in card.visits:
        writing.tables["visits"].add(
            begin
            | {
                "visit": visit.key,
                "visit_date": visit.date,
                "title": visit.title,
                "state": visit.state,
                "due": visit.expected.due,
                "earliest": visit.expected.earliest,
                "latest": visit.expected.latest,
                "timing": visit.timing.sentence if visit.timing else "",
                "not_done_reason": visit.not_done_reason,
            }
        )


def _findings(writing: _Writing, book: Casebook, place: Place, begin: dict[str, object]) -> None:
    for each in db.session.scalars(select(CheckFinding).where(CheckFinding.form_record_id.in_(book.records))):
        record = book.records[each.form_record_id]
        form, visit = book.rules.forms.get(record.form_key), book.visits[record.visit_id]
        if form is None:
            continue
        if tells_of(form, each.check_key, each.item_key, writing.unseen(place, book.subject.definition_id, form.key)):
            continue
        writing.tables["findings"].add(
            begin
            | {
                "visit": visit.key, "visit_date": visit.date, "form": form.key, "group": each.group_key,
                "item": each.item_key, "check": each.check_key, "severity": each.severity, "state": each.state,
                "sentence": each.sentence, "answer": each.answer,
                "about": label_of(form, each.group_key, each.repeat_key, each.item_key, book.values(record)),
            }
        )  # fmt: skip


def _imaging(writing: _Writing, place: Place, begin: dict[str, object]) -> None:
    studies = (
        select(ImagingStudy, Visit, Slot.key)
        .outerjoin(Slot, ImagingStudy.slot_id == Slot.id)
        .outerjoin(Visit, Slot.visit_id == Visit.id)
        .where(ImagingStudy.subject_id == place.subject_id)
        .order_by(ImagingStudy.linked_at)
    )
    for study, visit, slot in db.session.execute(studies):
        writing.tables["imaging"].add(
            begin
            | {
                "visit": visit.key if visit else "", "visit_date": visit.date if visit else None, "slot": slot,
                "study_instance_uid": study.study_instance_uid, "state": study.state, "modalities": study.modalities,
                "acquired": study.acquired, "series": study.series_count, "instances": study.instance_count,
                "held": study.held_count, "linked_at": study.linked_at.isoformat(timespec="seconds"),
                "linked_by": study.linked_by,
            }
        )  # fmt: skip
    objects = (
        select(SubmissionObject, Visit.key, Slot.key)
        .join(Submission, SubmissionObject.submission_id == Submission.id)
        .join(Slot, Submission.slot_id == Slot.id)
        .join(Visit, Slot.visit_id == Visit.id)
        .where(Submission.subject_id == place.subject_id)
        .order_by(Submission.created_at, SubmissionObject.ordinal)
        .execution_options(yield_per=500)
    )
    names = ("series_instance_uid", "sop_instance_uid", "sop_class_uid", "modality", "fate", "sentence", "decided_by")
    for item, visit_key, slot in db.session.execute(objects):
        cells: dict[str, object] = {name: getattr(item, name) for name in (*names, "study_instance_uid")}
        cells["canonical_hash"] = item.canonical_hash if item.fate == Fate.SENT else ""
        writing.tables["instances"].add(begin | {"visit": visit_key, "slot": slot} | cells)
