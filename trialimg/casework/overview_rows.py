"""The rows that grids and worklists are made of: of any number of subjects in the same few statements.

The statements are made once, and ask for columns rather than for rows to be changed; what is not shown is not loaded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

from sqlalchemy import Table, bindparam, case, func, literal, select

from trialimg.casework.form_findings import OPEN
from trialimg.casework.visit_card import DONE_FORMS
from trialimg.domain.slot import Linked, SentLine
from trialimg.store.base import db, utc_now
from trialimg.store.casebook import CheckFinding, FormRecord
from trialimg.store.imaging import ImagingStudy, Slot, Submission
from trialimg.store.subject import Visit


def _columns(mapped: type) -> Any:
    return cast("Table", mapped.__table__).c  # type: ignore[attr-defined]  # each mapped class has a table


_V, _F, _C, _S, _L, _T = map(_columns, (Visit, FormRecord, CheckFinding, Slot, ImagingStudy, Submission))
_THESE: Final = _V.subject_id.in_(bindparam("subjects", expanding=True))
_FORMS_HERE: Final = select(func.count()).select_from(_F.id.table).where(_F.visit_id == _V.id).correlate(_V.id.table)
_EMPTY: Final = (
    select(func.aggregate_strings(_F.form_key, ","))
    .where(_F.visit_id == _V.id, _F.state == "empty")
    .correlate(_V.id.table)
    .scalar_subquery()
)
_COLUMNS: Final = (_V.subject_id, _V.id, _V.key, _V.definition_key, _V.repeat, _V.date, _V.not_done_reason, _V.ordinal)
_VISITS_WITH_COUNTS: Final = (
    select(
        *_COLUMNS,
        _FORMS_HERE.scalar_subquery(),
        _FORMS_HERE.where(_F.state.in_(sorted(DONE_FORMS))).scalar_subquery(),
        _FORMS_HERE.where(_F.state == "open_checks").scalar_subquery(),
        literal(""),
    )
    .where(_THESE)
    .order_by(_V.ordinal)
)
_VISITS_WITH_EMPTY: Final = (
    select(*_COLUMNS, literal(0), literal(0), literal(0), case((_V.date.is_not(None), _EMPTY), else_=""))
    .where(_THESE)
    .order_by(_V.ordinal)
)
_BEGUN: Final = (
    select(
        _F.visit_id,
        _F.form_key,
        select(func.count())
        .select_from(_C.id.table)
        .where(_C.form_record_id == _F.id, _C.state == OPEN)
        .correlate(_F.id.table)
        .scalar_subquery(),
    )
    .join_from(_V.id.table, _F.id.table, _F.visit_id == _V.id)
    .where(_THESE, _F.state.not_in(["empty", *sorted(DONE_FORMS)]))
)
_SLOTS: Final = (
    select(_S.visit_id, _S.id, _S.key, _S.not_done_reason)
    .join_from(_V.id.table, _S.id.table, _S.visit_id == _V.id)
    .where(_THESE)
)
_LINKED: Final = (
    select(_L.slot_id, func.sum(_L.instance_count), func.sum(_L.held_count))
    .where(_L.subject_id.in_(bindparam("subjects", expanding=True)), _L.state == "linked")
    .group_by(_L.slot_id)
)
_SENT: Final = select(_T.slot_id, _T.id, _T.stage, _T.sentence, _T.created_at).where(
    _T.subject_id.in_(bindparam("subjects", expanding=True))
)


@dataclass(frozen=True)
class Rows:
    """The rows of the subjects asked for, by what they belong to, and the day they are judged on.

    A row of ``visits`` has columns of the visit, then three counts of forms (all, complete, with open checks) and the
    keys of those still empty, with commas: the counts for a grid, the keys and what was ``begun`` (open checks by form)
    for a worklist. A row of ``slots`` has visit, key of ours, slot key and why it was not done. ``touched`` are visits
    at whose slots something was said, sent or linked.
    """

    today: date
    visits: Mapping[str, Sequence[Any]]
    begun: Mapping[str, Mapping[str, int]]
    slots: Mapping[str, Sequence[Any]]
    touched: frozenset[str]
    linked: Mapping[str, Linked]
    sent: Mapping[str, Sequence[SentLine]]


def rows_of(subject_ids: Sequence[str], *, forms: bool) -> Rows:
    """Give the rows of these subjects: with counts of forms, or with the ``forms`` that are not complete."""

    def ask(statement: Any) -> Iterable[Any]:
        return db.session.execute(statement, {"subjects": subject_ids}).all()

    visits, slots = defaultdict[str, list[Any]](list), defaultdict[str, list[Any]](list)
    begun, sent = defaultdict[str, dict[str, int]](dict), defaultdict[str, list[SentLine]](list)
    for row in ask(_VISITS_WITH_EMPTY if forms else _VISITS_WITH_COUNTS):
        visits[row[0]].append(row)
    for visit_id, key, checks in ask(_BEGUN) if forms else ():
        begun[visit_id][key] = checks
    for row in ask(_SENT):
        sent[row[0]].append(SentLine(*row[1:]))
    linked = {row[0]: Linked(int(row[1]), int(row[2])) for row in ask(_LINKED)}
    touched = set()
    for row in ask(_SLOTS):
        visit_id, slot_id, _, not_done_reason = row
        slots[visit_id].append(row)
        if not_done_reason or slot_id in linked or slot_id in sent:
            touched.add(visit_id)
    return Rows(utc_now().date(), visits, begun, slots, frozenset(touched), linked, sent)
