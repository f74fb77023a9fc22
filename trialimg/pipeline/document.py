"""Prints ``docs/pipeline.md`` from the table of the domain: ``python -m trialimg.pipeline.document``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from trialimg.domain.submission import DELAYS, ENDED, OPEN_ENDED, RESUME, TABLE, Fate, Stage
from trialimg.pipeline.steps import STEPS

_HEAD = """\
# The pipeline

Printed from `trialimg/domain/submission.py` by `python -m trialimg.pipeline.document`; a test compares the two.

A **submission** is images sent for one slot. It stands in a stage; what happens to it is an outcome; the table says
which stage follows and which job carries it on. What is not in the table cannot happen.

## The table
"""

_TAIL = """
## What ends a job

*Done*: the row of the table. *Again*: the archive, the disk or the data base would work at another time; the job
waits {delays} seconds between attempts, and up to a fifth longer by chance. *Held*: a person must look, and the
sentence says at what. Where the archive does not accept us, the destination is paused: all sending waits and no data
is held for it.

A start raises the job's attempt; a result is written only while the attempt is still the same, in one transaction
under the row lock of the submission. So a job may run late or twice, and a worker may die anywhere.

## What a person can do

{persons}
"""


def document() -> str:
    """Give the whole text."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "| stage | what happens | next stage | next job |"
    yield "|---|---|---|---|"
    for (stage, outcome), (following, step) in TABLE.items():
        yield f"| {stage.value} | {outcome.value} | {following.value} | {step.value if step else ''} |"
    yield ""
    yield f"Waits for a person: {_words(OPEN_ENDED)}. At its end: {_words(ENDED)}, and linked unless more comes."
    yield ""
    yield "## The jobs"
    yield ""
    yield "| job | what it does |"
    yield "|---|---|"
    for step, act in STEPS.items():
        yield f"| {step.value} | {(act.__doc__ or '').strip().splitlines()[0]} |"
    yield ""
    yield "## What becomes of an object"
    yield ""
    yield f"Each object has one fate: {', '.join(fate.value for fate in Fate)}. A study is linked only if every object"
    yield "announced has one that is final, and the archive holds every instance sent, equal by content."
    resumed = "; ".join(f"{stage.value} with {step.value}" for stage, step in RESUME.items())
    persons = f"Hold, cancel and retry, each with a reason. Held work goes on where it was held: {resumed}."
    yield _TAIL.format(delays=", ".join(map(str, DELAYS)), persons=persons).rstrip()


def _words(stages: frozenset[Stage]) -> str:
    return ", ".join(stage.value for stage in Stage if stage in stages)


if __name__ == "__main__":
    sys.stdout.write(document())
