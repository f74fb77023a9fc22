"""The audit records of one subject in words, in the order of the trail, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from sqlalchemy import Select, func, select

from trialimg.casework.access import Person, Place
from trialimg.casework.blinding import NOT_SHOWN, hidden_rows
from trialimg.casework.read_results import may_see_values, readers_of
from trialimg.casework.trail_page import words_of
from trialimg.documents.casebook import Change
from trialimg.store.audit import AuditRecord, AuditValue
from trialimg.store.base import db
from trialimg.store.casebook import CheckFinding, FormRecord, ItemValue
from trialimg.store.imaging import ImagingStudy, Slot, Submission
from trialimg.store.reading import Read, ReadSignature, ReadVersion
from trialimg.store.subject import Visit

Key = TypeVar("Key")
_AT_ONCE: Final = 500
TOLD: Final[Mapping[str, frozenset[str]]] = {
    "subject": frozenset({"number", "site_id", "birth_year", "sex"}),
    "visit": frozenset({"date", "not_done_reason"}),
    "form_record": frozenset({"state", "marked_complete"}),
    "item_value": frozenset({"value"}),
    "check_finding": frozenset({"sentence", "state", "answer"}),
    "slot": frozenset({"not_done_reason"}),
    "submission": frozenset({"stage"}),
    "imaging_study": frozenset({"study_instance_uid", "state", "state_reason", "instance_count", "held_count"}),
    "read": frozenset({"state", "version", "basis_sentence", "void_reason"}),
    "read_version": frozenset({"revision", "state"}),
    "read_signature": frozenset({"name", "meaning", "content_sha256", "superseded_why"}),
}
"""The columns a reader of a casebook asks about; the rest are keys and counters of the program's own."""
_BLINDABLE: Final = frozenset({"item_value", "check_finding"})
_OF_READS: Final = frozenset({"read", "read_version", "read_signature"})
_STATUS_OF_READS: Final = frozenset(
    {"", "*", "state", "version", "revision", "basis_sentence", "void_reason", "visit_id"}
)
"""What of a read the trial's team may know whoever they are; the rest is for the roles that ``reading.yaml`` names."""


@dataclass(frozen=True)
class Told:
    """One record with its table, row and column beside the words."""

    change: Change
    table: str
    row: str
    column: str


def _batches(many: Sequence[Key]) -> Iterator[Sequence[Key]]:
    return (many[start : start + _AT_ONCE] for start in range(0, len(many), _AT_ONCE))


def rows_of(subject_id: str) -> dict[str, tuple[str, ...]]:
    """Give the keys of every row of a subject by table; rows of the record are never deleted."""
    visits = select(Visit.id).where(Visit.subject_id == subject_id)
    forms = select(FormRecord.id).where(FormRecord.visit_id.in_(visits))
    reads = select(Read.id).where(Read.subject_id == subject_id)
    versions = select(ReadVersion.id).where(ReadVersion.read_id.in_(reads))
    queries: dict[str, Select[Any]] = {
        "visit": visits,
        "form_record": forms,
        "item_value": select(ItemValue.id).where(ItemValue.form_record_id.in_(forms)),
        "check_finding": select(CheckFinding.id).where(CheckFinding.form_record_id.in_(forms)),
        "slot": select(Slot.id).where(Slot.visit_id.in_(visits)),
        "submission": select(Submission.id).where(Submission.subject_id == subject_id),
        "imaging_study": select(ImagingStudy.id).where(ImagingStudy.subject_id == subject_id),
        "read": reads,
        "read_version": versions,
        "read_signature": select(ReadSignature.id).where(ReadSignature.read_version_id.in_(versions)),
    }
    return {"subject": (subject_id,), **{table: tuple(db.session.scalars(q)) for table, q in queries.items()}}


def numbers_of(place: Place, *, whole: bool = False) -> list[int]:
    """Give the numbers of a subject's records in the trial's chain, in order; ``whole`` takes every column."""
    found: list[int] = []
    for table, rows in rows_of(place.subject_id).items():
        for some in _batches(rows):
            wanted = (
                select(AuditRecord.number, AuditRecord.column_name)
                .outerjoin(AuditValue, AuditValue.record_id == AuditRecord.id)
                .where(
                    AuditRecord.chain == place.trial_id, AuditRecord.table_name == table, AuditRecord.row_id.in_(some)
                )
            )
            if not whole:  # a new row's empty columns say nothing
                wanted = wanted.where(
                    (AuditRecord.action != "insert") | (func.coalesce(AuditValue.new, "redacted") != "")
                )
            found += [n for n, column in db.session.execute(wanted) if whole or column in {"", "*", *TOLD[table]}]
    return sorted(found)


def told(person: Person, place: Place, numbers: Sequence[int]) -> Iterator[Told]:
    """Give records by their numbers, what this person is blinded to left out of them."""
    readers = None if may_see_values(person, place) else readers_of(place.subject_id)
    for some in _batches(numbers):
        wanted = (
            select(AuditRecord, AuditValue)
            .outerjoin(AuditValue, AuditValue.record_id == AuditRecord.id)
            .where(AuditRecord.chain == place.trial_id, AuditRecord.number.in_(some))
            .order_by(AuditRecord.number)
        )
        rows = [(record, value) for record, value in db.session.execute(wanted)]
        words = words_of([record for record, _ in rows])
        hidden = hidden_rows(person, place, {r.row_id for r, _ in rows if r.table_name in _BLINDABLE})
        for record, value in rows:
            change = _change(record, value, words, hidden)
            if readers is not None and record.table_name in _OF_READS:
                change = _without_values(change, record, readers)
            yield Told(change, record.table_name, record.row_id, record.column_name)


def _without_values(change: Change, record: AuditRecord, readers: Mapping[str, str]) -> Change:
    """Leave out what was read, by whom, and why it was reopened; how the read stands stays."""
    secret = record.column_name not in _STATUS_OF_READS
    anothers = "@" in record.actor and record.actor not in readers
    return replace(
        change,
        actor=readers.get(record.actor, change.actor),
        old=NOT_SHOWN if secret and change.old else change.old,
        new=NOT_SHOWN if secret and change.new else change.new,
        reason=NOT_SHOWN if change.reason and anothers else change.reason,
    )


def changes(person: Person, place: Place, numbers: Iterable[int]) -> Iterator[Change]:
    """Give the records as rows of an appendix."""
    return (each.change for each in told(person, place, tuple(numbers)))


def _change(record: AuditRecord, value: AuditValue | None, words: Mapping[str, str], hidden: frozenset[str]) -> Change:
    if value is None:
        old = new = "redacted" if record.old or record.new else ""
    elif record.row_id in hidden and record.column_name in TOLD[record.table_name]:
        old = new = NOT_SHOWN
    else:
        old, new = value.old or "", value.new or ""
    about = words.get(record.row_id, record.table_name).partition(" ")[2]
    what = record.column_name.replace("_", " ")
    return Change(
        number=record.number,
        at=f"{record.at:%Y-%m-%d %H:%M:%S}",
        actor=record.actor,
        about=about or record.table_name,
        what=what if what not in {"", "*"} else record.action,
        old=old,
        new=new,
        reason=record.reason,
    )
