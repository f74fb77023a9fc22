"""Workers killed with SIGKILL at every step: everything ends linked, nothing twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.pipeline.bed import Bed
from trialimg.casework.services import services
from trialimg.domain.submission import Fate, Stage, Step

MAIN_STEPS = [Step.SURVEY, Step.DEIDENTIFY, Step.OUTBOX, Step.PUSH, Step.VERIFY]


@dataclass
class Doom:
    """Workers in processes of their own, one of which kills itself once."""

    bed: Bed
    files: list[Path]
    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def marker(self) -> Path:
        return self.folder / "died"

    def start(self, step: Step | None = None, moment: str = "") -> subprocess.Popen[bytes]:
        settings = services().settings
        told = {
            "data": str(settings.data.resolve()), "database_url": settings.database_url, "step": step,
            "moment": moment, "marker": str(self.marker),
        }  # fmt: skip
        with (self.folder / "workers.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.pipeline.doomed", json.dumps(told)], cwd=ROOT, stdout=log, stderr=log
            )
        self.started.append(process)
        return process

    def stop(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def send(self) -> str:
        key = self.bed.start()
        self.bed.announce(key, self.bed.send(key, self.files))
        return key

    def wait_for(self, key: str, stage: Stage, seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.bed.stage(key) is stage:
                return
            time.sleep(0.2)
        log = (self.folder / "workers.log").read_text()[-3000:]
        pytest.fail(f"{self.bed.stage(key)}: {self.bed.sentence(key)}\n{log}")

    def kill_at(self, step: Step, moment: str, workers: int) -> None:
        """Send images while one of the workers dies at the step; all must end linked, nothing twice."""
        key = self.send()
        processes = [self.start(step, moment) for _ in range(workers)]
        if workers == 1:
            if step is not Step.SURVEY:
                self.wait_for(key, Stage.SURVEYED)
                self.bed.confirm(key)
            assert processes[0].wait(60) == -signal.SIGKILL
            self.start()
        if self.bed.stage(key) in {Stage.RECEIVED, Stage.SURVEYED}:
            self.wait_for(key, Stage.SURVEYED)
            self.bed.confirm(key)
        self.wait_for(key, Stage.LINKED)
        assert self.marker.exists()
        assert set(self.bed.fates(key)) == {Fate.SENT}
        (study,) = self.bed.studies()
        assert study.instance_count == len(self.files)
        assert len(services().archive.holds(study.study_instance_uid)) == len(self.files)
        assert sorted(job.step for job in self.bed.jobs(key)) == sorted(each.value for each in MAIN_STEPS)

    def end_in_peace(self) -> None:
        process = self.start()
        self.wait_for(self.send(), Stage.SURVEYED)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.fixture
def doom(bed: Bed, ct: list[Path], tmp_path: Path) -> Iterator[Doom]:
    made = Doom(bed, ct, tmp_path)
    yield made
    made.stop()


on_postgresql = pytest.mark.parametrize("engine", [pytest.param("postgresql", marks=pytest.mark.postgresql)])


@pytest.mark.slow
@pytest.mark.parametrize("step", MAIN_STEPS)
def test_on_sqlite_the_next_worker_ends_what_a_killed_one_was_at(doom: Doom, step: Step) -> None:
    doom.kill_at(step, "worked", 1)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["started", "writing", "written"])
def test_on_sqlite_a_kill_at_any_moment_of_the_proof_is_harmless(doom: Doom, moment: str) -> None:
    doom.kill_at(Step.VERIFY, moment, 1)


@pytest.mark.slow
@on_postgresql
@pytest.mark.parametrize("step", MAIN_STEPS)
def test_on_postgresql_the_other_worker_takes_up_what_a_killed_one_was_at(
    doom: Doom, step: Step, engine: str
) -> None:
    doom.kill_at(step, "worked", 2)


@pytest.mark.slow
@on_postgresql
@pytest.mark.parametrize("moment", ["started", "writing", "written"])
def test_on_postgresql_a_kill_at_any_moment_of_the_proof_is_harmless(doom: Doom, moment: str, engine: str) -> None:
    doom.kill_at(Step.VERIFY, moment, 2)


@on_postgresql
def test_on_postgresql_a_worker_ends_in_peace_when_asked(doom: Doom, engine: str) -> None:
    doom.end_in_peace()


def test_on_sqlite_a_worker_ends_in_peace_when_asked(doom: Doom) -> None:
    doom.end_in_peace()
