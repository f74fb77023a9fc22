"""A length drawn in the viewer fills the chosen lesion: value, image and end points; the draft is saved by itself."""

from __future__ import annotations

from math import hypot

import pytest
from playwright.sync_api import Frame, Page, expect

from seed_data.phantom.body import FIELD_MM
from tests.e2e import readers as act
from tests.e2e.coordinators_day import SIZE, SLICES, coordinators_day
from tests.e2e.first_day import SECOND_READER
from tests.e2e.three_days import Story
from tests.e2e.viewer import canvas, show_stack, wait_until_drawn
from tests.e2e.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_length_drawn_in_the_viewer_fills_the_chosen_lesion(local_story: Story, visit: Visit) -> None:
    local_story.live({"coordinator": coordinators_day}, "coordinator", visit)
    otto = local_story.comes(visit, SECOND_READER, "/reads")
    page = otto.page
    act.open_read(otto, act.code_of(otto, "Week 8"), "Screening")
    frame = act.in_the_frame(page)
    wait_until_drawn(frame)
    show_stack(frame, SLICES)
    page.select_option(act.item(page, "T.T1.organ"), "LIVER")
    page.fill(act.item(page, "T.T1.location"), "drawn in the viewer")
    chosen = page.locator('[data-lesion="T.T1"]')
    chosen.get_by_role("button", name="Take the next line drawn for T1").click()
    expect(page.locator("[data-status]")).to_contain_text("Draw a length in the viewer for T1")
    _draw(page, frame)

    expect(page.locator("[data-status]")).to_contain_text("Saved", timeout=45_000)
    page.reload()
    said = {name: page.input_value(act.item(page, f"T.T1.{name}.0")) for name in ("diameter", "sop", "image", "points")}
    columns_and_rows = [tuple(map(float, point.split(","))) for point in said["points"].split(";")]
    (left, top), (right, bottom) = columns_and_rows
    drawn = hypot(right - left, bottom - top) * FIELD_MM / SIZE
    assert float(said["diameter"]) == pytest.approx(drawn, abs=0.2)
    assert said["sop"].startswith("2.25.")
    assert 1 <= int(said["image"]) <= SLICES
    expect(page.locator(act.item(page, "T.T1.series.0")).locator("option:checked")).to_contain_text(f"{SLICES} images")


def _draw(page: Page, frame: Frame) -> None:
    """Take the viewer's length tool and draw a line across the middle of the image."""
    frame.locator('[data-cy="MeasurementTools-split-button-primary"], [data-cy="Length"]').first.click()
    box = canvas(frame).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 60, y)
    page.mouse.down()
    page.mouse.move(x - 10, y + 2, steps=6)
    page.mouse.move(x + 60, y + 8, steps=6)
    page.mouse.up()
