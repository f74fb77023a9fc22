"""A clean file has its name only once all of it is on the disk: bytes first, then the name, then the folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from tests.client.test_sums import RECIPE
from trialimg.client.clean import clean_folder
from trialimg.client.work import Wish
from trialimg.client.written import write_report

FORCED, NAMED = "forced", "named"


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where every force to the disk and every name given is noted, by the children too."""
    notes = tmp_path / "steps"
    real_fsync, real_rename, real_replace = os.fsync, os.rename, Path.replace

    def note(*words: str) -> None:
        with notes.open("a") as stream:
            stream.write("\t".join(words) + "\n")

    def fsync(handle: int) -> None:
        note(FORCED, str(Path(f"/proc/self/fd/{handle}").readlink()), str(os.fstat(handle).st_size))
        real_fsync(handle)

    def rename(source: str, target: str, **given: int) -> None:
        note(NAMED, os.path.realpath(source), os.path.realpath(target))
        real_rename(source, target, **given)

    def replace(self: Path, target: Path) -> Path:
        note(NAMED, os.path.realpath(self), os.path.realpath(target))
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(Path, "replace", replace)
    return notes


ORDINARY = ("CT_small.dcm", "JPEG2000.dcm", "rtplan.dcm")
UNUSUAL = ("MR_small_bigendian.dcm", "image_dfl.dcm")


@pytest.mark.parametrize(("names", "jobs"), [(ORDINARY, 1), ((*ORDINARY, *UNUSUAL), 2)])
def test_no_clean_file_has_its_name_before_it_is_on_the_disk(
    steps: Path, tmp_path: Path, names: tuple[str, ...], jobs: int
) -> None:
    (tmp_path / "in").mkdir()
    for name in names:
        shutil.copy(str(get_testdata_file(name)), tmp_path / "in")
    account = clean_folder([tmp_path / "in"], tmp_path / "out", RECIPE, wish=Wish(reviewed=True), jobs=jobs)
    files = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert len(files) == len(account.cleaned) == len(names), account.equation
    done = [line.split("\t") for line in steps.read_text().splitlines()]
    for path in files:
        (at,) = (n for n, step in enumerate(done) if step[0] == NAMED and step[2] == str(path))
        assert [FORCED, done[at][1], str(path.stat().st_size)] in done[:at]
        assert any(step[:2] == [FORCED, str(path.parent)] for step in done[at:])
        assert any(step[:2] == [FORCED, str(path.parent.parent)] for step in done[at:])


def test_no_report_has_its_name_before_it_is_on_the_disk(steps: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("")
    write_report(path, {"kind": "a report"})
    (forced, named) = (line.split("\t") for line in steps.read_text().splitlines())
    assert forced == [FORCED, named[1], str(path.stat().st_size)]
    assert named == [NAMED, forced[1], str(path)]
