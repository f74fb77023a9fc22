"""Subjects on pages: the grid, enrolment, visits with their dates; and other people's subjects, which are not there."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.world import csrf_of
from trialimg.casework.access import visit_place
from trialimg.store.base import db, utc_now
from trialimg.store.imaging import Slot
from trialimg.store.subject import Visit

TODAY = utc_now().date()
BASE = "/trials/DEMO"


def send(client, url: str, **fields: str):
    page = client.get("/account").text
    return client.post(url, data={"csrf_token": csrf_of(page), **fields})


def stored(number: str, key: str = "SCR") -> Visit:
    db.session.rollback()
    return db.session.get_one(Visit, visit_place("DEMO", number, key).visit_id)


def test_the_grid_shows_subjects_by_visits(world):
    number = world.subject()
    text = world.client("coordinator-101").get(BASE).text
    assert f"{BASE}/subjects/{number}/visits/W8" in text
    assert 'data-state="due"' in text
    assert "0 of 7 forms" in text


def test_the_grid_is_filtered_by_site(world):
    first, second = world.subject("101"), world.subject("102")
    client = world.client("monitor")
    text = client.get(f"{BASE}?site=102").text
    assert second in text
    assert first not in text
    assert client.get(f"{BASE}?site=999").status_code == 404


def test_the_grid_of_a_coordinator_holds_their_site_only(world):
    world.subject("101")
    other = world.subject("102")
    client = world.client("coordinator-101")
    assert other not in client.get(BASE).text
    assert client.get(f"{BASE}?site=102").status_code == 404


def test_a_trial_that_is_none_is_not_found(world):
    assert world.client("coordinator-101").get("/trials/NONE").status_code == 404


def test_enrolment_gives_a_number_and_leads_to_the_subject(world):
    client = world.client("coordinator-101")
    assert "Four digits" in client.get(f"{BASE}/enrol").text
    answer = send(client, f"{BASE}/enrol", site="101", birth_year="1958", sex="M")
    assert (answer.status_code, answer.location) == (303, f"{BASE}/subjects/101-001")
    assert "born 1958" in client.get(answer.location).text


@pytest.mark.parametrize("year", ["58", "nineteen", "1٩58", "2999"])
def test_a_year_that_is_none_brings_the_page_back_as_it_was(world, year):
    answer = send(world.client("coordinator-101"), f"{BASE}/enrol", site="101", birth_year=year, sex="M")
    assert answer.status_code == 422
    assert f'value="{year}"' in answer.text
    assert "checked" in answer.text


def test_nobody_enrols_at_anothers_site(world):
    client = world.client("coordinator-101")
    assert send(client, f"{BASE}/enrol", site="102", birth_year="1958", sex="M").status_code == 404
    monitor = world.client("monitor")
    assert monitor.get(f"{BASE}/enrol").status_code == 403
    assert send(monitor, f"{BASE}/enrol", site="101", birth_year="1958", sex="M").status_code == 403


@pytest.mark.parametrize("path", ["", "/visits/SCR", "/visits/SCR/forms/DM", "/visits/SCR/forms/DM/history"])
def test_another_sites_subject_is_not_found(world, path):
    number = world.subject("102")
    assert world.client("coordinator-101").get(f"{BASE}/subjects/{number}{path}").status_code == 404
    assert world.client("coordinator-102").get(f"{BASE}/subjects/{number}{path}").status_code == 200


@pytest.mark.parametrize("path", ["/unscheduled", "/visits/SCR/date", "/visits/SCR/not-done", "/visits/SCR/forms/DM"])
def test_another_sites_subject_cannot_be_written_to(world, path):
    number = world.subject("102")
    client = world.client("coordinator-101")
    assert send(client, f"{BASE}/subjects/{number}{path}", date=TODAY.isoformat(), revision="0").status_code == 404


def test_a_subject_shows_visits_forms_and_images(world):
    number = world.subject()
    text = world.client("coordinator-101").get(f"{BASE}/subjects/{number}").text
    assert f"{BASE}/subjects/{number}/visits/SCR/forms/DM" in text
    assert f"{BASE}/subjects/{number}/visits/SCR/slots/CT" in text


def test_who_sees_no_data_has_no_links_to_forms(world):
    number = world.subject()
    text = world.client("imaging-qc").get(f"{BASE}/subjects/{number}").text
    assert "born" not in text
    assert "/forms/" not in text


def test_a_visit_is_dated_and_its_place_in_the_window_said(world):
    number = world.subject()
    client = world.client("coordinator-101")
    url = f"{BASE}/subjects/{number}/visits"
    day = TODAY - timedelta(days=70)
    assert send(client, f"{url}/SCR/date", date=day.isoformat(), revision="0").status_code == 303
    late = day + timedelta(days=65)
    answer = send(client, f"{url}/W8/date", date=late.isoformat(), revision="0", back="subject")
    assert answer.location == f"{BASE}/subjects/{number}#visit-W8"
    assert "2 days after the visit&#39;s window closed" in client.get(f"{url}/W8").text
    assert stored(number, "W8").date == late


@pytest.mark.parametrize("typed", ["tomorrow", "2026-13-01", ""])
def test_a_date_that_is_none_is_refused_and_shown_again(world, typed):
    number = world.subject()
    answer = send(
        world.client("coordinator-101"), f"{BASE}/subjects/{number}/visits/SCR/date", date=typed, revision="0"
    )
    assert answer.status_code == 422
    assert f'value="{typed}"' in answer.text
    assert stored(number).date is None


def test_a_date_in_the_future_is_refused(world):
    number = world.subject()
    ahead = (TODAY + timedelta(days=3)).isoformat()
    answer = send(
        world.client("coordinator-101"), f"{BASE}/subjects/{number}/visits/SCR/date", date=ahead, revision="0"
    )
    assert answer.status_code == 422
    assert "lies in the future" in answer.text


def test_a_date_set_meanwhile_is_said_and_kept(world):
    number = world.subject()
    client = world.client("coordinator-101")
    url = f"{BASE}/subjects/{number}/visits/SCR/date"
    send(client, url, date=TODAY.isoformat(), revision="0")
    answer = send(client, url, date=(TODAY - timedelta(days=1)).isoformat(), revision="0", reason="typing error")
    assert answer.status_code == 409
    assert stored(number).date == TODAY


def test_changing_a_date_asks_for_a_reason(world):
    number = world.subject()
    client = world.client("coordinator-101")
    url = f"{BASE}/subjects/{number}/visits/SCR/date"
    send(client, url, date=TODAY.isoformat(), revision="0")
    day = (TODAY - timedelta(days=1)).isoformat()
    assert "needs a reason" in send(client, url, date=day, revision="1").text
    assert send(client, url, date=day, revision="1", reason="typing error").status_code == 303


def test_an_unscheduled_visit_is_opened(world):
    number = world.subject()
    client = world.client("coordinator-101")
    answer = send(client, f"{BASE}/subjects/{number}/unscheduled", date=TODAY.isoformat(), visit="UNS")
    assert answer.location == f"{BASE}/subjects/{number}/visits/UNS-1"
    assert "Unscheduled visit 1" in client.get(answer.location).text
    assert "Unscheduled visit 1" in client.get(BASE).text


def test_a_visit_is_not_done_and_back(world):
    number = world.subject()
    client = world.client("coordinator-101")
    url = f"{BASE}/subjects/{number}/visits/W8"
    assert send(client, f"{url}/not-done", revision="0", reason="").status_code == 422
    assert send(client, f"{url}/not-done", revision="0", reason="moved away").status_code == 303
    assert "moved away" in client.get(url).text
    assert send(client, f"{url}/not-done", undo="1", reason="came back").status_code == 303
    assert stored(number, "W8").not_done_reason == ""


def test_a_slot_is_not_done_and_back(world):
    number = world.subject()
    client = world.client("coordinator-101")
    url = f"{BASE}/subjects/{number}/visits/SCR"
    assert send(client, f"{url}/slots/MR/not-done", reason="pacemaker").status_code == 303
    assert "pacemaker" in client.get(url).text
    assert send(client, f"{url}/slots/MR/not-done", undo="1", reason="it was safe").status_code == 303
    db.session.rollback()
    slots = db.session.scalars(select(Slot).where(Slot.visit_id == stored(number).id))
    assert {slot.not_done_reason for slot in slots} == {""}


def test_who_only_looks_changes_nothing(world):
    number = world.subject()
    client = world.client("monitor")
    text = client.get(f"{BASE}/subjects/{number}/visits/SCR").text
    assert "Set the date" not in text
    answer = send(client, f"{BASE}/subjects/{number}/visits/SCR/date", date=TODAY.isoformat(), revision="0")
    assert answer.status_code == 403
    assert stored(number).date is None


def test_a_post_without_the_pages_token_is_refused(world):
    number = world.subject()
    answer = world.client("coordinator-101").post(
        f"{BASE}/subjects/{number}/visits/SCR/date", data={"date": TODAY.isoformat(), "revision": "0"}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize(("page", "action"), [("", "/not-done"), ("", "/slots/CT/not-done"), ("/slots/CT", "/slots/CT/not-done")])
def test_a_form_of_the_page_that_gives_a_reason_is_taken_as_it_stands(world, page, action):
    client = world.client("coordinator-101")
    visit = f"{BASE}/subjects/{world.subject()}/visits/W8"
    form = re.search(rf'<form method="post" action="{visit}{action}".*?</form>', client.get(visit + page).text, re.DOTALL)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[0]))
    assert fields["csrf_token"]
    assert client.post(visit + action, data={**fields, "reason": "moved away"}).status_code == 303
    assert "moved away" in client.get(visit + page).text
