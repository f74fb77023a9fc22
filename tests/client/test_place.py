"""A place that a person named wrongly ends in a sentence before anything is done, whatever stands there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.client.conftest import run
from trialimg.client.offline import find_key
from trialimg.client.place import refusal
from trialimg.errors import BadInput, Misconfigured

BASIC = ("--profile", "basic", "--subject", "S-1")
LONG = "x" * 300


@pytest.fixture
def odd(tmp_path: Path, ct: Path) -> Path:
    """A folder with what nobody should name as a file."""
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "circle").symlink_to("circle")
    (folder / "nowhere").symlink_to("not-there")
    (folder / "text").write_text("no image")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize("option", ["--report", "--id-map", "--key-file", "--trial", "--explain", "SOURCE", "OUT"])
@pytest.mark.parametrize("place", ["circle", LONG, f"{LONG}/{LONG}", "text/deeper"])
def test_a_place_that_cannot_be_is_told_before_anything_is_done(
    odd: Path, ct: Path, tmp_path: Path, option: str, place: str
) -> None:
    out, named = tmp_path / "out", odd / place
    words = {
        "SOURCE": [named, out, *BASIC],
        "OUT": [ct, named, *BASIC],
        "--trial": [ct, out, "--subject", "1", option, named],
        "--explain": [option, named, "--profile", "basic"],
    }.get(option, [ct, out, *BASIC, option, named])
    done = run(tmp_path / "none", "deidentify", *words)
    assert done.returncode in {64, 65}
    assert "Traceback" not in done.stderr
    assert "something of ours" not in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("place", ["pipe", "/dev/zero", "/dev/full", "/dev/null", "nowhere", "circle", "text"])
def test_a_key_is_read_of_nothing_but_an_ordinary_file(odd: Path, place: str) -> None:
    with pytest.raises((BadInput, Misconfigured), match="key file"):
        find_key(lambda: odd, "", "1", odd / place)
    assert sorted(each.name for each in odd.iterdir()) == ["circle", "nowhere", "pipe", "text"]


def test_a_key_file_that_is_nested_without_end_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("[" * 60_000)
    with pytest.raises(BadInput, match="none that trialimg wrote"):
        find_key(lambda: tmp_path, "", "1", tmp_path / "key")


@pytest.mark.parametrize("name", ["r" * 255, "r.json", "deep/er/r.json"])
def test_a_place_that_can_be_written_is_refused_by_nobody_and_made(ct: Path, tmp_path: Path, name: str) -> None:
    assert refusal(tmp_path / name) is None
    for option in ("--report", "--key-file"):
        (tmp_path / option / name).parent.mkdir(parents=True)
        done = run(
            tmp_path / "none", "deidentify", ct, tmp_path / f"out{option}", *BASIC, option, tmp_path / option / name
        )
        assert done.returncode == 0, done.stderr
        assert [each.name for each in (tmp_path / option / name).parent.iterdir()] == [name.rpartition("/")[2]]


@pytest.mark.parametrize("what", ["", "  "])
def test_nothing_is_no_tag_to_be_explained(tmp_path: Path, what: str) -> None:
    done = run(tmp_path / "none", "deidentify", "--explain", what, "--profile", "basic")
    assert done.returncode == 65
    assert "neither a file nor a tag" in done.stderr


def test_of_several_places_the_one_that_is_not_there_is_told(ct: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "none", "deidentify", ct, tmp_path / "nosuch", tmp_path / "out", *BASIC)
    assert done.returncode == 65
    assert "number 2 of what you gave" in done.stderr


@pytest.mark.parametrize("site", ["a\nb", "x" * 65, "\ud800", "a\\b"])
def test_a_key_file_of_a_site_that_no_image_can_name_is_none_of_ours(tmp_path: Path, site: str) -> None:
    key = tmp_path / "key"
    key.write_text(json.dumps({"trial": "", "site": site, "version": 1, "key": "ab" * 32}))
    key.chmod(0o600)
    with pytest.raises(BadInput, match="none that trialimg wrote"):
        find_key(lambda: tmp_path, "", "", key)


def test_whoever_names_a_site_where_its_trial_has_no_key_is_told_what_is_missing(tmp_path: Path) -> None:
    found = find_key(lambda: tmp_path, "DEMO", "101", None)
    assert found.kind == "random"
    assert "no key of trial DEMO here" in found.sentence
    assert "no key here" in find_key(lambda: tmp_path, "DEMO", "", None).sentence


def test_a_key_file_made_without_a_trial_is_told_as_that(tmp_path: Path) -> None:
    find_key(lambda: tmp_path, "", "", tmp_path / "key")
    with pytest.raises(BadInput, match="was made without a trial, and --trial says DEMO"):
        find_key(lambda: tmp_path, "DEMO", "", tmp_path / "key")
