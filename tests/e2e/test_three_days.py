"""The three days in the browser, one after another on the same subject; and what others are told of it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import expect

from tests import peers
from tests.e2e import readers as act
from tests.e2e.coordinators_day import coordinators_day
from tests.e2e.first_day import COORDINATOR, READER, SECOND_READER, TRIAL
from tests.e2e.readers import Blinded
from tests.e2e.readers_day import readers_day
from tests.e2e.sponsors_day import sponsors_day, words_under_a_key_image
from tests.e2e.three_days import DAYS, Story
from tests.e2e.viewer import wait_until_drawn
from tests.e2e.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1200)]
THE_DAYS: Final[dict[str, Callable[[Story, Visit], None]]] = {
    "coordinator": coordinators_day, "reader": readers_day, "sponsor": sponsors_day,
}  # fmt: skip


def test_the_coordinators_day(story: Story, visit: Visit) -> None:
    story.live(THE_DAYS, "coordinator", visit)


def test_the_readers_day(story: Story, visit: Visit) -> None:
    story.live(THE_DAYS, "reader", visit)


def test_the_sponsors_day(story: Story, visit: Visit) -> None:
    story.live(THE_DAYS, "sponsor", visit)


def test_what_is_sought_is_there_for_who_may_know_it(story: Story, visit: Visit) -> None:
    """The same search, over the same addresses, finds the subject in what its site's coordinator is given."""
    story.live(THE_DAYS, "coordinator", visit)
    clara = story.comes(visit, COORDINATOR)
    known = Blinded(clara, story)
    uid = story.studies["W8"]
    status = clara.page.evaluate(
        "address => fetch(address).then(answer => answer.status)", f"/dicomweb/studies/{uid}/metadata"
    )
    assert status == 200
    for secret in (story.number, f"{DAYS['W8']:%Y%m%d}"):
        assert any(secret in told and uid in told for told in known.told)


def test_no_word_of_the_casebook_lies_under_a_key_image(local_story: Story, visit: Visit) -> None:
    peers.require(peers.missing_poppler())
    local_story.live(THE_DAYS, "sponsor", visit)
    assert local_story.casebook is not None
    assert words_under_a_key_image(local_story.casebook) == []


def test_another_reader_is_told_nothing_of_what_was_read(local_story: Story, visit: Visit) -> None:
    """The second reader has the same time points, as new as they were, under the same blinding."""
    local_story.live(THE_DAYS, "reader", visit)
    otto = local_story.comes(visit, SECOND_READER, "/reads")
    blinded = Blinded(otto, local_story)
    for address in local_story.reads:
        answer = otto.page.goto(f"{otto.origin}{address}")
        assert answer is not None
        assert answer.status == 404
    act.open_read(otto, act.code_of(otto, "Week 8"), "Screening")
    wait_until_drawn(act.in_the_frame(otto.page))
    expect(otto.page.locator(act.item(otto.page, "T.T1.diameter.0"))).to_have_value("")
    given = otto.page.content()
    for secret in (act.BASELINE_MM, act.WEEK_8_MM, act.PLACE, READER.name, READER.email):
        assert secret not in given
    blinded.page()


def test_a_site_is_told_nothing_of_what_was_read(local_story: Story, visit: Visit) -> None:
    """Its coordinator sees that both were read, on one page, and on no page what was."""
    local_story.live(THE_DAYS, "reader", visit)
    clara, trial = local_story.comes(visit, COORDINATOR), f"/trials/{TRIAL}"
    subject = f"{trial}/subjects/{local_story.number}"
    places = [
        "/", trial, f"{trial}/reads", f"{trial}/dashboard", f"{trial}/reports", f"{trial}/audit", subject,
        f"{subject}/reads", "/reads", *local_story.reads,
    ]  # fmt: skip
    places += [f"{subject}/visits/{visit_key}{tail}" for visit_key in DAYS for tail in ("", "/forms/IMG", "/slots/CT")]
    opened = {}
    for place in places:
        answer = clara.page.goto(f"{clara.origin}{place}")
        assert answer is not None
        opened[place] = answer.status
        given = clara.page.content()
        for secret in (act.BASELINE_MM, act.WEEK_8_MM, act.PLACE, ">PR<", "<polyline", READER.email, act.MEANING):
            assert secret not in given, f"{place} tells {secret!r}"
    assert opened["/reads"] == 403
    assert {opened[read] for read in local_story.reads} <= {403, 404}
    for place in (f"{trial}/reads", subject, f"{subject}/visits/SCR/slots/CT"):
        assert opened[place] == 200
    clara.goto(f"{trial}/reads")
    region = clara.page.get_by_role("region").filter(has_text=local_story.number)
    expect(region.get_by_role("row").filter(has_text="Week 8").filter(has_text="Signed").first).to_be_visible()
    expect(clara.page.locator("main")).to_contain_text("values are not shown to your role")
