"""Decisions on held pixels: noted, taken back, sent; of the right images, by the right people, and in the trail."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from sqlalchemy import select

from tests.casework.pixel_bed import FOUND, NAME_BOX, clip_study, held_of, known_finds, reviews, view_of
from tests.pipeline.bed import Bed
from tests.pipeline.test_source import cleaned
from tests.web.imaging_bed import bed
from trialimg.casework import held, imaging, pixel_review
from trialimg.casework.access import submission_place
from trialimg.casework.pixel_review import reviewing_role
from trialimg.casework.pixel_review_page import review_page
from trialimg.casework.services import services
from trialimg.casework.submission import quarantine
from trialimg.domain.mask import Box
from trialimg.domain.permission import Role
from trialimg.domain.pixel_review import Drawn, Look
from trialimg.domain.submission import Fate, Stage
from trialimg.errors import BadInput, Conflict
from trialimg.store.audit import AuditRecord, AuditValue
from trialimg.store.base import db

__all__ = ["bed", "known_finds"]
pytestmark = pytest.mark.usefixtures("known_finds")


@pytest.fixture
def key(bed: Bed, tmp_path: Path) -> str:
    return bed.link(clip_study(tmp_path / "clip"))


@pytest.fixture
def several(bed: Bed, tmp_path: Path) -> str:
    return bed.link(clip_study(tmp_path / "clip", screens=2))


def approve(bed: Bed, key: str, number: int = 0, *, drawn: list[Drawn] | None = None, **given: Any) -> int:
    view = view_of(key, number)
    boxes = [Drawn(Box(b.x, b.y, b.width, b.height)) for b in view.boxes] if drawn is None else drawn
    with bed.world.acting("coordinator-101") as uow:
        return pixel_review.approve(
            uow, submission_place(key), view.line.series, seen=given.pop("seen", view.line.seen), drawn=boxes,
            also=given.pop("also", False), role=given.pop("role", Role.SITE_COORDINATOR),
        )  # fmt: skip


def reject(bed: Bed, key: str, reason: str = "It is of somebody else.", number: int = 0) -> int:
    line = view_of(key, number).line
    with bed.world.acting("coordinator-101", reason) as uow:
        return pixel_review.reject(
            uow, submission_place(key), line.series, seen=line.seen, reason=reason, role=Role.SITE_COORDINATOR
        )


def send(bed: Bed, key: str) -> tuple[int, int]:
    place = submission_place(key)
    seen = review_page(place).seen
    with bed.world.acting("coordinator-101") as uow:
        return pixel_review.send(uow, place, seen=seen)


def test_a_held_clip_is_searched_and_pictured_before_anybody_asks(bed: Bed, key: str) -> None:
    (clip,) = reviews(key)
    assert (clip.state, clip.frames, clip.rows, clip.columns) == (Look.LOOKED, 3, 480, 640)
    assert json.loads(clip.found) == FOUND
    (ordinal,) = held_of(bed, key)
    pictures = [note for note in quarantine(key).notes() if note.startswith("frame-")]
    assert pictures == [f"frame-{ordinal}-{frame}" for frame in range(3)]
    (box,) = view_of(key).boxes
    assert (box.x, box.y, box.width, box.height, box.on, box.by) == (*NAME_BOX, "", "text")


def test_the_rest_is_linked_while_the_clip_waits(bed: Bed, key: str) -> None:
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    assert bed.fates(key).count(Fate.HELD) == 1


def test_an_approval_is_only_noted_until_it_is_sent(bed: Bed, key: str) -> None:
    assert approve(bed, key) == 1
    assert bed.fates(key).count(Fate.HELD) == 1
    (clip,) = reviews(key)
    assert (clip.decision, json.loads(clip.mask)) == ("approved", [[None, *NAME_BOX]])
    assert (clip.decided_by, clip.decided_as) == ("coordinator-101@trial.example", "site coordinator")
    assert send(bed, key) == (1, 0)
    assert bed.fates(key).count(Fate.RELEASED) == 1
    bed.run()
    assert set(bed.fates(key)) == {Fate.SENT}, bed.sentence(key)
    assert quarantine(key).notes() == []


def test_a_decision_can_be_taken_back_until_it_is_sent(bed: Bed, key: str) -> None:
    approve(bed, key)
    place = submission_place(key)
    line = view_of(key).line
    with bed.world.acting("coordinator-101") as uow:
        pixel_review.take_back(uow, place, line.series, seen=line.seen)
    assert reviews(key)[0].decision == ""
    with pytest.raises(BadInput, match="Nothing is decided"):
        send(bed, key)
    assert bed.fates(key).count(Fate.HELD) == 1


def test_a_rejected_series_is_discarded_with_its_reason(bed: Bed, key: str) -> None:
    with pytest.raises(BadInput, match="Give a reason"):
        reject(bed, key, "  ")
    assert reject(bed, key, "Of the wrong person.") == 1
    assert send(bed, key) == (0, 1)
    bed.run()
    (clip,) = [each for each in bed.objects(key) if each.fate == Fate.DISCARDED]
    assert clip.sentence == "Discarded by decision: Of the wrong person."
    assert not quarantine(key).holds(clip.received_sha256)
    assert bed.stage(key) is Stage.LINKED


def test_two_people_who_decide_do_not_overwrite_each_other(bed: Bed, key: str) -> None:
    seen = view_of(key).line.seen
    approve(bed, key)
    with pytest.raises(Conflict, match="Somebody has decided"):
        approve(bed, key, drawn=[], seen=seen)
    assert json.loads(reviews(key)[0].mask) == [[None, *NAME_BOX]]


def test_what_is_sent_is_what_the_page_showed(bed: Bed, several: str) -> None:
    approve(bed, several, 0)
    place = submission_place(several)
    seen = review_page(place).seen
    approve(bed, several, 1)
    with bed.world.acting("coordinator-101") as uow, pytest.raises(Conflict):
        pixel_review.send(uow, place, seen=seen)
    assert Fate.RELEASED not in bed.fates(several)


def test_boxes_are_laid_on_every_undecided_series_of_the_same_size_and_what_was_found_there_too(
    bed: Bed, several: str
) -> None:
    drawn = Drawn(Box(500, 400, 40, 20))
    assert approve(bed, several, 0, drawn=[drawn, Drawn(Box(0, 0, 9, 9), view_of(several).line.series)], also=True) == 3
    masks = [json.loads(each.mask) for each in reviews(several)]
    assert sorted(masks[0]) == [[None, 0, 0, 9, 9], [None, 500, 400, 40, 20]]
    assert sorted(masks[1]) == sorted(masks[2]) == [[None, *NAME_BOX], [None, 500, 400, 40, 20]]
    assert review_page(submission_place(several)).next is None


def test_a_decided_series_is_left_alone_by_another_ones_boxes(bed: Bed, several: str) -> None:
    approve(bed, several, 1, drawn=[])
    assert approve(bed, several, 0, also=True) == 2
    assert json.loads(reviews(several)[1].mask) == []


@pytest.mark.parametrize(
    ("drawn", "says"),
    [
        (Drawn(Box(700, 10, 20, 20)), "outside"),
        (Drawn(Box(-90, 10, 20, 20)), "outside"),
        (Drawn(Box(10, 10, 0, 20)), "empty"),
        (Drawn(Box(10, 10, -5, 20)), "empty"),
        (Drawn(Box(10**9, 10**9, 10**9, 10**9)), "outside"),
        (Drawn(Box(1, 1, 5, 5), 1), "not of this series"),
        (Drawn(Box(1, 1, 5, 5), 10**9), "not of this series"),
    ],
)
def test_a_box_that_covers_nothing_changes_nothing(bed: Bed, key: str, drawn: Drawn, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        approve(bed, key, drawn=[drawn])
    assert reviews(key)[0].decision == ""


def test_a_frame_that_is_not_there_and_too_many_boxes_are_refused(bed: Bed, key: str) -> None:
    series = view_of(key).line.series
    with pytest.raises(BadInput, match="frame"):
        approve(bed, key, drawn=[Drawn(Box(1, 1, 5, 5), series, 3)])
    with pytest.raises(BadInput, match="200"):
        approve(bed, key, drawn=[Drawn(Box(x, 1, 1, 1)) for x in range(201)])


def test_nothing_is_decided_while_the_images_are_under_way(bed: Bed, several: str) -> None:
    seen = view_of(several, 1).line
    approve(bed, several, 0)
    send(bed, several)
    with bed.world.acting("coordinator-101") as uow, pytest.raises(Conflict, match="under way"):
        pixel_review.approve(
            uow, submission_place(several), seen.series, seen=seen.seen, drawn=[], also=False,
            role=Role.SITE_COORDINATOR,
        )  # fmt: skip
    bed.run()
    assert bed.fates(several).count(Fate.HELD) == 2
    assert len(review_page(submission_place(several)).lines) == 2
    kept = {int(note.split("-")[1]) for note in quarantine(several).notes() if note.startswith("frame-")}
    assert kept == set(held_of(bed, several))


def test_pixels_cannot_be_sent_past_the_page_that_shows_them(bed: Bed, key: str) -> None:
    with bed.world.acting("coordinator-101") as uow, pytest.raises(BadInput, match="page for held pixels"):
        held.decide(
            uow, submission_place(key), ordinals=frozenset(held_of(bed, key)), decision=held.Decision.SEND, reason="x"
        )


def test_the_trail_tells_who_decided_what_with_which_boxes(bed: Bed, key: str) -> None:
    approve(bed, key)
    db.session.rollback()
    wanted = (
        select(AuditRecord, AuditValue.new)
        .join(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(AuditRecord.table_name == "pixel_review", AuditRecord.actor == "coordinator-101@trial.example")
    )
    (told,) = [json.loads(new) for record, new in db.session.execute(wanted).all() if record.action == "update"]
    assert told["decision"] == "approved"
    assert json.loads(told["mask"]) == [[None, *NAME_BOX]]
    assert told["decided_as"] == "site coordinator"


def test_the_report_counts_boxes_by_what_found_them_and_who_decided(
    bed: Bed, tmp_path: Path, known_finds: dict[str, Any]
) -> None:
    known_finds["boxes"] = [*FOUND, [None, 550, 4, 60, 30, 1.0]]
    key = bed.link(clip_study(tmp_path / "clip", screens=1))
    boxes = [Drawn(Box(b.x, b.y, b.width, b.height)) for b in view_of(key).boxes]
    approve(bed, key, 0, drawn=[*boxes, Drawn(Box(300, 300, 20, 20))])
    reject(bed, key, number=1)
    send(bed, key)
    bed.run()
    report = json.loads(bed.submission(key).report)
    names = {"decision": "masked", "role": "site coordinator", "instances": 1, "by_rule": 1, "by_text": 1, "by_person": 1}
    assert names in report["pixels"]
    assert {"decision": "rejected", "role": "site coordinator", "instances": 1, "by_rule": 0, "by_text": 0, "by_person": 0} in report["pixels"]
    assert report["instances"] == bed.fates(key).count(Fate.SENT)


def test_what_was_cleaned_at_its_source_is_looked_at_covered_and_proved_the_same_way(bed: Bed, tmp_path: Path) -> None:
    (tmp_path / "cleaned").mkdir()
    files = cleaned(bed, clip_study(tmp_path / "clip"), tmp_path / "cleaned")
    key = bed.link(files, cleaned_at_source=True)
    assert bed.fates(key).count(Fate.HELD) == 1
    bed.look_and_send(key)
    bed.run()
    assert set(bed.fates(key)) == {Fate.SENT}, bed.sentence(key)
    (clip,) = [each for each in bed.objects(key) if each.modality == "US"]
    with services().archive.fetch(clip.study_instance_uid, clip.series_instance_uid, clip.sop_instance_uid) as stream:
        sent = dcmread(BytesIO(stream.read()))
    x, y, width, height = NAME_BOX
    assert all(len(np.unique(frame[y : y + height, x : x + width])) == 1 for frame in sent.pixel_array)
    assert sent.BurnedInAnnotation == "NO"
    assert quarantine(key).listing() == []


def test_what_cannot_be_searched_is_shown_all_the_same_and_says_so(
    bed: Bed, tmp_path: Path, known_finds: dict[str, Any]
) -> None:
    known_finds.clear()
    key = bed.link(clip_study(tmp_path / "clip"))
    view = view_of(key)
    assert (view.line.columns, view.line.rows, view.boxes, view.searched) == (640, 480, (), ())


def test_a_cancelled_submission_keeps_no_picture(bed: Bed, tmp_path: Path) -> None:
    files = clip_study(tmp_path / "clip")
    key = bed.survey(files)
    bed.confirm(key, [index for index, each in enumerate(bed.summary(key).series) if each.modality == "US"])
    bed.run()
    assert bed.stage(key) is Stage.HELD
    assert quarantine(key).notes()
    with bed.world.acting("coordinator-101") as uow:
        imaging.cancel(uow, services(), submission_place(key), "a test")
    assert quarantine(key).notes() == []


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("coordinator-101", Role.SITE_COORDINATOR), ("investigator-101", Role.INVESTIGATOR), ("imaging-qc", None),
        ("coordinator-102", None), ("monitor", None), ("sponsor", None), ("reader", None), ("data-manager", None),
    ],
)  # fmt: skip
def test_unreviewed_pixels_are_the_sites_alone_unless_the_trial_says_otherwise(
    bed: Bed, key: str, name: str, role: Role | None
) -> None:
    assert reviewing_role(bed.world.person(name), submission_place(key)) is role


def test_a_search_that_was_stopped_can_be_asked_for_again(bed: Bed, key: str) -> None:
    from trialimg.pipeline.look import start_look

    with bed.world.acting("coordinator-101") as uow:
        pixel_review_row = uow.session.merge(reviews(key)[0])
        pixel_review_row.state = Look.WAITING.value
        start_look(uow, submission_place(key))
        start_look(uow, submission_place(key))
    assert len([job for job in bed.jobs(key) if job.step == "look" and job.state == "waiting"]) == 1
    bed.run()
    assert reviews(key)[0].state == Look.LOOKED
