"""A disk that is really full: what is told, what is kept, and that the same goes on when there is space again."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.hostile.addresses import is_a_sentence, said, token_of
from tests.pipeline.bed import Bed, make_bed, small_ct
from tests.world import World
from trialimg.casework.services import services
from trialimg.domain.submission import Stage
from trialimg.vault import Vault

_MIB = 2**20
_SIZE = 6 * _MIB


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of six megabytes. It takes root and the right to mount."""
    if os.geteuid() != 0:
        pytest.skip("a small disk is mounted for this test, which only root may")
    folder = tmp_path / "small-disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("no small disk can be mounted here: this container may not mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def bed(world: World, small_disk: Path) -> Bed:
    """The bed, with its vault on the small disk."""
    from dataclasses import replace

    from trialimg.casework.services import EXTENSION

    world.app.config["PROPAGATE_EXCEPTIONS"] = False
    tools = replace(services(), vault=Vault(small_disk / "vault", reserve_bytes=0))
    world.app.extensions[EXTENSION] = tools
    return make_bed(world)


def fill(folder: Path, *, leave: int) -> Path:
    """Let something else take the disk but for some bytes."""
    blocker = folder / "somebody-elses-file"
    disk = os.statvfs(folder)
    blocker.write_bytes(b"\0" * max(0, disk.f_bavail * disk.f_frsize - leave))
    return blocker


def arrived(bed: Bed, key: str) -> dict[int, str]:
    return {item.ordinal: item.received_sha256 for item in bed.objects(key)}


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".arriving-")]


def test_receiving_until_the_disk_is_full_loses_nothing_and_goes_on(bed: Bed, small_disk: Path) -> None:
    key, client = bed.start(), bed.world.client()
    bearer = bed.world.bearer("coordinator-101")
    bodies = {number: os.urandom(700_000) for number in range(1, 15)}

    def send(number: int):
        headers = {**bearer, "X-Object-Ordinal": str(number)}
        return client.post(f"/api/v1/submissions/{key}/objects", data=bodies[number], headers=headers)

    answers = {number: send(number) for number in bodies}
    taken = {number for number, answer in answers.items() if answer.status_code == 201}
    refused = set(bodies) - taken
    assert taken
    assert refused
    for number in refused:
        told = answers[number].get_json()
        assert answers[number].status_code == 507
        assert answers[number].headers["Retry-After"]
        assert "full" in told["detail"]
        assert "what was received before is safe" in told["detail"]
        assert told["code"] == "later.no_space"
    assert set(arrived(bed, key)) == taken
    assert not leftovers(small_disk)
    for number in taken:
        with services().vault.area(f"quarantine/{key}").open(hashlib.sha256(bodies[number]).hexdigest()) as kept:
            assert kept.read() == bodies[number]

    subprocess.run(["mount", "-o", f"remount,size={20 * _MIB}", str(small_disk)], check=True)
    assert {send(number).status_code for number in sorted(refused)} == {201}
    assert {send(number).status_code for number in sorted(taken)} == {201}, "a repeat is the same object"
    assert arrived(bed, key) == {number: hashlib.sha256(body).hexdigest() for number, body in bodies.items()}
    bed.announce(key, len(bodies))
    assert bed.stage(key) is Stage.RECEIVED


def test_a_plain_form_on_a_full_disk_is_a_page_with_a_sentence(bed: Bed, small_disk: Path, tmp_path: Path) -> None:
    files = [path for path in small_ct(tmp_path / "ct") if path.is_file()]
    client = bed.world.client("coordinator-101")
    url = f"/trials/DEMO/subjects/{bed.number}/visits/SCR/slots/CT"
    token = token_of(client)
    blocker = fill(small_disk, leave=16 * 1024)

    def send():
        sent = [(BytesIO(path.read_bytes()), path.name) for path in files]
        return client.post(f"{url}/submissions", data={"csrf_token": token, "files": sent}, content_type="multipart/form-data")

    answer = send()
    assert answer.status_code == 507
    assert is_a_sentence(answer)
    assert "full" in said(answer)
    page = client.get(url).get_data(as_text=True)
    assert "Attach" in page, "the slot is free for the next try"
    blocker.unlink()
    assert send().status_code == 303


def test_the_steps_wait_for_space_and_end_as_if_nothing_had_been(bed: Bed, small_disk: Path, tmp_path: Path) -> None:
    files = [path for path in small_ct(tmp_path / "ct") if path.is_file()]
    key = bed.start()
    bed.announce(key, bed.send(key, files))
    blocker = fill(small_disk, leave=0)
    bed.run()
    stuck = bed.stage(key)
    assert stuck not in {Stage.LINKED, Stage.REFUSED, Stage.CANCELLED}
    assert len(arrived(bed, key)) == len(files)
    blocker.unlink()
    with bed.world.acting("trial-administrator", "there is space again") as uow:
        from sqlalchemy import select

        from trialimg.store.job import Job

        for job in uow.session.scalars(select(Job).where(Job.submission_id == key, Job.state == "waiting")):
            job.due = uow.at
    bed.run()
    assert bed.stage(key) is Stage.SURVEYED
    bed.confirm(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_a_data_base_without_space_says_so_and_keeps_what_it_has(bed: Bed, small_disk: Path) -> None:
    """SQLite says *full* where a page limit is reached, as where the disk is."""
    from sqlalchemy import event

    from trialimg.store.base import db

    def narrow(connection, _record) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    client = bed.world.client("coordinator-101")
    token, url = token_of(client), f"/trials/DEMO/subjects/{bed.number}/visits/W8"
    db.session.remove()
    db.engine.dispose()
    event.listen(db.engine, "connect", narrow)
    try:
        for _ in range(40):
            answer = client.post(f"{url}/not-done", data={"csrf_token": token, "revision": "0", "reason": "x" * 900})
            if answer.status_code >= 500:
                break
            answer = client.post(f"{url}/not-done", data={"csrf_token": token, "undo": "1", "reason": "y" * 900})
            if answer.status_code >= 500:
                break
        assert answer.status_code == 507
        assert is_a_sentence(answer)
        assert "full" in said(answer)
        assert client.get(url).status_code == 200
    finally:
        event.remove(db.engine, "connect", narrow)
        db.session.remove()
        db.engine.dispose()
    assert client.get(url).status_code == 200
