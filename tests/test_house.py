"""Of the rules that tools/check_house.py holds, those that need a promise of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_house import bare_excuses, python_problems


@pytest.mark.parametrize(
    "excuse",
    [
        "# noqa",
        "# noqa: S101",
        "#noqa:S101",
        "# noqa: S101, FBT001",
        "# type: ignore",
        "# type: ignore[misc]",
        "# type: ignore[operator,no-any-return]",
        "# type: ignore[misc]  # noqa: S101",
        "# noqa: S101 (-)",
        "# pragma: no cover",
    ],
)
def test_an_excuse_without_a_reason_is_found_and_with_one_it_is_not(excuse: str):
    assert bare_excuses(f"one = 1\ntwo = 2  {excuse}\n") == [2]
    assert bare_excuses(f"one = 1\ntwo = 2  {excuse}  # the library has no types\n") == []
    assert bare_excuses(f"one = 1\ntwo = 2  {excuse} (as above)\n") == []


@pytest.mark.parametrize(
    "line", ["rows = []  # fmt: skip", "text = '# noqa: S101'", "# a comment of its own", "one = 1"]
)
def test_what_silences_nobody_needs_no_reason(line: str):
    assert bare_excuses(f"{line}\n") == []


def test_tests_give_their_reasons_too():
    text = "def test_it(bed): ...  # noqa: F811\n"
    found = python_problems(Path("tests/test_it.py"), "tests/test_it.py", text)
    assert found == ["line 1: an excuse without its reason beside it"]
