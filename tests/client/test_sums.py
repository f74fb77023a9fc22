"""Whatever lies in a folder: every file ends in one way, the sums add up, and only what is clean is written."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker, util
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from trialimg.client.account import Account
from trialimg.client.clean import clean_folder
from trialimg.client.work import Recipe, Wish
from trialimg.client.written import report_of, write_report
from trialimg.deidentify import basic_profile
from trialimg.domain.deidentification import SubjectIdentity

RECIPE = Recipe(basic_profile(), SubjectIdentity("S", "P", "N", "1", "", "101-001", "", ""), b"k" * 32)
KINDS = ("one", "two", "one again", "one otherwise", "must be seen", "text", "empty", "cut", "zip", "index", "link")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """One file of each kind."""
    folder = tmp_path_factory.mktemp("pool")

    def sample(name: str) -> Path:
        found = get_testdata_file(name)
        assert isinstance(found, str)
        return Path(found)

    files = {kind: folder / kind.replace(" ", "-") for kind in KINDS}
    shutil.copy(sample("CT_small.dcm"), files["one"])
    shutil.copy(files["one"], files["one again"])
    other = dcmread(files["one"])
    other.PixelData = bytes(len(other.PixelData))
    other.save_as(files["one otherwise"])
    two = dcmread(files["one"])
    two.SOPInstanceUID = two.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    two.save_as(files["two"])
    shutil.copy(sample("examples_palette.dcm"), files["must be seen"])
    files["text"].write_text("no image")
    files["empty"].write_bytes(b"")
    files["cut"].write_bytes(files["two"].read_bytes()[:20_000])
    files["zip"].write_bytes(b"PK\x03\x04" + bytes(100))
    shutil.copy(sample("DICOMDIR"), files["index"])
    files["link"].symlink_to(files["one"])
    yield files
    # The servers that start children stay with their process, which here is that of all tests.
    forkserver._forkserver._stop()
    resource_tracker._resource_tracker._stop()
    util._run_finalizers()


def expected(kinds: list[str]) -> Counter[str]:
    """Say what becomes of such a folder, by a rule of three lines."""
    count = Counter(kinds)
    ones, spoiled = count["one"] + count["one again"], count["one otherwise"] > 0
    found: Counter[str] = Counter()
    for group in (ones, count["one otherwise"]) if not (ones and spoiled) else ():
        found.update(cleaned=min(group, 1), duplicate=max(group - 1, 0))
    found.update(cleaned=min(count["two"], 1), duplicate=max(count["two"] - 1, 0))
    found.update(held=min(count["must be seen"], 1), duplicate=max(count["must be seen"] - 1, 0))
    found.update(refused=sum(count[kind] for kind in ("text", "empty", "cut", "zip", "link")), left_out=count["index"])
    return found


def cleaned(folder: Path, out: Path, jobs: int) -> Account:
    return clean_folder([folder], out, RECIPE, wish=Wish(durable=False), jobs=jobs)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from(KINDS), max_size=14))
def test_every_file_ends_in_one_way_and_the_sums_add_up(pool: dict[str, Path], kinds: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name) / "in", Path(name) / "out"
        folder.mkdir()
        for number, kind in enumerate(kinds):
            shutil.copy(pool[kind], folder / f"{number:02d}", follow_symlinks=False)
        account = cleaned(folder, out, jobs=1)
        counts, found = account.counts, expected(kinds)
        assert sum(counts.values()) == account.files == len(kinds)
        assert counts["held"] == found["held"]
        assert counts["left_out"] == found["left_out"]
        if not ("one otherwise" in kinds and {"one", "one again"} & set(kinds)):
            assert {key: n for key, n in counts.items() if n} == {key: n for key, n in found.items() if n}
        numbers = [entry.among for entry in account.cleaned]
        numbers += [each.source.among for each in (*account.held, *account.refused, *account.left_out)]
        numbers += [source.among for source in account.duplicates]
        assert sorted(numbers) == list(range(1, len(kinds) + 1))
        written = [path for path in out.rglob("*") if path.is_file()]
        assert {path.resolve() for path in written} == {item.target.resolve() for item in account.cleaned}
        told = sum(report.instances for _study, report in account.reports())
        assert told == counts["cleaned"] + counts["held"]
        assert all(any(path.iterdir()) for path in out.rglob("*") if path.is_dir())


def test_the_way_it_ends_does_not_depend_on_the_number_of_jobs(pool: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, kind in enumerate([*KINDS, *KINDS, "two"]):
        shutil.copy(pool[kind], folder / f"{number:02d}", follow_symlinks=False)
    first, second = cleaned(folder, tmp_path / "one", 1), cleaned(folder, tmp_path / "two", 3)
    assert first.to_json() == second.to_json()
    assert first.equation == second.equation


def test_the_report_is_written_study_by_study_and_is_the_account(pool: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, kind in enumerate(KINDS):
        shutil.copy(pool[kind], folder / f"{number:02d}", follow_symlinks=False)
    account = cleaned(folder, tmp_path / "out", 1)
    read: list[str] = []
    studies = ((read.append(study) or study, report) for study, report in account.reports())
    write_report(tmp_path / "report.json", report_of(account, trial="T"), studies)
    assert json.loads((tmp_path / "report.json").read_text()) == {"trial": "T", **account.to_json(), "instances": []}
    assert len(read) == len(set(read)) > 1
    told = [report for _study, report in account.reports()]
    sums = sum(report.unseen for report in told), sum(report.recognisable for report in told)
    assert account.ledger.looks() == sums
    assert sums[0] > 0
