"""The same study again, more of it, at another place, or taken back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.pipeline.bed import DAY, PATIENT, Bed, FakeArchive, small_ct
from trialimg.casework import link as links
from trialimg.casework.access import study_place
from trialimg.casework.enrolment import date_visit
from trialimg.domain.submission import Fate, Stage
from trialimg.errors import BadInput
from trialimg.pipeline import claim, survey
from trialimg.pipeline.forget import FORGET_TASK
from trialimg.pipeline.reconcile import periodic
from trialimg.store.account import Task
from trialimg.store.base import db


@pytest.fixture
def several_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every slot takes several studies."""

    def several(key: str) -> claim.Claim:
        found = claim.load_claim(key)
        return replace(found, slot=replace(found.slot, several_studies=True))

    monkeypatch.setattr(survey, "load_claim", several)


def sentences(bed: Bed, key: str, level: str = "stop") -> list[str]:
    return [problem.sentence for problem in bed.summary(key).problems if problem.level == level]


def test_the_same_study_again_is_recognised_and_nothing_is_sent_twice(bed: Bed, ct: list[Path]) -> None:
    bed.link(ct)
    key = bed.survey(ct)
    assert any("sent to this slot before" in each for each in sentences(bed, key, "warn"))
    assert sentences(bed, key) == []
    bed.confirm(key)
    bed.run()
    assert bed.stage(key) is Stage.REFUSED
    assert set(bed.fates(key)) == {Fate.DUPLICATE}
    assert "in the record already" in bed.sentence(key)
    assert bed.studies()[0].instance_count == len(ct)


def test_more_instances_of_a_linked_study_join_it_and_the_whole_is_verified(
    bed: Bed, ct: list[Path], archive: FakeArchive
) -> None:
    bed.link(ct[:3])
    key = bed.survey(ct)
    fetched: list[int] = []
    archive.before_fetch = lambda: fetched.append(1)
    bed.confirm(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED
    assert bed.fates(key).count(Fate.DUPLICATE) == 3
    (study,) = bed.studies()
    assert study.instance_count == len(ct)
    assert len(fetched) >= len(ct)  # those linked before were read again


def test_a_join_is_not_linked_while_the_archive_has_lost_what_was_linked_before(
    bed: Bed, ct: list[Path], archive: FakeArchive
) -> None:
    bed.link(ct[:3])
    del archive.stored[next(iter(archive.stored))]
    key = bed.link(ct)
    assert bed.stage(key) is not Stage.LINKED
    assert "lacks 1 of the instances" in bed.sentence(key)


def test_a_study_of_another_subject_is_stopped_by_its_mark(bed: Bed, ct: list[Path]) -> None:
    bed.link(ct)
    other = bed.world.subject("101", birth_year=int(PATIENT.birth_date[:4]), sex=PATIENT.sex)
    key = bed.survey(ct, bed.slot(number=other))
    assert any(f"as subject {bed.number}" in each for each in sentences(bed, key))
    with pytest.raises(BadInput):
        bed.confirm(key)


def test_a_study_of_another_slot_is_to_be_moved_not_sent_again(bed: Bed, ct: list[Path]) -> None:
    bed.link(ct)
    key = bed.survey(ct, bed.slot("W8"))
    assert any("need not be sent again" in each for each in sentences(bed, key))


def test_a_slot_for_one_study_takes_no_second_one(bed: Bed, ct: list[Path], tmp_path: Path) -> None:
    bed.link(ct)
    key = bed.survey(small_ct(tmp_path, study_key="another"))
    assert any("has a linked study already" in each for each in sentences(bed, key))


def test_two_studies_chosen_for_a_slot_that_takes_several_become_two(
    bed: Bed, ct: list[Path], tmp_path: Path, several_studies: None
) -> None:
    key = bed.link([*ct, *small_ct(tmp_path, study_key="another")])
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    assert [study.instance_count for study in bed.studies()] == [len(ct)] * 2


def test_what_is_not_chosen_is_left_out_and_destroyed(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    largest = max(bed.summary(key).series, key=lambda series: series.instances)
    bed.confirm(key, [largest.index])
    bed.run()
    assert bed.stage(key) is Stage.LINKED
    assert bed.fates(key).count(Fate.LEFT_OUT) == len(ct) - largest.instances


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"birth_year": 1900, "sex": PATIENT.sex}, "was born in"),
        ({"birth_year": int(PATIENT.birth_date[:4]), "sex": "M" if PATIENT.sex == "F" else "F"}, "The images say that"),
    ],
)
def test_a_patient_unlike_the_subject_is_pointed_out(bed: Bed, ct: list[Path], given: dict, told: str) -> None:
    other = bed.world.subject("101", birth_year=max(given["birth_year"], 1920), sex=given["sex"])
    key = bed.survey(ct, bed.slot(number=other))
    assert any(told in each for each in sentences(bed, key, "warn"))


def test_a_study_taken_long_before_the_visit_is_pointed_out(bed: Bed, tmp_path: Path) -> None:
    key = bed.survey(small_ct(tmp_path, study_key="old", study_date="20251101"))
    assert any("121 days before the visit" in each for each in sentences(bed, key, "warn"))


def test_a_study_of_another_modality_than_the_slots_is_stopped(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct, bed.slot(slot="MR"))
    assert any("takes MR; these images are CT" in each for each in sentences(bed, key))


def withdraw(bed: Bed) -> str:
    (study,) = [each for each in bed.studies() if each.state == "linked"]
    with bed.world.acting("trial-administrator") as uow:
        links.withdraw(uow, study_place(study.study_instance_uid), "wrong subject")
    with bed.world.acting("trial-administrator") as uow:
        links.authorise_removal(uow, study.id, "as decided")
    return study.study_instance_uid


def test_a_withdrawn_study_is_forgotten_by_the_archive_and_goes_to_the_right_subject_under_other_names(
    bed: Bed, ct: list[Path]
) -> None:
    bed.link(ct)
    uid = withdraw(bed)
    bed.run()
    assert bed.services().archive.holds(uid) == frozenset()
    assert bed.studies()[0].forget_state == "done"
    other = bed.world.subject("101", birth_year=int(PATIENT.birth_date[:4]), sex=PATIENT.sex)
    place = bed.slot(number=other)
    with bed.world.acting("coordinator-101") as uow:
        date_visit(uow, place.visit_id, DAY, 0)
    key = bed.link(ct, place)
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    assert bed.studies()[-1].study_instance_uid != uid


def test_a_withdrawn_study_can_be_sent_to_the_same_subject_again_once_it_is_forgotten(
    bed: Bed, ct: list[Path]
) -> None:
    bed.link(ct)
    withdraw(bed)
    key = bed.survey(ct)
    bed.confirm(key)
    bed.run(patience=6)
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    (study,) = bed.studies()
    assert (study.state, study.instance_count, study.forget_state) == ("linked", len(ct), "")


def test_an_archive_that_cannot_forget_becomes_a_task_that_closes_when_it_is_done(
    bed: Bed, ct: list[Path], archive: FakeArchive
) -> None:
    archive.can_forget = False
    bed.link(ct)
    withdraw(bed)
    bed.run()
    db.session.rollback()
    (task,) = db.session.scalars(select(Task).where(Task.kind == FORGET_TASK)).all()
    assert task.done_at is None
    periodic()
    db.session.rollback()
    assert db.session.get_one(Task, task.id, populate_existing=True).done_at is None
    archive.stored.clear()
    periodic()
    db.session.rollback()
    assert db.session.get_one(Task, task.id, populate_existing=True).done_at is not None
    assert bed.studies()[0].forget_state == "done"



def test_a_study_withdrawn_from_several_may_be_sent_to_its_right_subject(
    bed: Bed, ct: list[Path], tmp_path: Path, several_studies: None
) -> None:
    other = small_ct(tmp_path, study_key="another")
    bed.link([*ct, *other])
    first = next(study for study in bed.studies() if study.state == "linked")
    with bed.world.acting("trial-administrator") as uow:
        links.withdraw(uow, study_place(first.study_instance_uid), "wrong subject")
    number = bed.world.subject("101")
    again = bed.survey([*ct, *other], bed.slot(number=number))
    assert len(sentences(bed, again)) == 1, "the study that stays is known; the withdrawn one is free to go"


def test_more_of_the_study_a_slot_has_may_be_chosen_out_of_two(bed: Bed, ct: list[Path], tmp_path: Path) -> None:
    bed.link(ct[:3])
    key = bed.survey([*ct, *small_ct(tmp_path, study_key="another")])
    summary = bed.summary(key)
    joining = [s.index for s in summary.series if not summary.stops(frozenset({s.index}))]
    assert joining
    bed.confirm(key, joining)
    bed.run()
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
