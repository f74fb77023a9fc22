"""The administrators' pages, as they are used: sites, people, links, roles and their end."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests.world import PASSWORD, World, csrf_of, email_of
from trialimg.casework import accounts, setup, trail
from trialimg.casework.services import services
from trialimg.store.account import Account, AccountGrant
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db


def post(client: FlaskClient, page: str, url: str = "", **values: str) -> TestResponse:
    sent = client.get(page).get_data(as_text=True)
    return client.post(url or page, data={"csrf_token": csrf_of(sent), **values})


def link_in(answer: TestResponse) -> str:
    found = re.search(r'value="(http://127\.0\.0\.1:5000/link/[^"]+)"', answer.get_data(as_text=True))
    assert found
    return urlsplit(found[1]).path


def grant_of(world: World, name: str) -> str:
    key = world.person(name).account_id
    return db.session.scalars(select(AccountGrant.id).where(AccountGrant.account_id == key)).one()


# ----- the first day, as people do it


def test_an_administrator_starts_a_trial_whose_administrator_starts_a_site_whose_coordinator_enrols(
    world: World,
) -> None:
    answer = post(
        world.client("administrator"), "/admin", "/admin/people",
        name="Tara Admin", email="tara@trial.example", role="trial administrator", place="DEMO",
    )  # fmt: skip
    tara = world.client()
    assert post(tara, link_in(answer), password=PASSWORD, again=PASSWORD).status_code == 303
    assert post(tara, "/sign-in", email="tara@trial.example", password=PASSWORD).status_code == 303
    assert post(tara, "/trials/DEMO/sites", code="104", name="Harbour Hospital", country="no").status_code == 303
    answer = post(
        tara,
        "/trials/DEMO/people",
        name="Cora Coordinator",
        email="cora@site.example",
        role="site coordinator",
        place="104",
    )
    cora = world.client()
    assert post(cora, link_in(answer), password=PASSWORD, again=PASSWORD).status_code == 303
    assert post(cora, "/sign-in", email="cora@site.example", password=PASSWORD).status_code == 303
    assert "104" in cora.get("/trials/DEMO/enrol").get_data(as_text=True)
    assert trail.verify(services()).whole


# ----- the installation


def test_the_administration_lists_trials_and_people(world: World) -> None:
    page = world.client("administrator").get("/admin").get_data(as_text=True)
    assert "DEMO" in page
    assert "velorasib" not in page or "1.0" in page
    assert email_of("coordinator-101") in page


def test_a_trial_administrator_needs_a_trial(world: World) -> None:
    answer = post(
        world.client("administrator"), "/admin", "/admin/people",
        name="T", email="t@trial.example", role="trial administrator", place="",
    )  # fmt: skip
    assert answer.status_code == 422
    assert "Choose one" in answer.get_data(as_text=True)
    assert db.session.scalar(select(Account).where(Account.email == "t@trial.example")) is None


def test_a_role_that_is_not_offered_is_refused(world: World) -> None:
    answer = post(
        world.client("administrator"), "/admin", "/admin/people",
        name="T", email="t@trial.example", role="monitor", place="DEMO",
    )  # fmt: skip
    assert answer.status_code == 422
    assert db.session.scalar(select(Account).where(Account.email == "t@trial.example")) is None


def test_access_is_ended_and_opened_again_with_a_reason(world: World) -> None:
    client, theirs = world.client("administrator"), world.client("monitor")
    key = world.person("monitor").account_id
    page = f"/admin/people/{key}"
    assert post(client, page, f"{page}/access", reason="  ").status_code == 422
    assert theirs.get("/account").status_code == 200
    assert post(client, page, f"{page}/access", reason="left the company").status_code == 303
    assert theirs.get("/account").status_code == 302
    reason = select(AuditRecord.reason).where(AuditRecord.row_id == key, AuditRecord.column_name == "active")
    assert "left the company" in db.session.scalars(reason).all()
    assert "has ended" in client.get(page).get_data(as_text=True)
    assert post(client, page, f"{page}/access", reason="came back", active="yes").status_code == 303
    assert world.person("monitor").grants


def test_a_locked_account_is_unlocked(world: World) -> None:
    for _ in range(5):
        post(world.client(), "/sign-in", email=email_of("monitor"), password="wrong")
    client, page = world.client("administrator"), f"/admin/people/{world.person('monitor').account_id}"
    assert "Locked" in client.get(page).get_data(as_text=True)
    assert post(client, page, f"{page}/unlock").status_code == 303
    assert post(world.client(), "/sign-in", email=email_of("monitor"), password=PASSWORD).status_code == 303


def test_the_last_administrator_is_told_why_the_role_stays(world: World) -> None:
    client, page = world.client("administrator"), f"/admin/people/{world.person('administrator').account_id}"
    answer = post(client, page, f"{page}/roles/{grant_of(world, 'administrator')}/end", reason="tired")
    assert answer.status_code == 409
    assert "only administrator" in answer.get_data(as_text=True)


def test_a_person_who_does_not_exist_is_not_found(world: World) -> None:
    client = world.client("administrator")
    assert client.get("/admin/people/" + "0" * 32).status_code == 404
    for act in ("link", "unlock", "access"):
        assert post(client, "/admin", f"/admin/people/{'0' * 32}/{act}", reason="x").status_code == 404


# ----- sites


def test_a_site_is_added_closed_and_opened(world: World) -> None:
    client = world.client("trial-administrator")
    assert post(client, "/trials/DEMO/sites", code="104", name="Harbour Hospital").status_code == 303
    page = client.get("/trials/DEMO/sites").get_data(as_text=True)
    assert "Harbour Hospital" in page
    for word, active in (("no", False), ("yes", True)):
        assert (
            post(client, "/trials/DEMO/sites", "/trials/DEMO/sites/104/active", active=word, reason="x").status_code
            == 303
        )
        assert [s.active for s in setup.sites(world.trial_id) if s.code == "104"] == [active]


def test_a_site_is_not_closed_without_a_reason(world: World) -> None:
    client = world.client("trial-administrator")
    answer = post(client, "/trials/DEMO/sites", "/trials/DEMO/sites/101/active", active="no", reason="")
    assert answer.status_code == 422
    assert all(site.active for site in setup.sites(world.trial_id))


@pytest.mark.parametrize(("code", "sentence"), [("10/1", "letters, digits"), ("101", "already"), ("", "Give the site")])
def test_a_wrong_site_comes_back_with_what_was_typed_and_what_to_do(world: World, code: str, sentence: str) -> None:
    answer = post(world.client("trial-administrator"), "/trials/DEMO/sites", code=code, name="Typed Name")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert sentence in page
    assert 'value="Typed Name"' in page


# ----- people of a trial


def test_somebody_known_is_given_a_role_without_a_new_link(world: World) -> None:
    answer = post(
        world.client("trial-administrator"), "/trials/DEMO/people",
        name="X", email=email_of("monitor"), role="data manager", place="",
    )  # fmt: skip
    assert answer.status_code == 200
    assert "/link/" not in answer.get_data(as_text=True)
    assert {grant.role.value for grant in world.person("monitor").grants} == {"monitor", "data manager"}


def test_a_site_role_without_a_site_comes_back_with_the_reason(world: World) -> None:
    answer = post(
        world.client("trial-administrator"), "/trials/DEMO/people",
        name="X", email="x@site.example", role="site coordinator", place="",
    )  # fmt: skip
    assert answer.status_code == 422
    assert "always given for one site" in answer.get_data(as_text=True)
    assert db.session.scalar(select(Account).where(Account.email == "x@site.example")) is None


def test_a_one_time_link_is_shown_once_and_never_kept(world: World) -> None:
    client = world.client("trial-administrator")
    answer = post(client, "/trials/DEMO/people", name="X", email="x@site.example", role="investigator", place="101")
    shown = link_in(answer).rsplit("/", 1)[-1]
    assert "no-store" in answer.headers["Cache-Control"]
    assert shown not in client.get("/trials/DEMO/people").get_data(as_text=True)
    db.session.rollback()
    raw = services().settings.data / "trialimg.sqlite"
    assert shown.encode() not in raw.read_bytes() + raw.with_name("trialimg.sqlite-wal").read_bytes()


def test_a_role_is_ended_at_a_persons_page(world: World) -> None:
    client, key = world.client("trial-administrator"), world.person("monitor").account_id
    page = f"/trials/DEMO/people/{key}"
    assert post(client, page, f"{page}/roles/{grant_of(world, 'monitor')}/end", reason="left").status_code == 303
    assert world.person("monitor").grants == ()
    assert "Ended" in client.get(page).get_data(as_text=True)


def test_a_trial_sees_and_touches_nobody_who_does_not_work_in_it(world: World) -> None:
    client = world.client("trial-administrator")
    for name in ("nobody", "administrator"):
        page = f"/trials/DEMO/people/{world.person(name).account_id}"
        assert client.get(page).status_code == 404
        for act in ("link", "access"):
            assert post(client, "/trials/DEMO/people", f"{page}/{act}", reason="x").status_code == 404
    monitor = f"/trials/DEMO/people/{world.person('monitor').account_id}"
    other = grant_of(world, "administrator")
    assert post(client, monitor, f"{monitor}/roles/{other}/end", reason="x").status_code == 404
    assert world.person("administrator").grants


def test_the_access_of_somebody_who_works_elsewhere_too_is_not_a_trials_to_end(world: World) -> None:
    from trialimg.domain.permission import Role
    from trialimg.store.unit_of_work import Actor, unit_of_work

    key = world.person("monitor").account_id
    with unit_of_work(Actor("operator")) as uow:
        accounts.give_role(uow, accounts.OPERATOR, key, Role.ADMINISTRATOR)
    client, page = world.client("trial-administrator"), f"/trials/DEMO/people/{key}"
    answer = post(client, page, f"{page}/access", reason="x")
    assert answer.status_code == 403
    assert "also works where" in answer.get_data(as_text=True)
    assert post(client, page, f"{page}/link").status_code == 403


@pytest.mark.parametrize("typed", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}"])
def test_what_is_typed_is_never_markup(world: World, typed: str) -> None:
    client = world.client("trial-administrator")
    post(client, "/trials/DEMO/sites", code="104", name=typed)
    page = client.get("/trials/DEMO/sites").get_data(as_text=True)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "49" not in re.sub(r'"[^"]*"', "", page) or typed != "{{ 7*7 }}"


# ----- the audit trail's page


def test_the_trail_is_read_filtered_and_paged(world: World) -> None:
    number = world.subject()
    client = world.client("data-manager")
    page = client.get("/trials/DEMO/audit").get_data(as_text=True)
    assert "a test" in page
    assert "Page 1 of" in page
    filtered = client.get(f"/trials/DEMO/audit?subject={number}&table=subject").get_data(as_text=True)
    assert number in filtered
    assert "1961" in filtered
    assert client.get("/trials/DEMO/audit?page=999999").status_code == 200
    assert client.get("/trials/DEMO/audit?page=x&table=%27%3B--").status_code == 200


def test_who_may_not_see_values_reads_that_they_are_not_for_the_role(world: World) -> None:
    world.subject()
    page = world.client("trial-administrator").get("/trials/DEMO/audit?table=subject").get_data(as_text=True)
    assert "1961" not in page
    assert "not for your role" in page


def test_a_filter_with_braces_does_not_break_the_pager(world: World) -> None:
    world.subject()
    answer = world.client("data-manager").get("/trials/DEMO/audit?actor={page}{0}")
    assert answer.status_code == 200
