"""The team's pages of reads: filtered, in pages, and one subject's with its response over time."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.casework.reading_bed import UID, ReadingBed, bed  # noqa: F401 (a fixture)
from tests.web.imaging_bed import Visitor
from trialimg.casework import read_list
from trialimg.domain.reading import ReadState

LIST = "/trials/DEMO/reads"


@pytest.fixture
def read(bed: ReadingBed) -> ReadingBed:  # noqa: F811 (the fixture)
    """One subject with baseline and week 8 read by one reader, the baseline alone by the other."""
    for visit in ("SCR", "W8"):
        bed.link(visit)
    bed.read("SCR", "37.3")
    bed.read("W8", "20.2")
    bed.read("SCR", "38.1", "second")
    return bed


def another(bed: ReadingBed, site: str, at: int = 1) -> ReadingBed:  # noqa: F811 (the fixture)
    one = ReadingBed(bed.world, bed.world.subject(site), f"{UID}{at}")
    one.link("SCR")
    return one


def text(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.get_data(as_text=True)


def rows(page: str) -> int:
    return page.count('<th scope="row"')


def test_reads_are_filtered_by_state_time_point_reader_and_site(read: ReadingBed) -> None:
    west = another(read, "102")
    manager = read.world.client("data-manager")
    second = read.person("second").account_id
    assert rows(text(manager, LIST)) == 6
    assert rows(text(manager, f"{LIST}?state=signed")) == 3
    assert rows(text(manager, f"{LIST}?time_point=W8")) == 2
    assert rows(text(manager, f"{LIST}?reader={second}")) == 3
    assert rows(text(manager, f"{LIST}?reader={second}&state=signed")) == 1
    only_west = text(manager, f"{LIST}?site=102")
    assert rows(only_west) == 2
    assert west.number in only_west
    assert read.number not in only_west
    for nothing in ("state=lost", "time_point=W99", "site=999", "reader=nobody"):
        assert "No read fits." in text(manager, f"{LIST}?{nothing}")


def test_who_may_not_see_values_can_not_find_out_who_reads_by_the_filter(read: ReadingBed) -> None:
    monitor, second = read.world.client("monitor"), read.person("second").account_id
    page = text(monitor, f"{LIST}?reader={second}")
    assert rows(page) == 4
    assert second not in page.replace(f"reader={second}", "")
    assert 'name="reader"' not in page


def test_a_role_for_one_site_neither_finds_nor_is_offered_the_others(read: ReadingBed) -> None:
    west = another(read, "102")
    one = read.world.client("coordinator-101")
    page = text(one, LIST)
    assert west.number not in page
    assert 'name="site"' not in page
    assert "No read fits." in text(one, f"{LIST}?site=102")
    assert one.get(f"/trials/DEMO/subjects/{west.number}/reads").status_code == 404


def test_there_are_fifty_reads_to_a_page_and_the_filter_goes_along(
    read: ReadingBed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_list, "PER_PAGE", 3)
    another(read, "101")
    manager = read.world.client("data-manager")
    first, last = text(manager, f"{LIST}?site=101"), text(manager, f"{LIST}?site=101&page=2")
    assert (rows(first), rows(last)) == (3, 3)
    assert "site=101&amp;page=2" in first
    assert rows(text(manager, f"{LIST}?page=99")) == 3, "the last page there is"


def test_the_page_of_a_subject_tells_the_response_over_time_and_the_best_one(read: ReadingBed) -> None:
    page = text(read.world.client("sponsor"), f"/trials/DEMO/subjects/{read.number}/reads")
    assert "<polyline" in page
    assert "Best overall response, Reader" in page
    assert "<strong>SD</strong>" in page
    assert "is not confirmed" in page
    assert page.count("Signed: ") == 3
    hidden = text(read.world.client("monitor"), f"/trials/DEMO/subjects/{read.number}/reads")
    assert rows(hidden) == 4
    for value in ("<polyline", "Best overall", "37.3", "Second", "Signed: "):
        assert value not in hidden


@pytest.mark.parametrize("name", ["reader", "nobody", "coordinator-102"])
def test_the_page_of_a_subject_is_not_there_for_readers_and_other_sites(read: ReadingBed, name: str) -> None:
    theirs = read.world.client(name).get(f"/trials/DEMO/subjects/{read.number}/reads")
    none = read.world.client(name).get("/trials/DEMO/subjects/101-999/reads")
    assert theirs.status_code == none.status_code == 404
    assert "37.3" not in theirs.get_data(as_text=True)


def test_a_read_is_reopened_from_the_page_of_its_subject_and_leads_back_there(read: ReadingBed) -> None:
    manager, key = Visitor(read.world.client("data-manager")), read.key("W8")
    manager.get("/account")
    home = f"/trials/DEMO/subjects/{read.number}/reads"
    refused = manager.post(f"{LIST}/{key}/reopen?from=subject", {"reason": ""})
    assert refused.status_code == 422
    assert f"Reads of {read.number}" in refused.get_data(as_text=True)
    done = manager.post(f"{LIST}/{key}/reopen?from=subject", {"reason": "another slice"})
    assert (done.status_code, done.location) == (303, home)
    assert read.state("W8") is ReadState.REOPENED
