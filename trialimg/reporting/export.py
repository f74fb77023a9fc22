"""Exports as people ask for them: asked, followed, downloaded, cancelled, and destroyed after a month."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, Final

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Person, Place, admit, subject_place, trial_place
from trialimg.casework.casebook import part_of_trial, within
from trialimg.casework.services import Services, services
from trialimg.domain.permission import ROLES, Permission
from trialimg.errors import BadInput, Conflict, NotFound
from trialimg.store.base import db, new_id, utc_now
from trialimg.store.export import Export
from trialimg.store.job import RUNNING, STOPPED, WAITING, Job, enqueue
from trialimg.store.subject import Subject
from trialimg.store.trial import Trial
from trialimg.store.unit_of_work import Actor, UnitOfWork, unit_of_work
from trialimg.vault import Area

STEP: Final = "export"
QUEUE: Final = "documents"
CASEBOOK, DATA, DEID = "casebook", "data", "deid"
NEEDS: Final = {
    CASEBOOK: Permission.EXPORT_CASEBOOK, DATA: Permission.EXPORT_DATA, DEID: Permission.SEE_TRIAL,
}  # fmt: skip
ASKED, DONE, FAILED, CANCELLED, DESTROYED = "asked", "done", "failed", "cancelled", "destroyed"
WITH_FAILURES: Final = "incomplete"
"""Done with failures: what could be made is there, what could not is named in the index."""
KEPT: Final = timedelta(days=30)
MOST_UNDER_WAY: Final = 3
"""How many exports one person may have under way; a single page must not fill the queue of all."""
_HOUSEKEEPER: Final = Actor("worker")


@dataclass(frozen=True)
class ExportLine:
    """One export in a person's list; ``state`` is a word of the state badge."""

    export_id: str
    kind: str
    state: str
    subjects: int
    failures: int
    sentence: str
    done: int
    total: int
    size: int
    file_name: str
    created_at: datetime
    ends_at: datetime | None

    @property
    def finished(self) -> bool:
        """Say whether nothing more will happen to it by itself."""
        return self.state not in {"waiting", "in_progress", "retrying"}

    @property
    def downloadable(self) -> bool:
        """Say whether there is a file to have."""
        return self.state in {DONE, WITH_FAILURES}


def roles_now(person: Person, place: Place) -> str:
    """Give a fingerprint of what the person is in the trial: whoever is something else since asks again."""
    mine = sorted(f"{g.role.value}/{g.site_id or ''}" for g in person.grants if g.trial_id == place.trial_id)
    return hashlib.sha256("\n".join(mine).encode()).hexdigest()


def area_of(tools: Services, export_id: str) -> Area:
    """Give the place in the vault where an export lies."""
    return tools.vault.area(f"exports/{export_id}")


def subjects_within(person: Person, trial: str, kind: str) -> tuple[str, ...]:
    """Give the numbers of the subjects this person may export, in order; raises :class:`NotFound` where none may be."""
    found, _ = part_of_trial(person, trial, NEEDS[kind])
    wanted = select(Subject.number).where(Subject.trial_id == found.id, within(person.reach(NEEDS[kind])))
    return tuple(db.session.scalars(wanted.order_by(Subject.number)))


def trials_within(person: Person, kind: str) -> list[str]:
    """Give the codes of the trials of which this person may export something of this kind."""
    may = [grant for grant in person.grants if NEEDS[kind] in ROLES[grant.role]]
    wanted = select(Trial.code).where(Trial.id.in_({grant.trial_id for grant in may})).order_by(Trial.code)
    return list(db.session.scalars(wanted))


def note_at_command_line(uow: UnitOfWork, place: Place, kind: str, subjects: Sequence[str]) -> None:
    """Record an export that an operator writes to a file of their own, as the export of whom it is made for."""
    uow.note("export", "trial", place.trial_id, json.dumps({"kind": kind, "subjects": list(subjects)}))


def ask(uow: UnitOfWork, person: Person, place: Place, kind: str, subjects: Sequence[str]) -> str:
    """Ask for an export and give its key; no subjects named are all within reach, also those enrolled till it is made.

    Raises :class:`NotFound` for a subject outside the person's reach, :class:`Conflict` where too much is under way.
    """
    admit(person, NEEDS[kind], place)
    for number in subjects:
        admit(person, NEEDS[kind], subject_place(place.trial_code, number))
    return _begin(uow, person, place, kind, subjects)


def ask_report(uow: UnitOfWork, person: Person, place: Place) -> str:
    """Ask for the document about the de-identification of a submission; one that is under way is enough."""
    admit(person, NEEDS[DEID], place)
    under_way = report_line(person, place)
    if under_way is not None and not under_way.finished:
        return under_way.export_id
    return _begin(uow, person, place, DEID, [place.submission_id])


def _begin(uow: UnitOfWork, person: Person, place: Place, kind: str, what: Sequence[str]) -> str:
    mine = (Export.account_id == person.account_id) & (Export.state == ASKED)
    under_way = select(Export).join(Export.job).where(mine, Job.state.in_([WAITING, RUNNING]))
    if len(list(uow.session.scalars(under_way))) >= MOST_UNDER_WAY:
        raise Conflict(
            f"{MOST_UNDER_WAY} of your exports are under way. Wait until one is done, or cancel one; then ask again."
        )
    job = enqueue(uow, STEP, trial_id=place.trial_id, queue=QUEUE)
    export = Export(
        id=new_id(), trial_id=place.trial_id, job_id=job.id, kind=kind, what=json.dumps(list(what)),
        roles=roles_now(person, place), subjects=len(what), account_id=person.account_id,
        created_by=person.email, created_at=uow.at,
    )  # fmt: skip
    uow.session.add(export)
    return export.id


def exports_of(person: Person, place: Place) -> tuple[ExportLine, ...]:
    """List a person's own exports of a trial, the newest first."""
    wanted = (
        select(Export)
        .where(Export.trial_id == place.trial_id, Export.account_id == person.account_id)
        .options(joinedload(Export.job))
        .order_by(Export.created_at.desc())
        .limit(50)
    )
    return tuple(_line(export) for export in db.session.scalars(wanted))


def export_line(person: Person, place: Place, export_id: str) -> ExportLine:
    """Give one of a person's own exports; raises :class:`NotFound` for anybody else's."""
    return _line(_mine(person, place, export_id))


def report_line(person: Person, place: Place) -> ExportLine | None:
    """Give the newest document about a submission's de-identification this person asked for, if there is one."""
    wanted = (
        select(Export)
        .where(Export.account_id == person.account_id, Export.kind == DEID)
        .where(Export.what == json.dumps([place.submission_id]), Export.state != CANCELLED)
        .order_by(Export.created_at.desc())
        .limit(1)
    )
    found = db.session.scalar(wanted)
    return _line(found) if found is not None else None


def _mine(person: Person, place: Place, export_id: str) -> Export:
    found = db.session.get(Export, export_id, populate_existing=True)
    if found is None or found.account_id != person.account_id or found.trial_id != place.trial_id:
        raise NotFound
    return found


def _line(export: Export) -> ExportLine:
    state, sentence, done, total = export.state, export.sentence, 0, 0
    if state == ASKED and export.job is not None:
        job = export.job
        words = {WAITING: "retrying" if job.failures else "waiting", RUNNING: "in_progress", STOPPED: FAILED}
        state, sentence = words.get(job.state, "in_progress"), job.sentence
        done, total = job.progress_done, job.progress_total
    gone = export.ended_at + KEPT if export.ended_at and state in {DONE, WITH_FAILURES} else None
    return ExportLine(
        export.id, export.kind, state, export.subjects, export.failures, sentence, done, total, export.size,
        export.file_name, export.created_at, gone,
    )  # fmt: skip


def cancel(uow: UnitOfWork, person: Person, place: Place, export_id: str) -> None:
    """Give up an export that is under way; what was made of it is destroyed."""
    _mine(person, place, export_id)
    export = uow.session.get_one(Export, export_id, with_for_update=True)
    if export.state != ASKED:
        raise Conflict("This export has ended already. There is nothing to cancel.")
    export.state, export.ended_at, export.sentence = CANCELLED, uow.at, "Cancelled."
    if export.job is not None and export.job.state in {WAITING, RUNNING, STOPPED}:
        # The fence: a worker that is at it can write no more.
        export.job.attempt += 1
        export.job.state, export.job.sentence = STOPPED, "Cancelled by the person who asked for it."
    uow.afterwards(area_of(services(), export_id).clear)


def download(uow: UnitOfWork, person: Person, place: Place, export_id: str) -> tuple[BinaryIO, ExportLine]:
    """Open the file of an export and leave a record that it was downloaded; close it after use.

    Raises :class:`BadInput` where there is none (any more), or where the person's roles are not what they were.
    """
    export = _mine(person, place, export_id)
    line = _line(export)
    if not line.downloadable:
        raise BadInput("There is no file of this export (any more). Ask for it again.")
    if export.roles != roles_now(person, trial_place(place.trial_code)):
        raise BadInput("Your roles in this trial have changed since this was made. Ask for it again.")
    stream = area_of(services(), export_id).open(export.sha256)
    uow.note("download", "export", export_id, export.file_name)
    return stream, line


def destroy_old() -> int:
    """Destroy the files of exports a month after they were made, and whatever lies in the vault for no export."""
    old = select(Export.id, Export.trial_id).where(
        Export.state.in_([DONE, WITH_FAILURES]), Export.ended_at < utc_now() - KEPT
    )
    found = db.session.execute(old).all()
    db.session.rollback()
    for key, trial_id in found:
        with unit_of_work(_HOUSEKEEPER, "an export was kept for 30 days", trial_id=trial_id) as uow:
            export = uow.session.get_one(Export, key, with_for_update=True)
            export.state, export.sentence = DESTROYED, "Kept for 30 days, then destroyed. Ask for it again."
    needed = select(Export.id).where(Export.state.in_([ASKED, DONE, WITH_FAILURES]))
    known = {f"exports/{key}" for key in db.session.scalars(needed)}
    db.session.rollback()
    vault = services().vault
    for name in vault.sweep(known):
        if name.startswith("exports/"):
            vault.area(name).clear()
    return len(found)
