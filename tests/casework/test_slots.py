from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.pipeline.bed import Bed
from tests.web.imaging_bed import bed, ct, ct_folder
from trialimg.casework import slots
from trialimg.casework.enrolment import mark_slot_not_done
from trialimg.casework.imaging_list import imaging_lines, open_slots
from trialimg.casework.slots import slot_page, slot_states
from trialimg.store.base import db

__all__ = ["bed", "ct", "ct_folder"]


def state(bed: Bed, visit: str = "SCR", slot: str = "CT") -> slots.SlotState:
    place = bed.slot(visit, slot)
    db.session.rollback()
    return slot_states([place.subject_id])[place.visit_id][slot]


@pytest.mark.parametrize(
    ("today", "expected"),
    [(date(2026, 3, 2), "due"), (date(2026, 3, 9), "due"), (date(2026, 3, 10), "missing")],
)
def test_a_dated_visit_waits_for_its_images_through_the_window(
    bed: Bed, monkeypatch: pytest.MonkeyPatch, today: date, expected: str
) -> None:
    from datetime import UTC, datetime

    monkeypatch.setattr(slots, "utc_now", lambda: datetime(today.year, today.month, today.day, tzinfo=UTC))
    assert state(bed).state == expected


def test_a_slot_tells_the_stage_of_what_is_under_way(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    found = state(bed)
    assert (found.state, found.submission_id) == ("surveyed", key)
    bed.confirm(key)
    bed.run()
    found = state(bed)
    assert (found.state, found.studies[0].instances) == ("linked", len(ct))


def test_a_refused_submission_shows_until_another_succeeds(bed: Bed, ct: list[Path]) -> None:
    bed.survey([("note.txt", b"no image")])
    assert state(bed).state == "refused"
    bed.link(ct)
    assert state(bed).state == "linked"


def test_a_slot_not_done_says_why_and_takes_nothing(bed: Bed) -> None:
    place = bed.slot()
    with bed.world.acting("coordinator-101", "The scanner was broken.") as uow:
        mark_slot_not_done(uow, place.slot_id, "The scanner was broken.")
    assert state(bed).state == "not_done"
    page = slot_page(place, bed.world.person("coordinator-101"))
    assert (page.not_done_reason, page.may_attach) == ("The scanner was broken.", False)


def test_the_page_of_a_slot_says_what_is_expected(bed: Bed) -> None:
    page = slot_page(bed.slot(), bed.world.person("coordinator-101"))
    assert (page.modalities, page.window, page.min_instances) == (("CT",), (7, 7), 20)
    assert (page.deidentify_at, page.held_days, page.may_attach) == ("server", 14, True)
    assert not slot_page(bed.slot(), bed.world.person("monitor")).may_attach


def test_open_slots_come_soonest_first_and_within_reach(bed: Bed) -> None:
    found = open_slots(bed.world.person("coordinator-101"))
    days = [slot.due or date.max for slot in found]
    assert days == sorted(days)
    assert open_slots(bed.world.person("coordinator-102")) == []


def test_lines_of_a_withdrawn_study_tell_no_identifier(bed: Bed, ct: list[Path]) -> None:
    from trialimg.casework.access import study_place
    from trialimg.casework.link import withdraw

    bed.link(ct)
    uid = bed.studies()[0].study_instance_uid
    person = bed.world.person("coordinator-101")
    assert [line.study_instance_uid for line in imaging_lines(person)] == [uid]
    with bed.world.acting("data-manager", "x") as uow:
        withdraw(uow, study_place(uid), "Another person.")
    db.session.rollback()
    assert [line.study_instance_uid for line in imaging_lines(person)] == [""]
