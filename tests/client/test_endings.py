"""However `deidentify` ends, a program that asked for JSON gets one document, and who cannot be told stops no work."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from tests.client.conftest import ROOT, environment, run

BASIC = ("--profile", "basic", "--subject", "S-1")


def shell(words: list[object], redirected: str, data: Path) -> subprocess.CompletedProcess[str]:
    """Run `deidentify` from a shell, which can close and redirect what a process has."""
    command = shlex.join([sys.executable, "-m", "trialimg", "--data", str(data), "deidentify", *map(str, words)])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {redirected}"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def names(out: Path) -> list[str]:
    """Give the names of all that lies in the folder of the clean files, folders of studies and series not counted."""
    return sorted(path.name for path in out.rglob("*") if path.is_file() or path.name.startswith("."))


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    "redirected", ["2>/dev/full", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2> >(exec true)", "2>&1 >/dev/null | head -1"]
)
def test_who_cannot_be_told_anything_gets_all_files_cleaned_all_the_same(
    ct: Path, tmp_path: Path, redirected: str, jobs: int
) -> None:
    (ct / "letter.txt").write_text("Dear Mary")
    out, report = tmp_path / "out", tmp_path / "report.json"
    done = shell([ct, out, *BASIC, "--jobs", jobs, "--report", report], redirected, tmp_path / "none")
    assert done.returncode == 65
    assert "Traceback" not in done.stdout + done.stderr
    told = json.loads(report.read_text())
    assert told["counts"]["cleaned"] == len(names(out)) == 5
    assert all(name.endswith(".dcm") for name in names(out))


def test_what_is_told_to_nobody_is_not_taken_for_the_result(ct: Path, tmp_path: Path) -> None:
    done = shell([ct, tmp_path / "out", *BASIC, "--json"], "2>&-", tmp_path / "none")
    assert json.loads(done.stdout)["exit"] == done.returncode == 0


def test_an_account_that_cannot_be_printed_is_told_and_one_that_nobody_wants_is_not(ct: Path, tmp_path: Path) -> None:
    full = shell([ct, tmp_path / "one", *BASIC, "--json"], ">/dev/full", tmp_path / "none")
    assert full.returncode == 75
    assert "could not be printed (No space left on device)" in full.stderr
    closed = shell([ct, tmp_path / "two", *BASIC, "--json"], "> >(exec true)", tmp_path / "none")
    assert closed.returncode == 0, closed.stderr
    assert len(names(tmp_path / "one")) == len(names(tmp_path / "two")) == 5


def endings(ct: Path, folder: Path) -> dict[str, list[Any]]:
    """Give the words of each way to end."""
    (folder / "empty").mkdir()
    (folder / "text").write_text("none")
    key = folder / "key"
    key.write_text("{}")
    out = folder / "out"
    return {
        "done": [ct, out],
        "no subject": [ct, out, "--subject", ""],
        "no such option": [ct, out, "--nosuch"],
        "too many jobs": [ct, out, "--jobs", "0"],
        "no source": [folder / "nosuch", out],
        "no file": [folder / "empty", out],
        "refused": [folder / "text", out],
        "no key": [ct, out, "--key-file", key],
        "no trial": [ct, out, "--profile", "trial", "--trial", "nosuch"],
        "no place": [ct, folder / "text" / "out"],
        "no place for the report": [ct, out, "--report", folder / "text" / "r.json"],
        "no room for the report": [ct, out, "--report", "/dev/full"],
    }


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("done", 0),
        ("no subject", 64),
        ("no such option", 64),
        ("too many jobs", 64),
        ("no source", 65),
        ("no file", 65),
        ("refused", 65),
        ("no key", 65),
        ("no trial", 65),
        ("no place", 64),
        ("no place for the report", 64),
        ("no room for the report", 75),
    ],
)
def test_every_ending_is_one_document_with_its_code(ct: Path, tmp_path: Path, ending: str, code: int) -> None:
    done = run(tmp_path / "none", "deidentify", *BASIC, "--json", *endings(ct, tmp_path)[ending])
    assert done.returncode == code, done.stderr
    told = json.loads(done.stdout)
    assert told["exit"] == code
    assert "sentence" in told or sum(told["counts"].values()) == told["files"]
    assert str(tmp_path) not in done.stdout


def begins_children(session: int) -> bool:
    """Say whether a process of this session is the one that children are begun from."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) == session and b"multiprocessing.forkserver" in (place / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False


def test_whoever_stops_it_while_children_are_begun_sees_no_trace_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(str(get_testdata_file("image_dfl.dcm")), tmp_path / "in" / "parser")
    words = ["deidentify", tmp_path / "in", tmp_path / "out", *BASIC, "--jobs", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "trialimg", "--data", str(tmp_path / "none"), *map(str, words)],
        cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while not begins_children(process.pid) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert told.splitlines()[-1] == "Ended."
    assert "Traceback" not in told
    assert names(tmp_path / "out") == []


def test_what_is_put_in_order_after_a_stop_is_not_stopped(tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from trialimg import start\n"
        "start._end_in_order()\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "except KeyboardInterrupt:\n"
        "    for how in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):\n"
        "        os.kill(os.getpid(), how)\n"
        "    print('in order')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "in order\n")


@pytest.mark.parametrize("words", [["in", "out"], ["--explain", "in/parser"]])
def test_nothing_is_left_among_the_temporary_files(tmp_path: Path, words: list[str]) -> None:
    for name in ("in", "temporary"):
        (tmp_path / name).mkdir()
    shutil.copy(str(get_testdata_file("image_dfl.dcm")), tmp_path / "in" / "parser")
    given = [str(tmp_path / word) if word[0] != "-" else word for word in words]
    done = run(tmp_path / "none", "deidentify", *given, *BASIC, "--jobs", 1, TMPDIR=str(tmp_path / "temporary"))
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_folder_in_which_it_runs_may_be_gone(ct: Path, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = [sys.executable, "-m", "trialimg", "deidentify", ct, *BASIC]
    for words in ([tmp_path / "out", "--report", "r.json"], ["out"]):
        (tmp_path / "gone").mkdir(exist_ok=True)
        line = f"cd {tmp_path / 'gone'} && rmdir {tmp_path / 'gone'} && exec {shlex.join(map(str, [*command, *words]))}"
        done = subprocess.run(
            ["bash", "-c", line], env={**environment(), "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 64, done.stderr
        assert "Nothing was done" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--subject", "--visit", "--slot", "--trial"])
def test_what_nothing_can_be_called_is_no_place_to_send_to(ct: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / "token").write_text("x")
    words = ["--server", "http://127.0.0.1:9", "--token-file", tmp_path / "token", "--visit", "V", "--slot", "CT"]
    done = run(tmp_path / "none", "send", ct, *words, "--subject", "1", "--json", option, "\udcff")
    assert done.returncode == json.loads(done.stdout)["exit"] == 64
    assert f"{option} takes up to 64 characters" in done.stderr


def test_whoever_stops_it_before_it_has_begun_gets_a_document_too(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from trialimg import start\n"
        "def stopped(_data, _words):\n"
        "    raise KeyboardInterrupt\n"
        "start._begin = stopped\n"
        "sys.argv = ['trialimg', 'deidentify', 'in', 'out', '--json']\n"
        "start.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "Ended.\n")
    assert json.loads(done.stdout)["exit"] == 130
