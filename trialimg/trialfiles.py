"""Read a trial's folder of YAML files, and say file by file and line by line what is wrong with it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator, ValidationError

from trialimg.dicom.rules.own_rules import objections
from trialimg.domain.definition import Problem, WrongHere
from trialimg.domain.definition_lint import lint
from trialimg.domain.deidentification import Profile
from trialimg.domain.trial import PARTS, TrialDefinition
from trialimg.errors import BadDefinition, NotFound

SCHEMAS: Final = Path(__file__).resolve().parents[1] / "forms" / "schema"
"""Where editors and we look what a file may hold."""

LARGEST_FILE: Final = 1_000_000
"""Bytes of one definition file; a form of 500 items has about 100,000."""
DEEPEST: Final = 20
MOST_SHOWN: Final = 10

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is built in: ten times faster
_TAG = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"-?(0|[1-9]\d*)")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)\.\d+")

Place = tuple[str | int, ...]


def load(folder: Path) -> TrialDefinition:
    """Read a trial that has no errors; warnings do not count.

    Raises BadDefinition, whose sentence lists the first errors with file and line, and NotFound where
    there is no such folder.
    """
    definition, problems = _examine(folder)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or definition is None:
        shown = "\n".join(problem.text for problem in errors[:MOST_SHOWN])
        more = f"\nand {len(errors) - MOST_SHOWN} more" if len(errors) > MOST_SHOWN else ""
        raise BadDefinition(f"The trial cannot be loaded, correct these first:\n{shown}{more}")
    return definition


def check(folder: Path) -> list[Problem]:
    """Give everything that is wrong or doubtful in a trial's folder, in the order of files and lines."""
    return _examine(folder)[1]


def _examine(folder: Path) -> tuple[TrialDefinition | None, list[Problem]]:
    if not folder.is_dir():
        raise NotFound("There is no such folder; give the folder of one version of a trial, forms/demo/1.0.")
    documents = _documents(folder)
    problems = [problem for document in documents.values() for problem in document.problems]
    definition = None
    if not any(problem.severity == "error" for problem in problems):
        definition, found = _build(documents, folder)
        problems += [_with_line(problem, documents) for problem in found]
    return definition, sorted(set(problems), key=lambda each: (each.file, each.line, each.sentence))


def _documents(folder: Path) -> dict[str, _Document]:
    """Read every file of the folder, and miss those that must be there."""
    documents = {f"{part}.yaml": _read(folder, f"{part}.yaml", part) for part in PARTS}
    forms = sorted(path.name for path in (folder / "forms").glob("*.yaml"))
    documents |= {f"forms/{name}": _read(folder, f"forms/{name}", "form") for name in forms}
    known = {*documents}
    for path in sorted((*folder.glob("*.y*ml"), *(folder / "forms").glob("*.yml"))):
        name = path.relative_to(folder).as_posix()
        if name not in known:
            stray = Problem(name, (), "this file is not read; it must be one of the known names, or forms/KEY.yaml")
            documents[name] = _Document(name, problems=[replace(stray, severity="warning")])
    return documents


def _build(documents: Mapping[str, _Document], folder: Path) -> tuple[TrialDefinition | None, list[Problem]]:
    mapping: dict[str, Any] = {part: documents[f"{part}.yaml"].data for part in PARTS}
    forms = {name: doc.data for name, doc in documents.items() if name.startswith("forms/") and doc.data}
    mapping["forms"] = list(forms.values())
    try:
        definition = TrialDefinition.read(mapping)
    except WrongHere as wrong:
        return None, [wrong.problem]
    problems = [
        Problem(name, ("key",), f"the form's key is “{form['key']}”, so its file must be forms/{form['key']}.yaml")
        for name, form in forms.items()
        if name != f"forms/{form['key']}.yaml"
    ]
    if definition.version != folder.resolve().name:
        sentence = f"the folder is called “{folder.resolve().name}”, the version “{definition.version}”"
        problems.append(Problem("trial.yaml", ("version",), sentence, "warning"))
    return definition, [*problems, *lint(definition), *_own_rules(definition)]


def _own_rules(definition: TrialDefinition) -> Iterator[Problem]:
    """Ask the engine what it thinks of the trial's rules for images; what cannot be read is told by the linter."""
    try:
        profile = Profile.from_mapping(dict(definition.deidentification))
    except BadDefinition:
        return
    for each in objections(profile):
        place: Place = ("rules", each.number - 1)
        yield Problem("deidentification.yaml", place, each.sentence, "error" if each.refuses else "warning")


@dataclass
class _Document:
    """One file: its data and the line on which each place of it stands."""

    name: str
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of a place, or of what it would be in."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def wrong(self, sentence: str, *, place: Place = (), line: int = 0) -> None:
        """Note what is wrong."""
        self.problems.append(Problem(self.name, place, sentence, line=line or self.line(place)))


def _with_line(problem: Problem, documents: Mapping[str, _Document]) -> Problem:
    document = documents.get(problem.file)
    return problem if problem.line or document is None else replace(problem, line=document.line(problem.path))


def _read(folder: Path, name: str, schema: str) -> _Document:
    document = _Document(name)
    path = folder / name
    try:
        raw = path.read_bytes() if path.stat().st_size <= LARGEST_FILE else None
        text = raw.decode("utf-8-sig") if raw is not None else ""
    except FileNotFoundError:
        document.wrong("this file is missing")
        return document
    except (OSError, UnicodeDecodeError):
        document.wrong("this file cannot be read; it must be a text in UTF-8")
        return document
    if raw is None:
        document.wrong(f"this file is larger than {LARGEST_FILE} bytes")
        return document
    _parse(text, document)
    if not document.problems:
        _validate(document, schema)
    return document


def _parse(text: str, document: _Document) -> None:
    try:
        if _is_plain(text, document):
            root = yaml.compose(text, Loader=_LOADER)
            document.data = _construct(root, (), document) if root else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        document.wrong(f"this is not YAML: {error.problem or error.context}", line=line)
    except yaml.YAMLError:
        document.wrong("this is not YAML: it holds signs that cannot be in a text")


def _is_plain(text: str, document: _Document) -> bool:
    """Refuse what could grow without end (aliases, deep nesting) before anything is built of it."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = _line(event)
        if isinstance(event, yaml.AliasEvent):
            document.wrong("references (*name) are not used here; write it out", line=line)
            return False
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            document.wrong(f"this is nested deeper than {DEEPEST} levels", line=line)
            return False
    return True


def _line(part: yaml.Node | yaml.Event) -> int:
    return part.start_mark.line + 1 if part.start_mark else 1


def _construct(node: yaml.Node, place: Place, document: _Document) -> Any:
    line = _line(node)
    document.lines.setdefault(place, line)
    if isinstance(node, yaml.MappingNode):
        return _construct_mapping(node, place, document)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(each, (*place, at), document) for at, each in enumerate(node.value)]
    return _scalar(node, document, line) if isinstance(node, yaml.ScalarNode) else None


def _construct_mapping(node: yaml.MappingNode, place: Place, document: _Document) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = _line(key_node)
        key = _scalar(key_node, document, line) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            document.wrong("a key must be a word; put it in quotes", line=line)
            continue
        if key in found:
            document.wrong(f"“{key}” stands here twice, and only one of them would count", line=line)
        document.lines[(*place, key)] = line
        found[key] = _construct(value_node, (*place, key), document)
    return found


def _scalar(node: yaml.ScalarNode, document: _Document, line: int) -> Any:
    """Read a value as YAML 1.2 does, and refuse what YAML 1.1 reads as something else (NO, 12:30, 010)."""
    text = str(node.value)
    if node.style in ("'", '"', "|", ">"):
        return text
    kind = str(node.tag).removeprefix(_TAG)
    if kind == "null":
        return None
    if text in ("true", "false"):
        return text == "true"
    if kind in ("int", "float") and _WHOLE.fullmatch(text):
        return int(text)
    if kind in ("int", "float") and _NUMBER.fullmatch(text):
        return float(text)
    if kind != "str":
        document.wrong(f"“{text}” is read differently by different programs; put it in quotes", line=line)
    return text


@cache
def _schema(kind: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{kind}.schema.json").read_text(encoding="utf-8")))


def _validate(document: _Document, kind: str) -> None:
    for error in _schema(kind).iter_errors(document.data):
        place = tuple(error.absolute_path)
        for key, sentence in _sentences(error):
            document.wrong(sentence, place=(*place, key) if key else place)


def _sentences(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Say what a schema refuses, and at which key of the place."""
    name = f"“{error.absolute_path[-1]}” " if error.absolute_path else ""
    description = str(error.schema.get("description", "")) if isinstance(error.schema, dict) else ""
    instance: Any = error.instance
    match error.validator:
        case "required":
            missing = [key for key in _texts(error.validator_value) if key not in instance]
            for key in missing:
                yield "", f"“{key}” is needed here"
        case "additionalProperties":
            known = list(error.schema["properties"]) if isinstance(error.schema, dict) else []
            for key in instance:
                if key not in known:
                    near = difflib.get_close_matches(key, known, 1)
                    yield (
                        key,
                        f"“{key}” is not known here; " + (f"did you mean “{near[0]}”?" if near else _known(known)),
                    )
        case "enum":
            yield "", f"{name}must be one of {', '.join(_texts(error.validator_value))}"
        case "type":
            yield "", f"{name}must be {_kind_of(error.validator_value)}: {description}"
        case _:
            yield "", f"{name}is not possible here: {description or error.message}"


def _texts(values: object) -> list[str]:
    return [str(value) for value in values] if isinstance(values, Iterable) else []


def _known(keys: Iterable[str]) -> str:
    return f"known are {', '.join(sorted(keys))}"


def _kind_of(kind: object) -> str:
    return {
        "string": "a text (put it in quotes)",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "array": "a list, each entry beginning with “- ”",
        "object": "a list of “key: value” lines",
    }.get(str(kind), str(kind))
