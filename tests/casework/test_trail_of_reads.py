"""The audit trail tells of reads, and their values only to the roles that the trial's reading design names."""

from __future__ import annotations

import pytest

from tests.casework.reading_bed import ReadingBed, bed  # noqa: F401 (a fixture)
from trialimg.casework.trail_page import TrailFilter, trail_page


@pytest.mark.parametrize(
    ("who", "told"),
    [("data-manager", True), ("inspector", True), ("monitor", False), ("trial-administrator", False)],
)
@pytest.mark.parametrize("table", ["read_version", "read_signature", "reading_code"])
def test_values_of_reads_are_in_the_trail_for_the_roles_named_only(
    bed: ReadingBed,  # noqa: F811 (the fixture)
    who: str,
    told: bool,
    table: str,
) -> None:
    bed.link("SCR")
    bed.read("SCR", "30")
    person = bed.world.person(who)
    page = trail_page(person, bed.world.trial, TrailFilter(table=table))
    assert page.lines
    assert all(line.hidden is not told for line in page.lines)
    assert any(line.new for line in page.lines) is told
