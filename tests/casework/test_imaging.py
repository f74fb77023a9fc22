from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.bed import Bed, FakeArchive, small_ct
from tests.web.imaging_bed import bed, ct, ct_folder
from trialimg.casework import imaging
from trialimg.casework.access import submission_place
from trialimg.casework.enrolment import mark_slot_not_done
from trialimg.casework.services import services
from trialimg.domain.submission import Fate, Stage
from trialimg.errors import ArchiveUnavailable, BadInput, Conflict
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy
from trialimg.store.job import Job

__all__ = ["bed", "ct", "ct_folder"]


def cancel(bed: Bed, key: str, reason: str = "The wrong visit.") -> None:
    with bed.world.acting("coordinator-101") as uow:
        imaging.cancel(uow, services(), submission_place(key), reason)


def test_a_slot_marked_not_done_takes_no_images(bed: Bed) -> None:
    with bed.world.acting("coordinator-101", "The scanner was broken.") as uow:
        mark_slot_not_done(uow, bed.slot().slot_id, "The scanner was broken.")
    with pytest.raises(Conflict, match="not done"):
        bed.start()


def test_originals_are_not_taken_where_the_trial_keeps_them_at_the_site(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    from trialimg.domain.trial import TrialDefinition

    monkeypatch.setattr(TrialDefinition, "deidentify_at", "site")
    with pytest.raises(Conflict, match="before they leave your site"):
        bed.start()
    assert bed.start(cleaned_at_source=True)


@pytest.mark.parametrize("reason", ["", "   ", "\n\t", "x" * (imaging.MOST_REASON + 1)])
def test_a_reason_is_given_and_not_endless(reason: str) -> None:
    with pytest.raises(BadInput):
        imaging.a_reason(reason)


def test_what_was_not_chosen_is_destroyed_at_once(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    summary = bed.summary(key)
    biggest = max(summary.series, key=lambda series: series.instances).index
    left = {o.received_sha256 for o in bed.objects(key) if o.ordinal not in summary.ordinals(frozenset({biggest}))}
    assert left
    bed.confirm(key, [biggest])
    area = services().vault.area(f"quarantine/{key}")
    assert not left & {stored.sha256 for stored in area.listing()}
    assert bed.fates(key).count(Fate.LEFT_OUT) == len(left)


def test_cancelling_before_the_archive_was_asked_leaves_no_byte_and_no_work(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    cancel(bed, key)
    assert bed.stage(key) is Stage.CANCELLED
    assert services().vault.area(f"quarantine/{key}").listing() == []
    assert bed.submission(key).originals_destroyed_at is not None
    assert set(bed.fates(key)) == {Fate.DISCARDED}
    assert not [job for job in bed.jobs(key) if job.state in {"waiting", "running"}]


def test_what_the_archive_was_given_of_a_cancelled_submission_is_removed_there(bed: Bed, ct: list[Path]) -> None:
    archive = FakeArchive(fails_after_storing=ArchiveUnavailable("The archive answered 503 after it had stored."))
    bed.use_archive(archive)
    key = bed.survey(ct)
    bed.confirm(key)
    bed.run()
    assert archive.stored
    cancel(bed, key)
    bed.run()
    assert not archive.stored
    (study,) = bed.studies()
    assert (study.state, study.forget_state) == ("withdrawn", "done")


def test_images_sent_again_after_a_cancelled_attempt_are_linked(bed: Bed, ct: list[Path]) -> None:
    archive = FakeArchive(fails_after_storing=ArchiveUnavailable("The archive answered 503."))
    bed.use_archive(archive)
    key = bed.survey(ct)
    bed.confirm(key)
    bed.run()
    cancel(bed, key)
    bed.run()
    archive.fails_after_storing = None
    again = bed.link(ct)
    assert bed.stage(again) is Stage.LINKED, bed.sentence(again)
    assert len(archive.stored) == len(ct)


def test_cancelling_the_rest_of_a_linked_submission_leaves_what_is_linked(bed: Bed, tmp_path: Path) -> None:
    small_ct(tmp_path / "dose", dose_report=True)
    key = bed.link([path for path in (tmp_path / "dose").rglob("*") if path.is_file()])
    held = frozenset(o.ordinal for o in bed.objects(key) if o.fate == Fate.HELD)
    sent = bed.fates(key).count(Fate.SENT)
    bed.look_and_send(key)
    cancel(bed, key, "There was a name after all.")
    bed.run()
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    assert bed.fates(key).count(Fate.SENT) == sent
    assert {o.fate for o in bed.objects(key) if o.ordinal in held} == {Fate.DISCARDED}
    (study,) = bed.studies()
    assert (study.state, study.instance_count, study.held_count) == ("linked", sent, 0)
    assert services().vault.area(f"quarantine/{key}").listing() == []


def test_what_ended_is_not_started_again(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    cancel(bed, key)
    with pytest.raises(Conflict):
        bed.retry(key)
    with pytest.raises(Conflict):
        cancel(bed, key)


def test_a_submission_that_waits_for_decisions_cannot_simply_go_on(bed: Bed, tmp_path: Path) -> None:
    small_ct(tmp_path / "dose", dose_report=True)
    key = bed.survey([path for path in (tmp_path / "dose").rglob("*") if path.is_file()])
    risky = [series.index for series in bed.summary(key).series if series.risk]
    assert risky
    bed.confirm(key, risky)
    bed.run()
    assert bed.stage(key) is Stage.HELD, bed.sentence(key)
    with pytest.raises(Conflict, match="decision"):
        bed.retry(key)
    assert db.session.query(Job).filter_by(submission_id=key, state="waiting").count() == 0
    assert db.session.query(ImagingStudy).count() == 0
