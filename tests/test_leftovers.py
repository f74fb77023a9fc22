"""A run leaves no process and no folder, even where it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.leftovers import MARK, carriers

ROOT = Path(__file__).resolve().parent.parent
LEAVING = """
import subprocess, sys, tempfile, time
from pathlib import Path

def test_leaves(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    Path(tempfile.mkdtemp(prefix="left-")).joinpath("big").write_bytes(bytes(2**20))
    Path({told!r}).write_text(f"{{child.pid}} {{tempfile.gettempdir()}}")
    {then}
"""


def run_of(folder: Path, then: str, *arguments: str) -> subprocess.Popen[str]:
    """Start pytest on one test that leaves a process and a folder behind."""
    (folder / "test_leaving.py").write_text(LEAVING.format(told=str(folder / "told"), then=then))
    (folder / "tmp").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != MARK and not name.startswith("PYTEST_")}
    command = ["-m", "pytest", "-q", "-p", "tests.leftovers", "-c", os.devnull, "-p", "no:cacheprovider", *arguments]
    return subprocess.Popen(
        [sys.executable, *command, str(folder / "test_leaving.py")], cwd=ROOT, text=True,
        env=environment | {"TMPDIR": str(folder / "tmp")}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        # A run in the background of a shell has learnt to ignore it, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - nothing but this
    )  # fmt: skip


def told(folder: Path) -> tuple[int, Path]:
    until = time.monotonic() + 120
    while not (folder / "told").exists() or not (folder / "told").read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    pid, _, temporary = (folder / "told").read_text().partition(" ")
    return int(pid), Path(temporary)


def wait_until_gone(pid: int, temporary: Path) -> None:
    until = time.monotonic() + 120
    while Path(f"/proc/{pid}").exists() or temporary.exists():
        assert time.monotonic() < until, f"{pid} or {temporary} is still here"
        time.sleep(0.05)


@pytest.mark.parametrize(("then", "workers"), [("pass", "0"), ("assert False", "2")])
def test_what_a_test_left_is_ended_and_named(tmp_path, then, workers):
    said, _ = run_of(tmp_path, then, "-n", workers).communicate(timeout=120)
    pid, temporary = told(tmp_path)
    assert temporary.name.startswith("trialimg-run-")
    wait_until_gone(pid, temporary)
    assert "The tests left this running; it was ended: " in said, said
    assert "time.sleep(600)" in said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_nothing(tmp_path, how):
    running = run_of(tmp_path, "time.sleep(600)", "-n", "0")
    pid, temporary = told(tmp_path)
    running.send_signal(how)
    running.communicate(timeout=120)
    wait_until_gone(pid, temporary)


def test_processes_of_other_runs_are_not_touched():
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=os.environ | {MARK: "another"})
    try:
        assert other.pid in carriers("another")
        assert other.pid not in carriers("this")
    finally:
        other.communicate(b"\n")
    assert other.pid not in carriers("another")
