"""A trial of a size: subjects with twelve visits, enrolled, dated, filled, linked and read by the acts people use.

It is made once into a folder and kept; what it holds is audited like everything else.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from flask import Flask
from sqlalchemy import select

from bench.crowd_reads import read_some
from bench.installation import ROOT, say
from tests.world import World, add_person, make_world
from trialimg.casework import accounts
from trialimg.casework.access import Place, subject_place
from trialimg.casework.data_entry import Posted, save_form
from trialimg.casework.enrolment import date_visit
from trialimg.domain.permission import Role
from trialimg.domain.submission import Stage
from trialimg.store.base import db, utc_now
from trialimg.store.imaging import ImagingStudy, Slot, Submission
from trialimg.store.subject import Visit
from trialimg.store.unit_of_work import UnitOfWork, unit_of_work

VISITS: Final = 12
SITES: Final = ("101", "102", "103")
_WEEKS: Final = 8


def definition_of_twelve_visits(folder: Path) -> Path:
    """Write the demo's definition with twelve visits, screening to end of treatment, and give its folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "forms" / "demo" / "1.0", folder)
    schedule = folder / "schedule.yaml"
    text = schedule.read_text()
    repeated = re.search(r"  - key: W8\n.*?(?=  - key: W16\n)", text, re.DOTALL)
    later = re.search(r"  - key: W16\n.*?(?=  - key: EOT\n)", text, re.DOTALL)
    assert repeated is not None
    assert later is not None
    weeks = range(_WEEKS, _WEEKS * (VISITS - 1), _WEEKS)
    middle = "".join(
        repeated[0].replace("W8", f"W{week}").replace("Week 8", f"Week {week}").replace(
            "offset_days: 56", f"offset_days: {week * 7}"
        )
        for week in weeks
    )  # fmt: skip
    text = text.replace(later[0], "").replace("offset_days: 168", f"offset_days: {(VISITS - 1) * _WEEKS * 7}")
    schedule.write_text(text.replace(repeated[0], middle))
    return folder


def fill(app: Flask, folder: Path, subjects: int) -> None:
    """Make the trial, its people and its subjects in an empty installation; needs an application context."""
    world = make_world(app, folder=definition_of_twelve_visits(folder))
    _staff(world, "103")
    today, names = utc_now().date(), []
    for number in range(subjects):
        if number % 25 == 0:
            say(f"{number} of {subjects} subjects are there.")
        site = SITES[number % len(SITES)]
        names.append(name := world.subject(site))
        # Some were enrolled today, some have been through all visits.
        _live_through(world, subject_place(world.code, name), today - timedelta(days=number * 7 % 700), today, number)
        db.session.remove()
    say(f"There are {read_some(world, names)} reads.")


def _staff(world: World, site: str) -> None:
    """Let a site have its coordinator: who enters data must be of the site."""
    by, account_id = world.person("trial-administrator"), add_person(f"coordinator-{site}")
    with unit_of_work(by.actor, "a coordinator", trial_id=world.trial_id) as uow:
        where = {"trial_id": world.trial_id, "site_id": world.site(site).site_id}
        accounts.give_role(uow, by, account_id, Role.SITE_COORDINATOR, **where)


def _live_through(world: World, place: Place, began: date, today: date, number: int) -> None:
    with world.acting(f"coordinator-{place.site_code}", "a life for the bench") as uow:
        visits = list(
            uow.session.scalars(
                select(Visit).where(Visit.subject_id == place.subject_id, Visit.repeat == 0).order_by(Visit.ordinal)
            )
        )
        for ordinal, visit in enumerate(visits):
            day = began + timedelta(days=ordinal * _WEEKS * 7)
            if day > today:
                break
            date_visit(uow, visit.id, day, visit.revision)
            if ordinal < 2:  # two filled forms a subject are enough to ask for checks
                _fill_vitals(uow, replace(place, visit_id=visit.id, visit_key=visit.key), day, number)
            if (number + ordinal) % 5:
                _link(uow, visit, place, day)


def _fill_vitals(uow: UnitOfWork, place: Place, day: date, number: int) -> None:
    results = {"WEIGHT_VSORRES": "77.7", "HEIGHT_VSORRES": "178", "PULSE_VSORRES": "180" if number % 3 else "70"}
    values = {"VS": {"": {"VSPERF": "Y", "VSDAT": day.isoformat()}}, "RESULTS": {"": results}}
    save_form(uow, place, "VS", Posted(0, values))


def _link(uow: UnitOfWork, visit: Visit, place: Place, day: date) -> None:
    """Write what the pipeline writes in the end; the images themselves would make no page slower."""
    session, at = uow.session, uow.at
    slot = session.scalars(select(Slot).where(Slot.visit_id == visit.id, Slot.key == "CT")).one()
    study = ImagingStudy(
        trial_id=place.trial_id, subject_id=place.subject_id, slot_id=slot.id, linked_at=at, linked_by="bench",
        study_instance_uid=f"2.25.{int(slot.id, 16)}", modalities="CT", acquired=day, series_count=2,
        instance_count=200,
    )  # fmt: skip
    session.add(study)
    session.flush()
    session.add(
        Submission(
            trial_id=place.trial_id, site_id=place.site_id, subject_id=place.subject_id, slot_id=slot.id,
            study_id=study.id, stage=Stage.LINKED.value, source="browser", announced=200, created_at=at,
            created_by="bench", stage_since=at, sentence="200 images are in the archive, each proved.",
        )
    )  # fmt: skip
