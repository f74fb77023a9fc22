"""An archive that is down, slow, full, forgetful, lying or unfriendly: nothing is lost, nothing is linked wrongly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.pipeline.bed import Bed, FakeArchive
from tests.pipeline.test_steps import change, confirmed, the_job
from trialimg.casework.services import EXTENSION
from trialimg.domain.submission import Fate, Stage
from trialimg.errors import ArchiveRefusesUs, ArchiveUnavailable
from trialimg.pipeline import verify
from trialimg.pipeline.destination import is_paused, resume, try_paused
from trialimg.pipeline.reconcile import ready_jobs
from trialimg.store.base import utc_now
from trialimg.store.unit_of_work import unit_of_work


def run_now(bed: Bed, key: str) -> None:
    """Let what waits in backoff run now."""
    job = the_job(bed, key)
    change(bed, job, due=utc_now())
    bed.run()


def test_an_archive_that_is_down_for_a_while(bed: Bed, ct: list[Path], archive: FakeArchive) -> None:
    def down() -> None:
        raise ArchiveUnavailable("The archive cannot be reached.")

    archive.before_fetch = down
    key = confirmed(bed, ct)
    bed.run()
    assert bed.stage(key) is Stage.PROMISED
    assert "cannot be reached. Tried once; the next attempt is due at" in bed.sentence(key)
    archive.before_fetch = lambda: None
    run_now(bed, key)
    assert bed.stage(key) is Stage.LINKED


def test_an_archive_that_fills_up_in_the_middle_keeps_what_it_has_and_gets_the_rest(
    bed: Bed, ct: list[Path], archive: FakeArchive
) -> None:
    def full() -> None:
        if len(archive.stored) == 2:
            raise ArchiveUnavailable("The archive is full.")

    archive.before_push = full
    key = confirmed(bed, ct)
    bed.run()
    assert (bed.stage(key), len(archive.stored)) == (Stage.PROMISED, 2)
    archive.comes_back()
    run_now(bed, key)
    assert bed.stage(key) is Stage.LINKED
    assert archive.sent == len(ct)  # each instance went once


def test_an_archive_that_says_yes_and_stores_nothing_is_found_out_and_held(
    bed: Bed, ct: list[Path], archive: FakeArchive
) -> None:
    archive.keeps = False
    key = confirmed(bed, ct)
    bed.run()
    for _ in range(verify.MOST_ROUNDS):
        if bed.stage(key) is not Stage.HELD:
            run_now(bed, key)
    assert bed.stage(key) is Stage.HELD
    assert f"The archive lacks {len(ct)} of the instances" in bed.sentence(key)
    assert bed.studies() == []
    assert Fate.SENT not in bed.fates(key)
    archive.keeps = True
    bed.retry(key)
    bed.run()
    run_now(bed, key)
    assert bed.stage(key) is Stage.LINKED


def test_an_archive_that_says_no_having_stored_all_gets_nothing_twice(
    bed: Bed, ct: list[Path], archive: FakeArchive
) -> None:
    archive.fails_after_storing = ArchiveUnavailable("The archive answered 400.")
    key = confirmed(bed, ct)
    bed.run()
    assert bed.stage(key) is Stage.PROMISED
    archive.fails_after_storing = None
    run_now(bed, key)
    assert bed.stage(key) is Stage.LINKED
    assert archive.sent == len(ct)


def test_other_content_under_the_same_name_is_held_and_never_linked(
    bed: Bed, ct: list[Path], archive: FakeArchive
) -> None:
    from io import BytesIO

    other = {}

    def spoil() -> None:
        for uid, (study, series, data) in archive.stored.items():
            if not other:
                dataset = dcmread(BytesIO(data))
                dataset.PixelData = bytes(len(dataset.PixelData))
                written = BytesIO()
                dataset.save_as(written)
                other[uid] = (study, series, written.getvalue())
        archive.stored.update(other)

    archive.before_fetch = spoil
    key = confirmed(bed, ct)
    bed.run()
    assert bed.stage(key) is Stage.HELD
    assert "1 of these instances with other content" in bed.sentence(key)
    assert bed.studies() == []


def test_an_archive_that_does_not_accept_us_pauses_the_destination_and_holds_no_data(
    bed: Bed, ct: list[Path], archive: FakeArchive
) -> None:
    archive.goes_down(ArchiveRefusesUs)
    key = confirmed(bed, ct)
    bed.run()
    assert (bed.stage(key), is_paused()) == (Stage.PROMISED, True)
    change(bed, the_job(bed, key), due=utc_now())
    assert ready_jobs() == []
    try_paused()
    assert is_paused()
    archive.comes_back()
    try_paused()
    assert not is_paused()
    bed.run()
    assert bed.stage(key) is Stage.LINKED


def test_a_person_resumes_a_paused_destination(bed: Bed, ct: list[Path], archive: FakeArchive) -> None:
    archive.goes_down(ArchiveRefusesUs)
    confirmed(bed, ct)
    bed.run()
    with unit_of_work(bed.actor, "the password was set right") as uow:
        resume(uow)
    assert not is_paused()


def test_a_refusal_for_good_is_held_with_the_archives_reason(
    bed: Bed, ct: list[Path], archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trialimg.archive.port import PushResult

    monkeypatch.setattr(archive, "push", lambda instances, progress=None: PushResult(failed={"1.2": "No such class."}))
    key = confirmed(bed, ct)
    bed.run()
    assert bed.stage(key) is Stage.HELD
    assert f"refuses 1 of {len(ct)} instances: No such class." in bed.sentence(key)


def test_a_disk_that_is_full_while_cleaning_is_waited_out(bed: Bed, ct: list[Path], archive: FakeArchive) -> None:
    key = confirmed(bed, ct)
    tools = bed.services()
    full = replace(tools, settings=replace(tools.settings, vault_reserve_mb=10**9))
    bed.app.extensions[EXTENSION] = full
    bed.run()
    assert bed.stage(key) is Stage.CONFIRMED
    assert "disk" in bed.sentence(key)
    assert "by itself" in bed.sentence(key)
    assert "send again" not in bed.sentence(key)
    assert set(bed.fates(key)) == {Fate.RECEIVED}
    bed.app.extensions[EXTENSION] = tools
    run_now(bed, key)
    assert bed.stage(key) is Stage.LINKED


def test_a_clean_file_that_changed_on_the_disk_is_never_sent(bed: Bed, ct: list[Path], archive: FakeArchive) -> None:
    from trialimg.casework.services import services
    from trialimg.domain.submission import Step
    from trialimg.pipeline import steps

    key = confirmed(bed, ct)
    steps.run(the_job(bed, key).id)
    assert the_job(bed, key).step == Step.OUTBOX
    area = services().vault.area(f"outbox/{key}")
    path = area._path(area.listing()[0].sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    bed.run()
    assert bed.stage(key) is Stage.HELD
    assert archive.pushes == 0
