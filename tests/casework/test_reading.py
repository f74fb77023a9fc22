"""The life of reads: assigned by linking, read in order, signed, reopened, and what changes of images mean for them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import select

from tests.casework.reading_bed import ReadingBed, bed, sop_of, values
from tests.world import add_person, email_of
from trialimg.casework import accounts, link, read_assignment, reading
from trialimg.casework.access import slot_place, study_place
from trialimg.casework.read_page import worklist
from trialimg.casework.read_results import reads_of
from trialimg.casework.read_rule import rule_page, set_rule
from trialimg.casework.reader_studies import studies_of_reader
from trialimg.casework.services import services
from trialimg.domain.lesion import Seen
from trialimg.domain.permission import Role
from trialimg.domain.read_values import ReadValues
from trialimg.domain.reading import ReadState
from trialimg.errors import BadInput, ImpossibleStep, NotAllowed, NotFound, Stale
from trialimg.store.account import Account
from trialimg.store.base import db
from trialimg.store.reading import Read, ReadSignature, ReadVersion
from trialimg.store.unit_of_work import unit_of_work

__all__ = ["bed"]
S = ReadState


def reads(bed: ReadingBed) -> list[Read]:
    db.session.rollback()
    return list(db.session.scalars(select(Read).execution_options(populate_existing=True)))


# --- assigned ---------------------------------------------------------------------------------------------


def test_linking_makes_one_read_for_each_reader_and_linking_again_none(bed: ReadingBed) -> None:
    uid = bed.link("SCR")
    assert {each.account_id for each in reads(bed)} == {bed.person(who).account_id for who in ("reader", "second")}
    assert {each.state for each in reads(bed)} == {"open"}
    bed.join(uid)
    assert len(reads(bed)) == 2


def test_a_slot_that_the_design_does_not_read_makes_none(bed: ReadingBed) -> None:
    bed.link("SCR", slot="MR")
    assert reads(bed) == []


def test_a_subject_keeps_its_readers_and_its_code(bed: ReadingBed) -> None:
    bed.link("SCR")
    code = bed.code
    third = add_person("third")
    by = bed.person("trial-administrator")
    with unit_of_work(by.actor, "a third reader", trial_id=bed.world.trial_id) as uow:
        accounts.give_role(uow, by, third, Role.READER, trial_id=bed.world.trial_id)
    bed.link("W8")
    assert third not in {each.account_id for each in reads(bed)}
    assert len(reads(bed)) == 4
    assert bed.code == code
    assert bed.number not in code


def test_the_administrators_rule_stands_in_place_of_the_trials_and_what_lacks_readers_is_assigned(
    bed: ReadingBed,
) -> None:
    place, by = bed.world.trial, bed.person("trial-administrator")
    mine = bed.person("reader").account_id
    with unit_of_work(by.actor, "by list", trial_id=place.trial_id) as uow:
        set_rule(uow, place, assignment="listed", listed={mine})
    bed.link("SCR")
    assert [each.account_id for each in reads(bed)] == [mine]
    assert rule_page(place).lacking == 1
    with unit_of_work(by.actor, "balanced", trial_id=place.trial_id) as uow:
        set_rule(uow, place, assignment="balanced", listed=())
        assert read_assignment.assign_waiting(uow, place) == 1
    assert rule_page(place).lacking == 0


def test_somebody_who_has_another_role_in_the_trial_is_no_independent_reader(bed: ReadingBed) -> None:
    by = bed.person("trial-administrator")
    with unit_of_work(by.actor, "a second role", trial_id=bed.world.trial_id) as uow:
        accounts.give_role(uow, by, bed.person("second").account_id, Role.SPONSOR, trial_id=bed.world.trial_id)
    bed.link("SCR")
    assert [each.account_id for each in reads(bed)] == [bed.person("reader").account_id]


@pytest.mark.parametrize(("rule", "listed"), [("whoever", ()), ("listed", ()), ("listed", ("nobody",))])
def test_a_rule_that_cannot_work_is_refused(bed: ReadingBed, rule: str, listed: tuple[str, ...]) -> None:
    by = bed.person("trial-administrator")
    with pytest.raises(BadInput), unit_of_work(by.actor, "x", trial_id=bed.world.trial_id) as uow:
        set_rule(uow, bed.world.trial, assignment=rule, listed=listed)


def test_a_reader_may_open_the_studies_of_their_reads_and_what_came_before(bed: ReadingBed) -> None:
    first, second = bed.link("SCR"), bed.link("W8")
    assert [each.study_instance_uid for each in studies_of_reader(bed.person().account_id)] == [first], "W8 waits"
    bed.read("SCR", "30")
    shown = studies_of_reader(bed.person().account_id)
    assert {each.study_instance_uid for each in shown} == {first, second}
    assert {each.reading_code for each in shown} == {bed.code}
    assert studies_of_reader(bed.person("monitor").account_id) == []


# --- read and signed --------------------------------------------------------------------------------------


def test_a_read_is_saved_signed_and_locked(bed: ReadingBed) -> None:
    bed.link("SCR")
    assert bed.save("SCR", values("SCR", "30")) == 1
    assert bed.state("SCR") is S.DRAFT
    bed.sign("SCR")
    assert bed.state("SCR") is S.SIGNED
    with pytest.raises(ImpossibleStep):
        bed.save("SCR", values("SCR", "31"))
    page = bed.page("SCR")
    assert page.judged.computed["total"] == "30.0"
    [signature] = page.history[0].signatures
    assert "Europe/Zurich" in signature.manifestation
    assert signature.fault == ""


def test_time_points_come_in_order_after_a_signed_baseline(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.link("W8")
    with pytest.raises(ImpossibleStep, match="First sign your read of Screening"):
        bed.save("W8", values("W8", "20"))
    bed.read("SCR", "30")
    page = bed.page("W8")
    assert [(each.id, each.state) for each in page.values.targets] == [("T1", None)]
    assert page.previous["T1"][0].said == "30.0 mm"
    bed.read("W8", "20")
    assert bed.page("W8").judged.computed["overall"] == "PR"
    assert bed.page("W8").day == 56


def test_one_readers_values_carry_nothing_of_the_others(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.link("W8")
    bed.read("SCR", "30")
    bed.read("SCR", "77", "second")
    assert bed.page("W8", "second").previous["T1"][0].said == "77.0 mm"
    said = re.sub(r"[0-9a-f]{16,}", "", str(bed.page("W8")))  # keys and hashes hold any two digits
    assert "77" not in said


def test_a_page_older_than_what_is_saved_overwrites_nothing(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.save("SCR", values("SCR", "30"))
    person, key = bed.person(), bed.key("SCR")
    with pytest.raises(Stale), unit_of_work(person.actor, "x", trial_id=bed.world.trial_id) as uow:
        reading.save_draft(uow, key, revision=0, values=values("SCR", "44"), answers={})
    assert bed.page("SCR").values.targets[0].measurements[0].diameter == "30"
    assert bed.save("SCR", values("SCR", "30")) == 1, "saving the same again changes nothing"


def test_nobody_saves_opens_or_signs_anothers_read(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.save("SCR", values("SCR", "30"))
    key, other = bed.key("SCR"), bed.person("second")
    with pytest.raises(NotFound), unit_of_work(other.actor, "x", trial_id=bed.world.trial_id) as uow:
        reading.save_draft(uow, key, revision=1, values=values("SCR", "44"), answers={})
    with pytest.raises(NotFound), unit_of_work(other.actor, "x", trial_id=bed.world.trial_id) as uow:
        reading.open_read(uow, key)
    by = reading.Credentials(email_of("second"), "granite-otter-87-lantern")
    with pytest.raises(NotFound):
        reading.sign(services(), other, key, revision=1, by=by)
    assert bed.state("SCR") is S.DRAFT


def test_a_diameter_on_an_image_of_another_time_point_is_not_taken(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.link("W8")
    with pytest.raises(BadInput, match="not one of this time point"):
        bed.save("SCR", values("SCR", "30", sop=sop_of("W8")))


def test_hard_findings_keep_a_read_from_being_signed(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.save("SCR", values("SCR", "9.9"))
    with pytest.raises(BadInput, match="at least 10 mm"):
        bed.sign("SCR")


def test_a_reason_answers_a_doubt_until_the_value_changes(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.link("W8")
    bed.read("SCR", "30")
    bed.save("W8", values("W8", "70"), large_step__targets__T1="the same lesion, grown")
    assert bed.page("W8").judged.open == ()
    bed.save("W8", values("W8", "71"))
    assert [each.check_key for each in bed.page("W8").judged.open] == ["large_step"]


@pytest.mark.parametrize(("user", "password"), [("reader", "wrong"), ("second", "granite-otter-87-lantern")])
def test_a_signature_asks_for_the_signers_own_name_and_password(bed: ReadingBed, user: str, password: str) -> None:
    bed.link("SCR")
    bed.save("SCR", values("SCR", "30"))
    by = reading.Credentials(email_of(user), password)
    with pytest.raises(NotAllowed, match="Nothing was signed"):
        reading.sign(services(), bed.person(), bed.key("SCR"), revision=1, by=by)
    account = db.session.get_one(Account, bed.person().account_id, populate_existing=True)
    assert account.failures == 1
    bed.sign("SCR")
    assert db.session.get_one(Account, bed.person().account_id, populate_existing=True).failures == 0


def test_failed_signatures_lock_the_account_and_then_the_right_password_signs_nothing(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.save("SCR", values("SCR", "30"))
    for _ in range(services().settings.lockout_failures):
        with pytest.raises(NotAllowed):
            bed.sign("SCR", password="wrong")
    with pytest.raises(NotAllowed):
        bed.sign("SCR")
    assert bed.state("SCR") is S.DRAFT


def test_a_value_changed_behind_a_signature_is_told_beside_it(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.read("SCR", "30")
    with unit_of_work(bed.person("data-manager").actor, "tampering", trial_id=bed.world.trial_id) as uow:
        version = uow.session.scalars(select(ReadVersion).where(ReadVersion.read_id == bed.key("SCR"))).one()
        version.content = version.content.replace('"30"', '"31"')
    db.session.expunge_all()
    assert "not those that were signed" in bed.page("SCR").history[0].signatures[0].fault


# --- reopened and confirmed -------------------------------------------------------------------------------


def test_reopening_makes_a_new_version_and_the_signed_one_stays_readable(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.read("SCR", "30")
    bed.reopen("SCR")
    assert bed.state("SCR") is S.REOPENED
    page = bed.page("SCR")
    assert [each.version for each in page.history] == [2, 1]
    assert page.history[1].signatures[0].superseded == "Reopened; version 2 follows."
    assert page.reopen_reason == "T1 measured on the wrong slice"
    bed.save("SCR", values("SCR", "33"))
    bed.sign("SCR")
    assert bed.state("SCR") is S.SIGNED
    assert bed.page("SCR").judged.computed["total"] == "33.0"
    assert all(not line.fault for each in bed.page("SCR").history for line in each.signatures)


@pytest.mark.parametrize("who", ["sponsor", "trial-administrator", "inspector", "coordinator-101", "reader"])
def test_only_a_role_that_the_trial_names_reopens(bed: ReadingBed, who: str) -> None:
    bed.link("SCR")
    bed.read("SCR", "30")
    with pytest.raises(NotAllowed):
        bed.reopen("SCR", by=who)
    assert bed.state("SCR") is S.SIGNED


def test_a_reason_that_would_tell_the_reader_the_subject_is_refused(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.read("SCR", "30")
    with pytest.raises(BadInput, match="must not learn"):
        bed.reopen("SCR", f"wrong slice in {bed.number}")
    with pytest.raises(BadInput, match="must not learn"):
        bed.reopen("SCR", f"site {bed.number.partition('-')[0]} sent another slice")
    with pytest.raises(BadInput, match="Give a reason"):
        bed.reopen("SCR", " ")


def three(bed: ReadingBed) -> list[str]:
    uids = [bed.link(visit) for visit in ("SCR", "W8", "W16")]
    for visit, size in (("SCR", "30"), ("W8", "24"), ("W16", "22")):
        bed.read(visit, size)
    return uids


def test_instances_that_join_mark_the_read_and_every_later_one_of_its_reader(bed: ReadingBed) -> None:
    uids = three(bed)
    bed.join(uids[1], 2)
    assert [bed.state(visit) for visit in ("SCR", "W8", "W16")] == [S.SIGNED, S.BASIS_CHANGED, S.BASIS_CHANGED]
    assert "2 instances joined" in bed.row("W8").basis_sentence
    assert "your read of Week 8 now basis changed" in bed.row("W16").basis_sentence
    assert not reading.is_final(bed.row("W8"))
    with pytest.raises(ImpossibleStep, match="First sign your read of Week 8"):
        bed.sign("W16")
    bed.sign("W8")
    bed.sign("W16")
    assert [bed.state(visit) for visit in ("W8", "W16")] == [S.SIGNED, S.SIGNED]
    meanings = [line.meaning for line in bed.page("W8").history[0].signatures]
    assert meanings[1].startswith("I looked at what changed")
    assert bed.page("W8").history[0].signatures[0].superseded


def test_a_detached_study_marks_its_read_and_linked_again_it_can_be_confirmed(bed: ReadingBed) -> None:
    uids = three(bed)
    bed.act(uids[2], "detach")
    assert bed.state("W16") is S.BASIS_CHANGED
    assert "3 instances withdrawn" in bed.row("W16").basis_sentence
    target = slot_place(bed.world.code, bed.number, "W16", "CT")
    with unit_of_work(bed.person("data-manager").actor, "back", trial_id=bed.world.trial_id) as uow:
        link.relink(uow, study_place(uids[2]), target, "back")
    assert bed.state("W16") is S.BASIS_CHANGED
    bed.sign("W16")
    assert bed.state("W16") is S.SIGNED


def test_a_withdrawn_study_voids_its_reads_which_are_kept_and_marks_the_later_ones(bed: ReadingBed) -> None:
    uids = three(bed)
    bed.act(uids[1], "withdraw")
    assert bed.state("W8") is S.VOID
    assert "withdrawn" in bed.row("W8").void_reason
    assert bed.state("W16") is S.BASIS_CHANGED
    assert "your read of Week 8 voided" in bed.row("W16").basis_sentence
    assert bed.page("W8").history[0].signatures[0].superseded == "The read was voided."
    assert db.session.scalars(select(ReadSignature)).all()


def test_a_study_moved_to_another_visit_is_read_there_and_its_old_reads_are_void(bed: ReadingBed) -> None:
    bed.link("SCR")
    uid = bed.link("W8")
    bed.read("SCR", "30")
    bed.read("W8", "24")
    target = slot_place(bed.world.code, bed.number, "W16", "CT")
    with unit_of_work(bed.person("data-manager").actor, "wrong visit", trial_id=bed.world.trial_id) as uow:
        link.relink(uow, study_place(uid), target, "wrong visit")
    assert bed.state("W8") is S.VOID
    assert bed.state("W16") is S.OPEN


def test_a_reopened_baseline_marks_what_follows_until_it_is_confirmed_on_the_new_one(bed: ReadingBed) -> None:
    three(bed)
    bed.reopen("SCR")
    assert [bed.state(visit) for visit in ("W8", "W16")] == [S.BASIS_CHANGED, S.BASIS_CHANGED]
    assert "your read of Screening reopened" in bed.row("W8").basis_sentence
    bed.save("SCR", values("SCR", "40"))
    bed.sign("SCR")
    bed.sign("W8")
    page = bed.page("W8")
    assert page.judged.computed["from_baseline_percent"] == "-40.0"
    assert all(not line.fault for line in page.history[0].signatures), "each binds what followed at its time"


def test_a_lesion_added_to_a_reopened_baseline_keeps_later_reads_from_being_confirmed(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.link("W8")
    bed.read("SCR", "30")
    bed.read("W8", "24")
    bed.reopen("SCR")
    more = values("SCR", "30")
    second = replace(more.targets[0], id="T2", location="segment 7")
    bed.save("SCR", replace(more, targets=(*more.targets, second)))
    bed.sign("SCR")
    with pytest.raises(BadInput, match="Ask for the read to be reopened"):
        bed.sign("W8")
    bed.reopen("W8")
    assert [each.id for each in bed.page("W8").values.targets] == ["T1", "T2"]


def test_reads_of_the_other_reader_are_not_touched_by_a_reopening(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.link("W8")
    for who in ("reader", "second"):
        bed.read("SCR", "30", who)
        bed.read("W8", "24", who)
    bed.reopen("SCR")
    assert bed.state("W8") is S.BASIS_CHANGED
    assert bed.state("W8", "second") is S.SIGNED


def test_the_worklist_says_what_can_be_done_now_first_and_names_nobody(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.link("W8")
    bed.read("SCR", "30")
    items = worklist(bed.person())
    assert [(each.time_point, each.state) for each in items] == [("Week 8", "open"), ("Screening", "signed")]
    assert bed.number not in str(items)
    waiting = worklist(bed.person("second"))
    assert [each.to_do for each in waiting] == [True, False]


# --- who sees what ----------------------------------------------------------------------------------------

SEES = {
    "sponsor": True, "data-manager": True, "inspector": True, "monitor": False, "imaging-qc": False,
    "trial-administrator": False, "coordinator-101": False, "investigator-101": False,
}  # fmt: skip


@pytest.mark.parametrize("who", SEES)
def test_status_is_for_the_team_and_values_for_the_roles_named(bed: ReadingBed, who: str) -> None:
    bed.link("SCR")
    bed.read("SCR", "30")
    bed.save("SCR", values("SCR", "41"), "second")
    lines = sorted(reads_of(bed.row("SCR").subject_id, bed.person(who)), key=lambda each: each.state, reverse=True)
    assert [(each.state, each.final) for each in lines] == [("signed", True), ("draft", False)]
    assert (lines[0].result is not None) is SEES[who]
    assert lines[0].hidden is not SEES[who]
    assert lines[1].result is None, "what is not signed is nobody's but its reader's"
    assert ("30" in str(lines[0].result)) is SEES[who]
    assert lines[0].reader.startswith("Reader ") is not SEES[who]


@pytest.mark.parametrize("who", ["reader", "second", "coordinator-102", "monitor-102", "adjudicator", "administrator"])
def test_readers_and_people_of_other_sites_see_no_read_of_the_subject(bed: ReadingBed, who: str) -> None:
    bed.link("SCR")
    bed.read("SCR", "30")
    assert reads_of(bed.row("SCR").subject_id, bed.person(who)) == ()


def test_one_role_that_must_not_see_outweighs_another_that_may(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.read("SCR", "30")
    by = bed.person("trial-administrator")
    site = bed.world.site_ids["102"]
    with unit_of_work(by.actor, "also a coordinator", trial_id=bed.world.trial_id) as uow:
        account_id = bed.person("sponsor").account_id
        accounts.give_role(uow, by, account_id, Role.SITE_COORDINATOR, trial_id=bed.world.trial_id, site_id=site)
    assert [each.result for each in reads_of(bed.row("SCR").subject_id, bed.person("sponsor"))] == [None, None]


def test_a_reader_whose_role_was_ended_has_no_reads(bed: ReadingBed) -> None:
    bed.link("SCR")
    assert len(worklist(bed.person())) == 1
    person = replace(bed.person(), grants=())
    assert worklist(person) == []


def test_what_a_later_time_point_needs_is_asked(bed: ReadingBed) -> None:
    bed.link("SCR")
    bed.link("W8")
    bed.read("SCR", "30")
    bed.save("W8", replace(values("W8", "24"), new=None))
    with pytest.raises(BadInput, match="new lesions"):
        bed.sign("W8")
    bed.save("W8", replace(values("W8", "24"), new=Seen.NO))
    bed.sign("W8")
    assert ReadValues() != bed.page("W8").values
