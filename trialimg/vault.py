"""Bytes in transit, by content hash: what was received and what is about to be sent, nothing else.

A vault has areas; an area holds the bytes of one submission at one place of its way (``quarantine/<submission>``
before cleaning, ``outbox/<submission>`` after). What ``put`` has answered is on the disk, file and folder, and survives
a power cut. Nothing here knows a path outside, a file name or a person: an object is its SHA-256.

On disk, an area named ``quarantine/7`` is the folder ``areas/quarantine.7`` (the dot cannot be in a name, so two areas
never share a folder), its objects are files named by their hash, mode 0600.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from trialimg.errors import BadInput, Conflict, Misconfigured, NoSpace, OurFault

MIB: Final = 1024 * 1024
_NAME: Final = re.compile(r"[a-z0-9-]+(?:/[a-z0-9-]+)*")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_KEY: Final = re.compile(r"[a-z0-9-]{1,60}")
_NOTE: Final = "note-"
_ARRIVING: Final = ".arriving-"
_PATIENCE: Final = 100
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_SPACE: Final = (
    "The disk that keeps images on their way is full: these images were not taken, what was received "
    "before is safe. The operator must make space; then go on, or send again."
)


@dataclass(frozen=True)
class Stored:
    """What lies in the vault: ``sha256`` in lower-case hexadecimal, ``size`` in bytes."""

    sha256: str
    size: int


class Vault:
    """All areas under one folder.

    ``reserve_bytes`` stay free on the disk whatever arrives: the data base, the log and the person who
    must clear up need some. Raises Misconfigured when the folder cannot be made.
    """

    def __init__(self, root: Path, *, reserve_bytes: int = 0) -> None:
        self.root = root
        self._areas = root / "areas"
        self._scratch = root / "scratch"
        self._reserve = reserve_bytes
        try:
            for folder in (root, self._areas, self._scratch):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(
                f"The vault's folder cannot be made ({error.strerror}): set another folder or its rights."
            ) from error

    def area(self, name: str) -> Area:
        """Give the area of this name; it comes into being with the first object put there."""
        if not _NAME.fullmatch(name):
            raise OurFault("An area of the vault has a name that is not allowed.")
        return Area(self, name, self._areas / name.replace("/", "."))

    def free_bytes(self) -> int:
        """Say how many bytes can still be received, the reserve taken off."""
        disk = os.statvfs(self._areas)
        return max(0, disk.f_bavail * disk.f_frsize - self._reserve)

    def check_writable(self) -> None:
        """Write and destroy a small object, as a receiver would.

        Raises NoSpace when the disk is full, Misconfigured when the folder cannot be written.
        """
        area = self.area(f"probe/{secrets.token_hex(8)}")
        try:
            try:
                area.put_bytes(b"can this be written?")
            finally:
                area.clear()
        except OSError as error:
            raise Misconfigured(
                f"The vault cannot be written ({error.strerror}): check the disk and the folder's rights."
            ) from error

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Lend a folder inside the vault for files that must not lie elsewhere; it is destroyed after use."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            yield Path(folder)

    def sweep(self, known: set[str]) -> set[str]:
        """Give the names of areas that nobody knows any more; the caller decides about them."""
        return {folder.name.replace(".", "/") for folder in self._areas.iterdir()} - known

    def drop_abandoned(self, older_than: float = 24 * 3600.0) -> int:
        """Destroy what a dead process had half received and not touched for so many seconds; gives how many files."""
        now, dropped = time.time(), 0
        for folder in self._scratch.iterdir():
            if now - folder.stat().st_mtime >= older_than:
                shutil.rmtree(folder, ignore_errors=True)
                dropped += 1
        for path in self._areas.glob(f"*/{_ARRIVING}*"):
            with contextlib.suppress(FileNotFoundError):
                if now - path.stat().st_mtime >= older_than:
                    path.unlink()
                    dropped += 1
        return dropped


class Area:
    """The objects of one submission at one place of its way."""

    def __init__(self, vault: Vault, name: str, folder: Path) -> None:
        self.name = name
        self._vault = vault
        self._folder = folder

    def put(self, stream: BinaryIO, *, limit: int | None = None, chunk: int = MIB) -> Stored:
        """Take a stream to its end and answer when it is safe on the disk.

        ``limit`` is the largest size in bytes, ``chunk`` what is held in memory at a time. Raises BadInput beyond the
        limit, NoSpace when the disk (less the reserve) is full, Conflict when the area was cleared meanwhile; in all
        three nothing is left behind.
        """
        self._make_folder()
        arriving = self._folder / f"{_ARRIVING}{secrets.token_hex(16)}"
        try:
            stored = self._receive(stream, arriving, limit, chunk)
            if not (target := self._folder / stored.sha256).exists():
                arriving.rename(target)
            _fsync_folder(self._folder)
        except OSError as error:
            raise _translated(error) from error
        finally:
            arriving.unlink(missing_ok=True)
        return stored

    def put_bytes(self, data: bytes, *, limit: int | None = None) -> Stored:
        """Take bytes that are in memory already; otherwise as ``put``."""
        return self.put(BytesIO(data), limit=limit)

    def open(self, sha256: str) -> BinaryIO:
        """Open an object for reading from its first byte; raises OurFault when it is not there."""
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError as error:
            raise OurFault("Bytes that should be in the vault are not there.") from error

    def holds(self, sha256: str) -> bool:
        """Say whether the object is there."""
        return self._path(sha256).is_file()

    def size(self, sha256: str) -> int:
        """Give an object's size in bytes; raises OurFault when it is not there."""
        with self.open(sha256) as stream:
            return os.fstat(stream.fileno()).st_size

    def drop(self, sha256: str) -> None:
        """Destroy one object; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._path(sha256).unlink()
            _fsync_folder(self._folder)

    def clear(self) -> None:
        """Destroy everything in the area, the half received and the folder too; raises Misconfigured where it stays."""
        # A receiver may put one more file while we delete: empty it again until the folder is gone.
        for _ in range(_PATIENCE):
            shutil.rmtree(self._folder, ignore_errors=True)
            if not self._folder.exists():
                break
        else:
            raise Misconfigured("The vault's folder does not let us destroy what is in it: check its rights.")
        _fsync_folder(self._folder.parent)

    def note(self, key: str, data: bytes) -> None:
        """Keep a small document beside the objects, over an earlier one of the same key; ``clear`` destroys it.

        Names of files and patients live only here. Raises NoSpace and Conflict as ``put`` does.
        """
        self._make_folder()
        arriving = self._folder / f"{_ARRIVING}{secrets.token_hex(16)}"
        try:
            self._receive(BytesIO(data), arriving, None, MIB)
            arriving.rename(self._note_path(key))
            _fsync_folder(self._folder)
        except OSError as error:
            raise _translated(error) from error
        finally:
            arriving.unlink(missing_ok=True)

    def add_to_note(self, key: str, line: bytes) -> None:
        """Append a line to a note, whole, whoever else appends; otherwise as ``note``."""
        self._make_folder()
        try:
            handle = os.open(self._note_path(key), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                _write_all(handle, line + b"\n")
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise _translated(error) from error

    def read_note(self, key: str) -> bytes | None:
        """Give a note, None when there is none."""
        try:
            return self._note_path(key).read_bytes()
        except FileNotFoundError:
            return None

    def drop_note(self, key: str) -> None:
        """Destroy a note; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._note_path(key).unlink()
            _fsync_folder(self._folder)

    def trim_notes(self, ending: str, most: int) -> None:
        """Destroy the oldest notes whose keys end so, until the others are ``most`` bytes at most; the newest stays."""
        with contextlib.suppress(FileNotFoundError):  # somebody else trims as well, or clears the area
            found = [(path.stat(), path) for path in self._folder.glob(f"{_NOTE}*{ending}")]
            found.sort(key=lambda each: each[0].st_mtime_ns, reverse=True)
            for at in range(1, len(found)):
                if sum(told.st_size for told, _ in found[: at + 1]) > most:
                    found[at][1].unlink()

    def notes(self) -> list[str]:
        """Give the keys of all notes."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(path.name.removeprefix(_NOTE) for path in self._folder.glob(f"{_NOTE}*"))
        return []

    def listing(self) -> list[Stored]:
        """Give all objects of the area, ordered by hash."""
        return sorted(self._walk(), key=lambda stored: stored.sha256)

    def _walk(self) -> Iterator[Stored]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if _SHA256.fullmatch(entry.name):
                    yield Stored(entry.name, entry.stat().st_size)

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise OurFault("An object of the vault was asked for by something that is no SHA-256.")
        return self._folder / sha256

    def _note_path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise OurFault("A note in the vault has a key that is not allowed.")
        return self._folder / f"{_NOTE}{key}"

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700)
        except FileExistsError:
            return
        except OSError as error:
            if error.errno in _FULL:
                raise NoSpace(_NO_SPACE) from error
            raise
        _fsync_folder(self._folder.parent)

    def _receive(self, stream: BinaryIO, path: Path, limit: int | None, chunk: int) -> Stored:
        digest, size = hashlib.sha256(), 0
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            while data := stream.read(chunk):
                size += len(data)
                if limit is not None and size > limit:
                    raise BadInput(
                        f"A file is larger than {limit / MIB:.0f} MB, the most that is taken: nothing of it "
                        "was kept. Send it in another way, or ask for a higher limit."
                    )
                if self._vault.free_bytes() < len(data):
                    raise NoSpace(_NO_SPACE)
                digest.update(data)
                _write_all(handle, data)
            os.fsync(handle)
        finally:
            os.close(handle)
        return Stored(digest.hexdigest(), size)


def _translated(error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError):
        return Conflict("These images were discarded while they were still arriving.")
    return NoSpace(_NO_SPACE) if error.errno in _FULL else error


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _fsync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
