"""The first image: from the click on *Open in the viewer* to pixels, on the local archive and on Orthanc.

``python -m bench.first_image [--slices N]``. Chromium opens the page of a slot with a linked CT and clicks; the clock
stops when the viewer's canvas shows an image. *Cold* is a browser that was never here, *again* one that was.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from bench.installation import DAY, PATIENT, Installation, say
from bench.send_to_linked import originals_received
from seed_data.phantom.ct import write_ct
from tests.peers import missing_chromium, missing_orthanc, orthanc
from tests.web.preview.browser import chromium
from tests.world import PASSWORD, email_of

_PATIENCE_S: Final = 120.0
_GREYS: Final = 40
"""Different greys that a drawn CT shows at the least; an empty canvas shows one or two."""


def is_drawn(page: Page) -> bool:
    """Say whether the viewer's canvas shows an image now."""
    found = page.locator("canvas.cornerstone-canvas").first
    if not found.is_visible():
        return False
    picture = Image.open(BytesIO(found.screenshot())).convert("L")
    return sum(count > 8 for count in picture.histogram()) >= _GREYS


def click_to_pixels(context: BrowserContext, address: str) -> float:
    """Open the slot's page, click the image link, and give the seconds until the image is drawn."""
    page = context.new_page()
    page.goto(address)
    link = page.get_by_role("link", name="Open in the viewer").first
    link.wait_for()
    start = time.monotonic()
    with context.expect_page() as opened:
        link.click()
    viewer = opened.value
    while not is_drawn(viewer):
        if time.monotonic() - start > _PATIENCE_S:
            raise RuntimeError("the viewer drew nothing")
        viewer.wait_for_timeout(50)
    took = time.monotonic() - start
    for each in context.pages:
        each.close()
    return took


def signed_in(browser: Browser, url: str) -> BrowserContext:
    """Give a browser that was never here, with the coordinator signed in."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{url}/sign-in")
    page.get_by_label("E-mail address").fill(email_of("coordinator-101"))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", level=1).wait_for()
    page.close()
    return context


def measure(browser: Browser, folder: Path, name: str, url: str, files: list[Path]) -> None:
    """Link a CT on one archive and measure three first images."""
    made = Installation(folder / name / "data", archive_url=url)
    made.make()
    with made.process("serve"):
        made.wait_until_served()
        say(f"Linking a CT of {len(files)} images, archive: {name}.")
        originals_received(made, files)
        address = f"{made.url}/trials/DEMO/subjects/101-001/visits/SCR/slots/CT"
        context = signed_in(browser, made.url)
        cold = click_to_pixels(context, address)
        again = [click_to_pixels(context, address) for _ in range(2)]
        context.close()
    print(f"{name:<8} cold {cold:5.1f} s, again {min(again):5.1f} s", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=120)
    slices = parser.parse_args().slices
    if missing := missing_chromium():
        say(missing)
        return
    with tempfile.TemporaryDirectory(prefix="trialimg-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        write_ct(
            folder / "ct", PATIENT, study_date=DAY.strftime("%Y%m%d"), slices=slices, slice_mm=2.4, study_key="bench"
        )
        files = sorted(path for path in (folder / "ct").rglob("*") if path.is_file())
        print(f"From the click to the first image of a CT of {len(files)} images of 512 by 512 pixels")
        browser = stack.enter_context(chromium(webgl=True))
        measure(browser, folder, "local", "", files)
        if missing := missing_orthanc():
            say(missing)
        else:
            peer = stack.enter_context(orthanc(folder / "orthanc-peer"))
            measure(browser, folder, "orthanc", peer.dicomweb_url, files)


if __name__ == "__main__":
    main()
