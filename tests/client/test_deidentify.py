"""`trialimg deidentify` as a process of its own: what it takes, what it refuses, and what it leaves behind."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from seed_data.phantom.identities import PATIENT_IDENTITIES, planted_strings
from tests.client.conftest import ROOT, environment, run
from tests.client.hostile import make_hostile
from tests.pipeline.bed import PATIENT, small_ct
from trialimg.domain.pseudonym import site_key

OPTIONS = ("--trial", "demo", "--subject", "101-001")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder of a machine on which nothing was ever installed."""
    return tmp_path / "nothing-here"


@pytest.fixture(scope="module")
def key_file(peopled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    shutil.copytree(peopled, folder / "data")
    done = run(folder / "data", "trial", "site-key", "DEMO", "101", folder / "site.json")
    assert done.returncode == 0, done.stderr
    return folder / "site.json"


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def clean_ones(out: Path) -> list[Path]:
    """Give the files that stand under their names, one folder a study and in it one a series."""
    return sorted(out.glob("study-*/series-*/*.dcm"))


def test_a_folder_is_cleaned_into_neutral_names_and_the_originals_stay(data: Path, ct: Path, tmp_path: Path) -> None:
    before = hashes(ct)
    done = run(data, "deidentify", ct, tmp_path / "out", *OPTIONS, "--report", tmp_path / "report.json")
    assert done.returncode == 0, done.stderr
    assert hashes(ct) == before
    made = clean_ones(tmp_path / "out")
    assert len(made) == 5
    for path in made:
        cleaned = dcmread(path)
        assert path.name == f"{cleaned.SOPInstanceUID}.dcm"
        assert str(cleaned.SOPInstanceUID).startswith("2.25.")
        assert cleaned.PatientID == "101-001"
        assert path.stat().st_mode & 0o777 == 0o600
    written = b"".join(path.read_bytes() for path in made) + (tmp_path / "report.json").read_bytes()
    for planted in planted_strings(PATIENT):
        assert planted.encode() not in written
        assert planted not in done.stdout + done.stderr
    assert not data.exists()


def test_the_report_tells_tags_and_counts_and_never_a_value(data: Path, ct: Path, tmp_path: Path) -> None:
    for path in sorted(path for path in ct.rglob("*") if path.is_file())[:3]:
        head = dcmread(path)
        head.ProtocolName, head.SliceThickness = "CT head", "1.0"
        head.save_as(path)
    run(data, "deidentify", ct, tmp_path / "out", *OPTIONS, "--report", tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    (study,) = report["studies"].values()
    assert (study["instances"], study["residue"]["searched"], study["recognisable"], study["table"]) == (
        5,
        5,
        3,
        "2026c",
    )
    assert [(row["decision"], row["instances"]) for row in study["pixels"]] == [("unseen", 5)]
    assert [row["times"] for row in study["outcomes"]] == [5]
    assert ["(0010,0010)", "PatientName", 5] in [[*action[:2], action[3]] for action in study["actions"]]
    assert all(len(action) == 4 and isinstance(action[3], int) for action in study["actions"])


def test_files_and_folders_may_be_given_together(data: Path, ct: Path, tmp_path: Path) -> None:
    some = sorted(path for path in ct.rglob("*") if path.is_file())
    done = run(data, "deidentify", some[0], some[1].parent, tmp_path / "out", *OPTIONS)
    assert done.returncode == 0, done.stderr
    assert len(clean_ones(tmp_path / "out")) == 5


def test_one_key_gives_one_answer_whatever_the_run_and_the_number_of_jobs(
    data: Path, ct: Path, key_file: Path, tmp_path: Path
) -> None:
    for name, jobs in (("first", 1), ("second", 3)):
        done = run(
            data, "deidentify", ct, tmp_path / name, *OPTIONS, "--key-file", key_file, "--site", "101",
            "--jobs", jobs, "--report", tmp_path / f"{name}.json",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "first") == hashes(tmp_path / "second")
    assert (tmp_path / "first.json").read_text() == (tmp_path / "second.json").read_text()


def test_a_random_key_is_said_to_be_one(data: Path, ct: Path, tmp_path: Path) -> None:
    one = run(data, "deidentify", ct, tmp_path / "one", *OPTIONS)
    run(data, "deidentify", ct, tmp_path / "two", *OPTIONS)
    assert "random one" in one.stderr
    assert not set(hashes(tmp_path / "one")) & set(hashes(tmp_path / "two"))


def test_the_key_file_of_another_site_or_trial_is_refused(data: Path, ct: Path, key_file: Path, tmp_path: Path) -> None:
    done = run(data, "deidentify", ct, tmp_path / "out", *OPTIONS, "--key-file", key_file, "--site", "102")
    assert done.returncode == 65
    assert "site 101" in done.stderr
    other = json.loads(key_file.read_text()) | {"trial": "OTHER"}
    (tmp_path / "other.json").write_text(json.dumps(other))
    (tmp_path / "other.json").chmod(0o600)
    done = run(data, "deidentify", ct, tmp_path / "out", *OPTIONS, "--key-file", tmp_path / "other.json")
    assert done.returncode == 65
    assert not (tmp_path / "out").exists()


def test_a_key_file_lets_nobody_but_its_owner_read_it_and_is_never_written_over(peopled: Path, key_file: Path) -> None:
    assert key_file.stat().st_mode & 0o777 == 0o600
    before = key_file.read_text()
    done = run(key_file.parent / "data", "trial", "site-key", "DEMO", "102", key_file)
    assert done.returncode == 65
    assert key_file.read_text() == before


@pytest.mark.parametrize(
    ("site", "file", "told"),
    [
        ("999", "key.json", "There is no site 999 in a trial DEMO here"),
        ("101", "no/such/folder/key.json", "cannot be written (No such file or directory)"),
        ("101", "x" * 300, "cannot be written (File name too long)"),
    ],
)
def test_a_key_file_that_cannot_be_written_is_told_with_the_reason(
    key_file: Path, tmp_path: Path, site: str, file: str, told: str
) -> None:
    done = run(key_file.parent / "data", "trial", "site-key", "DEMO", site, tmp_path / file)
    assert done.returncode == (65 if file == "key.json" else 64), done.stderr
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_key_of_an_installation_is_that_of_the_sites_file_and_the_trials_own_is_in_no_file(
    data: Path, ct: Path, key_file: Path, tmp_path: Path
) -> None:
    installation = key_file.parent / "data"
    here = run(installation, "deidentify", ct, tmp_path / "here", *OPTIONS, "--site", "101")
    there = run(data, "deidentify", ct, tmp_path / "there", *OPTIONS, "--key-file", key_file)
    other = run(installation, "deidentify", ct, tmp_path / "other", *OPTIONS, "--site", "102")
    assert (here.returncode, there.returncode, other.returncode) == (0, 0, 0), here.stderr + there.stderr
    assert "Using the key of site 101 of this installation" in here.stderr
    assert hashes(tmp_path / "here") == hashes(tmp_path / "there")
    assert not set(hashes(tmp_path / "here")) & set(hashes(tmp_path / "other"))
    (of_trial,) = installation.rglob("trial-DEMO-v*.key")
    secret, given = of_trial.read_text().strip(), json.loads(key_file.read_text())
    assert secret not in key_file.read_text()
    assert given["key"] == site_key(bytes.fromhex(secret), "101").hex()


@pytest.mark.slow
def test_hostile_files_are_refused_with_a_sentence_each_and_the_others_go_on(
    data: Path, ct: Path, tmp_path: Path
) -> None:
    good = next(path for path in ct.rglob("IM000002") if path.is_file())
    hostile = make_hostile(ct / "hostile", good)
    done = run(data, "deidentify", ct, tmp_path / "out", *OPTIONS, "--report", tmp_path / "report.json", "--jobs", 2)
    assert done.returncode == 65
    assert len(clean_ones(tmp_path / "out")) == 5
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["refused"]) == len(hostile) + 2
    assert all(each["sentence"].endswith(".") for each in report["refused"])
    told = re.findall(r"(?:^  |^not taken: )(file \d+ of .*)$", done.stderr, re.MULTILINE)
    assert len(told) == len(hostile) + 2
    assert "Müller" not in done.stderr
    assert "nested" not in "".join(line.split(": ")[0] for line in told)
    assert "Traceback" not in done.stderr


def test_two_files_of_one_identifier_and_other_pixels_are_both_refused(data: Path, ct: Path, tmp_path: Path) -> None:
    some = sorted(path for path in ct.rglob("SE000002/*"))
    changed = bytearray(some[0].read_bytes())
    changed[-100] ^= 0xFF
    (ct / "again").write_bytes(changed)
    shutil.copy(some[1], ct / "copy")
    results = []
    for jobs in (1, 3):
        out = tmp_path / f"out{jobs}"
        done = run(data, "deidentify", ct, out, *OPTIONS, "--jobs", jobs, "--report", tmp_path / "report.json")
        assert done.returncode == 65
        assert len(clean_ones(out)) == 4
        report = json.loads((tmp_path / "report.json").read_text())
        results.append((report["refused"], len(report["duplicates"])))
    assert results[0] == results[1]
    assert {each["code"] for each in results[0][0]} == {"image.same_uid_other_content"}
    assert len(results[0][0]) == 2
    assert results[0][1] == 1


def test_two_persons_are_cleaned_and_told_of(data: Path, ct: Path, tmp_path: Path) -> None:
    small_ct(ct / "other", patient=PATIENT_IDENTITIES[3])
    done = run(data, "deidentify", ct, tmp_path / "out", *OPTIONS)
    assert "name 2 persons" in done.stderr


def test_out_may_not_lie_among_the_originals(data: Path, ct: Path, tmp_path: Path) -> None:
    for out in (ct / "clean", ct, tmp_path):
        assert run(data, "deidentify", ct, out, *OPTIONS).returncode == 64
    assert not (ct / "clean").exists()


@pytest.mark.parametrize("arguments", [("--trial", "nowhere", "--subject", "1"), ("--subject", "1")])
def test_a_trial_that_is_not_there_or_not_named(
    data: Path, ct: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = run(data, "deidentify", ct, tmp_path / "out", *arguments)
    assert done.returncode == (65 if "--trial" in arguments else 64)
    assert not (tmp_path / "out").exists()


def test_a_path_that_is_not_there_stops_before_anything_is_done(data: Path, ct: Path, tmp_path: Path) -> None:
    done = run(data, "deidentify", ct, tmp_path / "missing", tmp_path / "out", *OPTIONS)
    assert done.returncode == 65
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_half_file_and_the_next_clears_up(
    data: Path, tmp_path: Path, key_file: Path
) -> None:
    small_ct(tmp_path / "ct", slices=120)
    out = tmp_path / "out"
    command = ["deidentify", tmp_path / "ct", out, *OPTIONS, "--key-file", key_file]
    process = subprocess.Popen(
        [sys.executable, "-m", "trialimg", "--data", str(data), *map(str, command)],
        cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 60
    while len(clean_ones(out)) < 10 and time.monotonic() < until:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    made = clean_ones(out)
    assert 10 <= len(made) < 121
    for path in made:
        assert len(dcmread(path).PixelData) > 0
    assert run(data, *command).returncode == 0
    assert len(clean_ones(out)) == 121
    assert not [each for each in out.iterdir() if each.name.startswith(".")]


def test_no_process_of_a_killed_run_lives_on(data: Path, tmp_path: Path) -> None:
    small_ct(tmp_path / "ct", slices=60)
    process = subprocess.Popen(
        [sys.executable, "-m", "trialimg", "--data", str(data), "deidentify", str(tmp_path / "ct"),
         str(tmp_path / "out"), *OPTIONS],
        cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while not list(tmp_path.glob("out/study-*/series-*/*.dcm")) and time.monotonic() < until:
        time.sleep(0.002)
    process.kill()
    process.wait(10)
    until = time.monotonic() + 20
    while (left := in_session(process.pid)) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []


def in_session(session: int) -> list[int]:
    """Give the processes of a session that live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_real_files_of_many_kinds_come_out_readable(data: Path, tmp_path: Path) -> None:
    names = ["CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "JPEG2000.dcm", "examples_palette.dcm", "reportsi.dcm"]
    (tmp_path / "in").mkdir()
    for name in names:
        found = get_testdata_file(name)
        assert isinstance(found, str)
        shutil.copy(found, tmp_path / "in" / name)
    done = run(data, "deidentify", tmp_path / "in", tmp_path / "out", *OPTIONS, "--pixels", "reviewed")
    assert done.returncode == 0, done.stderr
    originals = [dcmread(path) for path in (tmp_path / "in").iterdir()]
    made = [dcmread(path) for path in clean_ones(tmp_path / "out")]
    assert sorted(each.SOPClassUID for each in made) == sorted(each.SOPClassUID for each in originals)
