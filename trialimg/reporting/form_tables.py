"""One table a form: its columns from every version of the definition, and its rows from a subject's values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from trialimg.casework.form_values import Casebook, Values
from trialimg.documents.tables import Column, Kind
from trialimg.domain.crf import FormDef, GroupDef, ItemDef
from trialimg.domain.edit_check import visible
from trialimg.domain.trial import TrialDefinition
from trialimg.store.casebook import FormRecord

_KINDS: dict[str, Kind] = {
    "text": "text", "number": "number", "date": "date", "partial_date": "partial date", "choice": "code",
    "yes_no": "yes/no",
}  # fmt: skip
WHERE = (
    Column("site", "Site"),
    Column("subject", "Subject number"),
    Column("visit", "Visit"),
    Column("visit_date", "Date of the visit", "date"),
)
"""The columns every table of forms begins with."""
_OWN = (
    Column("form_version", "Version of the form"),
    Column("form_state", "State of the form", "code"),
    Column("group", "Group of items this row belongs to"),
    Column("row", "Number of the entry in a repeating group", "number"),
)
_AFTER = (
    Column("missing", "Items that are asked and not answered"),
    Column("not_asked", "Items that other answers rule out"),
)


def columns_of(definitions: Iterable[TrialDefinition], form_key: str, hidden: frozenset[str]) -> tuple[Column, ...]:
    """Give the columns of a form over all versions, the newest last; hidden items have none."""
    found: dict[str, Column] = {}
    for rules in definitions:
        form = rules.forms.get(form_key)
        for group, item in form.items() if form is not None else ():
            if item.key in hidden or item.kind == "imaging":
                continue
            for column in _item_columns(form_key, group, item):
                known = found.get(column.name)
                versions = f"{known.versions}, {rules.version}" if known else rules.version
                found[column.name] = replace(column, versions=versions)
    return (*WHERE, *_OWN, *found.values(), *_AFTER)


def _item_columns(form_key: str, group: GroupDef, item: ItemDef) -> Iterator[Column]:
    codes = tuple((choice.code, choice.label) for choice in item.choices)
    note = f"CDASH variable {item.variable}" if item.variable else ""
    unit = item.unit if item.unit != "1" else ""
    yield Column(
        item.key, item.label, _KINDS[item.kind], unit, item.unit_code, codes, form_key, group.key, note=note
    )  # fmt: skip
    if codes:
        yield Column(f"{item.key}_DECODE", f"{item.label} (meaning)", form=form_key, group=group.key)
    if unit:
        yield Column(f"{item.key}_UNIT", f"{item.label} (unit)", form=form_key, group=group.key)


def rows_of(book: Casebook, record: FormRecord, form: FormDef, hidden: frozenset[str]) -> Iterator[dict[str, object]]:
    """Give the rows of one form of one visit: one for each group, of a repeating group one for each entry."""
    values = book.values(record)
    shown = visible(form, values, book.context(record))
    begin: dict[str, object] = {"form_version": record.form_version, "form_state": record.state}
    for group in form.groups:
        for number, (key, row) in enumerate(values.get(group.key, {}).items(), 1):
            made = {**begin, "group": group.key, "row": number if group.repeating else None}
            yield made | _cells(group, row, hidden) | _silent(group, key, values, shown, hidden)


def _cells(group: GroupDef, row: dict[str, str], hidden: frozenset[str]) -> dict[str, object]:
    cells: dict[str, object] = {}
    for item in group.items:
        text = row.get(item.key, "")
        if not text or item.key in hidden:
            continue
        cells[item.key] = text
        cells[f"{item.key}_DECODE"] = item.label_of(text) if item.choices else None
        cells[f"{item.key}_UNIT"] = item.unit if item.unit != "1" else None
    return cells


def _silent(
    group: GroupDef, key: str, values: Values, shown: frozenset[tuple[str, str, str]], hidden: frozenset[str]
) -> dict[str, object]:
    row = values[group.key][key]
    silent = [i.key for i in group.items if i.kind != "imaging" and i.key not in hidden and not row.get(i.key)]
    asked = [item for item in silent if (group.key, key, item) in shown]
    return {"missing": " ".join(asked), "not_asked": " ".join(item for item in silent if item not in asked)}
