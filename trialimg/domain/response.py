"""Response by RECIST 1.1: of target and non-target lesions, overall at a time point, and best overall.

Source: Eisenhauer et al., Eur J Cancer 45 (2009) 228-247: sections 4.3 and 4.4, tables 1 to 3; with EORTC's
correction that SD is too little shrinkage *compared with baseline*. The words are CDISC submission values.
Tumour markers, which non-target CR also asks for (4.3.3), are no part of a read of images.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Final

from trialimg.domain.lesion import NonTargetLesion, NonTargetState, Seen, TargetLesion, sum_of_diameters

LEAST_GROWTH: Final = Decimal(5)
"""mm above the nadir that progression of target lesions needs beside the 20 % (4.3.1)."""


class Response(StrEnum):
    """A response; which of them can occur depends on what is judged."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    NON_CR_NON_PD = "NON-CR/NON-PD"
    PD = "PD"
    NE = "NE"
    NED = "NED"
    NOT_APPLICABLE = "NOT APPLICABLE"


R = Response
Row = tuple[frozenset[Response], frozenset[Response], frozenset[Seen], Response]
_ANY: Final = frozenset(R)
_YES, _NOT_YES = frozenset({Seen.YES}), frozenset({Seen.NO, Seen.EQUIVOCAL})
_NONE: Final = frozenset({R.NOT_APPLICABLE})
_NON_PD: Final = frozenset({R.CR, R.NON_CR_NON_PD, R.NE, R.NOT_APPLICABLE})


def _only(*responses: Response) -> frozenset[Response]:
    return frozenset(responses)


OVERALL: Final[tuple[Row, ...]] = (
    (_ANY, _ANY, _YES, R.PD),
    (_only(R.PD), _ANY, _NOT_YES, R.PD),
    (_ANY, _only(R.PD), _NOT_YES, R.PD),
    (_only(R.NE), _NON_PD, _NOT_YES, R.NE),
    (_only(R.CR), _only(R.CR, R.NOT_APPLICABLE), _NOT_YES, R.CR),
    (_only(R.CR), _only(R.NON_CR_NON_PD, R.NE), _NOT_YES, R.PR),
    (_only(R.PR), _NON_PD, _NOT_YES, R.PR),
    (_only(R.SD), _NON_PD, _NOT_YES, R.SD),
    # table 2: no target lesion at baseline
    (_NONE, _only(R.CR), _NOT_YES, R.CR),
    (_NONE, _only(R.NON_CR_NON_PD), _NOT_YES, R.NON_CR_NON_PD),
    (_NONE, _only(R.NE), _NOT_YES, R.NE),
    # no lesion at all at baseline, which the paper leaves to protocols: CDISC's “no evidence of disease”
    (_NONE, _NONE, _NOT_YES, R.NED),
)
"""Tables 1 and 2 as (target, non-target, new lesions) → overall; the first row that fits holds.

An equivocal new lesion is no progression yet: where it is later found to be one, the *earlier* read is
reopened, since progression dates from the time point that first showed it (4.3.5).
"""


@dataclass(frozen=True)
class Reference:
    """What the subject's lesions are compared with.

    ``baseline`` and ``nadir`` (the smallest complete sum so far, baseline included) are in mm, None where
    there is none; ``cleared`` says that the subject had reached an overall CR.
    """

    baseline: Decimal | None = None
    nadir: Decimal | None = None
    cleared: bool = False


def target_response(targets: Sequence[TargetLesion], reference: Reference) -> Response:
    """Judge the target lesions against baseline (CR, PR) and nadir (PD); order does not matter.

    What was measured may be enough for PD although another lesion could not be evaluated, since that one
    cannot make the sum smaller (4.4.4). After an overall CR any target disease is progression (table 3,
    note a; a node from 10 mm on).
    """
    if not targets:
        return R.NOT_APPLICABLE
    found, nadir = sum_of_diameters(targets), reference.nadir
    if nadir is not None and found.known * 10 >= nadir * 12 and found.known - nadir >= LEAST_GROWTH:
        return R.PD
    left = [each.disease for each in targets]
    if reference.cleared and True in left:
        return R.PD
    if found.total is None or reference.baseline is None:
        return R.NE
    if True not in left:
        return R.CR
    return R.PR if found.total * 10 <= reference.baseline * 7 else R.SD


def non_target_response(lesions: Sequence[NonTargetLesion], reference: Reference) -> Response:
    """Judge the non-target lesions (4.3.3); after an overall CR one that is there again is progression."""
    if not lesions:
        return R.NOT_APPLICABLE
    states = {each.state for each in lesions}
    if NonTargetState.PROGRESSED in states or (reference.cleared and NonTargetState.PRESENT in states):
        return R.PD
    if states <= {NonTargetState.ABSENT, NonTargetState.PRESENT}:
        return R.NON_CR_NON_PD if NonTargetState.PRESENT in states else R.CR
    return R.NE


def overall_response(target: Response, non_target: Response, new: Seen) -> Response:
    """Look up tables 1 and 2; what no table knows (a target response of NED, say) is NE."""
    for targets, non_targets, news, overall in OVERALL:
        if target in targets and non_target in non_targets and new in news:
            return overall
    return R.NE


@dataclass(frozen=True)
class Change:
    """How far a sum lies from another: in mm, and in % with one decimal (None where the other is 0).

    The percentage is cut, not rounded, so that none is shown as reaching a threshold it did not reach.
    """

    mm: Decimal
    percent: Decimal | None

    @classmethod
    def between(cls, now: Decimal | None, before: Decimal | None) -> Change | None:
        """Compare two sums; None where one of them is not known."""
        if now is None or before is None:
            return None
        percent = ((now - before) * 100 / before).quantize(Decimal("0.1"), ROUND_DOWN) if before else None
        return cls(now - before, percent)


@dataclass(frozen=True)
class Assessment:
    """The overall response of a time point; ``day`` counts from baseline."""

    day: int
    overall: Response


@dataclass(frozen=True)
class BestRule:
    """What the protocol says of best overall response (4.4.2, 4.5, 4.6).

    ``confirm_days`` is how long after its first sight a CR or PR must still hold, None where none needs to
    be confirmed; ``stable_days`` how long after baseline SD must be seen. ``stable`` is the word for it:
    SD, or NON-CR/NON-PD where there was no target lesion, NED where there was no lesion.
    """

    confirm_days: int | None
    stable_days: int
    stable: Response = R.SD


def best_overall_response(assessments: Iterable[Assessment], rule: BestRule) -> Response:
    """Give the best response until progression, by table 3 where confirmation is required.

    After a CR any disease is progression, as note a of table 3 says: where it may have been a PR all along,
    its read is reopened and corrected, which no computer does. An NE between two time points that confirm
    each other does no harm (4.4.4).
    """
    course = _until_progression(sorted(assessments, key=lambda each: each.day))
    for wanted, enough in ((R.CR, {R.CR}), (R.PR, {R.CR, R.PR})):
        if _reached(course, wanted, enough, rule.confirm_days):
            return wanted
    if _stable(course, rule):
        return rule.stable
    return R.PD if course and course[-1].overall is R.PD else R.NE


def _until_progression(course: list[Assessment]) -> list[Assessment]:
    found: list[Assessment] = []
    for each in course:
        cleared = any(earlier.overall is R.CR for earlier in found)
        progressed = each.overall is R.PD or (cleared and each.overall not in {R.CR, R.NE})
        found.append(Assessment(each.day, R.PD if progressed else each.overall))
        if progressed:
            break
    return found


def _reached(course: list[Assessment], wanted: Response, enough: set[Response], days: int | None) -> bool:
    for at, first in enumerate(course):
        if first.overall is wanted and days is None:
            return True
        if first.overall not in enough:
            continue
        for later in course[at + 1 :]:
            if later.overall not in {*enough, R.NE}:
                break
            if later.overall in enough and days is not None and later.day - first.day >= days:
                return True
    return False


def _stable(course: list[Assessment], rule: BestRule) -> bool:
    known = [each for each in course if each.overall not in {R.NE, R.PD}]
    if any(each.day >= rule.stable_days for each in known):
        return True
    # table 3, row PR and SD: unlike its other rows it asks for no minimum duration
    return any(first.overall is R.PR and second.overall is rule.stable for first, second in pairwise(known))
