"""An installation of its own for each test: a data folder, keys, a migrated SQLite file, and the application."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask

from tests.quick import make_quick
from tests.world import Browser, close_into_one_file
from trialimg.app import create_app
from trialimg.keyring import AUDIT, SESSION, Keyring
from trialimg.settings import Settings, read_settings
from trialimg.store.base import db

pytest_plugins = ["tests.world", "tests.e2e.pictures", "tests.sharing", "tests.leftovers"]
make_quick()

ROOT = Path(__file__).resolve().parent.parent
CORPORA = Path(os.environ.get("TRIALIMG_CORPORA") or ROOT.parent / "shared" / "corpora")


def make_settings(data: Path, **given: object) -> Settings:
    """Settings of an installation in a folder, whatever the environment says."""
    settings, _ = read_settings({}, data=data, vault_reserve_mb=0, **given)
    return settings


def make_keys(settings: Settings) -> None:
    keyring = Keyring(settings.keys_folder)
    for name in (AUDIT, SESSION):
        keyring.make(name)


@contextmanager
def migrated_now(settings: Settings) -> Iterator[Flask]:
    """A new installation, migrated, in an open application context."""
    app = create_app(settings, config={"TESTING": True})
    with app.app_context():
        flask_migrate.upgrade()
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated installation that tests copy rather than migrate again."""
    data = tmp_path_factory.mktemp("migrated") / "data"
    data.mkdir()
    settings = make_settings(data)
    make_keys(settings)
    app = create_app(settings)
    with app.app_context():
        flask_migrate.upgrade()
        close_into_one_file()
    return data


@pytest.fixture
def settings(migrated: Path, tmp_path: Path) -> Settings:
    data = tmp_path / "data"
    shutil.copytree(migrated, data)
    return make_settings(data)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings, config={"TESTING": True})
    app.test_client_class = Browser
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """The application with its context open, for tests of casework and below."""
    with app.app_context():
        yield app


@pytest.fixture(scope="session")
def corpora() -> Path:
    if not CORPORA.is_dir():
        pytest.skip(f"the shared corpora are not at {CORPORA}; set TRIALIMG_CORPORA")
    return CORPORA
