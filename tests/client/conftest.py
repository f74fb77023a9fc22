"""The command line as a process of its own, and a served installation with one subject to send for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import make_settings
from tests.peers import free_port
from tests.pipeline.bed import DAY, make_bed, small_ct
from tests.world import World
from trialimg.app import create_app
from trialimg.casework.access import trial_place
from trialimg.casework.setup import sites
from trialimg.store.base import db

ROOT = Path(__file__).resolve().parents[2]


def environment(**given: str) -> dict[str, str]:
    """The environment without any setting of the person who runs the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIALIMG_")}
    return clean | {"PYTHONUNBUFFERED": "1"} | given


def run(data: Path, *arguments: object, **given: str) -> subprocess.CompletedProcess[str]:
    """Run ``trialimg --data DATA …`` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "trialimg", "--data", str(data), *map(str, arguments)],
        cwd=ROOT, env=environment(**given), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@dataclass
class Served:
    """An installation with the small world, one subject whose screening is dated, and its server."""

    data: Path
    number: str
    token_file: Path
    other: str = ""
    """The number of a second subject of the site."""
    command: tuple[str, ...] = ("-m", "trialimg", "serve")
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.data.parent / "server.log"

    def start(self, **given: str) -> None:
        own = {"DATA": str(self.data), "PORT": str(self.port), "VAULT_RESERVE_MB": "0"}
        settings = environment(**{f"TRIALIMG_{name}": value for name, value in own.items()} | given)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.command], cwd=ROOT, env=settings, stdout=log, stderr=log
            )
        until = time.monotonic() + 60
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"{self.url}/healthz", timeout=5).close()
                return
            time.sleep(0.1)
        raise RuntimeError(self.log.read_text(errors="replace")[-2000:])

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def send(self, *paths: Path, **given: str) -> subprocess.CompletedProcess[str]:
        return run(self.data.parent / "client", *self.arguments(*paths), **given)

    def arguments(self, *paths: Path) -> list[object]:
        return [
            "send", "--server", self.url, "--token-file", self.token_file, "--subject", self.number, "--visit", "SCR",
            "--slot", "CT", "--json", *paths,
        ]  # fmt: skip


def make_served(peopled: Path, folder: Path) -> Served:
    """Make the installation in a folder; its server is not started yet."""
    data = folder / "data"
    shutil.copytree(peopled, data)
    app = create_app(make_settings(data), config={"TESTING": True})
    with app.app_context():
        place = trial_place("DEMO")
        ids = {each.code: each.site_id for each in sites(place.trial_id)}
        world = World(app, place.trial_code, place.trial_id, ids)
        number, other = make_bed(world).number, make_bed(world).number
        token = world.token("coordinator-101")
        db.session.remove()
        db.engine.dispose()
    token_file = folder / "token"
    token_file.write_text(f"a line before it\n{token}\n")
    return Served(data, number, token_file, other)


@pytest.fixture(scope="module")
def served(peopled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = make_served(peopled, tmp_path_factory.mktemp("served"))
    made.start()
    yield made
    made.end()


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """Five slices of a CT of one person, as they lie on a disc; of the localizer, which may be held, nothing."""
    localizer, *_slices = small_ct(tmp_path / "ct", slices=5, study_date=DAY.strftime("%Y%m%d"))
    localizer.unlink()
    localizer.parent.rmdir()
    return tmp_path / "ct"
