from __future__ import annotations

import errno
import os
import sqlite3
from io import BytesIO
from pathlib import Path

import pytest

from tests.pipeline.bed import Bed
from trialimg.casework.services import services
from trialimg.casework.submission import quarantine
from trialimg.domain.submission import Stage
from trialimg.errors import BadInput, Conflict, NoSpace, NotFound
from trialimg.pipeline import intake
from trialimg.pipeline.reconcile import periodic


def receive(bed: Bed, key: str, data: bytes, *, ordinal: int | None = None, name: str = "IM1") -> intake.Received:
    return intake.receive(services(), key, BytesIO(data), name=name, actor=bed.actor, ordinal=ordinal)


def test_an_object_is_answered_with_its_number_hash_and_size(bed: Bed) -> None:
    key = bed.start()
    got = receive(bed, key, b"one", ordinal=3)
    assert (got.ordinal, got.size) == (3, 3)
    assert quarantine(key).holds(got.sha256)


def test_a_repeat_of_the_same_bytes_under_the_same_number_counts_once(bed: Bed) -> None:
    key = bed.start()
    assert receive(bed, key, b"one", ordinal=0) == receive(bed, key, b"one", ordinal=0)
    assert len(bed.objects(key)) == 1


def test_other_bytes_under_the_same_number_are_refused_and_leave_nothing(bed: Bed) -> None:
    key = bed.start()
    first = receive(bed, key, b"one", ordinal=0)
    with pytest.raises(Conflict):
        receive(bed, key, b"two", ordinal=0)
    assert [each.sha256 for each in quarantine(key).listing()] == [first.sha256]


def test_objects_without_a_number_are_numbered_in_their_order(bed: Bed) -> None:
    key = bed.start()
    assert [receive(bed, key, data).ordinal for data in (b"a", b"b", b"a")] == [0, 1, 2]


def test_the_announced_count_must_be_what_was_received(bed: Bed) -> None:
    key = bed.start()
    receive(bed, key, b"one", ordinal=0)
    with pytest.raises(Conflict, match="2 files were announced and 1"):
        bed.announce(key, 2)
    bed.announce(key, 1)
    bed.announce(key, 1)  # the answer was lost and the browser asks again
    assert bed.stage(key) is Stage.RECEIVED
    assert len(bed.jobs(key)) == 1


def test_nothing_announced_is_no_submission(bed: Bed) -> None:
    with pytest.raises(BadInput):
        bed.announce(bed.start(), 0)


def test_bytes_after_a_cancel_are_refused_and_destroyed(bed: Bed) -> None:
    key = bed.start()
    receive(bed, key, b"one", ordinal=0)
    bed.cancel(key)
    with pytest.raises(Conflict):
        receive(bed, key, b"two", ordinal=1)
    assert quarantine(key).listing() == []


def test_a_cancel_while_bytes_arrive_leaves_none_behind(bed: Bed) -> None:
    key = bed.start()

    class Slow(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            if data:
                bed.cancel(key)
            return data

    with pytest.raises(Conflict):
        intake.receive(services(), key, Slow(b"late"), name="x", actor=bed.actor, ordinal=0)
    assert (quarantine(key).listing(), bed.objects(key)) == ([], [])


def test_an_unknown_submission_is_not_found(bed: Bed) -> None:
    with pytest.raises(NotFound):
        receive(bed, "nobody", b"one")


def test_a_full_disk_is_said_and_what_came_before_stays(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    key = bed.start()
    first = receive(bed, key, b"one", ordinal=0)

    def full(handle: int, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(NoSpace, match="what was received before is safe"):
            receive(bed, key, b"two", ordinal=1)
    assert [each.sha256 for each in quarantine(key).listing()] == [first.sha256]
    receive(bed, key, b"two", ordinal=1)
    assert len(bed.objects(key)) == 2


def test_the_name_of_a_file_stays_in_the_quarantine(bed: Bed) -> None:
    key = bed.start()
    receive(bed, key, b"one", ordinal=0, name="MEIER^ANNA/IM1\r\n<b>\u202e.dcm")
    note = quarantine(key).read_note(intake.NAMES)
    assert note is not None
    assert b"MEIER" in note
    assert b"\\r" not in note
    path = services().settings.effective_database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        assert "MEIER" not in "\n".join(connection.iterdump())


def test_a_submission_nobody_sends_to_is_given_up_after_a_day(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    key, fresh = bed.start(), bed.start()
    receive(bed, key, b"one", ordinal=0)
    from datetime import timedelta

    from trialimg.casework.submission import load
    from trialimg.store.unit_of_work import unit_of_work

    with unit_of_work(bed.actor, "time passes", trial_id=bed.world.trial_id) as uow:
        load(uow, key).stage_since = uow.at - timedelta(hours=25)
    periodic()
    assert (bed.stage(key), bed.stage(fresh)) == (Stage.CANCELLED, Stage.RECEIVING)
    assert quarantine(key).listing() == []


def test_bytes_of_nobody_are_swept_and_those_on_their_way_stay(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    stray = services().vault.area("quarantine/nobody-knows-this")
    stray.put_bytes(b"left by a crash")
    before = quarantine(key).listing()
    periodic()
    assert stray.listing() == []
    assert quarantine(key).listing() == before
