"""What the vault promises about bytes in transit."""

import errno
import hashlib
import io
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trialimg.errors import BadInput, Conflict, Misconfigured, NoSpace, OurFault
from trialimg.vault import Vault


def _everything(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.fixture
def vault(tmp_path):
    return Vault(tmp_path / "vault")


def test_what_was_put_is_read_back_under_its_hash(vault):
    area = vault.area("quarantine/1")
    stored = area.put(io.BytesIO(b"abc" * 100), chunk=7)
    assert stored.sha256 == hashlib.sha256(b"abc" * 100).hexdigest()
    assert stored.size == 300 == area.size(stored.sha256)
    with area.open(stored.sha256) as stream:
        assert stream.read() == b"abc" * 100


def test_the_same_bytes_twice_are_one_object(vault):
    area = vault.area("quarantine/1")
    assert area.put_bytes(b"x") == area.put_bytes(b"x")
    assert len(area.listing()) == 1


def test_areas_do_not_see_each_other(vault):
    stored = vault.area("quarantine/1").put_bytes(b"x")
    assert not vault.area("quarantine/1/1").holds(stored.sha256)
    assert not vault.area("outbox/1").holds(stored.sha256)


@pytest.mark.parametrize("name", ["", "..", "a/../b", "/a", "a/", "A", "a.b", "a//b", "a\n"])
def test_an_area_cannot_be_named_out_of_the_vault(vault, name):
    with pytest.raises(OurFault):
        vault.area(name)


@pytest.mark.parametrize("sha", ["../../etc/passwd", "", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_an_object_is_asked_for_by_its_hash_only(vault, sha):
    area = vault.area("a")
    for ask in (area.open, area.holds, area.size, area.drop):
        with pytest.raises(OurFault):
            ask(sha)


def test_a_missing_object_is_our_fault(vault):
    area = vault.area("a")
    assert not area.holds("0" * 64)
    for ask in (area.open, area.size):
        with pytest.raises(OurFault):
            ask("0" * 64)


def test_beyond_the_limit_nothing_stays(vault, tmp_path):
    with pytest.raises(BadInput):
        vault.area("a").put(io.BytesIO(b"x" * 11), limit=10, chunk=4)
    assert _everything(tmp_path) == []
    assert vault.area("a").put(io.BytesIO(b"x" * 10), limit=10, chunk=4).size == 10


@pytest.mark.parametrize("full", ["write", "fsync"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_nothing(vault, tmp_path, monkeypatch, full, number):
    kept = vault.area("a").put_bytes(b"before")

    def fail(*args):
        raise OSError(number, "full")

    monkeypatch.setattr(os, full, fail)
    with pytest.raises(NoSpace, match="full"):
        vault.area("a").put_bytes(b"after")
    monkeypatch.undo()
    assert [path.name for path in _everything(tmp_path)] == [kept.sha256]


def test_another_error_of_the_disk_is_not_called_full(vault, tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="broken"):
        vault.area("a").put_bytes(b"after")
    monkeypatch.undo()
    assert _everything(tmp_path) == []


def test_the_reserve_stays_free(tmp_path):
    vault = Vault(tmp_path / "v", reserve_bytes=10**18)
    assert vault.free_bytes() == 0
    with pytest.raises(NoSpace):
        vault.area("a").put_bytes(b"x")
    with pytest.raises(NoSpace):
        vault.check_writable()
    assert _everything(tmp_path) == []


def test_a_short_write_loses_nothing(vault, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, bytes(data)[:3]))
    stored = vault.area("a").put_bytes(b"0123456789")
    monkeypatch.undo()
    assert vault.area("a").open(stored.sha256).read() == b"0123456789"


def test_file_and_folders_are_synced_before_the_answer(vault, monkeypatch):
    synced = []
    fsync = os.fsync

    def note(handle):
        synced.append(stat.S_IFMT(os.fstat(handle).st_mode))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    vault.area("new").put_bytes(b"x")
    # the folder's own entry, the bytes, and then the name of the bytes
    assert synced == [stat.S_IFDIR, stat.S_IFREG, stat.S_IFDIR]


def test_only_the_owner_may_look(vault, tmp_path):
    vault.area("a/b").put_bytes(b"x")
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_clearing_destroys_all_of_one_area_and_nothing_else(vault, tmp_path):
    vault.area("quarantine/1").put_bytes(b"x")
    other = vault.area("quarantine/2").put_bytes(b"y")
    vault.area("quarantine/1").clear()
    vault.area("quarantine/1").clear()
    assert vault.area("quarantine/1").listing() == []
    assert [path.name for path in _everything(tmp_path)] == [other.sha256]
    assert vault.sweep(set()) == {"quarantine/2"}


def test_dropping_destroys_one_object(vault):
    area = vault.area("a")
    one, two = area.put_bytes(b"1"), area.put_bytes(b"2")
    area.drop(one.sha256)
    area.drop(one.sha256)
    assert area.listing() == [two]


def test_an_area_cleared_while_receiving_stays_cleared(vault, tmp_path):
    class Slow(io.BytesIO):
        def read(self, size=-1):
            data = super().read(size)
            if not data:
                vault.area("a").clear()
            return data

    with pytest.raises(Conflict):
        vault.area("a").put(Slow(b"x" * 10))
    assert _everything(tmp_path) == []


def test_areas_that_nobody_knows_are_found(vault):
    vault.area("quarantine/1").put_bytes(b"x")
    vault.area("outbox/1").put_bytes(b"x")
    assert vault.sweep({"outbox/1", "outbox/9"}) == {"quarantine/1"}


def test_what_a_killed_receiver_left_is_dropped_by_age(vault, tmp_path):
    code = (
        "import os,sys,signal\nfrom pathlib import Path\nfrom trialimg.vault import Vault\n"
        "class S:\n def read(self,n):\n  os.kill(os.getpid(),signal.SIGKILL) if self.__dict__ else None\n"
        "  self.once=1\n  return b'x'*n\n"
        f"Vault(Path({str(tmp_path / 'vault')!r})).area('a').put(S())\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (left,) = _everything(tmp_path)
    assert vault.area("a").listing() == []
    assert vault.drop_abandoned() == 0
    os.utime(left, (time.time() - 90000,) * 2)
    assert vault.drop_abandoned() == 1
    assert _everything(tmp_path) == []


def test_many_receivers_of_the_same_bytes_agree(vault):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(vault.area("a").put_bytes(b"same" * 9999))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len(set(results)) == 1 == len(vault.area("a").listing())


def test_a_healthy_vault_says_it_can_be_written_and_leaves_no_probe(vault, tmp_path):
    vault.check_writable()
    assert _everything(tmp_path) == []
    assert vault.sweep(set()) == set()


def test_an_empty_stream_is_an_object_too(vault):
    assert vault.area("a").put_bytes(b"").size == 0


def test_an_area_that_cannot_be_destroyed_is_never_called_destroyed(vault, monkeypatch):
    vault.area("a").put_bytes(b"x")
    monkeypatch.setattr("shutil.rmtree", lambda *args, **kwargs: None)
    with pytest.raises(Misconfigured):
        vault.area("a").clear()


def test_the_oldest_notes_of_a_kind_go_until_the_others_are_small_enough(vault):
    area = vault.area("quarantine/1")
    for age, key in ((3, "a-full"), (2, "b-full"), (1, "c-full"), (4, "a")):
        area.note(key, b"x" * 10)
        os.utime(area._note_path(key), (1e9 - age, 1e9 - age))
    area.trim_notes("-full", 30)
    assert area.notes() == ["a", "a-full", "b-full", "c-full"]
    area.trim_notes("-full", 20)
    assert area.notes() == ["a", "b-full", "c-full"]
    area.trim_notes("-full", 1)
    assert area.notes() == ["a", "c-full"]
    vault.area("quarantine/2").trim_notes("-full", 1)  # where nothing ever was
