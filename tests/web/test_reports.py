"""The sponsor's pages: what may be asked for, by whom, and what comes."""

from __future__ import annotations

import io
import zipfile

import pytest
from sqlalchemy import select

from tests.reporting.filled import fill_vitals
from tests.world import World, csrf_of
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db
from trialimg.store.export import Export
from trialimg.worker import run_until_idle

URL = "/trials/DEMO/reports"
BY_ROLE = {
    "sponsor": (200, True), "data-manager": (200, True), "inspector": (200, True), "monitor": (200, False),
    "monitor-102": (200, False), "coordinator-101": (403, False), "investigator-101": (403, False),
    "imaging-qc": (403, False), "trial-administrator": (403, False), "reader": (403, False),
    "adjudicator": (404, False), "nobody": (404, False),
}  # fmt: skip


def ask(world: World, name: str, what: str = "casebook", **form: object):
    client = world.client(name)
    token = csrf_of(client.get(URL).text)
    return client, client.post(f"{URL}/{what}", data={"csrf_token": token, **form})


@pytest.mark.parametrize(("name", "expected"), BY_ROLE.items())
def test_each_role_is_offered_what_it_may_export(world: World, name: str, expected: tuple[int, bool]) -> None:
    page = world.client(name).get(URL)
    assert page.status_code == expected[0]
    assert ("Export all data" in page.text) is expected[1]


def test_a_casebook_is_asked_for_made_downloaded_and_each_download_recorded(world: World) -> None:
    number = world.subject()
    fill_vitals(world, number)
    client, answer = ask(world, "sponsor", subject=number)
    assert answer.status_code == 303
    key = db.session.scalar(select(Export.id))
    followed = client.get(f"{URL}/{key}/progress").json
    assert not followed["finished"]
    run_until_idle(world.app)
    assert client.get(f"{URL}/{key}/progress").json["finished"]
    assert "DEMO-101-001-casebook.pdf" in client.get(URL).text
    for _ in range(2):
        file = client.get(f"{URL}/{key}/download")
        assert file.mimetype == "application/pdf"
        assert file.data.startswith(b"%PDF-")
        assert file.headers["Cache-Control"] == "no-store"
    db.session.rollback()
    notes = select(AuditRecord.actor).where(AuditRecord.action == "download", AuditRecord.row_id == key)
    assert list(db.session.scalars(notes)) == ["sponsor@trial.example"] * 2


def test_data_comes_as_a_zip(world: World) -> None:
    fill_vitals(world, world.subject())
    client, _ = ask(world, "data-manager", "data")
    run_until_idle(world.app)
    key = db.session.scalar(select(Export.id))
    file = client.get(f"{URL}/{key}/download")
    assert file.mimetype == "application/zip"
    with zipfile.ZipFile(io.BytesIO(file.data)) as package:
        assert {"subjects.csv", "form_VS.csv", "audit.csv", "dictionary.csv"} <= set(package.namelist())


def test_a_monitor_of_one_site_sees_and_gets_only_its_subjects(world: World) -> None:
    theirs, others = world.subject("102"), world.subject("101")
    page = world.client("monitor-102").get(URL).text
    assert theirs in page
    assert others not in page
    _, answer = ask(world, "monitor-102", subject=others)
    assert answer.status_code == 404
    client, answer = ask(world, "monitor-102", all="1")
    assert answer.status_code == 303
    run_until_idle(world.app)
    assert f"DEMO-{theirs}-casebook.pdf" in client.get(URL).text  # one subject, one file


def test_a_monitor_may_not_export_the_data(world: World) -> None:
    _, answer = ask(world, "monitor", "data")
    assert answer.status_code == 403
    assert db.session.scalar(select(Export.id)) is None


def test_an_export_is_nobody_elses(world: World) -> None:
    ask(world, "sponsor", subject=world.subject())
    run_until_idle(world.app)
    key = db.session.scalar(select(Export.id))
    for name in ("data-manager", "inspector", "monitor"):
        other = world.client(name)
        assert other.get(f"{URL}/{key}/download").status_code == 404
        assert other.get(f"{URL}/{key}/progress").status_code == 404
        assert key not in other.get(URL).text


def test_nothing_chosen_and_too_much_at_once_are_answered_by_sentences(world: World) -> None:
    number = world.subject()
    _, answer = ask(world, "sponsor")
    assert answer.status_code == 422
    assert "No subject was chosen" in answer.text
    for _ in range(3):
        assert ask(world, "sponsor", subject=number)[1].status_code == 303
    _, answer = ask(world, "sponsor", subject=number)
    assert answer.status_code == 409
    assert "under way" in answer.text


def test_a_cancelled_export_is_not_made(world: World) -> None:
    client, _ = ask(world, "sponsor", subject=world.subject())
    key = db.session.scalar(select(Export.id))
    token = csrf_of(client.get(URL).text)
    assert client.post(f"{URL}/{key}/cancel", data={"csrf_token": token}).status_code == 303
    run_until_idle(world.app)
    assert "Cancelled" in client.get(URL).text
    assert client.get(f"{URL}/{key}/download").status_code == 422
