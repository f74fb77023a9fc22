from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.pipeline.bed import PATIENT, Bed, small_ct
from tests.web.imaging_bed import attach, bed, ct, ct_folder, slot_address, text, visitor, words
from trialimg.domain.submission import Fate, Stage

__all__ = ["bed", "ct", "ct_folder"]
PNG = b"\x89PNG\r\n\x1a\n"


def files(folder: Path, **given: Any) -> list[Path]:
    small_ct(folder, **given)
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def with_dose(bed: Bed, tmp_path: Path) -> str:
    """A linked study of which the dose page is held."""
    key = bed.link(files(tmp_path / "dose", dose_report=True))
    assert bed.stage(key) is Stage.LINKED
    return key


def held_ordinal(bed: Bed, key: str) -> int:
    (item,) = [each for each in bed.objects(key) if each.fate == Fate.HELD]
    return item.ordinal


# --- before anything is sent --------------------------------------------------------------------------------


def test_the_slot_says_what_happens_to_originals_before_anything_is_sent(bed: Bed) -> None:
    page = words(visitor(bed).get(slot_address(bed)))
    assert page.index("Before you send") < page.index("Files or a zip")
    for said in ("with the patient's name", "quarantine", "destroyed", "14 days"):
        assert said in page


def test_a_slot_whose_images_are_not_finished_takes_no_others_yet(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    page = attach(bed, ct[:1], who)
    shown = who.get(slot_address(bed))
    assert "Not finished yet" in words(shown)
    assert f'href="{page}"' in text(shown)
    assert "data-upload-drop" not in text(shown)


# --- what was found -----------------------------------------------------------------------------------------


def test_names_are_shown_to_the_sites_people_only(bed: Bed, ct: list[Path]) -> None:
    page = attach(bed, ct, visitor(bed))
    bed.run()
    family = PATIENT.name.split("^")[0]
    assert family in words(visitor(bed).get(page))
    assert ct[0].name in bed.summary(page.rsplit("/", 1)[-1]).objects[0].name
    for other in ("monitor", "data-manager", "sponsor", "trial-administrator", "inspector"):
        shown = visitor(bed, other).get(page)
        assert shown.status_code == 200
        for hidden in (family, PATIENT.patient_id, ct[0].name, "ABDOMEN"):
            assert hidden not in text(shown), (other, hidden)
        assert visitor(bed, other).get(f"{page}/series/0/picture").status_code == 403


def test_pictures_of_series_come_from_quarantine_and_go_with_it(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    page = attach(bed, ct, who)
    bed.run()
    who.get(page)
    got = who.get(f"{page}/series/0/picture")
    assert got.mimetype == "image/png"
    assert got.data.startswith(PNG)
    assert got.headers["Cache-Control"] == "no-store"
    assert who.get(f"{page}/series/99/picture").status_code == 404
    assert who.post(f"{page}/cancel").status_code == 303
    assert who.get(f"{page}/series/0/picture").status_code == 404


def test_two_persons_are_said_at_the_top_and_one_of_them_must_be_chosen(bed: Bed, ct: list[Path], tmp_path: Path) -> None:
    who = visitor(bed)
    other = files(tmp_path / "other", patient=PATIENT_IDENTITIES[1], study_key="other")
    page = attach(bed, [*ct, *other], who)
    bed.run()
    shown = words(who.get(page))
    assert "2 persons" in shown
    assert shown.index("2 persons") < shown.index("Take")
    key = page.rsplit("/", 1)[-1]
    summary = bed.summary(key)
    everything = [str(series.index) for series in summary.series]
    refused = who.post(f"{page}/confirm", {"series": everything})
    assert refused.status_code == 422
    assert "more than one person" in words(refused)
    assert bed.stage(key) is Stage.SURVEYED
    chosen = summary.preselected(("CT",), several=False)
    assert len({summary.studies[summary.series[n].study].patient for n in chosen}) == 1
    assert who.post(f"{page}/confirm", {"series": [str(n) for n in chosen]}).status_code == 303
    bed.run()
    assert bed.stage(key) is Stage.LINKED
    assert set(bed.fates(key)) == {Fate.SENT, Fate.LEFT_OUT}


def test_confirming_nothing_changes_nothing(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    page = attach(bed, ct, who)
    bed.run()
    who.get(page)
    answer = who.post(f"{page}/confirm", {})
    assert answer.status_code == 422
    assert "Choose at least one series" in words(answer)
    assert "What was found" in words(answer)
    assert who.post(f"{page}/confirm", {"series": "x"}).status_code == 422


def test_a_second_confirmation_is_told_that_it_is_late(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    page = attach(bed, ct, who)
    bed.run()
    who.get(page)
    assert who.post(f"{page}/confirm", {"series": ["0", "1"]}).status_code == 303
    assert who.post(f"{page}/confirm", {"series": ["0", "1"]}).status_code == 409


def test_a_refused_submission_says_why_and_which_file(bed: Bed, tmp_path: Path) -> None:
    note = tmp_path / "letter-to-doctor.dcm"
    note.write_text("no image")
    page = attach(bed, [note], visitor(bed))
    bed.run()
    mine, theirs = words(visitor(bed).get(page)), words(visitor(bed, "monitor").get(page))
    assert "not a DICOM file" in mine
    assert "letter-to-doctor.dcm" in mine
    assert "letter-to-doctor" not in theirs


def test_cancelling_something_confirmed_needs_a_reason(bed: Bed, ct: list[Path]) -> None:
    who = visitor(bed)
    page = attach(bed, ct, who)
    bed.run()
    who.get(page)
    who.post(f"{page}/confirm", {"series": ["0", "1"]})
    assert who.post(f"{page}/cancel").status_code == 422
    assert who.post(f"{page}/cancel", {"reason": "The wrong visit."}).status_code == 303
    key = page.rsplit("/", 1)[-1]
    assert bed.stage(key) is Stage.CANCELLED
    assert bed.run() == 0
    assert bed.stage(key) is Stage.CANCELLED


# --- held images --------------------------------------------------------------------------------------------


def test_held_images_are_seen_and_decided_on_by_the_sites_people_only(bed: Bed, with_dose: str) -> None:
    page, ordinal = f"/submissions/{with_dose}", held_ordinal(bed, with_dose)
    who = visitor(bed)
    assert "Look at the pixels" in words(who.get(page))
    bed.show_nothing(with_dose)
    assert "waits for a decision" in words(who.get(page))
    got = who.get(f"{page}/objects/{ordinal}/picture")
    assert (got.status_code, got.mimetype) == (200, "image/png")
    for other in ("monitor", "data-manager", "inspector"):
        them = visitor(bed, other)
        assert "waits for a decision" in words(them.get(page))
        assert "/picture" not in text(them.get(page))
        assert them.get(f"{page}/objects/{ordinal}/picture").status_code == 403
        assert them.post(f"{page}/decision", {"ordinal": str(ordinal), "decision": "send", "reason": "x"}).status_code == 403
    assert visitor(bed, "coordinator-102").get(f"{page}/objects/{ordinal}/picture").status_code == 404


def test_only_held_images_are_pictured(bed: Bed, with_dose: str) -> None:
    sent = next(each.ordinal for each in bed.objects(with_dose) if each.fate == Fate.SENT)
    assert visitor(bed).get(f"/submissions/{with_dose}/objects/{sent}/picture").status_code == 404


def test_a_discarded_image_is_destroyed_with_its_picture(bed: Bed, with_dose: str) -> None:
    page, ordinal = f"/submissions/{with_dose}", held_ordinal(bed, with_dose)
    who = visitor(bed)
    who.get(page)
    who.get(f"{page}/objects/{ordinal}/picture")
    answer = who.post(f"{page}/decision", {"ordinal": str(ordinal), "decision": "discard", "reason": "A name is in it."})
    assert answer.status_code == 303
    bed.run()
    assert bed.stage(with_dose) is Stage.LINKED
    area = bed.services().vault.area(f"quarantine/{with_dose}")
    assert (area.listing(), area.notes()) == ([], [])
    (study,) = bed.studies()
    assert study.held_count == 0
    item = next(each for each in bed.objects(with_dose) if each.ordinal == ordinal)
    assert (item.fate, item.decided_by) == (Fate.DISCARDED, "coordinator-101@trial.example")


def test_a_sent_image_joins_the_study_and_the_whole_is_verified(bed: Bed, with_dose: str) -> None:
    page = f"/submissions/{with_dose}"
    (before,) = [study.instance_count for study in bed.studies()]
    bed.show_nothing(with_dose)
    who = visitor(bed)
    who.get(page)
    answer = who.post(f"{page}/decision", {"all": "1", "decision": "send", "reason": "Only numbers."})
    assert answer.status_code == 303
    bed.run()
    assert bed.stage(with_dose) is Stage.LINKED
    (study,) = bed.studies()
    assert (study.instance_count, study.held_count) == (before + 1, 0)


def test_keeping_waits_and_says_who_kept_it(bed: Bed, with_dose: str) -> None:
    page = f"/submissions/{with_dose}"
    bed.show_nothing(with_dose)
    who = visitor(bed)
    who.get(page)
    assert who.post(f"{page}/decision", {"all": "1", "decision": "keep", "reason": "Asking."}).status_code == 303
    assert bed.stage(with_dose) is Stage.LINKED
    assert "Kept by coordinator-101" in words(who.get(page))


@pytest.mark.parametrize(
    "posted",
    [
        {"decision": "send", "reason": "x"}, {"all": "1", "decision": "", "reason": "x"},
        {"all": "1", "decision": "send", "reason": "  "}, {"ordinal": "99", "decision": "send", "reason": "x"},
    ],
)  # fmt: skip
def test_an_incomplete_decision_changes_nothing(bed: Bed, with_dose: str, posted: dict[str, str]) -> None:
    who = visitor(bed)
    who.get(f"/submissions/{with_dose}")
    answer = who.post(f"/submissions/{with_dose}/decision", posted)
    assert answer.status_code == 422
    assert "There is a problem" in words(answer)
    assert bed.stage(with_dose) is Stage.LINKED
    assert held_ordinal(bed, with_dose) >= 0


# --- the link -----------------------------------------------------------------------------------------------


def test_a_study_is_detached_and_moved_with_reasons(bed: Bed, ct: list[Path]) -> None:
    bed.link(ct)
    (study,) = bed.studies()
    uid, who = study.study_instance_uid, visitor(bed, "data-manager")
    assert "Move the link" in words(who.get(f"/studies/{uid}/link"))
    assert who.post(f"/studies/{uid}/detach", {}).status_code == 422
    assert who.post(f"/studies/{uid}/detach", {"reason-detach": "Not this visit."}).status_code == 303
    assert visitor(bed).get(f"/studies/{uid}").status_code == 404
    assert visitor(bed).get(f"/dicomweb/studies/{uid}/series").status_code == 404
    moved = who.post(f"/studies/{uid}/relink", {"target": "W8/CT", "reason-relink": "It is week 8."})
    assert moved.status_code == 303
    assert uid in words(visitor(bed).get(slot_address(bed, "W8")))
    assert uid not in words(visitor(bed).get(slot_address(bed)))
    assert visitor(bed).get(f"/studies/{uid}").status_code == 302


def test_a_study_is_withdrawn_hidden_and_removed_when_authorised(bed: Bed, ct: list[Path]) -> None:
    bed.link(ct)
    (study,) = bed.studies()
    uid = study.study_instance_uid
    who, admin = visitor(bed, "data-manager"), visitor(bed, "trial-administrator")
    who.get(f"/studies/{uid}/link")
    assert who.post(f"/studies/{uid}/withdraw", {"reason-withdraw": "Another person."}).status_code == 303
    for address in (f"/studies/{uid}", f"/dicomweb/studies/{uid}/metadata", f"/studies/{uid}/link"):
        assert visitor(bed, "data-manager").get(address).status_code == 404
    listed = words(who.get("/trials/DEMO/withdrawn"))
    assert uid in listed
    assert "Another person." in listed
    act = f"/trials/DEMO/withdrawn/{uid}/removal"
    assert who.post(act, {"reason": "Please."}).status_code == 403
    admin.get("/trials/DEMO/withdrawn")
    assert admin.post(act, {"reason": ""}).status_code == 422
    assert admin.post(act, {"reason": "Agreed with the site."}).status_code == 303
    bed.run()
    assert not bed.services().archive.holds(uid)
    assert "Gone from the archive" in words(admin.get("/trials/DEMO/withdrawn"))
    assert admin.post(act, {"reason": "Again."}).status_code == 409


def test_who_may_not_move_a_link_is_told_so_or_finds_nothing(bed: Bed, ct: list[Path]) -> None:
    bed.link(ct)
    uid = bed.studies()[0].study_instance_uid
    assert visitor(bed).get(f"/studies/{uid}/link").status_code == 403
    assert visitor(bed, "coordinator-102").get(f"/studies/{uid}/link").status_code == 404
    investigator = visitor(bed, "investigator-101")
    page = investigator.get(f"/studies/{uid}/link")
    assert "Withdraw the study" not in words(page)
    assert investigator.post(f"/studies/{uid}/withdraw", {"reason-withdraw": "x"}).status_code == 403
