"""A case report form as the trial defines it: form, item groups, items and edit checks (ODM 1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, cast, get_args

from trialimg.domain.codelist import YES_NO, Choice, CodeList
from trialimg.domain.definition import Plain, Section, plain_number, without_defaults

Kind = Literal["text", "number", "date", "partial_date", "choice", "yes_no", "imaging"]
Severity = Literal["hard", "soft"]

LONGEST_TEXT: Final = 200
"""Characters of a text item unless the form says otherwise: what a SAS transport file holds."""
FEW_CHOICES: Final = 6
"""Up to so many choices stand open as radio buttons, more are folded into a list."""


@dataclass(frozen=True)
class Limits:
    """The lowest and the highest number taken, both included; None is no limit."""

    low: Decimal | None = None
    high: Decimal | None = None

    @classmethod
    def read(cls, section: Section) -> Limits:
        """Read ``{low, high}``."""
        limits = cls(section.maybe_number("low"), section.maybe_number("high"))
        section.close()
        return limits

    def hold(self, number: Decimal) -> bool:
        """Say whether a number lies within."""
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)

    def to_mapping(self) -> Plain:
        """Give them back as they are written."""
        sides = {"low": self.low, "high": self.high}
        return {side: plain_number(value) for side, value in sides.items() if value is not None}


@dataclass(frozen=True)
class ItemDef:
    """One question. ``unit`` is shown, ``unit_code`` is UCUM; ``show_if`` is an expression.

    ``variable`` is the CDASH name and ``key`` the one in this form, which differs where one variable is
    asked for several tests (SYSBP_VSORRES, DIABP_VSORRES). An imaging item holds no text: it shows the
    state of the slot it names. ``blinded_to`` are roles that never learn the value.
    """

    key: str
    label: str
    kind: Kind
    variable: str = ""
    hint: str = ""
    required: bool = False
    unit: str = ""
    unit_code: str = ""
    codelist: str = ""
    choices: tuple[Choice, ...] = ()
    decimals: int | None = None
    max_length: int = LONGEST_TEXT
    lines: int = 1
    limits: Limits = field(default_factory=Limits)
    soft_limits: Limits = field(default_factory=Limits)
    future: bool = False
    show_if: str = ""
    slot: str = ""
    blinded_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind == "yes_no":
            object.__setattr__(self, "choices", YES_NO)

    @classmethod
    def read(cls, section: Section, codelists: Mapping[str, CodeList]) -> ItemDef:
        """Read one item and look its choices up; an unknown code list gives none and is the linter's."""
        kind = cast("Kind", section.one_of("kind", get_args(Kind)))
        codelist = section.text("codelist", "")
        choices = codelists[codelist].choices if codelist in codelists else ()
        item = cls(
            key=section.text("key"),
            label=section.text("label"),
            kind=kind,
            variable=section.text("variable", ""),
            hint=section.text("hint", ""),
            required=section.flag("required"),
            unit=section.text("unit", ""),
            unit_code=section.text("unit_code", ""),
            codelist=codelist,
            choices=choices,
            decimals=section.maybe_whole("decimals"),
            max_length=section.whole("max_length", LONGEST_TEXT),
            lines=section.whole("lines", 1),
            limits=Limits.read(section.section("range")),
            soft_limits=Limits.read(section.section("soft_range")),
            future=section.flag("future"),
            show_if=section.text("show_if", ""),
            slot=section.text("slot", ""),
            blinded_to=section.texts("blinded_to"),
        )
        section.close()
        return item

    def to_mapping(self) -> Plain:
        """Give it back as it is written."""
        return without_defaults(
            key=self.key,
            label=self.label,
            kind=self.kind,
            variable=self.variable,
            hint=self.hint,
            required=self.required,
            unit=self.unit,
            unit_code=self.unit_code,
            codelist=self.codelist,
            # 0 says something (whole numbers only) and equals False, so it is kept by hand
            **({} if self.decimals is None else {"decimals": self.decimals}),
            max_length=None if self.max_length == LONGEST_TEXT else self.max_length,
            lines=None if self.lines == 1 else self.lines,
            range=self.limits.to_mapping(),
            soft_range=self.soft_limits.to_mapping(),
            future=self.future,
            show_if=self.show_if,
            slot=self.slot,
            blinded_to=list(self.blinded_to),
        )

    @property
    def shown_as(self) -> Literal["radio", "select", "input", "textarea", "imaging"]:
        """How a page asks for it."""
        if self.kind == "imaging":
            return "imaging"
        if self.kind in ("choice", "yes_no"):
            return "radio" if len(self.choices) <= FEW_CHOICES else "select"
        return "textarea" if self.lines > 1 else "input"

    def label_of(self, code: str) -> str:
        """What a stored code is called; the code itself where the list does not know it (any more)."""
        return next((choice.label for choice in self.choices if choice.code == code), code)


@dataclass(frozen=True)
class GroupDef:
    """Items asked together, once or in as many rows as needed (``max_rows`` 0 is no limit)."""

    key: str
    title: str
    items: tuple[ItemDef, ...]
    repeating: bool = False
    min_rows: int = 0
    max_rows: int = 0
    show_if: str = ""

    @classmethod
    def read(cls, section: Section, codelists: Mapping[str, CodeList]) -> GroupDef:
        """Read one item group."""
        group = cls(
            key=section.text("key"),
            title=section.text("title"),
            items=tuple(ItemDef.read(each, codelists) for each in section.sections("items")),
            repeating=section.flag("repeating"),
            min_rows=section.whole("min_rows", 0),
            max_rows=section.whole("max_rows", 0),
            show_if=section.text("show_if", ""),
        )
        section.close()
        return group

    def to_mapping(self) -> Plain:
        """Give it back as it is written."""
        return without_defaults(
            key=self.key,
            title=self.title,
            repeating=self.repeating,
            min_rows=self.min_rows or None,
            max_rows=self.max_rows or None,
            show_if=self.show_if,
            items=[item.to_mapping() for item in self.items],
        )

    def item(self, key: str) -> ItemDef | None:
        """Find an item by its key."""
        return next((item for item in self.items if item.key == key), None)


@dataclass(frozen=True)
class CheckDef:
    """What must be true between items; where it is false, ``message`` is said beside ``item``.

    A hard check wants the data corrected, a soft one is also content with a reason.
    """

    key: str
    must: str
    message: str
    item: str
    severity: Severity = "soft"

    @classmethod
    def read(cls, section: Section) -> CheckDef:
        """Read one edit check."""
        check = cls(
            key=section.text("key"),
            must=section.text("must"),
            message=section.text("message"),
            item=section.text("item"),
            severity=cast("Severity", section.one_of("severity", get_args(Severity), "soft")),
        )
        section.close()
        return check

    def to_mapping(self) -> Plain:
        """Give it back as it is written."""
        return {
            "key": self.key,
            "severity": self.severity,
            "must": self.must,
            "message": self.message,
            "item": self.item,
        }


@dataclass(frozen=True)
class FormDef:
    """A case report form; its version goes with the data that was entered on it.

    ``blinded_to`` are roles that never learn a value of it.
    """

    key: str
    title: str
    version: str
    groups: tuple[GroupDef, ...]
    checks: tuple[CheckDef, ...] = ()
    hint: str = ""
    blinded_to: tuple[str, ...] = ()

    @classmethod
    def read(cls, section: Section, codelists: Mapping[str, CodeList]) -> FormDef:
        """Read one form."""
        form = cls(
            key=section.text("key"),
            title=section.text("title"),
            version=section.text("version"),
            hint=section.text("hint", ""),
            groups=tuple(GroupDef.read(each, codelists) for each in section.sections("groups")),
            checks=tuple(CheckDef.read(each) for each in section.sections("checks")),
            blinded_to=section.texts("blinded_to"),
        )
        section.close()
        return form

    def to_mapping(self) -> Plain:
        """Give it back as it is written."""
        return without_defaults(
            key=self.key,
            title=self.title,
            version=self.version,
            hint=self.hint,
            blinded_to=list(self.blinded_to),
            groups=[group.to_mapping() for group in self.groups],
            checks=[check.to_mapping() for check in self.checks],
        )

    def items(self) -> Iterator[tuple[GroupDef, ItemDef]]:
        """Every item with its group, in the order of the form."""
        for group in self.groups:
            for item in group.items:
                yield group, item

    def find(self, item_key: str) -> tuple[GroupDef, ItemDef] | None:
        """Find an item and its group by the item's key, which is unique in the form."""
        return next(((group, item) for group, item in self.items() if item.key == item_key), None)

    def group(self, key: str) -> GroupDef | None:
        """Find a group by its key."""
        return next((group for group in self.groups if group.key == key), None)
