"""An installation in which a reader reads: two subjects of two sites, and a trial that is none of the reader's.

Made once for a module, since the images go all the way; its tests only look, or act on people of their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.casework.reading_bed import ReadingBed, values
from tests.conftest import make_settings
from tests.pipeline.bed import PATIENT, Bed, make_bed, small_ct
from tests.world import SITES, Browser, World, add_person, second_trial
from trialimg.app import create_app
from trialimg.casework import accounts, setup
from trialimg.casework.access import site_place, trial_place
from trialimg.casework.enrolment import date_visit, enrol
from trialimg.casework.read_assignment import assign
from trialimg.domain.permission import Role
from trialimg.domain.submission import Fate
from trialimg.store.account import AccountGrant
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Slot, SubmissionObject
from trialimg.store.reading import Read, ReadingCode
from trialimg.store.subject import Subject, Visit
from trialimg.store.trial import Site
from trialimg.store.unit_of_work import Actor, unit_of_work

BASELINE, LATER, ELSEWHERE = date(2026, 3, 2), date(2026, 5, 4), date(2026, 4, 13)
NEVER = "2.25.31415926535897932384626433832795"


@dataclass
class House:
    """What tests ask for: studies by name, who reads them and under which code.

    ``baseline`` and ``later`` are of the subject that ``reader`` and ``second`` read; ``foreign`` is another site's,
    read by ``second`` alone; ``other_trial`` belongs to a trial in which neither has a role.
    """

    world: World
    number: str
    foreign_number: str
    code: str
    baseline: str
    later: str
    foreign: str
    other_trial: str
    objects: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def client(self, who: str = "reader") -> FlaskClient:
        return self.world.client(who)

    def ask(self, address: str, who: str = "reader", **given: Any) -> TestResponse:
        return self.client(who).get(address, **given)

    def first(self, study: str) -> tuple[str, str]:
        return self.objects[study][0]

    def tails(self, study: str) -> list[str]:
        """Give every kind of address of a study, by its first instance."""
        series, sop = self.first(study)
        of_series, of_instance = f"/series/{series}", f"/series/{series}/instances/{sop}"
        return [
            "/series", "/metadata", f"{of_series}/instances", f"{of_series}/metadata", of_instance,
            f"{of_instance}/metadata", f"{of_instance}/frames/1", f"{of_instance}/bulkdata/00281201",
        ]  # fmt: skip


@pytest.fixture(scope="module")
def house(peopled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("reading-house")
    shutil.copytree(peopled, folder / "data")
    app = create_app(make_settings(folder / "data"), config={"TESTING": True})
    app.test_client_class = Browser
    with app.app_context():
        place = trial_place("DEMO")
        codes = {each.code: each.site_id for each in setup.sites(place.trial_id)}
        yield furnish(World(app, place.trial_code, place.trial_id, codes), folder)
        db.session.remove()
        db.engine.dispose()


def furnish(world: World, folder: Path) -> House:
    give_role(world, add_person("second"), Role.READER)
    bed = make_bed(world, day=BASELINE)
    with world.acting("coordinator-101") as uow:
        date_visit(uow, bed.slot("W8").visit_id, LATER, 0)
    baseline = _link(bed, folder / "baseline", "SCR", BASELINE)
    later = _link(bed, folder / "later", "W8", LATER)
    sign_baseline(ReadingBed(world, bed.number), objects_of(baseline)[0][1])
    patient = PATIENT_IDENTITIES[1]
    number = world.subject("102", birth_year=int(patient.birth_date[:4]), sex=patient.sex)
    west = Bed(world, number, "102")
    with world.acting("coordinator-102") as uow:
        date_visit(uow, west.slot().visit_id, ELSEWHERE, 0)
    foreign = _link(west, folder / "foreign", "SCR", ELSEWHERE, patient=patient)
    only_read_by_second(world, foreign)
    code = db.session.scalars(select(ReadingCode.code).join(Subject).where(Subject.number == bed.number)).one()
    made = House(world, bed.number, number, code, baseline, later, foreign, _other_trial(folder))
    for uid in (baseline, later, foreign):
        made.objects[uid] = objects_of(uid)
    made.objects[made.other_trial] = [("2.25.11", "2.25.12")]
    return made


def _link(bed: Bed, folder: Path, visit: str, day: date, **given: Any) -> str:
    given.setdefault("patient", PATIENT)
    files = small_ct(folder, study_key=visit, study_date=f"{day:%Y%m%d}", **given)
    bed.link(files, bed.slot(visit))
    study = bed.studies()[-1]
    assert study.slot is not None
    assert study.slot.visit.key == visit
    assign_again(study.study_instance_uid)
    return study.study_instance_uid


def assign_again(uid: str) -> None:
    with unit_of_work(Actor("operator"), "reads for tests") as uow:
        assign(uow, uow.session.scalars(select(ImagingStudy).where(ImagingStudy.study_instance_uid == uid)).one())


def sign_baseline(bed: ReadingBed, sop: str) -> None:
    """Let the later time point's turn come."""
    for who in ("reader", "second"):
        bed.save("SCR", values("SCR", "30", sop=sop), who)
        bed.sign("SCR", who)


def baseline_is(world: World, uid: str, state: str) -> None:
    """Put the reads of a study into a state, behind everybody's back."""
    study = db.session.scalars(select(ImagingStudy).where(ImagingStudy.study_instance_uid == uid)).one()
    assert study.slot is not None
    with unit_of_work(Actor("operator"), "as signed", trial_id=world.trial_id) as uow:
        for read in uow.session.scalars(select(Read).where(Read.visit_id == study.slot.visit_id)):
            read.state = state


def only_read_by_second(world: World, uid: str) -> None:
    """Void the first reader's read of a study: what is void is nobody's any more."""
    study = db.session.scalars(select(ImagingStudy).where(ImagingStudy.study_instance_uid == uid)).one()
    mine = world.person("reader").account_id
    with unit_of_work(Actor("operator"), "a reader steps back", trial_id=world.trial_id) as uow:
        wanted = select(Read).where(Read.subject_id == study.subject_id, Read.account_id == mine)
        uow.session.scalars(wanted).one().state = "void"


def objects_of(uid: str) -> list[tuple[str, str]]:
    wanted = select(SubmissionObject).where(
        SubmissionObject.study_instance_uid == uid, SubmissionObject.fate == Fate.SENT.value
    )
    found = db.session.scalars(wanted.order_by(SubmissionObject.ordinal)).all()
    return [(each.series_instance_uid, each.sop_instance_uid) for each in found]


def give_role(world: World, account_id: str, role: Role, site: str = "") -> str:
    by = world.person("trial-administrator")
    with unit_of_work(by.actor, "joins", trial_id=world.trial_id) as uow:
        return accounts.give_role(
            uow, by, account_id, role, trial_id=world.trial_id, site_id=world.site_ids[site] if site else None
        )


def take_roles(world: World, name: str) -> None:
    """End every role of a person, as the trial administrator does."""
    by, person = world.person("trial-administrator"), world.person(name)
    wanted = select(AccountGrant.id).where(
        AccountGrant.account_id == person.account_id, AccountGrant.ended_at.is_(None)
    )
    for grant in db.session.scalars(wanted).all():
        with unit_of_work(by.actor, "left", trial_id=world.trial_id) as uow:
            accounts.end_role(uow, by, grant)


def _other_trial(folder: Path) -> str:
    """Load the demo as a second trial with a linked study, and give the study's UID."""
    place = second_trial(folder)
    with unit_of_work(Actor("operator"), "its site", trial_id=place.trial_id) as uow:
        setup.add_site(uow, place, code="101", name=SITES["101"], country="CH")
    with unit_of_work(Actor("operator"), "its subject", trial_id=place.trial_id) as uow:
        number = enrol(uow, site_place("TWIN", "101"), birth_year=1961, sex="F")
        uow.session.flush()
        wanted = select(Subject).join(Site).where(Subject.number == number, Subject.trial_id == place.trial_id)
        subject = uow.session.scalars(wanted).one()
        slot = uow.session.scalars(select(Slot).join(Visit).where(Visit.subject_id == subject.id)).first()
        assert slot is not None
        uow.session.add(
            ImagingStudy(
                trial_id=place.trial_id, subject_id=subject.id, slot_id=slot.id, study_instance_uid="2.25.1000",
                linked_at=uow.at, linked_by="x", modalities="CT",
            )
        )  # fmt: skip
    return "2.25.1000"
