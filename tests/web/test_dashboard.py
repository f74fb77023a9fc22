"""The dashboard: who sees it, what it counts, and that more subjects ask no more of the data base."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from tests.pipeline.bed import make_bed, small_ct
from tests.reporting.filled import date_screening, fill_vitals
from tests.world import World
from trialimg.reporting.dashboard import dashboard
from trialimg.store.base import db

URL = "/trials/DEMO/dashboard"
SEEING = {"sponsor", "data-manager", "trial-administrator", "inspector"}


@pytest.mark.parametrize(
    "name", ["sponsor", "data-manager", "trial-administrator", "inspector", "monitor", "coordinator-101", "reader"]
)
def test_only_those_who_oversee_the_trial_see_it(world: World, name: str) -> None:
    world.subject()
    page = world.client(name).get(URL)
    assert page.status_code in ({200} if name in SEEING else {403, 404})
    assert ("Days from scan to link" in page.text) is (name in SEEING)


def test_it_counts_subjects_visits_forms_and_missing_images(world: World) -> None:
    first, _second, third = world.subject(), world.subject(), world.subject("102")
    fill_vitals(world, first)
    date_screening(world, third, site="102")
    board = dashboard(world.person("sponsor"), "DEMO")
    one, two, none = board.sites
    assert [one.subjects, two.subjects, none.subjects, board.total.subjects] == [2, 1, 0, 3]
    assert [one.visits.get("SCR"), two.visits.get("SCR"), board.total.visits["SCR"]] == [1, 1, 2]
    assert one.imaging.expected == two.imaging.expected == 1
    assert board.total.imaging.missing == 2  # the screening was in March, and nothing was sent
    assert one.forms > 0


def test_a_linked_study_counts_with_its_days(world: World, tmp_path) -> None:
    bed = make_bed(world)
    bed.link(small_ct(tmp_path))
    board = dashboard(world.person("sponsor"), "DEMO")
    assert board.total.imaging.linked == board.total.imaging.received == 1
    assert board.total.imaging.missing == 0
    assert sum(count for _, count in board.days) == 1


def test_more_subjects_ask_for_no_more_queries(world: World) -> None:
    def count() -> int:
        asked: list[str] = []
        note = lambda _c, _u, statement, *_: asked.append(statement)  # noqa: E731
        event.listen(db.engine, "before_cursor_execute", note)
        dashboard(world.person("sponsor"), "DEMO")
        event.remove(db.engine, "before_cursor_execute", note)
        db.session.rollback()
        return len(asked)

    fill_vitals(world, world.subject())
    few = count()
    for _ in range(4):
        fill_vitals(world, world.subject())
    assert count() == few < 15


def test_its_pictures_carry_no_inline_style_and_have_names(world: World) -> None:
    fill_vitals(world, world.subject())
    page = world.client("sponsor").get(URL).text
    assert page.count("<svg") == 4
    assert page.count('role="img" aria-label="') == 4
    assert "style=" not in page
