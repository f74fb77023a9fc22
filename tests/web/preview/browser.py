"""Chromium and the installed front end for the tests of the parts; a missing one is a failure in CI."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests import peers

ROOT = Path(__file__).resolve().parents[3]
AXE = ROOT / "tests" / "vendor" / "axe" / "axe.min.js"
WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def need_frontend() -> None:
    """Skip (fail in CI) where tools/frontend.py has not been run."""
    for folder in ("trialimg/web/viewer_dist", "trialimg/web/static/vendor", "tests/vendor"):
        if not (ROOT / folder / ".stamp").is_file():
            peers.require("The front end is not installed: run `python tools/frontend.py` (make setup does).")


@contextmanager
def chromium(*, webgl: bool = False) -> Iterator[Browser]:
    """Give the machine's Chromium, headless."""
    peers.require(peers.missing_chromium())
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", *(WEBGL if webgl else [])]
        browser = playwright.chromium.launch(executable_path=peers.chromium_path(), args=flags)
        try:
            yield browser
        finally:
            browser.close()


def serious_violations(page: Page) -> list[tuple[str, str, Any]]:
    """Run axe-core in the page; give what it calls serious or critical: rule, impact, first place."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        (rule["id"], rule["impact"], rule["nodes"][0]["target"])
        for rule in found
        if rule["impact"] in {"serious", "critical"}
    ]
