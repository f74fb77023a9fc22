"""Read what a person typed as the value of an item, or say why it cannot be one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from trialimg.domain.crf import ItemDef, Severity
from trialimg.domain.partial_date import PartialDate
from trialimg.domain.plain_text import has_unseen

_NUMBER = re.compile(r"[+-]?(\d{1,15})(?:[.,](\d{1,10}))?", re.ASCII)


@dataclass(frozen=True)
class Value:
    """A value that can be stored: ``text`` is its one way of writing, ``typed`` what it means."""

    text: str
    typed: Decimal | PartialDate | str


@dataclass(frozen=True)
class Finding:
    """What an edit check says of one place of a form. It never repeats what was typed.

    ``check_key`` is the check's of the trial or one of: required, type, range, soft_range, future, rows,
    not_applicable. A soft finding is also answered by a reason.
    """

    check_key: str
    sentence: str
    severity: Severity
    item: str = ""
    group: str = ""
    repeat_key: str = ""

    def at(self, group: str, repeat_key: str) -> Finding:
        """Say in which row it was found."""
        return replace(self, group=group, repeat_key=repeat_key)


def tidy(text: str) -> str:
    """Write a text in the one way that is stored: NFC, line feeds, no space around it."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def parse_value(item: ItemDef, text: str) -> Value | Finding:
    """Read a value that is not blank; a Finding ``type`` says why it is none of the item's kind.

    Limits are not looked at here: a number out of range is a value all the same.
    """
    text = tidy(text)
    match item.kind:
        case "number":
            return _number(item, text)
        case "date" | "partial_date":
            return _date(item, text, partial=item.kind == "partial_date")
        case "choice" | "yes_no":
            if any(choice.code == text for choice in item.choices):
                return Value(text, text)
            return _not_this(item, "must be one of the answers offered")
        case "text":
            return _text(item, text)
        case "imaging":
            return _not_this(item, "takes images, not text; attach them at the slot")


def limits_of(item: ItemDef, value: Value) -> list[Finding]:
    """Compare a number with the item's limits; the hard ones are said alone where both are passed."""
    if not isinstance(value.typed, Decimal):
        return []
    if not item.limits.hold(value.typed):
        return [_outside(item, item.limits.low, item.limits.high, "range", "hard")]
    if not item.soft_limits.hold(value.typed):
        return [_outside(item, item.soft_limits.low, item.soft_limits.high, "soft_range", "soft")]
    return []


def _not_this(item: ItemDef, what: str) -> Finding:
    return Finding("type", f"“{item.label}” {what}.", "hard", item.key)


def _number(item: ItemDef, text: str) -> Value | Finding:
    found = _NUMBER.fullmatch(text.replace("\N{MINUS SIGN}", "-"))
    if found is None:
        unit = f" in {item.unit}" if item.unit not in ("", "1") else ""
        return _not_this(item, f"must be a number{unit}, written with digits only, such as 12 or 12.5")
    whole, fraction = found[1], found[2] or ""
    if item.decimals is not None and len(fraction) > item.decimals:
        if item.decimals == 0:
            return _not_this(item, "must be a whole number")
        places = "place" if item.decimals == 1 else "places"
        return _not_this(item, f"takes at most {item.decimals} decimal {places}")
    sign = "-" if found[0].startswith("-") and (whole + fraction).strip("0") else ""
    written = sign + (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return Value(written, Decimal(written))


def _date(item: ItemDef, text: str, *, partial: bool) -> Value | Finding:
    day = PartialDate.parse(text)
    if day is None:
        ways = "2026-03-09, 2026-03 or 2026" if partial else "2026-03-09"
        return _not_this(item, f"must be a date of the calendar, written year-month-day, such as {ways}")
    if not partial and not day.is_full:
        return _not_this(item, "must be a full date with month and day")
    return Value(day.text, day)


def _text(item: ItemDef, text: str) -> Value | Finding:
    allowed = "\n\t" if item.lines > 1 else ""
    if has_unseen(text, allowed):
        return _not_this(item, "holds line breaks or signs that cannot be shown; type it again")
    if len(text) > item.max_length:
        return _not_this(item, f"must not be longer than {item.max_length} characters")
    return Value(text, text)


def _outside(
    item: ItemDef,
    low: Decimal | None,
    high: Decimal | None,
    key: Literal["range", "soft_range"],
    severity: Severity,
) -> Finding:
    if low is None:
        span = f"at most {high}"
    elif high is None:
        span = f"at least {low}"
    else:
        span = f"between {low} and {high}"
    unit = f" {item.unit}" if item.unit not in ("", "1") else ""
    if severity == "hard":
        return Finding(key, f"“{item.label}” must be {span}{unit}.", severity, item.key)
    sentence = f"“{item.label}” is usually {span}{unit}. Correct it, or confirm it with a reason."
    return Finding(key, sentence, severity, item.key)
