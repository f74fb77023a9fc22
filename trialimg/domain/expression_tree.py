"""The parts an expression is made of once it is read."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True)
class Constant:
    """A number or a text as written."""

    value: Decimal | str


@dataclass(frozen=True)
class Ambient:
    """What is so around the form: the day it is looked at, the visit it belongs to."""

    name: Literal["today", "visit"]


@dataclass(frozen=True)
class Reference:
    """An item by one to three names; ``position`` counts characters from 1."""

    parts: tuple[str, ...]
    position: int

    @property
    def text(self) -> str:
        """The name as written."""
        return ".".join(self.parts)


@dataclass(frozen=True)
class Call:
    """A function; for those over rows the first argument names the group."""

    name: str
    group: str
    arguments: tuple[Node, ...]
    position: int


@dataclass(frozen=True)
class Negation:
    """``not x`` or ``-x``."""

    operator: Literal["not", "-"]
    operand: Node


@dataclass(frozen=True)
class Operation:
    """A comparison or a calculation."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Join:
    """Two or more sides joined by ``and`` or by ``or``."""

    operator: Literal["and", "or"]
    sides: tuple[Node, ...]


@dataclass(frozen=True)
class Membership:
    """``x in (…)``."""

    operand: Node
    options: tuple[Node, ...]
    negated: bool


@dataclass(frozen=True)
class Missing:
    """``x is missing``."""

    operand: Node
    negated: bool


Node = Constant | Ambient | Reference | Call | Negation | Operation | Join | Membership | Missing


@dataclass(frozen=True)
class Name:
    """A name that an expression uses, and whether it stands for an item or a group."""

    parts: tuple[str, ...]
    kind: Literal["item", "group"]
    position: int
    inside: str = ""  # the group whose rows the name is asked of

    @property
    def text(self) -> str:
        """The name as written."""
        return ".".join(self.parts)


def children(node: Node) -> tuple[Node, ...]:
    """The parts that a part of an expression is made of."""
    match node:
        case Call():
            return node.arguments
        case Negation() | Missing():
            return (node.operand,)
        case Operation():
            return (node.left, node.right)
        case Join():
            return node.sides
        case Membership():
            return (node.operand, *node.options)
        case _:
            return ()
