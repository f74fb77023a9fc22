from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from tests.pipeline.bed import Bed, small_ct
from tests.web.imaging_bed import bed
from trialimg.casework.access import submission_place
from trialimg.casework.held import Decision, decide
from trialimg.domain.submission import Fate, Stage
from trialimg.errors import BadInput, Conflict
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db
from trialimg.store.imaging import SubmissionObject

__all__ = ["bed"]


@pytest.fixture
def key(bed: Bed, tmp_path: Path) -> str:
    small_ct(tmp_path / "dose", dose_report=True)
    return bed.link([path for path in (tmp_path / "dose").rglob("*") if path.is_file()])


def held(bed: Bed, key: str) -> frozenset[int]:
    return frozenset(o.ordinal for o in bed.objects(key) if o.fate == Fate.HELD)


def act(bed: Bed, key: str, decision: Decision, ordinals: frozenset[int], reason: str = "I looked.") -> int:
    with bed.world.acting("coordinator-101", reason) as uow:
        return decide(uow, submission_place(key), ordinals=ordinals, decision=decision, reason=reason)


@pytest.mark.parametrize("decision", list(Decision))
def test_each_decision_stands_in_the_trail_with_its_reason(bed: Bed, key: str, decision: Decision) -> None:
    bed.show_nothing(key)
    assert act(bed, key, decision, held(bed, key), "There is only a table.") == 1
    db.session.rollback()
    wanted = select(AuditRecord).where(AuditRecord.reason == "There is only a table.")
    records = list(db.session.scalars(wanted))
    assert {record.actor for record in records} == {"coordinator-101@trial.example"}
    assert records


def test_a_decision_on_what_somebody_decided_meanwhile_is_refused(bed: Bed, key: str) -> None:
    ordinals = held(bed, key)
    act(bed, key, Decision.DISCARD, ordinals)
    bed.run()
    with pytest.raises(BadInput):
        act(bed, key, Decision.SEND, ordinals)
    with pytest.raises(BadInput):
        act(bed, key, Decision.SEND, frozenset())


def test_one_that_is_gone_among_those_chosen_stops_the_whole_decision(bed: Bed, key: str) -> None:
    sent = next(o.ordinal for o in bed.objects(key) if o.fate == Fate.SENT)
    with pytest.raises(Conflict, match="Somebody has decided"):
        act(bed, key, Decision.SEND, held(bed, key) | {sent})
    assert bed.stage(key) is Stage.LINKED


def test_images_under_way_wait_for_their_turn(bed: Bed, key: str) -> None:
    ordinals = held(bed, key)
    bed.show_nothing(key)
    act(bed, key, Decision.SEND, ordinals)
    with pytest.raises(Conflict, match="under way"):
        act(bed, key, Decision.DISCARD, ordinals)


def test_looking_cannot_release_what_is_held_for_another_reason(bed: Bed, key: str) -> None:
    (ordinal,) = held(bed, key)
    with bed.world.acting("data-manager") as uow:
        wanted = select(SubmissionObject).where(
            SubmissionObject.submission_id == key, SubmissionObject.ordinal == ordinal
        )
        uow.session.scalars(wanted).one().code = "image.residue"
    with pytest.raises(BadInput, match="cannot settle"):
        act(bed, key, Decision.SEND, frozenset({ordinal}))
    assert act(bed, key, Decision.DISCARD, frozenset({ordinal})) == 1
