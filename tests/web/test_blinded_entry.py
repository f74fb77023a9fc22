"""Who is blinded to part of a form does not write it either: tried role by role and item by item, with crafted posts."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.world import World, csrf_of
from trialimg.casework.access import visit_place
from trialimg.casework.accounts import give_role
from trialimg.casework.form_page import form_page
from trialimg.domain.permission import Role
from trialimg.domain.trial import TrialDefinition
from trialimg.store.base import db, new_id, utc_now
from trialimg.store.subject import Subject
from trialimg.store.trial import Trial, TrialDefinitionVersion
from trialimg.store.unit_of_work import Actor, unit_of_work

NUMBER = "101-001"
URL = f"/trials/DEMO/subjects/{NUMBER}/visits/SCR/forms/VS"
BLINDED = ("sponsor", "monitor")
BOTH = ("monitor", "data-manager", "sponsor", "inspector")
"""People who are given a coordinator's role besides their own, so that they may enter data."""
VALUES = {
    "VS.VSPERF": "Y", "VS.VSREASND": "x", "VS.VSDAT": "2026-01-06", "RESULTS.HEIGHT_VSORRES": "170",
    "RESULTS.WEIGHT_VSORRES": "70.5", "RESULTS.TEMP_VSORRES": "36.6", "RESULTS.TEMP_VSLOC": "ORAL CAVITY",
    "RESULTS.PULSE_VSORRES": "70", "RESULTS.SYSBP_VSORRES": "120", "RESULTS.DIABP_VSORRES": "80",
    "RESULTS.BP_VSPOS": "SITTING",
}  # fmt: skip


def blind(world: World, item: str, *, whole_form: bool = False) -> None:
    """Give the subject a version of the trial in which one item of its vital signs is blinded to the two roles."""
    with unit_of_work(Actor("operator"), "another version", trial_id=world.trial_id) as uow:
        trial = uow.session.get_one(Trial, world.trial_id)
        first = uow.session.get_one(TrialDefinitionVersion, trial.definition_id)
        mapping: dict[str, Any] = json.loads(first.content)
        (form,) = [each for each in mapping["forms"] if each["key"] == "VS"]
        (found,) = [each for group in form["groups"] for each in group["items"] if each["key"] == item]
        (form if whole_form else found)["blinded_to"] = list(BLINDED)
        kept = TrialDefinitionVersion(id=new_id(), trial_id=trial.id, version=f"1.0-{new_id()[:8]}", digest="0" * 64)
        kept.content, kept.loaded_at = TrialDefinition.from_mapping(mapping).to_json(), utc_now()
        uow.session.add(kept)
        uow.session.flush()
        for subject in uow.session.query(Subject).filter_by(number=NUMBER):
            subject.definition_id = kept.id


@pytest.fixture
def entered(world: World) -> World:
    """The world with a subject whose weight a coordinator has entered, and people of two roles."""
    assert world.subject() == NUMBER
    by = world.person("trial-administrator")
    for name in BOTH:
        with unit_of_work(by.actor, "a second role", trial_id=world.trial_id) as uow:
            account = world.person(name).account_id
            give_role(uow, by, account, Role.SITE_COORDINATOR, trial_id=world.trial_id, site_id=world.site_ids["101"])
    assert send(world, "coordinator-101", {"VS.VSPERF": "Y", "RESULTS.WEIGHT_VSORRES": "77.7"}).status_code == 303
    return world


def send(world: World, who: str, typed: dict[str, str], *, revision: int = 0, **more: str):
    client = world.client(who)
    token = csrf_of(client.get("/account").text)
    own = {"csrf_token": token, "_revision": str(revision), "_end": "1", "save": "draft", "reason": "because"}
    return client.post(URL, data={**own, **typed, **more})


def stored(world: World):
    db.session.rollback()
    return form_page(visit_place("DEMO", NUMBER, "SCR"), "VS", world.person("coordinator-101"))


@pytest.mark.parametrize("name", VALUES)
def test_what_a_role_may_not_see_it_may_not_write(entered: World, name: str) -> None:
    blind(entered, name.split(".")[1])
    for who in BOTH:
        before = stored(entered)
        answer = send(entered, who, {name: VALUES[name]}, revision=before.revision)
        if who in BLINDED:
            assert answer.status_code == 422, (who, name)
            assert "not shown every value" in answer.text
            assert stored(entered) == before
        else:
            assert answer.status_code == 303, (who, name)
            group, item = name.split(".")
            assert stored(entered).values[group][""][item] == VALUES[name]


@pytest.mark.parametrize("who", BLINDED)
def test_a_save_without_the_blinded_field_does_not_blank_it_and_comes_back_as_typed(entered: World, who: str) -> None:
    blind(entered, "WEIGHT_VSORRES")
    before = stored(entered)
    answer = send(entered, who, {"VS.VSPERF": "Y", "RESULTS.PULSE_VSORRES": "71"}, revision=before.revision)
    assert answer.status_code == 422
    assert re.search(r">\s*71\b", answer.text), "what was typed is shown back"
    assert "77.7" not in answer.text
    assert stored(entered) == before


@pytest.mark.parametrize("who", BLINDED)
def test_a_guess_and_a_hit_read_alike(entered: World, who: str) -> None:
    """A stale page shows what differs from what was saved meanwhile: not for a value one is blinded to."""
    blind(entered, "WEIGHT_VSORRES")
    more: list[dict[str, str]] = [{"save": "complete"}, {"reason": "r" * 5000}]
    for extra in more:
        for revision in (0, stored(entered).revision):  # a stale page, and one that is not
            said = set()
            for guess in ("77.7", "5"):
                answer = send(entered, who, {"RESULTS.WEIGHT_VSORRES": guess}, revision=revision, **extra)
                assert answer.status_code == 422
                assert "77.7" not in answer.text
                said.add(answer.text.replace(csrf_of(answer.text), "") if 'name="csrf_token"' in answer.text else "")
            assert len(said) == 1, (extra, revision)


@pytest.mark.parametrize("who", BLINDED)
def test_a_form_blinded_as_a_whole_takes_nothing_from_the_blinded(entered: World, who: str) -> None:
    blind(entered, "WEIGHT_VSORRES", whole_form=True)
    before = stored(entered)
    assert send(entered, who, VALUES, revision=before.revision).status_code == 422
    assert stored(entered) == before
