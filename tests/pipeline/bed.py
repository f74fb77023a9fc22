"""A bed for tests of the pipeline: the small world, one subject with a dated visit, and images sent to its slot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from flask import Flask
from sqlalchemy import select

from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES, Patient
from tests.world import World
from trialimg.archive.port import Archive, Held, PushResult
from trialimg.casework import imaging, pixel_review
from trialimg.casework.access import Place, slot_place, submission_place
from trialimg.casework.enrolment import date_visit
from trialimg.casework.pixel_review_page import review_page, series_view
from trialimg.casework.services import EXTENSION, Services, services
from trialimg.casework.submission import quarantine
from trialimg.casework.summary import Summary, parse_summary
from trialimg.domain.mask import Box
from trialimg.domain.permission import Role
from trialimg.domain.pixel_review import Drawn, Look, read_on
from trialimg.domain.submission import Fate, Stage
from trialimg.errors import ArchiveUnavailable
from trialimg.pipeline import intake
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, Submission, SubmissionObject
from trialimg.store.job import Job
from trialimg.store.pixel_review import PixelReview
from trialimg.worker import run_until_idle

PATIENT = PATIENT_IDENTITIES[0]
DAY = date(2026, 3, 2)


def small_ct(
    folder: Path, *, patient: Patient = PATIENT, study_key: str = "W8", slices: int = 4, **given: Any
) -> list[Path]:
    """A CT of a few small slices and a localizer."""
    given.setdefault("study_date", DAY.strftime("%Y%m%d"))
    return write_ct(folder, patient, slices=slices, size=64, seed=1, study_key=study_key, **given)


@pytest.fixture(scope="session")
def ct_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ct")
    small_ct(folder)
    return folder


@pytest.fixture
def ct(ct_folder: Path) -> list[Path]:
    return sorted(path for path in ct_folder.rglob("*") if path.is_file())


@dataclass
class Bed:
    """Everything a test needs; ``number`` is the subject's."""

    world: World
    number: str
    site: str = "101"

    @property
    def app(self) -> Flask:
        return self.world.app

    @property
    def actor(self) -> Any:
        return self.world.person(f"coordinator-{self.site}").actor

    def slot(self, visit: str = "SCR", slot: str = "CT", number: str = "") -> Place:
        return slot_place(self.world.code, number or self.number, visit, slot)

    def start(self, place: Place | None = None, **given: Any) -> str:
        with self.world.acting(f"coordinator-{self.site}") as uow:
            return imaging.start(uow, place or self.slot(), source="browser", **given)

    def send(self, key: str, files: Iterable[Path | tuple[str, bytes]]) -> int:
        """Send files under their ordinals and give how many."""
        count = 0
        for ordinal, each in enumerate(files):
            name, data = each if isinstance(each, tuple) else (each.name, each.read_bytes())
            intake.receive(services(), key, BytesIO(data), name=name, actor=self.actor, ordinal=ordinal)
            count += 1
        return count

    def announce(self, key: str, count: int) -> None:
        with self.world.acting(f"coordinator-{self.site}") as uow:
            intake.announce(uow, key, count)

    def survey(self, files: Iterable[Path | tuple[str, bytes]], place: Place | None = None, **given: Any) -> str:
        """Send files and let them be looked at."""
        key = self.start(place, **given)
        self.announce(key, self.send(key, files))
        self.run()
        return key

    def confirm(self, key: str, series: Iterable[int] | None = None) -> None:
        chosen = frozenset(range(len(self.summary(key).series)) if series is None else series)
        with self.world.acting(f"coordinator-{self.site}") as uow:
            imaging.confirm(uow, services(), submission_place(key), series=chosen, acquired=None)

    def link(self, files: Iterable[Path | tuple[str, bytes]], place: Place | None = None, **given: Any) -> str:
        """Take files all the way."""
        key = self.survey(files, place, **given)
        self.confirm(key)
        self.run()
        return key

    def cancel(self, key: str) -> None:
        with self.world.acting(f"coordinator-{self.site}") as uow:
            imaging.cancel(uow, services(), submission_place(key), "a test")

    def retry(self, key: str) -> None:
        with self.world.acting("data-manager") as uow:
            imaging.retry(uow, submission_place(key))

    def look_and_send(self, key: str) -> None:
        """Accept the boxes proposed for every held picture, and send what is decided."""
        place = submission_place(key)
        for line in review_page(place).lines:
            drawn = [
                Drawn(Box(b.x, b.y, b.width, b.height), *read_on(b.on)) for b in series_view(place, line.series).boxes
            ]
            with self.world.acting(f"coordinator-{self.site}") as uow:
                pixel_review.approve(
                    uow, place, line.series, seen=line.seen, drawn=drawn, also=False, role=Role.SITE_COORDINATOR
                )
        seen = review_page(place).seen
        with self.world.acting(f"coordinator-{self.site}") as uow:
            pixel_review.send(uow, place, seen=seen)

    def show_nothing(self, key: str) -> None:
        """Let no picture be there of what is held, as of a kind that cannot be decoded here."""
        with self.world.acting("data-manager") as uow:
            for review in uow.session.scalars(select(PixelReview).where(PixelReview.submission_id == key)):
                review.state = Look.UNSEEN.value

    def run(self, patience: float = 0.0) -> int:
        return run_until_idle(self.app, patience=patience)

    def summary(self, key: str) -> Summary:
        text = quarantine(key).read_note("summary")
        assert text is not None
        return parse_summary(text)

    def submission(self, key: str) -> Submission:
        db.session.rollback()
        return db.session.get_one(Submission, key, populate_existing=True)

    def stage(self, key: str) -> Stage:
        return Stage(self.submission(key).stage)

    def sentence(self, key: str) -> str:
        return self.submission(key).sentence

    def objects(self, key: str) -> list[SubmissionObject]:
        db.session.rollback()
        wanted = select(SubmissionObject).where(SubmissionObject.submission_id == key)
        return list(db.session.scalars(wanted.order_by(SubmissionObject.ordinal)))

    def fates(self, key: str) -> list[Fate]:
        return [Fate(each.fate) for each in self.objects(key)]

    def studies(self) -> list[ImagingStudy]:
        db.session.rollback()
        return list(db.session.scalars(select(ImagingStudy).order_by(ImagingStudy.linked_at)))

    def jobs(self, key: str) -> list[Job]:
        db.session.rollback()
        return list(db.session.scalars(select(Job).where(Job.submission_id == key).order_by(Job.created_at)))

    def timings(self, key: str) -> dict[str, float]:
        return dict(json.loads(self.submission(key).timings))

    def use_archive(self, archive: Archive) -> None:
        """Let the installation have another archive from now on."""
        self.app.extensions[EXTENSION] = replace(services(), archive=archive)

    def services(self) -> Services:
        return services()


def make_bed(world: World, *, day: date = DAY) -> Bed:
    number = world.subject("101", birth_year=int(PATIENT.birth_date[:4]), sex=PATIENT.sex)
    bed = Bed(world, number)
    with world.acting("coordinator-101") as uow:
        date_visit(uow, bed.slot().visit_id, day, 0)
    return bed


@dataclass
class FakeArchive:
    """An archive in memory that can be made to misbehave; it keeps what every archive promises otherwise."""

    name: str = "fake archive"
    can_forget: bool = True
    stored: dict[str, tuple[str, str, bytes]] = field(default_factory=dict)
    before_push: Callable[[], None] = lambda: None
    before_fetch: Callable[[], None] = lambda: None
    keeps: bool = True
    fails_after_storing: Exception | None = None
    pushes: int = 0
    sent: int = 0

    def goes_down(self, error: type[Exception] = ArchiveUnavailable) -> None:
        """Take nothing from now on."""

        def refuses() -> None:
            raise error("The archive is down.")

        self.before_push = refuses

    def comes_back(self) -> None:
        self.before_push = lambda: None

    def check(self) -> None:
        self.before_push()

    def push(self, instances: Any, progress: Any = None) -> PushResult:
        from pydicom import dcmread

        self.pushes += 1
        done: set[str] = set()
        for uid, opener in instances:
            self.before_push()
            with opener() as stream:
                data = stream.read()
            header = dcmread(BytesIO(data), stop_before_pixels=True)
            self.sent += 1
            if self.keeps:
                self.stored.setdefault(uid, (header.StudyInstanceUID, header.SeriesInstanceUID, data))
            done.add(uid)
            if progress is not None:
                progress(len(done))
        if self.fails_after_storing is not None:
            raise self.fails_after_storing
        return PushResult(frozenset(done))

    def holds(self, study_uid: str) -> frozenset[Held]:
        self.before_fetch()
        return frozenset(Held(series, uid) for uid, (study, series, _) in self.stored.items() if study == study_uid)

    def fetch(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> BinaryIO:
        from trialimg.errors import NotFound

        self.before_fetch()
        if sop_instance_uid not in self.stored:
            raise NotFound
        return BytesIO(self.stored[sop_instance_uid][2])

    def forget(self, study_uid: str) -> None:
        self.stored = {uid: each for uid, each in self.stored.items() if each[0] != study_uid}
