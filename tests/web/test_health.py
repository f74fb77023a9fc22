from __future__ import annotations

import fcntl
from datetime import timedelta

import pytest
from flask import Flask

from tests.world import World
from trialimg.casework.services import services
from trialimg.errors import ArchiveUnavailable, NoSpace
from trialimg.store.base import utc_now
from trialimg.store.job import Job
from trialimg.store.unit_of_work import Actor, unit_of_work


@pytest.fixture(autouse=True)
def worker_here(app: Flask) -> None:
    """A worker in this process, as far as anybody asks."""
    app.extensions["trialimg_worker_alive"] = lambda: True


def test_a_living_process_says_so_to_anybody(context: Flask) -> None:
    answer = context.test_client().get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"alive": True})


def test_an_installation_that_can_work_is_ready(context: Flask) -> None:
    answer = context.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()) == (200, {"ready": True, "cannot_work": {}})


@pytest.mark.parametrize(
    ("part", "method", "error"),
    [
        ("vault", "check_writable", NoSpace("The disk is full.")),
        ("archive", "check", ArchiveUnavailable("The archive does not answer.")),
    ],
)
def test_the_part_that_cannot_work_is_named(
    context: Flask, monkeypatch: pytest.MonkeyPatch, part: str, method: str, error: Exception
) -> None:
    def fail(_self: object) -> None:
        raise error

    monkeypatch.setattr(type(getattr(services(), part)), method, fail)
    answer = context.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json() == {"ready": False, "cannot_work": {part: str(error)}}


def test_a_worker_that_stopped_is_named(world: World) -> None:
    world.app.extensions["trialimg_worker_alive"] = lambda: False
    assert "stopped" in world.app.test_client().get("/readyz").get_json()["cannot_work"]["worker"]


def test_a_missing_worker_is_named_until_another_process_has_the_lock(world: World) -> None:
    del world.app.extensions["trialimg_worker_alive"]
    client = world.app.test_client()
    assert "trialimg worker" in client.get("/readyz").get_json()["cannot_work"]["worker"]
    with services().settings.worker_lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert client.get("/readyz").status_code == 200
    assert client.get("/readyz").status_code == 503


def test_work_that_another_process_leaves_undone_is_named(world: World) -> None:
    del world.app.extensions["trialimg_worker_alive"]
    with unit_of_work(Actor("test"), "work that nobody does") as uow:
        now = utc_now()
        uow.session.add(Job(step="push", due=now - timedelta(minutes=6), created_at=now, created_by="test"))
    with services().settings.worker_lock_file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = world.app.test_client().get("/readyz")
    assert "five minutes" in answer.get_json()["cannot_work"]["worker"]


def test_a_data_base_that_was_never_migrated_is_named(context: Flask) -> None:
    from trialimg.store.base import db

    with db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_chain RENAME TO elsewhere")
    answer = context.test_client().get("/readyz")
    assert answer.status_code == 503
    assert "database" in answer.get_json()["cannot_work"]
