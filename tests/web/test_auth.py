"""Signing in and out, one-time links, the own account, and what a session is worth."""

from __future__ import annotations

import time
from datetime import timedelta
from urllib.parse import urlsplit

import itsdangerous.timed
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from tests.world import PASSWORD, World, csrf_of, email_of
from trialimg.casework import accounts, password, session, token
from trialimg.casework.services import services
from trialimg.store.account import AccessToken, Account, AccountSession
from trialimg.store.audit import AuditRecord, AuditValue
from trialimg.store.base import db, utc_now
from trialimg.store.unit_of_work import Actor, unit_of_work
from trialimg.web.session import own_path


def post(client: FlaskClient, page: str, url: str, **values: str) -> TestResponse:
    """Post as a browser does: with the token of the page it was looking at."""
    sent = client.get(page).get_data(as_text=True)
    return client.post(url, data={"csrf_token": csrf_of(sent), **values})


def sign_in(client: FlaskClient, name: str, secret: str = PASSWORD, onward: str = "") -> TestResponse:
    url = "/sign-in" + (f"?next={onward}" if onward else "")
    return post(client, url, url, email=email_of(name), password=secret)


def set_rows(statement: object) -> None:
    """Let time pass for rows."""
    with unit_of_work(Actor("clock"), "time passes") as uow:
        uow.session.execute(statement, execution_options={"unaudited": "a test"})


def link_for(world: World, name: str) -> str:
    person = world.person(name)
    with unit_of_work(Actor("operator"), "a link") as uow:
        return password.one_time_link(uow, services(), accounts.OPERATOR, person.account_id)


# ----- signing in


def test_signing_in_opens_a_session_and_leads_on(world: World) -> None:
    client = world.client()
    answer = sign_in(client, "monitor", onward="/account")
    assert (answer.status_code, answer.location) == (303, "/account")
    page = client.get("/account")
    assert page.status_code == 200
    assert email_of("monitor") in page.get_data(as_text=True)


def test_the_email_address_is_taken_in_any_case_and_with_blanks(world: World) -> None:
    answer = post(world.client(), "/sign-in", "/sign-in", email=" Monitor@Trial.Example ", password=PASSWORD)
    assert answer.status_code == 303


def test_every_refusal_of_a_sign_in_reads_the_same(world: World) -> None:
    with world.acting("administrator") as uow:
        accounts.end_access(uow, world.person("administrator"), world.person("sponsor").account_id)

    def said(name: str, secret: str) -> str:
        answer = sign_in(world.client(), name, secret)
        assert answer.status_code == 422
        text = answer.get_data(as_text=True)
        assert secret not in text
        return text[text.index("data-error-summary") :].split("</div>", 1)[0]

    sentences = {said("monitor", "wrong-password-77"), said("stranger", "wrong-password-77"), said("sponsor", PASSWORD)}
    assert len(sentences) == 1


def test_a_wrong_password_leaves_a_record_and_what_was_typed_none(world: World) -> None:
    sign_in(world.client(), "monitor", "my-typed-secret-44")
    sign_in(world.client(), "typed-by-mistake-secret", "x")
    actions = db.session.scalars(select(AuditRecord.action).where(AuditRecord.action == "sign-in refused")).all()
    assert len(actions) == 1
    everything = [str(row) for row in db.session.execute(select(AuditRecord.actor, AuditRecord.reason)).all()]
    everything += [str(row) for row in db.session.execute(select(AuditValue.old, AuditValue.new)).all()]
    assert not any("secret-44" in row or "typed-by-mistake" in row for row in everything)


def test_after_five_failures_in_a_row_the_right_password_is_refused_too(world: World) -> None:
    for _ in range(5):
        assert sign_in(world.client(), "monitor", "wrong").status_code == 422
    assert sign_in(world.client(), "monitor").status_code == 422
    set_rows(update(Account).where(Account.email == email_of("monitor")).values(locked_until=utc_now()))
    assert sign_in(world.client(), "monitor").status_code == 303


def test_a_success_ends_the_row_of_failures(world: World) -> None:
    for _ in range(2):
        for _ in range(4):
            sign_in(world.client(), "monitor", "wrong")
        assert sign_in(world.client(), "monitor").status_code == 303


def test_one_persons_lock_locks_nobody_else(world: World) -> None:
    for _ in range(6):
        sign_in(world.client(), "monitor", "wrong")
    assert sign_in(world.client(), "sponsor").status_code == 303


def test_a_person_without_a_password_cannot_sign_in_with_none(world: World) -> None:
    by = accounts.OPERATOR
    with unit_of_work(Actor("operator"), "invite") as uow:
        accounts.invite(uow, by, email=email_of("fresh"), name="Fresh")
    for secret in (" ", "None", "x"):
        assert sign_in(world.client(), "fresh", secret).status_code == 422


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
        "/%5Cevil.example/..//x\t", "http:evil.example", "/\tevil", "/sign-in?next=/x", "///evil.example", "evil",
    ],
)  # fmt: skip
def test_signing_in_never_leads_to_another_origin(world: World, elsewhere: str) -> None:
    client = world.client()
    page = client.get("/sign-in", query_string={"next": elsewhere}).get_data(as_text=True)
    answer = client.post(
        "/sign-in",
        query_string={"next": elsewhere},
        data={"csrf_token": csrf_of(page), "email": email_of("monitor"), "password": PASSWORD},
    )
    assert answer.status_code == 303
    there = urlsplit(answer.location)
    assert not there.netloc
    assert not there.scheme
    assert there.path.startswith("/")
    assert "\\" not in answer.location
    assert not answer.location.startswith("//")


@pytest.mark.parametrize(
    "path", ["/", "/studies/2.25.1", "/trials/DEMO/subjects/101-001?x=1#y", "/viewer/viewer?StudyInstanceUIDs=2.25.7"]
)
def test_a_path_of_our_own_is_kept(path: str) -> None:
    assert own_path(path) == path


def test_a_page_asked_for_without_a_session_leads_to_sign_in_and_then_there(world: World) -> None:
    client = world.client()
    answer = client.get("/account?x=1")
    assert answer.status_code == 302
    assert answer.location == "/sign-in?next=/account?x%3D1"
    assert sign_in(client, "monitor", onward="/account?x%3D1").location == "/account?x=1"


def test_somebody_signed_in_is_led_on_at_once(world: World) -> None:
    answer = world.client("monitor").get("/sign-in?next=/account")
    assert (answer.status_code, answer.location) == (302, "/account")


# ----- sessions


def test_a_session_given_before_signing_in_is_worthless_after(world: World) -> None:
    client = world.client()
    client.get("/sign-in")
    with client.session_transaction() as cookie:
        before = dict(cookie)
        cookie["session"] = "planted-by-somebody"
    sign_in(client, "monitor")
    with client.session_transaction() as cookie:
        assert cookie["session"] != "planted-by-somebody"
        assert cookie.get("csrf_token") != before.get("csrf_token")
    assert session.person_of_session(services(), "planted-by-somebody") is None


def test_signing_out_ends_the_session_on_the_server_too(world: World) -> None:
    client = world.client("monitor")
    with client.session_transaction() as cookie:
        kept = cookie["session"]
    assert post(client, "/account", "/sign-out").location == "/sign-in"
    thief = world.client()
    with thief.session_transaction() as cookie:
        cookie["session"] = kept
    assert thief.get("/account").status_code == 302


def test_signing_out_by_a_link_is_impossible(world: World) -> None:
    client = world.client("monitor")
    assert client.get("/sign-out").status_code == 405
    assert client.get("/account").status_code == 200


def test_an_idle_session_ends(world: World) -> None:
    client = world.client("monitor")
    set_rows(update(AccountSession).values(seen_at=utc_now() - timedelta(minutes=61)))
    assert client.get("/account").status_code == 302


def test_a_session_ends_after_its_hours_whatever_happens(world: World) -> None:
    client = world.client("monitor")
    set_rows(update(AccountSession).values(ends_at=utc_now() - timedelta(seconds=1)))
    assert client.get("/account").status_code == 302


def test_a_session_in_use_stays_open(world: World) -> None:
    client = world.client("monitor")
    set_rows(update(AccountSession).values(seen_at=utc_now() - timedelta(minutes=59)))
    assert client.get("/account").status_code == 200
    seen = db.session.scalars(select(AccountSession.seen_at)).all()
    assert all(utc_now() - each < timedelta(minutes=1) for each in seen)


def test_the_data_base_holds_no_session_token_and_no_bearer_token(world: World) -> None:
    client = world.client("monitor")
    bearer = world.token("monitor")
    with client.session_transaction() as cookie:
        opened = cookie["session"]
    raw = services().settings.data.joinpath("trialimg.sqlite")
    held = raw.read_bytes() + raw.with_name("trialimg.sqlite-wal").read_bytes()
    assert opened.encode() not in held
    assert bearer.encode() not in held
    assert PASSWORD.encode() not in held


def test_a_person_ends_another_session_of_their_own(world: World) -> None:
    here, elsewhere = world.client("monitor"), world.client("monitor")
    listed = session.sessions_of(world.person("monitor"), services())
    with elsewhere.session_transaction() as cookie:
        _, other = session.person_of_session(services(), cookie["session"])
    assert other in {each.session_id for each in listed}
    assert post(here, "/account", f"/account/sessions/{other}/end").status_code == 303
    assert elsewhere.get("/account").status_code == 302
    assert here.get("/account").status_code == 200


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("trialimg/0.1", "trialimg/0.1"), ("", ""),
    ],
)  # fmt: skip
def test_a_session_is_told_by_its_browser_in_words(agent: str, words: str) -> None:
    assert session.browser_words(agent) == words


def test_nobody_ends_a_session_of_somebody_else(world: World) -> None:
    mine, theirs = world.client("monitor"), world.client("sponsor")
    with theirs.session_transaction() as cookie:
        _, other = session.person_of_session(services(), cookie["session"])
    assert post(mine, "/account", f"/account/sessions/{other}/end").status_code == 404
    assert theirs.get("/account").status_code == 200


def test_a_post_without_the_pages_token_changes_nothing(world: World) -> None:
    client = world.client("monitor")
    answer = client.post("/account/tokens", data={"label": "x", "days": "9"})
    assert answer.status_code == 400
    assert "Load it again" in answer.get_data(as_text=True)
    assert db.session.scalars(select(AccessToken)).all() == []


def test_signing_in_without_the_pages_token_is_refused(world: World) -> None:
    assert world.client().post("/sign-in", data={"email": email_of("monitor"), "password": PASSWORD}).status_code == 400


def test_ending_access_ends_open_sessions_and_tokens_at_the_next_request(world: World) -> None:
    client, bearer = world.client("monitor"), world.token("monitor")
    assert token.person_of_token(bearer) is not None
    with world.acting("administrator") as uow:
        accounts.end_access(uow, world.person("administrator"), world.person("monitor").account_id)
    assert client.get("/account").status_code == 302
    assert token.person_of_token(bearer) is None


# ----- one-time links


def test_a_one_time_link_sets_a_password_once(world: World) -> None:
    path = urlsplit(link_for(world, "monitor")).path
    client = world.client()
    fresh = "violet-anchor-19-tundra"
    assert post(client, path, path, password=fresh, again=fresh).location == "/sign-in"
    again = client.get(path)
    assert again.status_code == 403
    assert "used already" in again.get_data(as_text=True)
    assert sign_in(world.client(), "monitor", fresh).status_code == 303
    assert sign_in(world.client(), "monitor", PASSWORD).status_code == 422


def test_a_newer_link_voids_the_older_one(world: World) -> None:
    older, newer = urlsplit(link_for(world, "monitor")).path, urlsplit(link_for(world, "monitor")).path
    assert world.client().get(older).status_code == 403
    assert world.client().get(newer).status_code == 200


def test_a_link_is_too_old_after_its_days(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = urlsplit(link_for(world, "monitor")).path
    assert world.client().get(path).status_code == 200
    later = int(time.time()) + 7 * 24 * 3600 + 60
    monkeypatch.setattr(itsdangerous.timed.TimestampSigner, "get_timestamp", lambda _signer: later)
    assert world.client().get(path).status_code == 403


def test_a_forged_link_is_refused(world: World) -> None:
    path = urlsplit(link_for(world, "monitor")).path
    assert world.client().get(path[:-3] + "abc").status_code == 403
    assert world.client().get("/link/x").status_code == 403


def test_setting_a_password_ends_every_open_session(world: World) -> None:
    client = world.client("monitor")
    path = urlsplit(link_for(world, "monitor")).path
    password.set_password(path.rsplit("/", 1)[-1], "violet-anchor-19-tundra")
    assert client.get("/account").status_code == 302


def test_a_link_dies_with_the_access(world: World) -> None:
    path = urlsplit(link_for(world, "monitor")).path
    with world.acting("administrator") as uow:
        accounts.end_access(uow, world.person("administrator"), world.person("monitor").account_id)
    assert world.client().get(path).status_code == 403


@pytest.mark.parametrize(
    "weak",
    ["short-1", "passwordpassword", "aaaaaaaaaaaaaaaa", "123456789012345", "monitor@trial.example", "qwertyuiopasdf"],
)
def test_short_and_common_passwords_are_refused_with_the_reason(world: World, weak: str) -> None:
    path = urlsplit(link_for(world, "monitor")).path
    answer = post(world.client(), path, path, password=weak, again=weak)
    assert answer.status_code == 422
    assert "This password cannot be taken" in answer.get_data(as_text=True)
    assert weak not in answer.get_data(as_text=True).replace(email_of("monitor"), "")
    assert sign_in(world.client(), "monitor").status_code == 303


def test_two_different_passwords_are_refused(world: World) -> None:
    path = urlsplit(link_for(world, "monitor")).path
    answer = post(world.client(), path, path, password="violet-anchor-19-tundra", again="violet-anchor-19-tundrb")
    assert answer.status_code == 422
    assert "not the same" in answer.get_data(as_text=True)


def test_a_password_without_end_is_refused_at_once(world: World) -> None:
    path = urlsplit(link_for(world, "monitor")).path
    answer = post(world.client(), path, path, password="a9-" * 100_000, again="a9-" * 100_000)
    assert answer.status_code == 422
    assert "at most 200" in answer.get_data(as_text=True)


def test_a_link_names_our_own_address_whatever_the_request_says(world: World) -> None:
    client = world.client("administrator")
    account_id = world.person("monitor").account_id
    page = client.get(f"/admin/people/{account_id}").get_data(as_text=True)
    answer = client.post(
        f"/admin/people/{account_id}/link",
        data={"csrf_token": csrf_of(page)},
        headers={"X-Forwarded-Host": "evil.example"},
    )
    text = answer.get_data(as_text=True)
    assert "http://127.0.0.1:5000/link/" in text
    assert "evil.example" not in text


# ----- the own account


def test_the_own_password_is_changed_with_the_one_before(world: World) -> None:
    here, elsewhere = world.client("monitor"), world.client("monitor")
    fresh = "violet-anchor-19-tundra"
    wrong = post(here, "/account", "/account/password", old="not-mine", password=fresh, again=fresh)
    assert wrong.status_code == 422
    right = post(here, "/account", "/account/password", old=PASSWORD, password=fresh, again=fresh)
    assert right.status_code == 303
    assert here.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 302


def test_a_token_is_shown_once_and_works_until_it_is_revoked(world: World) -> None:
    client = world.client("monitor")
    made = post(client, "/account", "/account/tokens", label="CT room 2", days="30").get_data(as_text=True)
    shown = made.split('value="trialimg_', 1)[1].split('"', 1)[0]
    bearer = "trialimg_" + shown
    assert token.person_of_token(bearer).email == email_of("monitor")
    listing = client.get("/account").get_data(as_text=True)
    assert shown not in listing
    assert "CT room 2" in listing
    mine = token.tokens_of(world.person("monitor"))[0]
    assert timedelta(days=29) < mine.ends_at - utc_now() < timedelta(days=31)
    post(client, "/account", f"/account/tokens/{mine.token_id}/revoke")
    assert token.person_of_token(bearer) is None


@pytest.mark.parametrize("days", ["0", "-1", "367", "many", ""])
def test_a_token_without_end_is_refused(world: World, days: str) -> None:
    answer = post(world.client("monitor"), "/account", "/account/tokens", label="x", days=days)
    assert answer.status_code == 422
    assert db.session.scalars(select(AccessToken)).all() == []


def test_an_expired_token_is_worth_nothing(world: World) -> None:
    bearer = world.token("monitor")
    set_rows(update(AccessToken).values(ends_at=utc_now() - timedelta(seconds=1)))
    assert token.person_of_token(bearer) is None


def test_nobody_revokes_a_token_of_somebody_else(world: World) -> None:
    bearer = world.token("monitor")
    theirs = token.tokens_of(world.person("monitor"))[0].token_id
    assert post(world.client("sponsor"), "/account", f"/account/tokens/{theirs}/revoke").status_code == 404
    assert token.person_of_token(bearer) is not None


def test_a_token_opens_no_page_for_people(world: World) -> None:
    assert world.client().get("/account", headers=world.bearer("monitor")).status_code == 302


def test_a_program_with_a_wrong_token_is_told_so_and_not_taken_for_its_browser(world: World) -> None:
    client = world.client("monitor")
    answer = client.get("/api/v1/nothing", headers={"Authorization": "Bearer trialimg_wrong"})
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json["code"] == "access.not_signed_in"
    assert client.get("/api/v1/nothing", headers={"Authorization": "Basic bW9uaXRvcjp4"}).status_code == 401


def test_the_cookie_cannot_be_read_by_scripts_and_does_not_travel_with_foreign_posts(app: Flask) -> None:
    answer = app.test_client().get("/sign-in")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=" in cookie
    assert "SameSite=None" not in cookie
