"""What is wrong with images is said before anything leaves the quarantine, and cancelling destroys what was received."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES, Patient
from seed_data.phantom.mr import write_mr
from tests.e2e import coordinator as act
from tests.e2e.conftest import Place
from tests.e2e.first_day import TRIAL
from tests.e2e.installation import Installation
from tests.e2e.planted import outside_quarantine, spoken_of
from tests.e2e.visitor import Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ANNA, BERT, CARL = PATIENT_IDENTITIES[2], PATIENT_IDENTITIES[3], PATIENT_IDENTITIES[12]
DAY: Final = act.days_ago(4)


def _ct(folder: Path, patient: Patient, key: str, *, slices: int = 6) -> None:
    write_ct(folder, patient, study_date=f"{DAY:%Y%m%d}", slices=slices, size=128, study_key=key)


@pytest.fixture
def clara(on_local: Place, visit: Visit) -> Iterator[Visitor]:
    """The coordinator, at work; whatever the test sends, no word of it may be found outside the quarantine."""
    person = visit(on_local.installation.url)
    act.come_to_work(person)
    yield person
    assert spoken_of([ANNA, BERT, CARL], outside_quarantine(on_local.installation.folder)) == []


def _subject(clara: Visitor, patient: Patient, day: date = DAY) -> str:
    """Enrol a subject with a dated visit; gives the address of the visit."""
    clara.goto("/")
    number = act.enrol(clara, patient)
    act.date_visit(clara.page, "Screening", day)
    return f"/trials/{TRIAL}/subjects/{number}/visits/SCR"


def _area(installation: Installation, submission: str) -> Path:
    return installation.data / "vault" / "areas" / f"quarantine.{submission.rsplit('/', 1)[-1]}"


def _is_gone(area: Path, *, but: str = "") -> bool:
    # Files go right after the commit that says so, so a page may be a moment ahead of them.
    for _ in range(100):
        left = {*area.iterdir()} - {*area.glob(but or "nothing")} if area.exists() else set()
        if not left and (but or not area.exists()):
            return True
        time.sleep(0.1)
    return False


def _cancel_destroys(clara: Visitor, installation: Installation, submission: str) -> None:
    area = _area(installation, submission)
    assert any(area.iterdir()), "the originals lie in quarantine"
    act.cancel(clara.page)
    assert _is_gone(area), "cancelling destroys the originals"
    expect(clara.page.locator("main")).not_to_contain_text(ANNA.family_name)


def test_two_patients_in_one_folder(clara: Visitor, on_local: Place, tmp_path: Path) -> None:
    _ct(tmp_path / "disc" / "a", ANNA, "two a")
    _ct(tmp_path / "disc" / "b", BERT, "two b")
    visit = _subject(clara, ANNA)
    submission = act.attach(clara, f"{visit}/slots/CT", tmp_path / "disc")
    page = clara.page
    act.stage(page, "surveyed")
    found = page.get_by_role("region", name="What was found")
    expect(found).to_contain_text("These images are of 2 persons")
    for person in (ANNA, BERT):
        expect(found).to_contain_text(person.patient_id)
    clara.look("40-two-patients", TRIAL, "CT", says="Images sent")
    for box in found.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(page.locator("[data-error-summary]")).to_contain_text("images of more than one person")
    act.stage(page, "surveyed")
    _cancel_destroys(clara, on_local.installation, submission)
    clara.look("41-cancelled", TRIAL, "CT", says="Images sent")


def test_text_among_images_is_named_and_text_alone_is_refused(clara: Visitor, on_local: Place, tmp_path: Path) -> None:
    _ct(tmp_path / "mixed", ANNA, "with text")
    (tmp_path / "mixed" / "findings.txt").write_text(f"Findings of {ANNA.name}")
    visit = _subject(clara, ANNA)
    submission = act.attach(clara, f"{visit}/slots/CT", tmp_path / "mixed")
    act.stage(clara.page, "surveyed")
    expect(clara.page.get_by_role("row", name=re.compile(r"findings\.txt.*DICOM"))).to_be_visible()
    clara.look("42-text-among-images", TRIAL, "CT", says="Images sent")
    _cancel_destroys(clara, on_local.installation, submission)

    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "IM000001.dcm").write_text(f"{ANNA.name} was here")
    submission = act.attach(clara, f"{visit}/slots/CT", tmp_path / "text")
    act.stage(clara.page, "refused")
    expect(clara.page.locator("main")).to_contain_text("what had been received was destroyed")
    clara.look("43-refused", TRIAL, "CT", says="Images sent")
    expect(clara.page.get_by_role("row", name=re.compile(r"IM000001\.dcm"))).to_be_visible()
    assert _is_gone(_area(on_local.installation, submission), but="note-*"), "only what names the file waits for a day"


def test_an_mr_does_not_go_into_the_slot_for_ct(clara: Visitor, on_local: Place, tmp_path: Path) -> None:
    write_mr(tmp_path / "disc", ANNA, study_date=f"{DAY:%Y%m%d}", slices=4, size=64, study_key="wrong slot")
    visit = _subject(clara, ANNA)
    submission = act.attach(clara, f"{visit}/slots/CT", tmp_path / "disc")
    act.stage(clara.page, "surveyed")
    main = clara.page.locator("main")
    expect(main).to_contain_text("The slot “CT of chest and abdomen” takes CT; these images are MR.")
    expect(main).to_contain_text("Nothing of this can go on.")
    expect(clara.page.get_by_role("button", name="Confirm", exact=True)).to_have_count(0)
    clara.look("44-wrong-modality", TRIAL, "CT", says="Images sent")
    _cancel_destroys(clara, on_local.installation, submission)


def test_the_same_study_again_at_another_subject(clara: Visitor, on_local: Place, tmp_path: Path) -> None:
    _ct(tmp_path / "disc", CARL, "again", slices=20)
    first = _subject(clara, CARL)
    act.attach(clara, f"{first}/slots/CT", tmp_path / "disc")
    act.stage(clara.page, "surveyed")
    act.confirm(clara.page)
    act.stage(clara.page, "linked")

    second = _subject(clara, CARL)
    submission = act.attach(clara, f"{second}/slots/CT", tmp_path / "disc")
    act.stage(clara.page, "surveyed")
    number = first.split("/")[4]
    expect(clara.page.locator("main")).to_contain_text(f"was sent before as subject {number}, visit SCR, slot CT.")
    expect(clara.page.locator("main")).to_contain_text("Nothing of this can go on.")
    expect(clara.page.get_by_role("button", name="Confirm", exact=True)).to_have_count(0)
    clara.look("45-sent-before", TRIAL, "CT", says="Images sent")
    _cancel_destroys(clara, on_local.installation, submission)
