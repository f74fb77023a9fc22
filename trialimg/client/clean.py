"""Cleans files at the site, with the very engine of the server, on every processor; originals stay untouched.

The reading happens in child processes with limits on memory and time. A file gets its name in the folder of the
clean ones only when it is whole, on the disk, and known to be the only one of its identifier.
"""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import secrets
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from pathlib import Path
from types import FrameType
from typing import Final

from trialimg.client.source import Source, sources_of
from trialimg.client.staging import staging
from trialimg.dicom.deidentify import CleanResult, clean_file
from trialimg.dicom.header import InstanceFacts, is_dicomdir, read_facts
from trialimg.domain.deid_report import Report
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.errors import NoSpace, TrialimgError, UnreadableObject

MEMORY: Final = 2 * 2**30
"""Bytes of memory a child may use."""
SECONDS: Final = 300
"""Processor seconds a child may spend on one file."""
_AHEAD: Final = 4
_OTHER_CONTENT: Final = (
    "Several files carry the same instance identifier with different content, and nobody can tell which is right: "
    "none of them is taken. Export the study again."
)


@dataclass(frozen=True)
class Recipe:
    """What the engine is given for one subject's images."""

    profile: Profile
    identity: SubjectIdentity
    subject_key: bytes = field(repr=False)
    fingerprint_key: bytes | None = field(repr=False, default=None)
    person_key: bytes = field(repr=False, default_factory=lambda: secrets.token_bytes(32))


@dataclass(frozen=True)
class _Task:
    """What a child is told once more with each file."""

    hidden: Path
    recipe: Recipe
    durable: bool


@dataclass(frozen=True)
class Cleaned:
    """One original and its clean file; ``person`` tells persons apart in this run and means nothing outside it."""

    source: Source
    target: Path
    result: CleanResult
    person: bytes


@dataclass(frozen=True)
class Refused:
    """One file that was not taken, and why."""

    source: Source
    code: str
    sentence: str


@dataclass
class CleanedFolder:
    """The end of a run: every file that went in is in exactly one of the lists."""

    cleaned: list[Cleaned] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    skipped: list[Refused] = field(default_factory=list)
    duplicates: list[Source] = field(default_factory=list)

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


def clean_folder(
    paths: Iterable[Path],
    out: Path,
    recipe: Recipe,
    *,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
    durable: bool = True,
) -> CleanedFolder:
    """Clean files and folders into ``out``, each under its new SOPInstanceUID; a file is whole or not there.

    ``durable`` files are forced to the disk first, so that this holds for a power cut as well. The result is the same
    for any number of ``jobs``. Raises :class:`BadInput` where a path given is not there.
    """
    sources = sources_of(paths)
    workers = max(1, jobs or os.cpu_count() or 1)
    folder = CleanedFolder()
    kept: dict[str, Cleaned] = {}
    spoiled: set[str] = set()
    with staging(out) as hidden:
        for done, outcome in enumerate(_run(sources, _Task(hidden, recipe, durable), workers), 1):
            if isinstance(outcome, Cleaned):
                _keep(outcome, out, folder, kept, spoiled)
            else:
                (folder.skipped if outcome.code == "image.dicomdir" else folder.refused).append(outcome)
            if progress is not None:
                progress(done)
    folder.cleaned = list(kept.values())
    return folder


def _keep(item: Cleaned, out: Path, folder: CleanedFolder, kept: dict[str, Cleaned], spoiled: set[str]) -> None:
    """Give a clean file its name, unless another file claims the same identifier: equal ones count once."""
    uid = item.result.sop_instance_uid
    first = kept.get(uid)
    if first is None and uid not in spoiled:
        final = out / f"{uid}.dcm"
        item.target.replace(final)
        kept[uid] = Cleaned(item.source, final, item.result, item.person)
        return
    item.target.unlink(missing_ok=True)
    if first is not None and first.result.canonical_hash == item.result.canonical_hash:
        folder.duplicates.append(item.source)
        return
    if first is not None:
        spoiled.add(uid)
        del kept[uid]
        first.target.unlink(missing_ok=True)
        folder.refused.append(Refused(first.source, "image.same_uid_other_content", _OTHER_CONTENT))
    folder.refused.append(Refused(item.source, "image.same_uid_other_content", _OTHER_CONTENT))


def _run(sources: Iterator[Source], task: _Task, workers: int) -> Iterator[Cleaned | Refused]:
    """Clean in child processes and give the outcomes in the order of the files.

    A file that kills its child is refused; those that were under way beside it are done again, one at a time.
    """
    pending: deque[tuple[Source, Future[Cleaned | Refused]]] = deque()
    pool = _pool(workers)
    try:
        for source in sources:
            pending.append((source, pool.submit(_one, source, task)))
            while len(pending) >= workers * _AHEAD:
                outcome = _next(pending)
                if outcome is not None:
                    yield outcome
                    continue
                pool.shutdown(wait=False)
                yield from (_alone(each, task) for each, _ in pending)
                pending.clear()
                pool = _pool(workers)
        while pending:
            outcome = _next(pending)
            if outcome is None:
                yield from (_alone(each, task) for each, _ in pending)
                return
            yield outcome
    finally:
        pool.shutdown(cancel_futures=True)


def _next(pending: deque[tuple[Source, Future[Cleaned | Refused]]]) -> Cleaned | Refused | None:
    """Take the outcome of the oldest file; None, and nothing is taken, where its child has died."""
    try:
        outcome = pending[0][1].result()
    except BrokenProcessPool:
        return None
    pending.popleft()
    return outcome


def _alone(source: Source, task: _Task) -> Cleaned | Refused:
    with _pool(1) as pool:
        try:
            return pool.submit(_one, source, task).result()
        except BrokenProcessPool:
            return Refused(source, UnreadableObject.code, "Reading it needs more than the reader's limits.")


def _pool(workers: int) -> ProcessPoolExecutor:
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_limit)


def _limit() -> None:
    """Set the limits of a child, which ends with its parent; Ctrl-C is the parent's to answer."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, _out_of_time)
    _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()  # waits on a pipe that closes however the parent ends
        os._exit(1)


def _out_of_time(_signal: int, _frame: FrameType | None) -> None:
    raise UnreadableObject("Reading it takes longer than the reader may take.")


def _one(source: Source, task: _Task) -> Cleaned | Refused:
    """Clean one file under a random name in the hidden folder; runs in a child."""
    if not source.regular:
        return Refused(source, "file", "It is a link or a device, not a file. Give the file itself.")
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        if is_dicomdir(source.path):
            return Refused(source, "image.dicomdir", "It is an index of a disc, not an image; it was left out.")
        return _cleaned(source, task)
    except (TrialimgError, MemoryError, OSError) as error:
        return Refused(source, *_told(error))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _told(error: Exception) -> tuple[str, str]:
    """Give code and sentence of what stopped a file; what the system says is left out, since it names the file."""
    if isinstance(error, TrialimgError):
        return error.code, error.sentence
    if isinstance(error, MemoryError):
        return UnreadableObject.code, "It needs more memory than the reader may use."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace.code, "The disk is full; make room and run this again."
    return "file", "It cannot be read. Check that you may read it, and its medium."


def _cleaned(source: Source, task: _Task) -> Cleaned:
    recipe, target = task.recipe, task.hidden / secrets.token_hex(16)
    facts = read_facts(source.path)
    result = clean_file(
        source.path,
        target,
        profile=recipe.profile,
        identity=recipe.identity,
        subject_key=recipe.subject_key,
        fingerprint_key=recipe.fingerprint_key,
    )
    target.chmod(0o600)
    if task.durable:
        _to_disk(target)
    return Cleaned(source, target, result, _person(facts, recipe.person_key))


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _person(facts: InstanceFacts, key: bytes) -> bytes:
    """Tell persons apart as the survey of the server does: number, issuer, name without its punctuation, birth date."""
    name = " ".join(facts.patient_name.split("=")[0].replace("^", " ").upper().split())
    told = (facts.patient_id.strip(), facts.issuer.strip(), name, facts.birth_date.strip())
    return hashlib.blake2b(repr(told).encode("utf-8", "surrogatepass"), key=key, digest_size=16).digest()
