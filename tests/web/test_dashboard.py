"""The dashboard: who sees it, what it counts, and that more subjects ask no more of the data base."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from tests.casework.reading_bed import ReadingBed, bed, values  # noqa: F401 (a fixture)
from tests.pipeline.bed import make_bed, small_ct
from tests.reporting.filled import date_screening, fill_vitals
from tests.world import World
from trialimg.casework.access import visit_place
from trialimg.casework.data_entry import Posted, save_form
from trialimg.reporting.dashboard import dashboard
from trialimg.store.base import db, utc_now

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
    make_bed(world).link(small_ct(tmp_path))
    board = dashboard(world.person("sponsor"), "DEMO")
    assert board.total.imaging.linked == board.total.imaging.received == 1
    assert board.total.imaging.missing == 0
    assert sum(count for _, count in board.days.buckets) == 1
    assert (board.days.by_form, board.days.by_images, board.days.undated) == (0, 1, 0)
    assert "where the form's is blank" in board.days.sentence


def type_acquired(world: World, number: str, day: str) -> None:
    values = {"CT": {"": {"CT_PROCCUR": "Y", "CT_PRSTDAT": day, "CT_CONTRAST": ""}}, "MR": {"": {}}}
    with world.acting("coordinator-101") as uow:
        save_form(uow, visit_place(world.code, number, "SCR"), "IMG", Posted(0, values, frozenset(), {}))


def test_the_scan_s_date_is_the_one_on_the_imaging_form(bed: ReadingBed) -> None:  # noqa: F811 (the fixture)
    bed.link("SCR")  # its images say 2 March
    world, yesterday = bed.world, utc_now().date() - timedelta(days=1)
    assert dashboard(world.person("sponsor"), "DEMO").days.median > 100
    date_screening(world, bed.number)
    type_acquired(world, bed.number, yesterday.isoformat())
    days = dashboard(world.person("sponsor"), "DEMO").days
    assert (days.median, days.by_form, days.by_images) == (1, 1, 0)
    # the trial administrator sees no values of forms: for them the images' own date counts
    days = dashboard(world.person("trial-administrator"), "DEMO").days
    assert (days.by_form, days.by_images) == (0, 1)


def test_reads_are_counted_by_time_point_and_state_and_nothing_of_them_is_told(bed: ReadingBed) -> None:  # noqa: F811 (the fixture)
    for visit in ("SCR", "W8"):
        bed.link(visit)
    bed.read("SCR", "37.3")
    bed.save("W8", values("W8", "20.2"))
    bed.read("SCR", "38.1", "second")
    bed.join("2.25.7.1")
    bed.sign("SCR")
    board = dashboard(bed.world.person("sponsor"), "DEMO")
    counts = {each.key: each for each in board.reads}
    assert (counts["SCR"].expected, counts["SCR"].waiting) == (2, 0)
    assert {key: n for key, n in counts["SCR"].by_state.items() if n} == {"signed": 1, "basis changed": 1}
    assert {key: n for key, n in counts["W8"].by_state.items() if n} == {"draft": 1, "open": 1}
    assert (board.reads_signed, board.reads_expected) == (1, 4)
    page = bed.world.client("sponsor").get(URL).get_data(as_text=True)
    assert "Reads by time point" in page
    for value in ("37.3", "38.1", "20.2"):
        assert value not in page


def test_reads_are_expected_where_images_are_before_anything_is_linked(world: World) -> None:
    date_screening(world, world.subject())
    board = dashboard(world.person("sponsor"), "DEMO")
    assert [(each.key, each.expected, each.waiting) for each in board.reads] == [("SCR", 2, 2)]


def test_more_subjects_ask_for_no_more_queries(world: World) -> None:
    def count() -> int:
        asked: list[str] = []

        def note(_connection, _cursor, statement, *_rest) -> None:
            asked.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        dashboard(world.person("sponsor"), "DEMO")
        event.remove(db.engine, "before_cursor_execute", note)
        db.session.rollback()
        return len(asked)

    fill_vitals(world, world.subject())
    few = count()
    for _ in range(4):
        fill_vitals(world, world.subject())
    assert count() == few < 18


def test_its_pictures_carry_no_inline_style_and_have_names(world: World) -> None:
    fill_vitals(world, world.subject())
    page = world.client("sponsor").get(URL).text
    assert page.count("<svg") == 5
    assert page.count('role="img" aria-label="') == 5
    assert "style=" not in page
