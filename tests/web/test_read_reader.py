"""The page on which the trial administrator gives a read to another reader, and what the page of reads says of it."""

from __future__ import annotations

import pytest

from tests.casework.reading_bed import ReadingBed, bed
from tests.casework.test_read_handover import join, leave, states
from tests.web.imaging_bed import Visitor, words

__all__ = ["bed"]


def who(bed: ReadingBed, name: str) -> Visitor:
    return Visitor(bed.world.client(name))


def at(bed: ReadingBed, visit: str = "SCR") -> str:
    return f"/trials/DEMO/reads/{bed.key(visit)}/reader"


def test_the_administrator_gives_a_read_to_another_reader_by_the_page(bed: ReadingBed) -> None:
    bed.link("SCR")
    join(bed, "third")
    admin = who(bed, "trial-administrator")
    assert "Give to another reader" in words(admin.get("/trials/DEMO/reads"))
    assert "Third" in words(admin.get(at(bed)))
    to = bed.person("third").account_id
    refused = admin.post(at(bed), {"reader": to, "reason": ""})
    assert refused.status_code == 422
    assert "Give a reason" in words(refused)
    wrong = admin.post(at(bed), {"reader": "e" * 32, "reason": "kept as typed"})
    assert wrong.status_code == 422
    assert "kept as typed" in wrong.get_data(as_text=True)
    assert states(bed, "reader") == [("SCR", "open")]
    given = admin.post(at(bed), {"reader": to, "reason": "on leave"})
    assert given.status_code == 303
    assert states(bed, "third") == [("SCR", "open")]
    shown = words(admin.get("/trials/DEMO/reads"))
    assert "Given to another reader: on leave" in shown
    again = admin.post(at(bed), {"reader": to, "reason": "pressed twice"})
    assert again.status_code == 409
    assert "stays with its reader" in words(again)
    assert "Given to another reader: on leave" in words(who(bed, "reader").get(f"/reads/{bed.key('SCR')}"))


def test_the_page_of_reads_says_what_waits_for_a_reader_to_the_administrator_alone(bed: ReadingBed) -> None:
    leave(bed)
    bed.link("SCR")
    assert "One time point has fewer readers than planned" in words(
        who(bed, "trial-administrator").get("/trials/DEMO/reads")
    )
    assert "fewer readers" not in words(who(bed, "sponsor").get("/trials/DEMO/reads"))
    join(bed, "third")
    assert "fewer readers" not in words(who(bed, "trial-administrator").get("/trials/DEMO/reads"))


@pytest.mark.parametrize("name", ["data-manager", "sponsor", "monitor", "coordinator-101", "inspector"])
def test_nobody_else_changes_who_reads(bed: ReadingBed, name: str) -> None:
    bed.link("SCR")
    join(bed, "third")
    visitor = who(bed, name)
    visitor.get("/account")
    assert visitor.get(at(bed)).status_code == 403
    to = bed.person("third").account_id
    assert visitor.post(at(bed), {"reader": to, "reason": "x"}).status_code == 403
    assert "Give to another reader" not in words(visitor.get("/trials/DEMO/reads"))
    assert states(bed, "reader") == [("SCR", "open")]
