"""What is wrong with an expression where it stands: names that lead nowhere, answers never given, circles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trialimg.domain.crf import FormDef, GroupDef, ItemDef
from trialimg.domain.definition import Problem
from trialimg.domain.expression import names, parse
from trialimg.domain.expression_tree import (
    Ambient,
    Constant,
    Membership,
    Name,
    Node,
    Operation,
    Reference,
    children,
)
from trialimg.domain.form_scope import SUBJECT
from trialimg.domain.partial_date import PartialDate
from trialimg.domain.trial import TrialDefinition
from trialimg.errors import BadDefinition

Path = tuple[str | int, ...]
_EQUALITIES = ("==", "!=")


class Standing:
    """Where an expression stands: in which form, and in a row of which group (blank: in no row)."""

    def __init__(self, definition: TrialDefinition, form: FormDef, inside: str = "") -> None:
        self._form = form
        self._inside = inside
        self._definition = definition

    def problems(self, source: str, file: str, path: Path) -> list[Problem]:
        """Check one expression, which may be absent."""
        if not source:
            return []
        try:
            used = names(source)
        except BadDefinition as refusal:
            return [Problem(file, path, refusal.sentence)]
        sentences = [sentence for name in used if (sentence := self._leads_nowhere(name))]
        tree = parse(source)
        problems = [Problem(file, path, each) for each in (*sentences, *self._never_given(tree))]
        if not used and not _looks_around(tree):
            sentence = "this expression names no item, so it always comes to the same"
            problems.append(Problem(file, path, sentence, "warning"))
        return problems

    def _leads_nowhere(self, name: Name) -> str:
        """Say why a name means nothing here; blank where it means something."""
        if name.kind == "group":
            return self._group(name)
        if name.parts[0] == SUBJECT:
            return self._subject(name)
        unknown = self._form_unknown(name) if len(name.parts) > 1 else ""
        return unknown or self._item(name)

    def _group(self, name: Name) -> str:
        group = self._form.group(name.text)
        if group is None:
            return f"there is no group “{name.text}” in this form"
        return "" if group.repeating else f"group “{name.text}” does not repeat, so it has no rows"

    def _item(self, name: Name) -> str:
        found = self._find(name.parts)
        if found is None:
            return f"there is no item “{name.text}”"
        group, item = found
        if item.kind == "imaging":
            return f"“{name.text}” is an imaging item and has no value"
        rows = name.inside or self._inside
        if group.repeating and not (len(name.parts) == 1 and group.key == rows):
            return f"“{name.text}” has many rows; ask with any(…), all(…), count(…), sum(…), min(…) or max(…)"
        return ""

    def _subject(self, name: Name) -> str:
        asked = {"BRTHYR": self._definition.asks_birth_year, "SEX": self._definition.asks_sex}
        if len(name.parts) == 2 and asked.get(name.parts[1]):  # noqa: PLR2004 - SUBJECT and one name
            return ""
        known = " or ".join(f"{SUBJECT}.{key}" for key, is_asked in asked.items() if is_asked)
        return f"“{name.text}” is not asked at enrolment; there is {known or 'nothing'}"

    def _form_unknown(self, name: Name) -> str:
        *visits, form_key, _ = name.parts
        if form_key not in self._definition.forms:
            return f"there is no form “{form_key}” for “{name.text}”"
        if not visits:
            held = any(form_key in visit.forms for visit in self._definition.visits)
            return "" if held or form_key == self._form.key else f"no visit has form “{form_key}”"
        visit = self._definition.visit(visits[0])
        if visit is None:
            return f"there is no visit “{visits[0]}” for “{name.text}”"
        if visit.repeating:
            return f"visit “{visit.key}” can happen several times, so “{name.text}” is not one value"
        return "" if form_key in visit.forms else f"visit “{visit.key}” has no form “{form_key}”"

    def _find(self, parts: tuple[str, ...]) -> tuple[GroupDef, ItemDef] | None:
        form = self._form if len(parts) == 1 else self._definition.forms.get(parts[-2])
        return form.find(parts[-1]) if form else None

    def _never_given(self, node: Node) -> Iterator[str]:
        """Find comparisons with an answer that the item cannot have: such a condition never comes true."""
        match node:
            case Operation(operator, Reference() | Ambient() as asked, Constant() as constant):
                if operator in _EQUALITIES:
                    yield from self._cannot_be(asked, constant)
            case Membership(Reference() | Ambient() as asked, options):
                for option in options:
                    if isinstance(option, Constant):
                        yield from self._cannot_be(asked, option)
        for child in children(node):
            yield from self._never_given(child)

    def _cannot_be(self, asked: Reference | Ambient, constant: Constant) -> Iterator[str]:
        if isinstance(asked, Reference):
            yield from self._not_an_answer(asked, constant)
        elif asked.name == "visit" and self._definition.visit(str(constant.value)) is None:
            yield f"there is no visit “{constant.value}”"

    def _not_an_answer(self, reference: Reference, constant: Constant) -> Iterator[str]:
        found = None if reference.parts[0] == SUBJECT else self._find(reference.parts)
        if found is None:
            return
        item, written = found[1], str(constant.value)
        if not written:
            yield f"what is blank is missing and equals nothing; write “{reference.text} is missing”"
            return
        if item.choices and all(choice.code != written for choice in item.choices):
            codes = ", ".join(choice.code for choice in item.choices)
            yield f"“{reference.text}” can never be “{written}”; its codes are {codes}"
        if item.kind == "number" and isinstance(constant.value, str):
            yield f"“{reference.text}” is a number and “{written}” a text; leave the quotes out"
        if item.kind in ("date", "partial_date") and PartialDate.parse(written) is None:
            yield f"“{reference.text}” is a date and “{written}” is none"


def _looks_around(node: Node) -> bool:
    return isinstance(node, Ambient) or any(_looks_around(child) for child in children(node))


def loops(form: FormDef) -> Iterator[tuple[Path, str]]:
    """Find items whose being asked depends, over others or at once, on their own answer."""
    asked_by = {
        item.key: {name for source in (group.show_if, item.show_if) for name in _own_names(source)}
        for group, item in form.items()
    }
    for at, group in enumerate(form.groups):
        for place, item in enumerate(group.items):
            if item.key in _reached(item.key, asked_by):
                path: Path = ("groups", at, "items", place, "show_if" if item.show_if else "key")
                yield path, f"whether “{item.key}” is asked depends on its own answer, so it never is"


def _own_names(source: str) -> set[str]:
    try:
        return {name.text for name in names(source) if len(name.parts) == 1} if source else set()
    except BadDefinition:
        return set()


def _reached(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting.extend(edges.get(key, ()))
    return reached
