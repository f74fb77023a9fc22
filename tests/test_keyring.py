"""Keys: made once, readable by their owner only, and missed loudly."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from trialimg.errors import BadInput, Misconfigured, OurFault
from trialimg.keyring import AUDIT, SESSION, Keyring


def test_a_key_is_256_random_bits_that_only_the_owner_reads(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys")
    keyring.make(AUDIT)
    keyring.make(SESSION)
    assert len(keyring.get(AUDIT)) == 32
    assert keyring.get(AUDIT) != keyring.get(SESSION)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_a_key_is_never_made_twice(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.make(AUDIT)
    before = keyring.get(AUDIT)
    keyring.make(AUDIT)
    assert keyring.get(AUDIT) == before
    assert [path.name for path in tmp_path.iterdir()] == ["audit.key"]


def test_many_that_make_the_same_key_at_once_end_with_one(tmp_path: Path) -> None:
    keyring, seen = Keyring(tmp_path), []

    def make() -> None:
        keyring.make(AUDIT)
        seen.append(keyring.get(AUDIT))

    threads = [threading.Thread(target=make) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 16
    assert len(set(seen)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["audit.key"]


def test_a_key_that_others_can_read_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    keyring.make(AUDIT)
    (tmp_path / "audit.key").chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        keyring.get(AUDIT)


def test_a_key_that_is_gone_is_not_made_anew_behind_ones_back(tmp_path: Path) -> None:
    with pytest.raises(OurFault, match="restore it"):
        Keyring(tmp_path).get(AUDIT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "ab" * 33])
def test_a_damaged_key_is_told_so_and_never_shown(tmp_path: Path, text: str) -> None:
    keyring = Keyring(tmp_path)
    keyring.make(AUDIT)
    (tmp_path / "audit.key").write_text(text)
    with pytest.raises(OurFault, match="damaged") as caught:
        keyring.get(AUDIT)
    assert not text or text not in caught.value.sentence


def test_a_key_that_is_no_text_is_damaged(tmp_path: Path) -> None:
    Keyring(tmp_path).make(AUDIT)
    (tmp_path / "audit.key").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OurFault, match="damaged"):
        Keyring(tmp_path).get(AUDIT)


def test_a_key_or_folder_that_cannot_be_read_is_told_and_not_taken_for_none(tmp_path: Path) -> None:
    """Whoever may not look has no key, which is not the same as there being none: a random one would be taken."""
    (tmp_path / "audit.key").mkdir(mode=0o700)
    with pytest.raises(Misconfigured, match="cannot be read"):
        Keyring(tmp_path).get(AUDIT)
    (tmp_path / "circle").symlink_to("circle")
    for folder in (tmp_path / "circle", tmp_path / ("x" * 300)):
        with pytest.raises(Misconfigured, match="cannot be looked into"):
            Keyring(folder).has(AUDIT)
    assert not Keyring(tmp_path / "nowhere").has(AUDIT)


@pytest.mark.parametrize("name", ["", "../audit", "a/b", ".hidden", "a" * 80, "a\nb", "ä"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    keyring = Keyring(tmp_path)
    for act in (keyring.make, keyring.get, keyring.has):
        with pytest.raises(BadInput):
            act(name)
    assert list(tmp_path.iterdir()) == []


def test_a_trials_key_has_versions(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path)
    for version in (1, 2):
        keyring.make_trial_key("DEMO", version)
    assert keyring.trial_key("DEMO", 1) != keyring.trial_key("DEMO", 2)
    assert not keyring.has("trial-DEMO-v3")
