"""A fresh installation becomes one a coordinator can work in, through the command line and the browser only."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Place
from tests.e2e.first_day import COORDINATOR, SITES, TRIAL
from tests.e2e.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_from_one_time_link_to_a_coordinator_at_a_site(on_local: Place, visit: Visit) -> None:
    """What the fixture lived through in the browser has become a coordinator who can enrol at one site."""
    clara = visit(on_local.installation.url)
    clara.goto(f"/trials/{TRIAL}/enrol")
    clara.sign_in(COORDINATOR.email, COORDINATOR.password)
    expect(clara.page.get_by_role("heading", level=1)).to_have_text("Enrol a subject")
    expect(clara.page.locator("main")).to_contain_text(SITES[0][0])
    expect(clara.page.locator("main")).not_to_contain_text(SITES[1][0])
    expect(clara.page.locator(".ti-nav")).not_to_contain_text("Administration")


def test_a_signed_out_browser_shows_nothing_by_its_back_button(on_local: Place, visit: Visit) -> None:
    clara = visit(on_local.installation.url)
    clara.goto("/")
    clara.sign_in(COORDINATOR.email, COORDINATOR.password)
    expect(clara.page.get_by_role("heading", level=1)).to_have_text("My work")
    clara.sign_out()
    clara.page.go_back()
    expect(clara.page.get_by_role("heading", level=1)).to_have_text("Sign in")
