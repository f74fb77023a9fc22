"""The reader's day: what the coordinator sent is read beside the viewer, left and taken up again, signed, followed."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.e2e import readers as act
from tests.e2e.coordinators_day import SLICES
from tests.e2e.first_day import READER
from tests.e2e.readers import Blinded
from tests.e2e.three_days import Story
from tests.e2e.viewer import wait_until_drawn
from tests.e2e.visitor import Visit, Visitor


def readers_day(story: Story, visit: Visit) -> None:
    """Read and sign both time points under the eyes of the search for what blinds no more."""
    rhea = story.comes(visit, READER, "/reads")
    blinded = Blinded(rhea, story)
    code = act.code_of(rhea, "Week 8")
    expect(act.line(rhea.page, code, "Week 8")).to_contain_text("Waits")
    rhea.look("60-reads", "Reads", says="Reads")
    blinded.page()

    baseline = _the_baseline_is_read(rhea, blinded, code)
    _it_is_signed(rhea, blinded, "Screening")
    _nothing_signed_changes(rhea.page, baseline, act.BASELINE_MM)
    week_8 = _the_next_time_point_carries_the_lesions_forward(rhea, blinded, code)
    _it_is_signed(rhea, blinded, "Week 8")
    _nothing_signed_changes(rhea.page, week_8, act.WEEK_8_MM)
    story.reads[:] = [baseline, week_8]

    rhea.goto("/reads")
    for time_point in ("Screening", "Week 8"):
        expect(act.line(rhea.page, code, time_point)).to_contain_text("Signed")
    blinded.page()
    assert any("/frames/" in address for address in blinded.asked), "the viewer fetched pixels"
    assert any(address.endswith("/metadata") for address in blinded.asked)
    shown = {part for address in blinded.asked for part in urlsplit(address).path.split("/")}
    assert shown >= set(story.studies.values()), "both time points were shown, by the UIDs the coordinator was told"


def _the_baseline_is_read(rhea: Visitor, blinded: Blinded, code: str) -> str:
    page, here = rhea.page, act.open_read(rhea, code, "Screening")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{code}, Screening")
    frame = act.in_the_frame(page)
    assert frame.evaluate("typeof window.services.measurementService.subscribe") == "function"
    wait_until_drawn(frame)
    act.fill_baseline(page)
    act.save(page)
    wait_until_drawn(act.in_the_frame(page))
    rhea.look("61-read-draft", "Reads", code, says=code)
    blinded.page()
    rhea.goto("/reads")
    expect(act.line(page, code, "Screening")).to_contain_text("Draft")
    assert act.open_read(rhea, code, "Screening") == here
    expect(page.locator(act.item(page, "T.T1.diameter.0"))).to_have_value(act.BASELINE_MM)
    expect(page.locator(act.item(page, "T.T1.location"))).to_have_value(act.PLACE)
    expect(page.locator(act.item(page, "T.T1.image.0"))).to_have_value("6")
    series = page.locator(act.item(page, "T.T1.series.0")).locator("option:checked")
    expect(series).to_contain_text(f"{SLICES} images")
    expect(page.locator("[data-panel]")).to_contain_text("Nothing is open.")
    return here


def _it_is_signed(rhea: Visitor, blinded: Blinded, time_point: str) -> None:
    """Sign: not with a wrong password; then the page is locked and shows the signature."""
    page, name = rhea.page, time_point.lower().replace(" ", "-")
    act.go_to_sign(page)
    expect(page.locator("main")).to_contain_text(act.MEANING)
    rhea.look(f"62-sign-{name}", "Reads", "Sign", says="Sign")
    blinded.page()
    act.sign(page, "not my password")
    expect(page.locator("[data-error-summary]")).to_contain_text("Nothing was signed")
    blinded.page()
    act.sign(page)
    expect(page.locator(".ti-flashes")).to_contain_text("signed and locked")
    expect(page.locator(".ti-heading")).to_contain_text("Signed")
    expect(page.locator(".ti-signature")).to_contain_text(act.MEANING)
    rhea.look(f"63-signed-{name}", "Reads", says=time_point)
    blinded.page()


def _nothing_signed_changes(page: Page, read: str, diameter: str) -> None:
    """There is no control to change a value with, and the address that takes drafts refuses."""
    expect(page.locator("form[data-read]")).to_have_count(0)
    expect(page.locator('[name$=".diameter.0"]')).to_have_count(0)
    expect(page.locator("main")).to_contain_text(f"{diameter} mm")
    token = page.locator("[name=csrf_token]").first.get_attribute("value") or ""
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
    said: dict[str, str | float | bool] = {"csrf_token": token, "_revision": "1", "_end": "1", "comment": "afterwards"}
    refused = page.request.post(f"{origin}{read}/draft", form=said, headers={"Origin": origin, "Referer": page.url})
    assert refused.status == 409
    page.reload()
    expect(page.locator("main")).to_contain_text(f"{diameter} mm")
    expect(page.locator("main")).not_to_contain_text("afterwards")


def _the_next_time_point_carries_the_lesions_forward(rhea: Visitor, blinded: Blinded, code: str) -> str:
    page, here = rhea.page, act.open_read(rhea, code, "Week 8")
    target = page.get_by_role("group", name=f"T1: LIVER, {act.PLACE}")
    expect(target).to_contain_text(f"Screening {act.BASELINE_MM} mm")
    expect(page.get_by_role("group", name="N1: PLEURA, left")).to_be_visible()
    expect(page.locator(act.item(page, "T.T1.diameter.0"))).to_have_value("")
    wait_until_drawn(act.in_the_frame(page))
    act.fill_week_8(page)
    expect(page.locator("[data-panel] [data-overall]")).to_have_text("PR")
    act.save(page)
    wait_until_drawn(act.in_the_frame(page))
    rhea.look("64-read-week-8", "Reads", code, says="Week 8")
    blinded.page()
    return here
