"""The page of held pixels at its door: who is let in, what hostile posts change (nothing), and what it shows whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian
from sqlalchemy import select

from seed_data.phantom.uids import made_uid
from tests.casework.pixel_bed import (
    NAME_BOX,
    PATIENT,
    clip_study,
    film_study,
    held_of,
    known_finds,
    plate_study,
    reviews,
    view_of,
)
from tests.pipeline.bed import Bed
from tests.web.imaging_bed import Visitor, bed, text, visitor, words
from tests.world import email_of
from trialimg.casework.access import submission_place
from trialimg.casework.definition import definition
from trialimg.casework.pixel_review import reviewing_role
from trialimg.casework.submission import quarantine
from trialimg.domain.permission import Role
from trialimg.domain.submission import Fate
from trialimg.pipeline import preview
from trialimg.store.trial import TrialDefinitionVersion

__all__ = ["bed", "known_finds"]
pytestmark = pytest.mark.usefixtures("known_finds")
BOX = {"x": "5", "y": "6", "width": "290", "height": "45", "on": ""}


@pytest.fixture
def key(bed: Bed, tmp_path: Path) -> str:
    return bed.link(clip_study(tmp_path / "clip"))


def address(key: str, act: str = "") -> str:
    base = f"/submissions/{key}/pixels"
    return f"{base}/{view_of(key).line.series}{'/' + act if act else ''}"


def form(key: str, *boxes: dict[str, str], **more: str) -> dict[str, Any]:
    """What the page would post: its mark, and the four numbers and images of each box."""
    columns = {name: [box[name] for box in boxes] for name in BOX} if boxes else {}
    return {"seen": view_of(key).line.seen, **columns, **more}


def seen_to_send(key: str, page: str) -> str:
    return page.split('action="' + f"/submissions/{key}/pixels/send", 1)[1].split('name="seen" value="', 1)[1][:16]


def ready(bed: Bed, key: str, name: str = "coordinator-101") -> Visitor:
    who = visitor(bed, name)
    who.get(f"/submissions/{key}/pixels" if name != "imaging-qc" else "/account")
    return who


@pytest.fixture
def imaging_qc_is_named(bed: Bed) -> Iterator[None]:
    """The trial's definition names the central role."""
    with bed.world.acting("data-manager") as uow:
        for version in uow.session.scalars(select(TrialDefinitionVersion)):
            content = json.loads(version.content)
            content["deidentification"]["pixel_review"] = ["site", "imaging_qc"]
            version.content = json.dumps(content)
    definition.cache_clear()  # a version never changes but here
    yield
    definition.cache_clear()


def test_pictures_at_full_size_are_bounded_together_and_old_ones_are_made_again(
    bed: Bed, tmp_path: Path, known_finds: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "MOST_AT_FULL_SIZE", 1)
    known_finds.update(boxes=[], looked_at=[0], frames=1, rows=2000, columns=3000)
    key = bed.link([*plate_study(tmp_path / "plate"), *second_plate(tmp_path / "second")])
    who = ready(bed, key)
    first, second = held_of(bed, key)

    def ask(ordinal: int) -> tuple[int, int]:
        answer = who.get(f"/submissions/{key}/objects/{ordinal}/frames/1/picture?size=full")
        assert [each for each in quarantine(key).notes() if each.endswith("-full")] == [f"frame-{ordinal}-0-full"]
        with Image.open(BytesIO(answer.data)) as shown:
            return shown.size

    assert [ask(ordinal) for ordinal in (first, second, first)] == [(3000, 2000)] * 3
    assert {f"frame-{ordinal}-0" for ordinal in (first, second)} <= set(quarantine(key).notes())


def second_plate(folder: Path) -> list[Path]:
    """Another plate of the same study, in a series of its own."""
    *_, plate = plate_study(folder)
    ds = dcmread(plate)
    ds.SeriesInstanceUID, ds.SOPInstanceUID = (made_uid(1, PATIENT, "W8", role) for role in ("plates", "plate"))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.save_as(plate)
    return [plate]


def test_the_submission_leads_there_and_the_page_shows_the_frame_with_its_box(bed: Bed, key: str) -> None:
    who = visitor(bed)
    assert f'href="/submissions/{key}/pixels"' in text(who.get(f"/submissions/{key}"))
    page = text(who.get(f"/submissions/{key}/pixels"))
    (ordinal,) = held_of(bed, key)
    picture = f"/submissions/{key}/objects/{ordinal}/frames/1/picture"
    assert f'href="{picture}"' in page
    assert '<rect class="ti-box-line" x="5" y="6" width="290" height="45"/>' in page
    got = who.get(picture)
    assert (got.status_code, got.mimetype, got.data[:4]) == (200, "image/png", b"\x89PNG")
    assert "no-store" in got.headers["Cache-Control"]


def test_a_picture_is_given_at_full_size_to_whoever_asks_and_goes_with_the_original(
    bed: Bed, tmp_path: Path, known_finds: dict[str, Any]
) -> None:
    known_finds.update(boxes=[], looked_at=[0], frames=1, rows=2000, columns=3000)
    key = bed.link(plate_study(tmp_path / "plate"))
    who = ready(bed, key)
    assert "Shown at 34 % of its size" in words(who.get(f"/submissions/{key}/pixels"))
    (ordinal,) = held_of(bed, key)
    address_of = f"/submissions/{key}/objects/{ordinal}/frames/1/picture"
    sizes = []
    for asked in ("", "?size=full", "?size=huge", "?size=full"):
        with Image.open(BytesIO(who.get(address_of + asked).data)) as shown:
            sizes.append(shown.size)
    assert sizes == [(1024, 683), (3000, 2000), (1024, 683), (3000, 2000)]
    with Image.open(BytesIO(who.get(address_of + "?size=full").data)) as shown:
        assert [shown.getpixel((7, y)) for y in range(3)] == [255, 0, 255]
    assert f"frame-{ordinal}-0-full" in quarantine(key).notes()
    assert visitor(bed, "imaging-qc").get(address_of + "?size=full").status_code == 403
    who.post(address(key, "reject"), {**form(key), "reason": "Another examination."})
    page = text(who.get(f"/submissions/{key}/pixels"))
    who.post(f"/submissions/{key}/pixels/send", {"seen": seen_to_send(key, page)})
    assert not [note for note in quarantine(key).notes() if note.startswith("frame-")]


def test_a_picture_made_whole_ahead_is_not_made_again(bed: Bed, key: str) -> None:
    who = ready(bed, key)
    (ordinal,) = held_of(bed, key)
    picture = f"/submissions/{key}/objects/{ordinal}/frames/1/picture"
    assert who.get(f"{picture}?size=full").data == who.get(picture).data
    assert "of its size" not in words(who.get(f"/submissions/{key}/pixels"))
    assert f"frame-{ordinal}-0-full" not in quarantine(key).notes()


def test_before_anybody_confirmed_nothing_is_said_to_be_done(bed: Bed, tmp_path: Path) -> None:
    key = bed.survey(clip_study(tmp_path / "clip"))
    page = words(ready(bed, key).get(f"/submissions/{key}/pixels"))
    assert "Nobody has confirmed yet what goes on" in page
    assert "under way" not in page
    assert "No image of these waits" not in page


def test_of_what_cannot_be_shown_the_submission_says_so(
    bed: Bed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known_finds: dict[str, Any]
) -> None:
    known_finds.clear()
    key = bed.link(film_study(tmp_path / "film"))
    (ordinal,) = held_of(bed, key)
    page = visitor(bed).get(f"/submissions/{key}")
    assert "It cannot be shown here. Look at the original where it was made" in words(page)
    assert "It is a film" in words(page)
    assert f"/objects/{ordinal}/picture" not in text(page)


def test_of_a_report_that_is_held_no_picture_is_offered(bed: Bed, tmp_path: Path) -> None:
    files = clip_study(tmp_path / "report", frames=1)
    made = dcmread(files[-1])
    for tag in [tag for tag in made.keys() if tag.group in {0x0018, 0x0028, 0x7FE0}]:  # noqa: SIM118 (iterating a data set decodes it)
        del made[tag]
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = ComprehensiveSRStorage
    made.Modality, made.SoftwareVersions = "SR", str(made.PatientID)
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.save_as(files[-1])
    key = bed.link(files)
    (ordinal,) = held_of(bed, key)
    page = visitor(bed).get(f"/submissions/{key}")
    assert "still in (0018,1020)" in words(page)
    assert "It cannot be shown here. Look at the original where it was made" in words(page)
    assert f"/objects/{ordinal}/picture" not in text(page)


def test_a_decided_series_is_approved_again(bed: Bed, key: str) -> None:
    who = ready(bed, key)
    assert "Approve: cover 1 box" in words(who.get(address(key)))
    who.post(address(key, "approve"), form(key, BOX))
    assert "Approve again: cover 1 box" in words(who.get(address(key)))
    who.post(address(key, "reject"), {**form(key), "reason": "Another examination."})
    assert "Approve after all: " in words(who.get(address(key)))


def test_approve_take_back_and_send_by_the_forms(bed: Bed, key: str) -> None:
    who = ready(bed, key)
    assert who.post(address(key, "approve"), form(key, BOX)).status_code == 303
    assert json.loads(reviews(key)[0].mask) == [[None, *NAME_BOX]]
    page = who.get(f"/submissions/{key}/pixels")
    assert "1 image is decided" in words(page)
    assert who.post(address(key, "back"), form(key)).status_code == 303
    assert reviews(key)[0].decision == ""
    assert who.post(address(key, "approve"), form(key)).status_code == 303
    decided = text(who.get(f"/submissions/{key}/pixels"))
    answer = who.post(f"/submissions/{key}/pixels/send", {"seen": seen_to_send(key, decided)})
    assert (answer.status_code, answer.location) == (303, f"/submissions/{key}")
    bed.run()
    assert set(bed.fates(key)) == {Fate.SENT}


@pytest.mark.parametrize(
    "boxes",
    [
        [BOX | {"x": "-700"}], [BOX | {"x": "1000000000"}], [BOX | {"width": "-1"}], [BOX | {"height": "0"}],
        [BOX | {"x": "9" * 400}], [BOX | {"x": "1e9"}], [BOX | {"y": "NaN"}], [BOX | {"y": ""}], [BOX | {"y": "٣"}],
        [BOX | {"on": "1"}], [BOX | {"on": "999999"}], [BOX | {"on": "x"}], [BOX | {"on": "3/99"}],
        [BOX | {"on": "3/0"}], [BOX | {"on": "' OR 1=1"}], [BOX | {"x": str(n)} for n in range(201)],
    ],
    ids=lambda boxes: str(boxes[0])[:60] if len(boxes) == 1 else "too many",
)  # fmt: skip
def test_a_hostile_box_is_refused_with_a_sentence_and_changes_nothing(
    bed: Bed, key: str, boxes: list[dict[str, str]]
) -> None:
    who = ready(bed, key)
    answer = who.post(address(key, "approve"), form(key, *boxes))
    assert answer.status_code == 422, words(answer)
    assert "There is a problem" in words(answer)
    assert reviews(key)[0].decision == ""


def test_columns_that_do_not_belong_together_and_a_stale_mark_are_refused(bed: Bed, key: str) -> None:
    who = ready(bed, key)
    assert who.post(address(key, "approve"), {**form(key, BOX), "x": ["1", "2"]}).status_code == 422
    for stale in ("", "0" * 16, "x" * 5000):
        for act in ("approve", "back"):
            assert who.post(address(key, act), form(key, BOX, seen=stale)).status_code == 409
        assert who.post(address(key, "reject"), {"seen": stale, "reason": "No."}).status_code == 409
        assert who.post(f"/submissions/{key}/pixels/send", {"seen": stale}).status_code in {409, 422}
    assert reviews(key)[0].decision == ""


DRAWN = {"x": "400", "y": "300", "width": "50", "height": "40", "on": ""}
DRAWN_ROW = 'name="x" value="400"'


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_boxes_drawn_while_somebody_else_decided_stay_on_the_page_beside_theirs(bed: Bed, key: str, act: str) -> None:
    clara, irene = ready(bed, key), ready(bed, key, "investigator-101")
    drawn_by_clara = form(key, BOX, DRAWN, reason="Another examination.")
    theirs = {"x": "100", "y": "200", "width": "30", "height": "20", "on": ""}
    assert irene.post(address(key, "approve"), form(key, theirs)).status_code == 303
    answer = clara.post(address(key, act), drawn_by_clara)
    assert answer.status_code == 409
    page = text(answer)
    assert "Somebody has decided on these images" in page
    assert "The boxes you drew stand below, beside what stands there now; they are not noted yet." in page
    assert DRAWN_ROW in page
    assert 'name="x" value="100"' in page
    assert "data-unsaved" in page
    assert [box[1:] for box in json.loads(reviews(key)[0].mask)] == [[100, 200, 30, 20]]
    assert clara.post(address(key, "approve"), form(key, theirs, BOX, DRAWN)).status_code == 303
    assert len(json.loads(reviews(key)[0].mask)) == 3


def test_boxes_that_came_after_the_images_had_gone_on_are_said_to_cover_nothing(bed: Bed, key: str) -> None:
    clara, irene = ready(bed, key), ready(bed, key, "investigator-101")
    drawn_by_clara, series = form(key, DRAWN), address(key, "approve")
    assert irene.post(series, form(key, BOX)).status_code == 303
    page = text(irene.get(f"/submissions/{key}/pixels"))
    assert irene.post(f"/submissions/{key}/pixels/send", {"seen": seen_to_send(key, page)}).status_code == 303
    for _ in range(2):  # on their way, and when they have arrived
        answer = clara.post(series, drawn_by_clara)
        assert answer.status_code == 409
        assert "so the boxes you drew cover nothing" in words(answer)
        bed.run()


def test_another_series_than_those_that_wait_is_not_there(bed: Bed, key: str) -> None:
    who = ready(bed, key)
    sent = next(each.ordinal for each in bed.objects(key) if each.fate == Fate.SENT)
    for series in (sent, 999, 10**9):
        assert who.get(f"/submissions/{key}/pixels/{series}").status_code == 404
        assert who.post(f"/submissions/{key}/pixels/{series}/approve", form(key, BOX)).status_code == 409
    (ordinal,) = held_of(bed, key)
    for place in (f"{sent}/frames/1", f"{ordinal}/frames/0", f"{ordinal}/frames/4", f"{ordinal}/frames/{10**12}"):
        assert who.get(f"/submissions/{key}/objects/{place}/picture").status_code == 404


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("coordinator-101", 200), ("investigator-101", 200), ("imaging-qc", 403), ("monitor", 403), ("sponsor", 403),
        ("data-manager", 403), ("inspector", 403), ("trial-administrator", 403), ("coordinator-102", 404),
        ("reader", 404), ("nobody", 404),
    ],
)  # fmt: skip
def test_pixels_nobody_has_looked_at_are_shown_to_the_sites_people(
    bed: Bed, key: str, name: str, status: int
) -> None:
    who = visitor(bed, name)
    who.get("/account")
    (ordinal,) = held_of(bed, key)
    base = f"/submissions/{key}/pixels"
    for shown in (base, address(key), f"{base}/progress", f"/submissions/{key}/objects/{ordinal}/frames/1/picture"):
        assert who.get(shown).status_code == status, shown
    if status != 200:
        for act in ("approve", "reject", "back", "boxes"):
            assert who.post(address(key, act), form(key, BOX, reason="x")).status_code == status, act
        for act in ("send", "look"):
            assert who.post(f"{base}/{act}").status_code == status, act
        assert reviews(key)[0].decision == ""


@pytest.mark.usefixtures("imaging_qc_is_named")
def test_imaging_qc_sees_and_decides_where_the_trial_names_it(bed: Bed, key: str) -> None:
    who = visitor(bed, "imaging-qc")
    assert who.get(f"/submissions/{key}/pixels").status_code == 200
    assert who.post(address(key, "approve"), form(key, BOX)).status_code == 303
    assert (reviews(key)[0].decided_as, reviews(key)[0].decided_by) == ("imaging QC", "imaging-qc@trial.example")
    place = submission_place(key)
    assert reviewing_role(bed.world.person("coordinator-101"), place) is Role.SITE_COORDINATOR
    assert reviewing_role(bed.world.person("monitor"), place) is None


def test_boxes_are_shown_as_typed_without_a_decision(bed: Bed, key: str) -> None:
    who = ready(bed, key)
    answer = who.post(address(key, "boxes"), form(key, BOX, BOX | {"x": "400"}))
    assert answer.status_code == 200
    assert '<rect class="ti-box-line" x="400" y="6" width="290" height="45"/>' in text(answer)
    assert reviews(key)[0].decision == ""


def test_what_was_typed_stays_when_it_is_refused(bed: Bed, key: str) -> None:
    who = ready(bed, key)
    answer = text(who.post(address(key, "approve"), form(key, BOX | {"x": "111"}, BOX | {"x": "9000"})))
    assert 'value="111"' in answer
    assert 'value="9000"' in answer
    assert "lies outside the image" in answer
    unread = text(who.post(address(key, "approve"), form(key, BOX | {"x": "112"}, BOX | {"x": "1e<9"})))
    assert 'value="112"' in unread
    assert 'value="1e&lt;9"' in unread
    assert "are whole numbers" in unread
    for refused in (answer, unread):
        assert "data-unsaved" in refused
    assert "data-unsaved" not in text(who.get(address(key)))


def test_a_rejection_without_a_reason_leads_to_the_field_where_it_is_missing(bed: Bed, key: str) -> None:
    refused = text(ready(bed, key).post(address(key, "reject"), {**form(key), "reason": " "}))
    assert '<a href="#reason">Give a reason' in refused
    field = refused.split('<textarea class="form-control" id="reason"', 1)[1].split(">", 1)[0]
    assert 'aria-invalid="true"' in field
    assert "reason-errors" in field


def test_what_was_decided_is_told_in_whole_sentences(bed: Bed, key: str, known_finds: dict[str, Any]) -> None:
    who, email = ready(bed, key), email_of("coordinator-101")
    who.post(address(key, "reject"), {**form(key), "reason": "Another examination."})
    assert f"Rejected by {email}, not sent yet: Another examination." in words(who.get(address(key)))
    who.post(address(key, "approve"), form(key))
    page = words(who.get(address(key)))
    assert f"Approved by {email}, not sent yet: nothing to hide." in page
    assert "Approved , nothing to hide" in page


def test_the_rule_that_proposes_a_box_is_called_as_its_device_is(
    bed: Bed, tmp_path: Path, known_finds: dict[str, Any]
) -> None:
    known_finds["device"] = "Philips CX50, 600 rows"
    key = bed.link(clip_study(tmp_path / "clip"))
    assert "Proposed by a rule: Philips CX50, 600 rows." in words(ready(bed, key).get(address(key)))
