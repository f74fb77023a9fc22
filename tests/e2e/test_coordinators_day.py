"""The coordinator's day, end to end: a form filled, a study attached, cleaned, proved in the archive, and opened."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES
from seed_data.phantom.lesions import Lesion
from seed_data.phantom.mr import write_mr
from tests.e2e import coordinator as act
from tests.e2e.conftest import Place
from tests.e2e.first_day import COORDINATOR, TRIAL
from tests.e2e.planted import outside_quarantine, spoken_of
from tests.e2e.records import ask, fetch_files, studies_of
from tests.e2e.viewer import wait_until_drawn
from tests.e2e.visitor import Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENT: Final = PATIENT_IDENTITIES[0]
SLICES: Final = 24
SENT: Final = SLICES + 1  # with the localizer; the dose report is held


def _phantom(folder: Path, day: date) -> Path:
    write_ct(
        folder, PATIENT, study_date=day.strftime("%Y%m%d"), lesions=(Lesion("lung", 24), Lesion("liver", 18)),
        slices=SLICES, size=256, study_key="the day", dose_report=True,
    )  # fmt: skip
    return folder


def test_the_coordinators_day(place: Place, visit: Visit, tmp_path: Path) -> None:
    installation, day = place.installation, act.days_ago(3)
    clara = visit(installation.url)
    clara.thorough = place.orthanc is None
    act.come_to_work(clara)
    clara.look("10-my-work", says="My work")
    number = act.enrol(clara, PATIENT)
    act.date_visit(clara.page, "Screening", day)
    clara.look("12-subject", TRIAL, number, says=number)
    subject = f"/trials/{TRIAL}/subjects/{number}"
    act.fill_vital_signs(clara, day)
    clara.look("15-history", TRIAL, "Vital signs", "History", says="History")
    clara.goto(subject)
    act.fill_imaging_form(clara.page, day)

    submission = _attach_and_confirm(clara, f"{subject}/visits/SCR", _phantom(tmp_path / "disc", day))
    _held_one_is_discarded(clara)
    uid = act.study_uid(clara.page)
    assert re.fullmatch(r"2\.25\.\d{1,39}", uid)
    clara.look("22-linked", TRIAL, number, says="Images sent")
    clara.goto(f"{subject}/visits/SCR/forms/IMG")
    expect(clara.page.locator("#slot-CT")).to_contain_text(uid)
    expect(clara.page.locator("#slot-CT")).to_contain_text(f"{SENT} images")
    clara.look("23-form-with-linked-study", TRIAL, number, "Imaging visit", says="Imaging visit")
    clara.goto(subject)
    clara.look("24-subject-linked", TRIAL, number, says=number)
    clara.goto(f"/trials/{TRIAL}")
    clara.look("25-subjects", says="Subjects")
    clara.goto("/account")
    clara.look("26-account", says="My account")

    clara.goto(f"{subject}/visits/SCR/slots/CT")
    clara.look("27-slot-linked", TRIAL, number, says="CT of chest and abdomen")
    with clara.context.expect_page() as opened:
        clara.page.get_by_role("link", name="Open in the viewer").click()
    clara.watch(opened.value)
    wait_until_drawn(opened.value)
    opened.value.screenshot(path=clara.pictures / "28-viewer.png")
    _the_link_can_be_sent(visit(installation.url), uid)

    account = ask(installation, COORDINATOR.email, f"/api/v1{submission}")
    linked = {item["sop_instance_uid"] for item in account["instances"] if item["fate"] == "sent"}
    assert account["stage"] == "linked"
    assert account["study_instance_uids"] == [uid]
    assert len(linked) == SENT
    assert installation.quarantine == [], "the originals are destroyed when the study is linked and nothing is held"
    files = outside_quarantine(installation.folder)
    if place.orthanc is not None:
        assert set(studies_of(place.orthanc)[uid]) == linked, "Orthanc holds the study, complete, by the same UIDs"
        files += fetch_files(place.orthanc, tmp_path / "fetched")
    assert spoken_of([PATIENT], files) == []


def _attach_and_confirm(clara: Visitor, visit: str, disc: Path) -> str:
    page = clara.page
    page.locator("#slot-CT").get_by_role("link", name="Attach images").click()
    expect(page.locator("main")).to_contain_text("images leave your computer as they are")
    clara.look("16-slot", TRIAL, "SCR", says="CT of chest and abdomen")
    submission = act.attach(clara, f"{visit}/slots/CT", disc, act.days_ago(3))
    act.stage(page, "surveyed")
    found = page.get_by_role("region", name="What was found")
    expect(found).to_contain_text(f"{PATIENT.family_name} {PATIENT.name.split('^')[1]}")
    expect(found).to_contain_text(PATIENT.patient_id)
    expect(found.get_by_role("row", name=re.compile(rf"CT.*\b{SLICES}\b"))).to_be_visible()
    act.pictures_are_shown(page, 2)
    clara.look("17-what-was-found", TRIAL, "CT", says="Images sent")
    act.confirm(page)
    clara.shot("18-working")
    clara.tab()
    clara.goto(submission)
    act.stage(clara.page, "linked_held")
    return submission


def _held_one_is_discarded(clara: Visitor) -> None:
    page = clara.page
    expect(page.get_by_role("heading", name="1 held image waits for a decision")).to_be_visible()
    act.pictures_are_shown(page, 1)
    clara.look("20-linked-one-held", TRIAL, "CT", says="Images sent")
    act.decide(page, "Discard", "The dose report has the patient's name in its picture.")
    act.stage(page, "linked")


def _the_link_can_be_sent(stranger: Visitor, uid: str) -> None:
    """Without a session the link leads to sign-in, and from there to the viewer."""
    stranger.goto(f"/studies/{uid}")
    expect(stranger.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    stranger.look("29-sign-in", says="Sign in")
    stranger.sign_in(COORDINATOR.email, COORDINATOR.password)
    expect(stranger.page).to_have_url(re.compile(rf"/viewer/viewer\?StudyInstanceUIDs={re.escape(uid)}"))
    wait_until_drawn(stranger.page)


@pytest.mark.orthanc
def test_the_archive_is_killed_in_between(on_orthanc: Place, visit: Visit, tmp_path: Path) -> None:
    """The archive dies after the coordinator confirmed: the page says so, and when it is back all ends linked."""
    archive, day, patient = on_orthanc.orthanc, act.days_ago(2), PATIENT_IDENTITIES[1]
    assert archive is not None
    disc = tmp_path / "disc"
    files = write_mr(disc, patient, study_date=day.strftime("%Y%m%d"), slices=12, size=128, study_key="killed")
    clara = visit(on_orthanc.installation.url)
    act.come_to_work(clara)
    number = act.enrol(clara, patient)
    act.date_visit(clara.page, "Screening", day)
    act.attach(clara, f"/trials/{TRIAL}/subjects/{number}/visits/SCR/slots/MR", disc, day)
    act.stage(clara.page, "surveyed")
    act.confirm(clara.page)
    archive.kill()
    try:
        told = clara.page.locator("[data-progress-sentence]")
        sentence = "The archive cannot be reached: nothing is lost, it is tried again."
        expect(told).to_contain_text(sentence, timeout=act.PATIENCE)
        expect(told).to_contain_text("the next attempt is due at")
        clara.look("30-archive-away", TRIAL, number, says="Images sent")
    finally:
        archive.start()
    act.stage(clara.page, "linked")
    uid = act.study_uid(clara.page)
    assert len(studies_of(archive)[uid]) == len(files)
