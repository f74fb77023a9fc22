"""What exists and is not yours reads exactly like what does not exist: walked over every address that names a place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.routing import Rule

from tests.world import World, csrf_of, second_trial
from trialimg.casework import setup
from trialimg.casework.access import site_place
from trialimg.casework.enrolment import enrol
from trialimg.store.base import db, new_id
from trialimg.store.imaging import ImagingStudy, Slot, Submission
from trialimg.store.reading import Read, ReadingCode
from trialimg.store.subject import Subject, Visit
from trialimg.store.unit_of_work import Actor, unit_of_work

NEVER = {
    "trial": "NEVER", "site": "909", "subject": "909-909", "visit": "NEVER", "slot": "NEVER", "submission": "e" * 32,
    "study_instance_uid": "2.25.31415926535897932384626433832795", "read": "e" * 32,
}  # fmt: skip
"""A well-formed key of each kind that nothing has."""
INSIDE = {
    "form": "VS", "account": "9" * 32, "grant": "9" * 32, "export": "9" * 32, "series_uid": "2.25.1",
    "sop_uid": "2.25.2", "numbers": "1", "tail": "x", "ordinal": "1", "frame": "1", "series": "1", "version": "1",
}  # fmt: skip
TEAM = frozenset({"subject", "visit", "slot", "submission", "study_instance_uid"})
SUBJECTS = TEAM | {"read"}
AT_101: dict[str, frozenset[str]] = {
    "administrator": SUBJECTS | {"site"},
    "coordinator-102": SUBJECTS | {"site"},
    "monitor-102": SUBJECTS | {"site"},
    "reader": SUBJECTS | {"site"},
    "adjudicator": SUBJECTS | {"site", "trial"},
    "nobody": SUBJECTS | {"site", "trial"},
}
"""For whom which things of site 101 must not be known to exist; of the trial itself only strangers know nothing."""
OF_ANOTHER_TRIAL = ("coordinator-101", "trial-administrator", "data-manager", "reader", "sponsor", "inspector")
MAY_RUN_IT = ("/pipeline/", "/trials/<trial>/withdrawn")
"""The administrator's own: the work of the pipeline, wherever it is."""


@pytest.fixture
def two(world: World, tmp_path: Path) -> dict[str, dict[str, str]]:
    """Two trials, each with a subject, a submission, a linked study and a read, and their keys."""
    place = second_trial(tmp_path)
    with unit_of_work(Actor("operator"), "its site", trial_id=place.trial_id) as uow:
        setup.add_site(uow, place, code="777", name="Elsewhere", country="CH")
    return {"DEMO": furnish(world, "DEMO", "101"), "TWIN": furnish(world, "TWIN", "777")}


def furnish(world: World, trial: str, site: str) -> dict[str, str]:
    place = site_place(trial, site)
    with unit_of_work(Actor("operator"), "a subject", trial_id=place.trial_id) as uow:
        number = enrol(uow, place, birth_year=1961, sex="F")
        uow.session.flush()
        subject = uow.session.scalars(select(Subject).where(Subject.trial_id == place.trial_id)).one()
        slot = uow.session.scalars(select(Slot).join(Visit).where(Visit.subject_id == subject.id)).first()
        assert slot is not None
        common = {"trial_id": place.trial_id, "subject_id": subject.id}
        study = ImagingStudy(
            study_instance_uid=f"2.25.{site}",
            linked_at=uow.at,
            linked_by="x",
            modalities="CT",
            slot_id=slot.id,
            **common,
        )
        uow.session.add(study)
        uow.session.flush()
        submission = Submission(
            id=new_id(), site_id=place.site_id, study_id=study.id, stage="linked", source="browser",
            created_at=uow.at, created_by="x", stage_since=uow.at, slot_id=slot.id, **common,
        )  # fmt: skip
        read = Read(
            id=new_id(), visit_id=slot.visit_id, account_id=world.person("nobody").account_id, assigned_at=uow.at,
            assigned_by="x", **common,
        )  # fmt: skip
        uow.session.add_all([submission, read, ReadingCode(code=f"R-{site}2-2345", **common)])
        return {
            "trial": trial, "site": site, "subject": number, "visit": slot.visit.key, "slot": slot.key,
            "submission": submission.id, "study_instance_uid": study.study_instance_uid, "read": read.id,
        }  # fmt: skip


class Asker:
    """A person who asks at each address in the way it wants to be asked."""

    def __init__(self, world: World, who: str) -> None:
        self.client: FlaskClient = world.client(who)
        self.token = csrf_of(self.client.get("/account").text)
        self.bearer = world.bearer(who)

    def told(self, rule: Rule, keys: dict[str, str], **more: str) -> tuple[int, str]:
        """Give the status and the text, the page's token and the keys asked for taken out."""
        url = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: (keys | INSIDE | more)[found[1]], rule.rule)
        headers = self.bearer if rule.rule.startswith(("/api/", "/dicomweb")) else {}
        if "GET" in (rule.methods or ()):
            answer = self.client.get(url, headers=headers)
        else:
            answer = self.client.post(url, headers=headers, data={"csrf_token": self.token, "reason": "x"})
        text = re.sub(r'(name="csrf-token" content|name="csrf_token" value)="[^"]*"', "", answer.text)
        for name, key in {**keys, **more}.items():
            text = re.sub(rf"(?<![\w.]){re.escape(key)}(?![\w.])", f"<{name}>", text)
        return answer.status_code, text


def places(world: World) -> list[Rule]:
    found = [rule for rule in world.app.url_map.iter_rules() if rule.arguments & NEVER.keys()]
    assert len(found) > 60
    return found


def must_read_alike(asker: Asker, rule: Rule, keys: dict[str, str], names: frozenset[str]) -> None:
    status, text = asker.told(rule, keys)
    assert status == 404, f"{rule.rule}: {status}"
    assert "There is nothing at this address for you." in text
    for name in rule.arguments & names:
        assert asker.told(rule, keys, **{name: NEVER[name]}) == (status, text), f"{rule.rule}: {name}"


@pytest.mark.parametrize("who", AT_101)
def test_what_is_of_a_place_one_may_not_see_is_not_found_as_if_it_did_not_exist(
    world: World, two: dict[str, dict[str, str]], who: str
) -> None:
    asker, asked = Asker(world, who), 0
    for rule in places(world):
        if who == "administrator" and rule.rule.startswith(MAY_RUN_IT):
            continue
        if rule.arguments & AT_101[who]:
            must_read_alike(asker, rule, two["DEMO"], AT_101[who])
            asked += 1
    assert asked > 40


@pytest.mark.parametrize("who", OF_ANOTHER_TRIAL)
def test_what_is_another_trials_is_not_found_as_if_it_did_not_exist(
    world: World, two: dict[str, dict[str, str]], who: str
) -> None:
    asker = Asker(world, who)
    for rule in places(world):
        must_read_alike(asker, rule, two["TWIN"], frozenset(NEVER))


def test_things_inside_a_trial_that_are_another_trials_are_not_found_either(
    world: World, two: dict[str, dict[str, str]]
) -> None:
    """A key of the other trial under the path of one's own; visits and slots have the same keys in both."""
    asker = Asker(world, "trial-administrator")
    for rule in places(world):
        for name in (rule.arguments & NEVER.keys()) - {"trial", "visit", "slot"} if "trial" in rule.arguments else ():
            mixed = two["DEMO"] | {name: two["TWIN"][name]}
            assert asker.told(rule, mixed) == asker.told(rule, two["DEMO"] | {name: NEVER[name]}), (
                f"{rule.rule}: {name}"
            )


def test_who_sees_a_place_and_may_not_act_there_is_told_so(world: World, two: dict[str, dict[str, str]]) -> None:
    for who in ("monitor", "sponsor", "inspector", "imaging-qc"):
        asker = Asker(world, who)
        for rule in places(world):
            if rule.rule.endswith(("/active", "/date", "/unscheduled", "/decision", "/removal")):
                assert asker.told(rule, two["DEMO"])[0] in {403, 404} - ({404} if "removal" not in rule.rule else set())


# ----- lists and bodies that name a subject, study or site


@pytest.mark.parametrize("who", ["coordinator-102", "monitor-102", "reader", "coordinator-101"])
def test_no_list_tells_what_is_not_yours_from_what_is_not(
    world: World, two: dict[str, dict[str, str]], who: str
) -> None:
    keys = two["TWIN" if who == "coordinator-101" else "DEMO"]
    client, bearer = world.client(who), world.bearer(who)
    asked = {
        "/dicomweb/studies?StudyInstanceUID={}": "study_instance_uid",
        "/dicomweb/studies?PatientID={}": "subject",
        "/api/v1/imaging?subject={}": "subject",
        "/api/v1/sending?visit=SCR&slot=CT&subject={}": "subject",
        "/trials/DEMO?site={}": "site",
        "/trials/DEMO/reads?site={}": "site",
        "/trials/DEMO/audit?subject={}": "subject",
        "/trials/DEMO/audit?site={}": "site",
        "/trials/DEMO/dashboard?site={}": "site",
    }
    for address, name in asked.items():
        said = set()
        for key in (keys[name], NEVER[name]):
            answer = client.get(address.format(key), headers=bearer if address.startswith(("/api", "/dicom")) else {})
            text = re.sub(r'(name="csrf-token" content|name="csrf_token" value)="[^"]*"', "", answer.text)
            said.add((answer.status_code, re.sub(rf"(?<![\w.-]){re.escape(key)}(?![\w.-])", "KEY", text)))
        assert len(said) == 1, (who, address, [status for status, _ in said])


@pytest.mark.parametrize(
    ("who", "address", "body"),
    [
        ("coordinator-102", "/trials/DEMO/enrol", {"site": "site", "birth_year": "1961", "sex": "F"}),
        ("monitor-102", "/trials/DEMO/reports/casebook", {"subject": "subject"}),
        ("coordinator-102", "/api/v1/submissions", {"subject": "subject", "visit": "visit", "slot": "slot"}),
        ("reader", "/api/v1/submissions", {"subject": "subject", "visit": "visit", "slot": "slot"}),
    ],
)
def test_no_post_tells_what_is_not_yours_from_what_is_not(
    world: World, two: dict[str, dict[str, str]], who: str, address: str, body: dict[str, str]
) -> None:
    asker, said = Asker(world, who), []
    first = next(name for name in body if name in NEVER)
    for keys in (two["DEMO"], two["DEMO"] | {first: NEVER[first]}):
        sent = {name: keys.get(value, value) for name, value in body.items()}
        if address.startswith("/api/"):
            answer = asker.client.post(address, json=sent, headers=asker.bearer)
        else:
            answer = asker.client.post(address, data=sent | {"csrf_token": asker.token})
        text = re.sub(r'(name="csrf-token" content|name="csrf_token" value|name="once" value)="[^"]*"', "", answer.text)
        said.append((answer.status_code, text.replace(keys[first], "KEY")))
    assert said[0][0] >= 400
    assert said[0] == said[1]
    db.session.rollback()
