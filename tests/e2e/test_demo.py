"""The demo, seeded to its end: alive in every state, its trail whole, and no word of its patients outside the vault."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import expect

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.e2e.demo import Demo
from tests.e2e.planted import outside_quarantine, spoken_of
from tests.e2e.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1500)]
SUBJECTS: Final = "/trials/DEMO/subjects"
LIVELY: Final = {
    "linked", "linked_held", "held", "refused", "surveyed", "receiving", "missing", "overdue", "not_done",
    "open_checks", "in_progress", "complete", "empty",
}  # fmt: skip


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


def test_the_clip_of_the_demo_waits_for_a_look_at_its_pixels(demo: Demo, visit: Visit) -> None:
    person = demo.comes(visit, "coordinator-101", f"{SUBJECTS}/101-003/visits/SCR/slots/CT")
    person.page.get_by_role("link", name="Look at them and decide").click()
    person.page.get_by_role("link", name="Look at the pixels").click()
    expect(person.page.locator("[data-picture][data-shown]")).to_be_visible()
    expect(person.page.locator("[data-box]").first).to_be_visible()
    person.look("55-demo-held-pixels", says="Held pixels")


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
