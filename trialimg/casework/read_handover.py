"""A read given to another reader by the trial administrator, with what follows it; what was saved of it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from trialimg.casework.access import Place
from trialimg.casework.read_assignment import give, readers
from trialimg.casework.read_basis import Bench, bench, locked_bench, mark, void_row
from trialimg.casework.reading import a_blind_reason
from trialimg.domain.reading import CAN_GIVE, ReadState
from trialimg.errors import BadInput, Conflict, NotFound
from trialimg.store.base import db
from trialimg.store.reading import Read, ReadingCode
from trialimg.store.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class HandoverPage:
    """One read with who reads it and who else can; ``along`` are the later time points that go with it.

    ``fixed`` says why it cannot be given to somebody else; empty where it can.
    """

    read_id: str
    subject_number: str
    code: str
    time_point: str
    state: str
    reader: str
    others: tuple[tuple[str, str], ...]
    along: tuple[str, ...]
    fixed: str


def handover_page(place: Place, read_id: str) -> HandoverPage:
    """Give the page on which the trial administrator gives a read to another reader; raises :class:`NotFound`."""
    session = db.session()
    row = session.get(Read, read_id)
    if row is None or row.trial_id != place.trial_id:
        raise NotFound
    found = bench(session, row.subject_id)
    row = found.rows[read_id]
    code = session.scalar(select(ReadingCode.code).where(ReadingCode.subject_id == row.subject_id)) or ""
    return HandoverPage(
        row.id, found.subject.number, code, found.point(row).label, row.state, row.account.name,
        _others(session, found, row), tuple(found.point(each).label for each in _with(found, row)[1:]), _fixed(row),
    )  # fmt: skip


def _fixed(row: Read) -> str:
    if ReadState(row.state) in CAN_GIVE:
        return ""
    return (
        f"This read is {row.state}, so it stays with its reader, who alone can change what they signed. To have the "
        "time point read by somebody else, let the read be voided first."
    )


def _others(session: Session, found: Bench, row: Read) -> tuple[tuple[str, str], ...]:
    """Give the trial's other readers who have not this time point already, the account's key and the name."""
    here = {each.account_id for each in _standing(found) if each.visit_id == row.visit_id}
    return tuple((each.id, each.name) for each in readers(session, row.trial_id) if each.id not in here)


def _standing(found: Bench) -> list[Read]:
    return [each for each in found.rows.values() if each.state != ReadState.VOID]


def _with(found: Bench, row: Read) -> list[Read]:
    """Give the read and every later one of its reader that can still be given, in their order."""
    this = found.reads[row.id]
    later = [each for each in found.rows.values() if this.is_before(found.reads[each.id])]
    later = [each for each in later if ReadState(each.state) in CAN_GIVE]
    return [row, *sorted(later, key=lambda each: found.reads[each.id].ordinal)]


def hand_over(uow: UnitOfWork, place: Place, read_id: str, account_id: str, reason: str) -> int:
    """Give a read that is not signed, and the later ones of its reader, to another reader; gives how many there are.

    What the first reader saved is kept in a void read. The other one also gets the earlier time points that they have
    not read, since lesions are carried forward from the reader's own baseline. Raises NotFound, Conflict where it is
    signed, BadInput for somebody who cannot read it, or a reason that is missing or names the subject or site.
    """
    found, row = locked_bench(uow, read_id)
    if row.trial_id != place.trial_id:
        raise NotFound
    if fixed := _fixed(row):
        raise Conflict(f"{fixed} Nothing was changed.")
    names = dict(_others(uow.session, found, row))
    if account_id not in names:
        raise BadInput("Choose a reader of the list: one who reads for this trial and has not this time point yet.")
    why = a_blind_reason(found, reason)
    visits = []
    for each in _with(found, row):
        void_row(each, f"Given to another reader: {why}")
        found.changed(each)
        visits.append(each.visit_id)
    uow.session.flush()
    mark(found)
    before = len(_of(uow.session, found, account_id))
    for visit_id in visits:
        give(uow, found.subject, visit_id, account_id)
    return len(_of(uow.session, found, account_id)) - before


def _of(session: Session, found: Bench, account_id: str) -> list[str]:
    wanted = select(Read.id).where(Read.subject_id == found.subject.id, Read.account_id == account_id)
    return list(session.scalars(wanted))
