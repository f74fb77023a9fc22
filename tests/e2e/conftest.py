"""The browser, the installations and the pictures of the end-to-end walk; servers are started once for all of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests import peers
from tests.e2e.demo import SEEDING, Demo
from tests.e2e.first_day import first_day
from tests.e2e.installation import Installation
from tests.e2e.pictures import folder_of
from tests.e2e.three_days import Story
from tests.e2e.visitor import PATIENCE, Visit, visiting
from tests.web.preview.browser import chromium, need_frontend


# A package's scope, not the session's: two of Playwright's drivers cannot live in one thread at a time.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    need_frontend()
    expect.set_options(timeout=PATIENCE)
    with chromium(webgl=True) as found:
        yield found


@pytest.fixture(scope="package")
def pictures(request: pytest.FixtureRequest) -> Path:
    """Where pictures go; they stay there."""
    return folder_of(request.config)


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
        with visiting(browser, in_orthanc(pictures), thorough=False) as come:
            first_day(installation, come)
        yield Place(installation, archive)


@pytest.fixture(scope="package")
def local_story(on_local: Place, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The three days on the local archive, lived as far as a test asks."""
    return Story(on_local.installation, pictures, tmp_path_factory.mktemp("local-story"))


@pytest.fixture(scope="package")
def orthanc_story(on_orthanc: Place, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The same days with an Orthanc behind them."""
    folder = tmp_path_factory.mktemp("orthanc-story")
    return Story(on_orthanc.installation, in_orthanc(pictures), folder, on_orthanc.orthanc)


@pytest.fixture(scope="package", params=["local", pytest.param("orthanc", marks=pytest.mark.orthanc)])
def story(request: pytest.FixtureRequest) -> Story:
    """The story on each archive in turn."""
    found = request.getfixturevalue(f"{request.param}_story")
    assert isinstance(found, Story)
    return found


def in_orthanc(pictures: Path) -> Path:
    """Give the folder for the pictures of the walk on an Orthanc."""
    folder = pictures / "orthanc"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """``make demo`` in an empty folder, waited for until its last study is linked."""
    installation = Installation(tmp_path_factory.mktemp("demo"))
    started = time.monotonic()
    try:
        installation.start("seed_data.demo", "--port", str(installation.port), "--data", installation.data_named)
        serving = time.monotonic() - started
        seeded = Demo(installation, 0)
        while not seeded.at_rest():
            assert time.monotonic() - started < SEEDING, f"not at rest: {seeded.stages()}"
            time.sleep(1)
        seconds = time.monotonic() - started
        print(f"\nThe demo serves after {serving:.0f} s and has its last study linked after {seconds:.0f} s.")
        yield Demo(installation, seconds)
    finally:
        installation.stop()
