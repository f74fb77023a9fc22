"""Boxes proposed for a series and laid on its images: nothing found is left out, and nothing else is covered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg.domain.mask import MOST_BOXES, Box, MaskBox
from trialimg.domain.pixel_review import Drawn, Sized, is_found, masks, proposals, read_on
from trialimg.errors import BadInput

BOXES = st.builds(Box, st.integers(0, 600), st.integers(0, 440), st.integers(1, 90), st.integers(1, 60))
FOUND = st.dictionaries(st.integers(1, 30), st.lists(BOXES, max_size=12), min_size=1, max_size=8)
IMAGES = [Sized(7, 640, 480, 3), Sized(9, 640, 480, 1)]


@given(FOUND)
def test_whatever_was_found_in_an_image_is_covered_by_what_is_proposed_for_it(found: dict[int, list[Box]]) -> None:
    proposed = proposals(found)
    for ordinal, boxes in found.items():
        mine = [each.box for each in proposed if each.ordinal in {None, ordinal}]
        assert all(any(one.covers(box) for one in mine) for box in boxes)
        assert all(each.frame is None for each in proposed)


def test_what_shows_alike_in_most_images_is_proposed_for_all_of_them() -> None:
    name, stray = Box(10, 10, 200, 20), Box(300, 300, 30, 10)
    found = {1: [name], 2: [Box(11, 10, 199, 21)], 3: [name, stray], 4: []}
    assert proposals(found) == (Drawn(Box(10, 10, 200, 21)), Drawn(stray, 3))


def test_boxes_around_the_echoes_do_not_become_the_whole_picture() -> None:
    around = [Box(0, 0, 640, 64), Box(0, 64, 52, 379), Box(0, 443, 640, 37), Box(589, 64, 51, 379)]
    assert sorted(each.box for each in proposals({1: around})) == sorted(around)


def test_more_boxes_than_a_person_can_judge_are_joined() -> None:
    many = [Box(6 * x, 12 * y, 5, 8) for x in range(50) for y in range(4)]
    assert 0 < len(proposals({1: many})) <= MOST_BOXES


def test_boxes_are_laid_on_the_images_and_frames_they_are_for() -> None:
    laid = masks([Drawn(Box(1, 1, 5, 5)), Drawn(Box(20, 20, 5, 5), 7), Drawn(Box(40, 40, 5, 5), 7, 2)], IMAGES)
    assert laid[7].boxes == (MaskBox(Box(1, 1, 5, 5)), MaskBox(Box(20, 20, 5, 5)), MaskBox(Box(40, 40, 5, 5), 2))
    assert laid[9].boxes == (MaskBox(Box(1, 1, 5, 5)),)


@pytest.mark.parametrize(
    "drawn",
    [Drawn(Box(1, 1, 5, 5), 8), Drawn(Box(1, 1, 5, 5), 9, 1), Drawn(Box(640, 1, 5, 5)), Drawn(Box(1, 1, 5, 0))],
)
def test_a_box_for_what_is_not_there_is_refused(drawn: Drawn) -> None:
    with pytest.raises(BadInput):
        masks([drawn], IMAGES)


@given(st.integers(0, 10**6), st.none() | st.integers(0, 10**4))
def test_what_a_box_is_for_is_read_as_it_was_written(ordinal: int, frame: int | None) -> None:
    assert read_on(Drawn(Box(0, 0, 1, 1), ordinal, frame).on) == (ordinal, frame)
    assert read_on(Drawn(Box(0, 0, 1, 1)).on) == (None, None)


@pytest.mark.parametrize("text", ["x", "-1", "1/", "/1", "1/0", "1/2/3", "9" * 40, "１", "1.5"])
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        read_on(text)


def test_a_box_is_found_where_half_of_it_lies_on_what_was_found() -> None:
    assert is_found(Box(0, 0, 10, 10), [Box(5, 0, 40, 10)])
    assert not is_found(Box(0, 0, 10, 10), [Box(6, 0, 40, 10), Box(300, 300, 9, 9)])
