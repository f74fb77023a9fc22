"""Several people at one moment, on both engines: no number twice, no value overwritten unseen."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests import peers
from tests.casework.bed import Bed, lay
from tests.conftest import make_keys, make_settings, migrated_now
from trialimg.casework.access import visit_place
from trialimg.casework.data_entry import Posted, save_form
from trialimg.casework.enrolment import date_visit, open_unscheduled
from trialimg.casework.form_page import form_page
from trialimg.errors import Stale
from trialimg.store.base import db, utc_now
from trialimg.store.unit_of_work import unit_of_work

AT_ONCE = 5
TODAY = utc_now().date()


@pytest.fixture
def on_postgresql(tmp_path: Path) -> Iterator[Flask]:
    peers.require(peers.missing_postgresql())
    with peers.postgresql(tmp_path / "postgresql") as peer:
        settings = make_settings(tmp_path / "pg", database_url=peer.url)
        make_keys(settings)
        with migrated_now(settings) as app:
            yield app


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def house(request: pytest.FixtureRequest) -> Flask:
    return request.getfixturevalue("context" if request.param == "sqlite" else "on_postgresql")


@pytest.fixture
def bed(house: Flask) -> Bed:
    return lay()


def at_once(house: Flask, act: Callable[[int], str]) -> list[str]:
    """Let several threads begin an act together, and give how each ended."""
    ends: list[str] = []
    start = threading.Barrier(AT_ONCE)

    def one(number: int) -> None:
        with house.app_context():
            start.wait()
            try:
                ends.append(act(number))
            except Stale:
                ends.append("stale")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    return sorted(ends)


def test_no_subject_number_is_given_twice(house, bed):
    assert at_once(house, lambda _: bed.enrol()) == [f"101-{n:03}" for n in range(1, AT_ONCE + 1)]


def test_no_unscheduled_visit_is_numbered_twice(house, bed):
    subject = bed.visit(bed.enrol()).subject_id

    def act(_number: int) -> str:
        with unit_of_work(bed.coordinator.actor, trial_id=bed.trial_id) as uow:
            return open_unscheduled(uow, subject, TODAY)

    assert at_once(house, act) == [f"UNS-{n}" for n in range(1, AT_ONCE + 1)]


def test_of_several_saves_of_one_page_one_counts_and_the_others_are_told(house, bed):
    number = bed.enrol()

    def act(turn: int) -> str:
        posted = Posted(0, {"VS": {"": {"VSPERF": "N", "VSREASND": f"reason {turn}"}}})
        with unit_of_work(bed.coordinator.actor, trial_id=bed.trial_id) as uow:
            save_form(uow, visit_place("DEMO", number, "SCR"), "VS", posted)
        return f"reason {turn}"

    saved, *others = at_once(house, act)
    assert others == ["stale"] * (AT_ONCE - 1)
    page = form_page(visit_place("DEMO", number, "SCR"), "VS", bed.coordinator)
    assert (page.revision, page.values["VS"][""]["VSREASND"]) == (1, saved)


def test_of_several_dates_of_one_visit_one_counts(house, bed):
    visit = bed.visit(bed.enrol()).visit_id

    def act(turn: int) -> str:
        with unit_of_work(bed.coordinator.actor, trial_id=bed.trial_id) as uow:
            date_visit(uow, visit, TODAY.replace(year=TODAY.year - 1 - turn, day=1), 0)
        return "dated"

    assert at_once(house, act) == ["dated"] + ["stale"] * (AT_ONCE - 1)


def test_forms_of_one_subject_saved_together_check_each_other(house, bed):
    number = bed.enrol()
    forms = [
        ("DM", {"CONSENT": {"": {"RFICDAT": "2026-01-20"}}}),
        ("VS", {"VS": {"": {"VSPERF": "Y", "VSDAT": "2026-01-06"}}}),
        ("IE", {"IE": {"": {"IEDAT": "2026-01-06"}}}),
        ("CM", {}),
        ("MH", {}),
    ]

    def act(turn: int) -> str:
        form, values = forms[turn]
        with unit_of_work(bed.coordinator.actor, trial_id=bed.trial_id) as uow:
            save_form(uow, visit_place("DEMO", number, "SCR"), form, Posted(0, values))
        return form

    assert len(at_once(house, act)) == len(forms)
    place = visit_place("DEMO", number, "SCR")
    assert {form: form_page(place, form, bed.coordinator).state for form in ("VS", "IE")} == {
        "VS": "open_checks",
        "IE": "open_checks",
    }
