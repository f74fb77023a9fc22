"""The first page: work for who enters data, trials for who looks, a way on for who has neither."""

from datetime import timedelta

from tests.world import World
from trialimg.casework.access import visit_place
from trialimg.casework.enrolment import date_visit
from trialimg.store.base import utc_now


def page(world: World, name: str) -> str:
    answer = world.client(name).get("/")
    assert answer.status_code == 200
    return answer.text


def test_a_coordinator_sees_what_is_due_with_a_link_to_it(world):
    number = world.subject()
    text = page(world, "coordinator-101")
    assert f'href="/trials/DEMO/subjects/{number}/visits/SCR"' in text
    assert "Date the visit when it has taken place" in text


def test_an_overdue_visit_stands_first(world):
    number = world.subject()
    day = utc_now().date() - timedelta(days=90)
    with world.acting("coordinator-101") as uow:
        date_visit(uow, visit_place("DEMO", number, "SCR").visit_id, day, 0)
    text = page(world, "coordinator-101")
    assert text.index('data-state="overdue"') < text.index('data-state="missing"')
    assert f"/trials/DEMO/subjects/{number}/visits/SCR/slots/CT" in text


def test_another_sites_subjects_are_not_there(world):
    number = world.subject("102")
    assert number not in page(world, "coordinator-101")


def test_a_monitor_sees_trials_and_no_work(world):
    world.subject()
    text = page(world, "monitor")
    assert "All subjects (1)" in text
    assert "What to do" not in text


def test_the_administrator_is_led_to_the_administration(world):
    assert 'href="/admin"' in page(world, "administrator")


def test_a_reader_is_led_to_the_reads_and_not_told_to_ask_for_a_role(world):
    text = page(world, "reader")
    main = text.split("<main", 1)[1]
    assert 'href="/reads"' in main
    assert "Ask the trial administrator" not in main


def test_somebody_without_a_role_is_told_whom_to_ask(world):
    assert "Ask the trial administrator" in page(world, "nobody")


def test_nobody_signed_in_is_led_to_sign_in(world):
    answer = world.client().get("/")
    assert answer.status_code == 302
    assert "/sign-in" in answer.location
