"""What became of each value of a form: old, new, who, when and why, from the audit trail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from trialimg.casework.access import Place
from trialimg.casework.form_values import find_record, label_of, open_casebook
from trialimg.store.audit import AuditRecord, AuditValue
from trialimg.store.base import db
from trialimg.store.casebook import FormRecord, ItemValue


@dataclass(frozen=True)
class ValueChange:
    """One change of one value; ``old`` is None where there was none, both where the values were redacted."""

    number: int
    at: datetime
    actor: str
    reason: str
    label: str
    place: tuple[str, str, str]
    old: str | None
    new: str | None
    redacted: bool
    hidden: bool = False


def values_before(record: FormRecord, rows: Iterable[ItemValue], revision: int) -> dict[str, str | None]:
    """Give what these values (by key of the row) were when the form had an earlier revision; None where unknown."""
    chain = record.visit.subject.trial_id
    saved = (
        select(AuditRecord.number, AuditRecord.at)
        .join(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(
            AuditRecord.chain == chain,
            AuditRecord.table_name == "form_record",
            AuditRecord.row_id == record.id,
            AuditRecord.column_name == "revision",
            AuditValue.new == str(revision),
        )
    )
    then = db.session.execute(saved).first()
    ids = [row.id for row in rows]
    if then is None:
        return dict.fromkeys(ids)
    number, at = then
    # All records of one unit of work stand together and have one time, the revision's own among them.
    wanted = (
        select(AuditRecord.row_id, AuditValue.new)
        .outerjoin(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(
            AuditRecord.chain == chain,
            AuditRecord.table_name == "item_value",
            AuditRecord.column_name == "value",
            AuditRecord.row_id.in_(ids),
            or_(AuditRecord.number < number, AuditRecord.at == at),
        )
        .order_by(AuditRecord.number)
    )
    changes = {row[0]: row[1] for row in db.session.execute(wanted)}  # the last one stays
    return {row_id: changes.get(row_id, "") for row_id in ids}


def form_history(place: Place, form_key: str, *, unseen: frozenset[str] = frozenset()) -> tuple[ValueChange, ...]:
    """Give every change of the values of a form, the newest first; removed rows are among them.

    ``unseen`` are items that stay hidden: that they changed is told, what they were is not.
    """
    book = open_casebook(db.session(), place.subject_id)
    record = find_record(book, place.visit_id, form_key)
    form, values = book.form(record), book.values(record)
    rows = {row.id: row for row in book.rows.get(record.id, ())}
    wanted = (
        select(AuditRecord, AuditValue)
        .outerjoin(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(
            AuditRecord.chain == place.trial_id,
            AuditRecord.table_name == "item_value",
            AuditRecord.column_name == "value",
            AuditRecord.row_id.in_(select(ItemValue.id).where(ItemValue.form_record_id == record.id)),
        )
        .order_by(AuditRecord.number.desc())
    )
    found = []
    for kept, value in db.session.execute(wanted):
        row = rows[kept.row_id]
        where = (row.group_key, row.repeat_key, row.item_key)
        group = form.group(row.group_key)
        item = group.item(row.item_key) if group else None
        hidden = row.item_key in unseen
        old, new = (item.label_of(text) if item and text else text for text in (
            (value.old, value.new) if value is not None and not hidden else (None, None)
        ))  # fmt: skip
        found.append(
            ValueChange(
                kept.number, kept.at, kept.actor, kept.reason, label_of(form, *where, values), where, old, new,
                redacted=value is None, hidden=hidden,
            )
        )  # fmt: skip
    return tuple(found)
