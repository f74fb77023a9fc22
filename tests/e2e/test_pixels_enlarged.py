"""Held pixels looked at closely: the picture enlarged at full size, and boxes that are not lost by the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, FloatRect, Page, expect

from tests.casework.pixel_bed import clip_study, plate_study
from tests.e2e.held_pixels import Held, coordinator, draw_by_mouse, picture, rows, serve
from tests.e2e.visitor import Visit
from tests.world import World

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
FRAMES = 2


@pytest.fixture
def held(world: World, tmp_path: Path) -> Iterator[Held]:
    yield from serve(world, clip_study(tmp_path / "clip", frames=FRAMES))


@pytest.fixture
def plate(world: World, tmp_path: Path) -> Iterator[Held]:
    yield from serve(world, plate_study(tmp_path / "plate"))


def test_a_large_picture_is_enlarged_at_full_size_and_boxes_stay_in_place(plate: Held, visit: Visit) -> None:
    clara = coordinator(visit, plate)
    page = clara.page
    stage = picture(page)
    shown = page.locator("[data-scale]")
    fitted = shown.inner_text()
    assert 5 < int(fitted.removeprefix("Shown at ").removesuffix(" %")) < 34
    draw_by_mouse(page, stage)
    (box,) = rows(page)
    expect(page.get_by_role("button", name="Delete box 1")).to_be_visible()
    frame = stage.bounding_box()
    assert frame is not None
    with page.expect_response(re.compile(r"picture\?size=full$")) as full:
        for _ in range(3):
            page.keyboard.press("+")
    assert full.value.ok
    expect(page.locator("[data-picture][data-fine=yes]")).to_be_visible()
    expect(shown).not_to_have_text(fitted)
    assert stage.bounding_box() == pytest.approx(frame, abs=1), "the frame keeps its size"
    assert rows(page) == [box]
    on_screen = page.locator("[data-box] .ti-box-line").bounding_box()
    assert on_screen is not None
    assert frame["x"] < on_screen["x"] + on_screen["width"] / 2 < frame["x"] + frame["width"], "the box is in sight"
    scale = int(shown.inner_text().removeprefix("Shown at ").removesuffix(" %")) / 100
    assert on_screen["width"] == pytest.approx(box[2] * scale, rel=0.05)
    clara.look("pixels-enlarged", "101-001", "Held pixels", says="Held pixels")
    page.keyboard.press("Escape")
    before = stage.evaluate("e => [e.scrollLeft, e.scrollTop]")
    page.keyboard.press("Shift+ArrowLeft")
    page.wait_for_function("b => document.querySelector('[data-picture]').scrollLeft < b", arg=before[0])
    page.get_by_role("button", name="Move").click()
    drag(page, frame)
    assert rows(page) == [box], "moving the picture draws nothing"
    stage.focus()
    page.keyboard.press("0")
    expect(shown).to_have_text(fitted)
    expect(page.get_by_role("button", name="Move")).to_be_hidden()


def drag(page: Page, frame: FloatRect) -> None:
    page.mouse.move(frame["x"] + frame["width"] * 0.3, frame["y"] + frame["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(frame["x"] + frame["width"] * 0.6, frame["y"] + frame["height"] * 0.6, steps=4)
    page.mouse.up()


def test_boxes_nobody_approved_are_not_lost_without_a_warning(held: Held, visit: Visit) -> None:
    clara = coordinator(visit, held)
    page = clara.page
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    picture(page)
    page.reload()
    assert asked == [], "nothing was drawn yet"
    draw_by_mouse(page, picture(page))
    count = len(rows(page))
    page.get_by_text("Do not send it").click()
    page.get_by_role("button", name="Reject this series").click()
    expect(page.get_by_role("alert")).to_contain_text("Give a reason")
    assert asked == [], "a form that is sent loses nothing"
    picture(page)
    assert len(rows(page)) == count
    page.goto(f"{held.origin}{held.page}")
    assert asked == ["beforeunload"]
