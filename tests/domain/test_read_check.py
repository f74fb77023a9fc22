"""What keeps a read from being signed, and what is only asked about."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg.domain.lesion import (
    Measurement,
    NewLesion,
    NonTargetLesion,
    NonTargetState,
    Organ,
    Seen,
    TargetLesion,
    TargetState,
)
from trialimg.domain.read_check import judge_read, open_findings
from trialimg.domain.read_plain import from_plain, to_plain
from trialimg.domain.read_values import ImageQuality, ReadValues, carried_forward
from trialimg.domain.reading_design import ReadingDesign
from trialimg.errors import BadInput

DESIGN = ReadingDesign("1.0", 2, criteria="RECIST 1.1", slots=("CT",))
S, N = TargetState, NonTargetState
LINE = ((Decimal("10.5"), Decimal(20)), (Decimal("40.25"), Decimal(21)))


def measured(key, size, organ=Organ.LIVER, **more):
    part = Measurement(size, "1.2.3.4", 1, LINE, **more)
    return TargetLesion(key, organ, f"place of {key}", S.MEASURED, (part,))


def baseline(*targets, **more):
    targets = targets or (measured("T1", "30"), measured("T2", "20", Organ.LYMPH_NODE))
    others = (NonTargetLesion("N1", Organ.PLEURA, "left", N.PRESENT),)
    return replace(ReadValues(targets, others, Seen.NO, (), ImageQuality.GOOD), **more)


def follow_up(*, t1=None, n1=N.PRESENT, **more):
    values = carried_forward(baseline())
    targets = (t1 or measured("T1", "28"), measured("T2", "18", Organ.LYMPH_NODE))
    others = (replace(values.non_targets[0], state=n1),)
    return replace(values, targets=targets, non_targets=others, new=Seen.NO, quality=ImageQuality.GOOD, **more)


def found(values, base=None, earlier=()):
    return {(each.check_key, each.severity, each.repeat_key) for each in judge_read(DESIGN, base, earlier, values)}


def hard(key, lesion=""):
    return (key, "hard", lesion)


def soft(key, lesion=""):
    return (key, "soft", lesion)


def part(values, **changes):
    """The baseline with its first lesion's measurement changed."""
    first = values.targets[0]
    changed = replace(first, measurements=(replace(first.measurements[0], **changes),))
    return replace(values, targets=(changed, *values.targets[1:]))


def test_a_well_made_baseline_and_follow_up_have_no_finding():
    assert found(baseline()) == set()
    assert found(follow_up(), baseline()) == set()
    assert found(follow_up(), baseline(), [follow_up()]) == set()


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"diameter": "ten"}, hard("type", "T1")),
        ({"diameter": ""}, hard("type", "T1")),
        ({"diameter": "12.55"}, hard("type", "T1")),
        ({"diameter": "0"}, hard("zero", "T1")),
        ({"diameter": "500.1"}, hard("range", "T1")),
        ({"diameter": "9.9"}, hard("too_small", "T1")),
        ({"diameter": "12", "slice_thickness": Decimal(7)}, hard("too_small", "T1")),
        ({"sop_instance_uid": ""}, hard("instance", "T1")),
        ({"frame": 0}, hard("frame", "T1")),
        ({"end_points": LINE[:1]}, hard("end_points", "T1")),
    ],
)
def test_a_diameter_is_a_length_in_range_on_a_named_image(changes, finding):
    assert finding in found(part(baseline(), **changes))


@pytest.mark.parametrize("diameter", ["10", "10,0", "500"])
def test_a_diameter_at_its_limit_is_taken(diameter):
    assert found(part(baseline(), diameter=diameter)) == set()


def test_a_node_is_a_target_from_15_mm_short_axis_on():
    assert found(baseline(measured("T1", "15", Organ.LYMPH_NODE))) == set()
    assert hard("too_small", "T1") in found(baseline(measured("T1", "14.9", Organ.LYMPH_NODE)))


def test_at_most_five_targets_and_two_an_organ_are_chosen():
    organs = (Organ.LIVER, Organ.LIVER, Organ.LUNG, Organ.LUNG, Organ.SPLEEN, Organ.KIDNEY)
    lesions = [measured(f"T{at}", "20", organ) for at, organ in enumerate(organs)]
    assert found(baseline(*lesions[:5])) == set()
    assert found(baseline(*lesions)) == {hard("too_many_targets")}
    nodes = [measured(f"T{at}", "20", Organ.LYMPH_NODE) for at in range(3)]
    assert found(baseline(*nodes)) == {hard("too_many_in_organ", "T2")}
    elsewhere = [replace(measured(f"T{at}", "20", Organ.OTHER), location=f"place {at}") for at in range(3)]
    assert found(baseline(*elsewhere)) == set()


def test_a_baseline_without_targets_or_lesions_asks_for_a_reason():
    assert found(baseline(targets=())) == {soft("no_target")}
    assert found(baseline(targets=(), non_targets=())) == {soft("no_lesion")}
    assert found(baseline(measured("T1", "20", Organ.BONE))) == {soft("bone", "T1")}


@pytest.mark.parametrize("state", [S.ABSENT, S.TOO_SMALL, S.NOT_EVALUABLE, S.MERGED])
def test_at_baseline_every_target_is_measured(state):
    lesion = replace(measured("T1", "30"), state=state, measurements=(), reason="x")
    assert hard("baseline_state", "T1") in found(baseline(lesion))


def test_at_baseline_nothing_is_new_gone_or_in_parts():
    absent = (NonTargetLesion("N1", Organ.PLEURA, "left", N.ABSENT),)
    assert found(baseline(non_targets=absent)) == {hard("baseline_state", "N1")}
    assert found(baseline(new=Seen.YES)) == {hard("baseline_new")}
    lesion = measured("T1", "30")
    assert found(baseline(replace(lesion, measurements=lesion.measurements * 2))) == {hard("parts", "T1")}


def test_lesions_of_the_baseline_can_be_neither_dropped_nor_added_nor_moved():
    values = follow_up()
    assert found(replace(values, targets=values.targets[:1]), baseline()) == {hard("lesion_missing", "T2")}
    more = (*values.targets, measured("T3", "20", Organ.LUNG))
    assert found(replace(values, targets=more), baseline()) == {hard("lesion_added", "T3")}
    moved = replace(measured("T1", "28"), location="elsewhere")
    assert found(follow_up(t1=moved), baseline()) == {hard("lesion_moved", "T1")}
    assert found(replace(values, non_targets=()), baseline()) == {hard("lesion_missing", "N1")}


def test_a_follow_up_just_carried_forward_asks_for_everything():
    assert found(carried_forward(baseline()), baseline()) == {
        hard("state", "T1"), hard("state", "T2"), hard("state", "N1"), hard("new"), hard("quality"),
    }  # fmt: skip


def test_what_is_not_measured_has_no_diameter_and_what_is_not_evaluable_a_reason():
    gone = replace(measured("T1", "28"), state=S.ABSENT)
    assert found(follow_up(t1=gone), baseline()) == {hard("contradiction", "T1")}
    unseen = replace(gone, state=S.NOT_EVALUABLE, measurements=())
    assert found(follow_up(t1=unseen), baseline()) == {hard("reason", "T1"), soft("not_evaluable", "T1")}
    told = replace(unseen, reason="outside the field of view")
    assert found(follow_up(t1=told), baseline()) == {soft("not_evaluable", "T1"), soft("partly_ne")}
    assert found(follow_up(t1=replace(gone, state=S.MEASURED, measurements=())), baseline()) == {hard("diameter", "T1")}


def test_lesions_that_came_apart_or_grew_together_are_told():
    lesion = measured("T1", "15")
    assert found(follow_up(t1=replace(lesion, measurements=lesion.measurements * 2)), baseline()) == set()
    merged = replace(lesion, state=S.MERGED, measurements=())
    for into in ("", "T1", "T9"):
        assert hard("merged_into", "T1") in found(follow_up(t1=replace(merged, merged_into=into)), baseline())
    assert found(follow_up(t1=replace(merged, merged_into="T2")), baseline()) == set()
    node = measured("T2", "18", Organ.LYMPH_NODE)
    values = follow_up()
    parts = replace(values, targets=(values.targets[0], replace(node, measurements=node.measurements * 2)))
    assert hard("parts", "T2") in found(parts, baseline())


def new(certainty, uid="1.2.3.9"):
    return NewLesion("L1", Organ.BRAIN, "frontal", certainty, uid)


@pytest.mark.parametrize(
    ("answer", "lesions", "findings"),
    [
        (Seen.YES, [new(Seen.YES)], set()),
        (Seen.EQUIVOCAL, [new(Seen.EQUIVOCAL)], {soft("equivocal", "L1")}),
        (Seen.YES, [], {hard("new_contradiction")}),
        (Seen.NO, [new(Seen.YES)], {hard("new_contradiction")}),
        (Seen.EQUIVOCAL, [new(Seen.YES)], {hard("new_contradiction")}),
        (None, [new(Seen.YES)], {hard("new"), hard("new_contradiction")}),
        (Seen.YES, [new(Seen.YES, "")], {hard("instance", "L1")}),
        (Seen.NO, [new(Seen.NO)], {hard("certainty", "L1"), hard("new_contradiction")}),
    ],
)
def test_new_lesions_are_listed_one_by_one_with_their_image(answer, lesions, findings):
    assert found(replace(follow_up(), new=answer, new_lesions=tuple(lesions)), baseline()) == findings


def test_images_that_cannot_be_read_need_no_answer_but_a_word_why():
    nothing = {"state": S.NOT_EVALUABLE, "measurements": (), "reason": "motion"}
    values = replace(
        follow_up(),
        new=None,
        quality=ImageQuality.UNREADABLE,
        targets=tuple(replace(each, **nothing) for each in follow_up().targets),
        non_targets=tuple(replace(each, state=N.NOT_EVALUABLE, reason="motion") for each in follow_up().non_targets),
    )
    assert hard("comment") in found(values, baseline())
    told = replace(values, comment="motion in all series")
    assert {each for each in found(told, baseline()) if each[1] == "hard"} == set()
    assert hard("unreadable") in found(replace(follow_up(), quality=ImageQuality.UNREADABLE), baseline())


def test_doubts_are_asked_about_once_more():
    assert found(follow_up(t1=measured("T1", "15")), baseline()) == {soft("large_step", "T1")}
    assert found(follow_up(t1=measured("T1", "60")), baseline()) == {soft("large_step", "T1")}
    small = follow_up(t1=measured("T1", "16"), n1=N.PROGRESSED)
    assert found(small, baseline()) == {soft("mixed")}
    maybe = replace(follow_up(), new=Seen.EQUIVOCAL, new_lesions=(new(Seen.EQUIVOCAL),))
    sure = replace(follow_up(), new=Seen.YES, new_lesions=(new(Seen.YES),))
    assert found(sure, baseline(), [maybe]) == {soft("was_equivocal")}


def test_two_lesions_never_share_a_number_and_each_has_a_place():
    twice = baseline(measured("N1", "30"))
    assert hard("lesion_id", "N1") in found(twice)
    assert hard("location", "T1") in found(baseline(replace(measured("T1", "30"), location="")))


def test_hard_findings_always_keep_a_read_open_and_soft_ones_until_answered():
    values = baseline(measured("T1", "9", Organ.BONE))
    findings = judge_read(DESIGN, None, [], values)
    assert {each.check_key for each in open_findings(findings, [])} == {"too_small", "bone"}
    answers = [("bone", "targets", "T1"), ("too_small", "targets", "T1")]
    assert [each.check_key for each in open_findings(findings, answers)] == ["too_small"]


def test_no_finding_repeats_what_was_typed():
    typed = "Mustermann"
    values = part(baseline(), diameter=typed)
    values = replace(values, comment=typed, targets=(replace(values.targets[0], location=typed, reason=typed),))
    assert all(typed not in each.sentence for each in judge_read(DESIGN, None, [], values))


def test_values_name_every_instance_they_rest_on():
    values = replace(follow_up(), new=Seen.YES, new_lesions=(new(Seen.YES), new(Seen.YES, "")))
    assert values.instances == {"1.2.3.4", "1.2.3.9"}


def test_values_survive_being_stored():
    values = replace(follow_up(), new=Seen.YES, new_lesions=(new(Seen.YES),), comment="größer\nals zuvor")
    values = part(values, slice_thickness=Decimal("2.5"))
    assert from_plain(json.loads(json.dumps(to_plain(values)))) == values
    assert from_plain(to_plain(ReadValues())) == ReadValues() == from_plain({})


@pytest.mark.parametrize(
    "plain",
    [
        [], "x", None, {"surprise": 1}, {"targets": "T1"}, {"targets": [1]}, {"targets": [{}]},
        {"targets": [{"id": "T1", "organ": "NOSE"}]},
        {"targets": [{"id": 1, "organ": "LIVER"}]},
        {"targets": [{"id": "T1", "organ": "LIVER"}] * 101},
        {"targets": [{"id": "T1", "organ": "LIVER", "state": "bigger"}]},
        {"targets": [{"id": "T1", "organ": "LIVER", "measurements": [{"diameter": 12.5}]}]},
        {"targets": [{"id": "T1", "organ": "LIVER", "measurements": [{"frame": True}]}]},
        {"targets": [{"id": "T1", "organ": "LIVER", "measurements": [{"slice_thickness": "NaN"}]}]},
        {"targets": [{"id": "T1", "organ": "LIVER", "measurements": [{"end_points": [{"column": "x", "row": "1"}]}]}]},
        {"new_lesions": [{"id": "L1", "organ": "LIVER"}]},
        {"new": "perhaps"}, {"comment": "x" * 4001}, {"comment": "a\x00b"}, {"comment": "\ud800"}, {"quality": 3},
    ],
)  # fmt: skip
def test_a_crafted_read_is_refused_with_a_sentence_and_changes_nothing(plain):
    with pytest.raises(BadInput, match=r"cannot be taken: .*Nothing was changed"):
        from_plain(plain)


@given(st.permutations(range(5)))
def test_the_order_of_lesions_changes_no_finding(order):
    sizes = ("9", "30", "", "501", "20")
    lesions = [measured(f"T{at}", size, Organ.LUNG) for at, size in enumerate(sizes)]
    shuffled = [lesions[at] for at in order]

    def told(some):
        return {each for each in found(baseline(*some)) if each[0] != "too_many_in_organ"}

    assert told(shuffled) == told(lesions)
    assert len([each for each in found(baseline(*shuffled)) if each[0] == "too_many_in_organ"]) == 1


def test_a_design_without_criteria_asks_for_the_images_quality_only():
    plain = ReadingDesign("1.0", 0)
    assert [each.check_key for each in judge_read(plain, None, [], ReadValues())] == ["quality"]
