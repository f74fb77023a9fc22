"""A fresh installation becomes one a coordinator can work in, through the command line and the browser only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.first_day import COORDINATOR, first_day
from tests.e2e.installation import Installation
from tests.e2e.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_from_one_time_link_to_a_coordinator_at_a_site(tmp_path: Path, visit: Callable[[str], Visitor]) -> None:
    installation = Installation(tmp_path / "first")
    try:
        first_day(installation, visit)
        clara = visit(installation.url)
        clara.goto("/admin")
        clara.sign_in(COORDINATOR.email, COORDINATOR.password)
        assert "Administration" not in clara.page.locator(".ti-header").inner_text()
    finally:
        installation.stop()
