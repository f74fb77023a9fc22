"""Where the names in a form's expressions get their values: this row, this form, the rest of the casebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from trialimg.domain import expression_value
from trialimg.domain.crf import FormDef, GroupDef, ItemDef
from trialimg.domain.expression import parse
from trialimg.domain.expression_value import Scope
from trialimg.domain.item_value import Value, parse_value
from trialimg.domain.trial import TrialDefinition

Row = Mapping[str, str]
FormValues = Mapping[str, Mapping[str, Row]]
"""Group key → repeat key → item key → text as stored; a blank text is no value."""

ONE_ROW: Final = "1"
"""The repeat key of the only row of a group that does not repeat."""
SUBJECT: Final = "SUBJECT"
"""What a reference calls the subject itself: SUBJECT.BRTHYR and SUBJECT.SEX, as told at enrolment."""

Place = tuple[str, str, str]
"""Group key, repeat key, item key."""


@dataclass(frozen=True)
class Context:
    """What a form may look at beside itself.

    ``casebook`` holds visit key → form key → values, for the one subject; of a repeating visit only the
    form's own occasion belongs in it. ``subject`` holds BRTHYR and SEX where the trial asks for them.
    """

    definition: TrialDefinition | None = None
    visit: str = ""
    today: date | None = None
    casebook: Mapping[str, Mapping[str, FormValues]] = field(default_factory=dict)
    subject: Mapping[str, str] = field(default_factory=dict)


def rows_of(group: GroupDef, values: FormValues, *, blank: bool = False) -> list[tuple[str, Row]]:
    """The rows of a group: of a repeating one those that hold anything (or ``blank`` ones too), else just one."""
    rows = values.get(group.key, {})
    if not group.repeating:
        return [next(iter(rows.items()), (ONE_ROW, {}))]
    return [(key, row) for key, row in rows.items() if blank or any(text.strip() for text in row.values())]


@dataclass(frozen=True)
class FormScope:
    """One form's values, seen from one row (or from none). It is a Scope of expressions."""

    form: FormDef
    values: FormValues
    context: Context
    group: str = ""
    repeat_key: str = ""
    _open: frozenset[tuple[str, str, Place]] = frozenset()

    @property
    def today(self) -> date | None:
        """The day the form is looked at."""
        return self.context.today

    @property
    def visit(self) -> str:
        """The visit the form belongs to."""
        return self.context.visit

    def in_row(self, group: str, repeat_key: str) -> FormScope:
        """Look from one row."""
        return replace(self, group=group, repeat_key=repeat_key)

    def rows(self, group: str) -> Sequence[Scope]:
        """One scope for each row of a group of this form."""
        found = self.form.group(group)
        return [self.in_row(group, key) for key, _ in rows_of(found, self.values)] if found else []

    def value(self, parts: tuple[str, ...]) -> expression_value.Value:
        """The value behind a name; what is hidden, blank or unreadable is missing."""
        *path, key = parts
        if path == [SUBJECT]:
            return self.context.subject.get(key) or None
        scope = self if not path else self._elsewhere(path)
        return scope._own(key) if scope else None  # noqa: SLF001 - another of the same class

    def holds(self, expression: str) -> bool | None:
        """Work out an expression seen from here."""
        return expression_value.holds(parse(expression), self)

    def shows(self, group: GroupDef, item: ItemDef | None = None) -> bool:
        """Say whether a group, or an item in it, is asked: skip logic is true or absent.

        An imaging item is asked at the visits that have its slot.
        """
        if item is not None and item.slot and not self._has_slot(item.slot):
            return False
        if group.show_if and self.holds(group.show_if) is not True:
            return False
        return item is None or not item.show_if or self.holds(item.show_if) is True

    def _has_slot(self, slot: str) -> bool:
        definition = self.context.definition
        visit = definition.visit(self.context.visit) if definition else None
        return visit is None or slot in visit.slots

    def _own(self, key: str) -> expression_value.Value:
        found = self.form.find(key)
        if found is None:
            return None
        group, item = found
        row_key, row = next(iter(self._rows_seen(group)), ("", {}))
        text = row.get(key, "")
        place = (self.context.visit, self.form.key, (group.key, row_key, key))
        if not text.strip() or place in self._open:
            return None
        within = replace(self, group=group.key, repeat_key=row_key, _open=self._open | {place})
        if not within.shows(group, item):
            return None
        value = parse_value(item, text)
        return value.typed if isinstance(value, Value) else None

    def _rows_seen(self, group: GroupDef) -> Iterator[tuple[str, Row]]:
        """The row a plain name means: this one, or the only one; of another repeating group none."""
        if not group.repeating:
            yield from rows_of(group, self.values)
        elif group.key == self.group:
            yield self.repeat_key, self.values.get(group.key, {}).get(self.repeat_key, {})

    def _elsewhere(self, path: Sequence[str]) -> FormScope | None:
        """Find another form: at this visit, at the visit named, else at the first visit that has it."""
        *named, form_key = path
        visit = named[0] if named else self._visit_of(form_key)
        if form_key == self.form.key and visit == self.context.visit:
            return replace(self, group="", repeat_key="")
        definition = self.context.definition
        form = definition.forms.get(form_key) if definition else None
        if form is None:
            return None
        values = self.context.casebook.get(visit, {}).get(form_key, {})
        return FormScope(form, values, replace(self.context, visit=visit), _open=self._open)

    def _visit_of(self, form_key: str) -> str:
        if form_key == self.form.key:
            return self.context.visit
        visits = self.context.definition.visits if self.context.definition else ()
        having = [visit.key for visit in visits if form_key in visit.forms]
        return self.context.visit if self.context.visit in having else next(iter(having), "")
