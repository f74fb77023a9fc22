"""My work: what is listed, in which order, for whom, and at what cost."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.casework.bed import Bed, lay
from tests.casework.test_casebook import acting, counted, enrol_many, screened, stir
from trialimg.casework import worklist
from trialimg.casework.data_entry import Posted, save_form
from trialimg.casework.enrolment import mark_visit_not_done
from trialimg.casework.worklist import my_work
from trialimg.store.base import db, new_id, utc_now
from trialimg.store.imaging import Slot, Submission


@pytest.fixture
def bed(context) -> Bed:
    return lay()


def work(bed: Bed, person=None):
    db.session.rollback()
    return my_work(person or bed.coordinator)


def submit(bed: Bed, number: str, visit: str, stage: str) -> None:
    place = bed.visit(number, visit)
    with acting(bed) as uow:
        slot = uow.session.scalars(select(Slot).where(Slot.visit_id == place.visit_id, Slot.key == "CT")).one()
        uow.session.add(
            Submission(
                id=new_id(), trial_id=bed.trial_id, site_id=place.site_id, subject_id=place.subject_id,
                slot_id=slot.id, stage=stage, source="web", sentence="A person must look.", created_at=utc_now(),
                created_by="c", stage_since=utc_now(),
            )
        )  # fmt: skip


def test_overdue_comes_first_then_held_images_then_open_checks(bed):
    number = screened(bed, 100)
    submit(bed, number, "SCR", "held")
    with acting(bed) as uow:
        save_form(uow, bed.visit(number), "DM", Posted(0, {"DM": {"": {"BRTHYR": "1950"}}}))
    found = [(item.state, item.visit, item.form or item.slot) for item in work(bed).items]
    assert found[:3] == [("overdue", "W8", ""), ("held", "SCR", "CT"), ("open_checks", "SCR", "DM")]


def test_an_overdue_visit_says_since_when_and_what_to_do(bed):
    screened(bed, 64)
    first = work(bed).items[0]
    assert first.sentence == "Its window closed 1 day ago. Date the visit, or say that it was not done."


def test_images_that_were_not_sent_after_the_visit_are_missing(bed):
    screened(bed, 30)
    assert ("missing", "CT") in [(item.state, item.slot) for item in work(bed).items]


def test_an_optional_slot_is_no_work(bed):
    screened(bed, 30)
    assert "MR" not in {item.slot for item in work(bed).items}


def test_images_to_be_confirmed_lead_to_their_submission(bed):
    number = screened(bed, 2)
    submit(bed, number, "SCR", "surveyed")
    (item,) = [item for item in work(bed).items if item.state == "surveyed"]
    assert len(item.submission_id) == 32


def test_a_visit_not_done_asks_for_nothing(bed):
    number = screened(bed, 100)
    with acting(bed) as uow:
        mark_visit_not_done(uow, bed.visit(number, "W8").visit_id, "moved", 0)
    assert "W8" not in {item.visit for item in work(bed).items}


def test_empty_forms_of_a_dated_visit_are_one_line(bed):
    screened(bed, 1)
    lines = [item.sentence for item in work(bed).items if item.sentence.startswith("Still empty")]
    assert len(lines) == 1
    assert "Demographics" in lines[0]


def test_the_work_of_another_site_is_not_mine(bed):
    bed.enrol("102")
    assert {item.subject for item in work(bed).items} == set()
    assert [line.subjects for line in work(bed).trials] == [0]


def test_who_enters_no_data_has_trials_and_no_work(bed):
    bed.enrol("101")
    bed.enrol("102")
    seen = work(bed, bed.monitor)
    assert seen.items == ()
    assert [(line.code, line.subjects, line.may_enrol) for line in seen.trials] == [("DEMO", 2, False)]


def test_my_subjects_tell_their_next_visit(bed):
    number = screened(bed, 10)
    (line,) = work(bed).subjects
    assert (line.number, line.next_visit, line.next_state) == (number, "Week 8", "upcoming")
    assert line.next_due == utc_now().date() + timedelta(days=46)


def test_fifty_subjects_cost_no_more_queries_than_one(bed):
    bed.enrol()
    work(bed)
    stir(bed)
    with counted() as one:
        my_work(bed.coordinator)
    enrol_many(bed, 49)
    with counted() as fifty:
        assert len(my_work(bed.coordinator).subjects) == 50
    assert len(fifty) == len(one)
    assert 6 < len(one) <= 12


def test_somebody_without_any_role_sees_nothing(bed):
    bed.enrol()
    stranger = type(bed.coordinator)("x", "x@example.org", "x", ())
    seen = work(bed, stranger)
    assert (seen.items, seen.trials, seen.subjects) == ((), (), ())


def test_the_list_is_shown_in_pages_and_says_how_much_there_is(bed, monkeypatch):
    monkeypatch.setattr(worklist, "TASKS_A_PAGE", 3)
    enrol_many(bed, 5)
    first, last, beyond = (my_work(bed.coordinator, page=page) for page in (1, 2, 99))
    assert [(len(seen.items), seen.page, seen.pages, seen.total) for seen in (first, last)] == [
        (3, 1, 2, 5), (2, 2, 2, 5),
    ]  # fmt: skip
    assert beyond == last
    assert [item.subject for item in first.items + last.items] == [f"101-00{n}" for n in range(1, 6)]
    assert dict(first.counts) == dict(last.counts) == {"due": 5}
