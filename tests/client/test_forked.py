"""A child that begins as this process is: it answers, it is ended, it never outlives its parent, it holds nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.client.conftest import ROOT, environment
from trialimg.client.forked import Forked, Pipe

BIG = 3 * 2**20


def echo(pipe: Pipe) -> None:
    while True:
        pipe.send(pipe.recv())


def test_objects_of_any_size_come_back_whole() -> None:
    child = Forked(echo, [])
    try:
        for item in (None, {"a": (1, b"x")}, bytes(BIG), "é" * 1000):
            child.pipe.send(item)
            assert child.pipe.recv() == item
    finally:
        child.kill()
        child.join()
        child.pipe.close()


def test_what_is_given_ahead_never_waits_for_a_child_that_answers() -> None:
    """Forty-eight files of the longest names lie ready while the child gives an answer that fills its pipe."""

    def slow(pipe: Pipe) -> None:
        while True:
            pipe.send(bytes(BIG) + pipe.recv())

    child = Forked(slow, [])
    ahead = [bytes([number]) * (16 * 4096 * 3) for number in range(3)]
    signal.alarm(20)  # ends this process, and the whole run, rather than hang
    try:
        for item in ahead:
            child.pipe.send(item)
        assert [child.pipe.recv()[BIG:] for _ in ahead] == ahead
    finally:
        signal.alarm(0)
        child.kill()
        child.join()
        child.pipe.close()


def test_a_child_that_ended_is_an_end_of_the_pipe_and_leaves_no_zombie() -> None:
    child = Forked(lambda pipe: pipe.recv(), [])
    child.pipe.send("go")
    with pytest.raises(EOFError):
        child.pipe.recv()
    child.join()
    child.kill()  # of one that has ended: nothing happens
    with pytest.raises(ChildProcessError):
        os.waitpid(child._pid, os.WNOHANG)
    child.pipe.close()


def test_children_do_not_keep_the_pipes_of_others_open() -> None:
    first = Forked(echo, [])
    second = Forked(echo, [first.pipe])
    first.kill()
    first.join()
    with pytest.raises(EOFError):  # the second holds no end of it, so its end is seen
        first.pipe.recv()
    second.pipe.send("still here")
    assert second.pipe.recv() == "still here"
    second.kill()
    second.join()
    for child in (first, second):
        child.pipe.close()
        with pytest.raises(OSError, match="descriptor"):
            child.pipe.send("closed")


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\n"
        "from trialimg.client.children import Children\n"
        "def work(item):\n"
        "    time.sleep(60)\n"
        "children = Children(work, lambda item: item, workers=2, preload=())\n"
        "def items():\n"
        "    yield 1\n"
        "    yield 2\n"
        "    print(*[child.process._pid for child in children._children], flush=True)\n"
        "    while True:\n"
        "        yield 3\n"
        "next(children.each(items()))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    numbers = [int(word) for word in parent.stdout.readline().split()]
    assert len(numbers) == 2
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{number}").exists() for number in numbers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [number for number in numbers if Path(f"/proc/{number}").exists()]
