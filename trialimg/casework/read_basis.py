"""What reads rest on: all reads of a subject as the rules see them, and what becomes of them when images change."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from trialimg.casework.read_assignment import TimePoint, assign, design_of, shown_studies, time_points_of
from trialimg.domain import reading as rules
from trialimg.domain.read_plain import from_plain
from trialimg.domain.read_values import ReadValues
from trialimg.domain.reading import STANDS, Act, Basis, ReadState, advance, basis_changes
from trialimg.domain.reading_design import ReadingDesign
from trialimg.domain.submission import Fate
from trialimg.errors import NotFound, OurFault
from trialimg.store.imaging import ImagingStudy, Slot, Submission, SubmissionObject
from trialimg.store.reading import Read, ReadSignature, ReadVersion
from trialimg.store.subject import Subject
from trialimg.store.unit_of_work import UnitOfWork


@dataclass
class Bench:
    """All reads of one subject, of all its readers, beside its time points and the images they show.

    ``reads`` are the rows as the rules see them, by key; ``hashes`` the canonical hashes by study.
    """

    subject: Subject
    design: ReadingDesign
    points: list[TimePoint]
    rows: dict[str, Read]
    reads: dict[str, rules.Read]
    hashes: dict[str, frozenset[str]]

    def point(self, row: Read) -> TimePoint:
        """Give the time point of a read."""
        return next(each for each in self.points if each.visit_id == row.visit_id)

    def as_rule(self, row: Read) -> rules.Read:
        """Give a row as the rules see it."""
        point = self.point(row)
        state = ReadState(row.state)
        return rules.Read(row.id, row.account_id, row.subject_id, point.label, point.ordinal, state, row.version)

    def changed(self, row: Read) -> None:
        """Let the rules see what was changed in a row."""
        self.reads[row.id] = self.as_rule(row)

    def basis(self, row: Read) -> Basis:
        """Gather what a read rests on now."""
        shown = shown_studies(self.design, self.points, row.visit_id)
        hashes = {each for study_id, _ in shown for each in self.hashes.get(study_id, ())}
        return Basis.of(self.reads[row.id], hashes, self.reads.values())

    def waits_for(self, row: Read) -> str | None:
        """Say why a read cannot be opened yet; None where it can."""
        if not self.point(row).studies:
            return "Its images are linked nowhere at the moment; it can be read when they are linked again."
        return rules.waits_for(self.design, self.reads[row.id], self.reads.values())

    def before(self, row: Read) -> tuple[ReadValues | None, list[ReadValues]]:
        """Give the signed values of the same reader's baseline, and of the time points between it and this one."""
        this = self.reads[row.id]
        earlier = sorted((each for each in self.reads.values() if each.is_before(this)), key=lambda one: one.ordinal)
        standing = [(each.ordinal, values_of(newest(self.rows[each.id]))) for each in earlier if each.state in STANDS]
        baseline = next((values for ordinal, values in standing if ordinal == 0), None)
        return baseline, [values for ordinal, values in standing if ordinal]


def newest(row: Read) -> ReadVersion:
    """Give the version that a read is at."""
    found = next((each for each in row.versions if each.version == row.version), None)
    if found is None:
        raise OurFault("A read has no values although it was saved; tell the administrator.")
    return found


def standing_signature(version: ReadVersion) -> ReadSignature:
    """Give the newest signature of a version."""
    if not version.signatures:
        raise OurFault("A signed read has no signature; tell the administrator.")
    return version.signatures[-1]


def values_of(version: ReadVersion) -> ReadValues:
    """Give the values of a version."""
    return from_plain(json.loads(version.content))


def bench(session: Session, subject_id: str) -> Bench:
    """Gather all reads of a subject; raises :class:`NotFound`."""
    found = benches(session, [subject_id])
    if subject_id not in found:
        raise NotFound
    return found[subject_id]


def benches(session: Session, subject_ids: Collection[str]) -> dict[str, Bench]:
    """Gather all reads of many subjects at once, in a handful of queries."""
    with_trial = (joinedload(Subject.site), joinedload(Subject.trial))
    subjects = session.scalars(select(Subject).where(Subject.id.in_(subject_ids)).options(*with_trial)).all()
    wanted = (
        select(Read)
        .where(Read.subject_id.in_(subject_ids))
        .options(
            selectinload(Read.versions).selectinload(ReadVersion.signatures),
            joinedload(Read.account),
            joinedload(Read.visit),
        )
        .order_by(Read.assigned_at, Read.id)
        .execution_options(populate_existing=True)
    )
    rows: dict[str, dict[str, Read]] = {each.id: {} for each in subjects}
    for row in session.scalars(wanted):
        rows[row.subject_id][row.id] = row
    visits = [row.visit_id for of_subject in rows.values() for row in of_subject.values()]
    points = time_points_of(session, subjects, visits)
    hashes = _hashes(session, [point for each in points.values() for point in each])
    found = {}
    for each in subjects:
        made = Bench(each, design_of(each), points[each.id], rows[each.id], {}, hashes)
        made.reads = {row.id: made.as_rule(row) for row in made.rows.values()}
        found[each.id] = made
    return found


def locked_bench(uow: UnitOfWork, read_id: str) -> tuple[Bench, Read]:
    """Gather the reads around one that is about to change; the subject's row is the lock."""
    subject_id = uow.session.scalar(select(Read.subject_id).where(Read.id == read_id))
    if subject_id is None:
        raise NotFound
    uow.session.execute(select(Subject.id).where(Subject.id == subject_id).with_for_update())
    found = bench(uow.session, subject_id)
    return found, found.rows[read_id]


def _hashes(session: Session, points: Collection[TimePoint]) -> dict[str, frozenset[str]]:
    studies = [study for point in points for study in point.studies]
    wanted = select(SubmissionObject.study_id, SubmissionObject.canonical_hash).where(
        SubmissionObject.study_id.in_(studies), SubmissionObject.fate == Fate.SENT.value
    )
    found: dict[str, set[str]] = {}
    for study_id, digest in session.execute(wanted):
        if study_id is not None:
            found.setdefault(study_id, set()).add(digest)
    return {key: frozenset(digests) for key, digests in found.items()}


def instances_of(session: Session, studies: Collection[str]) -> frozenset[str]:
    """Give the SOP Instance UIDs of these studies that a reader is shown."""
    wanted = select(SubmissionObject.sop_instance_uid).where(
        SubmissionObject.study_id.in_(studies), SubmissionObject.fate == Fate.SENT.value
    )
    return frozenset(session.scalars(wanted))


def basis_changed(uow: UnitOfWork, subject_id: str) -> None:
    """Compare every signed read of a subject with what it rested on, and mark those that differ with the sentence why.

    Earlier time points first: a read that is marked changes what the later ones of its reader rest on. A mark stays
    until its reader confirms the read or it is reopened, even if what changed is changed back.
    """
    uow.session.flush()
    mark(bench(uow.session, subject_id))
    uow.session.flush()


def mark(found: Bench) -> None:
    """Mark the signed reads of a bench whose basis differs."""
    for key in sorted(found.rows, key=lambda one: (found.reads[one].ordinal, one)):
        row = found.rows[key]
        if ReadState(row.state) not in STANDS:
            continue
        signed = Basis.from_plain(json.loads(standing_signature(newest(row)).basis))
        sentence = basis_changes(signed, found.basis(row))
        if sentence is not None:
            row.state = advance(ReadState(row.state), Act.BASIS_CHANGES).value
            row.basis_sentence = sentence
            found.changed(row)


def images_linked(uow: UnitOfWork, study: ImagingStudy) -> None:
    """Make the reads of a study that was linked, or mark those that were signed before its instances came."""
    assign(uow, study)
    basis_changed(uow, study.subject_id)


def last_slot(uow: UnitOfWork, study: ImagingStudy) -> str | None:
    """Give the slot at which a study is linked, or was before it was detached."""
    sent_to = select(Submission.slot_id).where(Submission.study_id == study.id).limit(1)
    return study.slot_id or uow.session.scalar(sent_to)


def images_gone(uow: UnitOfWork, study: ImagingStudy, slot_id: str | None, why: str) -> None:
    """Void the reads of a time point whose last study was moved away or withdrawn; they are kept with the reason.

    ``slot_id`` is where the study was. ``why`` is shown to readers: it names nobody.
    """
    uow.session.flush()
    slot = uow.session.get(Slot, slot_id) if slot_id else None
    found = bench(uow.session, study.subject_id)
    for row in found.rows.values():
        here = slot is not None and row.visit_id == slot.visit_id
        if here and row.state != ReadState.VOID and not found.point(row).studies:
            void_row(row, why)
            found.changed(row)
    mark(found)
    uow.session.flush()


def void_row(row: Read, why: str) -> None:
    """Void a read: it stays readable, and nothing rests on it any more."""
    row.state, row.void_reason = advance(ReadState(row.state), Act.VOID).value, why
    row.basis_sentence = ""
    for version in row.versions:
        for signature in version.signatures:
            signature.superseded_why = signature.superseded_why or "The read was voided."


def aligned(baseline: ReadValues | None, values: ReadValues) -> ReadValues:
    """Give the values with the lesions of the baseline as it is now: each once, in its order, organ and place."""
    if baseline is None:
        return values
    targets = {each.id: each for each in values.targets}
    others = {each.id: each for each in values.non_targets}
    return replace(
        values,
        targets=tuple(
            replace(targets[each.id], organ=each.organ, location=each.location)
            if each.id in targets
            else replace(each, state=None, measurements=(), merged_into="", reason="")
            for each in baseline.targets
        ),
        non_targets=tuple(
            replace(others[each.id], organ=each.organ, location=each.location)
            if each.id in others
            else replace(each, state=None, reason="")
            for each in baseline.non_targets
        ),
    )
