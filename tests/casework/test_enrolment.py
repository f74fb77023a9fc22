"""Enrolment: numbers by rule, what the trial asks, visits with their forms and slots, dates and windows."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.casework.bed import Bed, demo, lay
from trialimg.casework.enrolment import (
    date_visit,
    latest_today,
    mark_slot_not_done,
    mark_visit_not_done,
    open_unscheduled,
    undo_slot_not_done,
    undo_visit_not_done,
)
from trialimg.domain.trial import TrialDefinition
from trialimg.errors import BadInput, Conflict, Stale
from trialimg.store.base import db, new_id, utc_now
from trialimg.store.casebook import FormRecord
from trialimg.store.imaging import ImagingStudy, Slot, Submission
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import Site
from trialimg.store.unit_of_work import unit_of_work

TODAY = utc_now().date()


@pytest.fixture
def bed(context) -> Bed:
    return lay()


def acting(bed: Bed, reason: str = ""):
    return unit_of_work(bed.coordinator.actor, reason, trial_id=bed.trial_id)


def visit_of(bed: Bed, number: str, key: str) -> Visit:
    db.session.rollback()
    return db.session.get_one(Visit, bed.visit(number, key).visit_id)


def slot_of(bed: Bed, number: str, key: str = "W8") -> Slot:
    db.session.rollback()
    return db.session.scalars(select(Slot).where(Slot.visit_id == bed.visit(number, key).visit_id)).one()


def test_numbers_follow_the_trials_rule_within_each_site(bed):
    assert [bed.enrol("101"), bed.enrol("102"), bed.enrol("101")] == ["101-001", "102-001", "101-002"]


def test_a_rule_without_the_site_gives_no_number_twice(context):
    mapping = demo().to_mapping()
    mapping["trial"]["subject"]["id"] = "S{sequence:03}"
    bed = lay(TrialDefinition.from_mapping(mapping))
    assert [bed.enrol("101"), bed.enrol("102"), bed.enrol("102")] == ["S001", "S002", "S003"]


def test_a_subject_comes_with_all_scheduled_visits_their_forms_and_slots_empty(bed):
    number = bed.enrol()
    subject = db.session.scalars(select(Subject).where(Subject.number == number)).one()
    assert [v.key for v in subject.visits] == ["SCR", "W8", "W16", "EOT"]
    forms = db.session.scalars(select(FormRecord).where(FormRecord.visit_id == subject.visits[0].id)).all()
    assert {f.form_key for f in forms} == {"DM", "IE", "MH", "VS", "CM", "IMG", "RS"}
    assert {(f.state, f.revision, f.form_version) for f in forms} == {("empty", 0, "1.0")}
    slots = db.session.scalars(select(Slot).where(Slot.visit_id == subject.visits[0].id)).all()
    assert {s.key for s in slots} == {"CT", "MR"}


def test_keys_and_definition_are_fixed_for_the_subjects_life(bed):
    subject = db.session.scalars(select(Subject).where(Subject.number == bed.enrol())).one()
    assert (subject.enrolment_site, subject.key_version) == ("101", 1)
    assert subject.definition_id == subject.trial.definition_id


@pytest.mark.parametrize("year", [None, 1800, TODAY.year + 1])
def test_the_year_of_birth_is_asked_and_must_be_one(bed, year):
    with pytest.raises(BadInput, match="year of birth"):
        bed.enrol(birth_year=year)


def test_the_sex_is_asked_and_must_be_one_of_the_answers(bed):
    with pytest.raises(BadInput, match="Female"):
        bed.enrol(sex="X")


def test_what_the_trial_does_not_ask_is_not_taken(context):
    mapping = demo().to_mapping()
    mapping["trial"]["subject"].update(birth_year=False, sex=False)
    mapping["forms"] = [f | {"checks": []} if f["key"] == "DM" else f for f in mapping["forms"]]
    bed = lay(TrialDefinition.from_mapping(mapping))
    with pytest.raises(BadInput, match="does not ask for the year"):
        bed.enrol(birth_year=1960, sex=None)
    with pytest.raises(BadInput, match="does not ask for the sex"):
        bed.enrol(birth_year=None, sex="F")
    assert bed.enrol(birth_year=None, sex=None) == "101-001"


def test_a_closed_site_enrols_nobody(bed):
    with unit_of_work(bed.monitor.actor, "closed", trial_id=bed.trial_id) as uow:
        uow.session.get_one(Site, bed.site().site_id).active = False
    with pytest.raises(Conflict, match="closed"):
        bed.enrol()


def test_enrolments_at_one_moment_get_different_numbers(app):
    with app.app_context():
        bed = lay()
    numbers: list[str] = []

    def one():
        with app.app_context():
            numbers.append(bed.enrol())

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [f"101-00{n}" for n in range(1, 7)]


def test_a_date_outside_the_window_is_said_and_taken(bed):
    number = bed.enrol()
    screened = TODAY - timedelta(days=100)
    with acting(bed) as uow:
        assert date_visit(uow, visit_of(bed, number, "SCR").id, screened, 0).place == "in_window"
        late = date_visit(uow, visit_of(bed, number, "W8").id, screened + timedelta(days=66), 0)
    assert (late.place, late.days) == ("late", 3)
    assert visit_of(bed, number, "W8").date == screened + timedelta(days=66)


def test_a_date_in_the_future_is_refused(bed):
    number = bed.enrol()
    with pytest.raises(BadInput, match="future"), acting(bed) as uow:
        date_visit(uow, visit_of(bed, number, "SCR").id, latest_today(utc_now()) + timedelta(days=1), 0)


def test_a_date_somebody_set_meanwhile_is_not_overwritten(bed):
    visit = visit_of(bed, bed.enrol(), "SCR")
    with acting(bed) as uow:
        date_visit(uow, visit.id, TODAY, 0)
    with pytest.raises(Stale), acting(bed, "a typing error") as uow:
        date_visit(uow, visit.id, TODAY - timedelta(days=1), 0)


def test_changing_a_date_needs_a_reason(bed):
    visit = visit_of(bed, bed.enrol(), "SCR")
    with acting(bed) as uow:
        date_visit(uow, visit.id, TODAY, 0)
    with pytest.raises(BadInput, match="reason"), acting(bed) as uow:
        date_visit(uow, visit.id, TODAY - timedelta(days=1), 1)
    with acting(bed, "a typing error") as uow:
        date_visit(uow, visit.id, TODAY - timedelta(days=1), 1)
    assert visit_of(bed, "101-001", "SCR").revision == 2


def test_unscheduled_visits_are_counted_and_come_with_forms_and_slots(bed):
    subject = db.session.scalars(select(Subject).where(Subject.number == bed.enrol())).one()
    with acting(bed) as uow:
        assert open_unscheduled(uow, subject.id, TODAY) == "UNS-1"
        assert open_unscheduled(uow, subject.id, TODAY) == "UNS-2"
    second = visit_of(bed, subject.number, "UNS-2")
    assert (second.definition_key, second.repeat, second.date) == ("UNS", 2, TODAY)
    assert {s.key for s in db.session.scalars(select(Slot).where(Slot.visit_id == second.id))} == {"CT", "MR"}


def test_a_visit_not_done_keeps_its_reason_and_takes_no_date(bed):
    visit = visit_of(bed, bed.enrol(), "W8")
    with pytest.raises(BadInput, match="reason"), acting(bed) as uow:
        mark_visit_not_done(uow, visit.id, "  ", 0)
    with acting(bed) as uow:
        mark_visit_not_done(uow, visit.id, "moved away", 0)
    with pytest.raises(Conflict, match="not done"), acting(bed) as uow:
        date_visit(uow, visit.id, TODAY, 1)
    with acting(bed, "came back") as uow:
        undo_visit_not_done(uow, visit.id)
    assert visit_of(bed, "101-001", "W8").not_done_reason == ""


def test_a_visit_that_took_place_cannot_be_not_done(bed):
    visit = visit_of(bed, bed.enrol(), "SCR")
    with acting(bed) as uow:
        date_visit(uow, visit.id, TODAY, 0)
    with pytest.raises(Conflict, match="has a date"), acting(bed) as uow:
        mark_visit_not_done(uow, visit.id, "no", 1)


def test_a_slot_is_not_done_with_a_reason_and_back_with_another(bed):
    slot = slot_of(bed, bed.enrol())
    with acting(bed) as uow:
        mark_slot_not_done(uow, slot.id, "scanner broken")
    assert slot_of(bed, "101-001").not_done_reason == "scanner broken"
    with pytest.raises(BadInput, match="reason"), acting(bed) as uow:
        undo_slot_not_done(uow, slot.id)
    with acting(bed, "repaired in time") as uow:
        undo_slot_not_done(uow, slot.id)
    assert slot_of(bed, "101-001").not_done_reason == ""


def _linked(bed: Bed, slot: Slot) -> ImagingStudy:
    subject = slot.visit.subject
    return ImagingStudy(
        trial_id=bed.trial_id, subject_id=subject.id, slot_id=slot.id, study_instance_uid="2.25.1",
        linked_at=utc_now(), linked_by="pipeline",
    )  # fmt: skip


def test_a_slot_with_images_cannot_be_not_done(bed):
    slot = slot_of(bed, bed.enrol())
    with acting(bed) as uow:
        uow.session.add(_linked(bed, slot))
    with pytest.raises(Conflict, match="Detach"), acting(bed) as uow:
        mark_slot_not_done(uow, slot.id, "no")


def test_a_slot_with_images_under_way_cannot_be_not_done(bed):
    slot = slot_of(bed, bed.enrol())
    subject = slot.visit.subject
    with acting(bed) as uow:
        uow.session.add(
            Submission(
                id=new_id(), trial_id=bed.trial_id, site_id=subject.site_id, subject_id=subject.id, slot_id=slot.id,
                stage="held", source="web", created_at=utc_now(), created_by="c", stage_since=utc_now(),
            )
        )  # fmt: skip
    with pytest.raises(Conflict, match="Cancel them"), acting(bed) as uow:
        mark_slot_not_done(uow, slot.id, "no")
