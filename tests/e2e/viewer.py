"""OHIF as a person sees it: opened by the image link, a series chosen, a slice drawn."""

from __future__ import annotations

import time
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Frame, Locator, Page, expect

_PATIENCE: Final = 90.0


def canvas(page: Page | Frame) -> Locator:
    """Give the canvas the images are drawn on."""
    return page.locator("canvas.cornerstone-canvas").first


def greys(page: Page | Frame) -> int:
    """Say how many different greys the canvas shows now; a blank one shows one or two."""
    picture = Image.open(BytesIO(canvas(page).screenshot())).convert("L")
    return sum(count > 8 for count in picture.histogram())


def wait_until_drawn(page: Page | Frame, *, least: int = 40) -> None:
    """Wait until an image is drawn; an empty canvas in the end is a failure."""
    expect(canvas(page)).to_be_visible(timeout=_PATIENCE * 1000)
    until, seen = time.monotonic() + _PATIENCE, 0
    while time.monotonic() < until:
        seen = greys(page)
        if seen >= least:
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"the viewer drew nothing: {seen} greys")


def choose_series(page: Page | Frame, words: str) -> None:
    """Put the series whose thumbnail has these words into the viewport; beside a read the list is opened first."""
    thumbnails = page.locator('[data-cy="study-browser-thumbnail"]')
    closed = page.locator('[data-cy="seriesList-btn"]')
    expect(thumbnails.or_(closed).first).to_be_visible()
    if not thumbnails.first.is_visible():
        closed.click()
    thumbnails.filter(has_text=words).first.dblclick()
    page.wait_for_timeout(1000)


def scroll_to(page: Page, fraction: float) -> None:
    """Scroll through the stack."""
    box = canvas(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(round(fraction * 100)):
        page.mouse.wheel(0, 100)
        page.wait_for_timeout(40)
    page.wait_for_timeout(1500)


_VIEWPORT: Final = """
  const {cornerstoneViewportService: all, viewportGridService: grid} = window.services;
  const viewport = all.getCornerstoneViewport(grid.getActiveViewportId());
"""


def show_stack(frame: Page | Frame, images: int) -> None:
    """Have the series of so many images in the active viewport: it is there, or it is taken from the list."""
    count = f"() => {{ {_VIEWPORT} return viewport.getImageIds().length; }}"
    if frame.evaluate(count) != images:
        choose_series(frame, str(images))
    wait_until_drawn(frame)
    assert frame.evaluate(count) == images


def show_slice(frame: Page | Frame, from_head: int, slices: int) -> None:
    """Show a slice of the active stack, counted from the head, from 0; whichever way the viewer sorts it."""
    show = f"async index => {{ {_VIEWPORT} await viewport.setImageIdIndex(index); return viewport.getCamera().focalPoint[2]; }}"
    downwards = frame.evaluate(show, 0) > frame.evaluate(show, slices - 1)
    frame.evaluate(show, from_head if downwards else slices - 1 - from_head)
    wait_until_drawn(frame)


def draw_length(page: Page, frame: Page | Frame, ends: Iterable[tuple[float, float]]) -> None:
    """Draw a length on the slice that is shown, between two places in mm: to the left hand, and to the back."""
    frame.locator('[data-cy="MeasurementTools-split-button-primary"], [data-cy="Length"]').first.click()
    where = f"([x, y]) => {{ {_VIEWPORT} return viewport.worldToCanvas([x, y, viewport.getCamera().focalPoint[2]]); }}"
    box = canvas(frame).bounding_box()
    assert box is not None
    begin, end = [(box["x"] + x, box["y"] + y) for x, y in (frame.evaluate(where, list(each)) for each in ends)]
    page.mouse.move(*begin)
    page.mouse.down()
    for part in range(1, 9):
        page.mouse.move(*(one + (other - one) * part / 8 for one, other in zip(begin, end, strict=True)))
    page.mouse.up()


def save_small(picture: bytes, path: Path, colours: int = 128) -> None:
    """Keep a picture with few colours: the README is loaded by people on slow lines."""
    Image.open(BytesIO(picture)).convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
