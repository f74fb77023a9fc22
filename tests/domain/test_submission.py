"""One test per cell of the table, and the account that must balance."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from trialimg.domain.submission import (
    DELAYS,
    ENDED,
    FINAL_FATES,
    NEEDS_ORIGINAL,
    OPEN_ENDED,
    RESUME,
    TABLE,
    TO_CLEAN,
    Fate,
    Outcome,
    Stage,
    Step,
    advance,
    delay,
    equation,
    release,
)
from trialimg.errors import ImpossibleStep


@pytest.mark.parametrize("cell", TABLE.items(), ids=lambda c: f"{c[0][0].value}: {c[0][1].value}")
def test_what_is_in_the_table_happens(cell: tuple[tuple[Stage, Outcome], tuple[Stage, Step | None]]) -> None:
    (stage, outcome), following = cell
    assert advance(stage, outcome) == following


@pytest.mark.parametrize(
    ("stage", "outcome"), [pair for pair in itertools.product(Stage, Outcome) if pair not in TABLE]
)
def test_what_is_not_in_the_table_raises(stage: Stage, outcome: Outcome) -> None:
    with pytest.raises(ImpossibleStep, match=stage.value):
        advance(stage, outcome)


def test_a_stage_is_carried_on_by_a_job_waits_for_a_person_or_is_at_its_end() -> None:
    passing = {Stage.VERIFIED}  # left in the same transaction
    kinds = [set(RESUME), set(OPEN_ENDED), set(ENDED) | {Stage.LINKED}, passing]
    assert set().union(*kinds) == set(Stage)
    assert sum(map(len, kinds)) == len(Stage)


def test_the_job_of_a_row_is_the_one_that_carries_its_stage_on() -> None:
    for following, step in TABLE.values():
        if step is not None:
            assert RESUME[following] is step


def test_every_stage_under_way_can_be_held_and_cancelled_by_a_person() -> None:
    for stage in RESUME:
        assert advance(stage, Outcome.HOLD) == (Stage.HELD, None)
        assert advance(stage, Outcome.CANCELLED) == (Stage.CANCELLED, None)


def test_an_ended_submission_never_moves_again() -> None:
    assert not [stage for stage, _ in TABLE if stage in ENDED]


def test_linked_is_reached_only_by_way_of_the_proof() -> None:
    ways = [pair for pair, (following, _) in TABLE.items() if following is Stage.LINKED]
    assert ways == [(Stage.VERIFIED, Outcome.LINKED)]
    assert [pair for pair, (following, _) in TABLE.items() if following is Stage.VERIFIED] == [
        (Stage.SENT, Outcome.PROVED)
    ]


@pytest.mark.parametrize("stage", Stage)
def test_held_work_goes_on_exactly_where_it_was_held(stage: Stage) -> None:
    if stage in RESUME:
        assert release(stage) == (stage, RESUME[stage])
    else:
        with pytest.raises(ImpossibleStep):
            release(stage)


def balance(announced: int = 3, **given: Any) -> str | None:
    told: dict[str, Any] = {
        "fates": [Fate.SENT, Fate.SENT, Fate.HELD],
        "expected": {"1": "a", "2": "b"},
        "present": {"1": "a", "2": "b", "3": "of an earlier submission"},
    }
    told.update(given)
    return equation(announced, told["fates"], told["expected"], told["present"]).fault()


def test_an_account_that_balances_has_no_fault() -> None:
    assert balance() is None


def test_an_announced_object_without_an_outcome_blocks_the_link() -> None:
    assert balance(4) == "4 objects were announced and 3 have an outcome."


@pytest.mark.parametrize("fate", [fate for fate in Fate if fate not in FINAL_FATES])
def test_an_object_on_its_way_blocks_the_link(fate: Fate) -> None:
    assert f"1 {fate.value}" in str(balance(fates=[Fate.SENT, Fate.SENT, fate]))


def test_a_submission_of_which_nothing_was_sent_is_not_linked() -> None:
    assert "Nothing of it was sent" in str(balance(fates=[Fate.HELD] * 3))


def test_an_instance_the_archive_lacks_blocks_the_link() -> None:
    assert "lacks 1" in str(balance(present={"1": "a"}))


def test_an_instance_with_other_content_blocks_the_link_even_if_another_is_missing() -> None:
    assert "other content" in str(balance(present={"1": "x"}))


def test_delays_grow_to_a_cap_and_are_spread_by_at_most_a_fifth() -> None:
    plain = [delay(attempt, 0) for attempt in range(1, len(DELAYS) + 5)]
    assert plain == sorted(plain)
    assert plain[-1] == plain[-2] == DELAYS[-1]
    assert all(delay(n, 0) <= delay(n, 0.999) <= delay(n, 0) * 1.2 for n in range(1, 20))


def test_a_wait_before_the_first_attempt_is_the_shortest() -> None:
    assert delay(0, 0) == delay(1, 0) == DELAYS[0]


def test_originals_are_kept_exactly_while_somebody_may_need_them() -> None:
    assert TO_CLEAN < NEEDS_ORIGINAL
    assert not NEEDS_ORIGINAL & {Fate.SENT, Fate.DISCARDED, Fate.REFUSED, Fate.LEFT_OUT, Fate.WITHDRAWN}
