"""A text that people can read as it is stored, in every script."""

from __future__ import annotations

import pytest

from trialimg.domain.crf import ItemDef
from trialimg.domain.item_value import Value, parse_value
from trialimg.domain.plain_text import has_unseen, is_line

NEED_JOINERS = ["می\u200cخواهم", "क्\u200dष", "👩🏽\u200d⚕️"]


@pytest.mark.parametrize("words", [*NEED_JOINERS, "王小明 東京", "Z\u0351a\u0301", "O'Neill-Ruiz"])
def test_a_name_is_taken_as_its_script_writes_it(words: str) -> None:
    assert is_line(words)
    assert not has_unseen(words)


@pytest.mark.parametrize("words", NEED_JOINERS)
def test_an_item_takes_the_joiners_a_script_needs(words: str) -> None:
    item = ItemDef("AETERM", "Term", "text")
    assert parse_value(item, words) == Value(words, words)


@pytest.mark.parametrize(
    "words",
    ["a\0b", "a\nb", "a\x1b[31m", "a\u2028b", "\u202eabc", "a\u2066b", "a\ufeff", "a\U000e0041", "a\ufffe", "\ud800"],
)
def test_a_line_with_signs_that_are_not_seen_or_turn_it_is_none(words: str) -> None:
    assert not is_line(words)
