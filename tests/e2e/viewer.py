"""OHIF as a person sees it: opened by the image link, a series chosen, a slice drawn."""

from __future__ import annotations

import time
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


def choose_series(page: Page, words: str) -> None:
    """Put the series whose thumbnail has these words into the viewport."""
    thumbnail = page.locator('[data-cy="study-browser-thumbnail"]').filter(has_text=words).first
    thumbnail.dblclick()
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


def save_small(picture: bytes, path: Path, colours: int = 128) -> None:
    """Keep a picture with few colours: the README is loaded by people on slow lines."""
    Image.open(BytesIO(picture)).convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
