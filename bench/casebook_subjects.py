"""Subjects for the bench of casebooks: many small ones, one with a long history, one whose record is broken."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import Final

from sqlalchemy import insert, select, update

from bench.installation import say
from tests.world import World
from trialimg.casework.access import visit_place
from trialimg.casework.data_entry import Posted, save_form
from trialimg.casework.enrolment import date_visit
from trialimg.store.base import db, new_id, utc_now
from trialimg.store.casebook import FormRecord, ItemValue
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import TrialDefinitionVersion
from trialimg.store.unit_of_work import Actor, unit_of_work

_ROUNDS: Final = 1000
_SITES: Final = ("101", "102")


def enrol(world: World, count: int) -> list[str]:
    """Enrol subjects at all sites, each with a screening dated and its vital signs filled; gives their numbers."""
    numbers, start = [], time.monotonic()
    for at in range(count):
        if at and at % 100 == 0:
            say(f"{at} of {count} subjects are there after {time.monotonic() - start:.0f} s.")
        site = _SITES[at % len(_SITES)]
        number = world.subject(site)
        day = (date(2026, 3, 2) + timedelta(days=at % 60)).isoformat()
        results = {"WEIGHT_VSORRES": f"{60 + at % 40}.5", "HEIGHT_VSORRES": "178", "PULSE_VSORRES": "180"}
        values = {"VS": {"": {"VSPERF": "Y", "VSDAT": day}}, "RESULTS": {"": results}}
        with world.acting(f"coordinator-{site}", "a life for the bench") as uow:
            place = visit_place(world.code, number, "SCR")
            date_visit(uow, place.visit_id, date.fromisoformat(day), 0)
            save_form(uow, place, "VS", Posted(0, values, frozenset(), {}))
        numbers.append(number)
        db.session.remove()
    return numbers


def lengthen(world: World, number: str, records: int) -> None:
    """Change one value of a subject so often that its history has so many records more."""
    wanted = (
        select(ItemValue.id).join(FormRecord).join(Visit).join(Subject)
        .where(Subject.number == number, Subject.trial_id == world.trial_id, ItemValue.item_key == "WEIGHT_VSORRES")
    )  # fmt: skip
    key, done = db.session.scalar(wanted.limit(1)), 0
    db.session.rollback()
    while done < records:
        with unit_of_work(Actor("bench"), "corrected after a call from the site", trial_id=world.trial_id) as uow:
            value = uow.session.get_one(ItemValue, key)
            for _ in range(min(_ROUNDS, records - done)):
                done += 1
                value.value = f"{60 + done % 40}.{done % 10}"
                uow.session.flush()
        db.session.remove()


def break_one(world: World, number: str) -> None:
    """Break the record of a subject, past every door, as a bad disk or hand would: its definition is no definition."""
    version = db.session.scalars(select(TrialDefinitionVersion)).first()
    assert version is not None
    key, table = new_id(), TrialDefinitionVersion.__table__
    values = {
        "id": key, "trial_id": version.trial_id, "version": "broken", "digest": "0" * 64, "content": "{}",
        "loaded_at": utc_now(),
    }  # fmt: skip
    db.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(insert(table), values)  # type: ignore[arg-type]  # it is a table
        mine = (Subject.number == number) & (Subject.trial_id == world.trial_id)
        connection.execute(update(Subject.__table__).where(mine).values(definition_id=key))  # type: ignore[arg-type]  # as above
