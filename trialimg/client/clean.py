"""Cleans files at the site, with the very engine of the server, on every processor; originals stay untouched.

The reading happens in child processes with limits on memory and time. A file gets its name in the folder of the
clean ones only when it is whole, on the disk, and known to be the only one of its identifier. What a person must see
first never gets one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from trialimg.client.account import FULL, MAY_SHOW_TEXT, Account, Cleaned, NotTaken
from trialimg.client.children import Children
from trialimg.client.source import Kind, Source, sources_of
from trialimg.client.staging import staging
from trialimg.dicom.deidentify import CleanResult, clean_file
from trialimg.dicom.header import InstanceFacts, is_dicomdir, read_facts
from trialimg.dicom.screen import looking_suffices
from trialimg.domain.deid_report import SHOWN, Report
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.errors import NoSpace, NotDicom, OurFault, TrialimgError, UnreadableObject

SAME_UID: Final = "image.same_uid_other_content"
_OTHER_CONTENT: Final = (
    "Several files carry the same instance identifier with different content, and nobody can tell which is right: "
    "none of them is taken. Export the study again."
)
_OTHER_THERE: Final = (
    "The folder for the clean files holds this instance already, with other content: it was cleaned otherwise, or from "
    "another file. It was not written over; give an empty folder."
)
_NO_FILE: Final = "It is a link or a device, not a file. Give the file itself."
_CLOSED: Final = "This folder cannot be opened, so nobody knows what is in it. Check that you may read it."
_A_ZIP: Final = "It is a zip, which is not unpacked here. Unpack it and give the folder."


@dataclass(frozen=True)
class Recipe:
    """What the engine is given for one subject's images."""

    profile: Profile
    identity: SubjectIdentity
    subject_key: bytes = field(repr=False)
    fingerprint_key: bytes | None = field(repr=False, default=None)
    person_key: bytes = field(repr=False, default_factory=lambda: secrets.token_bytes(32))


@dataclass(frozen=True)
class Wish:
    """How files are written: ``reviewed`` lets pass what may show text in its pixels, since a person has looked;
    ``pass_held`` lets it pass to a server where a person will; ``durable`` forces files to the disk; ``with_pairs``
    has old and new identifiers collected.
    """

    reviewed: bool = False
    pass_held: bool = False
    durable: bool = True
    with_pairs: bool = False


AS_IT_IS: Final = Wish()


@dataclass(frozen=True)
class _Task:
    """What a child is told once more with each file."""

    source: Source
    hidden: Path
    recipe: Recipe
    wish: Wish


@dataclass(frozen=True, slots=True)
class _Done:
    """What a child made of a file: the clean one under a random name, its report, old and new identifiers."""

    item: Cleaned
    report: Report
    passes: bool
    pairs: tuple[tuple[str, str], ...] = field(repr=False, default=())


def clean_folder(
    paths: Iterable[Path],
    out: Path,
    recipe: Recipe,
    *,
    wish: Wish = AS_IT_IS,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
    account: Account | None = None,
) -> Account:
    """Clean files and folders into ``out``, by study and series, under their new UIDs; a file is whole or not there.

    The result is the same for any number of ``jobs``. An ``account`` that is given is filled as the work goes on, so
    that whoever ends it knows how far it came. Raises :class:`BadInput` where a path given is not there,
    :class:`Misconfigured` where ``out`` cannot be written.
    """
    account = Account() if account is None else account
    sources = sources_of(paths)
    workers = max(1, jobs or os.cpu_count() or 1)
    with staging(out) as hidden:
        children = Children(_one, _lost, workers=workers, preload=__name__)
        shelf = _Shelf(out, account, wish)
        outcomes = children.each(_Task(source, hidden, recipe, wish) for source in sources)
        try:
            for done, outcome in enumerate(outcomes, 1):
                shelf.take(outcome)
                if progress is not None:
                    progress(done)
        finally:
            outcomes.close()
            shelf.close()
    return account


class _Shelf:
    """The folder of the clean files, and the account of what lies in it."""

    def __init__(self, out: Path, account: Account, wish: Wish) -> None:
        self._out, self._account, self._wish = out, account, wish
        self._kept: dict[str, tuple[Cleaned, str, Report]] = {}
        self._spoiled: set[str] = set()
        self._folders: set[Path] = {out}

    def take(self, outcome: _Done | NotTaken) -> None:
        """Put away what a child made of one file."""
        if isinstance(outcome, NotTaken):
            lists = {"image.dicomdir": self._account.left_out}
            lists.get(outcome.code, self._account.refused).append(outcome)
            return
        self._account.persons.add(outcome.item.person)
        try:
            self._place(outcome)
        except OSError as error:
            outcome.item.target.unlink(missing_ok=True)
            self._account.refused.append(NotTaken(outcome.item.source, *_told(error)))

    def _place(self, done: _Done) -> None:
        """Give a clean file its name, unless another file claims the same identifier: equal ones count once."""
        item, uid = done.item, done.item.instance
        first = self._kept.get(uid)
        if first is None and uid not in self._spoiled:
            self._first(done)
            return
        item.target.unlink(missing_ok=True)
        if first is not None and first[0].canonical_hash == item.canonical_hash:
            self._account.duplicates.append(item.source)
            return
        if first is not None:
            self._spoil(*first)
        self._account.refused.append(NotTaken(item.source, SAME_UID, _OTHER_CONTENT))

    def _first(self, done: _Done) -> None:
        item, hold_code = done.item, done.item.hold_code
        if not done.passes:
            item.target.unlink()
            self._remember(item, hold_code, done)
            self._account.held.append(NotTaken(item.source, hold_code, item.hold, item.study))
            return
        final = self._out / _short("study", item.study) / _short("series", item.series) / f"{item.instance}.dcm"
        if final.exists() and not _equal(final, item.target):
            item.target.unlink()
            self._account.refused.append(NotTaken(item.source, SAME_UID, _OTHER_THERE))
            return
        final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folders |= {final.parent, final.parent.parent}
        item.target.replace(final)
        named = replace(item, target=final)
        self._remember(named, SHOWN if hold_code and self._wish.reviewed else hold_code, done)
        self._account.cleaned.append(named)
        self._account.pairs.update(done.pairs)

    def _remember(self, item: Cleaned, how: str, done: _Done) -> None:
        self._kept[item.instance] = (item, how, done.report)
        self._account.ledger.add(item.study, how, done.report)

    def _spoil(self, item: Cleaned, how: str, report: Report) -> None:
        """Take back the file whose identifier another one claims."""
        self._spoiled.add(item.instance)
        del self._kept[item.instance]
        self._account.ledger.take_back(item.study, how, report)
        item.target.unlink(missing_ok=True)
        self._account.cleaned[:] = [each for each in self._account.cleaned if each.instance != item.instance]
        self._account.held[:] = [each for each in self._account.held if each.source != item.source]
        self._account.refused.append(NotTaken(item.source, SAME_UID, _OTHER_CONTENT))

    def close(self) -> None:
        """Force the names to the disk, and leave no empty folder."""
        for folder in sorted(self._folders, reverse=True):
            if folder != self._out and not any(folder.iterdir()):
                folder.rmdir()
            elif self._wish.durable:
                _to_disk(folder, os.O_RDONLY)


def _short(what: str, uid: str) -> str:
    """Name the folder of a study or series after its new UID: short, neutral, the same in every run."""
    return f"{what}-{hashlib.sha256(uid.encode()).hexdigest()[:12]}"


def _equal(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        return hashlib.file_digest(first, "sha256").digest() == hashlib.file_digest(second, "sha256").digest()


def _to_disk(path: Path, how: int = os.O_RDWR) -> None:
    handle = os.open(path, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- what a child does ------------------------------------------------------------------------------------


def _lost(task: _Task) -> NotTaken:
    return NotTaken(task.source, UnreadableObject.code, "Reading it needs more than the reader's limits.")


def _one(task: _Task) -> _Done | NotTaken:
    """Clean one file under a random name in the hidden folder."""
    source = task.source
    refuse = partial(NotTaken, source)
    if source.kind is not Kind.FILE:
        return refuse("file", _NO_FILE if source.kind is Kind.OTHER else _CLOSED)
    try:
        if is_dicomdir(source.path):
            return refuse("image.dicomdir", "It is an index of a disc, not an image; it was left out.")
        return _cleaned(task)
    except NotDicom as error:
        return refuse(error.code, _A_ZIP if _is_zip(source.path) else error.sentence)
    except Exception as error:  # noqa: BLE001 (no file may end the work on the others)
        return refuse(*_told(error))


def _told(error: Exception) -> tuple[str, str]:
    """Give code and sentence of what stopped a file; what the system says is left out, since it names the file."""
    if isinstance(error, TrialimgError):
        return error.code, error.sentence
    if isinstance(error, MemoryError):
        return UnreadableObject.code, "It needs more memory than the reader may use."
    if isinstance(error, OSError) and error.errno in FULL:
        return NoSpace.code, "The disk is full; make room and run this again."
    if isinstance(error, OSError):
        return "file", "It cannot be read. Check that you may read it, and its medium."
    return OurFault.code, f"Something of ours failed on it ({type(error).__name__}). Tell whoever runs trialimg."


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _cleaned(task: _Task) -> _Done:
    recipe, wish, target = task.recipe, task.wish, task.hidden / secrets.token_hex(16)
    facts = read_facts(task.source.path)
    result = clean_file(
        task.source.path,
        target,
        profile=recipe.profile,
        identity=recipe.identity,
        subject_key=recipe.subject_key,
        fingerprint_key=recipe.fingerprint_key,
    )
    passes = _passes(result, wish)
    target.chmod(0o600)
    if wish.durable and passes:
        _to_disk(target)
    item = Cleaned(
        source=task.source,
        target=target,
        study=result.study_instance_uid,
        series=result.series_instance_uid,
        instance=result.sop_instance_uid,
        canonical_hash=result.canonical_hash,
        person=_person(facts, recipe.person_key),
        hold=result.hold_reason or "",
        hold_code=result.hold_code,
    )
    return _Done(item, result.report, passes, _pairs(facts, result, recipe) if wish.with_pairs else ())


def _passes(result: CleanResult, wish: Wish) -> bool:
    """Say whether a clean file may be handed on: what still names somebody never, whatever anybody says."""
    if not result.hold_code:
        return True
    if result.hold_code != MAY_SHOW_TEXT:
        return False
    return wish.pass_held or (wish.reviewed and looking_suffices(result.facts))


def _pairs(facts: InstanceFacts, result: CleanResult, recipe: Recipe) -> tuple[tuple[str, str], ...]:
    return (
        (facts.patient_id, recipe.identity.subject_number),
        (facts.study_instance_uid, result.study_instance_uid),
        (facts.series_instance_uid, result.series_instance_uid),
        (facts.sop_instance_uid, result.sop_instance_uid),
    )


def _person(facts: InstanceFacts, key: bytes) -> bytes:
    """Tell persons apart as the survey of the server does: number, issuer, name without its punctuation, birth date."""
    name = " ".join(facts.patient_name.split("=")[0].replace("^", " ").upper().split())
    told = (facts.patient_id.strip(), facts.issuer.strip(), name, facts.birth_date.strip())
    return hashlib.blake2b(repr(told).encode("utf-8", "surrogatepass"), key=key, digest_size=16).digest()
