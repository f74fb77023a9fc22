"""Where a trial shifts dates, a shifted one stands nowhere beside the true one: the pair would tell the shift."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import select

from tests.pipeline.bed import DAY, Bed
from tests.pipeline.test_source import cleaned
from tests.reporting.test_export import made
from trialimg.casework.access import subject_place
from trialimg.casework.definition import definition
from trialimg.domain.submission import Stage
from trialimg.reporting.data import write_data
from trialimg.store.base import db
from trialimg.store.trial import TrialDefinitionVersion


@pytest.fixture
def shifting(bed: Bed) -> Iterator[Bed]:
    version = db.session.scalars(select(TrialDefinitionVersion)).one()
    key, content = version.id, json.loads(version.content)
    content["deidentification"]["dates"] = "shifted"
    db.session.rollback()
    with bed.world.acting("trial-administrator") as uow:
        uow.session.get_one(TrialDefinitionVersion, key).content = json.dumps(content)
    definition.cache_clear()
    yield bed
    definition.cache_clear()


def shifted_day(files: list[Path]) -> date:
    text = str(dcmread(files[0], stop_before_pixels=True).StudyDate)
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


@pytest.mark.parametrize("given", [DAY, None])
def test_the_record_and_the_exports_hold_the_date_given_and_never_the_shifted_one(
    shifting: Bed, ct: list[Path], tmp_path: Path, given: date | None
) -> None:
    (tmp_path / "cleaned").mkdir()
    files = cleaned(shifting, ct, tmp_path / "cleaned")
    moved = shifted_day(files)
    assert moved != DAY
    key = shifting.survey(files, cleaned_at_source=True, acquired=given)
    assert all(study.date == "" for study in shifting.summary(key).studies)
    assert not any(str(moved.year) in problem.sentence for problem in shifting.summary(key).problems)
    shifting.confirm(key)
    shifting.run()
    assert shifting.stage(key) is Stage.LINKED, shifting.sentence(key)
    (study,) = shifting.studies()
    assert study.acquired == given
    place = subject_place(shifting.world.code, shifting.number)
    folder, person = tmp_path / "tables", shifting.world.person("sponsor")
    folder.mkdir()
    write_data(person, place, [shifting.number], folder, lambda _done, _of: None)
    said = "\n".join(path.read_text("utf-8-sig") for path in folder.iterdir())
    book = tmp_path / "book"
    book.mkdir()
    said += made(shifting.world, "sponsor", shifting.number, book)
    for spelled in (moved.isoformat(), f"{moved:%Y%m%d}"):
        assert spelled not in said
    with (folder / "imaging.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["acquired"] for row in csv.DictReader(file)] == [given.isoformat() if given else ""]
