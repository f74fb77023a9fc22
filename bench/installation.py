"""An installation for a bench: the small world, a subject for each run, a server and, where wanted, a worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx
from flask import Flask

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.peers import free_port
from tests.world import World, make_world
from trialimg.app import create_app, migrate_up
from trialimg.casework import imaging
from trialimg.casework.access import slot_place, submission_place
from trialimg.casework.enrolment import date_visit
from trialimg.casework.setup import install
from trialimg.casework.submission_page import submission_report
from trialimg.keyring import Keyring
from trialimg.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
DAY = date(2026, 3, 2)
PATIENT = PATIENT_IDENTITIES[0]


def say(sentence: str) -> None:
    """Tell the person who waits."""
    print(f"· {sentence}", file=sys.stderr, flush=True)


@dataclass
class Installation:
    """One data folder with its processes."""

    data: Path
    archive_url: str = ""
    port: int = field(default_factory=free_port)
    _app: Flask | None = None
    _world: World | None = None
    token: str = ""

    @property
    def url(self) -> str:
        """Give the address it is served at."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, **given: str) -> dict[str, str]:
        """Give the environment of its processes."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIALIMG_")}
        own = {"DATA": str(self.data), "PORT": str(self.port), "ARCHIVE_URL": self.archive_url} | given
        return clean | {f"TRIALIMG_{name}": value for name, value in own.items()}

    def make(self) -> None:
        """Make keys, data base, trial, people and a token."""
        settings, _ = read_settings({}, data=self.data, archive_url=self.archive_url)
        install(Keyring(settings.keys_folder))
        self._app = create_app(settings)
        with self._app.app_context():
            migrate_up()
            self._world = make_world(self._app)
            self.token = self._world.token("coordinator-101")

    def subject(self) -> str:
        """Enrol one more subject with a dated screening."""
        app, world = self._both()
        with app.app_context():
            number = world.subject("101", birth_year=int(PATIENT.birth_date[:4]), sex=PATIENT.sex)
            with world.acting("coordinator-101") as uow:
                date_visit(uow, slot_place(world.code, number, "SCR", "CT").visit_id, DAY, 0)
        return number

    def begin(self, number: str) -> str:
        """Claim the subject's slot for originals, as the page of the slot does."""
        app, world = self._both()
        with app.app_context(), world.acting("coordinator-101") as uow:
            return imaging.start(uow, slot_place(world.code, number, "SCR", "CT"), source="browser", acquired=DAY)

    def timings(self, submission: str) -> dict[str, float]:
        """Give the seconds each step took."""
        app, _world = self._both()
        with app.app_context():
            return submission_report(submission_place(submission)).timings

    def _both(self) -> tuple[Flask, World]:
        assert self._app is not None
        assert self._world is not None
        return self._app, self._world

    @contextmanager
    def process(self, *command: str, **given: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run `trialimg …` beside the bench."""
        with (self.data.parent / "processes.log").open("ab") as log:
            started = subprocess.Popen(
                [sys.executable, "-m", "trialimg", *command], cwd=ROOT, env=self.environment(**given),
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield started
        finally:
            started.terminate()
            started.wait(60)

    def wait_until_served(self) -> None:
        """Wait for the first answer; raises RuntimeError after a minute."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(httpx.HTTPError):
                httpx.get(f"{self.url}/healthz", timeout=5)
                return
            time.sleep(0.1)
        raise RuntimeError("the server did not start")
