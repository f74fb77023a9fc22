"""RECIST 1.1: every row of the paper's tables as a literal, and the thresholds to the tenth of a millimetre."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg.domain.lesion import (
    Measurement,
    NonTargetLesion,
    NonTargetState,
    Organ,
    Seen,
    TargetLesion,
    TargetState,
)
from trialimg.domain.read_course import best_after, computed, course
from trialimg.domain.read_values import ReadValues
from trialimg.domain.response import (
    OVERALL,
    Assessment,
    BestRule,
    Change,
    Reference,
    Response,
    best_overall_response,
    non_target_response,
    overall_response,
    target_response,
)

CR, PR, SD, PD, NE, NED, NA = (
    Response.CR, Response.PR, Response.SD, Response.PD, Response.NE, Response.NED, Response.NOT_APPLICABLE,
)  # fmt: skip
NON = Response.NON_CR_NON_PD
NO, MAYBE, YES = Seen.NO, Seen.EQUIVOCAL, Seen.YES
N = NonTargetState


def target(size, organ=Organ.LIVER, key="T1"):
    """One lesion from a diameter, or from a word for its state."""
    words = {"absent": TargetState.ABSENT, "small": TargetState.TOO_SMALL, "NE": TargetState.NOT_EVALUABLE}
    if size in words:
        return TargetLesion(key, organ, "x", words[size])
    return TargetLesion(key, organ, "x", TargetState.MEASURED, (Measurement(size, "1.2.3"),))


def targets(*sizes, organ=Organ.LIVER):
    return [target(size, organ, f"T{at}") for at, size in enumerate(sizes, 1)]


def others(*states):
    return [NonTargetLesion(f"N{at}", Organ.PLEURA, "x", state) for at, state in enumerate(states, 1)]


def against(baseline, nadir=None, *, cleared=False):
    return Reference(Decimal(baseline), Decimal(nadir or baseline), cleared)


# Table 1 of the paper, row by row; “any” is written out.
TABLE_1 = [
    *[(CR, CR, NO, CR)],
    *[(CR, NON, NO, PR)],
    *[(CR, NE, NO, PR)],
    *[(PR, each, NO, PR) for each in (CR, NON, NE)],
    *[(SD, each, NO, SD) for each in (CR, NON, NE)],
    *[(NE, each, NO, NE) for each in (CR, NON, NE)],
    *[(PD, each, new, PD) for each in (CR, NON, NE, PD) for new in (YES, NO)],
    *[(each, PD, new, PD) for each in (CR, PR, SD, NE, PD) for new in (YES, NO)],
    *[(each, other, YES, PD) for each in (CR, PR, SD, NE, PD) for other in (CR, NON, NE, PD)],
]  # fmt: skip

# The same table where there is no non-target disease.
TABLE_1_TARGETS_ONLY = [
    *[(CR, NA, NO, CR), (PR, NA, NO, PR), (SD, NA, NO, SD), (NE, NA, NO, NE), (PD, NA, NO, PD)],
    *[(each, NA, YES, PD) for each in (CR, PR, SD, NE, PD)],
]

# Table 2: non-target disease only.
TABLE_2 = [
    (NA, CR, NO, CR),
    (NA, NON, NO, NON),
    (NA, NE, NO, NE),
    (NA, PD, YES, PD),
    (NA, PD, NO, PD),
    *[(NA, each, YES, PD) for each in (CR, NON, NE)],
]

NO_DISEASE = [(NA, NA, NO, NED), (NA, NA, YES, PD)]
ALL_ROWS = TABLE_1 + TABLE_1_TARGETS_ONLY + TABLE_2 + NO_DISEASE


@pytest.mark.parametrize(("target", "non_target", "new", "overall"), ALL_ROWS)
def test_the_overall_response_is_the_one_of_the_papers_tables(target, non_target, new, overall):
    assert overall_response(target, non_target, new) is overall


@pytest.mark.parametrize(("target", "non_target", "new", "overall"), [r for r in ALL_ROWS if r[2] is NO])
def test_an_equivocal_new_lesion_is_no_progression_yet(target, non_target, new, overall):
    assert new is NO
    assert overall_response(target, non_target, MAYBE) is overall


def test_the_vectors_leave_no_cell_out_and_the_house_table_has_no_idle_row():
    cells = set(product((CR, PR, SD, NE, PD, NA), (CR, NON, NE, PD, NA), (NO, YES)))
    assert {row[:3] for row in ALL_ROWS} == cells
    hit = set()
    for here in product((CR, PR, SD, NE, PD, NA), (CR, NON, NE, PD, NA), (NO, YES)):
        hit.add(next(at for at, row in enumerate(OVERALL) if all(x in y for x, y in zip(here, row, strict=False))))
    assert hit == set(range(len(OVERALL)))
    assert overall_response(NED, SD, NO) is NE


@pytest.mark.parametrize(
    ("baseline", "nadir", "now", "response"),
    [
        ("100", "100", "70", PR),  # exactly 30 % less than baseline
        ("100", "100", "70.1", SD),
        ("100", "100", "69.9", PR),
        ("33.3", "33.3", "23.3", PR),  # 30 % of 33.3 is 9.99: 23.31 is the line
        ("33.3", "33.3", "23.4", SD),
        ("100", "100", "120", PD),  # exactly 20 % and 20 mm more than nadir
        ("100", "100", "119.9", SD),
        ("100", "50", "60", PD),  # less than baseline, more than nadir: progression goes first
        ("100", "50", "59.9", PR),
        ("25", "25", "30", PD),  # exactly 20 % and exactly 5 mm
        ("24.9", "24.9", "29.9", PD),  # exactly 5 mm, a little over 20 %
        ("25.1", "25.1", "30.1", SD),  # exactly 5 mm, a little under 20 %
        ("20", "20", "24.9", SD),  # 24.5 % but 4.9 mm
        ("20", "20", "24", SD),  # 20 % but 4 mm
        ("20", "20", "25", PD),
        ("30", "10", "14.9", PR),  # 49 % above nadir but 4.9 mm, and still 30 % under baseline
        ("30", "10", "15", PD),
        ("0.3", "0.1", "5.1", PD),  # 5.1 - 0.1 is 5 exactly, as it is not in binary floating point
        ("100", "100", "100", SD),
    ],
)  # fmt: skip
def test_a_threshold_is_met_at_its_exact_value_and_not_a_tenth_before(baseline, nadir, now, response):
    assert target_response(targets(now), against(baseline, nadir)) is response


@pytest.mark.parametrize(
    ("lesions", "reference", "response"),
    [
        ([], against("50"), NA),
        (targets("absent", "absent"), against("50"), CR),
        (targets("9.9", "8", organ=Organ.LYMPH_NODE), against("50"), CR),  # CR with a sum of 17.9 mm
        (targets("10", organ=Organ.LYMPH_NODE), against("50"), PR),
        (targets("small", organ=Organ.LYMPH_NODE), against("50"), CR),
        (targets("absent", "small"), against("50"), PR),
        (targets("NE", "20"), against("50"), NE),
        (targets("NE", "absent"), against("50"), NE),
        (targets("40", "40", "NE"), against("50"), PD),  # the paper's own example in 4.4.4
        (targets("NE", "59.9"), against("50"), NE),
        (targets("4.9"), against("50", "0"), PR),  # gone, and back while other disease was left: its size counts
        (targets("small"), against("50", "0"), PD),
        (targets("small", "5"), against("50", "5"), PD),
    ],
)  # fmt: skip
def test_target_lesions_are_judged_by_their_states(lesions, reference, response):
    assert target_response(lesions, reference) is response


@pytest.mark.parametrize(
    ("lesions", "response"),
    [
        (targets("small"), PD),
        (targets("3"), PD),
        (targets("absent"), CR),
        (targets("NE"), NE),
        (targets("10", organ=Organ.LYMPH_NODE), PD),
        (targets("9.9", organ=Organ.LYMPH_NODE), CR),
    ],
)
def test_after_a_complete_response_any_target_disease_is_progression(lesions, response):
    assert target_response(lesions, against("50", "9", cleared=True)) is response


@pytest.mark.parametrize(
    ("states", "cleared", "response"),
    [
        ([], False, NA),
        ([N.ABSENT, N.ABSENT], False, CR),
        ([N.ABSENT, N.PRESENT], False, NON),
        ([N.PRESENT, N.PROGRESSED], False, PD),
        ([N.NOT_EVALUABLE, N.PROGRESSED], False, PD),
        ([N.NOT_EVALUABLE, N.ABSENT], False, NE),
        ([N.NOT_EVALUABLE, N.PRESENT], False, NE),
        ([None, N.ABSENT], False, NE),
        ([N.ABSENT, N.PRESENT], True, PD),
        ([N.ABSENT], True, CR),
        ([N.NOT_EVALUABLE], True, NE),
    ],
)
def test_non_target_lesions_are_judged_by_their_states(states, cleared, response):
    assert non_target_response(others(*states), against("50", cleared=cleared)) is response


CONFIRMED, FREELY = BestRule(28, 42), BestRule(None, 42)

# Table 3 of the paper: (first, subsequent) → best where the minimum duration of SD was met, and where not.
# CR then PR: “SD, PD or PR”; the PR is for a person who reopens the first read (note a).
TABLE_3 = [
    (CR, CR, CR, CR),
    (CR, PR, SD, PD),
    (CR, SD, SD, PD),
    (CR, PD, SD, PD),
    (CR, NE, SD, NE),
    (PR, CR, PR, PR),
    (PR, PR, PR, PR),
    (PR, SD, SD, SD),
    (PR, PD, SD, PD),
    (PR, NE, SD, NE),
    (NE, NE, NE, NE),
]


@pytest.mark.parametrize(("first", "second", "met", "unmet"), TABLE_3)
def test_the_best_response_with_confirmation_is_the_one_of_table_3(first, second, met, unmet):
    assert best_overall_response([Assessment(56, first), Assessment(112, second)], CONFIRMED) is met
    late = BestRule(28, 200)
    assert best_overall_response([Assessment(56, first), Assessment(112, second)], late) is unmet


@pytest.mark.parametrize(
    ("responses", "rule", "best"),
    [
        ([SD, PR, SD, PD], FREELY, PR),
        ([SD, SD, CR, PD], FREELY, CR),
        ([SD, PD, CR], FREELY, SD),  # nothing after progression counts
        ([PD], FREELY, PD),
        ([], FREELY, NE),
        ([NE, NE], FREELY, NE),
        ([NE, PD], FREELY, PD),
        ([PR, NE, PR], CONFIRMED, PR),  # the paper's own example in 4.4.4
        ([PR, NE, CR], CONFIRMED, PR),
        ([CR, NE, CR], CONFIRMED, CR),
        ([PR, CR, CR], CONFIRMED, CR),
        ([PR, SD, PR], CONFIRMED, SD),
        ([PR, SD, PR, PR], CONFIRMED, PR),
        ([SD, PR], CONFIRMED, SD),
        ([SD, SD], FREELY, SD),
        ([CR, NON], CONFIRMED, SD),
    ],
)
def test_the_best_response_is_taken_over_the_whole_course(responses, rule, best):
    course_ = [Assessment(56 * at, each) for at, each in enumerate(responses, 1)]
    assert best_overall_response(course_, rule) is best
    assert best_overall_response(reversed(course_), rule) is best


def test_a_response_confirmed_too_early_is_confirmed_by_a_third_time_point():
    quick = [Assessment(50, PR), Assessment(60, PR)]
    assert best_overall_response(quick, CONFIRMED) is SD
    assert best_overall_response([*quick, Assessment(78, PR)], CONFIRMED) is PR
    assert best_overall_response([*quick, Assessment(77, PR)], CONFIRMED) is SD


def test_stable_disease_must_have_lasted():
    assert best_overall_response([Assessment(41, SD), Assessment(90, PD)], FREELY) is PD
    assert best_overall_response([Assessment(41, SD)], FREELY) is NE
    assert best_overall_response([Assessment(42, SD), Assessment(90, PD)], FREELY) is SD


def test_a_change_never_shows_a_threshold_it_did_not_reach():
    assert Change.between(Decimal("119.99"), Decimal(100)) == Change(Decimal("19.99"), Decimal("19.9"))
    assert Change.between(Decimal("70.01"), Decimal(100)) == Change(Decimal("-29.99"), Decimal("-29.9"))
    assert Change.between(Decimal(5), Decimal(0)) == Change(Decimal(5), None)
    assert Change.between(None, Decimal(5)) is None
    assert Change.between(Decimal(5), None) is None


def read(*sizes, new=NO, non_targets=()):
    return ReadValues(tuple(targets(*sizes)), tuple(others(*non_targets)), new)


def best_of(baseline, days, found, rule):
    seen = [Assessment(day, each.overall) for day, each in zip(days, found, strict=True) if each.overall]
    return best_after(baseline, seen, rule)


def test_a_course_is_followed_from_baseline_over_nadir_to_progression():
    found = course(read("60", "40"), [read("50", "40"), read("30", "30"), read("30", "41.9"), read("30", "42")])
    assert [each.total for each in found] == [Decimal(mm) for mm in ("100", "90", "60", "71.9", "72")]
    assert [each.nadir for each in found] == [None, Decimal(100), Decimal(90), Decimal(60), Decimal(60)]
    assert [each.overall for each in found] == [None, SD, PR, SD, PD]
    assert found[2].from_baseline == Change(Decimal(-40), Decimal(-40))
    assert found[4].from_nadir == Change(Decimal(12), Decimal(20))
    assert best_of(read("60", "40"), [0, 56, 112, 168, 224], found, CONFIRMED) is SD
    assert best_of(read("60", "40"), [0, 56, 112, 168, 224], found, FREELY) is PR


def test_a_sum_with_a_lesion_missing_is_no_nadir():
    found = course(read("60", "40"), [read("20", "NE"), read("60", "40")])
    assert [each.nadir for each in found] == [None, Decimal(100), Decimal(100)]
    assert [each.overall for each in found] == [None, NE, SD]


def test_what_comes_back_after_an_overall_complete_response_is_progression():
    gone = read("absent", non_targets=[N.ABSENT])
    found = course(read("30", non_targets=[N.PRESENT]), [gone, read("3", non_targets=[N.ABSENT])])
    assert [each.overall for each in found] == [None, CR, PD]
    found = course(read("30", non_targets=[N.PRESENT]), [gone, read("absent", non_targets=[N.PRESENT])])
    assert [each.overall for each in found] == [None, CR, PD]
    partly = read("absent", non_targets=[N.PRESENT])
    found = course(read("30", non_targets=[N.PRESENT]), [partly, read("3", non_targets=[N.PRESENT])])
    assert [each.overall for each in found] == [None, PR, PR]


def test_at_baseline_there_is_a_sum_and_no_response():
    found = computed(None, [], read("60", "40"))
    assert (found.total, found.overall, found.nadir) == (Decimal(100), None, None)
    assert computed(read("60"), [read("40")], read("50")) == course(read("60"), [read("40"), read("50")])[-1]


def test_the_word_for_stable_disease_follows_what_there_was_at_baseline():
    base = read(non_targets=[N.PRESENT])
    assert best_of(base, [0, 56], course(base, [base]), FREELY) is NON
    assert best_of(read(), [0, 56], course(read(), [read()]), FREELY) is NED


sizes = st.integers(0, 2000).map(lambda tenth: f"{tenth // 10}.{tenth % 10}")
reads = st.lists(st.tuples(sizes, sizes, sizes), min_size=1, max_size=6)


@given(reads)
def test_the_nadir_never_rises_and_is_the_smallest_sum_before(sums):
    found = course(read(*sums[0]), [read(*each) for each in sums[1:]])
    nadirs = [each.nadir for each in found[1:]]
    assert nadirs == sorted(nadirs, reverse=True)
    assert all(each.nadir == min(past.total for past in found[:at]) for at, each in enumerate(found) if at)


@given(reads, st.permutations([0, 1, 2]))
def test_the_order_of_lesions_changes_nothing(sums, order):
    def all_reads(places):
        return [read(*(each[place] for place in places)) for each in sums]

    first, shuffled = all_reads([0, 1, 2]), all_reads(order)
    assert course(first[0], first[1:]) == course(shuffled[0], shuffled[1:])


@given(reads)
def test_growth_never_makes_a_response_better(sums):
    rank = [CR, PR, SD, PD]
    reference = Reference(Decimal(100), Decimal(60))
    now = target_response(targets(*sums[0]), reference)
    more = target_response([*targets(*sums[0]), target("7.3")], reference)
    assert rank.index(more) >= rank.index(now)


@given(st.lists(st.sampled_from([CR, PR, SD, PD, NE]), max_size=6))
def test_asking_for_confirmation_never_makes_the_best_response_better(responses):
    rank = [CR, PR, SD, PD, NE]
    course_ = [Assessment(56 * at, each) for at, each in enumerate(responses, 1)]
    strict, free = best_overall_response(course_, CONFIRMED), best_overall_response(course_, FREELY)
    assert rank.index(strict) >= rank.index(free)
