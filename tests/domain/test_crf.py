from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg.domain.codelist import Choice
from trialimg.domain.crf import ItemDef, Limits
from trialimg.domain.item_value import Finding, Value, limits_of, parse_value

NUMBER = ItemDef(
    "T",
    "Temperature",
    "number",
    unit="°C",
    decimals=1,
    limits=Limits(Decimal(30), Decimal(45)),
    soft_limits=Limits(Decimal("35.5"), Decimal(38)),
)
COUNT = ItemDef("N", "Count", "number", unit="1", decimals=0)
FREE = ItemDef("W", "Any number", "number", unit="1")
DATE = ItemDef("D", "Date", "date")
PARTIAL = ItemDef("P", "Start", "partial_date")
TEXT = ItemDef("X", "Term", "text", max_length=10)
LONG = ItemDef("L", "Remarks", "text", max_length=100, lines=3)
CHOICE = ItemDef("C", "Sex", "choice", choices=(Choice("F", "Female"), Choice("M", "Male")))
IMAGES = ItemDef("I", "CT images", "imaging", slot="CT")


@pytest.mark.parametrize(
    ("item", "typed", "stored"),
    [
        (NUMBER, "36.6", "36.6"),
        (NUMBER, "36,6", "36.6"),
        (NUMBER, " 36 ", "36"),
        (NUMBER, "036.0", "36.0"),
        (NUMBER, "+36", "36"),
        (FREE, "\N{MINUS SIGN}4.50", "-4.50"),
        (FREE, "-0.0", "0.0"),
        (FREE, "000", "0"),
        (DATE, "2026-03-09", "2026-03-09"),
        (PARTIAL, "2026", "2026"),
        (PARTIAL, "2026-03", "2026-03"),
        (TEXT, "  nausea ", "nausea"),
        (TEXT, "Fie\u0301vre", "Fi\u00e9vre"),
        (LONG, "one\r\ntwo\rthree", "one\ntwo\nthree"),
        (CHOICE, "F", "F"),
    ],
)
def test_a_value_is_stored_in_one_way_of_writing(item, typed, stored):
    value = parse_value(item, typed)
    assert isinstance(value, Value)
    assert value.text == stored


@pytest.mark.parametrize(
    ("item", "typed", "word"),
    [
        (NUMBER, "36.66", "decimal place"),
        (NUMBER, "warm", "number in °C"),
        (NUMBER, "1.000,5", "number"),
        (NUMBER, "1e3", "number"),
        (NUMBER, "NaN", "number"),
        (NUMBER, "٣٦", "number"),
        (NUMBER, "36.", "number"),
        (COUNT, "1.5", "whole number"),
        (COUNT, "9" * 40, "number"),
        (DATE, "2026-02-30", "calendar"),
        (DATE, "2026-03", "full date"),
        (DATE, "09.03.2026", "year-month-day"),
        (PARTIAL, "March", "2026-03 or 2026"),
        (TEXT, "much too long a text", "10 characters"),
        (TEXT, "two\nlines", "line breaks"),
        (TEXT, "a\x00b", "cannot be shown"),
        (TEXT, "a\u202eb", "cannot be shown"),
        (CHOICE, "X", "answers offered"),
        (CHOICE, "f", "answers offered"),
        (IMAGES, "anything", "attach them"),
    ],
)
def test_what_is_no_value_is_refused_with_a_sentence_that_does_not_repeat_it(item, typed, word):
    finding = parse_value(item, typed)
    assert isinstance(finding, Finding)
    assert (finding.check_key, finding.severity, finding.item) == ("type", "hard", item.key)
    assert word in finding.sentence
    assert item.label in finding.sentence
    assert len(typed) < 5 or typed not in finding.sentence


@pytest.mark.parametrize(
    ("typed", "check", "severity"),
    [
        ("29.9", "range", "hard"),
        ("45.1", "range", "hard"),
        ("38.1", "soft_range", "soft"),
        ("35.4", "soft_range", "soft"),
    ],
)
def test_a_number_out_of_its_limits_is_a_value_with_a_finding(typed, check, severity):
    value = parse_value(NUMBER, typed)
    assert isinstance(value, Value)
    [finding] = limits_of(NUMBER, value)
    assert (finding.check_key, finding.severity) == (check, severity)
    assert "°C" in finding.sentence
    assert typed not in finding.sentence


@pytest.mark.parametrize("typed", ["35.5", "38", "36.6"])
def test_limits_include_their_ends(typed):
    value = parse_value(NUMBER, typed)
    assert isinstance(value, Value)
    assert limits_of(NUMBER, value) == []


def test_one_sided_limits_say_their_one_side():
    item = ItemDef("A", "Age", "number", unit="a", limits=Limits(low=Decimal(18)))
    value = parse_value(item, "17")
    assert isinstance(value, Value)
    assert "at least 18 a" in limits_of(item, value)[0].sentence


@given(
    st.sampled_from([NUMBER, COUNT, FREE, DATE, PARTIAL, TEXT, LONG, CHOICE, IMAGES]), st.text(max_size=30)
)
def test_whatever_is_typed_is_a_value_that_reads_the_same_again_or_a_finding(item, typed):
    value = parse_value(item, typed)
    if isinstance(value, Value):
        assert parse_value(item, value.text) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_a_number_keeps_its_worth(number):
    value = parse_value(FREE, f"{number:f}")
    assert isinstance(value, Value)
    assert value.typed == number


def test_few_choices_stand_open_and_many_are_folded():
    many = tuple(Choice(str(n), str(n)) for n in range(7))
    assert CHOICE.shown_as == "radio"
    assert ItemDef("C", "C", "choice", choices=many).shown_as == "select"
    assert (TEXT.shown_as, LONG.shown_as, IMAGES.shown_as) == ("input", "textarea", "imaging")


def test_a_code_the_list_no_longer_knows_is_shown_as_it_is_stored():
    assert CHOICE.label_of("F") == "Female"
    assert CHOICE.label_of("U") == "U"
