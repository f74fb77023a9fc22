from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.casework.pixel_bed import clip_study
from tests.pipeline.bed import Bed
from trialimg.domain.submission import Stage, Step
from trialimg.pipeline.look import look
from trialimg.pipeline.steps import STEPS
from trialimg.pipeline.work import Finish, Work
from trialimg.worker import Embedded, start_embedded, stop_embedded


def wait_for(bed: Bed, key: str, stage: Stage, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while bed.stage(key) is not stage and time.monotonic() < until:
        time.sleep(0.05)
    assert bed.stage(key) is stage, bed.sentence(key)


def test_the_embedded_worker_is_woken_and_takes_images_all_the_way(bed: Bed, ct: list[Path]) -> None:
    start_embedded(bed.app)
    try:
        assert bed.app.extensions["trialimg_worker_alive"]()
        key = bed.start()
        bed.announce(key, bed.send(key, ct))
        wait_for(bed, key, Stage.SURVEYED)
        bed.confirm(key)
        wait_for(bed, key, Stage.LINKED)
    finally:
        stop_embedded(bed.app)
    assert not bed.app.extensions["trialimg_worker_alive"]()


def test_images_go_on_while_those_held_for_their_pixels_are_still_searched_for_text(
    bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searching, enough = threading.Event(), threading.Event()

    def slow(work: Work) -> Finish:
        searching.set()
        enough.wait(120)
        return look(work)

    monkeypatch.setitem(STEPS, Step.LOOK, slow)
    key = bed.survey(clip_study(tmp_path / "clip"))
    bed.confirm(key)
    start_embedded(bed.app)
    try:
        assert searching.wait(60)
        wait_for(bed, key, Stage.LINKED)
        assert not enough.is_set()
    finally:
        enough.set()
        stop_embedded(bed.app)


def test_there_is_one_embedded_worker_for_a_data_folder_and_the_next_one_takes_over(bed: Bed, ct: list[Path]) -> None:
    first, second = Embedded(bed.app), Embedded(bed.app)
    worked: list[str] = []
    for worker, name in ((first, "first"), (second, "second")):
        real = worker._round

        def noted(
            lane: tuple[str, ...], real: Callable[[tuple[str, ...]], object] = real, name: str = name
        ) -> bool:
            worked.append(name)
            return bool(real(lane))

        worker._round = noted  # type: ignore[method-assign]  # to be watched
    first.start()
    time.sleep(0.5)
    second.start()
    try:
        time.sleep(1.5)
        assert set(worked) == {"first"}
        first.stop()
        key = bed.start()
        bed.announce(key, bed.send(key, ct))
        wait_for(bed, key, Stage.SURVEYED)
        assert "second" in worked
    finally:
        second.stop()


def test_an_end_in_the_middle_of_a_step_is_gone_on_with_at_the_next_start(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    bed.confirm(key)
    start_embedded(bed.app)
    stop_embedded(bed.app)
    start_embedded(bed.app)
    try:
        wait_for(bed, key, Stage.LINKED)
    finally:
        stop_embedded(bed.app)
