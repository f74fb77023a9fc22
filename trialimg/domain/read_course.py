"""What follows from the values of one reader's reads of one subject: sums, changes, responses over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trialimg.domain.lesion import Seen, sum_of_diameters
from trialimg.domain.read_values import ReadValues
from trialimg.domain.response import (
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


@dataclass(frozen=True)
class Computed:
    """What follows from the values; sums and changes in mm, None where they cannot be known.

    ``nadir`` is the smallest sum *before* this time point, baseline included: what growth is measured from.
    At baseline there is a sum and nothing else.
    """

    total: Decimal | None
    baseline: Decimal | None = None
    nadir: Decimal | None = None
    from_baseline: Change | None = None
    from_nadir: Change | None = None
    target: Response | None = None
    non_target: Response | None = None
    overall: Response | None = None


def computed(baseline: ReadValues | None, earlier: Sequence[ReadValues], values: ReadValues) -> Computed:
    """Compute one time point; ``earlier`` are those between baseline and it, in order, without baseline.

    Without ``baseline`` the values are the baseline's own.
    """
    if baseline is None:
        return Computed(sum_of_diameters(values.targets).total)
    return course(baseline, [*earlier, values])[-1]


def course(baseline: ReadValues, follow_ups: Sequence[ReadValues]) -> list[Computed]:
    """Compute all time points of one subject by one reader: the baseline, then the others in their order."""
    first = sum_of_diameters(baseline.targets).total
    found = [Computed(first)]
    reference = Reference(first, first)
    for values in follow_ups:
        now = _at(values, reference)
        found.append(now)
        sums = [each for each in (reference.nadir, now.total) if each is not None]
        cleared = reference.cleared or now.overall is Response.CR
        reference = Reference(first, min(sums, default=None), cleared)
    return found


def _at(values: ReadValues, reference: Reference) -> Computed:
    total = sum_of_diameters(values.targets).total
    target = target_response(values.targets, reference)
    non_target = non_target_response(values.non_targets, reference)
    return Computed(
        total,
        reference.baseline,
        reference.nadir,
        Change.between(total, reference.baseline),
        Change.between(total, reference.nadir),
        target,
        non_target,
        overall_response(target, non_target, values.new or Seen.NO),
    )


def best_after(baseline: ReadValues, assessments: Iterable[Assessment], rule: BestRule) -> Response:
    """Give the best of the overall responses after a baseline, which decides the word for stable disease."""
    stable = Response.SD if baseline.targets else Response.NON_CR_NON_PD
    if not baseline.targets and not baseline.non_targets:
        stable = Response.NED
    return best_overall_response(assessments, replace(rule, stable=stable))
