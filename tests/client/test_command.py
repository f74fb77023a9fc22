"""`trialimg deidentify`: keys, what is held, what is written beside, what is told to whom, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComprehensiveSRStorage, CTImageStorage, ExplicitVRLittleEndian, RTPlanStorage

from seed_data.phantom.identities import planted_strings
from tests.client.conftest import ROOT, environment, run
from tests.pipeline.bed import PATIENT, small_ct

BASIC = ("--profile", "basic", "--subject", "S-1")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "nothing-here"


def sample(name: str) -> Path:
    found = get_testdata_file(name)
    assert isinstance(found, str)
    return Path(found)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two images that rules clean, one that a person must see, and what is no image."""
    folder = tmp_path / "OKONKWO_MARY"
    folder.mkdir()
    for name in ("CT_small.dcm", "rtplan.dcm", "examples_palette.dcm"):
        shutil.copy(sample(name), folder / name)
    (folder / "letter.txt").write_text("Dear Mary")
    return folder


def clean_ones(out: Path) -> list[Path]:
    return sorted(out.glob("study-*/series-*/*.dcm"))


def uids(out: Path) -> set[str]:
    return {path.stem for path in clean_ones(out)}


# --- profile and keys --------------------------------------------------------------------------------------


def test_the_basic_profile_needs_no_trial_no_data_base_and_no_known_subject(
    data: Path, ct: Path, tmp_path: Path
) -> None:
    done = run(data, "deidentify", ct, tmp_path / "out", *BASIC, "--report", tmp_path / "report.json")
    assert done.returncode == 0, done.stderr
    assert not data.exists()
    report = json.loads((tmp_path / "report.json").read_text())
    (study,) = report["studies"].values()
    assert (study["profile"], study["version"], study["table"]) == ("basic", "2026c", "2026c")
    assert [option["code"] for option in study["options"]] == ["113100"]
    assert dcmread(clean_ones(tmp_path / "out")[0]).StudyDate == ""


def test_the_basic_profile_is_taken_whatever_the_trial_says(data: Path, ct: Path, tmp_path: Path) -> None:
    done = run(data, "deidentify", ct, tmp_path / "out", *BASIC, "--trial", "demo")
    assert done.returncode == 0, done.stderr
    cleaned = dcmread(clean_ones(tmp_path / "out")[0])
    assert cleaned.StudyDate == ""
    assert cleaned.ClinicalTrialSponsorName != "NOT GIVEN"


def test_a_key_file_is_made_for_its_owner_alone_and_decides_the_identifiers(
    data: Path, ct: Path, tmp_path: Path
) -> None:
    key = tmp_path / "site.json"
    made = run(data, "deidentify", ct, tmp_path / "one", *BASIC, "--site", "7", "--key-file", key)
    assert made.returncode == 0, made.stderr
    assert "Made a new key of site 7" in made.stderr
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    again = run(data, "deidentify", ct, tmp_path / "two", *BASIC, "--key-file", key)
    assert "Using the key of site 7" in again.stderr
    assert key.read_bytes() == before
    assert uids(tmp_path / "one") == uids(tmp_path / "two")
    assert dcmread(clean_ones(tmp_path / "two")[0]).ClinicalTrialSiteID == "7"
    secret = json.loads(before)["key"]
    assert secret not in made.stdout + made.stderr
    assert all(bytes.fromhex(secret) not in path.read_bytes() for path in clean_ones(tmp_path / "one"))


def test_a_key_file_of_another_site_or_that_others_can_read_stops_everything(
    data: Path, ct: Path, tmp_path: Path
) -> None:
    key = tmp_path / "site.json"
    key.write_text(json.dumps({"trial": "", "site": "7", "version": 1, "key": "ab" * 32}))
    key.chmod(0o644)
    open_to_all = run(data, "deidentify", ct, tmp_path / "out", *BASIC, "--key-file", key)
    assert open_to_all.returncode == 64
    assert "chmod 600" in open_to_all.stderr
    key.chmod(0o600)
    other = run(data, "deidentify", ct, tmp_path / "out", *BASIC, "--key-file", key, "--site", "8")
    assert other.returncode == 65
    assert "site 7" in other.stderr
    key.write_text("{}")
    assert run(data, "deidentify", ct, tmp_path / "out", *BASIC, "--key-file", key).returncode == 65
    assert not (tmp_path / "out").exists()


# --- what is held, refused, left out -----------------------------------------------------------------------


def test_what_a_person_must_see_is_kept_back_until_one_has_looked(data: Path, mixed: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run(data, "deidentify", mixed, tmp_path / "out", *BASIC, "--report", report)
    assert done.returncode == 65
    assert "4 files = 2 cleaned + 1 held + 1 refused + 0 twice + 0 left out." in done.stderr
    assert "--pixels reviewed" in done.stderr
    assert len(clean_ones(tmp_path / "out")) == 2
    told = json.loads(report.read_text())
    assert [(each["number"], each["code"]) for each in told["held"]] == [(2, "image.may_show_text")]
    assert sum(told["counts"].values()) == told["files"] == told["given"] == 4
    (mixed / "letter.txt").unlink()
    looked = run(data, "deidentify", mixed, tmp_path / "all", *BASIC, "--report", report, "--pixels", "reviewed")
    assert looked.returncode == 0, looked.stderr
    assert len(clean_ones(tmp_path / "all")) == 3
    pixels = [row for study in json.loads(report.read_text())["studies"].values() for row in study["pixels"]]
    assert sorted((row["decision"], row["role"], row["instances"]) for row in pixels) == [
        ("shown", "whoever ran the command", 1),
        ("unseen", "", 1),
    ]
    assert "The pixels of 1 image were not looked at" in looked.stderr
    for made in map(dcmread, clean_ones(tmp_path / "all")):
        codes = {code.CodeValue for code in made.DeidentificationMethodCodeSequence}
        was_held = made.SOPClassUID not in {CTImageStorage, RTPlanStorage}
        assert codes == ({"113100", "113101"} if was_held else {"113100"})
        assert made.get("BurnedInAnnotation") == ("NO" if was_held else None)


def test_what_is_not_taken_is_told_by_its_number_and_never_by_its_name(data: Path, mixed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(mixed / "all.zip", "w") as packed:
        packed.writestr("okonkwo.dcm", b"x")
    shutil.copy(sample("DICOMDIR"), mixed / "DICOMDIR")
    (mixed / "linked").symlink_to(sample("CT_small.dcm"))
    (mixed / "elsewhere").symlink_to(sample("CT_small.dcm").parent, target_is_directory=True)
    report = tmp_path / "report.json"
    done = run(data, "deidentify", mixed, tmp_path / "out", *BASIC, "--report", report, "--json")
    assert done.returncode == 65
    assert "8 files = 2 cleaned + 1 held + 4 refused + 0 twice + 1 left out." in done.stderr
    assert "Unpack it" in done.stderr
    assert "2 files: It is a link or a device" in done.stderr
    for name in ("letter", "examples_palette", "all.zip", "elsewhere", "linked"):
        assert name not in done.stderr + done.stdout + report.read_text()
    assert "OKONKWO_MARY" not in done.stdout + report.read_text()
    account = json.loads(done.stdout)
    assert account["exit"] == 65
    assert account["counts"] == {"cleaned": 2, "held": 1, "refused": 4, "duplicate": 0, "left_out": 1}


def test_a_person_at_a_terminal_sees_a_bar_and_which_file_it_was(data: Path, mixed: Path, tmp_path: Path) -> None:
    mine, theirs = pty.openpty()
    command = ["deidentify", str(mixed), str(tmp_path / "out"), *BASIC]
    process = subprocess.Popen(
        [sys.executable, "-m", "trialimg", "--data", str(data), *command], cwd=ROOT, env=environment(),
        stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    told = b""
    try:
        while piece := os.read(mine, 4096):
            told += piece
    except OSError:  # the other end is closed: that is how a terminal says so
        pass
    finally:
        os.close(mine)
    assert process.wait(30) == 65
    assert b"letter.txt" in told
    assert b"De-identifying" in told
    assert b"100%" in told


def test_a_folder_that_cannot_be_opened_is_refused_and_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, mixed: Path
) -> None:
    from trialimg.client.source import Kind, sources_of

    (mixed / "closed").mkdir()
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    kinds = [(source.path.name, source.kind) for source in sources_of([mixed])]
    assert ("closed", Kind.CLOSED) in kinds
    assert len(kinds) == 5


# --- what is written beside --------------------------------------------------------------------------------


def test_who_was_who_is_written_on_demand_with_a_warning_and_never_over_another_file(
    data: Path, ct: Path, tmp_path: Path
) -> None:
    file = tmp_path / "map.csv"
    done = run(data, "deidentify", ct, tmp_path / "out", *BASIC, "--id-map", file)
    assert done.returncode == 0, done.stderr
    assert "WARNING" in done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert set(rows[0]) == {"id_old", "id_new"}
    mapped = {row["id_old"]: row["id_new"] for row in rows}
    original = [dcmread(path) for path in sorted(ct.rglob("*")) if path.is_file()]
    cleaned = {path.stem for path in clean_ones(tmp_path / "out")}
    assert {mapped[each.SOPInstanceUID] for each in original} == cleaned
    assert mapped[original[0].PatientID] == "S-1"
    assert original[0].StudyInstanceUID in mapped
    assert original[0].SeriesInstanceUID in mapped
    again = run(data, "deidentify", ct, tmp_path / "again", *BASIC, "--id-map", file)
    assert again.returncode == 65
    assert not (tmp_path / "again").exists()


def test_without_the_map_no_old_identifier_is_anywhere(data: Path, ct: Path, tmp_path: Path) -> None:
    done = run(data, "deidentify", ct, tmp_path / "out", *BASIC, "--report", tmp_path / "report.json", "--json")
    written = b"".join(path.read_bytes() for path in clean_ones(tmp_path / "out"))
    told = (tmp_path / "report.json").read_text() + done.stdout + done.stderr
    for path in ct.rglob("*"):
        if path.is_file():
            original = dcmread(path)
            for uid in (original.SOPInstanceUID, original.SeriesInstanceUID, original.StudyInstanceUID):
                assert uid not in told
                assert uid.encode() not in written
    for planted in planted_strings(PATIENT):
        assert planted not in told


@pytest.mark.parametrize("option", ["--report", "--id-map", "--key-file"])
def test_nothing_is_written_among_the_originals(data: Path, ct: Path, tmp_path: Path, option: str) -> None:
    before = sorted(ct.rglob("*"))
    done = run(data, "deidentify", ct, tmp_path / "out", *BASIC, option, ct / "beside.json")
    assert done.returncode == 64
    assert sorted(ct.rglob("*")) == before
    assert not (tmp_path / "out").exists()


def test_a_second_run_into_one_folder_changes_nothing_and_another_cleaning_is_not_written_over(
    data: Path, ct: Path, tmp_path: Path
) -> None:
    key = ("--key-file", tmp_path / "key.json")
    first = run(data, "deidentify", ct, tmp_path / "out", *BASIC, *key)
    assert first.returncode == 0, first.stderr
    before = {path: path.read_bytes() for path in clean_ones(tmp_path / "out")}
    assert run(data, "deidentify", ct, tmp_path / "out", *BASIC, *key).returncode == 0
    other = run(data, "deidentify", ct, tmp_path / "out", *BASIC, *key, "--visit", "W8")
    assert other.returncode == 65
    assert "holds this instance already" in other.stderr
    assert {path: path.read_bytes() for path in clean_ones(tmp_path / "out")} == before


# --- how it ends -------------------------------------------------------------------------------------------


def test_a_disk_that_fills_up_ends_in_another_time_and_no_half_file(data: Path, ct: Path, tmp_path: Path) -> None:
    big = dcmread(sample("CT_small.dcm"))
    big.NumberOfFrames, big.PixelData = 1, bytes(2 * 800 * 800)
    big.Rows = big.Columns = 800
    big.save_as(ct / "big.dcm")
    command = ["deidentify", str(ct), str(tmp_path / "out"), *BASIC, "--report", str(tmp_path / "report.json")]
    done = subprocess.run(
        [sys.executable, "-m", "trialimg", "--data", str(data), *command], cwd=ROOT, env=environment(),
        capture_output=True, text=True, timeout=120, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, 900_000)),
    )  # fmt: skip
    assert done.returncode == 75, done.stderr
    assert "The disk is full" in done.stderr
    assert len(clean_ones(tmp_path / "out")) == 5
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == []
    assert json.loads((tmp_path / "report.json").read_text())["refused"][0]["code"] == "later.no_space"


def test_a_folder_that_cannot_be_written_is_a_matter_of_usage(data: Path, ct: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run(data, "deidentify", ct, tmp_path / "file" / "out", *BASIC)
    assert done.returncode == 64
    assert "cannot be written" in done.stderr


def hear_all() -> None:
    """Undo what `nohup` does to all that the tests begin: a window that closes is then no end, as it should be."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("jobs", [1, 2])
def test_whoever_ends_it_finds_whole_files_and_reads_how_far_it_came(
    data: Path, tmp_path: Path, jobs: int, how: signal.Signals
) -> None:
    small_ct(tmp_path / "ct", slices=400)
    out, report = tmp_path / "out", tmp_path / "report.json"
    command = ["deidentify", tmp_path / "ct", out, *BASIC, "--report", report, "--jobs", jobs]
    process = subprocess.Popen(
        [sys.executable, "-m", "trialimg", "--data", str(data), *map(str, command)],
        cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=hear_all,  # noqa: PLW1509 (no thread is needed between)
    )  # fmt: skip
    until = time.monotonic() + 60
    while len(clean_ones(out)) < 5 and time.monotonic() < until and process.poll() is None:
        time.sleep(0.002)
    os.killpg(process.pid, how)  # as a terminal does: to all of them at once
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Ended after" in told
    assert "Traceback" not in told
    made = clean_ones(out)
    assert 5 <= len(made) < 401
    for path in made:
        assert len(dcmread(path).PixelData) > 0
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []
    account = json.loads(report.read_text())
    assert account["files"] < account["given"] == 401
    assert account["counts"]["cleaned"] == len(account["instances"]) <= len(made)


# --- what people ask ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["0008,0020", "(0008,0020)", "00080020", "StudyDate"])
def test_a_tag_is_explained_by_the_rule_that_applies(data: Path, tag: str) -> None:
    done = run(data, "deidentify", "--explain", tag, "--profile", "basic")
    assert done.returncode == 0, done.stderr
    assert "StudyDate" in done.stdout
    assert "emptied" in done.stdout
    assert "table E.1-1: Z" in done.stdout


def test_each_element_of_a_file_is_explained_and_no_value_told(data: Path, ct: Path) -> None:
    path = next(path for path in ct.rglob("*") if path.is_file())
    done = run(data, "deidentify", "--explain", path, "--trial", "demo")
    assert done.returncode == 0, done.stderr
    original = dcmread(path)
    lines = done.stdout.splitlines()
    assert len(lines) > len(original)
    assert any("PatientName" in line and "subject" in line for line in lines)
    for planted in planted_strings(PATIENT):
        assert planted not in done.stdout


def test_one_deep_element_does_not_push_what_is_said_of_all_others_off_the_screen(data: Path, tmp_path: Path) -> None:
    inside = Dataset()
    inside.TextValue = "x"
    for _ in range(8):
        around = Dataset()
        around.ContentSequence = [inside]
        inside = around
    inside.PatientName = "A^B"
    inside.file_meta = FileMetaDataset()
    inside.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    inside.SOPClassUID = inside.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    inside.SOPInstanceUID = inside.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
    inside.StudyInstanceUID, inside.SeriesInstanceUID = "2.25.2", "2.25.3"
    dcmwrite(tmp_path / "deep.dcm", inside, enforce_file_format=True)
    done = run(data, "deidentify", "--explain", tmp_path / "deep.dcm", "--profile", "basic")
    assert done.returncode == 0, done.stderr
    assert "(0040,A730)." * 8 in done.stdout
    (name,) = [line for line in done.stdout.splitlines() if " PatientName " in line]
    assert name.index("PatientName") < 40


def test_what_is_asked_without_a_trial_is_answered_by_the_basic_profile(data: Path) -> None:
    done = run(data, "deidentify", "--explain", "ContentDate")
    assert done.returncode == 0, done.stderr
    emptied, demanded = done.stdout.splitlines()[1:]
    assert " emptied " in emptied
    assert " dummy " in demanded
    assert "(Type 1)" in demanded
    assert "never carried on" in run(data, "deidentify", "--explain", "0008,0000").stdout


def test_what_becomes_of_each_value_of_a_file_is_told(data: Path, tmp_path: Path) -> None:
    original = dcmread(str(get_testdata_file("CT_small.dcm")))
    original.SoftwareVersions, original.ConvolutionKernel, original.PatientAge = "7.5", "Mrs Okonkwo", "091Y"
    original.ProtocolName = "CT CHEST OKONKWO"
    original.save_as(tmp_path / "in.dcm")
    done = run(data, "deidentify", "--explain", tmp_path / "in.dcm", "--trial", "demo")
    assert done.returncode == 0, done.stderr
    lines = {words[1]: " ".join(words[2:]) for words in map(str.split, done.stdout.splitlines()[1:]) if len(words) > 2}
    assert lines["SoftwareVersions"].startswith("kept ")
    assert lines["ConvolutionKernel"].startswith(("removed ", "emptied ", "cleaned "))
    assert "(0002,xxxx)" in done.stdout
    assert "judged" not in {rest.split()[0] for rest in lines.values()}


@pytest.mark.parametrize("what", ["nonsense", "/nowhere/at/all"])
def test_what_cannot_be_explained_is_a_sentence(data: Path, what: str) -> None:
    done = run(data, "deidentify", "--explain", what, "--profile", "basic")
    assert done.returncode == 65
    assert "neither a file nor a tag" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("in", "out", "--subject", "1"),
        ("in", "out", "--profile", "basic"),
        ("in", "out", "--profile", "basic", "--subject", " "),
        ("in", "--profile", "basic", "--subject", "1"),
        ("--profile", "basic", "--subject", "1"),
        ("in", "out", "--profile", "other", "--subject", "1"),
    ],
)
def test_what_is_missing_is_a_matter_of_usage(data: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "in").mkdir()
    paths = [str(tmp_path / each) if each in {"in", "out"} else each for each in arguments]
    assert run(data, "deidentify", *paths).returncode == 64
    assert not (tmp_path / "out").exists()


# --- words for whoever is in a hurry -----------------------------------------------------------------------


def test_what_is_true_of_many_files_is_said_once_with_each_of_them_named(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text("Dear Mary")
    told = run(data, "deidentify", folder, tmp_path / "out", *BASIC).stderr
    assert told.count("not taken: 3 files: ") == 1
    assert [line for line in told.splitlines() if line.startswith("  file ")] == [
        f"  file {number} of {str(folder)!r}" for number in (1, 2, 3)
    ]


def test_an_empty_folder_is_told_as_what_it_is(data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(data, "deidentify", tmp_path / "empty", tmp_path / "out", *BASIC)
    assert done.returncode == 65
    assert "There was no file in what was given" in done.stderr


@pytest.mark.parametrize(("subject", "warned"), [("7000-1", True), ("oKonKwo", True), ("MARY", True), ("S-1", False)])
def test_the_hospitals_number_or_the_name_given_for_the_trials_number_is_warned_of(
    data: Path, tmp_path: Path, subject: str, warned: bool
) -> None:
    original = dcmread(sample("CT_small.dcm"))
    original.PatientID, original.PatientName = "7000-1", "Okonkwo^Mary"
    original.save_as(tmp_path / "in.dcm")
    done = run(data, "deidentify", tmp_path / "in.dcm", tmp_path / "out", "--profile", "basic", "--subject", subject)
    assert ("WARNING: the subject's number stands in the files already" in done.stderr) is warned
