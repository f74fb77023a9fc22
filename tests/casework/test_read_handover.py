"""Reads follow their readers: given when one comes, taken when one goes, handed over with a reason; signed ones stay."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.casework.reading_bed import ReadingBed, bed, values
from tests.world import World, add_person
from trialimg.casework import accounts, reading
from trialimg.casework.read_assignment import LEFT
from trialimg.casework.read_handover import hand_over, handover_page
from trialimg.casework.read_page import worklist
from trialimg.casework.read_rule import rule_page, unassigned
from trialimg.domain.permission import Role
from trialimg.domain.reading import ReadState
from trialimg.errors import BadInput, Conflict, NotFound
from trialimg.store.account import AccountGrant
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db
from trialimg.store.reading import Read
from trialimg.store.unit_of_work import unit_of_work

__all__ = ["bed"]


def join(bed: ReadingBed, name: str) -> None:
    account_id = bed.person(name).account_id if known(bed, name) else add_person(name)
    by = bed.person("trial-administrator")
    with unit_of_work(by.actor, "joins", trial_id=bed.world.trial_id) as uow:
        accounts.give_role(uow, by, account_id, Role.READER, trial_id=bed.world.trial_id)


def known(bed: ReadingBed, name: str) -> bool:
    try:
        bed.person(name)
    except NotFound:
        return False
    return True


def leave(bed: ReadingBed, name: str = "reader") -> None:
    by, account_id = bed.person("trial-administrator"), bed.person(name).account_id
    wanted = select(AccountGrant.id).where(
        AccountGrant.account_id == account_id, AccountGrant.role == Role.READER.value, AccountGrant.ended_at.is_(None)
    )
    grant = db.session.scalars(wanted).one()
    with unit_of_work(by.actor, "leaves", trial_id=bed.world.trial_id) as uow:
        accounts.end_role(uow, by, grant)


def states(bed: ReadingBed, name: str) -> list[tuple[str, str]]:
    db.session.rollback()
    db.session.expunge_all()
    wanted = select(Read).where(Read.account_id == bed.person(name).account_id).order_by(Read.assigned_at, Read.id)
    return sorted((each.visit.key, each.state) for each in db.session.scalars(wanted))


def give(bed: ReadingBed, visit: str, to: str, reason: str = "on leave until June", who: str = "reader") -> int:
    key, account_id = bed.key(visit, who), bed.person(to).account_id
    with unit_of_work(bed.person("trial-administrator").actor, reason, trial_id=bed.world.trial_id) as uow:
        return hand_over(uow, bed.world.trial, key, account_id, reason)


def test_images_linked_before_anybody_reads_are_given_when_readers_come(world: World) -> None:
    alone = ReadingBed(world, world.subject("101"))
    leave(alone)
    alone.link("SCR")
    assert db.session.scalars(select(Read)).all() == []
    assert "wait unassigned" in unassigned(world.trial)
    join(alone, "reader")
    assert states(alone, "reader") == [("SCR", "open")]
    assert "One time point has fewer readers" in unassigned(world.trial)  # the demo has two readers
    join(alone, "third")
    assert states(alone, "third") == [("SCR", "open")]
    assert unassigned(world.trial) == ""


def test_a_reader_too_many_is_given_nothing(bed: ReadingBed) -> None:
    bed.link("SCR")
    join(bed, "third")
    assert states(bed, "third") == []


def test_when_a_readers_role_ends_signed_reads_stay_and_open_ones_are_given_anew(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.link("W8")
    bed.read("SCR", "30")
    bed.save("W8", values("W8", "20"))
    leave(bed)
    assert states(bed, "reader") == [("SCR", "signed"), ("W8", "void")]
    assert bed.row("W8").void_reason == LEFT
    assert "20" in bed.row("W8").versions[0].content, "what was saved is kept"
    assert "One time point has" in unassigned(bed.world.trial)
    join(bed, "third")
    # Lesions are carried forward from one's own baseline, so the new reader begins there.
    assert states(bed, "third") == [("SCR", "open"), ("W8", "open")]
    assert states(bed, "second") == [("SCR", "open"), ("W8", "open")]
    assert unassigned(bed.world.trial) == ""
    assert bed.state("SCR") is ReadState.SIGNED
    bed.read("SCR", "31", "third")
    bed.read("W8", "22", "third")
    assert states(bed, "third") == [("SCR", "signed"), ("W8", "signed")]


def test_a_read_voided_by_somebody_is_not_given_to_its_reader_again_unasked(bed: ReadingBed) -> None:
    bed.link("SCR")
    by, key = bed.person("data-manager"), bed.key("SCR")
    with unit_of_work(by.actor, "x", trial_id=bed.world.trial_id) as uow:
        reading.void(uow, by, key, "the reader knows the subject")
    join(bed, "third")
    assert states(bed, "reader") == [("SCR", "void")]
    assert states(bed, "third") == [("SCR", "open")]


def test_who_comes_back_goes_on_from_the_baseline_they_signed(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.link("W8")
    bed.read("SCR", "30")
    leave(bed)
    join(bed, "reader")
    assert states(bed, "reader") == [("SCR", "signed"), ("W8", "open"), ("W8", "void")]
    bed.read("W8", "20")
    assert bed.state("W8") is ReadState.SIGNED


def test_access_ended_and_opened_again_does_the_same_as_the_role(bed: ReadingBed) -> None:
    bed.link("SCR")
    by, account_id = bed.person("administrator"), bed.person().account_id
    with unit_of_work(by.actor, "left the house") as uow:
        accounts.end_access(uow, by, account_id)
    wanted = select(Read.state).where(Read.account_id == account_id).order_by(Read.number)
    assert db.session.scalars(wanted).all() == ["void"]
    with unit_of_work(by.actor, "is back") as uow:
        accounts.open_access(uow, by, account_id)
    assert db.session.scalars(wanted).all() == ["void", "open"]


def test_another_role_ended_or_given_leaves_reads_alone(bed: ReadingBed) -> None:
    bed.link("SCR")
    before = states(bed, "reader")
    by = bed.person("trial-administrator")
    for name in ("sponsor", "monitor"):
        (grant,) = db.session.scalars(
            select(AccountGrant.id).where(AccountGrant.account_id == bed.person(name).account_id)
        )
        with unit_of_work(by.actor, "leaves", trial_id=bed.world.trial_id) as uow:
            accounts.end_role(uow, by, grant)
    assert states(bed, "reader") == before


def test_a_read_is_handed_over_with_what_follows_and_the_reason_is_kept(bed: ReadingBed) -> None:
    for visit in ("SCR", "W8", "W16"):
        bed.link(visit)
    bed.read("SCR", "30")
    bed.save("W8", values("W8", "20"))
    join(bed, "third")
    page = handover_page(bed.world.trial, bed.key("W8"))
    assert (page.reader, page.along, page.fixed) == ("Reader", ("Week 16",), "")
    assert [name for _, name in page.others] == ["Third"]
    assert give(bed, "W8", "third") == 3
    assert states(bed, "reader") == [("SCR", "signed"), ("W16", "void"), ("W8", "void")]
    assert states(bed, "third") == [("SCR", "open"), ("W16", "open"), ("W8", "open")]
    assert "on leave until June" in bed.row("W8").void_reason
    assert worklist(bed.person("third"))[0].time_point == "Screening"
    said = db.session.scalars(select(AuditRecord.reason).where(AuditRecord.table_name == "read")).all()
    assert "on leave until June" in said


@pytest.mark.parametrize("reason", ["", "   ", "101-001 is urgent", "urgent for University Hospital North"])
def test_a_handover_asks_for_a_reason_that_tells_the_reader_nothing(bed: ReadingBed, reason: str) -> None:
    bed.link("SCR")
    join(bed, "third")
    before = states(bed, "reader")
    with pytest.raises(BadInput, match="nothing was changed|Give a reason"):
        give(bed, "SCR", "third", reason)
    assert states(bed, "reader") == before
    assert states(bed, "third") == []


@pytest.mark.parametrize("to", ["second", "reader", "sponsor", "nobody"])
def test_a_read_is_given_only_to_a_reader_who_has_it_not(bed: ReadingBed, to: str) -> None:
    bed.link("SCR")
    join(bed, "third")
    with pytest.raises(BadInput, match="Choose a reader of the list"):
        give(bed, "SCR", to)
    assert states(bed, "reader") == [("SCR", "open")]


def test_what_is_signed_reopened_or_void_stays_with_its_reader(bed: ReadingBed) -> None:
    bed.link("SCR")
    join(bed, "third")
    bed.read("SCR", "30")
    for state in (ReadState.SIGNED, ReadState.REOPENED, ReadState.VOID):
        if state is ReadState.REOPENED:
            bed.reopen("SCR")
        if state is ReadState.VOID:
            by = bed.person("data-manager")
            key = bed.key("SCR")
            with unit_of_work(by.actor, "x", trial_id=bed.world.trial_id) as uow:
                reading.void(uow, by, key, "read twice")
        assert bed.state("SCR") is state
        with pytest.raises(Conflict, match="stays with its reader"):
            give(bed, "SCR", "third")
        assert handover_page(bed.world.trial, bed.key("SCR")).fixed


def test_the_first_reader_can_do_nothing_more_with_a_read_handed_over(bed: ReadingBed) -> None:
    bed.link("SCR")
    join(bed, "third")
    give(bed, "SCR", "third")
    page = bed.page("SCR")
    assert page.void_reason == "Given to another reader: on leave until June"
    assert not page.can_change
    with pytest.raises(Conflict):
        bed.save("SCR", values("SCR", "30"))
    assert rule_page(bed.world.trial).lacking == 0
