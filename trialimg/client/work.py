"""One file at a site: what the engine is given for it, and what came of it; runs in this process or in a child."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, NamedTuple

from trialimg.client.account import FULL, LOOKED_AT, Cleaned, NotTaken
from trialimg.client.source import Kind, Source
from trialimg.dicom.deidentify import Made, clean_into, clean_ordinary
from trialimg.dicom.files.canonical import canonical_hash
from trialimg.dicom.files.header import InstanceFacts, is_dicomdir
from trialimg.dicom.files.screen import looking_suffices
from trialimg.dicom.splicing.ground import Unusual
from trialimg.domain.deid_report import Report
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.domain.pseudonym import fingerprint, marks_of_person
from trialimg.errors import NoSpace, NotDicom, OurFault, TrialimgError, UnreadableObject

_NO_FILE: Final = "It is a link or a device, not a file. Give the file itself."
_CLOSED: Final = "This folder cannot be opened, so nobody knows what is in it. Check that you may read it."
_NOT_WRITTEN: Final = (
    "Its clean file cannot be written: something in the folder for the clean files is in its way, or you may not write "
    "there. Give an empty folder of your own."
)
_A_ZIP: Final = "It is a zip, which is not unpacked here. Unpack it and give the folder."


class Recipe:
    """What the engine is given for one subject's images; without a key given, persons are told apart in this run."""

    def __init__(
        self,
        profile: Profile,
        identity: SubjectIdentity,
        subject_key: bytes,
        fingerprint_key: bytes | None = None,
        person_key: bytes | None = None,
    ) -> None:
        self.profile, self.identity, self.subject_key = profile, identity, subject_key
        self.fingerprint_key = fingerprint_key
        self.person_key = person_key or os.urandom(32)


class Wish(NamedTuple):
    """How files are written: ``reviewed`` lets pass what may show text in its pixels, since a person has looked;
    ``says_seen`` writes that into the file; ``pass_held`` lets it pass to a server where a person will; ``durable``
    forces files to the disk; ``with_pairs`` has old and new identifiers collected; ``with_hashes`` the hash of each
    clean file's content.
    """

    reviewed: bool = False
    says_seen: bool = False
    pass_held: bool = False
    durable: bool = True
    with_pairs: bool = False
    with_hashes: bool = False


AS_IT_IS: Final = Wish()


class Run(NamedTuple):
    """What is the same for all files of a run; clean ones are made in the ``hidden`` folder."""

    hidden: str
    recipe: Recipe
    wish: Wish


class Done(NamedTuple):
    """What became of a file: the clean one under its number, its report, old and new identifiers."""

    item: Cleaned
    report: Report
    passes: bool
    pairs: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"Done({self.item!r}, {self.passes!r})"


class _Answer(NamedTuple):
    """What a child answers for a file that it cleaned; without a report, it is that of the one before."""

    item: Cleaned
    report: Report | None
    passes: bool
    pairs: tuple[tuple[str, str], ...]


def to_disk(path: Path, how: int = os.O_RDWR) -> None:
    """Force a file or a folder to the disk."""
    handle = os.open(path, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def lost(source: Source) -> NotTaken:
    """Say of a file that it ended the child that read it."""
    return NotTaken(source, UnreadableObject.code, "Reading it needs more than the reader's limits.")


def one_by_one(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    """Give the files of a message back of which one ended the child, so that each is tried alone."""
    return sources


class Several:
    """The work of one child: the files of each message, each with the time that a file may take.

    A report is long, and most often that of the file before: it is sent when it is another.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._last: Report | None = None

    def __call__(self, sources: tuple[Source, ...]) -> list[_Answer | NotTaken]:
        """Clean the files of one message."""
        from trialimg.client.children import allow_more_time  # there already: this runs in one

        answers: list[_Answer | NotTaken] = []
        for source in sources:
            allow_more_time()
            outcome = one(self._run, source)
            if isinstance(outcome, NotTaken):
                answers.append(outcome)
                continue
            item, report, passes, pairs = outcome
            answers.append(_Answer(item, None if report is self._last else report, passes, pairs))
            self._last = report
        return answers


class Answers:
    """The other side of ``Several``: makes outcomes of the answers of one child, in the order in which they come."""

    def __init__(self) -> None:
        self._last: Report | None = None

    def __call__(self, answers: list[_Answer | NotTaken]) -> list[Done | NotTaken]:
        """Give the outcomes of one message, each with its report."""
        return [answer if isinstance(answer, NotTaken) else self._whole(answer) for answer in answers]

    def _whole(self, answer: _Answer) -> Done:
        item, report, passes, pairs = answer
        self._last = report or self._last
        if self._last is None:
            raise OurFault("A child told of a file without its report.")
        return Done(item, self._last, passes, pairs)


def ordinary(run: Run, source: Source) -> Done | NotTaken | None:
    """Clean an ordinary file under its number in the hidden folder; None where it is another."""
    if source.kind is not Kind.FILE:
        return one(run, source)
    try:
        return _cleaned(run, source, clean_ordinary)
    except Unusual:
        return None
    except Exception as error:  # noqa: BLE001 (no file may end the work on the others)
        return NotTaken(source, *told(error, writing=_is_in(error, run.hidden)))


def one(run: Run, source: Source) -> Done | NotTaken:
    """Clean one file under its number in the hidden folder."""
    refuse = partial(NotTaken, source)
    if source.kind is not Kind.FILE:
        return refuse("file", _NO_FILE if source.kind is Kind.OTHER else _CLOSED)
    try:
        return _cleaned(run, source, clean_into)
    except NotDicom as error:
        return refuse(error.code, _A_ZIP if _is_zip(source.path) else error.sentence)
    except UnreadableObject as error:
        if _is_index(source.path):
            return refuse("image.dicomdir", "It is an index of a disc, not an image; it was left out.")
        return refuse(error.code, error.sentence)
    except Exception as error:  # noqa: BLE001 (no file may end the work on the others)
        return refuse(*told(error, writing=_is_in(error, run.hidden)))


def _is_in(error: Exception, folder: str) -> bool:
    """Say whether what the system refused is in a folder."""
    return isinstance(error, OSError) and str(error.filename).startswith(f"{folder}/")


def _is_index(path: Path) -> bool:
    """Tell whether a file that is no image is the index of a disc."""
    try:
        return is_dicomdir(path)
    except (TrialimgError, OSError):
        return False


def told(error: Exception, *, writing: bool = False) -> tuple[str, str]:
    """Give code and sentence of what stopped a file, or its clean one while ``writing``; what the system says is left
    out, since it names the file.
    """
    if isinstance(error, TrialimgError):
        return error.code, error.sentence
    if isinstance(error, MemoryError):
        return UnreadableObject.code, "It needs more memory than the reader may use."
    if isinstance(error, OSError) and error.errno in FULL:
        return NoSpace.code, "The disk is full; make room and run this again."
    if isinstance(error, OSError) and writing:
        return "file", _NOT_WRITTEN
    if isinstance(error, OSError):
        return "file", "It cannot be read. Check that you may read it, and its medium."
    return OurFault.code, f"Something of ours failed on it ({type(error).__name__}). Tell whoever runs trialimg."


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _cleaned(run: Run, source: Source, clean: Callable[..., Made]) -> Done:
    recipe, wish, target = run.recipe, run.wish, f"{run.hidden}/{source.among}"
    made = clean(
        source.name,
        target,
        profile=recipe.profile,
        identity=recipe.identity,
        subject_key=recipe.subject_key,
        to_disk=wish.durable,
    )
    passes, report = _passes(made, wish), made.report
    if passes and wish.says_seen and made.hold_code == "image.may_show_text" and made.facts.has_pixels:
        from trialimg.dicom.parsing.seen import say_seen  # brings the parser

        report = say_seen(Path(target), report)
        if wish.durable:
            to_disk(Path(target))
    item = Cleaned(
        source=source,
        place=target,
        study=made.facts.study_instance_uid,
        series=made.facts.series_instance_uid,
        instance=made.facts.sop_instance_uid,
        canonical_hash=canonical_hash(Path(target)) if wish.with_hashes or not passes else "",
        person=_person(made.original, recipe.person_key),
        hold=made.hold_reason or "",
        hold_code=made.hold_code,
        mark=_mark(recipe.fingerprint_key, made.original.study_instance_uid) if recipe.fingerprint_key else "",
        subject_is_told=_tells(recipe.identity.subject_number, made.original.patient_id, made.original.patient_name),
    )
    return Done(item, report, passes, _pairs(made, recipe) if wish.with_pairs else ())


def _passes(result: Made, wish: Wish) -> bool:
    """Say whether a clean file may be handed on: what still names somebody never, whatever anybody says."""
    if not result.hold_code:
        return True
    if result.hold_code not in LOOKED_AT:
        return False
    return wish.pass_held or (wish.reviewed and looking_suffices(result.facts))


def _pairs(made: Made, recipe: Recipe) -> tuple[tuple[str, str], ...]:
    before, after = made.original, made.facts
    return (
        (before.patient_id, recipe.identity.subject_number),
        (before.study_instance_uid, after.study_instance_uid),
        (before.series_instance_uid, after.series_instance_uid),
        (before.sop_instance_uid, after.sop_instance_uid),
    )


def _person(facts: InstanceFacts, key: bytes) -> bytes:
    """Give the mark by which persons are told apart within this run, as the survey of the server does."""
    return _known_person(facts.patient_id, facts.issuer, facts.patient_name, facts.birth_date, key)


_mark = lru_cache(maxsize=256)(fingerprint)


@lru_cache(maxsize=256)
def _tells(subject: str, number: str, full_name: str) -> bool:
    """Say whether a subject's number is what the original calls the patient: the number, the name, or a part of it."""
    parts = re.split(r"[\^=,\s]+", full_name.upper())
    told = set(re.split(r"[\^=,\s]+", subject.strip().upper()))
    return subject.strip() == number.strip() or bool(told & {part for part in parts if len(part) > 1})


@lru_cache(maxsize=256)
def _known_person(number: str, issuer: str, full_name: str, born: str, key: bytes) -> bytes:
    told = marks_of_person(number, issuer, full_name, born)
    return hashlib.blake2b(repr(told).encode("utf-8", "surrogatepass"), key=key, digest_size=16).digest()
