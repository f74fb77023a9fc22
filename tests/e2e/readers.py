"""A reader before the browser: an installation with two time points to read, the walk, and what no reader may see."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Frame, Page, Route, expect

from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES
from seed_data.phantom.lesions import Lesion
from tests.conftest import make_settings
from tests.e2e.installation import Installation
from tests.e2e.visitor import Visit, Visitor
from tests.pipeline.bed import make_bed
from tests.web.reading_house import give_role
from tests.world import PASSWORD, SITES, World, add_person, email_of
from trialimg.app import create_app
from trialimg.casework.access import trial_place
from trialimg.casework.enrolment import date_visit
from trialimg.casework.setup import sites
from trialimg.domain.permission import Role
from trialimg.store.base import db

PATIENT: Final = PATIENT_IDENTITIES[0]
DAYS: Final = {"SCR": date(2026, 3, 2), "W8": date(2026, 4, 27)}
PLACE: Final = "segment 4, near the vein"
BASELINE_MM, WEEK_8_MM = "31.4", "20.6"
MEANING: Final = "I read these images; this is my independent assessment."
_PATIENCE: Final = 90_000


@dataclass
class ReadingPlace:
    """A served installation: one subject of site 101, screening and Week 8 linked and assigned to two readers."""

    installation: Installation
    number: str
    studies: dict[str, str]
    reads: list[str] = field(default_factory=list)
    """Addresses of what the reader has signed, baseline first."""

    def comes(self, visit: Visit, who: str, path: str = "/") -> Visitor:
        """Let somebody of the small world sign in and be somewhere."""
        person = visit(self.installation.url)
        person.goto(path)
        person.sign_in(email_of(who), PASSWORD)
        expect(person.page.locator(".ti-account-name")).to_be_visible()
        return person


@pytest.fixture(scope="package")
def reading_place(peopled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingPlace]:
    """The small world with images that went all the way, made before it is served."""
    installation = Installation(tmp_path_factory.mktemp("reading"))
    shutil.copytree(peopled, installation.data)
    number, studies = _furnish(installation)
    try:
        installation.start()
        yield ReadingPlace(installation, number, studies)
    finally:
        installation.stop()


def _furnish(installation: Installation) -> tuple[str, dict[str, str]]:
    app = create_app(make_settings(installation.data), config={"TESTING": True})
    with app.app_context():
        place = trial_place("DEMO")
        world = World(app, place.trial_code, place.trial_id, {one.code: one.site_id for one in sites(place.trial_id)})
        give_role(world, add_person("second"), Role.READER)
        bed = make_bed(world, day=DAYS["SCR"])
        with world.acting("coordinator-101") as uow:
            date_visit(uow, bed.slot("W8").visit_id, DAYS["W8"], 0)
        for at, (visit, day) in enumerate(DAYS.items()):
            files = write_ct(
                installation.folder / f"disc-{visit}", PATIENT, study_date=f"{day:%Y%m%d}", study_key=visit,
                lesions=(Lesion("liver", 30 - 10 * at),), slices=12, size=128, seed=1,
            )  # fmt: skip
            bed.link(files, bed.slot(visit))
        studies = {each.slot.visit.key: each.study_instance_uid for each in bed.studies() if each.slot is not None}
        assert set(studies) == set(DAYS)
        number = bed.number
        db.session.remove()
        db.engine.dispose()
    return number, studies


@dataclass
class Blinded:
    """Everything a reader's browser is given, tried for what tells who or where the subject is."""

    reader: Visitor
    number: str
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """Where something was told that blinds no more."""

    def __post_init__(self) -> None:
        self.reader.context.route("**/dicomweb/**", self._pass_on)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.number, "101-", SITES["101"], PATIENT.family_name, PATIENT.patient_id)

    def _try(self, where: str, given: bytes) -> None:
        # Not behind a hexadecimal digit: there it is the end of a part of one of the viewer's own random keys.
        text = given.decode("utf-8", "replace")
        self.told += [
            f"{where}: {word}"
            for word in self.secrets
            if re.search(rf"(?<![0-9A-Fa-f]){re.escape(word)}", text, re.IGNORECASE)
        ]

    def _pass_on(self, route: Route) -> None:
        answer = route.fetch()
        self.asked.append(answer.url)
        self._try(answer.url, answer.body() + repr(answer.headers).encode())
        route.fulfill(response=answer)

    def page(self) -> None:
        """Try the page that is open, the viewer in its frame and its addresses included."""
        for frame in self.reader.page.frames:
            self._try(frame.url, frame.url.encode() + frame.content().encode())
        self.keeps()

    def keeps(self) -> None:
        """Fail where anything was told."""
        assert self.told == []


def in_the_frame(page: Page) -> Frame:
    """Give the viewer beside the read, when the page has found its measurements."""
    expect(page.locator("iframe[data-viewer][data-ready=yes]")).to_be_visible(timeout=_PATIENCE)
    handle = page.locator("iframe[data-viewer]").element_handle()
    frame = handle.content_frame() if handle is not None else None
    assert frame is not None
    return frame


def item(page: Page, name: str) -> str:
    """Give the selector of a control by its name, which has dots in it."""
    assert page.locator(f'[name="{name}"]').count() == 1, name
    return f'[name="{name}"]'


def measure(page: Page, lesion: str, diameter: str, image: str) -> None:
    """Type a diameter and choose the image it was taken on: the series of slices, and the slice."""
    page.fill(item(page, f"{lesion}.diameter.0"), diameter)
    labels = page.locator(item(page, f"{lesion}.series.0")).locator("option").all_inner_texts()
    [slices] = [label for label in labels if "12 images" in label]
    page.select_option(item(page, f"{lesion}.series.0"), label=slices)
    page.fill(item(page, f"{lesion}.image.0"), image)


def open_read(reader: Visitor, time_point: str) -> str:
    """Open a time point from the worklist; gives the address of its read."""
    reader.goto("/reads")
    reader.page.get_by_role("link", name=re.compile(f"^{time_point}")).click()
    expect(reader.page).to_have_url(re.compile(r"/reads/[0-9a-f]{32}$"))
    return reader.page.url.removeprefix(reader.origin)


def fill_baseline(page: Page) -> None:
    """Choose one target and one non-target lesion."""
    page.select_option(item(page, "T.T1.organ"), "LIVER")
    page.fill(item(page, "T.T1.location"), PLACE)
    measure(page, "T.T1", BASELINE_MM, "6")
    page.select_option(item(page, "N.N1.organ"), "PLEURA")
    page.fill(item(page, "N.N1.location"), "left")
    page.select_option("#quality", "good")


def fill_week_8(page: Page) -> None:
    """Measure the target again, and say that all else is as it was."""
    measure(page, "T.T1", WEEK_8_MM, "5")
    page.select_option(item(page, "N.N1.state"), "present")
    page.select_option("#new", "no")
    page.select_option("#quality", "good")


def save(page: Page) -> None:
    """Save by the button."""
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator(".ti-flashes")).to_contain_text("The draft is saved")


def go_to_sign(page: Page) -> None:
    """Save and go on to the page for signing."""
    page.get_by_role("button", name="Save, then sign").click()
    expect(page).to_have_url(re.compile(r"/sign$"))


def sign(page: Page, password: str = PASSWORD) -> None:
    """Sign with user name and password."""
    page.get_by_label("User name").fill(email_of("reader"))
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign", exact=True).click()


def read_both(place: ReadingPlace, reader: Visitor) -> None:
    """Read and sign both time points without looking around; for those who come after the reader."""
    for time_point, fill in (("Screening", fill_baseline), ("Week 8", fill_week_8)):
        here = open_read(reader, time_point)
        fill(reader.page)
        go_to_sign(reader.page)
        sign(reader.page)
        expect(reader.page.locator(".ti-signature")).to_be_visible()
        place.reads.append(here)
