"""What becomes of reads when people begin or cease to read for a trial."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from trialimg.casework.access import Place
from trialimg.casework.read_assignment import LEFT, assign_waiting
from trialimg.casework.read_basis import locked_bench, mark, void_row
from trialimg.domain.permission import Role
from trialimg.domain.reading import CAN_CHANGE
from trialimg.store.account import Account, AccountGrant
from trialimg.store.reading import Read
from trialimg.store.unit_of_work import UnitOfWork


def reads_follow(uow: UnitOfWork, account_id: str, trial_id: str | None = None) -> None:
    """Let reads follow a change of what somebody may do: of one trial, or of all they ever read for."""
    had = select(AccountGrant.trial_id).where(
        AccountGrant.account_id == account_id, AccountGrant.role == Role.READER.value
    )
    for each in sorted(each for each in set(uow.session.scalars(had)) if each):
        if trial_id in {None, each}:
            readers_changed(uow, each)


def readers_changed(uow: UnitOfWork, trial_id: str) -> None:
    """Take the unsigned reads of who reads no more away, and assign every time point that lacks readers.

    A read that is taken away is void and kept with what was saved of it; signed ones stay. Where nobody can read a
    time point it stays unassigned until a reader comes. Whose read somebody voided is not given it again unasked.
    """
    uow.session.flush()
    states = [state.value for state in CAN_CHANGE]
    wanted = select(Read.id).where(
        Read.trial_id == trial_id, Read.state.in_(states), Read.account_id.not_in(_reading(uow.session, trial_id))
    )
    for read_id in uow.session.scalars(wanted.order_by(Read.subject_id, Read.id)).all():
        found, row = locked_bench(uow, read_id)
        void_row(row, LEFT)
        found.changed(row)
        mark(found)
    assign_waiting(uow, Place(trial_id=trial_id), again=False)


def _reading(session: Session, trial_id: str) -> list[str]:
    wanted = (
        select(AccountGrant.account_id)
        .join(Account, Account.id == AccountGrant.account_id)
        .where(
            AccountGrant.trial_id == trial_id,
            AccountGrant.role == Role.READER.value,
            AccountGrant.ended_at.is_(None),
            Account.active.is_(True),
        )
    )
    return list(session.scalars(wanted))
