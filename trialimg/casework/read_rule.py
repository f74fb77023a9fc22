"""The rule by which reads are assigned, what an administrator says in its place, and what lacks readers."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from trialimg.casework.access import Place
from trialimg.casework.definition import current_definition, definition
from trialimg.casework.read_assignment import LINKED, candidates, readers, ruled
from trialimg.domain.reading import ReadState
from trialimg.domain.reading_design import ASSIGNMENTS, ReadingDesign
from trialimg.errors import BadInput
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot
from trialimg.store.reading import Read, ReadingRule
from trialimg.store.subject import Subject, Visit
from trialimg.store.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class ReaderCard:
    """A reader of the trial, what waits for them, and whether they are on the list."""

    account_id: str
    name: str
    waiting: int
    listed: bool


@dataclass(frozen=True)
class RulePage:
    """How reads are assigned: what ``reading.yaml`` says, what stands in its place, and who reads.

    ``lacking`` counts the time points with images that have fewer readers than the design asks for.
    """

    criteria: str
    readers_wanted: int
    slots: tuple[str, ...]
    said: str
    assignment: str
    readers: tuple[ReaderCard, ...]
    lacking: int


def rule_page(place: Place) -> RulePage:
    """Give the page on which a trial administrator sees and changes who reads."""
    session = db.session()
    design = ReadingDesign.of(current_definition(place.trial_id))
    names = {each.id: each.name for each in readers(session, place.trial_id)}
    cards = [ReaderCard(c.person, names[c.person], c.load, c.listed) for c in candidates(session, place.trial_id)]
    return RulePage(
        design.criteria, design.readers, design.slots, design.assignment,
        ruled(session, place.trial_id, design).assignment, tuple(cards), lacking(session, place.trial_id),
    )  # fmt: skip


def lacking(session: Session, trial_id: str) -> int:
    """Count the time points with images that have fewer readers than the design asks for: reads still unassigned."""
    wanted = (
        select(Visit.id, Slot.key, Subject.definition_id)
        .join(Slot, Slot.visit_id == Visit.id)
        .join(ImagingStudy, ImagingStudy.slot_id == Slot.id)
        .join(Subject, Subject.id == Visit.subject_id)
        .where(ImagingStudy.trial_id == trial_id, ImagingStudy.state == LINKED)
        .distinct()
    )
    counted = select(Read.visit_id, func.count()).where(Read.trial_id == trial_id, Read.state != ReadState.VOID.value)
    have = {key: count for key, count in session.execute(counted.group_by(Read.visit_id))}  # noqa: C416 (typed)
    found = set()
    for visit_id, slot, definition_id in session.execute(wanted):
        design = ReadingDesign.of(definition(definition_id))
        if slot in design.slots and have.get(visit_id, 0) < design.readers:
            found.add(visit_id)
    return len(found)


def unassigned(place: Place) -> str:
    """Say how many time points of the trial wait for a reader, and what to do; empty where none does."""
    count = lacking(db.session(), place.trial_id)
    if not count:
        return ""
    said = "One time point has" if count == 1 else f"{count} time points have"
    return (
        f"{said} fewer readers than planned, so the reads wait unassigned. They are given as soon as somebody who has "
        "not read them becomes a reader of the trial: invite readers, or look at the rule of assignment."
    )


def set_rule(uow: UnitOfWork, place: Place, *, assignment: str, listed: Collection[str]) -> None:
    """Change the rule by which reads are assigned from now on; reads that are assigned stay with their readers.

    An empty ``assignment`` gives the rule back to ``reading.yaml``. Raises BadInput for a rule that is not known, a
    person who does not read for the trial, or a list with nobody on it.
    """
    if assignment not in {"", *ASSIGNMENTS}:
        raise BadInput("Choose one of the rules of the list. Nothing was changed.")
    known = {each.id for each in readers(uow.session, place.trial_id)}
    if set(listed) - known:
        raise BadInput("Somebody on this list does not read for this trial any more. Load the page again.")
    if assignment == "listed" and not listed:
        raise BadInput("A rule by list needs at least one reader on the list. Nothing was changed.")
    row = uow.session.scalar(select(ReadingRule).where(ReadingRule.trial_id == place.trial_id).with_for_update())
    if row is None:
        row = ReadingRule(trial_id=place.trial_id)
        uow.session.add(row)
    row.assignment, row.listed = assignment, json.dumps(sorted(listed))
