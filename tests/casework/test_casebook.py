"""Grids: how subjects, visits, forms and slots stand, for whom, and at what cost."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from tests.casework.bed import Bed, lay
from trialimg.casework.access import Person
from trialimg.casework.casebook import PAGE_SIZE, subject_casebook, subject_grid
from trialimg.casework.data_entry import Posted, save_form
from trialimg.casework.enrolment import date_visit, enrol, mark_slot_not_done, mark_visit_not_done, open_unscheduled
from trialimg.casework.form_history import form_history
from trialimg.casework.form_page import form_page
from trialimg.casework.worklist import my_work
from trialimg.domain.permission import Grant, Role
from trialimg.errors import NotFound
from trialimg.store.base import Base, db, utc_now
from trialimg.store.imaging import ImagingStudy, Slot
from trialimg.store.unit_of_work import unit_of_work

TODAY = utc_now().date()


@contextmanager
def counted() -> Iterator[list[str]]:
    """Count the statements sent to the data base."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        sent.append(statement)

    db.session.rollback()
    db.session.expunge_all()
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture
def bed(context) -> Bed:
    return lay()


def enrol_many(bed: Bed, count: int) -> None:
    site = bed.site()
    with unit_of_work(bed.coordinator.actor, trial_id=bed.trial_id) as uow:
        for _ in range(count):
            enrol(uow, site, birth_year=1960, sex="F")


def acting(bed: Bed, reason: str = ""):
    return unit_of_work(bed.coordinator.actor, reason, trial_id=bed.trial_id)


def stir(bed: Bed) -> None:
    """Let the trail have a new head: nothing that was worked out before is kept."""
    with acting(bed) as uow:
        uow.note("looked", "trial", bed.trial_id)
    db.session.rollback()


def screened(bed: Bed, days_ago: int) -> str:
    number = bed.enrol()
    with acting(bed) as uow:
        date_visit(uow, bed.visit(number).visit_id, TODAY - timedelta(days=days_ago), 0)
    return number


def card(bed: Bed, number: str):
    db.session.rollback()
    return subject_casebook(bed.visit(number), bed.coordinator)


def states(bed: Bed, number: str) -> dict[str, str]:
    return {visit.key: visit.state for visit in card(bed, number).visits}


def test_before_the_anchor_is_dated_only_the_anchor_is_due(bed):
    assert states(bed, bed.enrol()) == {"SCR": "due", "W8": "upcoming", "W16": "upcoming", "EOT": "upcoming"}


def test_a_visit_is_due_before_its_window_and_overdue_after_it(bed):
    assert states(bed, screened(bed, 40))["W8"] == "due"  # 16 days to go, window opens in 9
    assert states(bed, screened(bed, 63))["W8"] == "due"  # the window's last day
    assert states(bed, screened(bed, 64))["W8"] == "overdue"
    assert states(bed, screened(bed, 20))["W8"] == "upcoming"


def test_a_visit_not_done_is_neither_due_nor_overdue(bed):
    number = screened(bed, 100)
    with acting(bed) as uow:
        mark_visit_not_done(uow, bed.visit(number, "W8").visit_id, "moved", 0)
    assert states(bed, number)["W8"] == "not_done"
    assert card(bed, number).visit("W8").overdue_days == 0


def test_a_visit_counts_its_forms_and_open_checks(bed):
    number = screened(bed, 1)
    with acting(bed) as uow:
        save_form(
            uow, bed.visit(number), "VS", Posted(0, {"VS": {"": {"VSPERF": "N", "VSREASND": "refused"}}}), complete=True
        )
        values = {"DM": {"": {"BRTHYR": "1950", "SEX": "M"}}}
        save_form(uow, bed.visit(number), "DM", Posted(0, values))
    visit = card(bed, number).visit("SCR")
    assert {f.key: f.state for f in visit.forms if f.state != "empty"} == {"VS": "complete", "DM": "open_checks"}
    assert (visit.complete_forms, visit.open_checks, visit.state) == (1, 2, "in_progress")
    assert [f.key for f in visit.forms] == ["DM", "IE", "MH", "VS", "CM", "IMG", "RS"]


def test_an_optional_slot_is_not_missed_and_a_required_one_is(bed):
    visit = card(bed, screened(bed, 30)).visit("SCR")
    assert {slot.key: slot.state for slot in visit.slots} == {"CT": "missing", "MR": "optional"}


def test_a_slot_tells_of_its_images(bed):
    number = screened(bed, 30)
    place = bed.visit(number)
    with acting(bed) as uow:
        slot = uow.session.scalars(select(Slot).where(Slot.visit_id == place.visit_id, Slot.key == "CT")).one()
        uow.session.add(
            ImagingStudy(
                trial_id=bed.trial_id, subject_id=place.subject_id, slot_id=slot.id, study_instance_uid="2.25.1",
                instance_count=200, held_count=2, linked_at=utc_now(), linked_by="pipeline",
            )
        )  # fmt: skip
    slot_card = card(bed, number).visit("SCR").slots[0]
    assert (slot_card.state, slot_card.images, slot_card.held) == ("linked_held", 200, 2)


def test_a_slot_not_done_says_so(bed):
    number = screened(bed, 30)
    place = bed.visit(number)
    with acting(bed) as uow:
        slot = uow.session.scalars(select(Slot).where(Slot.visit_id == place.visit_id, Slot.key == "CT")).one()
        mark_slot_not_done(uow, slot.id, "claustrophobia")
    assert card(bed, number).visit("SCR").slots[0].state == "not_done"


def test_unscheduled_visits_follow_the_scheduled_ones(bed):
    number = bed.enrol()
    with acting(bed) as uow:
        open_unscheduled(uow, bed.visit(number).subject_id, TODAY)
    visits = card(bed, number).visits
    assert [v.key for v in visits][-1] == "UNS-1"
    assert visits[-1].title == "Unscheduled visit 1"


def test_what_was_told_at_enrolment_is_for_those_who_see_data(bed):
    number = bed.enrol()
    assert (card(bed, number).birth_year, card(bed, number).sex) == (1960, "F")
    technologist = Person("q", "q@example.org", "q", (Grant(Role.IMAGING_QC, bed.trial_id),))
    blind = subject_casebook(bed.visit(number), technologist)
    assert (blind.birth_year, blind.sex) == (None, "")


def test_a_grid_shows_a_person_their_own_sites_only(bed):
    bed.enrol("101")
    bed.enrol("102")
    assert [s.number for s in subject_grid(bed.coordinator, bed.code).subjects] == ["101-001"]
    assert [s.number for s in subject_grid(bed.monitor, bed.code).subjects] == ["101-001", "102-001"]
    assert [s.number for s in subject_grid(bed.monitor, bed.code, site="102").subjects] == ["102-001"]


def test_a_site_or_trial_out_of_reach_is_not_found(bed):
    with pytest.raises(NotFound):
        subject_grid(bed.coordinator, bed.code, site="102")
    with pytest.raises(NotFound):
        subject_grid(bed.coordinator, "OTHER")


def test_only_who_may_enrol_is_offered_it(bed):
    assert subject_grid(bed.coordinator, bed.code).enrolling_sites == ("101",)
    assert subject_grid(bed.monitor, bed.code).enrolling_sites == ()


def test_a_grid_is_shown_in_pages(bed):
    enrol_many(bed, PAGE_SIZE + 3)
    last = subject_grid(bed.coordinator, bed.code, page=99)
    assert (last.page, last.pages, last.total, len(last.subjects)) == (2, 2, PAGE_SIZE + 3, 3)


def test_a_subject_is_found_by_a_part_of_the_number(bed):
    bed.enrol("101")
    bed.enrol("101")
    bed.enrol("102")
    found = [subject_grid(bed.monitor, bed.code, find=part) for part in ("101-", " 02-001 ", "%", "1_2", "none")]
    assert [[line.number for line in each.subjects] for each in found] == [
        ["101-001", "101-002"], ["102-001"], [], [], [],
    ]  # fmt: skip
    assert [each.total for each in found] == [2, 1, 0, 0, 0]
    assert subject_grid(bed.coordinator, bed.code, find="102").subjects == ()


def _parts(value: object) -> Iterator[object]:
    yield value
    if dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from _parts(getattr(value, each.name))
    elif isinstance(value, Mapping):
        for pair in value.items():
            yield from _parts(pair)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _parts(each)


def test_a_grid_and_a_casebook_say_the_same_of_every_visit(bed):
    number = screened(bed, 70)
    with acting(bed) as uow:
        save_form(uow, bed.visit(number), "DM", Posted(0, {"DM": {"": {"BRTHYR": "1950"}}}))
        mark_visit_not_done(uow, bed.visit(number, "W16").visit_id, "moved", 0)
        open_unscheduled(uow, bed.visit(number).subject_id, TODAY - timedelta(days=5))
    whole = card(bed, number).visits
    (line,) = subject_grid(bed.coordinator, bed.code).subjects
    assert [
        (v.key, v.title, v.state, v.date, v.expected.due, v.overdue_days, len(v.forms), v.complete_forms,
         bool(v.open_checks), [(s.key, s.title, s.state, s.sentence, s.submission_id) for s in v.slots])
        for v in whole
    ] == [
        (v.key, v.title, v.state, v.day, v.due, v.overdue_days, v.all_forms, v.complete_forms, v.open_checks,
         [tuple(slot) for slot in v.slots])
        for v in line.visits
    ]  # fmt: skip
    assert {v.state for v in line.visits} >= {"in_progress", "overdue", "not_done"}


def test_pages_are_given_frozen_values_and_never_rows(bed):
    number = screened(bed, 30)
    with acting(bed) as uow:
        save_form(uow, bed.visit(number), "DM", Posted(0, {"DM": {"": {"BRTHYR": "1950"}}}))
    db.session.rollback()
    given = [
        subject_grid(bed.coordinator, bed.code),
        subject_casebook(bed.visit(number), bed.coordinator),
        form_page(bed.visit(number), "DM", bed.coordinator),
        form_history(bed.visit(number), "DM"),
        my_work(bed.coordinator),
    ]
    for part in _parts(given):
        assert not isinstance(part, Base)
        if dataclasses.is_dataclass(part):
            assert part.__dataclass_params__.frozen, type(part)


def test_a_full_grid_costs_no_more_queries_than_one_subject(bed):
    bed.enrol()
    subject_grid(bed.coordinator, bed.code)  # the definition is read once
    stir(bed)
    with counted() as one:
        subject_grid(bed.coordinator, bed.code)
    enrol_many(bed, PAGE_SIZE - 1)
    with counted() as many:
        assert len(subject_grid(bed.coordinator, bed.code).subjects) == PAGE_SIZE
    assert len(many) == len(one)
    assert 6 < len(one) <= 12
