"""What a reader does with a read, and what happens to it: saved, signed, confirmed, reopened, voided."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select

from trialimg.casework.access import Person, Place, trial_place
from trialimg.casework.imaging import a_reason
from trialimg.casework.read_basis import (
    Bench,
    aligned,
    instances_of,
    locked_bench,
    mark,
    newest,
    standing_signature,
    values_of,
    void_row,
)
from trialimg.casework.read_judgement import Answers, Judged, answering, judge, kept
from trialimg.casework.services import Services
from trialimg.casework.session import prove
from trialimg.domain.permission import Permission
from trialimg.domain.read_plain import to_plain
from trialimg.domain.read_values import ReadValues, carried_forward
from trialimg.domain.reading import FINAL, Act, ReadState, advance, version_after
from trialimg.domain.signature import Meaning, canonical
from trialimg.domain.signature import sign as signature_of
from trialimg.errors import BadInput, ImpossibleStep, NotAllowed, NotFound, Stale
from trialimg.store.base import db
from trialimg.store.reading import Read, ReadSignature, ReadVersion
from trialimg.store.trial import Trial
from trialimg.store.unit_of_work import UnitOfWork


def read_place(read: str) -> Place:
    """Find the trial of a read; nothing of it tells site or subject."""
    wanted = select(Trial.code).join(Read, Read.trial_id == Trial.id).where(Read.id == read)
    code = db.session.scalar(wanted)
    if code is None:
        raise NotFound
    return trial_place(code)


def own_read_place(person: Person, read: str) -> Place:
    """Find the trial of a read of one's own; raises :class:`NotFound` for another's, as for none."""
    mine(person, db.session.get(Read, read))
    return read_place(read)


def is_final(row: Read) -> bool:
    """Say whether the values of a read count as final in exports."""
    return ReadState(row.state) in FINAL


def mine(person: Person, row: Read | None) -> Read:
    """Give the read if it is this person's own; raises :class:`NotFound` for another's, as for none."""
    if row is None or row.account_id != person.account_id:
        raise NotFound
    return row


def _my_bench(uow: UnitOfWork, read_id: str) -> tuple[Bench, Read]:
    found, row = locked_bench(uow, read_id)
    if uow.actor.account_id is None or row.account_id != uow.actor.account_id:
        raise NotFound
    return found, row


def beginning(found: Bench, row: Read) -> ReadValues:
    """Give what a read begins with: the lesions of its reader's signed baseline, or nothing."""
    baseline, _ = found.before(row)
    return carried_forward(baseline) if baseline is not None else ReadValues()


def open_read(uow: UnitOfWork, read_id: str) -> None:
    """Leave a record that its reader opened a read; raises NotFound for another's, ImpossibleStep before its turn."""
    found, row = _my_bench(uow, read_id)
    if ReadState(row.state) in {ReadState.OPEN, ReadState.DRAFT, ReadState.REOPENED}:
        _its_turn(found, row)
    uow.note("open", "read", row.id)


def _its_turn(found: Bench, row: Read) -> None:
    waits = found.waits_for(row)
    if waits:
        raise ImpossibleStep(waits)


def save_draft(uow: UnitOfWork, read_id: str, *, revision: int, values: ReadValues, answers: Answers) -> int:
    """Keep what its reader has said so far; gives the new revision, or the old one where nothing was changed.

    Raises NotFound for another's read, ImpossibleStep where it is not its turn or not open to changes, Stale where it
    was saved in another window, BadInput where something is measured on an image of another time point.
    """
    found, row = _my_bench(uow, read_id)
    after = advance(ReadState(row.state), Act.SAVE)
    _its_turn(found, row)
    version = _draft(uow, found, row)
    if version.revision != revision:
        raise Stale(
            "This read was saved in another window in between. What you see here is kept on this page and not saved; "
            "compare it with the other window, then save again."
        )
    baseline, _ = found.before(row)
    values = aligned(baseline, values)
    shown = instances_of(uow.session, found.point(row).studies)
    if values.instances - shown - values_of(version).instances:
        raise BadInput(
            "A lesion was measured on an image that is not one of this time point, so nothing was saved. Measure it on "
            "the images of this time point."
        )
    given = kept(values, answers)
    judged = judge(found, row, values, given, shown)
    given = answering(judged, given)
    content = canonical(to_plain(values))
    if row.versions and version.saved_at and (version.content, json.loads(version.answers)) == (content, given):
        return version.revision
    version.content, version.answers = content, canonical(given)
    version.computed = canonical(judged.computed)
    version.revision += 1
    version.saved_at, row.state = uow.at, after.value
    return version.revision


def _draft(uow: UnitOfWork, found: Bench, row: Read) -> ReadVersion:
    version = next((each for each in row.versions if each.version == row.version), None)
    if version is None:
        content = canonical(to_plain(beginning(found, row)))
        version = ReadVersion(version=row.version, revision=0, content=content, answers="[]", begun_at=uow.at)
        row.versions.append(version)
    return version


@dataclass(frozen=True)
class Credentials:
    """What a signer types: user name and password, and the zone their clock is in."""

    user_name: str
    password: str
    zone: str = "UTC"

    @property
    def known_zone(self) -> str:
        """The zone where it is one that is known, else UTC."""
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return "UTC"
        return self.zone if 0 < len(self.zone) <= 64 else "UTC"  # noqa: PLR2004 (the column's length)


def sign(services: Services, person: Person, read_id: str, *, revision: int, by: Credentials) -> None:
    """Sign a draft: the password is proved every time, then the values, the reasons and their basis are bound.

    Raises NotAllowed (counted towards the lock), NotFound, Stale, ImpossibleStep before its turn, BadInput with what
    must be corrected or answered first.
    """
    _sign(services, person, read_id, revision=revision, by=by, act=Act.SIGN)


def confirm_basis(services: Services, person: Person, read_id: str, *, revision: int, by: Credentials) -> None:
    """Confirm a read whose basis has changed by a new signature; the one before stays readable, superseded.

    Raises as ``sign`` does.
    """
    _sign(services, person, read_id, revision=revision, by=by, act=Act.CONFIRM)


def _sign(services: Services, person: Person, read_id: str, *, revision: int, by: Credentials, act: Act) -> None:
    prove(services, person, by.user_name, by.password)
    place = read_place(read_id)
    if not person.may(Permission.READ, place):
        raise NotFound
    with person.acting("signed" if act is Act.SIGN else "confirmed by a new signature", place) as uow:
        found, row = _my_bench(uow, read_id)
        after = advance(ReadState(row.state), act)
        _its_turn(found, row)
        version = newest(row)
        if version.revision != revision:
            raise Stale("This read was saved in another window in between. Look at it again, then sign.")
        judged = _signable(uow, found, row, version)
        version.computed = canonical(judged.computed)
        for earlier in version.signatures:
            earlier.superseded_why = earlier.superseded_why or "Confirmed by a newer signature."
        why = Meaning.READ if act is Act.SIGN else Meaning.BASIS_CONFIRMED
        _put_signature(uow, person, found, row, zone=by.known_zone, why=why)
        version.state, row.state, row.basis_sentence = "signed", after.value, ""
        uow.session.flush()
        found.changed(row)
        mark(found)


def _signable(uow: UnitOfWork, found: Bench, row: Read, version: ReadVersion) -> Judged:
    shown = instances_of(uow.session, found.point(row).studies)
    judged = judge(found, row, values_of(version), json.loads(version.answers), shown)
    if judged.open:
        count = "One thing is" if len(judged.open) == 1 else f"{len(judged.open)} things are"
        how = "Correct or answer it" if len(judged.open) == 1 else "Correct or answer them"
        if row.state == ReadState.BASIS_CHANGED:
            how = "Ask for the read to be reopened"
        raise BadInput(f"{count} open, so nothing was signed. {how} first. The first: {judged.open[0].sentence}")
    return judged


def signed_values(version: ReadVersion, computed_then: str) -> dict[str, Any]:
    """Give what a signature of a version binds: the values, the reasons given, and what followed from them."""
    return {
        "values": json.loads(version.content),
        "answers": json.loads(version.answers),
        "computed": json.loads(computed_then),
    }


def record_name(row: Read, version: ReadVersion) -> str:
    """Give the name under which a version of a read is signed."""
    return f"read {row.id} version {version.version}"


def _put_signature(uow: UnitOfWork, person: Person, found: Bench, row: Read, *, zone: str, why: Meaning) -> None:
    version, basis = newest(row), found.basis(row)
    signature = signature_of(
        name=person.name, account=person.email, at=uow.at, zone=zone, meaning=why.value,
        record=record_name(row, version), values=signed_values(version, version.computed), basis=basis.digest(),
    )  # fmt: skip
    version.signatures.append(
        ReadSignature(
            name=signature.name, account=signature.account, signed_at=signature.at, zone=signature.zone,
            meaning=signature.meaning, record=signature.record, content_sha256=signature.content, seal=signature.seal,
            computed=version.computed, basis=canonical(basis.to_plain()), basis_sha256=basis.digest(),
        )
    )  # fmt: skip


def reopen(uow: UnitOfWork, person: Person, read_id: str, reason: str) -> None:
    """Reopen a signed read for its reader: a new version, copied; the signed one stays readable, superseded.

    Raises NotAllowed for a role that ``reading.yaml`` does not name, BadInput without a reason.
    """
    found, row = locked_bench(uow, read_id)
    _may_reopen(person, found, row)
    why = a_blind_reason(found, reason)
    after, number = advance(ReadState(row.state), Act.REOPEN), version_after(row.version, Act.REOPEN)
    signed = newest(row)
    standing_signature(signed).superseded_why = f"Reopened; version {number} follows."
    signed.state = "superseded"
    row.versions.append(
        ReadVersion(
            version=number, revision=0, content=signed.content, computed=signed.computed, answers=signed.answers,
            reason=why, begun_at=uow.at,
        )
    )  # fmt: skip
    row.state, row.version, row.basis_sentence = after.value, number, ""
    uow.session.flush()
    found.changed(row)
    mark(found)


def void(uow: UnitOfWork, person: Person, read_id: str, reason: str) -> None:
    """Void a read that must not count, such as one of a reader who left; it is kept. Raises as ``reopen`` does."""
    found, row = locked_bench(uow, read_id)
    _may_reopen(person, found, row)
    void_row(row, a_blind_reason(found, reason))
    found.changed(row)
    mark(found)


def roles_in(person: Person, trial_id: str) -> frozenset[Any]:
    """Give every role of a person in a trial, whichever site it is for: one that must not see outweighs the others."""
    return frozenset(grant.role for grant in person.grants if grant.trial_id == trial_id)


def _may_reopen(person: Person, found: Bench, row: Read) -> None:
    if not found.design.lets_reopen(roles_in(person, row.trial_id)):
        named = ", ".join(role.value for role in found.design.reopen_by)
        raise NotAllowed(f"This trial lets reads be reopened by: {named}. Ask one of them. Nothing was changed.")


def a_blind_reason(found: Bench, reason: str) -> str:
    """Give a reason that the reader may see; raises BadInput where it names the subject or the site."""
    why, subject = a_reason(reason), found.subject
    said = why.casefold()
    site = rf"(?<!\w){re.escape(subject.site.code.casefold())}(?!\w)"
    if any(word.casefold() in said for word in (subject.number, subject.site.name)) or re.search(site, said):
        raise BadInput(
            "The reader sees this reason and must not learn subject or site from it. Say it without them; nothing was "
            "changed."
        )
    return why
