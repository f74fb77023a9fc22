"""The bed of the pages and every address of it, on SQLite and, where the engine may decide, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import flask_migrate
import pytest
from flask import Flask

from tests import peers
from tests.conftest import make_keys, make_settings
from tests.hostile.addresses import Addresses, furnish
from tests.pipeline.bed import Bed, make_bed
from tests.world import Browser, World, make_world, peopled, world
from trialimg.app import create_app
from trialimg.store.base import db

__all__ = ["peopled", "world"]

ON_BOTH = {"test_text", "test_addresses"}
"""The modules whose promises hold on both engines: PostgreSQL refuses what SQLite stores."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2] in ON_BOTH:
        marked = pytest.param("postgresql", marks=pytest.mark.postgresql)
        metafunc.parametrize("engine", ["sqlite", marked], scope="session")


@pytest.fixture(scope="session")
def engine() -> str:
    return "sqlite"


@pytest.fixture(scope="session")
def peopled_on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """An installation on PostgreSQL with the small world in it; the tests of a run share it."""
    peers.require(peers.missing_postgresql())
    folder = tmp_path_factory.mktemp("hostile-pg")
    with peers.postgresql(folder / "postgresql") as peer:
        settings = make_settings(folder / "data", database_url=peer.url)
        make_keys(settings)
        app = create_app(settings, config={"TESTING": True})
        app.test_client_class = Browser
        with app.app_context():
            flask_migrate.upgrade()
            make_world(app)
            db.session.remove()
        yield app
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def world_on_postgresql(peopled_on_postgresql: Flask) -> Iterator[World]:
    from trialimg.casework.access import trial_place
    from trialimg.casework.setup import sites

    app = peopled_on_postgresql
    with app.app_context():
        place = trial_place("DEMO")
        yield World(app, "DEMO", place.trial_id, {each.code: each.site_id for each in sites(place.trial_id)})
        db.session.remove()


@pytest.fixture
def bed(engine: str, request: pytest.FixtureRequest) -> Bed:
    found = request.getfixturevalue("world" if engine == "sqlite" else "world_on_postgresql")
    # As served: a fault is a page with status 500, which these tests look for, and no exception in the client.
    found.app.config["PROPAGATE_EXCEPTIONS"] = False
    return make_bed(found)


@pytest.fixture
def addresses(bed: Bed) -> Addresses:
    return furnish(bed)
