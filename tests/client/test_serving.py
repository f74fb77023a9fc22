"""Serving as operators do it: by `trialimg serve` and under gunicorn, and what a load balancer is told."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import Served, make_served, run
from tests.peers import free_port

pytestmark = pytest.mark.slow

COMMANDS = {"serve": ("-m", "trialimg", "serve"), "gunicorn": ("-m", "gunicorn", "wsgi:app")}


@pytest.fixture(params=COMMANDS)
def installation(peopled: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    made = make_served(peopled, tmp_path / "installation")
    made.command = COMMANDS[request.param]
    yield made
    made.end()


def ask(served: Served, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(served.url + path, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_it_serves_pages_and_probes_and_takes_images_to_linked(
    installation: Served, tmp_path: Path, ct: Path
) -> None:
    installation.start()
    assert ask(installation, "/healthz") == (200, {"alive": True})
    assert ask(installation, "/readyz") == (200, {"ready": True, "cannot_work": {}})
    with urllib.request.urlopen(f"{installation.url}/sign-in") as page:
        assert b"csrf_token" in page.read()
    done = installation.send(ct)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stage"] == "linked"


def test_what_is_broken_is_named_and_nothing_of_it_is_shown(installation: Served) -> None:
    port = free_port()
    installation.start(
        TRIALIMG_ARCHIVE_URL=f"http://reader:wisteria@127.0.0.1:{port}/dicom-web", TRIALIMG_WORKER="no"
    )
    assert ask(installation, "/healthz")[0] == 200
    status, told = ask(installation, "/readyz")
    assert (status, set(told["cannot_work"])) == (503, {"archive", "worker"})
    areas = installation.data / "vault" / "areas"
    shutil.rmtree(areas)
    areas.write_text("no folder")
    status, told = ask(installation, "/readyz")
    assert (status, set(told["cannot_work"])) == (503, {"archive", "vault", "worker"})
    assert "wisteria" not in json.dumps(told) + installation.log.read_text()
    (installation.data / "trialimg.sqlite").rename(installation.data / "elsewhere")
    for beside in installation.data.glob("trialimg.sqlite-*"):
        beside.unlink()
    status, told = ask(installation, "/readyz")
    assert (status, set(told["cannot_work"])) == (503, {"database"})
    assert all(sentence.endswith(".") for sentence in told["cannot_work"].values())


def test_a_port_that_is_taken_is_a_sentence(peopled: Path, tmp_path: Path) -> None:
    served = make_served(peopled, tmp_path / "installation")
    served.start()
    try:
        done = run(served.data, "serve", "--port", served.port)
    finally:
        served.end()
    assert done.returncode == 64
    assert "another with --port" in done.stderr
