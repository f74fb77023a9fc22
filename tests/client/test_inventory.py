"""The inventory finds what it was given, forgets nothing, and does not grow in memory."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg.client.inventory import CLEAN, HELD, SPOILED, Inventory, Series

HASH = "ab" * 32
ONE, TWO = Series("2.25.1", "/out/study/one", "mark"), Series("2.25.1", "/out/study/two", "")


def kept_in(folder: Path) -> Inventory:
    inventory = Inventory()
    inventory.keep_in(folder)
    return inventory


@given(
    uids=st.lists(st.text(st.characters(codec="utf-8"), max_size=300), unique=True, max_size=400),
    data=st.data(),
)
def test_what_was_put_in_is_found_and_given_in_its_order(
    tmp_path_factory: pytest.TempPathFactory, uids: list[str], data: st.DataObject
) -> None:
    inventory = kept_in(tmp_path_factory.mktemp("inventory"))
    states = [data.draw(st.sampled_from([CLEAN, HELD])) for _ in uids]
    for number, (uid, state) in enumerate(zip(uids, states, strict=True), 1):
        assert inventory.find(uid) is None
        inventory.add(state, number, TWO if number % 3 else ONE, f"code {number % 5}", number % 7, HASH, uid)
    spoiled = {uid for uid in uids if data.draw(st.booleans())}
    for uid in spoiled:
        found = inventory.find(uid)
        assert found is not None
        inventory.spoil(found)
    for number, (uid, state) in enumerate(zip(uids, states, strict=True), 1):
        found = inventory.find(uid)
        assert found is not None
        assert found[1:] == (
            SPOILED if uid in spoiled else state, number, TWO if number % 3 else ONE, f"code {number % 5}", number % 7,
            HASH, uid,
        )  # fmt: skip
    clean = [uid for uid, state in zip(uids, states, strict=True) if state == CLEAN and uid not in spoiled]
    assert [entry.instance for entry in inventory] == clean
    assert len(inventory) == len(clean)


def test_hashes_that_are_alike_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialimg.client.inventory.hash", lambda _value: 7, raising=False)
    inventory = kept_in(tmp_path)
    for number in range(1, 1500):
        inventory.add(CLEAN, number, ONE, "", 0, "", f"2.25.{number}")
    found = inventory.find("2.25.1234")
    assert found is not None
    assert (found.among, found.canonical_hash) == (1234, "")
    assert inventory.find("2.25.0") is None


def test_a_full_disk_loses_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = kept_in(tmp_path)
    whole, free = os.pwrite, [False]

    def little(handle: int, content: bytes, at: int) -> int:
        if not free[0]:
            raise OSError(28, "No space left on device")
        return whole(handle, bytes(content[:1000]), at)

    monkeypatch.setattr(os, "pwrite", little)
    for number in range(1, 4000):
        free[0] = number > 2000
        inventory.add(CLEAN, number, ONE, "", 0, HASH, f"2.25.{number}")
    assert [entry.among for entry in inventory] == list(range(1, 4000))
    for number in (1, 1999, 3999):
        found = inventory.find(f"2.25.{number}")
        assert found is not None
        assert found.target == Path(f"/out/study/one/2.25.{number}.dcm")


def test_a_folder_that_cannot_hold_it_costs_memory_and_nothing_else(tmp_path: Path) -> None:
    inventory = kept_in(tmp_path / "nowhere")
    inventory.add(CLEAN, 1, ONE, "", 0, HASH, "2.25.5")
    assert [entry.study for entry in inventory] == ["2.25.1"]


@pytest.mark.parametrize("uid", ["2" * 70_000, "é" * 40_000, "\udcff"])
def test_what_is_no_identifier_ends_no_run(tmp_path: Path, uid: str) -> None:
    inventory = kept_in(tmp_path)
    inventory.add(HELD, 1, ONE, "", 0, HASH, uid)
    inventory.add(CLEAN, 2, ONE, "", 0, HASH, "2.25.1")
    assert inventory.find(uid) is None
    assert [entry.among for entry in inventory] == [2]


def test_it_leaves_no_name_on_the_disk_and_takes_a_few_bytes_of_memory_for_each_file(tmp_path: Path) -> None:
    inventory = kept_in(tmp_path)
    tracemalloc.start()
    try:
        for number in range(1, 20_001):
            inventory.add(CLEAN, number, ONE, "", 0, HASH, f"2.25.{'9' * 30}{number}")
        taken, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / 20_000 < 40
    assert list(tmp_path.iterdir()) == []
    assert len(list(inventory)) == 20_000
