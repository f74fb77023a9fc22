"""The browser, the installations and the pictures of the end-to-end walk; servers are started once for all of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.installation import ROOT
from tests.e2e.visitor import Visitor, visitor
from tests.web.preview.browser import chromium, need_frontend


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the pictures of the walk be kept in a folder."""
    parser.addoption("--pictures", type=Path, help="folder for the pictures of the walk and of the README")


# A package's scope, not the session's: two of Playwright's drivers cannot live in one thread at a time.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    need_frontend()
    with chromium(webgl=True) as found:
        yield found


@pytest.fixture(scope="package")
def pictures(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Where pictures go: the folder asked for, else one under var/ that stays where something failed."""
    asked = request.config.getoption("--pictures", default=None)
    folder = Path(asked) if asked else ROOT / "var" / "pictures"
    if not asked:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    failed = request.session.testsfailed
    yield folder
    if not asked and request.session.testsfailed == failed:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def visit(browser: Browser, pictures: Path) -> Iterator[Callable[[str], Visitor]]:
    """Give people with fresh browsers; at the end nothing they saw may have been wrong."""
    people: list[Visitor] = []

    def come(origin: str) -> Visitor:
        people.append(visitor(browser, origin, pictures))
        return people[-1]

    yield come
    for person in people:
        person.context.close()
    for person in people:
        person.nothing_wrong("the whole visit")
