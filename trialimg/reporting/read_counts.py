"""How the reads of a trial stand, time point by time point: states only, never a value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, func, select

from trialimg.domain.reading import ReadState
from trialimg.domain.reading_design import ReadingDesign
from trialimg.domain.trial import TrialDefinition
from trialimg.store.base import db
from trialimg.store.reading import Read
from trialimg.store.subject import Subject, Visit

SHOWN: Final = (ReadState.OPEN, ReadState.DRAFT, ReadState.REOPENED, ReadState.SIGNED, ReadState.BASIS_CHANGED)
"""The states that are counted, in the order of the work; a void read counts nowhere."""


@dataclass(frozen=True)
class ReadCount:
    """The reads of one time point. ``expected``: readers by design, for each subject whose images are expected."""

    key: str
    title: str
    expected: int
    by_state: Mapping[str, int]

    @property
    def made(self) -> int:
        """Count the reads that are assigned, whatever their state."""
        return sum(self.by_state.values())

    @property
    def waiting(self) -> int:
        """Count the expected reads that are not assigned yet: images or a reader are lacking."""
        return max(0, self.expected - self.made)


def readers_by_design(versions: Mapping[str, TrialDefinition]) -> dict[str, tuple[int, frozenset[str]]]:
    """Give for each version of the definition how many read a time point, and the slots that are read."""
    designs = {key: ReadingDesign.of(rules) for key, rules in versions.items()}
    return {key: (design.readers, frozenset(design.slots)) for key, design in designs.items()}


def read_counts(
    mine: ColumnElement[bool], expected: Mapping[str, int], versions: Iterable[TrialDefinition]
) -> tuple[ReadCount, ...]:
    """Give the counts of every time point that has or expects reads; ``expected`` is by the visit's key."""
    wanted = (
        select(Visit.definition_key, Read.state, func.count())
        .join(Read, Read.visit_id == Visit.id)
        .join(Subject, Subject.id == Read.subject_id)
        .where(mine, Read.state != ReadState.VOID.value)
        .group_by(Visit.definition_key, Read.state)
    )
    states: dict[str, dict[str, int]] = defaultdict(dict)
    for key, state, count in db.session.execute(wanted):
        states[key][state] = count
    titles: dict[str, str] = {}
    for rules in versions:
        for visit in rules.visits:
            titles.setdefault(visit.key, visit.title)
    return tuple(
        ReadCount(key, title, expected.get(key, 0), {state.value: states[key].get(state.value, 0) for state in SHOWN})
        for key, title in titles.items()
        if expected.get(key) or key in states
    )
