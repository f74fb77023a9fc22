"""Both engines for the tests of the store: SQLite, and PostgreSQL with a role that owns and a role that works."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask

from tests import peers
from tests.conftest import make_keys, make_settings, migrated_now
from trialimg.settings import Settings

OWNER, WORKER = "trialimg_owner", "trialimg_app"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.PostgresPeer]:
    peers.require(peers.missing_postgresql())
    with peers.postgresql(tmp_path_factory.mktemp("postgresql")) as peer:
        with psycopg.connect(peer.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {OWNER} LOGIN")
            connection.execute(f"CREATE ROLE {WORKER} LOGIN")
        yield peer


@pytest.fixture
def two_roles(postgres: peers.PostgresPeer, tmp_path: Path) -> Settings:
    """Settings of an installation on an empty data base of its own, with the two roles; nothing is migrated yet."""
    name = f"test_{next(_numbers)}"
    plain = postgres.url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    there = postgres.url.rsplit("@", 1)[1].rsplit("/", 1)[0]
    settings = make_settings(
        tmp_path / "pg",
        database_url=f"postgresql+psycopg://{WORKER}@{there}/{name}",
        migration_url=f"postgresql+psycopg://{OWNER}@{there}/{name}",
    )
    make_keys(settings)
    return settings


@pytest.fixture
def on_postgresql(two_roles: Settings) -> Iterator[Flask]:
    """A migrated installation on PostgreSQL, in an open application context."""
    with migrated_now(two_roles) as app:
        yield app


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def either(request: pytest.FixtureRequest) -> Flask:
    """A migrated installation on each engine in turn."""
    name = "context" if request.param == "sqlite" else "on_postgresql"
    app = request.getfixturevalue(name)
    assert isinstance(app, Flask)
    return app


def as_owner(settings: Settings) -> psycopg.Connection[tuple[object, ...]]:
    """Connect as the role that owns the tables: what triggers alone must stop."""
    return psycopg.connect(settings.migration_url.replace("+psycopg", ""), autocommit=True)


def as_worker(settings: Settings) -> psycopg.Connection[tuple[object, ...]]:
    """Connect as the role the application works with."""
    return psycopg.connect(settings.database_url.replace("+psycopg", ""), autocommit=True)
