"""Lesions by RECIST 1.1: what is measurable, what each state counts as, and sums without a rounding error."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg.domain.lesion import (
    Measurement,
    Organ,
    Sum,
    TargetLesion,
    TargetState,
    counting_organ,
    millimetres,
    smallest_mm,
    sum_of_diameters,
)

S = TargetState


def lesion(*diameters, organ=Organ.LIVER, state=S.MEASURED, location="segment VI", thickness=None, key="T1"):
    parts = tuple(Measurement(each, "1.2.3", slice_thickness=thickness) for each in diameters)
    return TargetLesion(key, organ, location, state, parts)


@pytest.mark.parametrize(
    ("text", "mm"),
    [
        ("10", "10.0"), ("10.0", "10.0"), ("10,5", "10.5"), (" 7.1 ", "7.1"), ("\uff11\uff12.5", "12.5"), ("0", "0.0"),
        ("", None), ("ten", None), ("10.55", None), ("-3", None), ("+3", None), ("1e2", None), ("NaN", None),
        ("10 mm", None), ("10.", None), (".5", None), ("12345", None), ("1_0", None), ("\u0661\u0662", None),
    ],
)  # fmt: skip
def test_a_diameter_is_a_number_with_at_most_one_decimal(text, mm):
    assert millimetres(text) == (None if mm is None else Decimal(mm))


@pytest.mark.parametrize(
    ("organ", "thickness", "smallest"),
    [
        (Organ.LIVER, None, 10), (Organ.LIVER, "1", 10), (Organ.LIVER, "5", 10), (Organ.LIVER, "5.1", "10.2"),
        (Organ.LIVER, "8", 16), (Organ.LYMPH_NODE, None, 15), (Organ.LYMPH_NODE, "5", 15),
        (Organ.LYMPH_NODE, "7", 15), (Organ.LYMPH_NODE, "8", 16),
    ],
)  # fmt: skip
def test_a_lesion_is_measurable_from_10_mm_a_node_from_15_mm_or_from_two_thick_slices(organ, thickness, smallest):
    thickness = None if thickness is None else Decimal(thickness)
    assert smallest_mm(lesion("20", organ=organ, thickness=thickness)) == Decimal(smallest)


@pytest.mark.parametrize(
    ("state", "diameters", "organ", "counted", "disease"),
    [
        (S.MEASURED, ["12.5"], Organ.LIVER, "12.5", True),
        (S.MEASURED, ["3.1"], Organ.LIVER, "3.1", True),
        (S.MEASURED, ["12.5", "4"], Organ.LIVER, "16.5", True),  # a lesion in two parts
        (S.MEASURED, [], Organ.LIVER, None, None),
        (S.MEASURED, ["ten"], Organ.LIVER, None, None),
        (S.MEASURED, ["10", "ten"], Organ.LIVER, None, None),
        (S.MEASURED, ["10.0"], Organ.LYMPH_NODE, "10", True),
        (S.MEASURED, ["9.9"], Organ.LYMPH_NODE, "9.9", False),  # normal, and yet it counts in the sum
        (S.TOO_SMALL, [], Organ.LIVER, "5", True),
        (S.TOO_SMALL, [], Organ.LYMPH_NODE, "5", False),
        (S.ABSENT, [], Organ.LIVER, "0", False),
        (S.MERGED, [], Organ.LIVER, "0", False),
        (S.NOT_EVALUABLE, [], Organ.LIVER, None, None),
        (None, [], Organ.LIVER, None, None),
    ],
)  # fmt: skip
def test_each_state_counts_as_the_paper_says(state, diameters, organ, counted, disease):
    found = lesion(*diameters, organ=organ, state=state)
    assert found.counted_mm == (None if counted is None else Decimal(counted))
    assert found.disease is disease


def test_all_lymph_nodes_are_one_organ_and_another_organ_is_told_by_its_location():
    node = lesion("20", organ=Organ.LYMPH_NODE, location="station 7")
    assert counting_organ(node) == counting_organ(replace(node, location="left axilla"))
    other = lesion("20", organ=Organ.OTHER, location="Thymus")
    assert counting_organ(other) == counting_organ(replace(other, location=" thymus "))
    assert counting_organ(other) != counting_organ(replace(other, location="omentum"))


def test_without_targets_or_with_one_unknown_there_is_no_sum():
    assert sum_of_diameters([]) == Sum(None, Decimal(0))
    some = [lesion("20"), lesion(state=S.NOT_EVALUABLE), lesion("7.5")]
    assert sum_of_diameters(some) == Sum(None, Decimal("27.5"))


tenths = st.integers(1, 5000)


@given(st.lists(tenths, min_size=1, max_size=5), st.randoms())
def test_the_sum_is_exact_to_the_tenth_whatever_the_order(sizes, random):
    lesions = [lesion(f"{size // 10}.{size % 10}") for size in sizes]
    shuffled = random.sample(lesions, len(lesions))
    assert sum_of_diameters(shuffled).total == sum_of_diameters(lesions).total == Decimal(sum(sizes)) / 10
