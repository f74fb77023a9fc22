"""The component of boxes by itself: frames that are bytes in a browser go in, boxes come out, and nothing is asked for.

The page of held pixels is not here, and neither is our server: so the component can be used on files that have not
left a site's browser.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.test_engine_in_browser import served
from trialimg.web import pixel_review

pytestmark = [pytest.mark.browser, pytest.mark.slow]

POLICY = "default-src 'none'; script-src 'self'; img-src blob:"
PAGE = '<!doctype html><title>Boxes</title><div id="host" tabindex="0"></div><script type="module" src="main.mjs"></script>'
MAIN = """
import { PixelBoxes } from './pixel_boxes.js';
const shades = [40, 90, 160];
async function picture(index) {
  const canvas = new OffscreenCanvas(320, 240), pen = canvas.getContext('2d');
  pen.fillStyle = `rgb(${shades[index]} 0 0)`;
  pen.fillRect(0, 0, 320, 240);
  return canvas.convertToBlob();
}
const found = { x: 10, y: 20, width: 60, height: 30, by: 'text' };
window.boxes = new PixelBoxes(document.getElementById('host'), {
  columns: 320, rows: 240, frames: shades.map((_, frame) => ({ image: 7, frame })), boxes: [found], picture,
});
window.boxes.turn(0);
"""


def test_frames_that_have_not_left_the_browser_go_in_and_boxes_come_out(browser: Browser, tmp_path: Path) -> None:
    static = Path(pixel_review.__file__).parent / "static"
    shutil.copy(static / "pixel_boxes.js", tmp_path)
    (tmp_path / "page.html").write_text(PAGE)
    (tmp_path / "main.mjs").write_text(MAIN)
    context = browser.new_context(viewport={"width": 800, "height": 600})
    page, asked, complaints = context.new_page(), list[str](), list[str]()
    context.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    with served(tmp_path, POLICY) as origin:
        page.goto(f"{origin}/page.html")
        host = page.locator("#host")
        expect(host).to_have_attribute("data-shown", "0")
        area = page.locator("#host svg").bounding_box()
        assert area is not None
        scale = area["width"] / 320

        def at(x: int, y: int) -> tuple[float, float]:
            return area["x"] + x * scale, area["y"] + y * scale

        page.mouse.move(*at(100, 120))
        page.mouse.down()
        page.mouse.move(*at(160, 150), steps=4)
        page.mouse.up()
        page.keyboard.press("ArrowRight")  # the box that was drawn, one pixel to the right
        page.keyboard.press("Escape")
        page.keyboard.press("ArrowRight")  # the next frame
        expect(host).to_have_attribute("data-shown", "1")
        boxes = page.evaluate("window.boxes.boxes")
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        undone = page.evaluate("window.boxes.boxes")
    context.close()
    assert boxes[0] == {"x": 10, "y": 20, "width": 60, "height": 30, "by": "text", "image": None, "frame": None, "id": 1}
    drawn = boxes[1]
    assert (drawn["by"], drawn["image"], drawn["frame"]) == ("person", None, None)
    assert [abs(drawn[name] - value) <= 2 for name, value in (("x", 101), ("y", 120), ("width", 60), ("height", 30))] == [True] * 4
    assert len(boxes) == 2
    assert [each["by"] for each in undone] == ["text"]
    outside = [url for url in asked if not url.startswith("blob:")]
    assert {url.rsplit("/", 1)[-1] for url in outside} <= {"page.html", "main.mjs", "pixel_boxes.js", "favicon.ico"}
    assert [each for each in complaints if "404" not in each] == []
