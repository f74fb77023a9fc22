"""Reads the demo's images as its two readers would: all time points of one subject, part of another's."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from seed_data.casebook import TRIAL, Enrolled, numbered
from seed_data.people import email, read_accounts
from trialimg.casework import reading
from trialimg.casework.access import Person, subject_place, trial_place
from trialimg.casework.accounts import find_person
from trialimg.casework.read_images import Images, images_of
from trialimg.casework.read_page import ReadPage, read_page
from trialimg.casework.read_results import reads_of
from trialimg.casework.reading import Credentials
from trialimg.casework.services import Services
from trialimg.domain.lesion import Measurement, Organ, Seen, TargetLesion, TargetState
from trialimg.domain.read_values import ImageQuality, ReadValues
from trialimg.domain.reading import ReadState
from trialimg.store.base import db

READERS: Final = ("reader-1", "reader-2")
_PLACES: Final = (
    ("T1", Organ.LUNG, "right lower lobe", 200),
    ("T2", Organ.LIVER, "segment 8", 288),
    ("T3", Organ.LYMPH_NODE, "retroperitoneal, left of the aorta", 345),
)
"""The phantom's first lesions with their depth in mm below the apex of the lungs; slices are 5 mm."""


@dataclass(frozen=True)
class ReadStory:
    """How far one reader comes with a subject (an index of the story): the last visit signed, and what follows."""

    subject: int
    reader: str
    signed: tuple[str, ...]
    draft: str = ""
    reopened: str = ""


STORY: Final = (
    ReadStory(0, "reader-1", ("SCR", "W8", "W16", "EOT")),
    ReadStory(0, "reader-2", ("SCR", "W8", "W16", "EOT")),
    ReadStory(4, "reader-1", ("SCR", "W8", "W16"), reopened="W16"),
    ReadStory(4, "reader-2", ("SCR",), draft="W8"),
)


def read_everything(services: Services, data: Path) -> int:
    """Let the readers of the demo read what the story says; gives how many reads were saved or signed now."""
    passwords = {account.user: account.password for account in read_accounts(data)}
    done, everybody = 0, numbered()
    for story in STORY:
        by, enrolled = find_person(email(story.reader)), everybody[story.subject]
        for visit in (*story.signed, *([story.draft] if story.draft else ())):
            done += _read(services, by, enrolled, visit, passwords[by.email], signs=visit != story.draft)
        page = _page(by, enrolled, story.reopened)
        if page is not None and page.state == ReadState.SIGNED and page.version == 1:
            _reopen(by, enrolled, story.reopened)
    return done


def _read(services: Services, by: Person, enrolled: Enrolled, visit: str, password: str, *, signs: bool) -> bool:
    """Read one time point, unless that was done before or there is nothing to read yet."""
    page = _page(by, enrolled, visit)
    if page is None or page.state != ReadState.OPEN or not page.can_change:
        return False
    images = images_of(services, page.own_studies)
    values = images.with_thickness(_values(enrolled, visit, images, generous=by.email.startswith(READERS[1])))
    with by.acting("saved as a draft", trial_place(TRIAL)) as uow:
        revision = reading.save_draft(uow, page.read_id, revision=page.revision, values=values, answers={})
    if signs:
        credentials = Credentials(by.email, password, "Europe/Berlin")
        reading.sign(services, by, page.read_id, revision=revision, by=credentials)
    db.session.rollback()
    return True


def _page(by: Person, enrolled: Enrolled, visit: str) -> ReadPage | None:
    key = _read_of(by, enrolled, visit)
    return read_page(by, key) if key else None


def _read_of(by: Person, enrolled: Enrolled, visit: str) -> str:
    manager = find_person(email("data-manager"))
    lines = reads_of(subject_place(TRIAL, enrolled.number).subject_id, manager)
    mine = [each for each in lines if each.visit_key == visit and each.reader == by.name and each.state != "void"]
    return mine[0].read_id if mine else ""


def _values(enrolled: Enrolled, visit: str, images: Images, *, generous: bool) -> ReadValues:
    stack = max(images.series, key=lambda each: len(each.images))
    lesions = enrolled.story.visits[visit].images[0].lesions
    targets = []
    for (key, organ, place, depth), lesion in zip(_PLACES, lesions, strict=True):
        image = stack.images[min(depth // 5, len(stack.images) - 1)]
        size = Decimal(str(lesion.diameter_mm)) + (Decimal("0.7") if generous else Decimal("0.2"))
        part = Measurement(str(size), image.sop_instance_uid)
        targets.append(TargetLesion(key, organ, place, TargetState.MEASURED, (part,)))
    new = None if visit == "SCR" else Seen.NO
    return ReadValues(tuple(targets), (), new, (), ImageQuality.GOOD, "")


def _reopen(by: Person, enrolled: Enrolled, visit: str) -> None:
    key, manager = _read_of(by, enrolled, visit), find_person(email("data-manager"))
    reason = "T2 was measured across a vessel; please measure the lesion alone."
    with manager.acting(reason, trial_place(TRIAL)) as uow:
        reading.reopen(uow, manager, key, reason)
