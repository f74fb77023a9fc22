"""The sponsor's day after the reader's: what was read, over time, and the casebook; and what a site is not told of it."""

from __future__ import annotations

import re
from pathlib import Path

import pypdf
import pytest
from playwright.sync_api import expect

from tests.e2e import readers as act
from tests.e2e.readers import ReadingPlace
from tests.e2e.visitor import Visit
from tests.world import email_of

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
TRIAL = "/trials/DEMO"


@pytest.fixture
def after_reading(reading_place: ReadingPlace, visit: Visit) -> ReadingPlace:
    """The installation when both time points are read and signed, by the test of that day or here."""
    if not reading_place.reads:
        act.read_both(reading_place, reading_place.comes(visit, "reader"))
    return reading_place


def test_the_sponsors_day(after_reading: ReadingPlace, visit: Visit, tmp_path: Path) -> None:
    number = after_reading.number
    saul = after_reading.comes(visit, "sponsor", f"{TRIAL}/dashboard")
    page = saul.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    saul.look("70-dashboard", "DEMO", "Dashboard", says="Dashboard")

    saul.goto(f"{TRIAL}/reads")
    subject = page.get_by_role("region", name=re.compile(f"^{number}"))
    signed = subject.get_by_role("row", name=re.compile("^Week 8.*Reader.*Signed"))
    expect(signed).to_contain_text("PR")
    expect(signed).to_contain_text(act.WEEK_8_MM)
    expect(subject.get_by_role("row", name=re.compile("^Screening.*Reader.*Signed"))).to_contain_text(act.BASELINE_MM)
    picture = subject.get_by_role("img", name=re.compile(f"sum of target lesions of {number}"))
    expect(picture.locator("circle")).to_have_count(2)
    expect(picture).to_contain_text("PR")
    signed.locator("summary", has_text="lesions").click()
    expect(signed).to_contain_text(act.PLACE)
    expect(signed.locator(".ti-signature")).to_contain_text(act.MEANING)
    saul.look("71-reads-of-the-trial", "DEMO", "Reads", says="Reads")

    saul.goto(f"{TRIAL}/reports")
    page.get_by_label(number, exact=True).check()
    page.get_by_role("button", name="Make casebooks of those chosen").click()
    expect(page.locator(".ti-flashes")).to_be_visible()
    ready = page.get_by_role("link", name=re.compile(r"\.pdf$"))
    expect(ready).to_be_visible(timeout=120_000)
    saul.look("72-reports", "DEMO", "Reports", says="Reports")
    with page.expect_download() as coming:
        ready.click()
    coming.value.save_as(tmp_path / "casebook.pdf")
    assert (tmp_path / "casebook.pdf").read_bytes().startswith(b"%PDF-")
    text = "\n".join(sheet.extract_text() for sheet in pypdf.PdfReader(tmp_path / "casebook.pdf").pages)
    plain = re.sub(r"\s+", "", text)
    assert number in plain
    for uid in after_reading.studies.values():
        assert uid in plain
    for said in (act.MEANING, act.WEEK_8_MM, act.BASELINE_MM):
        assert re.sub(r"\s+", "", said) in plain, f"the casebook does not tell {said!r}"


def test_a_site_is_told_nothing_of_what_was_read(after_reading: ReadingPlace, visit: Visit) -> None:
    """Its coordinator sees that both were read, on one page, and on no page what was."""
    number = after_reading.number
    clara = after_reading.comes(visit, "coordinator-101")
    subject = f"{TRIAL}/subjects/{number}"
    places = [
        "/", TRIAL, f"{TRIAL}/reads", f"{TRIAL}/dashboard", f"{TRIAL}/reports", f"{TRIAL}/audit", subject,
        "/reads", *after_reading.reads,
    ]  # fmt: skip
    places += [
        f"{subject}/visits/{visit_key}{tail}" for visit_key in act.DAYS for tail in ("", "/forms/IMG", "/slots/CT")
    ]
    opened = {}
    for place in places:
        answer = clara.page.goto(f"{clara.origin}{place}")
        assert answer is not None
        opened[place] = answer.status
        given = clara.page.content()
        for secret in (act.BASELINE_MM, act.WEEK_8_MM, act.PLACE, ">PR<", "<polyline", email_of("reader"), act.MEANING):
            assert secret not in given, f"{place} tells {secret!r}"
    assert opened["/reads"] == 403
    assert {opened[read] for read in after_reading.reads} <= {403, 404}
    for place in (f"{TRIAL}/reads", subject, f"{subject}/visits/SCR/slots/CT"):
        assert opened[place] == 200
    clara.goto(f"{TRIAL}/reads")
    expect(clara.page.get_by_role("row", name=re.compile("^Week 8.*Signed"))).to_be_visible()
    expect(clara.page.locator("main")).to_contain_text("values are not shown to your role")
