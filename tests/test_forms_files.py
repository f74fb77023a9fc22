"""What is in ``forms/`` holds: the schemas, the demo trial, and that editors find the one from the other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from trialimg import trialfiles

FORMS = Path(__file__).parents[1] / "forms"
SCHEMAS = sorted((FORMS / "schema").glob("*.schema.json"))
FILES = sorted(path for path in FORMS.glob("*/*/**/*.yaml"))
MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


def schema_of(path):
    found = MODELINE.match(path.read_text(encoding="utf-8"))
    assert found, f"{path} does not name its schema in the first line"
    return (path.parent / found[1]).resolve()


def every(schema):
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from every(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from every(value)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_a_schema_is_one_and_every_key_is_described(path):
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    for part in every(schema):
        for key, described in part.get("properties", {}).items():
            if isinstance(described, dict) and "const" not in described:
                assert described.get("description"), key
        if part.get("type") == "object":
            assert part["additionalProperties"] is False


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FORMS).as_posix())
def test_a_file_names_its_schema_and_obeys_it(path):
    schema = schema_of(path)
    kind = "form" if path.parent.name == "forms" else path.stem
    assert schema == FORMS / "schema" / f"{kind}.schema.json"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert list(Draft202012Validator(json.loads(schema.read_text(encoding="utf-8"))).iter_errors(data)) == []


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("trial", {"code": "demo"}),
        ("schedule", {"anchor_visit": "SCR", "visits": []}),
        ("schedule", {"anchor_visit": "SCR", "visits": [{"key": "SCR", "title": "x", "window_before": -1}]}),
        ("form", {"key": "F", "title": "F", "version": "1", "groups": [{"key": "G", "title": "G", "items": []}]}),
        ("codelists", {"codelists": [{"key": "A", "title": "A", "choices": [{"code": False, "label": "No"}]}]}),
        ("imaging", {"slots": [{"key": "CT", "title": "CT", "modalities": []}]}),
        ("deidentification", {"version": "1", "deidentify_at": "site", "dates": "kept", "keep": ["name"], "rules": [], "held_days": 1}),
        ("deidentification", {"version": "1", "deidentify_at": "site", "dates": "kept", "keep": [], "rules": [{"tag": "0008,1030", "action": "K"}], "held_days": 1}),
        ("reading", {"version": "1", "readers": -1}),
    ],
)  # fmt: skip
def test_a_schema_refuses_what_is_broken(kind, broken):
    schema = json.loads((FORMS / "schema" / f"{kind}.schema.json").read_text(encoding="utf-8"))
    assert not Draft202012Validator(schema).is_valid(broken)


def test_the_demo_trial_is_the_one_the_issue_describes():
    demo = trialfiles.load(FORMS / "demo" / "1.0")
    assert [visit.key for visit in demo.visits] == ["SCR", "W8", "W16", "EOT", "UNS"]
    assert set(demo.forms) == {"DM", "IE", "MH", "VS", "CM", "IMG", "RS", "AE"}
    kinds = {item.kind for form in demo.forms.values() for _, item in form.items()}
    assert kinds == {"text", "number", "date", "partial_date", "choice", "yes_no", "imaging"}
    assert all("CT" in visit.slots for visit in demo.visits)
    assert [visit.key for visit in demo.visits if "MR" in visit.optional_slots] == ["SCR", "UNS"]
    assert all("CT" not in visit.optional_slots for visit in demo.visits if not visit.repeating)
    assert demo.deidentification == {
        "version": "1.0", "deidentify_at": "server", "dates": "kept", "hold_localizers": False,
        "keep": ["sex", "age", "size", "weight"], "rules": [], "held_days": 14,
    }  # fmt: skip


def test_variables_are_named_as_cdash_names_them():
    demo = trialfiles.load(FORMS / "demo" / "1.0")
    for each in demo.forms.values():
        for _, item in each.items():  # noqa: PERF102 - pairs of group and item, no mapping
            if item.variable:
                assert item.key in (item.variable, f"{item.key.split('_')[0]}_{item.variable}")
