"""A save leaves the person where they worked: the field keeps the focus, the save is said, errors come first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.casework.reading_bed import ReadingBed, values
from tests.e2e.served import served, signed_in
from tests.world import World

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
FORM = "/trials/DEMO/subjects/101-001/visits/SCR/forms/VS"


@pytest.fixture
def origin(world: World) -> Iterator[str]:
    """The small world behind an address, with a subject."""
    assert world.subject() == "101-001"
    with served(world.app) as origin:
        yield origin


def open_as(context: BrowserContext, origin: str, who: str, path: str) -> Page:
    page = signed_in(context, origin, who)
    page.goto(f"{origin}{path}", wait_until="domcontentloaded")
    return page


def announced(page: Page) -> str:
    """What was put into a live region after the page was there, so that it is read out."""
    region = page.locator("body > .visually-hidden[role=status]")
    expect(region).not_to_be_empty()
    return region.inner_text()


@pytest.mark.parametrize("how", ["by the button", "by Enter"])
def test_a_case_report_form_goes_on_at_the_field_it_was_saved_from(browser: Browser, origin: str, how: str) -> None:
    with closing(browser.new_context()) as context:
        page = open_as(context, origin, "coordinator-101", FORM)
        page.locator('[id="VS.VSPERF"] input[value="Y"], input[name="VS.VSPERF"][value="Y"]').first.check()
        field = page.locator('[name="RESULTS.PULSE_VSORRES"]')
        field.fill("71")
        if how == "by Enter":
            field.press("Enter")
        else:
            page.locator("#save").click()
        expect(page.get_by_text("Nothing saved yet.")).to_have_count(0)
        expect(field).to_be_focused()
        expect(field).to_be_in_viewport()
        expect(field).to_have_value("71")
        assert "Saved" in announced(page)


def test_a_save_that_finds_an_error_leads_to_the_summary_and_from_there_to_the_field(
    browser: Browser, origin: str
) -> None:
    with closing(browser.new_context()) as context:
        page = open_as(context, origin, "coordinator-101", FORM)
        page.locator('input[name="VS.VSPERF"][value="Y"]').check()
        page.locator('[name="RESULTS.PULSE_VSORRES"]').fill("900")
        page.locator("#save").click()
        expect(page.locator("[data-error-summary]")).to_be_focused()
        page.locator("[data-error-summary] a").first.click()
        expect(page.locator('[name="RESULTS.PULSE_VSORRES"]')).to_be_focused()


def test_without_scripts_a_save_leads_back_to_the_buttons(browser: Browser, origin: str) -> None:
    with closing(browser.new_context(java_script_enabled=False)) as context:
        page = open_as(context, origin, "coordinator-101", FORM)
        page.locator('input[name="VS.VSPERF"][value="N"]').check()
        page.locator("#save").click()
        expect(page.locator("#save")).to_be_in_viewport()
        assert page.url.endswith("#save")


def test_a_read_goes_on_at_the_field_it_was_saved_from_and_its_errors_come_first(
    browser: Browser, origin: str, world: World
) -> None:
    bed = ReadingBed(world, "101-001")
    bed.link("SCR")
    bed.save("SCR", values("SCR", "30"))
    path = f"/reads/{bed.key('SCR')}"
    with closing(browser.new_context()) as context:
        page = open_as(context, origin, "reader", path)
        field = page.locator('[name="T.T1.location"]')
        field.fill("segment 7")
        page.locator("#save").click()
        expect(page.get_by_text("The draft is saved.").first).to_be_visible()
        expect(field).to_be_focused()
        expect(field).to_have_value("segment 7")
        assert "The draft is saved." in announced(page)
        page.locator('[name="T.T1.organ"]').select_option("")
        page.locator("#save").click()
        expect(page.locator("[data-error-summary]")).to_be_focused()
        expect(page.locator("[data-error-summary]")).to_contain_text("Choose the organ of lesion T1")


@pytest.mark.parametrize("size", [(1280, 860), (1920, 1080), (1024, 600)])
def test_the_viewer_and_the_form_fill_the_window_and_nothing_lies_below(
    browser: Browser, origin: str, world: World, size: tuple[int, int]
) -> None:
    bed = ReadingBed(world, "101-001")
    bed.link("SCR")
    width, height = size
    with closing(browser.new_context(viewport={"width": width, "height": height})) as context:
        page = open_as(context, origin, "reader", f"/reads/{bed.key('SCR')}")
        assert page.evaluate("document.documentElement.scrollHeight") == height
        for part in ("iframe[data-viewer]", "form[data-read]"):
            box = page.locator(part).bounding_box()
            assert box is not None
            assert height - 24 <= box["y"] + box["height"] <= height, part
        assert page.evaluate("(f => f.scrollHeight > f.clientHeight)(document.querySelector('form[data-read]'))")


def test_on_a_telephone_the_images_are_a_link_away_and_so_is_the_form(
    browser: Browser, origin: str, world: World
) -> None:
    bed = ReadingBed(world, "101-001")
    bed.link("SCR")
    with closing(browser.new_context(viewport={"width": 360, "height": 740})) as context:
        page = open_as(context, origin, "reader", f"/reads/{bed.key('SCR')}")
        frame = page.locator("iframe[data-viewer]")
        expect(frame).not_to_be_in_viewport()
        page.get_by_role("link", name="Go to the images").click()
        expect(frame).to_be_in_viewport(ratio=0.6)
        page.get_by_role("link", name="Back to the read").click()
        expect(page.locator("[data-status]")).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth") == 360
