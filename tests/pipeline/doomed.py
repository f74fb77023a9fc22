"""A worker process for tests, in a hurry, that kills itself once at one moment of one step (see ``test_kill.py``)."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.conftest import make_settings
from trialimg import worker
from trialimg.app import create_app
from trialimg.domain.submission import Step
from trialimg.pipeline import steps, work
from trialimg.pipeline.work import Finish, Work
from trialimg.store import job


def hurry() -> None:
    job.LEASE = timedelta(seconds=4)
    work.BEAT_SECONDS = 1.0  # type: ignore[misc]  # faster than life
    worker.STALLED_SECONDS = 5.0  # type: ignore[misc]  # faster than life
    worker.PERIOD_SECONDS = 2.0  # type: ignore[misc]  # faster than life


def die_once(marker: Path) -> None:
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def doom(step: Step, moment: str, marker: Path) -> None:
    act, succeed = steps.STEPS[step], steps._succeed

    def acting(started: Work) -> Finish:
        if moment == "started":
            die_once(marker)
        finish = act(started)
        if moment == "worked":
            die_once(marker)
        return finish

    def succeeding(started: Work, finish: Callable[[Any], None], seconds: float) -> None:
        if started.step == step and moment == "writing":
            real = finish

            def finish(uow: Any) -> None:
                real(uow)
                uow.session.flush()
                die_once(marker)

        succeed(started, finish, seconds)
        if started.step == step and moment == "written":
            die_once(marker)

    steps.STEPS[step] = acting  # type: ignore[index]  # for this process only
    steps._succeed = succeeding


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    hurry()
    if told.get("step"):
        doom(Step(told["step"]), told["moment"], Path(told["marker"]))
    worker.run_worker(create_app(make_settings(Path(told["data"]), database_url=told["database_url"])))
