"""The usual order of `deidentify` is read without the library that reads command lines, and as that would read it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.client.conftest import ROOT, environment
from trialimg import deidentify_cli, deidentify_run
from trialimg.deidentify_cli import deidentify
from trialimg.deidentify_order import OPTIONS, Order, mistake, read

WORDS = [
    *(option.name for option in OPTIONS),
    *("--profile=basic", "--profile=trial", "--jobs=2", "--json=yes", "--site=", "--subject=101-001", "--pixels=held"),
    *("a", "b", "c/d", "101-001", "basic", "trial", "hold", "reviewed", "2", "0", "65", "-1", "², ", "x", "", " ", "."),
    *("-h", "--help", "--", "-", "--job", "--version", "/", "--explain=StudyDescription", "--=x", "--report=/"),
]
WHOLE = ["a", "b", "--profile", "basic", "--subject", "101-001"]


def as_the_library_reads(words: list[str], monkeypatch: pytest.MonkeyPatch) -> Order | None:
    """Give the order that the whole command line would carry out; None where it would carry out none."""
    found: list[Order] = []
    monkeypatch.setattr(deidentify_run, "run", lambda order, _installation: found.append(order))
    monkeypatch.setattr(deidentify_cli, "_explain", lambda *_given, **_named: None)
    try:
        deidentify.main(list(words), standalone_mode=False, obj=object())
    except (click.ClickException, click.exceptions.Exit):
        return None
    return found[0] if found else None


@settings(max_examples=400, deadline=None)
@given(words=st.lists(st.sampled_from(WORDS), max_size=9), whole=st.booleans())
@example(words=["--json"], whole=True)
@example(words=["--trial", "--explain"], whole=True)
@example(words=["--jobs", "2", "--report", "r.json", "--id-map", "m.csv", "--key-file", "k"], whole=True)
def test_what_is_read_at_once_is_what_the_library_reads(words: list[str], *, whole: bool) -> None:
    words = [*WHOLE, *words] if whole else words
    mine = read(words)
    with pytest.MonkeyPatch.context() as patch, patch.context() as inner:
        theirs = as_the_library_reads(words, inner)
    assert mine is None or mine == theirs


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--jobs", "2", "--report", "r.json"],
        ["--jobs=1", "--json", "--pixels=reviewed"],
        ["--key-file", "key", "--site", "101", "--visit", "V1", "--trial", "DEMO", "--id-map=map.csv"],
    ],
)
def test_usual_orders_are_read_at_once(more: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    order = read([*WHOLE, *more])
    assert order is not None
    assert order == as_the_library_reads([*WHOLE, *more], monkeypatch)


@pytest.mark.parametrize("out", ["a", "a/b", "."])
def test_a_place_among_the_originals_is_a_mistake(out: str) -> None:
    words: Any = {option.fills: option.default for option in OPTIONS}
    order = Order((Path("a"),), Path(out), **{**words, "profile": "basic", "subject": "1"})
    assert "OUT may not lie in SOURCE" in (mistake(order) or "")
    assert read(["a", out, "--profile", "basic", "--subject", "1"]) is None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--report", "k.json", "--key-file", "./k.json"], "name one file"),
        (["--id-map", "k.json", "--key-file", "k.json"], "name one file"),
        (["--id-map", "b/map.csv"], "--id-map may not lie in OUT"),
        (["--key-file", "b/deep/key.json"], "--key-file may not lie in OUT"),
        (["--report", "a/report.json"], "--report may not lie in SOURCE"),
    ],
)
def test_no_file_of_a_run_destroys_another_or_goes_out_with_the_clean_ones(more: list[str], told: str) -> None:
    assert read([*WHOLE, *more]) is None  # so that the whole command line says what is wrong
    done = subprocess.run(
        [sys.executable, "-m", "trialimg", "deidentify", *WHOLE, *more],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 64
    assert told in done.stderr


@pytest.mark.parametrize("option", ["--subject", "--site", "--visit"])
@pytest.mark.parametrize("value", ["x" * 65, "a\\b", "a\nb", "a\tb", "\x7f", "\x1b[0m", "\udcff", "\u202e1"])
def test_what_no_image_can_carry_is_no_number_of_a_subject_site_or_visit(option: str, value: str) -> None:
    words: Any = {each.fills: each.default for each in OPTIONS} | {"profile": "basic", "subject": "1"}
    order = Order((Path("a"),), Path("b"), **{**words, option[2:]: value})
    assert f"{option} takes up to 64 characters" in (mistake(order) or "")
    assert mistake(Order((Path("a"),), Path("b"), **{**words, option[2:]: "Fall 101-\u00e4\u60a3"})) is None


def test_a_report_may_lie_beside_the_clean_files() -> None:
    assert read([*WHOLE, "--report", "b/report.json"]) is not None


def test_no_key_is_made_for_what_is_not_there(tmp_path: Path) -> None:
    words = ["nosuch", "out", "--profile", "basic", "--subject", "1", "--key-file", "new.json"]
    done = subprocess.run(
        [sys.executable, "-m", "trialimg", "deidentify", *words],
        cwd=tmp_path, env={**environment(), "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 65
    assert not list(tmp_path.iterdir())


def test_the_usual_order_loads_neither_the_command_line_nor_what_children_need(tmp_path: Path) -> None:
    """The sum of what a run loads is most of the time that a hundred files take; pydicom and numpy are the parser's."""
    (tmp_path / "in").mkdir()
    code = (
        "import os, sys\n"
        "from trialimg import start\n"
        "left = []\n"
        "def leave(code):\n"
        "    left.append(code)\n"
        "    raise SystemExit\n"
        "os._exit = leave\n"
        "sys.argv = ['trialimg', 'deidentify', 'in', 'out', '--profile', 'basic', '--subject', '1', '--jobs', '1']\n"
        "try:\n"
        "    start.main()\n"
        "except SystemExit:\n"
        "    pass\n"
        "unwanted = {'click', 'inspect', 'dataclasses', 'multiprocessing', 'subprocess', 'tempfile', 'socket'}\n"
        "unwanted |= {'pydicom', 'numpy', 'flask', 'sqlalchemy', 'secrets', 'csv'}\n"
        "print(left, sorted(unwanted & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**environment(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "[65] []"
    assert "There was no file" in done.stderr
