"""The archive in a folder: the embedded default, no service needed.

Files lie as dicomweb-client's DICOMfileClient lays them out (``studies/…/series/…/instances/<uid>``),
so that it, or anybody, can read them. Its own storing, indexing and cutting of frames are not used.
Tried with 0.61.2 on pydicom's test files: the index row of a deleted study stays, a file is re-encoded
before it is stored, nothing is synced, frames of CT_small.dcm come with the padding behind them, and
RLE, deflated and big-endian files are refused.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from trialimg.archive import query
from trialimg.archive.frame import frames
from trialimg.archive.index import Index, Row
from trialimg.archive.part10 import attributes, bulk, identify
from trialimg.archive.port import Frame, Held, Json, Progress, PushResult, Source, valid_uid
from trialimg.errors import ArchiveUnavailable, BadInput, Misconfigured, NotFound

_CHUNK: Final = 1024 * 1024
_BATCH: Final = 50  # instances noted in the index at once: one sync for all of them
_ABANDONED: Final = 24 * 3600.0  # seconds
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK})  # e.g. a folder shared by SMB
_OTHER_CONTENT: Final = (
    "The archive already holds another object under this instance's identifier, and it is kept. "
    "Find out which of the two is right; the other one needs its own identifier."
)
_MODALITY: Final = "00080060"


class LocalArchive:
    """Images in one folder, for any number of threads and processes of this host.

    Raises Misconfigured when the folder cannot be used.
    """

    can_forget = True

    def __init__(self, folder: Path) -> None:
        self.name = "local folder"
        self._studies = folder / "studies"
        self._arriving = folder / "arriving"
        try:
            for path in (folder, self._studies, self._arriving):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(
                f"The archive's folder cannot be made ({error.strerror}): set another folder or its rights."
            ) from error
        self._drop_abandoned()
        self._index = Index(folder / "index.sqlite3")
        if self._index.is_new:
            self.reindex()

    def check(self) -> None:
        """Write and delete a small file, and ask the index."""
        probe = self._arriving / secrets.token_hex(8)
        try:
            probe.write_bytes(b"can this be written?")
        except OSError as error:
            raise ArchiveUnavailable(f"The archive's folder cannot be written ({error.strerror}).") from error
        finally:
            probe.unlink(missing_ok=True)
        self._index.keys("0")

    def reindex(self) -> int:
        """Make the index anew from the files that are there; gives how many were found."""
        found: list[Row] = []
        for path in sorted(self._studies.glob("*/series/*/instances/*")):
            parts = path.relative_to(self._studies).parts
            with path.open("rb") as stream:
                found.append(Row(parts[0], parts[2], parts[4], _digest(path), attributes(stream)))
        self._index.add(found)
        return len(found)

    def push(self, instances: Iterable[Source], progress: Progress | None = None) -> PushResult:
        """Take instances; each is answered when file, folder and index are on the disk."""
        stored: set[str] = set()
        failed: dict[str, str] = {}
        waiting: list[Row] = []
        folders: set[Path] = set()

        def settle() -> None:
            try:
                for folder in folders:
                    _sync_folder(folder)
            except OSError as error:
                raise _unwritable(error) from error
            self._index.add(waiting)
            stored.update(row.sop_instance_uid for row in waiting)
            waiting.clear()
            folders.clear()
            if progress is not None:
                progress(len(stored) + len(failed))

        for uid, opener in instances:
            try:
                waiting.append(self._take(uid, opener, folders))
            except BadInput as error:
                failed[uid] = error.sentence
            if len(waiting) >= _BATCH:
                settle()
        settle()
        return PushResult(frozenset(stored), failed)

    def holds(self, study_uid: str) -> frozenset[Held]:
        """List what the index knows and whose file is there."""
        valid_uid(study_uid)
        keys = self._index.keys(study_uid)
        return frozenset(Held(*key) for key in keys if self._path(study_uid, *key).is_file())

    def fetch(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> BinaryIO:
        """Open the file as it was stored."""
        valid_uid(study_uid, series_uid, sop_instance_uid)
        try:
            return self._path(study_uid, series_uid, sop_instance_uid).open("rb")
        except FileNotFoundError as error:
            raise NotFound from error

    def forget(self, study_uid: str) -> None:
        """Delete the study's files, then its rows: a kill in between leaves rows that ``holds`` sees through."""
        valid_uid(study_uid)
        shutil.rmtree(self._studies / study_uid, ignore_errors=True)
        if (self._studies / study_uid).exists():
            raise ArchiveUnavailable("The archive's folder did not let go of a study: check its rights.")
        _sync_folder(self._studies)
        self._index.forget(study_uid)

    def search_studies(self, filters: dict[str, str]) -> list[Json]:
        """Match all studies, or only those named when the search names some."""
        named = filters.get("StudyInstanceUID") or filters.get("0020000D")
        uids = named.replace("\\", ",").split(",") if named else self._index.studies()
        return query.search((study for uid in uids for study in self._study(uid)), filters)

    def search_series(self, study_uid: str) -> list[Json]:
        """List the series of a study by their number."""
        valid_uid(study_uid)
        shown = [query.series(one, count) for one, count in self._index.series(study_uid)]
        return sorted(shown, key=lambda one: _as_number(query.value(one, "00200011")))

    def search_instances(self, study_uid: str, series_uid: str) -> list[Json]:
        """List the instances of a series by their number."""
        return [query.instance(one) for one in self._attributes(study_uid, series_uid)]

    def metadata(self, study_uid: str, series_uid: str, sop_instance_uid: str | None = None) -> list[Json]:
        """Give the attributes, kept since the file was stored."""
        found = self._attributes(study_uid, series_uid, sop_instance_uid)
        if not found:
            raise NotFound
        return found

    def frames(self, study_uid: str, series_uid: str, sop_instance_uid: str, numbers: list[int]) -> Iterator[Frame]:
        """Cut frames out of the file."""
        stream = self.fetch(study_uid, series_uid, sop_instance_uid)
        try:
            found = frames(stream, numbers)
        except BaseException:
            stream.close()
            raise
        return _closing(stream, found)

    def bulkdata(self, study_uid: str, series_uid: str, sop_instance_uid: str, tail: str) -> bytes:
        """Read one value from the file; ``tail`` is the path of tags that ``metadata`` gave."""
        with self.fetch(study_uid, series_uid, sop_instance_uid) as stream:
            return bulk(stream, tail)

    def _path(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> Path:
        return self._studies / study_uid / "series" / series_uid / "instances" / sop_instance_uid

    def _take(self, uid: str, opener: Callable[[], BinaryIO], folders: set[Path]) -> Row:
        """Bring one file in its place, never over another one."""
        arriving = self._arriving / secrets.token_hex(16)
        try:
            digest = _spool(opener, arriving)
            with arriving.open("rb") as stream:
                who = identify(stream)
                if who.sop_instance_uid != uid:
                    raise BadInput("An object holds another instance than the one it was announced as.")
                shown = attributes(stream)
            target = self._path(who.study_uid, who.series_uid, uid)
            for folder in reversed(list(target.parents)[:4]):
                folder.mkdir(mode=0o700, exist_ok=True)
            try:
                _place(arriving, target)
            except FileExistsError:
                if _digest(target) != digest:
                    raise BadInput(_OTHER_CONTENT) from None
            folders.update(list(target.parents)[:5])
            return Row(who.study_uid, who.series_uid, uid, digest, shown)
        except OSError as error:
            raise _unwritable(error) from error
        finally:
            arriving.unlink(missing_ok=True)

    def _drop_abandoned(self) -> None:
        """Delete what a killed process had half taken."""
        for path in self._arriving.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()

    def _attributes(
        self, study_uid: str, series_uid: str | None = None, sop_instance_uid: str | None = None
    ) -> list[Json]:
        valid_uid(*(uid for uid in (study_uid, series_uid, sop_instance_uid) if uid is not None))
        found = self._index.attributes(study_uid, series_uid, sop_instance_uid)
        return sorted(found, key=lambda one: _as_number(query.value(one, "00200013")))

    def _study(self, study_uid: str) -> list[Json]:
        """Show one study, as a list that is empty when there is none."""
        series = self._index.series(study_uid)
        if not series:
            return []
        modalities = sorted({query.value(one, _MODALITY) for one, _ in series} - {""})
        return [query.study(series[0][0], modalities, len(series), sum(count for _, count in series))]


def _unwritable(error: OSError) -> ArchiveUnavailable:
    if error.errno in _FULL:
        return ArchiveUnavailable(
            "The archive's disk is full: what it has it keeps. Free some space, the rest follows."
        )
    return ArchiveUnavailable(f"The archive's folder cannot be written ({error.strerror}).")


def _spool(opener: Callable[[], BinaryIO], path: Path) -> str:
    """Write a stream to the disk for good; gives its SHA-256."""
    digest = hashlib.sha256()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out, opener() as source:
        while data := source.read(_CHUNK):
            digest.update(data)
            out.write(data)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _place(source: Path, target: Path) -> None:
    """Give a file its name; raises FileExistsError rather than replace another one."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS or target.exists():
            raise
        source.rename(target)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _closing(stream: BinaryIO, found: Iterator[Frame]) -> Iterator[Frame]:
    with stream:
        yield from found


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
