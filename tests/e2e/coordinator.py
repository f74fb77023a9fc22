"""What a site coordinator does, act by act, in the words and with the controls of the pages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from seed_data.phantom.identities import Patient
from tests.e2e.first_day import COORDINATOR, TRIAL
from tests.e2e.visitor import Visitor

SEXES: Final = {"M": "Male", "F": "Female"}
PATIENCE: Final = 90_000
"""Milliseconds a page may take to show what the pipeline did."""


def days_ago(days: int) -> date:
    """Give a day of the story."""
    return datetime.now(UTC).date() - timedelta(days=days)


def come_to_work(clara: Visitor) -> None:
    """Sign in and see what is due."""
    clara.goto("/")
    clara.sign_in(COORDINATOR.email, COORDINATOR.password)
    expect(clara.page.get_by_role("heading", level=1)).to_have_text("My work")


def enrol(clara: Visitor, patient: Patient) -> str:
    """Enrol a subject by year of birth and sex; gives the number."""
    page = clara.page
    page.get_by_role("link", name="Enrol a subject").click()
    clara.look("11-enrol", TRIAL, says="Enrol a subject")
    page.get_by_label("Year of birth").fill(patient.birth_date[:4])
    page.get_by_label(SEXES[patient.sex], exact=True).check()
    page.get_by_role("button", name="Enrol", exact=True).click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile(r"Subject \d{3}-\d{3}"))
    return heading.inner_text().split()[-1]


def date_visit(page: Page, title: str, day: date) -> None:
    """Date a visit on the subject's page."""
    page.get_by_label(f"Date of {title}").fill(day.isoformat())
    page.get_by_role("button", name=f"Set the date of {title}").click()
    expect(page.get_by_role("row", name=re.compile(title))).to_contain_text(day.isoformat())


def open_form(page: Page, title: str) -> None:
    """Open a form of the subject's page."""
    page.get_by_role("list", name="Forms at Screening").get_by_role("link", name=re.compile(title)).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)


def fill_vital_signs(clara: Visitor, day: date) -> None:
    """Fill the form with an error and an odd value, mend the one and answer for the other, complete, change."""
    page = clara.page
    open_form(page, "Vital signs")
    page.get_by_role("group", name=re.compile("Were vital signs measured")).get_by_label("Yes").check()
    page.get_by_label("When were they measured?").fill(day.isoformat())
    typed = {"Height": "178", "Weight": "84.5", "Temperature": "38.4", "Pulse": "72"}
    for label, value in typed.items():
        page.get_by_role("textbox", name=re.compile(f"^{label}")).fill(value)
    systolic = page.get_by_role("textbox", name=re.compile("^Systolic"))
    diastolic = page.get_by_role("textbox", name=re.compile("^Diastolic"))
    systolic.fill("76")
    diastolic.fill("92")
    page.get_by_role("group", name=re.compile("^Position")).get_by_label("Sitting").check()
    page.locator("#save").click()
    summary = page.locator("[data-error-summary]")
    expect(summary).to_contain_text("The diastolic blood pressure must be below the systolic one")
    clara.look("13-form-with-an-error", TRIAL, "Screening", "Vital signs", says="Vital signs")
    summary.get_by_role("link", name=re.compile("diastolic")).click()
    expect(diastolic).to_be_focused()
    systolic.fill("122")
    diastolic.fill("78")
    page.get_by_label("If the value is right, say why").first.fill("Slight cold; measured twice.")
    page.get_by_role("button", name="Save and mark complete").click()
    expect(page.locator(".ti-flashes")).to_contain_text("Saved and complete")
    expect(page.locator(".ti-heading")).to_contain_text("Complete")
    clara.look("14-form-complete", TRIAL, "Screening", "Vital signs", says="Vital signs")
    change_a_complete_form(page)


def change_a_complete_form(page: Page) -> None:
    """Change one value: not without a reason."""
    pulse = page.get_by_role("textbox", name=re.compile("^Pulse"))
    pulse.fill("75")
    page.locator("#save").click()
    expect(page.locator("[data-error-summary]")).to_contain_text("Say why it is changed")
    expect(pulse).to_have_value("75")
    page.get_by_label("Reason for the change").fill("Read again from the source document.")
    page.locator("#save").click()
    expect(page.locator(".ti-flashes")).to_contain_text("Saved")
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("row", name=re.compile("Pulse")).first).to_contain_text("Read again from the source")


def fill_imaging_form(page: Page, day: date) -> None:
    """Say in the imaging form when the CT was acquired."""
    open_form(page, "Imaging visit")
    page.get_by_role("group", name=re.compile("Was the CT performed")).get_by_label("Yes").check()
    page.get_by_label("When was the CT acquired?").fill(day.isoformat())
    page.get_by_role("group", name=re.compile("Which contrast")).get_by_label(
        "Intravenous contrast", exact=True
    ).check()
    page.locator("#save").click()
    expect(page.locator(".ti-flashes")).to_contain_text("Saved")


def attach(clara: Visitor, slot: str, folder: Path, day: date | None = None) -> str:
    """Send a folder at a slot through the browser; gives the address of the submission's page."""
    page = clara.page
    clara.goto(slot)
    if day:
        page.get_by_label("Date of the examination").fill(day.isoformat())
    page.locator("#upload-folder").set_input_files(folder)
    expect(page).to_have_url(re.compile("/submissions/"), timeout=PATIENCE)
    return urlsplit(page.url).path


def stage(page: Page, *states: str) -> None:
    """Wait until the submission's page, which keeps itself fresh, shows one of these states."""
    sought = ", ".join(f".ti-heading [data-state={state}]" for state in states)
    expect(page.locator(sought)).to_be_visible(timeout=PATIENCE)


def confirm(page: Page) -> None:
    """Confirm what is chosen."""
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(page.locator(".ti-flashes")).to_contain_text("Confirmed")


def reject_pixels(clara: Visitor, reason: str) -> None:
    """Look at the pixels of the one held image, reject it with a reason, and send the decision."""
    page = clara.page
    page.get_by_role("link", name="Look at the pixels").click()
    expect(page.locator("[data-picture][data-shown]")).to_be_visible(timeout=PATIENCE)
    clara.look("21-held-pixels", TRIAL, "CT", says="Held pixels")
    page.get_by_text("Do not send it").click()
    page.get_by_role("textbox", name=re.compile("^Reason")).fill(reason)
    page.get_by_role("button", name="Reject this series").click()
    page.get_by_role("button", name="Send what is decided").click()
    expect(page.locator(".ti-flashes")).to_contain_text("1 discarded")


def cancel(page: Page) -> None:
    """Cancel a submission that is not confirmed."""
    details = page.locator("details", has_text="Cancel and destroy")
    if details.get_attribute("open") is None:
        details.locator("summary").click()
    details.get_by_role("button", name="Cancel and destroy").click()
    expect(page.locator(".ti-flashes")).to_contain_text("was destroyed")
    stage(page, "cancelled")


def study_uid(page: Page) -> str:
    """Read the StudyInstanceUID off the page."""
    return page.locator(".ti-study code").first.inner_text().strip()


def pictures_are_shown(page: Page, least: int) -> None:
    """Wait until every picture of the page is loaded and is one."""
    images = page.locator("main img")
    assert images.count() >= least
    for image in images.all():
        image.scroll_into_view_if_needed()
        for _ in range(100):
            if image.evaluate("image => image.complete"):
                break
            page.wait_for_timeout(100)
        assert image.evaluate("image => image.naturalWidth") > 20, "a picture of the page is none"
    page.evaluate("window.scrollTo(0, 0)")
