"""Best overall response of a subject: from final reads only, reader by reader, to who may see values."""

from __future__ import annotations

import pytest

from tests.casework.reading_bed import ReadingBed, bed  # noqa: F401 (a fixture)
from trialimg.casework import reading
from trialimg.casework.best_response import Best
from trialimg.casework.read_results import subject_reads
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy
from trialimg.store.subject import Visit
from trialimg.store.unit_of_work import Actor, unit_of_work


@pytest.fixture
def linked(bed: ReadingBed) -> ReadingBed:  # noqa: F811 (the fixture)
    for visit in ("SCR", "W8", "W16"):
        bed.link(visit)
    return bed


def best(bed: ReadingBed, who: str = "Reader", by: str = "sponsor") -> Best:  # noqa: F811 (the fixture)
    found = subject_reads(bed.row("SCR").subject_id, bed.person(by)).best
    return next(each.best for each in found if each.reader == who)


def test_without_a_final_baseline_or_a_final_read_after_it_there_is_none(linked: ReadingBed) -> None:
    assert (best(linked).response, best(linked).sentence[:8]) == ("", "None yet")
    linked.read("SCR", "30")
    assert "no read after the baseline is final" in best(linked).sentence
    linked.read("W8", "20")
    assert best(linked).response
    linked.join("2.25.7.1")  # the baseline's basis changes, and with it the later read's
    assert "the read of the baseline is not final" in best(linked).sentence
    assert best(linked).response == ""


def test_a_response_counts_when_a_later_final_read_confirms_it(linked: ReadingBed) -> None:
    for visit, mm in (("SCR", "30"), ("W8", "20")):
        linked.read(visit, mm)
    assert (best(linked).response, best(linked).so_far) == ("SD", True)
    assert "PR was first seen at Week 8 and is not confirmed" in best(linked).sentence
    linked.read("W16", "20")
    assert (best(linked).response, best(linked).so_far) == ("PR", False)
    assert "28 days" in best(linked).sentence
    assert "not confirmed" not in best(linked).sentence


def test_each_reader_has_a_best_response_of_their_own(linked: ReadingBed) -> None:
    for visit, one, other in (("SCR", "30", "30"), ("W8", "20", "40")):
        linked.read(visit, one)
        linked.read(visit, other, "second")
    assert (best(linked).response, best(linked, "Second").response) == ("SD", "PD")


def test_a_void_read_counts_neither_for_nor_against(linked: ReadingBed) -> None:
    for visit, mm in (("SCR", "30"), ("W8", "20"), ("W16", "20")):
        linked.read(visit, mm)
    key, person = linked.key("W16"), linked.person("data-manager")
    with unit_of_work(person.actor, "read twice", trial_id=linked.world.trial_id) as uow:
        reading.void(uow, person, key, "read twice")
    assert (best(linked).response, best(linked).so_far) == ("SD", False)


def test_a_time_point_without_a_date_gives_no_duration_and_says_so(linked: ReadingBed) -> None:
    for visit, mm in (("SCR", "30"), ("W8", "20")):
        linked.read(visit, mm)
    with unit_of_work(Actor("operator"), "no date", trial_id=linked.world.trial_id) as uow:
        for study in uow.session.query(ImagingStudy).filter(ImagingStudy.study_instance_uid == "2.25.7.2"):
            study.acquired = None
        for visit in uow.session.query(Visit).filter(Visit.key == "W8"):
            visit.date = None
    db.session.expunge_all()
    assert best(linked).response == ""
    assert "have no date" in best(linked).sentence


@pytest.mark.parametrize(
    ("name", "sees"), [("data-manager", True), ("inspector", True), ("monitor", False), ("coordinator-101", False)]
)
def test_only_who_may_see_values_sees_it(linked: ReadingBed, name: str, sees: bool) -> None:
    linked.read("SCR", "30")
    linked.read("W8", "20")
    found = subject_reads(linked.row("SCR").subject_id, linked.person(name))
    assert bool(found.lines)
    assert bool(found.best) is sees
