"""Images a person must see: held, decided on, expired."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.pipeline.bed import Bed, FakeArchive, small_ct
from trialimg.casework import held
from trialimg.casework.access import submission_place
from trialimg.casework.services import services
from trialimg.casework.submission import load, outbox, quarantine
from trialimg.domain.submission import Fate, Stage
from trialimg.errors import NotFound, UnreadableObject
from trialimg.pipeline.preview import preview
from trialimg.pipeline.reconcile import EXPIRY_TASK, periodic
from trialimg.store.account import Task
from trialimg.store.base import db
from trialimg.store.unit_of_work import unit_of_work


@pytest.fixture(scope="session")
def dosed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dosed")
    small_ct(folder, dose_report=True)
    return folder


@pytest.fixture
def dosed(dosed_folder: Path) -> list[Path]:
    return sorted(path for path in dosed_folder.rglob("*") if path.is_file())


def decide(bed: Bed, key: str, decision: held.Decision) -> None:
    waiting = frozenset(each.ordinal for each in bed.objects(key) if each.fate == Fate.HELD)
    with bed.world.acting("coordinator-101") as uow:
        held.decide(uow, submission_place(key), ordinals=waiting, decision=decision, reason="looked at it")


def later(bed: Bed, key: str, days: float) -> None:
    with unit_of_work(bed.actor, "time passes", trial_id=bed.world.trial_id) as uow:
        load(uow, key).created_at = uow.at - timedelta(days=days)


def test_a_dose_report_is_held_and_the_rest_is_linked(bed: Bed, dosed: list[Path]) -> None:
    key = bed.link(dosed)
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    assert bed.fates(key).count(Fate.HELD) == 1
    (study,) = bed.studies()
    assert (study.instance_count, study.held_count) == (len(dosed) - 1, 1)
    assert "1 waits for a decision" in bed.sentence(key)
    (waiting,) = [each for each in bed.objects(key) if each.fate == Fate.HELD]
    assert waiting.code == "image.may_show_text"
    assert [each.sha256 for each in quarantine(key).listing()] == [waiting.received_sha256]
    assert outbox(key).listing() == []
    assert bed.submission(key).originals_destroyed_at is None


def test_a_held_image_can_be_looked_at(bed: Bed, dosed: list[Path]) -> None:
    key = bed.link(dosed)
    (waiting,) = [each for each in bed.objects(key) if each.fate == Fate.HELD]
    assert preview(services(), key, waiting.ordinal).startswith(b"\x89PNG")
    sent = next(each for each in bed.objects(key) if each.fate == Fate.SENT)
    with pytest.raises(NotFound):
        preview(services(), key, sent.ordinal)


def test_a_released_image_joins_its_study_and_the_whole_is_proved_again(bed: Bed, dosed: list[Path]) -> None:
    key = bed.link(dosed)
    bed.look_and_send(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    assert set(bed.fates(key)) == {Fate.SENT}
    (study,) = bed.studies()
    assert (study.instance_count, study.held_count) == (len(dosed), 0)
    assert quarantine(key).listing() == []
    assert bed.submission(key).originals_destroyed_at is not None


def test_a_discarded_image_is_destroyed_and_the_study_stays(bed: Bed, dosed: list[Path]) -> None:
    key = bed.link(dosed)
    decide(bed, key, held.Decision.DISCARD)
    bed.run()
    assert bed.stage(key) is Stage.LINKED
    assert bed.fates(key).count(Fate.DISCARDED) == 1
    assert (bed.studies()[0].held_count, quarantine(key).listing()) == (0, [])


def test_when_every_image_is_held_the_submission_waits(bed: Bed, dosed: list[Path]) -> None:
    key = bed.survey(dosed)
    (report,) = [s.index for s in bed.summary(key).series if s.risk]
    main = next(s.index for s in bed.summary(key).series if not s.risk)
    assert main != report
    bed.confirm(key, [report])
    bed.run()
    assert bed.stage(key) is Stage.HELD
    decide(bed, key, held.Decision.DISCARD)
    bed.run()
    assert bed.stage(key) is Stage.REFUSED
    assert bed.studies() == []


def test_the_site_is_told_three_days_before_originals_go_and_then_they_go(bed: Bed, dosed: list[Path]) -> None:
    key = bed.link(dosed)
    later(bed, key, 10)
    periodic()
    assert db.session.scalars(select(Task).where(Task.kind == EXPIRY_TASK)).all() == []
    later(bed, key, 12)
    periodic()
    periodic()
    (task,) = db.session.scalars(select(Task).where(Task.kind == EXPIRY_TASK)).all()
    assert task.about == key
    assert quarantine(key).listing()
    later(bed, key, 14.1)
    periodic()
    assert quarantine(key).listing() == []
    bed.run()
    assert bed.stage(key) is Stage.LINKED
    assert Fate.DISCARDED in bed.fates(key)
    assert bed.studies()[0].held_count == 0
    db.session.rollback()
    assert db.session.get_one(Task, task.id, populate_existing=True).done_at is not None


def test_a_survey_nobody_confirms_is_destroyed_after_the_trials_days(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    later(bed, key, 14.1)
    periodic()
    assert bed.stage(key) is Stage.CANCELLED
    assert quarantine(key).listing() == []


def test_what_cannot_be_shown_says_so(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey([*ct, ("x", b"text that is no picture")])
    bed.submission(key)
    with pytest.raises((NotFound, UnreadableObject)):
        preview(services(), key, len(ct))


def test_originals_do_not_wait_longer_than_allowed_for_an_archive_that_is_away(
    bed: Bed, dosed: list[Path], archive: FakeArchive
) -> None:
    archive.goes_down()
    key = bed.link(dosed)
    assert bed.stage(key) is Stage.PROMISED
    later(bed, key, 14.1)
    periodic()
    assert quarantine(key).listing() == []
    assert outbox(key).listing()
    archive.comes_back()
    bed.retry(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    assert bed.fates(key).count(Fate.DISCARDED) == 1
