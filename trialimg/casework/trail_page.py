"""The audit trail of a trial as people read it: filtered, paged, each row by the words it is known by."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, func, literal, not_, or_, select

from trialimg.casework.access import Person, Place
from trialimg.casework.blinding import hidden_rows
from trialimg.casework.definition import current_definition
from trialimg.casework.read_results import shows_values
from trialimg.domain.permission import Permission
from trialimg.domain.reading_design import ReadingDesign
from trialimg.errors import BadDefinition, NotFound
from trialimg.store.account import Account, AccountGrant
from trialimg.store.audit import AuditRecord, AuditValue
from trialimg.store.base import db
from trialimg.store.casebook import CheckFinding, FormRecord, ItemValue
from trialimg.store.imaging import ImagingStudy, Slot, Submission
from trialimg.store.reading import Read, ReadSignature, ReadVersion
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import Site

PER_PAGE: Final = 50
_VALUES_OF_FORMS: Final = frozenset({"item_value", "check_finding", "subject"})
"""Tables whose values only somebody who may see the values of forms reads."""


_VALUES_OF_READS: Final = frozenset({"read_version", "read_signature", "reading_code"})
"""Tables whose values only the roles read that the trial's reading design names: a site's would be biased by them."""


@dataclass(frozen=True)
class TrailLine:
    """One record. ``hidden`` says that its values are not for this person, ``redacted`` that they are gone."""

    number: int
    at: datetime
    actor: str
    action: str
    table: str
    row: str
    about: str
    column: str
    old: str | None
    new: str | None
    reason: str
    hidden: bool
    redacted: bool


@dataclass(frozen=True)
class TrailPage:
    """One page of the trail, the newest record first."""

    lines: tuple[TrailLine, ...]
    page: int
    pages: int
    total: int
    tables: tuple[str, ...]


@dataclass(frozen=True)
class TrailFilter:
    """What is looked for; empty is everybody and everything.

    Without ``technical`` the keys of rows, and columns that a new row left empty, are passed over.
    """

    subject: str = ""
    table: str = ""
    actor: str = ""
    row: str = ""
    technical: bool = False


def trail_page(person: Person, place: Place, looked_for: TrailFilter, page: int = 1) -> TrailPage:
    """Give a page of the trail of a trial; the trial's own chain only."""
    mine = AuditRecord.chain == place.trial_id
    wanted = [mine, *_conditions(place, looked_for)]
    counted = select(func.count(AuditRecord.id)).outerjoin(AuditValue, AuditValue.record_id == AuditRecord.id)
    total = db.session.scalar(counted.where(*wanted)) or 0
    pages = max(1, math.ceil(total / PER_PAGE))
    page = min(max(1, page), pages)
    rows = db.session.execute(
        select(AuditRecord, AuditValue)
        .outerjoin(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(*wanted)
        .order_by(AuditRecord.number.desc())
        .limit(PER_PAGE)
        .offset((page - 1) * PER_PAGE)
    ).all()
    words = words_of([record for record, _ in rows])
    unseen = _unseen_tables(person, place)
    blinded = hidden_rows(person, place, {record.row_id for record, _ in rows if record.table_name in _VALUES_OF_FORMS})
    tables = db.session.scalars(select(AuditRecord.table_name).where(mine).distinct().order_by(AuditRecord.table_name))
    lines = tuple(
        _line(record, value, words, hidden=record.table_name in unseen or record.row_id in blinded)
        for record, value in rows
    )
    return TrailPage(lines, page, pages, total, tuple(tables))


def _unseen_tables(person: Person, place: Place) -> frozenset[str]:
    """Give the tables whose values this person may not see at all."""
    unseen = frozenset() if person.may(Permission.SEE_DATA, place) else _VALUES_OF_FORMS
    try:
        design = ReadingDesign.of(current_definition(place.trial_id))
    except (NotFound, BadDefinition):
        return unseen | _VALUES_OF_READS  # no design names anybody
    return unseen if shows_values(person, place.trial_id, design) else unseen | _VALUES_OF_READS


def _line(record: AuditRecord, value: AuditValue | None, words: dict[str, str], *, hidden: bool) -> TrailLine:
    shown = value if not hidden else None
    return TrailLine(
        number=record.number,
        at=record.at,
        actor=record.actor,
        action=record.action,
        table=record.table_name,
        row=record.row_id,
        about=words.get(record.row_id, ""),
        column=record.column_name,
        old=shown.old if shown else None,
        new=shown.new if shown else None,
        reason=record.reason,
        hidden=hidden,
        redacted=value is None and bool(record.old or record.new),
    )


def _conditions(place: Place, looked_for: TrailFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if looked_for.table:
        found.append(AuditRecord.table_name == looked_for.table)
    if looked_for.actor:
        found.append(AuditRecord.actor == looked_for.actor.strip().lower())
    if looked_for.row:
        found.append(AuditRecord.row_id == looked_for.row)
    if looked_for.subject:
        found.append(_about_subject(place, looked_for.subject.strip()))
    if not looked_for.technical:
        left_empty = and_(AuditRecord.action == "insert", func.coalesce(AuditValue.new, "x") == "")
        key = or_(AuditRecord.column_name == "id", AuditRecord.column_name.like("%\\_id", escape="\\"))
        found += [not_(left_empty), not_(key)]
    return found


def _about_subject(place: Place, number: str) -> ColumnElement[bool]:
    """Match the rows of one subject, those too that are no longer in their table."""
    subject = select(Subject.id).where(Subject.trial_id == place.trial_id, Subject.number == number)
    visits = select(Visit.id).where(Visit.subject_id.in_(subject))
    forms = select(FormRecord.id).where(FormRecord.visit_id.in_(visits))
    reads = select(Read.id).where(Read.subject_id.in_(subject))
    versions = select(ReadVersion.id).where(ReadVersion.read_id.in_(reads))
    removed = (
        select(AuditRecord.row_id)
        .join(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(AuditRecord.column_name == "form_record_id", AuditValue.new.in_(forms))
    )
    parts = [
        subject,
        visits,
        forms,
        select(ItemValue.id).where(ItemValue.form_record_id.in_(forms)),
        select(CheckFinding.id).where(CheckFinding.form_record_id.in_(forms)),
        select(Slot.id).where(Slot.visit_id.in_(visits)),
        select(Submission.id).where(Submission.subject_id.in_(subject)),
        select(ImagingStudy.id).where(ImagingStudy.subject_id.in_(subject)),
        reads,
        versions,
        select(ReadSignature.id).where(ReadSignature.read_version_id.in_(versions)),
        removed,
    ]
    return or_(*(AuditRecord.row_id.in_(part) for part in parts))


_OF_FORM = (Subject.number, Visit.key, FormRecord.form_key)
_OF_READ = (Subject.number, Visit.key)
_KNOWN_BY: Final[dict[str, Any]] = {
    "subject": select(Subject.id, Subject.number),
    "visit": select(Visit.id, Subject.number, Visit.key).join(Visit.subject),
    "form_record": select(FormRecord.id, *_OF_FORM).join(FormRecord.visit).join(Visit.subject),
    "item_value": select(ItemValue.id, *_OF_FORM, ItemValue.item_key)
    .join(ItemValue.form_record)
    .join(FormRecord.visit)
    .join(Visit.subject),
    "check_finding": select(CheckFinding.id, *_OF_FORM, CheckFinding.check_key)
    .join(CheckFinding.form_record)
    .join(FormRecord.visit)
    .join(Visit.subject),
    "slot": select(Slot.id, Subject.number, Visit.key, Slot.key).join(Slot.visit).join(Visit.subject),
    "submission": select(Submission.id, Subject.number, Visit.key, Slot.key)
    .join(Submission.slot)
    .join(Slot.visit)
    .join(Visit.subject),
    "imaging_study": select(ImagingStudy.id, Subject.number).join(ImagingStudy.subject),
    "read": select(Read.id, *_OF_READ, literal("read")).join(Read.subject).join(Read.visit),
    "read_version": select(ReadVersion.id, *_OF_READ, literal("read version"), ReadVersion.version)
    .join(ReadVersion.read)
    .join(Read.subject)
    .join(Read.visit),
    "read_signature": select(ReadSignature.id, *_OF_READ, literal("signature of version"), ReadVersion.version)
    .join(ReadSignature.read_version)
    .join(ReadVersion.read)
    .join(Read.subject)
    .join(Read.visit),
    "site": select(Site.id, Site.code),
    "account": select(Account.id, Account.email),
    "account_grant": select(AccountGrant.id, Account.email, AccountGrant.role).join(AccountGrant.account),
}
"""For each table a row's key and the words by which people know the row."""


def words_of(records: Iterable[AuditRecord]) -> dict[str, str]:
    """Give the words by which people know the rows of some records, as far as the rows still exist."""
    rows: dict[str, set[str]] = {}
    for record in records:
        rows.setdefault(record.table_name, set()).add(record.row_id)
    found: dict[str, str] = {}
    for table in rows.keys() & _KNOWN_BY.keys():
        query = _KNOWN_BY[table]
        key = next(iter(query.selected_columns))
        for row, *words in db.session.execute(query.where(key.in_(rows[table]))):
            found[row] = " ".join(str(word) for word in words)
    return found
