"""What an expression comes to, given the values it speaks of; None is *unknown*, and not false."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, DecimalException
from typing import Protocol

from trialimg.domain.expression_tree import (
    Ambient,
    Call,
    Constant,
    Join,
    Membership,
    Missing,
    Negation,
    Node,
    Operation,
    Reference,
)
from trialimg.domain.partial_date import PartialDate

Value = Decimal | str | PartialDate | bool | None
"""A number, a code or text, a date, an answer, or nothing known."""


class Scope(Protocol):
    """Where names get their values from."""

    @property
    def today(self) -> date | None:
        """The day the form is looked at."""

    @property
    def visit(self) -> str:
        """The key of the visit that the form belongs to, blank where it is not known."""

    def value(self, parts: tuple[str, ...]) -> Value:
        """The value of an item, None where it is missing or cannot be read."""

    def rows(self, group: str) -> Sequence[Scope]:
        """One scope for each filled row of a group, in order."""


def holds(tree: Node, scope: Scope) -> bool | None:
    """Say whether the expression is true, false, or cannot be known yet."""
    return _truth(value_of(tree, scope))


def value_of(node: Node, scope: Scope) -> Value:
    """Work out one part of an expression."""
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, Reference):
        return scope.value(node.parts)
    if isinstance(node, Ambient):
        today = PartialDate.of(scope.today) if scope.today else None
        return today if node.name == "today" else scope.visit or None
    return _compound(node, scope)


def _compound(node: Node, scope: Scope) -> Value:
    value: Value = None
    match node:
        case Join():
            value = _join(node, scope)
        case Operation():
            value = _operate(node.operator, value_of(node.left, scope), value_of(node.right, scope))
        case Membership():
            value = _member(node, scope)
        case Missing():
            value = (value_of(node.operand, scope) is None) != node.negated
        case Negation(operator="not"):
            value = _not(_truth(value_of(node.operand, scope)))
        case Negation():
            value = _calculate("-", Decimal(0), _number(value_of(node.operand, scope)))
        case Call(group=""):
            value = _function(node.name, [value_of(each, scope) for each in node.arguments])
        case Call():
            value = _over_rows(node, scope)
    return value


def _truth(value: Value) -> bool | None:
    """Take Y and N, the answers of a yes/no item, as true and false, so that an item can stand alone."""
    if isinstance(value, bool):
        return value
    return {"Y": True, "N": False}.get(value) if isinstance(value, str) else None


def _not(answer: bool | None) -> bool | None:  # noqa: FBT001 - an answer is what it denies
    return None if answer is None else not answer


def _number(value: Value) -> Decimal | None:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str):
        try:
            return Decimal(value)
        except DecimalException:
            return None
    return None


def _date(value: Value) -> PartialDate | None:
    if isinstance(value, str):
        return PartialDate.parse(value)
    return value if isinstance(value, PartialDate) else None


def _join(node: Join, scope: Scope) -> bool | None:
    """Kleene's and/or: a side that decides does so even when the others are unknown."""
    return _decide([value_of(side, scope) for side in node.sides], deciding=node.operator == "or")


def _decide(values: Sequence[Value], *, deciding: bool) -> bool | None:
    answers = [_truth(value) for value in values]
    if deciding in answers:
        return deciding
    return None if None in answers else not deciding


def _member(node: Membership, scope: Scope) -> bool | None:
    value = value_of(node.operand, scope)
    answers = [_operate("==", value, value_of(option, scope)) for option in node.options]
    if any(answer is True for answer in answers):
        found: bool | None = True
    else:
        found = None if None in answers else False
    return _not(found) if node.negated else found


def _operate(operator: str, left: Value, right: Value) -> Value:
    if left is None or right is None:
        return None
    if operator in ("+", "-", "*", "/"):
        return _calculate(operator, _number(left), _number(right))
    if operator == "==":
        return _equal(left, right)
    if operator == "!=":
        return _not(_equal(left, right))
    if operator in (">", "<="):
        left, right = right, left
    smaller = _smaller(left, right)
    return smaller if operator in ("<", ">") else _not(smaller)


def _calculate(operator: str, left: Decimal | None, right: Decimal | None) -> Decimal | None:
    if left is None or right is None:
        return None
    try:
        match operator:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case _:
                return left / right
    except DecimalException:  # by nothing, or beyond what a number can hold
        return None


def _equal(left: Value, right: Value) -> bool | None:
    if isinstance(left, bool) or isinstance(right, bool):
        return _truth(left) == _truth(right)
    if isinstance(left, PartialDate) or isinstance(right, PartialDate):
        first, second = _date(left), _date(right)
        return False if first is None or second is None else first.same(second)
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _number(left) is not None and _number(left) == _number(right)
    return left == right


def _smaller(left: Value, right: Value) -> bool | None:
    if isinstance(left, PartialDate) or isinstance(right, PartialDate):
        first, second = _date(left), _date(right)
        return None if first is None or second is None else first.before(second)
    one, other = _number(left), _number(right)
    return None if one is None or other is None else one < other


def _function(name: str, values: Sequence[Value]) -> Value:
    if name == "abs":
        number = _number(values[0])
        return None if number is None else abs(number)
    dates = [_date(value) for value in values]
    if name == "year":
        day = dates[0]
        return None if day is None else Decimal(day.earliest.year)
    first, second = dates
    if first is None or second is None or not (first.is_full and second.is_full):
        return None
    start, end = first.earliest, second.earliest
    if name == "days":
        return Decimal((end - start).days)
    not_yet = (end.month, end.day) < (start.month, start.day)
    return Decimal(end.year - start.year - not_yet)


def _over_rows(node: Call, scope: Scope) -> Value:
    rows = scope.rows(node.group)
    if not node.arguments:
        return Decimal(len(rows))
    values = [value_of(node.arguments[0], row) for row in rows]
    if node.name in ("any", "all"):
        return _decide(values, deciding=node.name == "any")
    if node.name == "count":
        return Decimal([_truth(value) for value in values].count(True))
    return _summary(node.name, [number for number in map(_number, values) if number is not None])


def _summary(name: str, numbers: Sequence[Decimal]) -> Decimal | None:
    if name == "sum":
        return sum(numbers, Decimal(0))
    if not numbers:
        return None
    return min(numbers) if name == "min" else max(numbers)
