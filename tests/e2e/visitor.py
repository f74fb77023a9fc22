"""A person before a browser: every page they look at is tried for what every page owes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from tests.web.preview.browser import serious_violations

WIDE: Final = {"width": 1280, "height": 860}
NARROW: Final = {"width": 360, "height": 740}
PATIENCE: Final = 45_000
"""Milliseconds a page may take to come to a state: the machines that run this are busy."""
_EXPECTED_STATUS: Final = re.compile(r"status of (401|403|404|409|422)\b")


@dataclass
class Visitor:
    """One browser session: its own cookies, and a record of everything that ought not to happen."""

    context: BrowserContext
    page: Page
    origin: str
    pictures: Path
    thorough: bool = True
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def goto(self, path: str) -> None:
        """Open an address of the installation."""
        self.page.goto(path if path.startswith("http") else f"{self.origin}{path}")

    def sign_in(self, email: str, password: str) -> None:
        """Sign in on the page for it, which is open."""
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def sign_out(self) -> None:
        """Sign out by the account menu."""
        self.page.locator(".ti-account summary").click()
        self.page.get_by_role("button", name="Sign out").click()
        expect(self.page.get_by_role("heading", name="Sign in", level=1)).to_be_visible()

    def tab(self) -> None:
        """Close the tab, and open another in the same session."""
        self.page.close()
        self.page = self.context.new_page()
        self.watch(self.page)

    def watch(self, page: Page) -> None:
        """Listen to what the page asks for and complains about."""
        page.set_default_timeout(PATIENCE)
        page.on("request", self._asked)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.foreign.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        # A refused form answers 422 and a closed door 404; the browser prints that, and it is no fault.
        if message.type == "error" and not _EXPECTED_STATUS.search(message.text):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def look(self, name: str, *where: str, says: str | None = None) -> None:
        """Try the page that is open: where one is, axe-core, 360 px, and a picture of it.

        ``where`` are words of the breadcrumb, ``says`` a part of the title. A visitor who is not thorough, since
        another one tries the same pages, leaves axe-core and 360 px out.
        """
        page = self.page
        heading = page.locator("h1")
        expect(heading).to_have_count(1)
        title = page.title()
        assert title.endswith("trialimg"), title
        assert title.split(" · ")[0].strip() not in {"", "trialimg"}, f"{name}: the title does not tell where one is"
        if says:
            assert says in title, f"{name}: {title!r}"
        if where:
            crumbs = page.locator(".ti-crumbs")
            for word in where:
                expect(crumbs).to_contain_text(word)
        self.shot(name)
        if self.thorough:
            self._holds(name)
        self.nothing_wrong(name)

    def _holds(self, name: str) -> None:
        page = self.page
        violations = serious_violations(page)
        assert violations == [], f"{name}: {violations}"
        self._narrow(name)

    def _narrow(self, name: str) -> None:
        page = self.page
        page.set_viewport_size(NARROW)  # type: ignore[arg-type]  # a plain dict will do
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > NARROW["width"]:
            widest = page.evaluate(
                "[...document.querySelectorAll('main *, header *')].filter(e => e.getBoundingClientRect().right > 361"
                " && !e.closest('.ti-scroll')).slice(0, 5).map(e => e.tagName + '.' + e.className)"
            )
            raise AssertionError(f"{name} is {width} px wide on a telephone: {widest}")
        self.shot(f"{name}-360")
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]  # a plain dict will do

    def shot(self, name: str, **how: Any) -> Path:
        """Take a picture of the whole page."""
        path = self.pictures / f"{name}.png"
        self.page.screenshot(path=path, **({"full_page": True} | how))
        return path

    def nothing_wrong(self, name: str) -> None:
        """Nothing was asked of another origin, and nothing was complained about, a CSP violation included."""
        assert self.foreign == [], f"{name}: asked of another origin: {self.foreign}"
        assert self.complaints == [], f"{name}: {self.complaints}"


def visitor(browser: Browser, origin: str, pictures: Path, *, thorough: bool = True) -> Visitor:
    """Give a person with a fresh browser."""
    context = browser.new_context(viewport=WIDE, locale="en-GB", reduced_motion="reduce")  # type: ignore[arg-type]  # a plain dict will do
    page = context.new_page()
    found = Visitor(context, page, origin, pictures, thorough)
    found.watch(page)
    return found


Visit = Callable[[str], Visitor]
"""Gives a person with a fresh browser at an origin."""


@contextmanager
def visiting(browser: Browser, pictures: Path, *, thorough: bool = True) -> Iterator[Visit]:
    """Let people come; when they have gone, nothing any of them saw may have been wrong."""
    people: list[Visitor] = []

    def come(origin: str) -> Visitor:
        people.append(visitor(browser, origin, pictures, thorough=thorough))
        return people[-1]

    try:
        yield come
    finally:
        for person in people:
            # What is still being looked at on its way is looked at to the end: cut off, it would fail the next test.
            person.context.unroute_all(behavior="wait")
            person.context.close()
    for person in people:
        person.nothing_wrong("the whole visit")
