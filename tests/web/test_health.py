from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from tests.world import World
from trialimg.casework.services import services
from trialimg.errors import ArchiveUnavailable, NoSpace
from trialimg.store.base import utc_now
from trialimg.store.job import Job
from trialimg.store.unit_of_work import Actor, unit_of_work


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


def test_a_worker_that_stopped_or_is_missing_is_named(world: World) -> None:
    client = world.app.test_client()
    with unit_of_work(Actor("test"), "work that nobody does") as uow:
        now = utc_now()
        uow.session.add(Job(step="push", due=now - timedelta(minutes=6), created_at=now, created_by="test"))
    assert "trialimg worker" in client.get("/readyz").get_json()["cannot_work"]["worker"]
    world.app.extensions["trialimg_worker_alive"] = lambda: False
    assert "worker" in client.get("/readyz").get_json()["cannot_work"]
    world.app.extensions["trialimg_worker_alive"] = lambda: True
    assert client.get("/readyz").status_code == 200


def test_a_data_base_that_was_never_migrated_is_named(context: Flask) -> None:
    from trialimg.store.base import db

    with db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_chain RENAME TO elsewhere")
    answer = context.test_client().get("/readyz")
    assert answer.status_code == 503
    assert "database" in answer.get_json()["cannot_work"]
