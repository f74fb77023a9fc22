"""What edit checks said of saved forms: kept, answered, and taken back when it is no longer so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import select

from trialimg.casework.form_values import Casebook, lock_casebook, looks_at, open_casebook, refers_to
from trialimg.domain.form_scope import FormValues
from trialimg.domain.item_value import Finding
from trialimg.errors import BadInput
from trialimg.store.casebook import CheckFinding, FormRecord
from trialimg.store.subject import Visit
from trialimg.store.unit_of_work import UnitOfWork

OPEN, ANSWERED, RESOLVED = "open", "answered", "resolved"
UNFINISHED: Final = frozenset({"required", "type", "rows"})
"""Checks that keep a form from being complete."""
NOT_KEPT: Final = frozenset({"required", "rows"})
"""Checks that a form in work is not blamed for: its state says that answers are still to come."""
LONGEST_ANSWER: Final = 1000

FindingPlace = tuple[str, str, str, str]
"""Check key, group, row, item."""


def place_of(found: Finding | CheckFinding) -> FindingPlace:
    """Give what tells one finding of a form from the others."""
    if isinstance(found, CheckFinding):
        return (found.check_key, found.group_key, found.repeat_key, found.item_key)
    return (found.check_key, found.group, found.repeat_key, found.item)


def stored_findings(uow: UnitOfWork, record_ids: Iterable[str]) -> dict[str, list[CheckFinding]]:
    """Load the findings of forms."""
    found: dict[str, list[CheckFinding]] = {record_id: [] for record_id in record_ids}
    for each in uow.session.scalars(select(CheckFinding).where(CheckFinding.form_record_id.in_(found))):
        found[each.form_record_id].append(each)
    return found


def keep_findings(
    uow: UnitOfWork,
    record: FormRecord,
    stored: Iterable[CheckFinding],
    found: Iterable[Finding],
    *,
    answers: Mapping[FindingPlace, str] | None = None,
    touched: frozenset[FindingPlace] = frozenset(),
) -> list[CheckFinding]:
    """Make the stored findings say what is so now, and give those that still are.

    ``touched`` are findings whose values were changed: what was answered before does not answer them. ``answers``
    answer soft ones with a reason; a blank takes the answer back.
    """
    left = {place_of(each): each for each in stored}
    standing = []
    for finding in found:
        place = place_of(finding)
        if finding.check_key in NOT_KEPT:
            continue
        row = left.pop(place, None)
        if row is None:
            row = CheckFinding(
                form_record_id=record.id,
                check_key=place[0],
                group_key=place[1],
                repeat_key=place[2],
                item_key=place[3],
                severity=finding.severity,
                sentence=finding.sentence,
                state=OPEN,
            )
            uow.session.add(row)
        row.severity, row.sentence = finding.severity, finding.sentence
        _answer(row, (answers or {}).get(place), touched=place in touched)
        standing.append(row)
    for row in left.values():
        row.state = RESOLVED
    return standing


def _answer(row: CheckFinding, answer: str | None, *, touched: bool) -> None:
    before = row.answer
    if row.state == RESOLVED or touched:
        row.state, row.answer = OPEN, ""
    if answer is None or row.severity != "soft":
        return
    answer = answer.strip()
    if len(answer) > LONGEST_ANSWER:
        raise BadInput(f"A reason must not be longer than {LONGEST_ANSWER} characters. Shorten it; nothing was saved.")
    if touched and answer == before:
        return  # the page sent back the reason given for the old value
    row.answer = answer
    row.state = ANSWERED if answer else OPEN


def touched_by(
    book: Casebook, record: FormRecord, found: Iterable[Finding], changed: frozenset[tuple[str, str, str]]
) -> frozenset[FindingPlace]:
    """Give the findings that depend on values of the form that are being changed."""
    form = book.form(record)
    single = {group.key for group in form.groups if not group.repeating}
    places = []
    for finding in found:
        items = looks_at(form, finding)
        if any(item in items and (group in single or key == finding.repeat_key) for group, key, item in changed):
            places.append(place_of(finding))
    return frozenset(places)


def state_of(record: FormRecord, values: FormValues, standing: Iterable[CheckFinding]) -> str:
    """Say how a form stands: empty, in_progress, complete, or open_checks."""
    if any(each.state == OPEN for each in standing):
        return "open_checks"
    if record.marked_complete:
        return "complete"
    return (
        "in_progress" if any(t.strip() for rs in values.values() for r in rs.values() for t in r.values()) else "empty"
    )


def recheck(uow: UnitOfWork, subject_id: str, *, after: FormRecord | None = None, visit_id: str = "") -> None:
    """Check the subject's filled forms again: those that look at the form ``after``, or those of one visit.

    Call it with a visit when images were linked there or detached, so that their dates are compared.
    """
    uow.session.flush()
    lock_casebook(uow.session, subject_id)
    book = open_casebook(uow.session, subject_id)
    records = []
    for record in book.records.values():
        if record.state == "empty" or record.form_key not in book.rules.forms:
            continue
        if after is not None and (record.id == after.id or not refers_to(book.form(record), after.form_key)):
            continue
        if not visit_id or record.visit_id == visit_id:
            records.append(record)
    stored = stored_findings(uow, [record.id for record in records])
    for record in records:
        values = book.values(record)
        found = book.check(record, values, book.context(record))
        standing = keep_findings(uow, record, stored[record.id], found)
        state = state_of(record, values, standing)
        if record.state != state:
            record.state = state


def recheck_visit(uow: UnitOfWork, visit_id: str) -> None:
    """Check the forms of a visit again after its images changed."""
    recheck(uow, uow.session.get_one(Visit, visit_id).subject_id, visit_id=visit_id)
