"""Held pixels as a coordinator settles them: boxes found, drawn by mouse and by keys, sent, and proved gone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.casework.pixel_bed import clip_study
from tests.e2e.held_pixels import Held, coordinator, draw_by_mouse, picture, rows, serve
from tests.e2e.visitor import WIDE, Visit
from tests.web.imaging_bed import words
from tests.web.preview.browser import serious_violations
from tests.world import PASSWORD, World, email_of
from trialimg.casework.submission import quarantine
from trialimg.domain.submission import Fate

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
FRAMES = 4


@pytest.fixture
def held(world: World, tmp_path: Path) -> Iterator[Held]:
    yield from serve(world, clip_study(tmp_path / "clip", frames=FRAMES))


@pytest.fixture
def several(world: World, tmp_path: Path) -> Iterator[Held]:
    yield from serve(world, clip_study(tmp_path / "clip", frames=FRAMES, screens=2))


def covered(boxes: list[list[int]], shape: tuple[int, ...]) -> Any:
    inside = np.zeros(shape, bool)
    for x, y, width, height in boxes:
        inside[y : y + height, x : x + width] = True
    return inside


def test_found_and_drawn_boxes_are_covered_in_every_frame_and_nothing_else_is_changed(
    held: Held, visit: Visit
) -> None:
    clara = coordinator(visit, held, f"/submissions/{held.key}")
    page = clara.page
    page.get_by_role("link", name="Look at the pixels").click()
    stage = picture(page)
    expect(stage).to_be_focused()
    found = rows(page)
    assert found, "the patient's name was not found"
    clara.look("pixels-held", "101-001", "Held pixels", says="Held pixels")
    draw_by_mouse(page, stage)
    draw_by_keys(page, stage)
    boxes = rows(page)
    assert len(boxes) == len(found) + 2
    page.keyboard.press("Escape")
    for frame in range(2, FRAMES + 1):
        page.keyboard.press("ArrowRight")
        expect(page.locator("[data-frame-label]")).to_have_text(f"{frame} of {FRAMES}")
    expect(page.locator("[data-box]")).to_have_count(len(boxes))
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Send what is decided")).to_be_focused()
    clara.look("pixels-decided", says="Held pixels")
    page.keyboard.press("Enter")
    expect(page.locator(".ti-flashes")).to_contain_text("1 image goes on")
    held.settled()
    (sent,) = held.from_archive()
    before = next(iter(held.originals.values()))
    after, inside = sent.pixel_array, covered(boxes, before.shape[1:])
    assert after.shape == before.shape
    assert all(len(np.unique(frame[inside])) == 1 for frame in after)
    assert all(np.array_equal(old[~inside], new[~inside]) for old, new in zip(before, after, strict=True))
    assert sent.BurnedInAnnotation == "NO"
    assert quarantine(held.key).listing() == []


def draw_by_keys(page: Page, stage: Locator) -> None:
    """A new box, moved and made smaller, all by keys; one too many goes again, and its loss is undone and done."""
    stage.focus()
    page.keyboard.press("n")
    box = rows(page)[-1]
    for key in ("ArrowRight", "Control+ArrowDown", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    x, y, width, height = rows(page)[-1]
    assert [x, y, width, height] == [box[0] + 1, box[1] + 10, box[2] - 1, box[3]]
    count = len(rows(page))
    page.keyboard.press("n")
    page.keyboard.press("Delete")
    assert len(rows(page)) == count
    page.keyboard.press("Control+z")
    assert len(rows(page)) == count + 1
    page.locator("[data-box]").last.focus()
    page.keyboard.press("Delete")
    assert rows(page)[-1] == [x, y, width, height]


def test_boxes_are_laid_on_all_series_of_the_same_size_and_a_decision_is_taken_back(
    several: Held, visit: Visit
) -> None:
    clara = coordinator(visit, several)
    page = clara.page
    picture(page)
    page.get_by_label(re.compile("2 other series of the same size")).check()
    boxes = rows(page)
    page.get_by_role("button", name=re.compile("^Approve")).click()
    expect(page.locator(".ti-series [data-state=complete]")).to_have_count(3)
    page.locator(".ti-series a").nth(1).click()
    picture(page)
    page.get_by_role("button", name="Take back").click()
    expect(page.locator(".ti-series [data-state=complete]")).to_have_count(2)
    picture(page)
    page.keyboard.press("a")
    expect(page.locator(".ti-series [data-state=complete]")).to_have_count(3)
    page.get_by_role("button", name="Send what is decided").click()
    expect(page.locator(".ti-flashes")).to_contain_text("3 images go on")
    several.settled()
    sent = several.from_archive()
    assert len(sent) == 3
    for each in sent:
        inside = covered(boxes, each.pixel_array.shape[1:])
        assert all(len(np.unique(frame[inside])) == 1 for frame in each.pixel_array)


def test_the_next_picture_stands_where_the_one_before_it_stood(several: Held, visit: Visit) -> None:
    page = coordinator(visit, several).page
    before = picture(page).bounding_box()
    assert before is not None
    page.keyboard.press("a")
    expect(page.locator(".ti-series [data-state=complete]")).to_have_count(1)
    after = picture(page).bounding_box()
    assert after is not None
    assert (after["x"], after["y"]) == (before["x"], before["y"])
    expect(page.get_by_role("button", name="Send what is decided")).to_be_visible()


def test_a_rejected_series_needs_a_reason_and_goes(held: Held, visit: Visit) -> None:
    clara = coordinator(visit, held)
    page = clara.page
    picture(page)
    page.get_by_text("Do not send it").click()
    page.get_by_role("button", name="Reject this series").click()
    expect(page.get_by_role("alert")).to_contain_text("Give a reason")
    page.get_by_label("Reason").fill("Of another examination.")
    page.get_by_role("button", name="Reject this series").click()
    page.get_by_role("button", name="Send what is decided").click()
    expect(page.locator(".ti-flashes")).to_contain_text("1 discarded")
    held.bed.run()
    assert held.bed.fates(held.key).count(Fate.DISCARDED) == 1


def test_everything_works_without_scripts(held: Held, browser: Browser, pictures: Path) -> None:
    with closing(browser.new_context(java_script_enabled=False, viewport=WIDE)) as context:  # type: ignore[arg-type]  # a plain dict will do
        page = context.new_page()
        page.goto(f"{held.origin}{held.page}")
        page.get_by_label("E-mail address").fill(email_of("coordinator-101"))
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        for hint in ("Drag to draw a box", "All keys"):
            expect(page.get_by_text(hint)).to_be_hidden()
        expect(page.locator("svg image")).to_have_attribute("href", re.compile("frames/1/picture"))
        count = page.locator("rect.ti-box-line").count()
        for name, value in {"Left": "400", "Top": "300", "Width": "50", "Height": "40"}.items():
            page.get_by_label(f"{name} of box {count + 1}").fill(value)
        page.get_by_role("button", name="Show these boxes").click()
        expect(page.locator("rect.ti-box-line")).to_have_count(count + 1)
        page.screenshot(path=pictures / "pixels-without-scripts.png", full_page=True)
        page.get_by_role("button", name=f"Approve: cover {count + 1}").click()
        page.get_by_role("button", name="Send what is decided").click()
        expect(page.get_by_text("1 image goes on")).to_be_visible()
    held.settled()
    (sent,) = held.from_archive()
    assert all(len(np.unique(frame[300:340, 400:450])) == 1 for frame in sent.pixel_array)


def test_a_decision_on_one_box_takes_a_person_one_key(held: Held, visit: Visit) -> None:
    """From the page asked for to the approval noted; the seconds are printed, the clock decides nothing."""
    clara = coordinator(visit, held, f"/submissions/{held.key}")
    started = time.monotonic()
    clara.goto(held.page)
    picture(clara.page)
    clara.page.keyboard.press("a")
    expect(clara.page.get_by_role("button", name="Send what is decided")).to_be_visible()
    print(f"\nFrom the page asked for to the approval: {time.monotonic() - started:.2f} s.")
    assert serious_violations(clara.page) == []


def test_what_people_who_may_not_look_are_told(held: Held) -> None:
    with held.bed.world.app.app_context():
        for name in ("imaging-qc", "monitor", "sponsor"):
            client = held.bed.world.client(name)
            told = words(client.get(f"/submissions/{held.key}"))
            assert "People of the site look at them and decide." in told
            assert client.get(held.page).status_code == 403
