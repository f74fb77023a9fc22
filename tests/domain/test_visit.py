from __future__ import annotations

from datetime import date

import pytest

from trialimg.domain.visit import VisitDef, expectation, expected, timing

W8 = VisitDef("W8", "Week 8", 1, offset_days=56, window_before=7, window_after=3)
UNS = VisitDef("UNS", "Unscheduled", 2, repeating=True)
ANCHOR = date(2026, 1, 5)


def test_days_count_from_the_anchor_and_the_window_includes_its_ends():
    window = expectation(W8, ANCHOR)
    assert (window.earliest, window.due, window.latest) == (
        date(2026, 2, 23),
        date(2026, 3, 2),
        date(2026, 3, 5),
    )


def test_without_an_anchor_nothing_is_expected_or_overdue():
    window = expectation(W8, None)
    assert (window.due, window.earliest, window.latest) == (None, None, None)
    assert window.overdue_by(date(2030, 1, 1)) == 0
    assert expectation(UNS, ANCHOR).due is None


@pytest.mark.parametrize(
    ("day", "place", "days"),
    [
        (date(2026, 2, 22), "early", 1),
        (date(2026, 2, 23), "in_window", 0),
        (date(2026, 3, 5), "in_window", 0),
        (date(2026, 3, 8), "late", 3),
    ],
)
def test_a_day_is_early_in_or_late(day, place, days):
    found = timing(W8, ANCHOR, day)
    assert (found.place, found.days) == (place, days)


def test_the_sentence_of_a_timing_says_how_many_days():
    assert "1 day before" in timing(W8, ANCHOR, date(2026, 2, 22)).sentence
    assert "3 days after" in timing(W8, ANCHOR, date(2026, 3, 8)).sentence
    assert timing(UNS, ANCHOR, ANCHOR).place == "unscheduled"
    assert timing(W8, None, ANCHOR).sentence == "This visit has no window."


def test_a_visit_is_overdue_from_the_day_after_its_window():
    window = expectation(W8, ANCHOR)
    assert window.overdue_by(date(2026, 3, 5)) == 0
    assert window.overdue_by(date(2026, 3, 6)) == 1


def test_visits_are_expected_in_the_order_of_the_schedule():
    assert [each.visit.key for each in expected([UNS, W8], ANCHOR)] == ["W8", "UNS"]
