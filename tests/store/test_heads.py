"""The heads of the chains, kept outside the data base in one file that every host reaches."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from trialimg.domain.audit import Head
from trialimg.store.heads import HeadsFile

KEY = b"k" * 32


def heads(path: Path) -> HeadsFile:
    return HeadsFile(path, lambda: KEY)


def write_many(path: Path, chain: str) -> None:
    file = heads(path)
    for number in range(1, 101):
        file.keep(Head(chain, number, "ab" * 32))


def test_heads_are_appended_and_read_back_in_order(tmp_path: Path) -> None:
    file = heads(tmp_path / "deep" / "heads.jsonl")
    for number in (1, 2, 5):
        file.keep(Head("t", number, f"{number:064x}"))
    assert [head.number for head in file.read()] == [1, 2, 5]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_the_newest_head_of_each_chain_is_found_whatever_their_order(tmp_path: Path) -> None:
    file = heads(tmp_path / "heads.jsonl")
    for chain, number in (("a", 3), ("b", 1), ("a", 2), ("b", 4), ("a", 1)):
        file.keep(Head(chain, number, "ab" * 32))
    assert {chain: head.number for chain, head in file.newest().items()} == {"a": 3, "b": 4}


def test_processes_that_keep_heads_at_once_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=write_many, args=(path, f"chain-{n}")) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    found = list(heads(path).read())
    assert len(found) == 400
    assert None not in found
    for n in range(4):
        assert [head.number for head in found if head.chain == f"chain-{n}"] == list(range(1, 101))


def test_a_line_torn_by_a_power_cut_is_passed_over_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    file = heads(tmp_path / "heads.jsonl")
    file.keep(Head("t", 1, "ab" * 32))
    with file.path.open("a") as raw:
        raw.write('{"chain":"t","num')
    file.keep(Head("t", 2, "ab" * 32))
    file.keep(Head("t", 3, "ab" * 32))
    assert [head and head.number for head in file.read()] == [1, 2, 3]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = heads(tmp_path / "heads.jsonl")
    file.keep(Head("t", 1, "ab" * 32))
    before, real = file.path.read_bytes(), os.write

    written: list[int] = []

    def nearly_full(handle: int, data: bytes) -> int:
        if written:
            raise OSError(errno.ENOSPC, "the disk is full")
        written.append(real(handle, data[:20]))
        return 20

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", nearly_full)
        with pytest.raises(OSError, match="full"):
            file.keep(Head("t", 2, "ab" * 32))
    assert file.path.read_bytes() == before
    file.keep(Head("t", 2, "ab" * 32))
    assert [head and head.number for head in file.read()] == [1, 2]


def test_without_a_file_there_are_no_heads(tmp_path: Path) -> None:
    assert list(heads(tmp_path / "none").read()) == []
    assert heads(tmp_path / "none").newest() == {}


def test_a_head_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        heads(tmp_path / "file" / "heads.jsonl").keep(Head("t", 1, "ab" * 32))
