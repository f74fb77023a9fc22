from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import psycopg
import pytest
from flask import Flask

from tests import peers
from tests.conftest import make_keys, make_settings
from tests.pipeline.bed import Bed, FakeArchive, ct, ct_folder, make_bed
from tests.world import World, make_world, peopled, world
from trialimg.app import create_app
from trialimg.casework.access import trial_place
from trialimg.casework.setup import sites
from trialimg.settings import Settings
from trialimg.store.base import db

__all__ = ["ct", "ct_folder", "peopled", "world"]

ON_BOTH = {"test_chain", "test_steps", "test_archive_failures"}
"""The modules whose promises hold on both engines."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in ON_BOTH:
        marked = pytest.param("postgresql", marks=pytest.mark.postgresql)
        metafunc.parametrize("engine", ["sqlite", marked])


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def bed(engine: str, request: pytest.FixtureRequest) -> Bed:
    return make_bed(request.getfixturevalue("world" if engine == "sqlite" else "world_on_postgresql"))


@pytest.fixture
def archive(bed: Bed) -> FakeArchive:
    """The bed's archive, replaced by one that can be made to misbehave."""
    fake = FakeArchive()
    bed.use_archive(fake)
    return fake


# ── PostgreSQL: one server, one data base with people in it, a copy of that for each test ─────────


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.PostgresPeer]:
    peers.require(peers.missing_postgresql())
    with peers.postgresql(tmp_path_factory.mktemp("postgresql")) as peer:
        yield peer


def _make_database(server: peers.PostgresPeer, name: str, template: str = "template0") -> str:
    with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server.url.rpartition("/")[0] + f"/{name}"


@pytest.fixture(scope="session")
def peopled_on_postgresql(server: peers.PostgresPeer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder beside the data base ``peopled``, which has the small world in it."""
    data = tmp_path_factory.mktemp("peopled-pg") / "data"
    data.mkdir()
    settings = make_settings(data, database_url=_make_database(server, "peopled"))
    make_keys(settings)
    app = create_app(settings, config={"TESTING": True})
    with app.app_context():
        flask_migrate.upgrade()
        make_world(app)
        db.session.remove()
        db.engine.dispose()
    return data


@pytest.fixture
def settings_on_postgresql(server: peers.PostgresPeer, peopled_on_postgresql: Path, tmp_path: Path) -> Settings:
    data = tmp_path / "data-pg"
    shutil.copytree(peopled_on_postgresql, data)
    name = f"t{abs(hash(str(tmp_path)))}"
    return make_settings(data, database_url=_make_database(server, name, "peopled"))


@pytest.fixture
def world_on_postgresql(settings_on_postgresql: Settings) -> Iterator[World]:
    app: Flask = create_app(settings_on_postgresql, config={"TESTING": True})
    with app.app_context():
        place = trial_place("DEMO")
        yield World(app, place.trial_code, place.trial_id, {s.code: s.site_id for s in sites(place.trial_id)})
        db.session.remove()
        db.engine.dispose()
