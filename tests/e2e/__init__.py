"""The walk in a real browser; what the days assert is told as what tests assert."""

import pytest

pytest.register_assert_rewrite(*(f"tests.e2e.{day}_day" for day in ("coordinators", "readers", "sponsors")))
