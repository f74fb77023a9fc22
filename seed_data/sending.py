"""Sends the demo's phantom studies through the real pipeline: no row is inserted as linked."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from seed_data.casebook import TRIAL, Enrolled, coordinator
from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES, Patient
from seed_data.phantom.mr import write_mr
from seed_data.phantom.ultrasound import write_ultrasound
from seed_data.story import Ending, Images
from trialimg.casework import imaging
from trialimg.casework.access import Place, slot_place, submission_place
from trialimg.casework.services import Services
from trialimg.casework.slots import slot_page
from trialimg.casework.submission_page import submission_report
from trialimg.domain.submission import Stage
from trialimg.errors import OurFault
from trialimg.pipeline import intake
from trialimg.store.base import db

PATIENCE: Final = 300.0
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Sending:
    """One study of the story, for one slot."""

    enrolled: Enrolled
    visit: str
    day: date
    images: Images

    @property
    def label(self) -> str:
        """Name it for the person who watches."""
        return f"{self.enrolled.number} {self.visit} {self.images.slot}"


def sendings(everybody: list[Enrolled], today: date) -> list[Sending]:
    """Give everything to send: what is small first, so that the demo is lively soon."""
    found = [
        Sending(enrolled, key, today - timedelta(days=visit.days_ago), images)
        for enrolled in everybody
        for key, visit in enrolled.story.visits.items()
        for images in visit.images
    ]
    return sorted(found, key=lambda s: (s.images.slices, s.enrolled.number, s.day))


def write_study(folder: Path, sending: Sending) -> list[Path]:
    """Make the files of one study, as they lie on the disc a patient brings along."""
    images, patient = sending.images, sending.enrolled.patient
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if images.ending is Ending.REFUSED:
        return _no_images(folder, patient)
    made = _study(folder / "DICOM", patient, sending)
    if images.ending is Ending.HELD:
        # Only the dose page was exported: the first series of the disc, and the only one that was copied.
        return made[-1:]
    if images.ending is Ending.TWO_PATIENTS:
        other = replace(sending, images=replace(images, slices=6))
        made += _study(folder / "OTHER", PATIENT_IDENTITIES[12], other)
    return made


def _study(folder: Path, patient: Patient, sending: Sending) -> list[Path]:
    images, day = sending.images, sending.day.strftime("%Y%m%d")
    key = f"{sending.visit} {images.slot}"
    if images.slot == "MR":
        return write_mr(folder, patient, study_date=day, slices=images.slices, study_key=key)
    made = write_ct(
        folder, patient, study_date=day, lesions=images.lesions, slices=images.slices, size=images.size,
        study_key=key, dose_report=images.dose_report, rtstruct=images.rtstruct,
    )  # fmt: skip
    return [*made, write_ultrasound(folder, patient, study_date=day, study_key=key)] if images.ultrasound else made


def _no_images(folder: Path, patient: Patient) -> list[Path]:
    report = folder / "report.txt"
    report.write_text(f"Findings of {patient.name}: see the images, which were not exported.\n")
    broken = folder / "IM000001.dcm"
    broken.write_bytes(b"this was an image once")
    return [report, broken]


def in_another_process(folder: Path, todo: list[Sending]) -> Iterator[tuple[Sending, list[Path]]]:
    """Make the studies in a process of their own, one ahead of what is being sent."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        waiting: list[tuple[Sending, Future[list[Path]]]] = []
        for number, sending in enumerate(todo):
            waiting.append((sending, pool.submit(write_study, folder / f"{number:02d}", sending)))
            if len(waiting) > 1:
                first, future = waiting.pop(0)
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def send(services: Services, sending: Sending, files: list[Path]) -> None:
    """Send one study as its coordinator would, and confirm it where the story says so."""
    place = slot_place(TRIAL, sending.enrolled.number, sending.visit, sending.images.slot)
    person = coordinator(sending.enrolled.story.site)
    with person.acting("images attached", place) as uow:
        key = imaging.start(uow, place, source="browser", acquired=sending.day)
    for ordinal, path in enumerate(files, 1):
        if sending.images.ending is Ending.RECEIVING and ordinal > len(files) // 2:
            return
        with path.open("rb") as stream:
            intake.receive(services, key, stream, name=path.name, actor=person.actor, ordinal=ordinal)
    with person.acting("all files sent", place) as uow:
        intake.announce(uow, key, len(files))
    db.session.rollback()
    confirm(services, sending, submission_place(key))


def confirm(services: Services, sending: Sending, place: Place) -> None:
    """Wait for the survey and confirm all that was found, where the story says so."""
    stage = wait_for(place, {Stage.SURVEYED, Stage.REFUSED, Stage.HELD, Stage.CANCELLED})
    if stage is not Stage.SURVEYED or sending.images.ending not in {Ending.LINKED, Ending.HELD}:
        return
    summary = imaging.summary_of(services, place)
    everything = frozenset(entry.index for entry in summary.series)
    with coordinator(sending.enrolled.story.site).acting("confirmed", place) as uow:
        imaging.confirm(uow, services, place, series=everything, acquired=sending.day)


def wait_for(place: Place, stages: set[Stage]) -> Stage:
    """Wait until a submission reaches one of the stages; raises :class:`OurFault` where it never does."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        db.session.rollback()
        stage = submission_report(place).stage
        if stage in stages:
            return stage
        time.sleep(0.1)
    raise OurFault("The worker did not come to look at the images of the demo; see the page of the pipeline.")


def sent_already(services: Services, sending: Sending) -> bool:
    """Say whether an earlier run sent this study; one it left half way is carried on or begun anew."""
    place = slot_place(TRIAL, sending.enrolled.number, sending.visit, sending.images.slot)
    person = coordinator(sending.enrolled.story.site)
    page = slot_page(place, person)
    for line in page.submissions:
        stage = Stage(line.stage)
        found = submission_place(line.submission_id)
        if stage is Stage.RECEIVING and sending.images.ending is not Ending.RECEIVING:
            with person.acting("the demo was stopped while it sent this", found) as uow:
                imaging.cancel(uow, services, found, "The demo was stopped while it sent this.")
        elif stage is not Stage.CANCELLED:
            if stage in {Stage.RECEIVED, Stage.SURVEYED}:
                confirm(services, sending, found)
            return True
    return False
