"""What tests of the page for held pixels share: an installation with held images, and what a person does there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect
from pydicom import dcmread

from tests.e2e.served import served
from tests.e2e.visitor import Visit, Visitor
from tests.pipeline.bed import Bed, make_bed
from tests.world import PASSWORD, World, email_of
from trialimg.casework.services import services
from trialimg.domain.submission import Fate


@dataclass
class Held:
    """A linked CT with a clip, or several, that wait for a look, behind an address."""

    bed: Bed
    key: str
    origin: str
    originals: dict[str, Any]

    @property
    def page(self) -> str:
        return f"/submissions/{self.key}/pixels"

    def settled(self) -> None:
        """Let the pipeline do what was asked for, and find everything linked."""
        self.bed.run()
        assert set(self.bed.fates(self.key)) == {Fate.SENT}, self.bed.sentence(self.key)

    def from_archive(self) -> list[Any]:
        """What the archive holds of the clips now."""
        found = []
        for each in self.bed.objects(self.key):
            if each.modality == "US":
                archive = services().archive
                uids = each.study_instance_uid, each.series_instance_uid, each.sop_instance_uid
                with archive.fetch(*uids) as stream:
                    found.append(dcmread(BytesIO(stream.read())))
        return found


def serve(world: World, files: list[Path]) -> Iterator[Held]:
    bed = make_bed(world)
    pixels = {path.name: dcmread(path).pixel_array for path in files[3:]}
    key = bed.link(files)
    with served(world.app) as origin:
        yield Held(bed, key, origin, pixels)


def coordinator(visit: Visit, held: Held, path: str = "") -> Visitor:
    person = visit(held.origin)
    person.goto(path or held.page)
    person.sign_in(email_of("coordinator-101"), PASSWORD)
    return person


def picture(page: Page) -> Locator:
    """The picture once its frame is there and it takes keys."""
    expect(page.locator("form[data-ready]")).to_be_visible()
    found = page.locator("[data-picture][data-shown]")
    expect(found).to_be_visible()
    return found


def rows(page: Page) -> list[list[int]]:
    """The boxes as the form would send them."""
    return [
        [int(row.locator(f"[name={name}]").input_value()) for name in ("x", "y", "width", "height")]
        for row in page.locator("[data-boxes] tr").all()
    ]


def draw_by_mouse(page: Page, stage: Locator) -> None:
    at = stage.bounding_box()
    assert at is not None
    page.mouse.move(at["x"] + at["width"] * 0.6, at["y"] + at["height"] * 0.9)
    page.mouse.down()
    page.mouse.move(at["x"] + at["width"] * 0.8, at["y"] + at["height"] * 0.97, steps=5)
    page.mouse.up()
