"""The browser, the installations and the pictures of the end-to-end walk; servers are started once for all of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests import peers
from tests.e2e.first_day import first_day
from tests.e2e.installation import ROOT, Installation
from tests.e2e.readers import reading_place
from tests.e2e.visitor import Visit, visiting
from tests.web.preview.browser import chromium, need_frontend

__all__ = ["reading_place"]


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
def visit(browser: Browser, pictures: Path) -> Iterator[Visit]:
    with visiting(browser, pictures) as come:
        yield come


@dataclass
class Place:
    """An installation after its first day, and the archive behind it where that is an Orthanc."""

    installation: Installation
    orthanc: peers.OrthancPeer | None = None


@pytest.fixture(scope="package")
def on_local(browser: Browser, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An installation with the local archive, its first day lived through in the browser and looked at."""
    installation = Installation(tmp_path_factory.mktemp("local"))
    try:
        with visiting(browser, pictures) as come:
            first_day(installation, come)
        yield Place(installation)
    finally:
        installation.stop()


@pytest.fixture(scope="package")
def on_orthanc(browser: Browser, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The same with an Orthanc behind it, reached by DICOMweb."""
    peers.require(peers.missing_orthanc())
    folder = tmp_path_factory.mktemp("orthanc")
    with ExitStack() as stack:
        archive = stack.enter_context(peers.orthanc(folder / "peer"))
        installation = Installation(folder / "installation", archive.dicomweb_url)
        stack.callback(installation.stop)
        with visiting(browser, pictures, thorough=False) as come:
            first_day(installation, come)
        yield Place(installation, archive)


@pytest.fixture(params=["local", pytest.param("orthanc", marks=pytest.mark.orthanc)])
def place(request: pytest.FixtureRequest) -> Place:
    """Each archive in turn."""
    found = request.getfixturevalue(f"on_{request.param}")
    assert isinstance(found, Place)
    return found
