"""Forms filled: what a page posts is read whole, checked, and saved without loss, or not at all."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from trialimg.casework.access import Place
from trialimg.casework.blinding import refuse_blinded
from trialimg.casework.form_findings import (
    OPEN,
    UNFINISHED,
    FindingPlace,
    keep_findings,
    recheck,
    state_of,
    stored_findings,
    touched_by,
)
from trialimg.casework.form_values import (
    ONLY_ROW,
    Casebook,
    Values,
    find_record,
    label_of,
    lock_casebook,
    open_casebook,
    without,
)
from trialimg.domain.crf import FormDef, ItemDef
from trialimg.domain.edit_check import visible
from trialimg.domain.form_scope import FormValues
from trialimg.domain.form_scope import Place as ItemPlace
from trialimg.domain.item_value import Value, parse_value, tidy
from trialimg.errors import BadInput, Conflict, Stale
from trialimg.store.casebook import FormRecord, ItemValue
from trialimg.store.unit_of_work import UnitOfWork

LONGEST_VALUE: Final = 4000
"""Characters of any value that are stored even where they break the item's own limit."""
MOST_ROWS: Final = 1000
_ROW_KEY: Final = re.compile(r"[A-Za-z0-9]{1,32}")


@dataclass(frozen=True)
class Posted:
    """What a page sends back: the whole form as it was left, and the revision it was made from.

    ``values`` holds every row that is shown; an item that is not in it is blank. A new row has any key of up to
    32 letters and digits; the server gives it its own. ``removed`` names rows (group, row) to be removed,
    ``answers`` the reasons given for soft checks.
    """

    revision: int
    values: FormValues
    removed: frozenset[tuple[str, str]] = frozenset()
    answers: Mapping[FindingPlace, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SaveResult:
    """What became of it. Where ``saved`` is false nothing was changed: a reason is needed, or values are too long.

    ``changed`` and ``cleared`` are the labels of what was changed, and of what was cleared because it no longer
    applies; ``row_keys`` maps the keys of new rows to those they were given.
    """

    saved: bool
    revision: int
    state: str = ""
    marked_complete: bool = False
    unfinished: int = 0
    open_checks: int = 0
    changed: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    needs_reason: bool = False
    too_long: tuple[ItemPlace, ...] = ()
    row_keys: Mapping[tuple[str, str], str] = field(default_factory=dict)


def save_form(
    uow: UnitOfWork,
    place: Place,
    form_key: str,
    posted: Posted,
    *,
    complete: bool = False,
    clear_hidden: bool = False,
) -> SaveResult:
    """Save a form of the visit ``place`` names; the reason of a change to a complete form is the unit of work's.

    Values that fail a check are saved with an open finding. ``complete`` marks the form complete unless answers are
    missing or unreadable; ``clear_hidden`` clears what skip logic says is not asked. Raises :class:`Stale`,
    :class:`Conflict` (the visit is not done) and :class:`BadInput` (what does not fit the form, or a person blinded to
    part of it).
    """
    record, book = _load(uow, place, form_key)
    form = book.form(record)
    refuse_blinded(uow, place, form)
    if record.saved_at is None and posted.revision:
        raise BadInput("This page was made from what was never saved, so nothing was saved. Load it again and repeat.")
    if record.saved_at is not None and record.revision != posted.revision:
        raise Stale(
            f"{record.saved_by} saved this form at {record.saved_at:%Y-%m-%d %H:%M} UTC, after you opened it. "
            "Nothing of yours was saved yet. Below, their values are taken over where you typed nothing else; compare "
            "the rest and save again."
        )
    if book.visits[record.visit_id].not_done_reason:
        raise Conflict("This visit is marked not done, so its forms take no data. Take that back first.")
    old = book.values(record)
    typed = arranged(form, posted)
    _refuse_lost_rows(form, old, typed, posted.removed)
    too_long = tuple(place for place, item, text in _each(form, typed) if len(text) > longest(item))
    if too_long:
        return SaveResult(saved=False, revision=record.revision, too_long=too_long)
    keys = _row_keys(old, typed)
    new = _normal(form, _renamed(typed, keys))
    new, hidden = _clear(form, book, record, new) if clear_hidden else (new, ())
    changed = _differences(form, old, new)
    if record.marked_complete and changed and not uow.reason.strip():
        labels = tuple(label_of(form, *p, new) for p in sorted(changed))
        return SaveResult(saved=False, revision=record.revision, needs_reason=True, changed=labels)
    answers = {(c, g, keys.get((g, r), r), i): text for (c, g, r, i), text in posted.answers.items()}
    return _write(uow, book, record, _Change(form, old, new, changed, hidden, answers, keys, complete))


@dataclass(frozen=True)
class _Change:
    form: FormDef
    old: Values
    new: Values
    changed: frozenset[ItemPlace]
    hidden: tuple[ItemPlace, ...]
    answers: Mapping[FindingPlace, str]
    keys: Mapping[tuple[str, str], str]
    complete: bool


def _write(uow: UnitOfWork, book: Casebook, record: FormRecord, change: _Change) -> SaveResult:
    found = book.check(record, change.new, book.context(record, {record.id: change.new}))
    unfinished = sum(f.check_key in UNFINISHED for f in found)
    was = (record.marked_complete, record.state)
    record.marked_complete = (change.complete or record.marked_complete) and not unfinished
    _write_values(uow, book, record, change)
    touched = touched_by(book, record, found, change.changed)
    stored = stored_findings(uow, [record.id])[record.id]
    standing = keep_findings(uow, record, stored, found, answers=change.answers, touched=touched)
    record.state = state_of(record, change.new, standing)
    answered = any(each in uow.session.new or uow.session.is_modified(each) for each in (*stored, *standing))
    if change.changed or answered or was != (record.marked_complete, record.state):
        record.revision += 1
        record.saved_at, record.saved_by = uow.at, uow.actor.name
    if change.changed:
        recheck(uow, book.subject.id, after=record)
    return SaveResult(
        saved=True,
        revision=record.revision,
        state=record.state,
        marked_complete=record.marked_complete,
        unfinished=unfinished,
        open_checks=sum(each.state == OPEN for each in standing),
        changed=tuple(label_of(change.form, *p, change.new) for p in sorted(change.changed)),
        cleared=tuple(label_of(change.form, *p, change.new) for p in change.hidden),
        row_keys=change.keys,
    )


def _load(uow: UnitOfWork, place: Place, form_key: str) -> tuple[FormRecord, Casebook]:
    # Of those who save one page at one moment the later ones are stale.
    lock_casebook(uow.session, place.subject_id)
    book = open_casebook(uow.session, place.subject_id)
    return find_record(book, place.visit_id, form_key), book


def longest(item: ItemDef) -> int:
    """Give how many characters of a value are stored at most."""
    return max(LONGEST_VALUE, item.max_length)


def arranged(form: FormDef, posted: Posted) -> Values:
    """Arrange what was posted as the form's values; raises :class:`BadInput` for what the form does not know."""
    unfit = BadInput("What was sent does not fit this form, so nothing was saved. Load the page again and repeat.")
    typed: Values = {group.key: {} if group.repeating else {ONLY_ROW: {}} for group in form.groups}
    for group_key, rows in posted.values.items():
        group = form.group(group_key)
        if group is None or len(rows) > (MOST_ROWS if group.repeating else 1):
            raise unfit
        known = {item.key for item in group.items if item.kind != "imaging"}
        for key, row in rows.items():
            if not known.issuperset(row) or (group.repeating and not _ROW_KEY.fullmatch(key)):
                raise unfit
            if (group_key, key) not in posted.removed:
                typed[group_key][key if group.repeating else ONLY_ROW] = dict(row)
    if any(form.group(group) is None for group, _ in posted.removed):
        raise unfit
    return typed


def _refuse_lost_rows(form: FormDef, old: Values, typed: Values, removed: frozenset[tuple[str, str]]) -> None:
    """Refuse a page that arrived without rows it was made with: they would be taken for removed."""
    for group in form.groups:
        lost = [key for key in old[group.key] if key not in typed[group.key] and (group.key, key) not in removed]
        if group.repeating and lost:
            raise BadInput(
                f"The page arrived without rows of “{group.title}” that it was made with, so nothing was saved. "
                "Go back, look whether it is whole, and save again; to remove a row use its own button."
            )


def _row_keys(old: Values, typed: Values) -> dict[tuple[str, str], str]:
    return {
        (group, key): secrets.token_hex(8)
        for group, rows in typed.items()
        for key in rows
        if key != ONLY_ROW and key not in old[group]
    }


def _renamed(typed: Values, keys: Mapping[tuple[str, str], str]) -> Values:
    return {g: {keys.get((g, key), key): row for key, row in rows.items()} for g, rows in typed.items()}


def _each(form: FormDef, values: FormValues) -> list[tuple[ItemPlace, ItemDef, str]]:
    return [
        ((group.key, key, item.key), item, row.get(item.key, ""))
        for group in form.groups
        for key, row in values.get(group.key, {}).items()
        for item in group.items
    ]


def normal(item: ItemDef, text: str) -> str:
    """Give a value in the one way it is stored; what cannot be read stays as it was typed."""
    text = tidy(text.replace("\0", "\N{REPLACEMENT CHARACTER}"))
    read = parse_value(item, text) if text else None
    return read.text if isinstance(read, Value) else text


def _normal(form: FormDef, values: Values) -> Values:
    found: Values = {group.key: {key: {} for key in values[group.key]} for group in form.groups}
    for (group, key, item_key), item, text in _each(form, values):
        if item.kind != "imaging":
            found[group][key][item_key] = normal(item, text)
    return found


def hidden_places(form: FormDef, book: Casebook, record: FormRecord, values: FormValues) -> tuple[ItemPlace, ...]:
    """Give the places that hold a value although skip logic does not ask for it."""
    asked = visible(form, values, book.context(record, {record.id: values}))
    return tuple(place for place, _, text in _each(form, values) if text.strip() and place not in asked)


def _clear(form: FormDef, book: Casebook, record: FormRecord, values: Values) -> tuple[Values, tuple[ItemPlace, ...]]:
    cleared: tuple[ItemPlace, ...] = ()
    while places := hidden_places(form, book, record, values):  # what hangs on a cleared value is cleared too
        cleared += places
        values = without(values, places)
    return values, cleared


def _differences(form: FormDef, old: Values, new: Values) -> frozenset[ItemPlace]:
    places = {place for values in (old, new) for place, item, _ in _each(form, values) if item.kind != "imaging"}
    return frozenset(
        (g, key, item)
        for g, key, item in places
        if old[g].get(key, {}).get(item, "") != new[g].get(key, {}).get(item, "")
    )


def _write_values(uow: UnitOfWork, book: Casebook, record: FormRecord, change: _Change) -> None:
    stored = {(v.group_key, v.repeat_key, v.item_key): v for v in book.rows.get(record.id, ())}
    numbers = {(v.group_key, v.repeat_key): v.row_number for v in stored.values()}
    units = {item.key: item.unit for _, item in change.form.items()}
    last = max(numbers.values(), default=0)
    for group in change.form.groups:
        for key in change.new[group.key]:
            if key != ONLY_ROW and (group.key, key) not in numbers:
                last += 1
                numbers[group.key, key] = last
    for place in sorted(change.changed):
        group_key, key, item_key = place
        text = change.new[group_key].get(key, {}).get(item_key, "")
        row = stored.get(place)
        if row is None:
            row = ItemValue(form_record_id=record.id, group_key=group_key, repeat_key=key, item_key=item_key)
            row.row_number = numbers.get((group_key, key), 0)
            uow.session.add(row)
        row.value, row.unit = text, units.get(item_key, "") if text else ""
        row.revision = record.revision + 1
