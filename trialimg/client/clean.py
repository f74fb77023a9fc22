"""Cleans files at the site, with the very engine of the server, on every processor; originals stay untouched."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from trialimg.dicom.deidentify import CleanResult, clean_file
from trialimg.dicom.header import is_dicomdir, read_facts
from trialimg.domain.deidentification import Profile, Report, SubjectIdentity
from trialimg.errors import BadInput, NoSpace, TrialimgError, UnreadableObject

MEMORY: Final = 2 * 2**30
_AHEAD: Final = 4


@dataclass(frozen=True)
class Recipe:
    """What the engine is given for one subject's images."""

    profile: Profile
    identity: SubjectIdentity
    subject_key: bytes = field(repr=False)
    fingerprint_key: bytes | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Cleaned:
    """One original and its clean file; ``person`` is a hash in this process's memory, to tell persons apart."""

    source: Path
    target: Path
    result: CleanResult
    person: int


@dataclass(frozen=True)
class Refused:
    """One file that was not taken, and why."""

    source: Path
    code: str
    sentence: str


@dataclass
class CleanedFolder:
    """The end of a run: every file that went in is in exactly one of the lists."""

    cleaned: list[Cleaned] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    skipped: list[Refused] = field(default_factory=list)
    duplicates: list[Path] = field(default_factory=list)

    def reports(self) -> dict[str, Report]:
        """Give the report of each study, by its new StudyInstanceUID."""
        found: dict[str, Report] = {}
        for item in self.cleaned:
            uid = item.result.study_instance_uid
            found[uid] = found[uid] + item.result.report if uid in found else item.result.report
        return found

    @property
    def persons(self) -> int:
        """Say how many persons the originals name."""
        return len({item.person for item in self.cleaned})


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """Give every file of files and folders, in a stable order; links are not followed out of a folder."""
    for path in paths:
        if path.is_dir():
            for folder, names, files in os.walk(path):
                names.sort()
                yield from (Path(folder) / name for name in sorted(files))
        elif path.exists():
            yield path
        else:
            raise BadInput("One of the files or folders given does not exist. Nothing was done.")


def _limit() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _one(source: Path, out: Path, recipe: Recipe) -> Cleaned | Refused:
    try:
        if is_dicomdir(source):
            return Refused(source, "image.dicomdir", "It is an index of a disc, not an image; it was left out.")
        facts = read_facts(source)
        handle, name = tempfile.mkstemp(dir=out, prefix=".", suffix=".part")
        os.close(handle)
        target = Path(name)
        try:
            result = clean_file(
                source,
                target,
                profile=recipe.profile,
                identity=recipe.identity,
                subject_key=recipe.subject_key,
                fingerprint_key=recipe.fingerprint_key,
            )
            final = out / f"{result.sop_instance_uid}.dcm"
            target.replace(final)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return Cleaned(source, final, result, hash((facts.patient_id, facts.patient_name, facts.birth_date)))
    except TrialimgError as error:
        return Refused(source, error.code, error.sentence)
    except MemoryError:
        return Refused(source, UnreadableObject.code, "It needs more memory than the reader may use.")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return Refused(source, NoSpace.code, "The disk is full; make room and run this again.")
        return Refused(source, "file", "It cannot be read.")


def clean_folder(
    sources: Iterable[Path],
    out: Path,
    recipe: Recipe,
    *,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> CleanedFolder:
    """Clean files and folders into ``out``, each under its new SOPInstanceUID; a file is whole or not there."""
    out.mkdir(parents=True, exist_ok=True)
    folder = CleanedFolder()
    seen: dict[str, str] = {}
    workers = max(1, jobs or os.cpu_count() or 1)
    for done, outcome in enumerate(_run(files_of(sources), out, recipe, workers), 1):
        if isinstance(outcome, Refused):
            (folder.skipped if outcome.code == "image.dicomdir" else folder.refused).append(outcome)
        elif outcome.result.sop_instance_uid not in seen:
            seen[outcome.result.sop_instance_uid] = outcome.result.canonical_hash
            folder.cleaned.append(outcome)
        elif seen[outcome.result.sop_instance_uid] == outcome.result.canonical_hash:
            folder.duplicates.append(outcome.source)
        else:
            sentence = "Another file has the same SOPInstanceUID and other content; ask the scanner's operator which."
            folder.refused.append(Refused(outcome.source, "image.same_uid", sentence))
        if progress is not None:
            progress(done)
    folder.cleaned.sort(key=lambda item: str(item.source))
    return folder


def _run(sources: Iterator[Path], out: Path, recipe: Recipe, workers: int) -> Iterator[Cleaned | Refused]:
    """Clean in child processes; a file that kills its child is refused, and the others go on."""
    suspects: list[Path] = []
    pending: dict[Future[Cleaned | Refused], Path] = {}
    pool = _pool(workers)
    try:
        while True:
            for source in islice(sources, workers * _AHEAD - len(pending)):
                pending[pool.submit(_one, source, out, recipe)] = source
            if not pending:
                break
            finished, _ = wait(pending, return_when=FIRST_COMPLETED)
            broken = False
            for future in finished:
                source = pending.pop(future)
                try:
                    yield future.result()
                except BrokenProcessPool:
                    broken = True
                    suspects.append(source)
            if broken:
                suspects.extend(pending.values())
                pending.clear()
                pool.shutdown(wait=False)
                pool = _pool(workers)
    finally:
        pool.shutdown(cancel_futures=True)
    for source in suspects:
        yield _alone(source, out, recipe)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("forkserver"), initializer=_limit)


def _alone(source: Path, out: Path, recipe: Recipe) -> Cleaned | Refused:
    with _pool(1) as pool:
        try:
            return pool.submit(_one, source, out, recipe).result()
        except BrokenProcessPool:
            return Refused(source, UnreadableObject.code, "Reading it needs more than the reader's limits.")
