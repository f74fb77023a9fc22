"""The coordinator's day: a subject enrolled, a form filled, two studies attached, cleaned, proved in the archive."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from playwright.sync_api import expect

from seed_data.phantom.ct import write_ct
from seed_data.phantom.lesions import Lesion
from tests.e2e import coordinator as act
from tests.e2e.first_day import COORDINATOR, TRIAL
from tests.e2e.planted import outside_quarantine, spoken_of
from tests.e2e.records import ask, fetch_files, studies_of
from tests.e2e.three_days import DAYS, PATIENT, Story
from tests.e2e.viewer import wait_until_drawn
from tests.e2e.visitor import Visit, Visitor

SLICES, SIZE = 24, 256
SENT: Final = SLICES + 1  # with the localizer; the dose report is held
LESIONS: Final = {"SCR": (Lesion("lung", 24), Lesion("liver", 30)), "W8": (Lesion("lung", 20), Lesion("liver", 20))}


def _phantom(folder: Path, visit: str) -> Path:
    write_ct(
        folder, PATIENT, study_date=f"{DAYS[visit]:%Y%m%d}", lesions=LESIONS[visit], slices=SLICES, size=SIZE,
        study_key=f"the day {visit}", dose_report=visit == "SCR",
    )  # fmt: skip
    return folder


def coordinators_day(story: Story, visit: Visit) -> None:
    """Send two time points of one subject, and see that all of it and nothing but it arrived."""
    clara = story.comes(visit, COORDINATOR)
    expect(clara.page.get_by_role("heading", level=1)).to_have_text("My work")
    clara.look("10-my-work", says="My work")
    story.number = act.enrol(clara, PATIENT)
    _forms_are_filled(clara, story)
    subject = f"/trials/{TRIAL}/subjects/{story.number}"
    sent = {"SCR": _attach_and_confirm(clara, f"{subject}/visits/SCR", _phantom(story.folder / "SCR", "SCR"))}
    _held_one_is_discarded(clara)
    story.studies["SCR"] = act.study_uid(clara.page)
    clara.look("22-linked", TRIAL, story.number, says="Images sent")
    clara.goto(subject)
    act.date_visit(clara.page, "Week 8", DAYS["W8"])
    sent["W8"] = act.attach(clara, f"{subject}/visits/W8/slots/CT", _phantom(story.folder / "W8", "W8"), DAYS["W8"])
    act.stage(clara.page, "surveyed")
    act.confirm(clara.page)
    act.stage(clara.page, "linked")
    story.studies["W8"] = act.study_uid(clara.page)
    _the_pages_tell_it(clara, story)
    _the_link_can_be_sent(visit(story.installation.url), story)
    for key, submission in sent.items():
        account = ask(story.installation, COORDINATOR.email, f"/api/v1{submission}")
        assert account["stage"] == "linked"
        assert account["study_instance_uids"] == [story.studies[key]]
        story.linked[key] = {item["sop_instance_uid"] for item in account["instances"] if item["fate"] == "sent"}
        assert len(story.linked[key]) == SENT
    _nothing_names_the_patient(story, sent)


def _forms_are_filled(clara: Visitor, story: Story) -> None:
    act.date_visit(clara.page, "Screening", DAYS["SCR"])
    clara.look("12-subject", TRIAL, story.number, says=story.number)
    act.fill_vital_signs(clara, DAYS["SCR"])
    clara.look("15-history", TRIAL, "Vital signs", "History", says="History")
    clara.goto(f"/trials/{TRIAL}/subjects/{story.number}")
    act.fill_imaging_form(clara.page, DAYS["SCR"])


def _attach_and_confirm(clara: Visitor, visit: str, disc: Path) -> str:
    page = clara.page
    page.locator("#slot-CT").get_by_role("link", name="Attach images").click()
    expect(page.locator("main")).to_contain_text("images leave your computer as they are")
    clara.look("16-slot", TRIAL, "SCR", says="CT of chest and abdomen")
    submission = act.attach(clara, f"{visit}/slots/CT", disc, DAYS["SCR"])
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
    expect(page.get_by_role("heading", name="1 held image waits for a look at its pixels")).to_be_visible()
    clara.look("20-linked-one-held", TRIAL, "CT", says="Images sent")
    act.reject_pixels(clara, "The dose report is not wanted here.")
    act.stage(page, "linked")


def _the_pages_tell_it(clara: Visitor, story: Story) -> None:
    """Form, subject, grid and slot tell of the linked study, and the viewer draws it."""
    subject, uid = f"/trials/{TRIAL}/subjects/{story.number}", story.studies["SCR"]
    assert re.fullmatch(r"2\.25\.\d{1,39}", uid)
    clara.goto(f"{subject}/visits/SCR/forms/IMG")
    expect(clara.page.locator("#slot-CT")).to_contain_text(uid)
    expect(clara.page.locator("#slot-CT")).to_contain_text(f"{SENT} images")
    clara.look("23-form-with-linked-study", TRIAL, story.number, "Imaging visit", says="Imaging visit")
    clara.goto(subject)
    clara.look("24-subject-linked", TRIAL, story.number, says=story.number)
    clara.goto(f"/trials/{TRIAL}")
    clara.look("25-subjects", says="Subjects")
    clara.goto("/account")
    clara.look("26-account", says="My account")
    clara.goto(f"{subject}/visits/SCR/slots/CT")
    clara.look("27-slot-linked", TRIAL, story.number, says="CT of chest and abdomen")
    with clara.context.expect_page() as opened:
        clara.page.get_by_role("link", name="Open in the viewer").click()
    clara.watch(opened.value)
    wait_until_drawn(opened.value)
    opened.value.screenshot(path=clara.pictures / "28-viewer.png")


def _the_link_can_be_sent(stranger: Visitor, story: Story) -> None:
    """Without a session the link leads to sign-in, and from there to the viewer."""
    uid, stranger.pictures, stranger.thorough = story.studies["SCR"], story.pictures, story.orthanc is None
    stranger.goto(f"/studies/{uid}")
    expect(stranger.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    stranger.look("29-sign-in", says="Sign in")
    stranger.sign_in(COORDINATOR.email, COORDINATOR.password)
    expect(stranger.page).to_have_url(re.compile(rf"/viewer/viewer\?StudyInstanceUIDs={re.escape(uid)}"))
    wait_until_drawn(stranger.page)


def _nothing_names_the_patient(story: Story, sent: dict[str, str]) -> None:
    installation = story.installation
    ours = {f"quarantine.{submission.rsplit('/', 1)[-1]}" for submission in sent.values()}
    left = ours.intersection(area.name for area in installation.quarantine)
    assert left == set(), "the originals are destroyed when the study is linked and nothing is held"
    files = outside_quarantine(installation.folder)
    if story.orthanc is not None:
        held = studies_of(story.orthanc)
        for key, uid in story.studies.items():
            assert set(held[uid]) == story.linked[key], "Orthanc holds the study, complete, by the same UIDs"
        files += fetch_files(story.orthanc, story.folder / "fetched")
    assert spoken_of([PATIENT], files) == []
