"""The small language of skip logic and edit checks: read, listed, never executed as Python.

    or, and, not          three-valued: what is missing makes an answer unknown, not false
    == != < <= > >=       numbers, dates (partial ones too), codes and texts
    X in ("A", "B")       X not in (…)
    X is missing          X is not missing
    + - * /               numbers
    ITEM                  an item of this form (in a repeating group: of this row)
    FORM.ITEM             of another form at this visit, or at the first visit that has the form
    VISIT.FORM.ITEM       of another visit
    today, visit          the day the form is looked at; the key of the visit it belongs to
    days(a, b) years(a, b)    days, or full years, from a to b        year(d)   abs(n)
    count(GROUP) count(GROUP, condition) any(GROUP, condition) all(GROUP, condition)
    sum(GROUP, n) min(GROUP, n) max(GROUP, n)     over the rows of a repeating group

Its parts are in ``expression_tree``, what they come to in ``expression_value``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from trialimg.domain.expression_tree import (
    Ambient,
    Call,
    Constant,
    Join,
    Membership,
    Missing,
    Name,
    Negation,
    Node,
    Operation,
    Reference,
    children,
)
from trialimg.errors import BadDefinition

MAX_LENGTH: Final = 2000
MAX_DEPTH: Final = 20
MAX_CALCULATIONS: Final = 50

ROW_FUNCTIONS: Final = {
    "count": (1, 2),
    "any": (2, 2),
    "all": (2, 2),
    "sum": (2, 2),
    "min": (2, 2),
    "max": (2, 2),
}
VALUE_FUNCTIONS: Final = {"days": (2, 2), "years": (2, 2), "year": (1, 1), "abs": (1, 1)}
KEYWORDS: Final = frozenset({"and", "or", "not", "in", "is", "missing", "today", "visit"})


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+(?:\.\d+)?)
    | (?P<text>"[^"]*"|'[^']*')
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<mark>==|!=|<=|>=|<>|[=<>()+\-*/,])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(source: str) -> Iterator[_Token]:
    at = 0
    while source[at:].strip():
        found = _TOKEN.match(source, at)
        if found is None:
            at += len(source[at:]) - len(source[at:].lstrip())
            raise _refusal(source, at + 1, f"“{source[at]}” has no meaning here")
        kind = found.lastgroup or ""
        yield _Token(kind, found.group(kind), found.start(kind) + 1)
        at = found.end()
    yield _Token("end", "", len(source) + 1)


def _refusal(source: str, position: int, what: str) -> BadDefinition:
    return BadDefinition(f"The expression “{source[:200]}” cannot be read at character {position}: {what}.")


@lru_cache(maxsize=4096)
def parse(source: str) -> Node:
    """Read an expression; BadDefinition names the character where it stops making sense."""
    if len(source) > MAX_LENGTH:
        raise _refusal(source, MAX_LENGTH, f"it is longer than {MAX_LENGTH} characters")
    reader = _Reader(source)
    tree = reader.alternatives()
    if reader.now.kind != "end":
        raise reader.refusal("an operator (and, or, ==, …) or the end is expected")
    return tree


class _Reader:
    """Recursive descent, one method a level, weakest binding first."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._tokens = list(_tokens(source))
        self._at = 0
        self._depth = 0
        self._calculations = 0

    @property
    def now(self) -> _Token:
        return self._tokens[self._at]

    def refusal(self, what: str) -> BadDefinition:
        return _refusal(self.source, self.now.position, what)

    def take(self, *texts: str) -> str:
        """Go past the next token when it is one of these marks or keywords."""
        token = self.now
        if token.kind in ("mark", "name") and token.text in texts:
            self._at += 1
            return token.text
        return ""

    def must(self, text: str) -> None:
        if not self.take(text):
            raise self.refusal(f"“{text}” is expected")

    def alternatives(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.refusal(f"it is nested deeper than {MAX_DEPTH} levels")
        sides = [self._conjunction()]
        while self.take("or"):
            sides.append(self._conjunction())
        self._depth -= 1
        return Join("or", tuple(sides)) if len(sides) > 1 else sides[0]

    def _conjunction(self) -> Node:
        sides = [self._denial()]
        while self.take("and"):
            sides.append(self._denial())
        return Join("and", tuple(sides)) if len(sides) > 1 else sides[0]

    def _denial(self) -> Node:
        denials = 0
        while self.take("not"):
            denials += 1
        tree = self._comparison()
        return Negation("not", tree) if denials % 2 else tree

    def _comparison(self) -> Node:
        left = self._sum()
        if operator := self.take("==", "=", "!=", "<>", "<", "<=", ">", ">="):
            tree: Node = Operation({"=": "==", "<>": "!="}.get(operator, operator), left, self._sum())
        elif self.take("is"):
            negated = bool(self.take("not"))
            self.must("missing")
            tree = Missing(left, negated)
        elif self.take("in"):
            tree = Membership(left, self._options(), negated=False)
        elif self.take("not"):
            self.must("in")
            tree = Membership(left, self._options(), negated=True)
        else:
            return left
        if self.now.text in ("==", "=", "!=", "<>", "<", "<=", ">", ">="):
            raise self.refusal("comparisons cannot be chained, join them with “and”")
        return tree

    def _options(self) -> tuple[Node, ...]:
        self.must("(")
        options = [self._sum()]
        while self.take(","):
            options.append(self._sum())
        self.must(")")
        return tuple(options)

    def _sum(self) -> Node:
        tree = self._product()
        while operator := self.take("+", "-"):
            tree = self._calculation(operator, tree, self._product())
        return tree

    def _product(self) -> Node:
        tree = self._signed()
        while operator := self.take("*", "/"):
            tree = self._calculation(operator, tree, self._signed())
        return tree

    def _calculation(self, operator: str, left: Node, right: Node) -> Node:
        """Count what is calculated: each step nests the tree by one, and the stack is not endless."""
        self._calculations += 1
        if self._calculations > MAX_CALCULATIONS:
            raise self.refusal(f"it calculates more than {MAX_CALCULATIONS} times")
        return Operation(operator, left, right)

    def _signed(self) -> Node:
        signs = 0
        while self.take("-"):
            signs += 1
        tree = self._atom()
        return Negation("-", tree) if signs % 2 else tree

    def _atom(self) -> Node:
        token = self.now
        if self.take("("):
            tree = self.alternatives()
            self.must(")")
            return tree
        if word := self.take("today", "visit"):
            return Ambient("today" if word == "today" else "visit")
        if token.kind not in ("number", "text", "name") or token.text in KEYWORDS:
            raise self.refusal("an item, a number or a text in quotes is expected")
        self._at += 1
        if token.kind == "number":
            return Constant(Decimal(token.text))
        if token.kind == "text":
            return Constant(token.text[1:-1])
        if self.take("("):
            return self._call(token)
        parts = tuple(token.text.split("."))
        if len(parts) > 3:  # noqa: PLR2004 - visit, form, item: there is nothing further
            raise _refusal(self.source, token.position, "a name has at most three parts, VISIT.FORM.ITEM")
        return Reference(parts, token.position)

    def _call(self, token: _Token) -> Call:
        allowed = ROW_FUNCTIONS.get(token.text) or VALUE_FUNCTIONS.get(token.text)
        if allowed is None:
            known = ", ".join(sorted({*ROW_FUNCTIONS, *VALUE_FUNCTIONS}))
            raise _refusal(self.source, token.position, f"there is no function {token.text}; there are {known}")
        group = self._group() if token.text in ROW_FUNCTIONS else ""
        arguments: list[Node] = []
        while self.take(",") if group or arguments else self.now.text != ")":
            arguments.append(self.alternatives())
        self.must(")")
        given = len(arguments) + bool(group)
        if not allowed[0] <= given <= allowed[1]:
            raise _refusal(self.source, token.position, f"{token.text} does not take {given} values")
        return Call(token.text, group, tuple(arguments), token.position)

    def _group(self) -> str:
        token = self.now
        if token.kind != "name" or "." in token.text or token.text in KEYWORDS:
            raise self.refusal("the key of a repeating group of this form is expected")
        self._at += 1
        return token.text


def names(source: str) -> tuple[Name, ...]:
    """Every item and group an expression speaks of, in the order of writing."""
    return tuple(_names(parse(source), ""))


def _names(node: Node, inside: str) -> Iterator[Name]:
    if isinstance(node, Reference):
        yield Name(node.parts, "item", node.position, inside)
    if isinstance(node, Call) and node.group:
        yield Name((node.group,), "group", node.position)
        inside = node.group
    for child in children(node):
        yield from _names(child, inside)
