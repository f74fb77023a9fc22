"""Every view has its guard, and every role gets exactly what it may: both by walking the program."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from tests.world import PEOPLE, World, csrf_of
from trialimg.casework import accounts
from trialimg.casework.access import Place, trial_place
from trialimg.casework.link import withdrawn_place
from trialimg.domain.permission import Permission, Scope, may, may_somewhere
from trialimg.store.account import AccountGrant
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot, Submission
from trialimg.store.reading import Read, ReadingCode
from trialimg.store.subject import Subject, Visit
from trialimg.web.guard import MARK, installation, somewhere
from trialimg.web.reading import my_read

STUDY_UID, WITHDRAWN_UID = "2.25.123456789", "2.25.987654321"
PLACE_NAMES = {"trial", "site", "subject", "visit", "slot", "submission", "study_instance_uid", "read"}
PUBLIC = {
    "auth.sign_in",
    "auth.signing_in",
    "auth.one_time_link",
    "auth.using_link",
    "health.alive",
    "health.ready",
    "api.openapi",
}
FRAMEWORK = {"static"}
IMAGE_DOOR = ("/viewer", "/dicomweb", "/studies/<study_instance_uid>")
NOTHING = "9" * 32
"""Stands in an address for a thing inside a place, such as an export, which then does not exist."""
INSIDE = {Permission.SEE_READ_VALUES}
"""Permissions that decide what a page shows, not whether it opens."""
NAMES = [*PEOPLE, "nobody"]


@pytest.fixture
def furnished(world: World) -> World:
    """The world with a subject, a submission and a linked study at site 101."""
    number = world.subject("101")
    subject = db.session.scalars(select(Subject).where(Subject.number == number)).one()
    slot = db.session.scalars(
        select(Slot).join(Visit).where(Visit.subject_id == subject.id).order_by(Visit.ordinal, Slot.key)
    ).first()
    common = {"trial_id": world.trial_id, "subject_id": subject.id, "slot_id": slot.id}
    with world.acting("coordinator-101") as uow:
        study = ImagingStudy(study_instance_uid=STUDY_UID, linked_at=uow.at, linked_by="x", **common)
        gone = ImagingStudy(
            study_instance_uid=WITHDRAWN_UID, state="withdrawn", linked_at=uow.at, linked_by="x", **common
        )
        uow.session.add_all([study, gone])
        uow.session.flush()
        uow.session.add(
            Submission(
                id="5" * 32, site_id=world.site_ids["101"], study_id=study.id, stage="linked", source="browser",
                created_at=uow.at, created_by="x", stage_since=uow.at, **common,
            )
        )  # fmt: skip
        uow.session.add(
            Read(
                id="4" * 32, visit_id=slot.visit_id, account_id=world.person("reader").account_id, assigned_at=uow.at,
                assigned_by="x", trial_id=world.trial_id, subject_id=subject.id, state="void",
            )
        )  # fmt: skip
        uow.session.add(ReadingCode(trial_id=world.trial_id, subject_id=subject.id, code="R-2345-6789"))
    world.arguments = {  # type: ignore[attr-defined]  # of this file only
        "trial": "DEMO", "site": "101", "subject": number, "visit": slot.visit.key, "slot": slot.key, "form": "VS",
        "submission": "5" * 32, "study_instance_uid": STUDY_UID, "account": world.person("monitor").account_id,
        "read": "4" * 32, "version": "1", "grant": "6" * 32, "series_uid": "2.25.1", "sop_uid": "2.25.2", "numbers": "1", "tail": "x", "path": "x.js",
        "session_id": "7" * 32, "token_id": "8" * 32, "link": "x", "ordinal": "1", "frame": "1", "series": "1", "filename": "trialimg.css",
    }  # fmt: skip
    return world


def rules(app: Flask) -> Iterator[Rule]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in FRAMEWORK:
            yield rule


def method_of(rule: Rule) -> str:
    methods = rule.methods - {"HEAD", "OPTIONS"}
    assert len(methods) == 1, f"{rule.endpoint} answers {methods}: one view, one act"
    return methods.pop()


def address(world: World, rule: Rule) -> str:
    values = dict(world.arguments)  # type: ignore[attr-defined]  # of this file only
    if "/withdrawn/" in rule.rule:
        values["study_instance_uid"] = WITHDRAWN_UID
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values.get(found[1], NOTHING)), rule.rule)


def guard_of(app: Flask, rule: Rule) -> object:
    return getattr(app.view_functions[rule.endpoint], MARK, None)


# ----- every view


def test_every_view_has_a_guard_and_the_guard_is_what_runs(app: Flask) -> None:
    """A guard written above the route decorator is never called: then the registered view has no mark."""
    bare = [rule.endpoint for rule in rules(app) if guard_of(app, rule) is None]
    assert bare == []
    assert len(list(rules(app))) > 40


def test_public_views_are_these_and_say_why(app: Flask) -> None:
    found = {rule.endpoint: guard_of(app, rule) for rule in rules(app) if isinstance(guard_of(app, rule), str)}
    assert set(found) == PUBLIC
    assert all(len(reason) > 20 and reason.endswith(".") for reason in found.values())


def test_every_place_in_an_address_is_looked_at_by_its_guard(app: Flask) -> None:
    for rule in rules(app):
        guard = guard_of(app, rule)
        if isinstance(guard, str):
            continue
        permission, on = guard
        assert isinstance(permission, Permission)
        taken = (
            set(on.__code__.co_varnames[: on.__code__.co_argcount]) if on not in {somewhere, installation} else set()
        )
        assert rule.arguments & PLACE_NAMES == taken, f"{rule.rule} is guarded by {on.__name__}"


def test_every_permission_guards_something(app: Flask) -> None:
    used = {guard[0] for rule in rules(app) if isinstance(guard := guard_of(app, rule), tuple)}
    idle = {permission for permission in Permission if permission not in used}
    assert idle == INSIDE


# ----- nobody


def test_without_a_session_nothing_opens(furnished: World) -> None:
    page = furnished.client().get("/sign-in").get_data(as_text=True)
    for rule in rules(furnished.app):
        if rule.endpoint in PUBLIC:
            continue
        client, url = furnished.client(), address(furnished, rule)
        if method_of(rule) == "GET":
            answer = client.get(url)
            programs = url.startswith(("/api/", "/dicomweb"))
            assert answer.status_code == (401 if programs else 302), url
            if not programs:
                assert answer.location.startswith("/sign-in?next=/"), url
        else:
            page = client.get("/sign-in").get_data(as_text=True)
            assert client.post(url, data={"csrf_token": csrf_of(page)}).status_code == 401, url


def test_a_change_without_the_pages_token_is_refused_everywhere(furnished: World) -> None:
    client = furnished.client("trial-administrator")
    for rule in rules(furnished.app):
        if method_of(rule) != "GET":
            answer = client.post(address(furnished, rule), data={"reason": "x"})
            assert answer.status_code == 400, rule.rule
            assert "could not be trusted" in answer.get_data(as_text=True), rule.rule


# ----- every role and every endpoint


def expected(world: World, name: str, rule: Rule) -> int:
    """What the page of permissions says: 200 stands for *let in*, 403 and 404 for the two ways of being refused."""
    grants = world.person(name).grants
    permission, on = guard_of(world.app, rule)
    if on is my_read:  # the furnished read is the reader's own, and nobody else's
        return 200 if name == "reader" else 404
    if on is somewhere:
        return 200 if may_somewhere(grants, permission) else 403
    if on is installation:
        return 200 if may(grants, permission, Scope()) else 403
    at_site = Scope(world.trial_id, world.site_ids["101"])
    of_site = rule.arguments & (PLACE_NAMES - {"trial"}) and on is not withdrawn_place
    scope = at_site if of_site else Scope(world.trial_id)
    asked = [scope]
    if on not in {trial_place, withdrawn_place} and not of_site:  # it is enough to do this at one site of the trial
        asked += [Scope(world.trial_id, site) for site in world.site_ids.values()]
    if any(may(grants, permission, each) for each in asked):
        # The demo trial names no central role for pixels that nobody has looked at.
        return 403 if permission is Permission.REVIEW_PIXELS and name == "imaging-qc" else 200
    if of_site or on is withdrawn_place:
        # Sites, and what is a subject's, exist only for whoever may see subjects: a reader must not learn by trying.
        return 403 if may(grants, Permission.SEE_TRIAL, scope) else 404
    sees = any(may(grants, each, there) for each in Permission if each is not Permission.OWN_ACCOUNT for there in asked)
    return 403 if sees else 404


@pytest.mark.parametrize("name", NAMES)
def test_each_role_gets_what_the_page_of_permissions_says(furnished: World, name: str) -> None:
    client = furnished.client(name)
    token = csrf_of(client.get("/account").get_data(as_text=True))
    bearer = furnished.bearer(name)
    for rule in rules(furnished.app):
        if rule.endpoint in PUBLIC:
            continue
        with_token = bearer if rule.rule.startswith(("/api/", "/dicomweb")) else {}
        if rule.rule.startswith(IMAGE_DOOR) and furnished.person(name).may_somewhere(Permission.READ):
            continue  # readers come to images by their reads; the tests of the image door tell how
        url, wanted = address(furnished, rule), expected(furnished, name, rule)
        if method_of(rule) == "GET":
            status = client.get(url, headers={"Accept": "*/*", **with_token}).status_code
            if wanted == 200:
                assert status not in {401, 403}, f"{name} is let in at {url} and got {status}"
                assert status < 500 or status == 503, f"{name} at {url} got {status}"
            else:
                assert status == wanted, f"{name} at {url} got {status}, not {wanted}"
        elif wanted != 200:  # what is let in would change the world for the next one
            status = client.post(url, data={"csrf_token": token, "reason": "x"}, headers=with_token).status_code
            assert status == wanted, f"{name} at {url} got {status}, not {wanted}"


# Written by hand, so that a change of the page of permissions is seen by somebody who knows the field.
TABLE = """
who                  /admin  people  sites  audit  grid  subject  form  slot  enrol  study  pipeline  link
administrator        ok      403     403    ok     403   404      404   404   403    404    ok        404
trial-administrator  403     ok      ok     ok     ok    ok       403   ok    403    403    ok        ok
coordinator-101      403     404     404    404    ok    ok       ok    ok    ok     ok     403       403
coordinator-102      403     404     404    404    ok    404      404   404   ok     404    403       404
investigator-101     403     404     404    404    ok    ok       ok    ok    ok     ok     403       ok
monitor              403     403     403    ok     ok    ok       ok    ok    403    ok     403       403
monitor-102          403     404     404    404    ok    404      404   404   403    404    403       404
data-manager         403     403     403    ok     ok    ok       ok    ok    403    ok     ok        ok
imaging-qc           403     403     403    403    ok    ok       403   ok    403    ok     ok        403
sponsor              403     403     403    403    ok    ok       ok    ok    403    ok     403       403
inspector            403     403     403    ok     ok    ok       ok    ok    403    ok     ok        403
reader               403     403     403    403    403   404      404   404   403    404    403       404
adjudicator          403     404     404    404    404   404      404   404   404    404    403       404
nobody               403     404     404    404    404   404      404   404   404    404    403       404
"""


@pytest.mark.parametrize("line", TABLE.strip().splitlines()[1:], ids=lambda line: line.split()[0])
def test_each_role_gets_what_the_field_expects(furnished: World, line: str) -> None:
    given = furnished.arguments  # type: ignore[attr-defined]  # of this file only
    subject = f"/trials/DEMO/subjects/{given['subject']}"
    visit = f"{subject}/visits/{given['visit']}"
    urls = {
        "/admin": "/admin", "people": "/trials/DEMO/people", "sites": "/trials/DEMO/sites", "audit": "/trials/DEMO/audit",
        "grid": "/trials/DEMO", "subject": subject, "form": f"{visit}/forms/VS", "slot": f"{visit}/slots/{given['slot']}",
        "enrol": "/trials/DEMO/enrol", "study": f"/studies/{STUDY_UID}", "pipeline": "/pipeline",
        "link": f"/studies/{STUDY_UID}/link",
    }  # fmt: skip
    columns = TABLE.strip().splitlines()[0].split()[1:]
    name, *wanted = line.split()
    client = furnished.client(name)
    got = []
    for column in columns:
        status = client.get(urls[column]).status_code
        got.append("ok" if status in {200, 302} else str(status))
    assert dict(zip(columns, got, strict=True)) == dict(zip(columns, wanted, strict=True))


def test_the_table_names_every_person(world: World) -> None:
    assert {line.split()[0] for line in TABLE.strip().splitlines()[1:]} == set(NAMES)


# ----- the walls between sites, and time


def test_another_sites_subject_reads_exactly_like_one_that_does_not_exist(furnished: World) -> None:
    client = furnished.client("coordinator-102")
    there = furnished.arguments["subject"]  # type: ignore[attr-defined]  # of this file only
    other, never = client.get(f"/trials/DEMO/subjects/{there}"), client.get("/trials/DEMO/subjects/101-999")
    assert other.status_code == never.status_code == 404
    hidden = re.compile(r'(name="csrf-token" content|name="csrf_token" value)="[^"]*"')
    assert hidden.sub("", other.get_data(as_text=True)) == hidden.sub("", never.get_data(as_text=True))


def test_another_trial_reads_exactly_like_one_that_does_not_exist(furnished: World) -> None:
    client = furnished.client("nobody")
    hidden = re.compile(r'(name="csrf-token" content|name="csrf_token" value)="[^"]*"')
    answers = {hidden.sub("", client.get(f"/trials/{code}").get_data(as_text=True)) for code in ("DEMO", "NEVER")}
    assert len(answers) == 1


def test_a_role_taken_away_is_gone_at_the_next_request(furnished: World) -> None:
    client = furnished.client("monitor")
    assert client.get("/trials/DEMO").status_code == 200
    grant = db.session.scalars(
        select(AccountGrant.id).where(AccountGrant.account_id == furnished.person("monitor").account_id)
    ).one()
    with furnished.acting("trial-administrator", "left") as uow:
        accounts.end_role(uow, furnished.person("trial-administrator"), grant)
    assert client.get("/trials/DEMO").status_code == 404
    assert client.get("/account").status_code == 200


def test_a_role_given_is_there_at_the_next_request(furnished: World) -> None:
    from trialimg.domain.permission import Role

    client = furnished.client("nobody")
    assert client.get("/trials/DEMO").status_code == 404
    by = furnished.person("trial-administrator")
    with furnished.acting("trial-administrator", "joins") as uow:
        accounts.give_role(uow, by, furnished.person("nobody").account_id, Role.MONITOR, trial_id=furnished.trial_id)
    assert client.get("/trials/DEMO").status_code == 200


def test_a_token_reaches_exactly_as_far_as_its_person(furnished: World) -> None:
    mine, theirs = furnished.bearer("coordinator-101"), furnished.bearer("coordinator-102")
    url = f"/dicomweb/studies/{STUDY_UID}/series"
    assert furnished.client().get(url, headers=mine).status_code == 200
    assert furnished.client().get(url, headers=theirs).status_code == 404


def test_a_place_outside_any_trial_is_the_installation() -> None:
    assert Place().scope == Scope()
