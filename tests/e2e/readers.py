"""A reader before the browser: the acts on a read, and the search for what no reader may see."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from playwright.sync_api import Frame, Locator, Page, Route, expect

from tests.e2e.coordinators_day import SLICES
from tests.e2e.first_day import READER, SITES
from tests.e2e.three_days import DAYS, PATIENT, Story
from tests.e2e.visitor import Visitor

PLACE: Final = "segment 4, near the vein"
BASELINE_MM, WEEK_8_MM = "31.4", "20.6"
MEANING: Final = "I read these images; this is my independent assessment."
_PATIENCE: Final = 90_000


@dataclass
class Blinded:
    """Everything a reader's browser is given, tried for what tells who or where the subject is."""

    reader: Visitor
    story: Story
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """Where something was told that blinds no more."""

    def __post_init__(self) -> None:
        self.reader.context.route("**/dicomweb/**", self._pass_on)

    @property
    def secrets(self) -> tuple[str, ...]:
        code, name, _ = SITES[0]
        # The last day alone: shifted back far enough, a later date may fall on an earlier one.
        days = (f"{max(DAYS.values()):{how}}" for how in ("%Y-%m-%d", "%Y%m%d"))
        return (self.story.number, f"{code}-", name, PATIENT.family_name, PATIENT.patient_id, *days)

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
    expect(page.locator(f'[name="{name}"]')).to_have_count(1)
    return f'[name="{name}"]'


def measure(page: Page, lesion: str, diameter: str, image: str) -> None:
    """Type a diameter and choose the image it was taken on: the series of slices, and the slice."""
    page.fill(item(page, f"{lesion}.diameter.0"), diameter)
    labels = page.locator(item(page, f"{lesion}.series.0")).locator("option").all_inner_texts()
    [slices] = [label for label in labels if f"{SLICES} images" in label]
    page.select_option(item(page, f"{lesion}.series.0"), label=slices)
    page.fill(item(page, f"{lesion}.image.0"), image)


def line(page: Page, code: str, time_point: str) -> Locator:
    """Give the line of the worklist, which is open, for a time point of a subject."""
    return page.get_by_role("row", name=re.compile(f"^{code} {time_point}"))


def code_of(reader: Visitor, time_point: str) -> str:
    """Give the reading code of the one subject that has this time point on the worklist."""
    reader.goto("/reads")
    return reader.page.get_by_role("row", name=re.compile(rf"\b{time_point}\b")).locator("th code").inner_text()


def open_read(reader: Visitor, code: str, time_point: str) -> str:
    """Open a time point from the worklist; gives the address of its read."""
    reader.goto("/reads")
    line(reader.page, code, time_point).get_by_role("link", name=re.compile(f"^{time_point}")).click()
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


def sign(page: Page, password: str = READER.password) -> None:
    """Sign with user name and password."""
    page.get_by_label("User name").fill(READER.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign", exact=True).click()
