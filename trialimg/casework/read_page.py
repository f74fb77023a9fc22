"""What a reader sees: the worklist, and one read. No subject, site or name, and nobody else's result."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from trialimg.casework.access import Person
from trialimg.casework.read_assignment import shown_studies
from trialimg.casework.read_basis import Bench, aligned, bench, benches, instances_of, newest, values_of
from trialimg.casework.read_judgement import Judged, judge
from trialimg.casework.reading import beginning, mine, record_name, signed_values
from trialimg.casework.standstill import Standstill
from trialimg.domain.lesion import TargetLesion, TargetState
from trialimg.domain.permission import Permission
from trialimg.domain.read_values import ReadValues
from trialimg.domain.reading import CAN_CHANGE, ReadState
from trialimg.domain.signature import Signature, fault
from trialimg.store.base import db, utc_now
from trialimg.store.imaging import ImagingStudy
from trialimg.store.reading import Read, ReadingCode, ReadSignature, ReadVersion
from trialimg.store.trial import Trial


@dataclass(frozen=True)
class WorkItem:
    """One read on the worklist; ``waits`` says why it cannot be read yet, ``age`` is in days since it was assigned."""

    read_id: str
    trial_code: str
    trial_title: str
    code: str
    time_point: str
    state: str
    age: int
    waits: str
    basis_sentence: str

    @property
    def to_do(self) -> bool:
        """Say whether its reader can do something about it now."""
        return self.state not in {ReadState.SIGNED, ReadState.VOID} and not self.waits


_STANDSTILL: Final = Standstill(most=16)
_DONE: Final = {ReadState.SIGNED.value: 2, ReadState.VOID.value: 3}


def worklist(person: Person) -> list[WorkItem]:
    """List a reader's reads, what can be done now first, the oldest first."""
    trials, now = person.reach(Permission.READ).trials, utc_now()
    assigned = _STANDSTILL.get((person.account_id, trials), lambda: _assigned(person.account_id, trials))
    found = [(ordinal, replace(item, age=(now - since).days)) for ordinal, since, item in assigned]
    found.sort(key=lambda each: (_DONE.get(each[1].state, bool(each[1].waits)), -each[1].age, each[1].code, each[0]))
    return [each for _, each in found]


def _assigned(account_id: str, trials: Collection[str]) -> list[tuple[int, datetime, WorkItem]]:
    """Give a reader's reads, each with the order of its time point and since when it is theirs."""
    wanted = (
        select(Read, Trial, ReadingCode.code)
        .join(Trial, Trial.id == Read.trial_id)
        .join(ReadingCode, ReadingCode.subject_id == Read.subject_id)
        .where(Read.account_id == account_id, Read.trial_id.in_(trials))
        .options(joinedload(Read.visit))
    )
    rows = db.session.execute(wanted).all()
    around = benches(db.session(), {row.subject_id for row, _, _ in rows})
    found = []
    for row, trial, code in rows:
        here = around[row.subject_id]
        waits = here.waits_for(row) if ReadState(row.state) not in {ReadState.SIGNED, ReadState.VOID} else None
        point = here.point(row)
        item = WorkItem(
            row.id, trial.code, trial.title, code, point.label, row.state, 0, waits or "", row.basis_sentence
        )
        found.append((point.ordinal, row.assigned_at, item))
    return found


@dataclass(frozen=True)
class SignatureLine:
    """A signature as it is printed; ``superseded`` is why it no longer counts, ``fault`` what does not fit."""

    manifestation: str
    meaning: str
    content: str
    superseded: str
    fault: str


@dataclass(frozen=True)
class VersionLine:
    """One version in the history of a read."""

    version: int
    state: str
    reason: str
    signatures: tuple[SignatureLine, ...]


@dataclass(frozen=True)
class Previous:
    """What the same reader said of a lesion at an earlier time point."""

    time_point: str
    said: str


@dataclass(frozen=True)
class Prior:
    """A study of an earlier time point that the design shows beside this one; ``study`` is its key."""

    time_point: str
    study: str
    study_instance_uid: str


@dataclass(frozen=True)
class ReadPage:
    """One read as its reader sees it.

    ``can_change`` says that values may be saved now, ``waits`` why they may not yet; ``previous`` is by lesion.
    ``shown`` are the studies beside it, its own first, then the ``priors``, the newest first; ``own_studies`` the keys
    of its own.
    """

    read_id: str
    trial_code: str
    trial_title: str
    criteria: str
    code: str
    time_point: str
    day: int | None
    state: str
    version: int
    revision: int
    is_baseline: bool
    can_change: bool
    can_confirm: bool
    waits: str
    basis_sentence: str
    void_reason: str
    reopen_reason: str
    values: ReadValues
    judged: Judged
    previous: dict[str, tuple[Previous, ...]]
    shown: tuple[str, ...]
    own_studies: tuple[str, ...]
    priors: tuple[Prior, ...]
    history: tuple[VersionLine, ...]
    saved_at: datetime | None


def read_page(person: Person, read_id: str, version: int | None = None) -> ReadPage:
    """Give one read of one's own, at its newest version or at an earlier one; raises NotFound for another's."""
    row = mine(person, db.session.get(Read, read_id))
    found = bench(db.session(), row.subject_id)
    row = found.rows[read_id]
    kept = _version(row, version)
    newest_shown = version is None or version == row.version
    state = ReadState(row.state)
    waits = found.waits_for(row) if state in CAN_CHANGE or state is ReadState.BASIS_CHANGED else None
    baseline, _ = found.before(row)
    values = values_of(kept) if kept is not None else beginning(found, row)
    if state in CAN_CHANGE and newest_shown:
        values = aligned(baseline, values)
    point, trial = found.point(row), db.session.get_one(Trial, row.trial_id)
    uids = _shown(found, row)
    return ReadPage(
        row.id, trial.code, trial.title, found.design.criteria, _code(row), point.label, point.day, row.state,
        kept.version if kept else row.version, kept.revision if kept else 0, found.reads[row.id].ordinal == 0,
        can_change=state in CAN_CHANGE and newest_shown and not waits,
        can_confirm=state is ReadState.BASIS_CHANGED and newest_shown and not waits,
        waits=waits or "",
        basis_sentence=row.basis_sentence,
        void_reason=row.void_reason,
        reopen_reason=kept.reason if kept else "",
        values=values,
        judged=_judged(found, row, kept, values, fresh=newest_shown and state is not ReadState.SIGNED),
        previous=_previous(found, row),
        shown=tuple(uids.values()),
        own_studies=point.studies,
        priors=tuple(
            Prior(each.label, key, uids[key])
            for each in reversed(found.points)
            for key in each.studies
            if key in uids and key not in point.studies
        ),
        history=history(row),
        saved_at=kept.saved_at if kept else None,
    )  # fmt: skip


def _version(row: Read, version: int | None) -> ReadVersion | None:
    if version is not None:
        return next((each for each in row.versions if each.version == version), None)
    return newest(row) if row.versions else None


def _judged(found: Bench, row: Read, kept: ReadVersion | None, values: ReadValues, *, fresh: bool) -> Judged:
    answers = json.loads(kept.answers) if kept else []
    judged = judge(found, row, values, answers, instances_of(db.session(), found.point(row).studies))
    if fresh or kept is None:
        return judged
    said = {(each["check"], each["group"], each["lesion"]): each["answer"] for each in answers}
    return Judged(json.loads(kept.computed), judged.findings, (), said)


def _code(row: Read) -> str:
    return db.session.scalars(select(ReadingCode.code).where(ReadingCode.subject_id == row.subject_id)).one()


def _shown(found: Bench, row: Read) -> dict[str, str]:
    """Give the studies shown with a read, the StudyInstanceUID by key, its own first."""
    keys = [key for key, _ in shown_studies(found.design, found.points, row.visit_id)]
    wanted = select(ImagingStudy.id, ImagingStudy.study_instance_uid).where(ImagingStudy.id.in_(keys))
    uids = {key: uid for key, uid in db.session.execute(wanted)}  # noqa: C416 (typed)
    return {key: uids[key] for key in keys}


def _previous(found: Bench, row: Read) -> dict[str, tuple[Previous, ...]]:
    this = found.reads[row.id]
    earlier = sorted((each for each in found.reads.values() if each.is_before(this)), key=lambda one: one.ordinal)
    said: dict[str, list[Previous]] = {}
    for each in earlier:
        if each.state not in {ReadState.SIGNED, ReadState.BASIS_CHANGED}:
            continue
        values = values_of(newest(found.rows[each.id]))
        for lesion in values.targets:
            said.setdefault(lesion.id, []).append(Previous(each.time_point, in_words(lesion)))
        for other in values.non_targets:
            said.setdefault(other.id, []).append(Previous(each.time_point, other.state.value if other.state else ""))
    return {key: tuple(lines) for key, lines in said.items()}


def in_words(lesion: TargetLesion) -> str:
    """Say what was found of a target lesion: its diameter, or why there is none."""
    if lesion.state is TargetState.MEASURED:
        parts = [f"{each.mm} mm" for each in lesion.measurements if each.mm is not None]
        return " + ".join(parts) or "not measured yet"
    if lesion.state is TargetState.MERGED:
        return f"merged into {lesion.merged_into}"
    return lesion.state.value if lesion.state else "not answered"


def history(row: Read) -> tuple[VersionLine, ...]:
    """Give the versions of a read, the newest first, each with its signatures and whether they still fit."""
    return tuple(
        VersionLine(each.version, each.state, each.reason, tuple(_line(row, each, one) for one in each.signatures))
        for each in reversed(row.versions)
    )


def _line(row: Read, version: ReadVersion, kept: ReadSignature) -> SignatureLine:
    signature = Signature(
        kept.name, kept.account, kept.signed_at, kept.zone, kept.meaning, kept.record, kept.content_sha256, kept.seal
    )
    wrong = fault(
        signature,
        record=record_name(row, version),
        values=signed_values(version, kept.computed),
        basis=kept.basis_sha256,
    )
    said = signature.manifestation
    return SignatureLine(said, kept.meaning, kept.content_sha256, kept.superseded_why, wrong or "")
