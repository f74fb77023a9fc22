"""What became of each value of a form: old, new, who, when and why, from the audit trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from trialimg.casework.access import Place
from trialimg.casework.form_values import find_record, label_of, open_casebook
from trialimg.store.audit import AuditRecord, AuditValue
from trialimg.store.base import db
from trialimg.store.casebook import ItemValue


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


def form_history(place: Place, form_key: str) -> tuple[ValueChange, ...]:
    """Give every change of the values of a form, the newest first; removed rows are among them."""
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
        old, new = (item.label_of(text) if item and text else text for text in (
            (value.old, value.new) if value is not None else (None, None)
        ))  # fmt: skip
        found.append(
            ValueChange(
                kept.number, kept.at, kept.actor, kept.reason, label_of(form, *where, values), where, old, new,
                redacted=value is None,
            )
        )  # fmt: skip
    return tuple(found)
