"""A small world for tests: the demo trial with three sites, and one person of each role, made by the acts people use."""

from __future__ import annotations

import contextvars
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from trialimg.casework import accounts, password, session, setup, token
from trialimg.casework.access import Person, Place, site_place, trial_place
from trialimg.casework.services import services
from trialimg.casework.setup import sites
from trialimg.domain.permission import Role
from trialimg.store.base import db
from trialimg.store.unit_of_work import Actor, UnitOfWork, unit_of_work

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "forms" / "demo" / "1.0"
SITES = {"101": "University Hospital North", "102": "City Clinic West", "103": "Lakeside Cancer Centre"}
PASSWORD = "granite-otter-87-lantern"

PEOPLE: dict[str, tuple[Role, str]] = {
    "administrator": (Role.ADMINISTRATOR, ""),
    "trial-administrator": (Role.TRIAL_ADMINISTRATOR, ""),
    "coordinator-101": (Role.SITE_COORDINATOR, "101"),
    "coordinator-102": (Role.SITE_COORDINATOR, "102"),
    "investigator-101": (Role.INVESTIGATOR, "101"),
    "monitor": (Role.MONITOR, ""),
    "monitor-102": (Role.MONITOR, "102"),
    "data-manager": (Role.DATA_MANAGER, ""),
    "imaging-qc": (Role.IMAGING_QC, ""),
    "reader": (Role.READER, ""),
    "adjudicator": (Role.ADJUDICATOR, ""),
    "sponsor": (Role.SPONSOR, ""),
    "inspector": (Role.INSPECTOR, ""),
}
"""Names of the people, each with a role and, where it is one site's, the site; ``nobody`` has an account and no role."""


def email_of(name: str) -> str:
    return f"{name}@trial.example"


class Browser(FlaskClient):
    """A client whose requests have a context of their own, as in real life, even where the test has one open."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        answer = contextvars.Context().run(super().open, *args, **kwargs)
        if has_app_context():
            db.session.rollback()  # the test reads on from what is true now
        return answer


@dataclass
class World:
    """The trial DEMO and its people. Needs an application context for all but ``client``."""

    app: Flask
    code: str
    trial_id: str
    site_ids: dict[str, str] = field(default_factory=dict)

    @property
    def trial(self) -> Place:
        return trial_place(self.code)

    def site(self, code: str) -> Place:
        return site_place(self.code, code)

    def person(self, name: str) -> Person:
        return accounts.find_person(email_of(name))

    @contextmanager
    def acting(self, name: str, reason: str = "a test") -> Iterator[UnitOfWork]:
        """Open a unit of work of this person in the trial."""
        with unit_of_work(self.person(name).actor, reason, trial_id=self.trial_id) as uow:
            yield uow

    def client(self, name: str = "") -> FlaskClient:
        """Give a browser of its own; signed in where a person is named."""
        client = self.app.test_client()
        if name:
            with self.app.app_context():
                opened = session.sign_in(services(), email_of(name), PASSWORD, "test browser")
            if has_app_context():
                db.session.rollback()
            with client.session_transaction() as cookie:
                cookie["session"] = opened
        return client

    def token(self, name: str) -> str:
        """Give a token of this person, for the interface for programs."""
        person = self.person(name)
        with unit_of_work(person.actor, "a token for a test") as uow:
            return token.create_token(uow, person.account_id, label="test")

    def bearer(self, name: str) -> dict[str, str]:
        """Give the header with which a program of this person asks."""
        return {"Authorization": f"Bearer {self.token(name)}"}

    def subject(self, site: str = "101", *, birth_year: int | None = 1961, sex: str | None = "F") -> str:
        """Enrol a subject at a site and give the number."""
        from trialimg.casework.enrolment import enrol

        with self.acting(f"coordinator-{site}" if f"coordinator-{site}" in PEOPLE else "trial-administrator") as uow:
            return enrol(uow, self.site(site), birth_year=birth_year, sex=sex)


def csrf_of(page: str) -> str:
    """Give the token that a page's inputs must send back."""
    start = page.index('name="csrf_token"')
    return page[start:].split('value="', 1)[1].split('"', 1)[0]


def add_person(name: str) -> str:
    """Invite somebody by the operator, let them follow their link, and give the key of the account."""
    by = accounts.OPERATOR
    with unit_of_work(Actor("operator"), "a person for tests") as uow:
        account_id = accounts.invite(uow, by, email=email_of(name), name=name.replace("-", " ").title())
        link = password.one_time_link(uow, services(), by, account_id)
    password.set_password(urlsplit(link).path.rsplit("/", 1)[-1], PASSWORD)
    return account_id


def make_world(app: Flask, *, folder: Path = DEMO) -> World:
    """Make the world in an empty, migrated installation; call it in an application context."""
    with unit_of_work(Actor("operator"), "a trial for tests") as uow:
        code = setup.load_trial(uow, services(), folder)
    place = trial_place(code)
    world = World(app, code, place.trial_id)
    with unit_of_work(Actor("operator"), "sites for tests", trial_id=place.trial_id) as uow:
        for site, name in SITES.items():
            world.site_ids[site] = setup.add_site(uow, place, code=site, name=name, country="CH")
    for name in ("administrator", "trial-administrator"):
        account_id = add_person(name)
        role = PEOPLE[name][0]
        with unit_of_work(Actor("operator"), "first people") as uow:
            accounts.give_role(
                uow, accounts.OPERATOR, account_id, role,
                trial_id=None if role is Role.ADMINISTRATOR else place.trial_id,
            )  # fmt: skip
    by = world.person("trial-administrator")
    for name, (role, site) in PEOPLE.items():
        if name in {"administrator", "trial-administrator"}:
            continue
        account_id = add_person(name)
        with unit_of_work(by.actor, "people of the trial", trial_id=place.trial_id) as uow:
            accounts.give_role(
                uow, by, account_id, role, trial_id=place.trial_id, site_id=world.site_ids[site] if site else None
            )
    add_person("nobody")
    return world


def second_trial(folder: Path) -> Place:
    """Load the demo once more as the trial TWIN, without a site, and give it."""
    files = folder / "second-trial"
    shutil.copytree(DEMO, files)
    written = (files / "trial.yaml").read_text("utf-8")
    (files / "trial.yaml").write_text(written.replace("code: DEMO", "code: TWIN", 1), "utf-8")
    with unit_of_work(Actor("operator"), "a second trial") as uow:
        setup.load_trial(uow, services(), files)
    return trial_place("TWIN")


def close_into_one_file() -> None:
    """Close the data base so that its file can be copied: on SQLite what was written last stands beside it."""
    db.session.remove()
    with db.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.engine.dispose()


@pytest.fixture(scope="session")
def peopled(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of an installation with the small world in it, made once; tests copy it."""
    from tests.conftest import make_settings
    from trialimg.app import create_app

    data = tmp_path_factory.mktemp("peopled") / "data"
    shutil.copytree(migrated, data)
    made = create_app(make_settings(data), config={"TESTING": True})
    with made.app_context():
        make_world(made)
        close_into_one_file()
    return data


@pytest.fixture
def world(peopled: Path, context: Flask) -> World:
    """The small world in a data base of the test's own, in an open application context."""
    shutil.copytree(peopled, services().settings.data, dirs_exist_ok=True)
    place = trial_place("DEMO")
    return World(context, place.trial_code, place.trial_id, {each.code: each.site_id for each in sites(place.trial_id)})
