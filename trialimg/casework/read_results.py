"""How reads stand for the trial's team, and their values for the roles that ``reading.yaml`` names, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from trialimg.casework.access import Person, Place, trial_place
from trialimg.casework.best_response import Best, best_of_reader
from trialimg.casework.read_assignment import design_of
from trialimg.casework.read_basis import Bench, bench, values_of
from trialimg.casework.read_page import SignatureLine, VersionLine, history, in_words
from trialimg.casework.reading import is_final, roles_in
from trialimg.domain.permission import Permission
from trialimg.domain.reading import ReadState
from trialimg.domain.reading_design import ReadingDesign
from trialimg.errors import NotFound
from trialimg.store.account import Account
from trialimg.store.base import db
from trialimg.store.reading import Read, ReadVersion
from trialimg.store.subject import Subject


@dataclass(frozen=True)
class LesionLine:
    """One lesion at one time point in words."""

    id: str
    kind: str
    organ: str
    location: str
    said: str
    sop_instance_uids: tuple[str, ...] = ()
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class ReadResult:
    """The values of a signed version; sums and changes in mm and % as texts, empty where they cannot be known."""

    version: int
    computed: Mapping[str, str]
    new: str
    quality: str
    comment: str
    lesions: tuple[LesionLine, ...]
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReadLine:
    """One read as the team sees it; ``result`` is None where nothing is signed or the role may not see values.

    ``hidden`` says the latter. ``reader`` is the name, or *Reader 1* for who may not see values.
    """

    read_id: str
    subject_number: str
    site_code: str
    visit_key: str
    time_point: str
    ordinal: int
    day: int | None
    reader: str
    reader_number: int
    state: str
    version: int
    final: bool
    assigned_at: datetime
    basis_sentence: str
    void_reason: str
    hidden: bool
    result: ReadResult | None
    signature: SignatureLine | None
    history: tuple[VersionLine, ...]

    @property
    def why_not_final(self) -> str:
        """Say why the read does not count as final; empty where it does."""
        if self.final:
            return ""
        if self.state == ReadState.VOID:
            return f"The read is void: {self.void_reason}"
        if self.state == ReadState.REOPENED:
            return f"The read was reopened; version {self.version} is not signed yet."
        return self.basis_sentence or "The read is not signed yet."


@dataclass(frozen=True)
class BestLine:
    """The best overall response by one reader."""

    reader: str
    reader_number: int
    best: Best


@dataclass(frozen=True)
class SubjectReads:
    """The reads of one subject; ``best`` and ``code`` are only for who may see values."""

    number: str
    site_code: str
    lines: tuple[ReadLine, ...]
    best: tuple[BestLine, ...] = ()
    code: str = ""


def shows_values(person: Person, trial_id: str, design: ReadingDesign) -> bool:
    """Say whether this person may see values of reads: by permission, and by what the trial says of their roles."""
    if not person.may(Permission.SEE_READ_VALUES, Place(trial_id=trial_id)):
        return False
    return design.shows_values_to(roles_in(person, trial_id))


def reads_of(subject_id: str, person: Person) -> tuple[ReadLine, ...]:
    """Give a subject's reads by time point and reader: how they stand, and values where the person may see them.

    Gives none to whoever may not see how the reads of the subject's site stand.
    """
    return subject_reads(subject_id, person).lines


def subject_reads(subject_id: str, person: Person) -> SubjectReads:
    """Give a subject's reads as ``reads_of`` does, with the best overall response by each reader."""
    return reads_on(bench(db.session(), subject_id), person)


def reads_on(found: Bench, person: Person, code: str = "") -> SubjectReads:
    """Give the reads on a bench as this person may know them."""
    subject = found.subject
    place = Place(trial_id=subject.trial_id, site_id=subject.site_id)
    if not person.may(Permission.SEE_READ_STATUS, place):
        return SubjectReads(subject.number, subject.site.code, ())
    shown = shows_values(person, place.trial_id, found.design)
    names, readers = _readers(row.account for row in found.rows.values())
    rows = sorted(found.rows.values(), key=lambda row: (found.reads[row.id].ordinal, readers.index(row.account_id)))
    return SubjectReads(
        subject.number,
        subject.site.code,
        tuple(_line(found, row, 1 + readers.index(row.account_id), shown=shown) for row in rows),
        tuple(BestLine(names[key], at, best_of_reader(found, key)) for at, key in enumerate(readers, 1))
        if shown
        else (),
        code if shown else "",
    )


def _readers(accounts: Iterable[Account]) -> tuple[dict[str, str], list[str]]:
    """Give the names of a subject's readers by key, and the keys in the order in which they are numbered."""
    names = {each.id: each.name for each in accounts}
    return names, sorted(names, key=lambda key: (names[key], key))


def readers_of(subject_id: str) -> dict[str, str]:
    """Give, by e-mail address, how a subject's readers are called before who may not see values: Reader 1, Reader 2."""
    wanted = select(Account).where(Account.id.in_(select(Read.account_id).where(Read.subject_id == subject_id)))
    accounts = {each.id: each for each in db.session.scalars(wanted)}
    return {accounts[key].email: f"Reader {at}" for at, key in enumerate(_readers(accounts.values())[1], 1)}


def _line(found: Bench, row: Read, number: int, *, shown: bool) -> ReadLine:
    point = found.point(row)
    signed = next((each for each in reversed(row.versions) if each.signatures), None)
    versions = history(row) if shown else ()
    signatures = [each.signatures[-1] for each in versions if signed and each.version == signed.version]
    return ReadLine(
        row.id, found.subject.number, found.subject.site.code, row.visit.key, point.label, point.ordinal, point.day,
        row.account.name if shown else f"Reader {number}", number, row.state, row.version, is_final(row),
        row.assigned_at, row.basis_sentence, row.void_reason,
        hidden=signed is not None and not shown,
        result=_result(signed) if signed is not None and shown else None,
        signature=signatures[0] if signatures else None,
        history=versions,
    )  # fmt: skip


def _result(version: ReadVersion) -> ReadResult:
    values = values_of(version)
    lesions = [
        LesionLine(
            each.id, "target", each.organ.value, each.location, in_words(each),
            tuple(part.sop_instance_uid for part in each.measurements), tuple(part.frame for part in each.measurements),
        )
        for each in values.targets
    ]  # fmt: skip
    lesions += [
        LesionLine(each.id, "non-target", each.organ.value, each.location, each.state.value if each.state else "")
        for each in values.non_targets
    ]
    lesions += [
        LesionLine(
            each.id,
            "new",
            each.organ.value,
            each.location,
            each.certainty.value,
            (each.sop_instance_uid,),
            (each.frame,),
        )
        for each in values.new_lesions
    ]
    answers: list[Mapping[str, Any]] = json.loads(version.answers)
    return ReadResult(
        version.version, json.loads(version.computed), values.new.value if values.new else "",
        values.quality.value if values.quality else "", values.comment, tuple(lesions),
        tuple((each["lesion"] or each["group"], each["answer"]) for each in answers),
    )  # fmt: skip


def design_for(place: Place) -> ReadingDesign:
    """Give the read design that a subject is read by."""
    return design_of(db.session.get_one(Subject, place.subject_id))


def may_see_values(person: Person, place: Place) -> bool:
    """Say whether this person may see the values of a subject's reads."""
    return shows_values(person, place.trial_id, design_for(place))


def may_reopen_in(person: Person, place: Place) -> bool:
    """Say whether this person may reopen or void reads of a subject."""
    return may_reopen(person, place.trial_id, design_for(place))


def may_reopen(person: Person, trial_id: str, design: ReadingDesign) -> bool:
    """Say whether this person may reopen or void reads of the trial."""
    by_role = person.may(Permission.REOPEN_READ, Place(trial_id=trial_id))
    return by_role and design.lets_reopen(roles_in(person, trial_id))


def followed_read_place(person: Person, trial: str, read: str) -> Place:
    """Find the site a read of the trial is about; raises NotFound where the person may not see how its reads stand."""
    place = trial_place(trial)
    row = db.session.get(Read, read)
    if row is None or row.trial_id != place.trial_id:
        raise NotFound
    subject = db.session.get_one(Subject, row.subject_id)
    if not person.reach(Permission.SEE_READ_STATUS).covers(subject.trial_id, subject.site_id):
        raise NotFound
    return replace(place, site_id=subject.site_id, site_code=subject.site.code, subject_number=subject.number)
