from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg.domain.expression import KEYWORDS, MAX_LENGTH, ROW_FUNCTIONS, VALUE_FUNCTIONS, names, parse
from trialimg.domain.expression_value import holds, value_of
from trialimg.domain.partial_date import PartialDate
from trialimg.errors import BadDefinition


@dataclass
class Fixed:
    values: dict = field(default_factory=dict)
    groups: dict = field(default_factory=dict)
    today: date | None = date(2026, 3, 9)
    visit: str = "W8"

    def value(self, parts):
        return self.values.get(".".join(parts))

    def rows(self, group):
        return [Fixed({**self.values, **row}) for row in self.groups.get(group, [])]


def asked(source, groups=None, **values):
    return holds(parse(source), Fixed(values, groups or {}))


def worth(source, groups=None, **values):
    return value_of(parse(source), Fixed(values, groups or {}))


def day(text):
    return PartialDate.parse(text)


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("1 < 2 and 2 < 3", True),
        ("1 > 2 or 3 >= 3", True),
        ("not 1 = 1", False),
        ("not not 1 == 1", True),
        ("1 <> 2", True),
        ("2 + 3 * 4 == 14", True),
        ("(2 + 3) * 4 == 20", True),
        ("-2 - -3 == 1", True),
        ("10 / 4 == 2.5", True),
        ("'a' in ('b', \"a\")", True),
        ("'a' not in ('b', 'c')", True),
        ("1 == 2 and 1 == 1 or 1 == 1", True),
        ("0.1 + 0.2 == 0.3", True),
        ("abs(-3) == 3", True),
        ("days('2024-02-28', '2024-03-01') == 2", True),
        ("year('2024-02-28') == 2024", True),
        ("years('2000-03-10', today) == 25", True),
        ("years('2000-03-09', today) == 26", True),
        ("years('2004-02-29', '2022-02-28') == 17", True),
        ("today == '2026-03-09'", True),
        ("visit == 'W8'", True),
        ("visit in ('SCR', 'UNS')", False),
    ],
)
def test_an_expression_without_items_comes_to_what_it_says(source, answer):
    assert asked(source) is answer


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("GONE == 1", None),
        ("GONE != 1", None),
        ("GONE < 1", None),
        ("not GONE == 1", None),
        ("GONE == 1 or 1 == 1", True),
        ("1 == 1 or GONE == 1", True),
        ("GONE == 1 and 1 == 2", False),
        ("GONE == 1 and 1 == 1", None),
        ("GONE == 1 or 1 == 2", None),
        ("GONE in ('A', 'B')", None),
        ("GONE not in ('A', 'B')", None),
        ("GONE + 1 == 2", None),
        ("GONE is missing", True),
        ("GONE is not missing", False),
        ("1 / 0 == 1", None),
        ("days(GONE, today) > 1", None),
        ("abs(GONE) == 1", None),
        ("-GONE == 1", None),
        ("GONE", None),
    ],
)
def test_what_is_missing_is_unknown_and_not_false(source, answer):
    assert asked(source) is answer


def test_a_yes_no_item_stands_alone_as_an_answer():
    assert asked("SMOKES", SMOKES="Y") is True
    assert asked("not SMOKES", SMOKES="Y") is False
    assert asked("SMOKES and 1 == 1", SMOKES="N") is False


def test_codes_that_are_digits_compare_with_numbers():
    assert asked("ECOG <= 1", ECOG="1") is True
    assert asked("ECOG == 2", ECOG="1") is False
    assert asked("ECOG == 1", ECOG="UNKNOWN") is False
    assert asked("ECOG < 1", ECOG="UNKNOWN") is None


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        ("2024-03", "2024-04-01", True),
        ("2024-03", "2024-03-31", None),
        ("2024-03-31", "2024-03", False),
        ("2024-03-30", "2024-03", None),
        ("2024", "2023-12-31", False),
        ("2024-03-01", "2024-03-01", False),
        ("2024", "2024", None),
    ],
)
def test_a_partial_date_is_earlier_only_where_nobody_can_doubt_it(first, second, answer):
    assert asked("A < B", A=day(first), B=day(second)) is answer
    assert asked("B > A", A=day(first), B=day(second)) is answer


def test_partial_dates_that_overlap_are_neither_equal_nor_different():
    assert asked("A == B", A=day("2024-03"), B=day("2024-03-05")) is None
    assert asked("A == B", A=day("2024-03"), B=day("2024-04-05")) is False
    assert asked("A >= B", A=day("2024-03"), B=day("2024-03")) is None
    assert asked("A >= B", A=day("2024-03-01"), B=day("2024-03-01")) is True
    assert worth("days(A, B)", A=day("2024-03"), B=day("2024-04-05")) is None
    assert worth("year(A)", A=day("2024")) == 2024


def test_rows_are_counted_summed_and_asked():
    rows = {"T": [{"D": Decimal(12)}, {"D": Decimal("7.5")}, {}]}
    assert worth("count(T)", rows) == 3
    assert worth("count(T, D > 10)", rows) == 1
    assert worth("sum(T, D)", rows) == Decimal("19.5")
    assert worth("min(T, D)", rows) == Decimal("7.5")
    assert worth("max(T, D * 2)", rows) == 24
    assert asked("any(T, D > 10)", rows) is True
    assert asked("all(T, D > 10)", rows) is False
    assert asked("all(T, D > 1)", rows) is None
    assert asked("any(T, D > 100)", rows) is None
    assert worth("sum(NONE, D)") == 0
    assert worth("max(NONE, D)") is None


@pytest.mark.parametrize(
    ("source", "position", "word"),
    [
        ("", 1, "expected"),
        ("A ==", 5, "expected"),
        ("A == 1 B", 8, "operator"),
        ("A ; B", 3, "meaning"),
        ("(A == 1", 8, "“)”"),
        ("A < B < C", 7, "chained"),
        ("A in 1", 6, "“(”"),
        ("A is 1", 6, "missing"),
        ("sin(A)", 1, "no function"),
        ("days(A)", 1, "does not take"),
        ("days(A,)", 8, "expected"),
        ("count(A.B)", 7, "repeating group"),
        ("A.B.C.D == 1", 1, "three parts"),
        ("'open", 1, "meaning"),
        ("A == 'x' and", 13, "expected"),
        ("__import__('os')", 1, "no function"),
    ],
)
def test_a_mistake_is_named_with_its_position(source, position, word):
    with pytest.raises(BadDefinition) as refused:
        parse(source)
    assert f"character {position}:" in refused.value.sentence
    assert word in refused.value.sentence


@pytest.mark.parametrize(
    "source",
    [
        "(" * 5000,
        "A + " * 499 + "1",
        "(" * 100 + "A" + ")" * 100,
        "A" * 3000,
    ],
)
def test_no_expression_exhausts_the_stack(source):
    with pytest.raises(BadDefinition) as refused:
        parse(source)
    assert len(refused.value.sentence) < 400


def test_signs_and_denials_do_not_nest():
    assert asked("not " * 499 + "A", A="N") is True
    assert worth("-" * 1999 + "1") == -1


def test_a_long_chain_of_conditions_is_no_deep_one():
    source = " or ".join(["A == 1"] * 190)
    assert len(source) <= MAX_LENGTH
    assert asked(source, A=Decimal(1)) is True


@given(st.text(alphabet="AB01 .,()<>=!+-*/'\"andorinsmig_é\n", max_size=60))
def test_any_text_is_read_or_refused_with_a_sentence(source):
    try:
        tree = parse(source)
    except BadDefinition:
        return
    assert holds(tree, Fixed({"A": Decimal(1)})) in (True, False, None)


def test_names_tell_the_linter_what_an_expression_speaks_of():
    found = names("A == 1 and SCR.DM.SEX == 'F' or any(T, D > DM.X) and days(A, today) > 1")
    assert [(name.text, name.kind, name.inside) for name in found] == [
        ("A", "item", ""),
        ("SCR.DM.SEX", "item", ""),
        ("T", "group", ""),
        ("D", "item", "T"),
        ("DM.X", "item", "T"),
        ("A", "item", ""),
    ]


@pytest.mark.parametrize(
    "text",
    ["2023-02-29", "2024-13", "2024-00-01", "24-01-01", "2024-1-1", "20240101", "0000", "2024-01-01T00", ""],
)
def test_what_is_no_day_month_or_year_is_no_date(text):
    assert PartialDate.parse(text) is None


def test_a_month_reaches_to_its_last_day_and_a_year_to_its_end():
    assert day("2024-02").latest == date(2024, 2, 29)
    assert day("2024").earliest == date(2024, 1, 1)
    assert day("2024").latest == date(2024, 12, 31)


def test_the_manual_names_every_function_and_word_of_the_language():
    manual = (Path(__file__).parents[2] / "docs" / "forms.md").read_text(encoding="utf-8")
    for name in (*ROW_FUNCTIONS, *VALUE_FUNCTIONS):
        assert f"`{name}(" in manual
    for word in KEYWORDS:
        assert re.search(rf"`[^`]*\b{word}\b[^`]*`", manual), word
