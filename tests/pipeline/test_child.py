"""A child process looks at bytes nobody has checked: it is limited, replaced, and never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.pipeline.bed import Bed
from trialimg.casework.services import services
from trialimg.casework.submission import quarantine
from trialimg.errors import OurFault
from trialimg.pipeline.child import Child, Died, Limits, ask_each
from trialimg.pipeline.claim import load_claim
from trialimg.pipeline.survey import child_setup

LIMITS = Limits(memory=600 * 2**20, seconds=20)


@pytest.fixture
def setup(bed: Bed, ct: list[Path]) -> dict[str, object]:
    key = bed.start()
    bed.send(key, ct)
    return {**child_setup(services(), load_claim(key)), "sha256": quarantine(key).listing()[0].sha256}


def look(setup: dict[str, object]) -> dict[str, object]:
    return {"do": "look", "sha256": setup["sha256"]}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_that_dies_refuses_its_object_and_the_next_one_gets_a_new_child(setup: dict[str, object]) -> None:
    with Child(setup, LIMITS) as child:
        assert "done" in child.ask(look(setup))
        assert child._process is not None
        child._process.kill()
        with pytest.raises(Died):
            child.ask(look(setup))
        assert "done" in child.ask(look(setup))


def test_a_child_that_cannot_start_blames_no_file(setup: dict[str, object]) -> None:
    """As when the program was replaced while the worker ran: what it does not understand must refuse nothing."""
    wanting = {name: value for name, value in setup.items() if name != "vault"}
    with pytest.raises(OurFault, match="could not start"):
        list(ask_each([look(setup)], wanting, LIMITS))


def test_a_child_that_hangs_is_ended(setup: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    with Child(setup, LIMITS) as child:
        child.ask(look(setup))
        monkeypatch.setattr(child, "_wall", 0.5)
        assert child._process is not None
        pid = child._process.pid
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(Died):
            child.ask(look(setup))
        assert not alive(pid)


def test_what_kills_its_child_is_refused_with_a_sentence_and_the_others_are_read(
    bed: Bed, ct: list[Path], setup: dict[str, object]
) -> None:
    area = services().vault.area(f"quarantine/{setup['submission']}")
    stored = area.put_bytes(ct[0].read_bytes() + bytes(330 * 2**20))
    requests = [{"do": "canonical", "sha256": stored.sha256}, look(setup)]
    limits = Limits(300 * 2**20, 20)
    answers = {str(request["do"]): answer for request, answer in ask_each(requests, setup, limits)}
    assert "refused" in answers["canonical"]
    assert answers["canonical"]["refused"]["code"] == "image.unreadable"
    assert "done" in answers["look"]


def kill_children(monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Kill the child, as another hand would, the first times that it is asked; give the list of those killed."""
    real, killed = Child.ask, list[int]()

    def ask(child: Child, request: dict[str, object]) -> dict[str, object]:
        if len(killed) < times:
            real(child, request)
            assert child._process is not None
            child._process.kill()
            killed.append(child._process.pid)
        return real(child, request)

    monkeypatch.setattr(Child, "ask", ask)
    return killed


def test_a_file_whose_child_another_hand_killed_is_read_once_more(
    setup: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = kill_children(monkeypatch, 1)
    ((_, answer),) = ask_each([look(setup)], setup, LIMITS)
    assert killed
    assert "done" in answer


def test_a_file_whose_child_is_killed_each_time_is_refused(
    setup: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = kill_children(monkeypatch, 99)
    ((_, answer),) = ask_each([look(setup)], setup, LIMITS)
    assert len(killed) == 2
    assert answer["refused"]["code"] == "image.unreadable"


def test_a_child_that_computes_too_long_is_ended_by_the_kernel() -> None:
    program = "from trialimg.pipeline.inside import _limit_time\n_limit_time(1)\nwhile True: pass"
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == -signal.SIGXCPU
    assert time.monotonic() - began < 60


def test_a_child_gets_nothing_of_our_environment_and_no_keys_on_its_command_line(
    setup: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIALIMG_ARCHIVE_PASSWORD", "very secret")
    with Child(setup, LIMITS) as child:
        child.ask(look(setup))
        assert child._process is not None
        proc = Path(f"/proc/{child._process.pid}")
        shown = proc.joinpath("environ").read_bytes() + proc.joinpath("cmdline").read_bytes()
    assert b"very secret" not in shown
    assert str(setup["subject_key"]).encode() not in shown


def test_a_child_has_no_data_base_and_no_web(setup: dict[str, object]) -> None:
    program = (
        "import sys, trialimg.pipeline.inside\n"
        "print(sorted({'sqlalchemy', 'flask', 'pynetdicom', 'trialimg.store', 'trialimg.casework'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_child_ends_when_its_parent_is_killed(setup: dict[str, object]) -> None:
    program = (
        "import json, sys, time\n"
        "from trialimg.pipeline.child import Child, Limits\n"
        "setup = json.loads(sys.argv[1])\n"
        "child = Child(setup, Limits(600 * 2**20, 20))\n"
        "child.ask({'do': 'look', 'sha256': setup['sha256']})\n"
        "print(child._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    import json

    parent = subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(setup)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    until = time.monotonic() + 5
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(pid)


