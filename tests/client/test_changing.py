"""Originals that come, go and change while they are cleaned: nobody waits, and the sums tell."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import UID

from trialimg.client import source as sources
from trialimg.client.account import NotTaken
from trialimg.client.clean import clean_folder
from trialimg.client.sender import Target, _clean
from trialimg.client.shelf import Shelf
from trialimg.client.source import Kind, Source
from trialimg.client.work import Done, Recipe, Run, Wish, one, ordinary
from trialimg.deidentify import basic_profile
from trialimg.deidentify_order import read
from trialimg.deidentify_run import run
from trialimg.domain.deidentification import SubjectIdentity
from trialimg.errors import BadInput, TryLater

RECIPE = Recipe(basic_profile(), SubjectIdentity("S", "P", "N", "1", "", "101-001", "", ""), b"k" * 32)


@pytest.mark.parametrize("way", [one, ordinary])
def test_a_pipe_put_where_a_file_was_is_not_waited_for(
    tmp_path: Path, way: Callable[[Run, Source], Done | NotTaken | None]
) -> None:
    os.mkfifo(tmp_path / "was-a-file")
    found = way(Run(str(tmp_path), RECIPE, Wish()), Source(str(tmp_path / "was-a-file"), tmp_path, 1, 1, Kind.FILE))
    assert isinstance(found, NotTaken)
    assert found.sentence == "It cannot be read. Check that you may read it, and its medium."


@pytest.mark.parametrize("change", ["one goes", "one comes"])
def test_a_folder_that_changed_meanwhile_is_not_said_to_be_done(
    ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], change: str
) -> None:
    count = sources.count_of

    def counted(paths: Any) -> int:
        found = count(paths)
        first = next(path for path in sorted(ct.rglob("*")) if path.is_file())
        if change == "one goes":
            first.unlink()
        else:
            (first.parent / "zz").write_bytes(first.read_bytes())
        return found

    monkeypatch.setattr(sources, "count_of", counted)
    order = read([str(ct), str(tmp_path / "out"), "--profile", "basic", "--subject", "1", "--jobs", "1", "--json"])
    assert order is not None
    with pytest.raises(BadInput, match="some came or went meanwhile"):
        run(order, lambda: None)
    told = capfd.readouterr()
    assert '"exit": 65' in told.out


@pytest.mark.parametrize("what", ["all", "a study", "the hidden folder"])
def test_clean_files_that_go_away_meanwhile_are_not_said_to_be_there(
    ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    out, take, taken = tmp_path / "out", Shelf.take, []

    def taking(shelf: Shelf, outcome: Any) -> None:
        take(shelf, outcome)
        taken.append(outcome)
        if len(taken) == 2:
            gone = {"all": out, "a study": next(out.glob("study-*")), "the hidden folder": next(out.glob(".*"))}
            shutil.rmtree(gone[what])

    monkeypatch.setattr(Shelf, "take", taking)
    order = read([str(ct), str(out), "--profile", "basic", "--subject", "1", "--jobs", "1", "--json"])
    assert order is not None
    with pytest.raises((TryLater, BadInput)):
        run(order, lambda: None)
    told = json.loads(capfd.readouterr().out)
    assert told["exit"] == (65 if what == "the hidden folder" else 75)
    assert told["files"] == sum(told["counts"].values()) == 5
    there = list(out.rglob("*.dcm"))
    assert told["exit"] == 75 or told["counts"]["cleaned"] == len(there)
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


def test_what_several_files_claim_is_looked_for_once_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study exported twice, otherwise, is as many claims as it has images: to look for each took minutes."""
    (tmp_path / "in").mkdir()
    image = dcmread(str(get_testdata_file("CT_small.dcm")))
    for number in range(20):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{number // 2}")
        image.PixelData = bytes([number % 2]) * len(image.PixelData)
        image.save_as(tmp_path / "in" / f"{number:02}")
    walked, walk = [], sources._walk

    def walking(folder: Path) -> Any:
        walked.append(folder)
        return walk(folder)

    monkeypatch.setattr(sources, "_walk", walking)
    account = clean_folder([tmp_path / "in"], tmp_path / "out", RECIPE, jobs=1)
    assert account.counts["refused"] == account.files == 20
    assert sorted(each.source.name for each in account.refused) == sorted(map(str, (tmp_path / "in").iterdir()))
    assert len(walked) == 2
    assert not list(tmp_path.glob("out/*"))


def test_nothing_is_sent_of_a_folder_that_changes(ct: Path, tmp_path: Path) -> None:
    def tell(sentence: str) -> None:
        if sentence.startswith("De-identifying"):
            next(path for path in ct.rglob("*") if path.is_file()).unlink()

    (tmp_path / "clean").mkdir()
    target = Target("http://127.0.0.1:9", "token", "1", "V", "CT")
    with pytest.raises(BadInput, match="some came or went meanwhile. Nothing was sent"):
        _clean(target, [ct], tmp_path / "clean", RECIPE, tell, jobs=1, named=False)
