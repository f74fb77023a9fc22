"""The pictures of the README, taken of the demo: `make pictures` puts them into docs/pictures."""

from __future__ import annotations

import math
import re
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Final

import pypdf
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import expect

from seed_data.phantom.build import build_of
from seed_data.phantom.identities import PATIENT_IDENTITIES
from seed_data.phantom.lesions import place
from seed_data.story import STORY
from tests import peers
from tests.e2e import viewer
from tests.e2e.demo import Demo
from tests.e2e.readers import in_the_frame, item
from tests.e2e.visitor import Visit, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1500)]
SUBJECTS: Final = "/trials/DEMO/subjects"
DRAFT: Final = STORY[4]
"""Of whom reader-2 has a draft at Week 8."""
SLICES, SLICE_MM, LIVER = 96, 5.0, 1  # of the story's full studies; the second lesion of them


def test_the_form_with_its_linked_study(demo: Demo, visit: Visit, pictures: Path) -> None:
    clara = demo.comes(visit, "coordinator-101", f"{SUBJECTS}/101-001/visits/W8/forms/IMG")
    expect(clara.page.locator("#slot-CT code")).to_be_visible()
    _keep(clara, pictures / "form.png")


def test_the_subjects_of_the_trial(demo: Demo, visit: Visit, pictures: Path) -> None:
    dario = demo.comes(visit, "data-manager", "/trials/DEMO")
    expect(dario.page.get_by_role("heading", level=1)).to_have_text("Subjects")
    _keep(dario, pictures / "subjects.png")


def test_a_slice_in_the_viewer(demo: Demo, visit: Visit, pictures: Path) -> None:
    clara = demo.comes(visit, "coordinator-101", f"{SUBJECTS}/101-001/visits/W8/slots/CT")
    uid = clara.page.locator(".ti-study code").first.inner_text()
    clara.goto(f"/studies/{uid}")
    viewer.wait_until_drawn(clara.page)
    viewer.show_stack(clara.page, SLICES)
    viewer.show_slice(clara.page, 56, SLICES)
    _keep(clara, pictures / "viewer.png")


def test_a_read_beside_the_viewer_with_a_measurement_in_it(demo: Demo, visit: Visit, pictures: Path) -> None:
    """The lesion of the liver is measured on the slice it is largest in, and the read takes the length."""
    rhea = demo.comes(visit, "reader-2", "/reads")
    page = rhea.page
    page.get_by_role("row", name=re.compile(r"^\S+ Week 8.*Draft")).get_by_role("link").click()
    frame = in_the_frame(page)
    viewer.wait_until_drawn(frame)
    viewer.show_stack(frame, SLICES)
    if frame.locator('[data-cy="study-browser-thumbnail"]').first.is_visible():
        frame.locator('[data-cy="side-panel-header-left"]').click()  # the image is larger without the list
    depths = [SLICE_MM * (number + 0.5) for number in range(SLICES)]
    lesions = DRAFT.visits["W8"].images[0].lesions
    tumour = place(build_of(PATIENT_IDENTITIES[DRAFT.person], 1), lesions, depths)[LIVER]
    viewer.show_slice(frame, depths.index(tumour.depth), SLICES)
    turn = max((math.pi * step / 90 for step in range(90)), key=lambda a: tumour.radius(a) + tumour.radius(a + math.pi))
    ends = [
        (tumour.x + r * math.cos(a), tumour.y + r * math.sin(a))
        for a, r in ((angle, float(tumour.radius(angle))) for angle in (turn, turn + math.pi))
    ]
    page.get_by_role("button", name="Take the next line drawn for T2").click()
    viewer.draw_length(page, frame, ends)
    expect(page.locator(item(page, "T.T2.points.0"))).not_to_have_value("")
    expect(page.locator("[data-status]")).to_contain_text("Saved")
    taken = float(page.input_value(item(page, "T.T2.diameter.0")))
    assert taken == pytest.approx(lesions[LIVER].diameter_mm, abs=1)
    page.mouse.move(4, 4)
    page.locator('[data-lesion="T.T1"]').scroll_into_view_if_needed()
    _keep(rhea, pictures / "reader.png")


def test_the_dashboard(demo: Demo, visit: Visit, pictures: Path) -> None:
    saul = demo.comes(visit, "sponsor", "/trials/DEMO/dashboard")
    expect(saul.page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    _keep(saul, pictures / "dashboard.png")


def test_a_page_of_a_casebook(demo: Demo, visit: Visit, pictures: Path, tmp_path: Path) -> None:
    peers.require(peers.missing_poppler())
    saul = demo.comes(visit, "sponsor", "/trials/DEMO/reports")
    page = saul.page
    page.get_by_label("101-001", exact=True).check()
    page.get_by_role("button", name="Make casebooks of those chosen").click()
    ready = page.get_by_role("link", name=re.compile(r"101-001.*\.pdf$")).first
    expect(ready).to_be_visible(timeout=300_000)
    with page.expect_download() as coming:
        ready.click()
    coming.value.save_as(tmp_path / "casebook.pdf")
    number = _page_with_a_key_image(tmp_path / "casebook.pdf")
    command = ["pdftoppm", "-r", "110", "-png", "-singlefile", "-f", str(number), "-l", str(number)]
    subprocess.run([*command, str(tmp_path / "casebook.pdf"), str(tmp_path / "page")], check=True)
    with Image.open(tmp_path / "page.png") as sheet:
        framed = BytesIO()
        ImageOps.expand(sheet.convert("RGB"), border=1, fill="#b8c1c8").save(framed, "PNG")
    viewer.save_small(framed.getvalue(), pictures / "casebook.png")
    assert (pictures / "casebook.png").stat().st_size < 300_000


def _page_with_a_key_image(casebook: Path) -> int:
    """Give the number, from 1, of the page that shows a study: its UID and a picture of it."""
    for number, sheet in enumerate(pypdf.PdfReader(casebook).pages, 1):
        if "2.25." in sheet.extract_text() and len(sheet.images) > 0:
            return number
    raise AssertionError("no page of the casebook shows a study with its key image")


def _keep(person: Visitor, path: Path) -> None:
    viewer.save_small(person.page.screenshot(), path)
    assert path.stat().st_size < 300_000
    with Image.open(BytesIO(path.read_bytes())) as picture:
        assert picture.width == 1280
