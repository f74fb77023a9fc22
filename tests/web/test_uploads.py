from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from werkzeug.exceptions import RequestEntityTooLarge

from tests.pipeline.bed import PATIENT, Bed
from tests.web.imaging_bed import JSON, attach, bed, ct, ct_folder, plain_files, slot_address, visitor, words
from trialimg.domain.submission import Fate, Stage
from trialimg.web import uploads

__all__ = ["bed", "ct", "ct_folder"]


def key_of(page_url: str) -> str:
    return page_url.rsplit("/", 1)[-1]


def test_a_study_is_attached_confirmed_and_linked_through_the_pages(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    page = attach(bed, ct, who)
    assert who.get(f"{page}/progress").get_json()["stage"] == "received"
    bed.run()
    shown = who.get(page)
    assert PATIENT.patient_id in words(shown)
    chosen = [str(n) for n in range(len(bed.summary(key_of(page)).series))]
    assert who.post(f"{page}/confirm", {"series": chosen, "acquired": "2026-03-02"}).status_code == 303
    bed.run()
    (study,) = bed.studies()
    told = words(who.get(page))
    assert study.study_instance_uid in told
    assert "Open in the viewer" in told
    assert study.study_instance_uid in words(who.get(slot_address(bed)))
    assert who.get(f"{page}/progress").get_json()["finished"] is True


def test_without_scripts_one_plain_form_does_the_same(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    who.get(slot_address(bed))
    answer = who.post(f"{slot_address(bed)}/submissions", {"files": plain_files(ct), "acquired": ""})
    assert answer.status_code == 303
    key = key_of(answer.headers["Location"])
    assert bed.stage(key) is Stage.RECEIVED
    assert len(bed.objects(key)) == len(ct)


def test_files_of_a_plain_form_touch_no_folder_but_the_vault(
    bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    plain_open = os.open

    def watched(path: Any, flags: int, *args: Any, **given: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            opened.append(str(path))
        return plain_open(path, flags, *args, **given)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a file was written for the machine to see")

    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", never)
    monkeypatch.setattr(uploads.os, "open", watched)
    who = visitor(bed)
    who.get(slot_address(bed))
    assert who.post(f"{slot_address(bed)}/submissions", {"files": plain_files(ct)}).status_code == 303
    scratch = bed.services().vault.root / "scratch"
    assert sum(path.startswith(str(scratch)) for path in opened) == len(ct)
    assert not list(scratch.iterdir())


def test_no_other_address_takes_a_file_and_nobody_unknown_sends_one(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    who.get(slot_address(bed))
    assert who.post("/sign-out", {"files": plain_files(ct[:1])}).status_code == 413
    stranger = bed.world.client()
    answer = stranger.post(f"{slot_address(bed)}/submissions", data={"files": plain_files(ct[:1])})
    assert answer.status_code == 413
    assert not bed.studies()


def test_a_large_body_is_refused_where_no_images_belong(bed: Bed) -> None:
    length = {"CONTENT_LENGTH": str(uploads.MOST_FORM + 1)}
    asked = bed.app.test_request_context("/account/tokens", method="POST", environ_overrides=length)
    with asked, pytest.raises(RequestEntityTooLarge):
        _ = asked.request.stream


def test_a_form_without_files_is_told_so(bed: Bed) -> None:
    who = visitor(bed)
    who.get(slot_address(bed))
    answer = who.post(f"{slot_address(bed)}/submissions", {"acquired": ""})
    assert answer.status_code == 422
    assert "No file was chosen" in words(answer)


def test_the_same_file_under_the_same_number_counts_once(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    who.get(slot_address(bed))
    told = who.client.post(
        f"{slot_address(bed)}/submissions", data={"csrf_token": who.token}, headers=JSON
    ).get_json()
    named = {"X-Object-Ordinal": "1", "X-Object-Name": "a%0Ab.dcm"}
    for _ in range(2):
        assert who.send(told["objects_url"], ct[0].read_bytes(), **named).status_code == 201
    other = who.send(told["objects_url"], ct[1].read_bytes(), **named)
    assert other.status_code == 409
    assert other.mimetype == "application/problem+json"
    assert who.send(told["complete_url"], {"announced": 1, "refused": 0}).status_code == 200
    assert bed.fates(told["id"]) == [Fate.RECEIVED]


def test_completing_needs_honest_counts(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    who.get(slot_address(bed))
    told = who.client.post(f"{slot_address(bed)}/submissions", data={"csrf_token": who.token}, headers=JSON).get_json()
    who.send(told["objects_url"], ct[0].read_bytes(), **{"X-Object-Ordinal": "1"})
    for body, status in [
        ({"announced": 2, "refused": 0}, 409), ({"announced": 1, "refused": 2}, 409),
        ({"announced": "1", "refused": 0}, 422), ({"announced": True, "refused": 0}, 422), ({"announced": 1}, 422),
    ]:  # fmt: skip
        assert who.send(told["complete_url"], body).status_code == status, body
    assert who.send(told["complete_url"], {"announced": 2, "refused": 1}).status_code == 200


def test_cancelling_while_sending_destroys_what_came(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    who.get(slot_address(bed))
    told = who.client.post(f"{slot_address(bed)}/submissions", data={"csrf_token": who.token}, headers=JSON).get_json()
    who.send(told["objects_url"], ct[0].read_bytes(), **{"X-Object-Ordinal": "1"})
    assert who.send(told["cancel_url"], b"").status_code == 200
    assert bed.stage(told["id"]) is Stage.CANCELLED
    assert not bed.services().vault.area(f"quarantine/{told['id']}").listing()
    late = who.send(told["objects_url"], ct[1].read_bytes(), **{"X-Object-Ordinal": "2"})
    assert late.status_code == 409
    assert not bed.services().vault.area(f"quarantine/{told['id']}").listing()


def test_another_sites_people_find_no_slot_and_no_submission(bed: Bed, ct: list[Path]) -> None:
    page = attach(bed, ct[:1], visitor(bed))
    other = visitor(bed, "coordinator-102")
    other.get("/account")
    assert other.get(slot_address(bed)).status_code == 404
    assert other.get(page).status_code == 404
    assert other.send(f"{page}/objects", b"x", **{"X-Object-Ordinal": "9"}).status_code == 404
    assert other.post(f"{page}/cancel").status_code == 404


def test_a_monitor_sees_the_slot_and_sends_nothing(bed: Bed) -> None:
    who = visitor(bed, "monitor")
    page = words(who.get(slot_address(bed)))
    assert "What is expected" in page
    assert "Attach images" not in page
    answer = who.client.post(f"{slot_address(bed)}/submissions", data={"csrf_token": who.token}, headers=JSON)
    assert answer.status_code == 403


@pytest.mark.parametrize("day", ["2999-01-01", "yesterday", "02.03.2026"])
def test_a_date_that_cannot_be_is_refused_before_anything_is_sent(bed: Bed, day: str) -> None:
    who = visitor(bed)
    who.get(slot_address(bed))
    data = {"csrf_token": who.token, "acquired": day}
    answer = who.client.post(f"{slot_address(bed)}/submissions", data=data, headers=JSON)
    assert answer.status_code == 422
    assert "date of the examination" in answer.get_json()["detail"]


def test_a_request_from_elsewhere_is_not_trusted(bed: Bed) -> None:
    who = visitor(bed)
    answer = who.client.post(f"{slot_address(bed)}/submissions", data={}, headers=JSON)
    assert answer.status_code == 400


def test_a_full_disk_is_said_and_costs_nothing(bed: Bed, ct: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    who = visitor(bed)
    who.get(slot_address(bed))
    monkeypatch.setattr(type(bed.services().vault), "free_bytes", lambda _self: 10)
    answer = who.post(f"{slot_address(bed)}/submissions", {"files": plain_files(ct)})
    assert answer.status_code == 507
    assert "full" in words(answer)
