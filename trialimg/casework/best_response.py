"""Best overall response of a subject, reader by reader: from final reads only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from trialimg.casework.read_basis import Bench, newest, standing_signature, values_of
from trialimg.casework.reading import is_final
from trialimg.domain.read_course import best_after
from trialimg.domain.reading import ReadState
from trialimg.domain.response import Assessment, BestRule, Response
from trialimg.store.reading import Read


@dataclass(frozen=True)
class Best:
    """What one reader's final reads give: ``response`` is empty where there is none, ``sentence`` says why or on what.

    ``final`` of ``planned`` follow-up reads are final; while they differ it is the best *so far*.
    """

    response: str
    sentence: str
    final: int = 0
    planned: int = 0

    @property
    def so_far(self) -> bool:
        """Say whether reads that are not final yet may change it."""
        return bool(self.response) and self.final < self.planned


def best_of_reader(found: Bench, account_id: str) -> Best:
    """Give the best overall response by one reader, or the sentence why there is none yet."""
    mine = [row for row in found.rows.values() if row.account_id == account_id and row.state != ReadState.VOID]
    mine.sort(key=lambda row: found.reads[row.id].ordinal)
    baseline = next((row for row in mine if found.reads[row.id].ordinal == 0), None)
    later = [row for row in mine if found.reads[row.id].ordinal]
    if baseline is None or not is_final(baseline):
        return Best("", "None yet: the read of the baseline is not final.", 0, len(later))
    final = [row for row in later if is_final(row)]
    if not final:
        return Best("", "None yet: no read after the baseline is final.", 0, len(later))
    days = [found.point(row).day for row in final]
    undated = [found.point(row).label for row, day in zip(final, days, strict=True) if day is None]
    if undated:
        why = f"None: the images of {', '.join(undated)} have no date, and durations count from the baseline's."
        return Best("", why, len(final), len(later))
    seen = [
        Assessment(day or 0, Response(overall))
        for row, day in zip(final, days, strict=True)
        if (overall := _computed(row)["overall"])
    ]
    values, rule = values_of(newest(baseline)), found.design.best_rule
    response, unconfirmed = best_after(values, seen, rule), best_after(values, seen, replace(rule, confirm_days=None))
    sentence = _rests_on(found, final, later)
    if unconfirmed is not response:
        when = next(found.point(row).label for row in final if _computed(row)["overall"] == unconfirmed)
        sentence += f" {unconfirmed.value} was first seen at {when} and is not confirmed."
    return Best(response.value, sentence, len(final), len(later))


def _computed(row: Read) -> dict[str, str]:
    return dict(json.loads(standing_signature(newest(row)).computed))


def _rests_on(found: Bench, final: Sequence[Read], later: Sequence[Read]) -> str:
    labels = [found.point(row).label for row in final]
    over = labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"
    said = f"From the final reads of {over}" if len(labels) > 1 else f"From the final read of {over}"
    if len(final) < len(later):
        said += f"; {len(later) - len(final)} of {len(later)} reads after the baseline are not final, so it may change"
    return f"{said}. {rule_in_words(found.design.best_rule)}"


def rule_in_words(rule: BestRule) -> str:
    """Say what the trial asks of a best response."""
    confirmed = (
        "CR and PR need no confirmation"
        if rule.confirm_days is None
        else f"CR and PR are confirmed when they still hold after {rule.confirm_days} days"
    )
    return f"RECIST 1.1: {confirmed}; stable disease counts from day {rule.stable_days} on."
