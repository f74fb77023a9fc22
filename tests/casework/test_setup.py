"""The first day: keys, a trial from its files, sites."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from tests.world import DEMO, World
from trialimg.casework import setup
from trialimg.casework.access import trial_place
from trialimg.casework.definition import current_definition, current_definition_id, definition
from trialimg.casework.services import services
from trialimg.errors import BadDefinition, BadInput, Conflict, NotFound
from trialimg.keyring import AUDIT, SESSION, Keyring
from trialimg.store.base import db
from trialimg.store.trial import Site, TrialDefinitionVersion
from trialimg.store.unit_of_work import Actor, unit_of_work

OPERATOR = Actor("operator")


def load(folder: Path) -> str:
    with unit_of_work(OPERATOR, "loading") as uow:
        return setup.load_trial(uow, services(), folder)


def copy_with(tmp_path: Path, version: str, **changed: str) -> Path:
    """A version of the demo trial with words of trial.yaml replaced."""
    folder = tmp_path / version
    shutil.copytree(DEMO, folder)
    text = (folder / "trial.yaml").read_text("utf-8").replace('version: "1.0"', f'version: "{version}"')
    for old, new in changed.items():
        text = text.replace(old, new)
    (folder / "trial.yaml").write_text(text, "utf-8")
    return folder


def test_an_installation_makes_its_keys_once_and_only_for_itself(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys")
    setup.install(keyring)
    before = [keyring.get(name) for name in (AUDIT, SESSION)]
    setup.install(keyring)
    assert [keyring.get(name) for name in (AUDIT, SESSION)] == before
    assert before[0] != before[1]
    assert {path.stat().st_mode & 0o777 for path in keyring.folder.iterdir()} == {0o600}


def test_a_trial_is_loaded_with_its_definition_and_its_key(context: Flask) -> None:
    assert load(DEMO) == "DEMO"
    place = trial_place("DEMO")
    assert current_definition(place.trial_id).version == "1.0"
    assert len(services().keyring.trial_key("DEMO", 1)) == 32


def test_the_same_version_may_be_loaded_again_and_changes_nothing(context: Flask) -> None:
    load(DEMO)
    before = current_definition_id(trial_place("DEMO").trial_id)
    key = services().keyring.trial_key("DEMO", 1)
    load(DEMO)
    assert current_definition_id(trial_place("DEMO").trial_id) == before
    assert services().keyring.trial_key("DEMO", 1) == key
    assert len(db.session.scalars(select(TrialDefinitionVersion)).all()) == 1


def test_a_version_with_other_content_is_refused_and_leaves_the_trial_as_it_was(context: Flask, tmp_path: Path) -> None:
    load(DEMO)
    changed = copy_with(tmp_path, "1.0", Alderbrook="Elderbrook")
    with pytest.raises(Conflict, match="Give the new content a new version"):
        load(changed)
    assert current_definition(trial_place("DEMO").trial_id).sponsor == "Alderbrook Therapeutics"


def test_a_new_version_becomes_the_current_one_and_the_old_one_stays_readable(context: Flask, tmp_path: Path) -> None:
    load(DEMO)
    place = trial_place("DEMO")
    old = current_definition_id(place.trial_id)
    load(copy_with(tmp_path, "1.1", Alderbrook="Elderbrook"))
    assert current_definition(place.trial_id).version == "1.1"
    assert definition(old).sponsor == "Alderbrook Therapeutics"
    assert setup.trials()[0].loaded == ("1.0", "1.1")
    assert setup.trials()[0].version == "1.1"


def test_a_broken_definition_changes_nothing(context: Flask, tmp_path: Path) -> None:
    folder = copy_with(tmp_path, "2.0", sponsor="spnsor")
    with pytest.raises(BadDefinition, match=r"trial\.yaml"):
        load(folder)
    assert setup.trials() == []


def test_a_folder_that_is_not_there_is_said(context: Flask, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such folder"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("code", ["", "10 1", "../x", "1" * 21, "ä1", "101\n"])
def test_a_site_code_that_cannot_be_part_of_a_number_is_refused(world: World, code: str) -> None:
    if code == "101\n":
        with world.acting("trial-administrator") as uow, pytest.raises(Conflict):
            setup.add_site(uow, world.trial, code=code, name="X")
        return
    with world.acting("trial-administrator") as uow, pytest.raises(BadInput, match="code"):
        setup.add_site(uow, world.trial, code=code, name="X")


def test_two_sites_of_a_trial_never_share_a_code_whatever_its_case(world: World) -> None:
    with world.acting("trial-administrator") as uow:
        setup.add_site(uow, world.trial, code="A1", name="One")
    with pytest.raises(Conflict, match="a1"), world.acting("trial-administrator") as uow:
        setup.add_site(uow, world.trial, code="a1", name="Two")


def test_a_country_is_two_letters_or_nothing(world: World) -> None:
    with pytest.raises(BadInput, match="ISO 3166"), world.acting("trial-administrator") as uow:
        setup.add_site(uow, world.trial, code="104", name="X", country="Switzerland")
    with world.acting("trial-administrator") as uow:
        setup.add_site(uow, world.trial, code="105", name="X", country="de")
    assert [site.country for site in setup.sites(world.trial_id) if site.code == "105"] == ["DE"]


def test_a_site_is_closed_and_opened_again(world: World) -> None:
    for active in (False, True):
        with world.acting("trial-administrator") as uow:
            setup.set_site_active(uow, world.site("103"), active=active)
        assert db.session.scalar(select(Site.active).where(Site.id == world.site_ids["103"])) is active


def test_a_closed_site_enrols_nobody(world: World) -> None:
    with world.acting("trial-administrator") as uow:
        setup.set_site_active(uow, world.site("101"), active=False)
    with pytest.raises(Conflict, match="closed"):
        world.subject("101")


def test_a_definition_nobody_loaded_is_not_found(context: Flask) -> None:
    with pytest.raises(NotFound):
        definition("0" * 32)
    with pytest.raises(NotFound):
        current_definition("0" * 32)
