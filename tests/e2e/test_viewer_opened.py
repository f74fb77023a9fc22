"""The viewer beside a read opens at the read's own time point, and shows an earlier one beside it when asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Frame, Page, expect
from sqlalchemy import select

from tests.e2e.served import served, signed_in
from tests.e2e.visitor import PATIENCE
from tests.web.reading_house import House, house
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot
from trialimg.store.reading import Read

__all__ = ["house"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
SHOWN = """() => {
  const {viewportGridService: grid, displaySetService: sets} = window.services;
  return [...grid.getState().viewports.values()].map(
    pane => pane.displaySetInstanceUIDs.map(uid => sets.getDisplaySetByUID(uid))
      .map(set => `${set.StudyInstanceUID} ${set.numImageFrames}`));
}"""
SLICES = 4
"""Of the house's CT; its localizer, which comes before it, has one picture."""


@pytest.fixture(scope="module")
def origin(house: House) -> Iterator[str]:
    """The house behind an address."""
    with served(house.world.app) as origin:
        yield origin


def of_later(house: House) -> str:
    """Give the address of the reader's read of the later time point."""
    visit = select(Slot.visit_id).join(ImagingStudy, ImagingStudy.slot_id == Slot.id)
    visit = visit.where(ImagingStudy.study_instance_uid == house.later)
    mine = house.world.person("reader").account_id
    read = db.session.scalars(select(Read.id).where(Read.visit_id == visit.scalar_subquery(), Read.account_id == mine))
    return f"/reads/{read.one()}"


def opened(page: Page) -> Frame:
    """Wait until the viewer beside the form shows a picture, and give its frame."""
    expect(page.locator("iframe[data-viewer][data-ready]")).to_be_attached(timeout=2 * PATIENCE)
    frame = page.frame_locator("iframe[data-viewer]")
    expect(frame.locator("canvas.cornerstone-canvas").first).to_be_visible(timeout=2 * PATIENCE)
    return next(each for each in page.frames if "/viewer/" in each.url)


def test_the_viewer_opens_the_time_point_that_is_read_and_another_beside_it_on_request(
    browser: Browser, origin: str, house: House
) -> None:
    with closing(browser.new_context(viewport={"width": 1280, "height": 860})) as context:
        page = signed_in(context, origin, "reader")
        page.goto(f"{origin}{of_later(house)}", wait_until="domcontentloaded")
        assert opened(page).evaluate(SHOWN) == [[f"{house.later} {SLICES}"]]
        page.get_by_role("link", name="with Screening beside it").click()
        expect(page.locator(".ti-read-bar [aria-current]")).to_have_text("with Screening beside it")
        assert opened(page).evaluate(SHOWN) == [[f"{house.later} {SLICES}"], [f"{house.baseline} {SLICES}"]]


def test_the_viewer_says_in_a_sentence_that_the_archive_does_not_answer(
    browser: Browser, origin: str, house: House
) -> None:
    with closing(browser.new_context(viewport={"width": 1280, "height": 860})) as context:
        context.route("**/dicomweb/**", lambda route: route.fulfill(status=503, json={"code": "archive.unavailable"}))
        page = signed_in(context, origin, "coordinator-101")
        page.goto(f"{origin}/studies/{house.later}", wait_until="domcontentloaded")
        told = page.get_by_role("alert").filter(has_text="Nothing is lost")
        expect(told).to_have_count(1, timeout=2 * PATIENCE)
        expect(told).to_contain_text("The images cannot be fetched at the moment")
        context.unroute_all()
        told.get_by_role("link", name="Load it again").click()
        expect(page.locator("canvas.cornerstone-canvas").first).to_be_visible(timeout=2 * PATIENCE)
