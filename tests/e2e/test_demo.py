"""The demo, seeded to its end: alive in every state, its trail whole, and no word of its patients outside the vault."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest
from PIL import Image
from playwright.sync_api import expect

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.e2e import viewer
from tests.e2e.installation import Installation
from tests.e2e.planted import outside_quarantine, spoken_of
from tests.e2e.visitor import Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
SUBJECTS: Final = "/trials/DEMO/subjects"
LIVELY: Final = {
    "linked", "linked_held", "held", "refused", "surveyed", "receiving", "missing", "overdue", "not_done",
    "open_checks", "in_progress", "complete", "empty",
}  # fmt: skip
AT_WORK: Final = "('received', 'confirmed', 'clean', 'promised', 'sent', 'verified')"
_SEEDING: Final = 420.0


@dataclass(frozen=True)
class Demo:
    """A running demo, and how many seconds it took until nothing was left to do."""

    installation: Installation
    seconds: float

    def password(self, user: str) -> tuple[str, str]:
        """Give the address and password of an account of demo-accounts.json."""
        accounts = json.loads((self.installation.data / "demo-accounts.json").read_text())
        found = next(account for account in accounts if account["user"].startswith(f"{user}@"))
        return found["user"], found["password"]

    def comes(self, visit: Visit, user: str, path: str = "/") -> Visitor:
        """Let somebody of the demo sign in and be somewhere."""
        person = visit(self.installation.url)
        person.goto(path)
        person.sign_in(*self.password(user))
        return person

    def stages(self) -> dict[str, int]:
        """Count the submissions by stage, as the data base has them."""
        return dict(self._rows("SELECT stage, count(*) FROM submission GROUP BY stage"))

    def at_rest(self) -> bool:
        """Say whether every study of the story was sent and no step is to come by itself."""
        printed = self.installation.output.read_text(errors="replace")
        if "Seeding stopped" in printed:
            raise AssertionError(printed[-2000:])
        last = re.findall(r"(\d+) of (\d+) ", printed)
        if not last or last[-1][0] != last[-1][1]:
            return False
        return not self._rows(f"SELECT 1 FROM submission WHERE stage IN {AT_WORK}")

    def _rows(self, sql: str) -> list[tuple[str, int]]:
        database = sqlite3.connect(f"file:{self.installation.data / 'trialimg.sqlite'}?mode=ro", uri=True)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """``make demo`` in an empty folder, waited for until its last study is linked."""
    installation = Installation(tmp_path_factory.mktemp("demo"))
    started = time.monotonic()
    try:
        installation.start("seed_data.demo", "--port", str(installation.port), "--data", str(installation.data))
        serving = time.monotonic() - started
        seeded = Demo(installation, 0)
        while not seeded.at_rest():
            assert time.monotonic() - started < _SEEDING, f"not at rest: {seeded.stages()}"
            time.sleep(1)
        seconds = time.monotonic() - started
        print(f"\nThe demo serves after {serving:.0f} s and has its last study linked after {seconds:.0f} s.")
        yield Demo(installation, seconds)
    finally:
        installation.stop()


def test_the_demo_is_in_every_state_a_trial_can_be_in(demo: Demo, visit: Visit) -> None:
    dario = demo.comes(visit, "data-manager", "/trials/DEMO")
    expect(dario.page.get_by_role("heading", level=1)).to_have_text("Subjects")
    dario.look("50-demo-subjects", says="Subjects")
    seen = set(dario.page.locator("[data-state]").evaluate_all("all => all.map(e => e.dataset.state)"))
    expect(dario.page.locator(".ti-grid tbody tr")).to_have_count(12)
    for site in ("101", "102", "103"):
        person = demo.comes(visit, f"coordinator-{site}")
        person.look(f"51-demo-work-{site}", says="My work")
        seen |= set(person.page.locator("[data-state]").evaluate_all("all => all.map(e => e.dataset.state)"))
    assert seen >= LIVELY, f"nothing of the demo is {sorted(LIVELY - seen)}"
    stages = demo.stages()
    assert stages["linked"] == 14
    assert stages["refused"] == stages["held"] == stages["receiving"] == 1
    assert stages["surveyed"] == 2


@pytest.mark.parametrize(
    ("user", "path"),
    [
        ("coordinator-101", f"{SUBJECTS}/101-001"),
        ("coordinator-101", f"{SUBJECTS}/101-001/visits/SCR"),
        ("coordinator-101", f"{SUBJECTS}/101-001/visits/SCR/forms/RS"),
        ("coordinator-101", f"{SUBJECTS}/101-001/visits/SCR/slots/CT"),
        ("coordinator-102", f"{SUBJECTS}/102-002/visits/W8/slots/CT"),
        ("monitor", "/trials/DEMO"),
        ("sponsor", "/trials/DEMO"),
        ("data-manager", "/pipeline"),
        ("trial-administrator", "/trials/DEMO/people"),
        ("trial-administrator", "/trials/DEMO/sites"),
        ("inspector", "/trials/DEMO/audit"),
        ("reader-1", "/"),
    ],
)
def test_a_page_of_the_demo_is_whole(demo: Demo, visit: Visit, user: str, path: str) -> None:
    person = demo.comes(visit, user, path)
    expect(person.page.locator(".ti-account-name")).to_be_visible()
    person.look(f"52-demo-{user}{path.replace('/', '-')}")


def test_the_trail_of_the_demo_is_whole(demo: Demo) -> None:
    verified = demo.installation.run("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "The trail is whole." in verified.stdout


def test_nothing_the_demo_wrote_names_its_patients(demo: Demo) -> None:
    assert spoken_of(PATIENT_IDENTITIES, outside_quarantine(demo.installation.folder)) == []


def test_the_pictures_of_the_readme(demo: Demo, visit: Visit, pictures: Path) -> None:
    """The form with its linked study, the subjects of the trial, and a slice in the viewer."""
    clara = demo.comes(visit, "coordinator-101", f"{SUBJECTS}/101-001/visits/W8/forms/IMG")
    expect(clara.page.locator("#slot-CT code")).to_be_visible()
    _keep(clara, pictures / "form.png")
    dario = demo.comes(visit, "data-manager", "/trials/DEMO")
    expect(dario.page.get_by_role("heading", level=1)).to_have_text("Subjects")
    _keep(dario, pictures / "subjects.png")

    clara.goto(f"{SUBJECTS}/101-001/visits/W8/slots/CT")
    uid = clara.page.locator(".ti-study code").first.inner_text()
    clara.goto(f"/studies/{uid}")
    viewer.wait_until_drawn(clara.page)
    viewer.choose_series(clara.page, "S:2")
    viewer.wait_until_drawn(clara.page)
    viewer.scroll_to(clara.page, 0.55)
    viewer.wait_until_drawn(clara.page)
    _keep(clara, pictures / "viewer.png")


def _keep(person: Visitor, path: Path) -> None:
    viewer.save_small(person.page.screenshot(), path)
    assert path.stat().st_size < 300_000
    with Image.open(BytesIO(path.read_bytes())) as picture:
        assert picture.width == 1280
