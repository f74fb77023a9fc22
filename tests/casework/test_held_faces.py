"""Where a trial holds what may show a face: heads wait, are shown and decided on, and nobody looks for text in them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from sqlalchemy import select

from tests.casework.pixel_bed import clip_study, known_finds
from tests.pipeline.bed import Bed
from tests.web.imaging_bed import bed
from trialimg.casework.access import submission_place
from trialimg.casework.definition import definition
from trialimg.casework.pixel_review_page import review_page
from trialimg.domain.submission import Fate
from trialimg.pipeline import look
from trialimg.pipeline.child import Json
from trialimg.store.trial import TrialDefinitionVersion

__all__ = ["bed", "known_finds"]


@pytest.fixture
def faces_are_held(bed: Bed) -> Iterator[None]:
    """The trial holds what may show a face."""
    with bed.world.acting("data-manager") as uow:
        for version in uow.session.scalars(select(TrialDefinitionVersion)):
            content = json.loads(version.content)
            content["deidentification"]["hold_recognisable"] = True
            version.content = json.dumps(content)
    definition.cache_clear()  # a version never changes but here
    yield
    definition.cache_clear()


@pytest.mark.usefixtures("known_finds", "faces_are_held")
def test_heads_are_held_shown_and_decided_on_and_only_the_clip_is_searched_for_text(
    bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, asked, real = clip_study(tmp_path / "clip"), list[tuple[str, int]](), look.ask_each
    for path in files[:-1]:
        ds = dcmread(path)
        ds.BodyPartExamined, ds.SliceThickness = "HEAD", "1.0"
        ds.save_as(path)

    def noted(requests: Iterable[Json], setup: Mapping[str, Any], limits: Any) -> Iterator[tuple[Json, Json]]:
        waiting = list(requests)
        asked.extend((each["do"], each["ordinal"]) for each in waiting)
        yield from real(waiting, setup, limits)

    monkeypatch.setattr(look, "ask_each", noted)
    key = bed.link(files)
    assert set(bed.fates(key)) == {Fate.HELD}
    clip = len(files) - 1
    assert {ordinal for do, ordinal in asked if do == "find_text"} == {clip}
    assert {ordinal for do, ordinal in asked if do == "frame"} == set(range(len(files)))
    heads = [line for line in review_page(submission_place(key)).lines if line.series != clip]
    assert {line.columns for line in heads} == {64}
    bed.look_and_send(key)
    bed.run()
    assert set(bed.fates(key)) == {Fate.SENT}, bed.sentence(key)
