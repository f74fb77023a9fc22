"""The one step of the queue of documents: an export made, piece by piece, so that a killed worker loses little.

The pipeline runs it as it runs its own steps: it may be started twice, late, or be killed anywhere.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import select

from trialimg.casework.access import Person, Place, admit, subject_place, submission_place, trial_place
from trialimg.casework.accounts import find_person
from trialimg.casework.casebook import part_place
from trialimg.casework.services import Services
from trialimg.documents.casebook import AuditPart, IndexLine
from trialimg.documents.tables import zip_folder
from trialimg.errors import Conflict, NotFound, TryLater
from trialimg.reporting.data import write_data
from trialimg.reporting.deid import deid_account, deid_document
from trialimg.reporting.export import (
    ASKED,
    CASEBOOK,
    DATA,
    DEID,
    DONE,
    NEEDS,
    WITH_FAILURES,
    area_of,
    roles_now,
    subjects_within,
)
from trialimg.reporting.package import Count, Making, Order, begin_casebook, make_index, ordered
from trialimg.reporting.shelf import Shelf
from trialimg.store.base import db, utc_now
from trialimg.store.export import Export
from trialimg.store.unit_of_work import UnitOfWork
from trialimg.vault import Area, Stored


class Work(Protocol):
    """A started job as the worker hands it over."""

    services: Services
    job_id: str

    def progress(self, done: int, total: int) -> None:
        """Tell how far it is; what it raises ends the step."""


_UNDER_WAY: Final = 2
"""How many casebooks are laid out while the next is read."""
_MOST_NAMED: Final = 10

Finish = Callable[[UnitOfWork], None]


@dataclass(frozen=True)
class _Asked:
    """An export as it was asked for, with the person as they are now; ``subjects`` may be the key of one submission."""

    export_id: str
    person: Person
    place: Place
    subjects: tuple[str, ...]
    area: Area


@dataclass(frozen=True)
class _Made:
    """A file in the vault and what became of the subjects."""

    stored: Stored
    file_name: str
    subjects: int
    failures: tuple[str, ...]


def export(work: Work) -> Finish:
    """Make an export that was asked for."""
    found = db.session.scalar(select(Export).where(Export.job_id == work.job_id))
    if found is None or found.state != ASKED:
        raise Conflict("This export is no longer asked for.")
    person, place = _who(found)
    named = tuple(json.loads(found.what))
    subjects = named or subjects_within(person, place.trial_code, found.kind)
    asked = _Asked(found.id, person, place, subjects, area_of(work.services, found.id))
    kind = found.kind
    db.session.rollback()
    with work.services.vault.scratch() as folder:
        made = _MAKERS[kind](work, asked, folder)
    return lambda uow: _finish(uow, asked, made)


def _who(found: Export) -> tuple[Person, Place]:
    """Give who asked, as they are now; raises :class:`Conflict` where they are not who they were."""
    gone = "Whoever asked for this has other roles now, or none. Nothing was made; ask again."
    try:
        person = find_person(found.created_by)
    except NotFound:
        raise Conflict(gone) from None
    code = found.trial.code
    if roles_now(person, trial_place(code)) != found.roles:
        raise Conflict(gone)
    return person, part_place(person, code, NEEDS[found.kind])


def _finish(uow: UnitOfWork, asked: _Asked, made: _Made) -> None:
    row = uow.session.get_one(Export, asked.export_id, with_for_update=True)
    row.state, row.ended_at = WITH_FAILURES if made.failures else DONE, uow.at
    row.sha256, row.size, row.file_name = made.stored.sha256, made.stored.size, made.file_name
    row.subjects, row.failures = made.subjects, len(made.failures)
    if made.failures:
        row.sentence = _what_failed(made.failures)
    uow.afterwards(lambda: _keep_only(asked.area, made.stored.sha256))


def _what_failed(subjects: Sequence[str]) -> str:
    count = "1 subject" if len(subjects) == 1 else f"{len(subjects)} subjects"
    named = ", ".join(subjects[:_MOST_NAMED]) + (" and others" if len(subjects) > _MOST_NAMED else "")
    return f"Done, but {count} could not be made ({named}); the index says why. All others are in the package."


def _keep_only(area: Area, sha256: str) -> None:
    for stored in area.listing():
        if stored.sha256 != sha256:
            area.drop(stored.sha256)


def _casebooks(work: Work, asked: _Asked, folder: Path) -> _Made:
    """Make the casebooks, each read while the one before is laid out, and pack them."""
    work.progress(0, len(asked.subjects))
    shelf, count = Shelf(asked.area), Count(len(asked.subjects), work.progress)
    with ordered(asked.person, shelf.begun(utc_now()), count, shelf) as order:
        lines = _lines(order, asked, folder)
        failures = [line for line in lines if line.sentence]
        if len(lines) == 1 and not failures and not lines[0].parts:
            return _Made(asked.area.listing()[0], lines[0].file_name, 1, ())
        whole, files = folder / "package.zip", folder / "files"
        files.mkdir()
        for number in asked.subjects:
            _fetch(asked.area, subject_place(asked.place.trial_code, number), files)
        make_index(order, asked.place, lines, files)
    zip_folder(files, whole)
    name = f"{asked.place.trial_code}-casebooks-{order.made_at:%Y%m%d-%H%M}.zip"
    with whole.open("rb") as stream:
        return _Made(asked.area.put(stream), name, len(lines), tuple(line.subject for line in failures))


def _lines(order: Order, asked: _Asked, folder: Path) -> list[IndexLine]:
    """Give the lines of the index in the order asked for; what an earlier attempt made is not made again."""
    lines: dict[str, IndexLine] = {}
    under_way: deque[tuple[Making, Path]] = deque()

    def end_one() -> None:
        making, piece = under_way.popleft()
        lines[making.place.subject_number] = line = making.line()
        _keep(asked.area, making.place, line, piece)

    try:
        for number in asked.subjects:
            place = subject_place(asked.place.trial_code, number)
            line = _kept(asked.area, place)
            if line is not None:
                lines[number] = line
                order.count.made()
                continue
            piece = folder / f"piece-{place.subject_id}"
            piece.mkdir()
            under_way.append((begin_casebook(order, place, piece), piece))
            if len(under_way) > _UNDER_WAY:
                end_one()
    except TryLater:
        while under_way:
            end_one()
        raise
    while under_way:
        end_one()
    return [lines[number] for number in asked.subjects]


def _note(place: Place) -> str:
    return f"subject-{place.subject_id}"


def _keep(area: Area, place: Place, line: IndexLine, piece: Path) -> None:
    """Put what was made of one subject into the vault; its note, written last, says that it is whole."""
    files = {}
    for path in sorted(piece.iterdir()):
        with path.open("rb") as stream:
            files[path.name] = area.put(stream).sha256
        path.unlink()
    piece.rmdir()
    area.note(_note(place), json.dumps({"line": asdict(line), "files": files}).encode())


def _read(area: Area, place: Place) -> dict[str, Any] | None:
    text = area.read_note(_note(place))
    return dict(json.loads(text)) if text is not None else None


def _kept(area: Area, place: Place) -> IndexLine | None:
    """Give what an earlier attempt made of a subject; a failure is tried again."""
    found = _read(area, place)
    if found is None or found["line"]["sentence"]:
        return None
    line = found["line"]
    return IndexLine(**{**line, "parts": tuple(AuditPart(**part) for part in line["parts"])})


def _fetch(area: Area, place: Place, folder: Path) -> None:
    for name, sha256 in (_read(area, place) or {"files": {}})["files"].items():
        with area.open(sha256) as stream, (folder / name).open("wb") as file:
            while piece := stream.read(1 << 20):
                file.write(piece)


def _data(work: Work, asked: _Asked, folder: Path) -> _Made:
    files, whole = folder / "files", folder / "package.zip"
    files.mkdir()
    write_data(asked.person, asked.place, asked.subjects, files, work.progress)
    zip_folder(files, whole)
    name = f"{asked.place.trial_code}-data-{utc_now():%Y%m%d-%H%M}.zip"
    with whole.open("rb") as stream:
        return _Made(asked.area.put(stream), name, len(asked.subjects), ())


def _report(work: Work, asked: _Asked, folder: Path) -> _Made:
    """Lay out the account of how a submission was de-identified."""
    work.progress(0, 0)
    (key,) = asked.subjects
    place = submission_place(key)
    admit(asked.person, NEEDS[DEID], place)
    account, target = deid_account(place, asked.person), folder / "report.pdf"
    db.session.rollback()
    deid_document(work.services, account, target)
    with target.open("rb") as stream:
        return _Made(asked.area.put(stream), f"{account.file_name}.pdf", 1, ())


_MAKERS: Final[Mapping[str, Callable[[Work, _Asked, Path], _Made]]] = {
    CASEBOOK: _casebooks, DATA: _data, DEID: _report,
}  # fmt: skip


DOCUMENT_STEPS: Final[Mapping[str, Callable[[Work], Finish]]] = {"export": export}
"""The steps of the queue *documents*, for the worker."""
