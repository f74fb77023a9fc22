"""What ``docs/forms.md`` says of ``reading.yaml`` is what the loader takes: every key, every word, every default."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from trialimg.domain.reading_design import ASSIGNMENTS, CRITERIA, DATES, ORDERS, PRIORS, ReadingDesign
from trialimg.errors import BadDefinition

TEXT = (ROOT / "docs" / "forms.md").read_text("utf-8")
SECTION = TEXT.split("## Central reading", 1)[1].split("\n## ", 1)[0]
ROWS: dict[str, tuple[str, str]] = {
    key: (said, default) for key, said, default in re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", SECTION, re.MULTILINE)
}
EXAMPLE: dict[str, Any] = yaml.safe_load(SECTION.split("```yaml\n")[1].split("```")[0])
SCHEMA = json.loads((ROOT / "forms" / "schema" / "reading.schema.json").read_text("utf-8"))
LEAST = {"version": "1.0", "readers": 0}


def test_every_key_of_the_schema_stands_in_the_table_and_in_the_example() -> None:
    assert list(ROWS) == list(SCHEMA["properties"])
    assert set(EXAMPLE) == set(ROWS)


def test_the_example_is_what_the_loader_takes_and_the_demo_says() -> None:
    design = ReadingDesign.from_mapping(EXAMPLE)
    assert (design.readers, design.criteria, design.confirm_after_days) == (2, "RECIST 1.1", 28)
    demo = yaml.safe_load((ROOT / "forms" / "demo" / "1.0" / "reading.yaml").read_text("utf-8"))
    assert demo == EXAMPLE


@pytest.mark.parametrize("key", ROWS)
def test_the_loader_knows_each_key_and_what_holds_without_it(key: str) -> None:
    without = {name: value for name, value in EXAMPLE.items() if name != key}
    default = ROWS[key][1]
    if default == "must be said":
        with pytest.raises(BadDefinition, match=key):
            ReadingDesign.from_mapping(without)
        return
    held = ReadingDesign.from_mapping(without)
    said = {
        "none are": (), "the schedule's anchor visit": "", "it needs no confirmation": None,
    }  # fmt: skip
    wanted = said[default] if default in said else yaml.safe_load(default.strip("`"))
    got = getattr(held, key)
    got = [role.value for role in got] if key in {"values_visible_to", "reopen_by"} else got
    assert got == wanted
    assert replace(held, **{key: getattr(ReadingDesign.from_mapping(EXAMPLE), key)}) == ReadingDesign.from_mapping(
        EXAMPLE
    )


@pytest.mark.parametrize(
    ("key", "words"),
    [("criteria", CRITERIA), ("assignment", ASSIGNMENTS), ("order", ORDERS), ("priors", PRIORS), ("dates", DATES)],
)
def test_every_word_a_key_takes_is_told(key: str, words: tuple[str, ...]) -> None:
    assert set(re.findall(r"`([\w. ]+)`", ROWS[key][0])) & set(words) == set(words)
    for word in words:
        assert getattr(ReadingDesign.from_mapping(EXAMPLE | {key: word}), key) == word
    with pytest.raises(BadDefinition, match=key):
        ReadingDesign.from_mapping(EXAMPLE | {key: "whatever"})


def test_a_key_that_is_not_told_is_not_taken() -> None:
    with pytest.raises(BadDefinition, match="reader_count"):
        ReadingDesign.from_mapping(LEAST | {"reader_count": 2})
    assert ReadingDesign.from_mapping(LEAST).readers == 0
