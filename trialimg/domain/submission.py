"""The life of a submission: a table of (stage, outcome) → (stage, next job), and what is not in it raises.

Reading order: the words, the table, the three functions. ``docs/pipeline.md`` is printed from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trialimg.errors import ImpossibleStep


class Stage(StrEnum):
    """Where a submission stands."""

    RECEIVING = "receiving"
    RECEIVED = "received"
    SURVEYED = "surveyed"
    CONFIRMED = "confirmed"
    CLEAN = "clean"
    PROMISED = "promised"
    SENT = "sent"
    VERIFIED = "verified"
    LINKED = "linked"
    HELD = "held"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"


class Step(StrEnum):
    """A job of the pipeline."""

    SURVEY = "survey"
    DEIDENTIFY = "deidentify"
    OUTBOX = "outbox"
    PUSH = "push"
    VERIFY = "verify"
    FORGET = "forget"
    LOOK = "look"


class Outcome(StrEnum):
    """What happened to a submission."""

    ANNOUNCED = "all objects announced were received"
    SURVEYED = "the objects were read and summed up"
    NOTHING_USABLE = "nothing in it can be taken"
    CONFIRMED = "a person confirmed what goes where"
    CLEANED = "the instances are clean"
    NOTHING_CLEAN = "every instance waits for a person"
    SPOOLED = "the clean bytes are safe on disk"
    PUSHED = "the archive was given what it lacked"
    INCOMPLETE = "the archive does not have it all"
    PROVED = "the archive has every instance, equal by hash"
    LINKED = "the study stands in the case record"
    HOLD = "a person must look"
    RELEASED = "a person let it go on"
    CANCELLED = "a person cancelled it"
    DECIDED = "a person decided on held instances"
    WITHDRAWN = "the study was withdrawn"


S, O = Stage, Outcome  # noqa: E741 (the table reads better with short names)

TABLE: Final[dict[tuple[Stage, Outcome], tuple[Stage, Step | None]]] = {
    (S.RECEIVING, O.ANNOUNCED): (S.RECEIVED, Step.SURVEY),
    (S.RECEIVING, O.CANCELLED): (S.CANCELLED, None),
    (S.RECEIVED, O.SURVEYED): (S.SURVEYED, None),
    (S.RECEIVED, O.NOTHING_USABLE): (S.REFUSED, None),
    (S.RECEIVED, O.HOLD): (S.HELD, None),
    (S.RECEIVED, O.CANCELLED): (S.CANCELLED, None),
    (S.SURVEYED, O.CONFIRMED): (S.CONFIRMED, Step.DEIDENTIFY),
    (S.SURVEYED, O.CANCELLED): (S.CANCELLED, None),
    (S.CONFIRMED, O.CLEANED): (S.CLEAN, Step.OUTBOX),
    (S.CONFIRMED, O.NOTHING_CLEAN): (S.HELD, None),
    (S.CONFIRMED, O.NOTHING_USABLE): (S.REFUSED, None),
    (S.CONFIRMED, O.HOLD): (S.HELD, None),
    (S.CONFIRMED, O.CANCELLED): (S.CANCELLED, None),
    (S.CLEAN, O.SPOOLED): (S.PROMISED, Step.PUSH),
    (S.CLEAN, O.HOLD): (S.HELD, None),
    (S.CLEAN, O.CANCELLED): (S.CANCELLED, None),
    (S.PROMISED, O.PUSHED): (S.SENT, Step.VERIFY),
    (S.PROMISED, O.HOLD): (S.HELD, None),
    (S.PROMISED, O.CANCELLED): (S.CANCELLED, None),
    (S.SENT, O.PROVED): (S.VERIFIED, None),
    (S.SENT, O.INCOMPLETE): (S.PROMISED, Step.PUSH),
    (S.SENT, O.HOLD): (S.HELD, None),
    (S.SENT, O.CANCELLED): (S.CANCELLED, None),
    (S.VERIFIED, O.LINKED): (S.LINKED, None),
    (S.LINKED, O.DECIDED): (S.CONFIRMED, Step.DEIDENTIFY),
    (S.LINKED, O.WITHDRAWN): (S.WITHDRAWN, None),
    (S.HELD, O.DECIDED): (S.CONFIRMED, Step.DEIDENTIFY),
    (S.HELD, O.CANCELLED): (S.CANCELLED, None),
    (S.HELD, O.WITHDRAWN): (S.WITHDRAWN, None),
}
"""Released from HELD goes back to where it was held: see :func:`release`."""

RESUME: Final[dict[Stage, Step]] = {
    S.RECEIVED: Step.SURVEY,
    S.CONFIRMED: Step.DEIDENTIFY,
    S.CLEAN: Step.OUTBOX,
    S.PROMISED: Step.PUSH,
    S.SENT: Step.VERIFY,
}
"""The step that carries a stage on; a stage without one waits for a person or is at its end."""

BESIDE: Final = frozenset({Step.LOOK.value})
"""Steps that run beside the stages: they carry no submission on, and hold none up."""

ENDED: Final = frozenset({S.REFUSED, S.CANCELLED, S.WITHDRAWN})
OPEN_ENDED: Final = frozenset({S.RECEIVING, S.SURVEYED, S.HELD})
"""Stages that wait for a person."""


def advance(stage: Stage, outcome: Outcome) -> tuple[Stage, Step | None]:
    """Give the stage and job that follow; raises :class:`ImpossibleStep` for what is not in the table."""
    try:
        return TABLE[stage, outcome]
    except KeyError:
        raise ImpossibleStep(
            f"These images are {stage.value}; “{outcome.value}” cannot happen to them now. Load the page again."
        ) from None


def release(held_from: Stage) -> tuple[Stage, Step]:
    """Give where a held submission goes on; raises :class:`ImpossibleStep` where it was not under way."""
    if held_from not in RESUME:
        raise ImpossibleStep(f"Work held while {held_from.value} cannot go on by itself; decide on its images.")
    return held_from, RESUME[held_from]


class Fate(StrEnum):
    """What became of one object of a submission (the sets of the equation are disjoint)."""

    RECEIVED = "received"
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    LEFT_OUT = "left out"
    HELD = "held"
    RELEASED = "released"
    CLEAN = "clean"
    SENT = "sent"
    DISCARDED = "discarded"
    WITHDRAWN = "withdrawn"


FINAL_FATES: Final = frozenset(
    {Fate.REFUSED, Fate.DUPLICATE, Fate.LEFT_OUT, Fate.HELD, Fate.SENT, Fate.DISCARDED, Fate.WITHDRAWN}
)
"""Fates with which a study may stand as linked; the others are still on their way."""


TO_CLEAN: Final = frozenset({Fate.RECEIVED, Fate.RELEASED})
"""Fates of objects that the next cleaning takes up."""

NEEDS_ORIGINAL: Final = frozenset({Fate.RECEIVED, Fate.RELEASED, Fate.HELD, Fate.CLEAN})
"""Fates whose original bytes are kept in quarantine; those of all others are destroyed."""


@dataclass(frozen=True)
class Equation:
    """The account of one submission: every announced object has exactly one fate.

    announced = sent ⊎ duplicate ⊎ held ⊎ discarded ⊎ withdrawn ⊎ refused ⊎ left out, and
    sent = present in the archive, equal by hash. Counts are of objects, not of SOP Instance UIDs.
    """

    announced: int
    fates: Mapping[Fate, int]
    missing: frozenset[str]
    different: frozenset[str]

    def fault(self) -> str | None:
        """Give the sentence why *linked* may not be written, or None."""
        total = sum(self.fates.values())
        if total != self.announced:
            return f"{self.announced} objects were announced and {total} have an outcome."
        pending = {f: n for f, n in self.fates.items() if f not in FINAL_FATES and n}
        if pending:
            words = ", ".join(f"{n} {f.value}" for f, n in sorted(pending.items()))
            return f"Not every object has reached its end: {words}."
        if not self.fates.get(Fate.SENT):
            return "Nothing of it was sent to the archive."
        if self.different:
            return (
                f"The archive holds {len(self.different)} of these instances with other content than was sent; "
                "they were not replaced. A data manager must compare them."
            )
        if self.missing:
            return f"The archive lacks {len(self.missing)} of the instances sent."
        return None


def equation(announced: int, fates: list[Fate], expected: Mapping[str, str], present: Mapping[str, str]) -> Equation:
    """Balance a submission: ``expected`` and ``present`` map SOP Instance UID to canonical hash."""
    missing = frozenset(expected.keys() - present.keys())
    different = frozenset(uid for uid in expected.keys() & present.keys() if expected[uid] != present[uid])
    return Equation(announced, Counter(fates), missing, different)


DELAYS: Final = (2, 5, 15, 60, 300, 900, 1800, 3600)
"""Seconds to wait before the next attempt; the last one is the cap."""


def delay(attempt: int, jitter: float) -> float:
    """Give the seconds before attempt ``attempt + 1``; ``jitter`` in [0, 1) spreads it by up to a fifth."""
    base = DELAYS[min(max(attempt, 1), len(DELAYS)) - 1]
    return base * (1 + jitter / 5)
