"""What a form says about the values on it: skip logic, required, kinds, limits, checks between items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from trialimg.domain.crf import CheckDef, FormDef, GroupDef, ItemDef
from trialimg.domain.expression import parse
from trialimg.domain.expression_tree import Constant, Join, Membership, Node, Operation, Reference
from trialimg.domain.form_scope import Context, FormScope, FormValues, Place, Row, rows_of
from trialimg.domain.item_value import Finding, Value, limits_of, parse_value
from trialimg.domain.partial_date import PartialDate

_NOWHERE: Final = Context()


def visible(form: FormDef, values: FormValues, context: Context = _NOWHERE) -> frozenset[Place]:
    """Give the places (group, repeat key, item) that are asked now, those of rows still blank included."""
    scope = FormScope(form, values, context)
    return frozenset(
        (group.key, key, item.key)
        for group in form.groups
        for key, _ in rows_of(group, values, blank=True)
        for item in group.items
        if scope.in_row(group.key, key).shows(group, item)
    )


def evaluate(form: FormDef, values: FormValues, context: Context = _NOWHERE) -> list[Finding]:
    """Check a form and give every finding in the order of the form, those between items last.

    Nothing is changed or lost: a value with a finding stays as it was typed. What is missing or cannot be
    read makes a check silent, not true.
    """
    scope = FormScope(form, values, context)
    findings: list[Finding] = []
    for group in form.groups:
        rows = rows_of(group, values)
        if group.repeating and scope.shows(group):
            findings.extend(_count_rows(group, len(rows)))
        for key, row in rows:
            here = scope.in_row(group.key, key)
            for item in group.items:
                findings.extend(found.at(group.key, key) for found in _look_at(item, group, row, here))
    for check in form.checks:
        findings.extend(_cross_check(check, form, scope))
    return findings


def reveal(show_if: str) -> tuple[str, tuple[str, ...]] | None:
    """Give item and codes where skip logic is as simple as ITEM == "A", ITEM in (…) or an *or* of these.

    A page can then open and close the question by itself; None is for the server to work out.
    """
    found = _reveal(parse(show_if)) if show_if else None
    return found if found and "." not in found[0] else None


def _reveal(node: Node) -> tuple[str, tuple[str, ...]] | None:
    match node:
        case Operation("==", Reference() as item, Constant() as code):
            return item.text, (str(code.value),)
        case Membership(Reference() as item, options, negated=False):
            codes = tuple(str(option.value) for option in options if isinstance(option, Constant))
            return (item.text, codes) if len(codes) == len(options) else None
        case Join("or", sides):
            parts = [_reveal(side) for side in sides]
            whole = [part for part in parts if part is not None]
            if len(whole) == len(parts) and len({item for item, _ in whole}) == 1:
                return whole[0][0], tuple(code for _, codes in whole for code in codes)
    return None


def _count_rows(group: GroupDef, count: int) -> Iterator[Finding]:
    if count < group.min_rows:
        rows = "row" if group.min_rows == 1 else "rows"
        yield Finding("rows", f"“{group.title}” needs at least {group.min_rows} {rows}.", "hard", group=group.key)
    if group.max_rows and count > group.max_rows:
        rows = "row" if group.max_rows == 1 else "rows"
        yield Finding("rows", f"“{group.title}” takes at most {group.max_rows} {rows}.", "hard", group=group.key)


def _look_at(item: ItemDef, group: GroupDef, row: Row, scope: FormScope) -> Iterator[Finding]:
    text = row.get(item.key, "")
    if item.kind == "imaging" and not text.strip():
        return
    if not scope.shows(group, item):
        if text.strip():
            sentence = (
                f"“{item.label}” does not apply after the other answers, but it is answered. "
                "Clear it, or correct the answer it depends on."
            )
            yield Finding("not_applicable", sentence, "hard", item.key)
        return
    if not text.strip():
        if item.required:
            yield Finding("required", f"“{item.label}” needs an answer.", "hard", item.key)
        return
    value = parse_value(item, text)
    if isinstance(value, Finding):
        yield value
        return
    yield from limits_of(item, value)
    yield from _future(item, value, scope)


def _future(item: ItemDef, value: Value, scope: FormScope) -> Iterator[Finding]:
    day, today = value.typed, scope.today
    if isinstance(day, PartialDate) and today and not item.future and day.earliest > today:
        yield Finding("future", f"“{item.label}” must not lie in the future.", "hard", item.key)


def _cross_check(check: CheckDef, form: FormDef, scope: FormScope) -> Iterator[Finding]:
    found = form.find(check.item)
    if found is None:
        return
    group, item = found
    for key, _ in rows_of(group, scope.values):
        here = scope.in_row(group.key, key)
        if here.shows(group, item) and here.holds(check.must) is False:
            yield Finding(check.key, check.message, check.severity, check.item, group.key, key)
