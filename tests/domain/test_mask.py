from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg.domain.mask import MOST_BOXES, Box, Mask, MaskBox, gathered
from trialimg.errors import BadInput

BOXES = st.builds(Box, st.integers(0, 60), st.integers(0, 60), st.integers(1, 30), st.integers(1, 30))


def pixels(*boxes: Box) -> set[tuple[int, int]]:
    return {(x, y) for box in boxes for x in range(box.x, box.right) for y in range(box.y, box.bottom)}


@given(st.lists(BOXES, max_size=8))
def test_gathered_boxes_cover_all_that_was_covered_and_touch_no_more(boxes):
    joined = gathered(boxes)
    assert pixels(*boxes) <= pixels(*joined)
    assert not any(a.touches(b) for a in joined for b in joined if a is not b)


@given(st.lists(st.builds(MaskBox, BOXES, st.none() | st.integers(0, 3)), max_size=8))
def test_a_fitted_mask_covers_the_same_pixels_of_every_frame(boxes):
    mask = Mask(tuple(boxes)).fitted(90, 90, 4)
    for frame in range(4):
        assert pixels(*mask.on(frame)) == pixels(*Mask(tuple(boxes)).on(frame))
    assert Mask.from_json(mask.to_json()) == mask
    assert mask.fitted(90, 90, 4) == mask


def test_a_box_is_cut_at_the_edge_of_the_image():
    assert Mask.everywhere([Box(-5, 90, 20, 40)]).fitted(100, 100, 1).on(0) == (Box(0, 90, 15, 10),)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ([None, 100, 0, 5, 5], "outside"),
        ([None, -9, 0, 9, 5], "outside"),
        ([None, 1, 1, 0, 5], "empty"),
        ([2, 1, 1, 5, 5], "frame that is not there"),
        ([-1, 1, 1, 5, 5], "frame that is not there"),
    ],
)
def test_a_box_that_covers_nothing_is_refused_with_its_number(entry, said):
    mask = Mask.from_json([[None, 1, 1, 5, 5], entry])
    with pytest.raises(BadInput, match=f"Box 2 .*{said}"):
        mask.fitted(100, 80, 2)


def test_more_boxes_than_a_person_draws_are_refused():
    with pytest.raises(BadInput, match="201 boxes"):
        Mask.everywhere(Box(n, 0, 1, 1) for n in range(MOST_BOXES + 1)).fitted(500, 80, 1)


@pytest.mark.parametrize(
    "entries", [None, {}, "x", [1], [[1, 2, 3, 4]], [[None, 1, 2, 3, "4"]], [[True, 1, 2, 3, 4]], [[0, 1.5, 2, 3, 4]]]
)
def test_what_is_no_list_of_boxes_is_refused(entries):
    with pytest.raises(BadInput, match="cannot be read"):
        Mask.from_json(entries)
