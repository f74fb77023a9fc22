"""The sponsor's day: what came of it, over time, and the record of that very subject taken out as PDF and as data."""

from __future__ import annotations

import csv
import re
import subprocess
import zipfile
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Final

import pypdf
from playwright.sync_api import Page, expect

from tests.e2e import readers as act
from tests.e2e.coordinators_day import SENT
from tests.e2e.first_day import READER, SPONSOR, TRIAL
from tests.e2e.planted import spoken_of
from tests.e2e.three_days import DAYS, PATIENT, Story
from tests.e2e.visitor import Visit, Visitor

TYPED: Final = {
    "HEIGHT_VSORRES": "178", "WEIGHT_VSORRES": "84.5", "TEMP_VSORRES": "38.4", "PULSE_VSORRES": "75",
    "SYSBP_VSORRES": "122", "DIABP_VSORRES": "78",
}  # fmt: skip
"""What the coordinator's form holds in the end, by item."""
_WORD: Final = re.compile(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">([^<]*)</word>')
_IMAGE_POINTS: Final = 146.0  # 52 mm, a little less


def sponsors_day(story: Story, visit: Visit) -> None:
    """Look at the trial, and take the subject out."""
    saul = story.comes(visit, SPONSOR, f"/trials/{TRIAL}/dashboard")
    expect(saul.page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    saul.look("70-dashboard", TRIAL, "Dashboard", says="Dashboard")
    _the_reads_are_shown(saul, story)
    saul.goto(f"/trials/{TRIAL}/reports")
    story.casebook = _casebook(saul, story)
    _the_casebook_tells_it(story.casebook, story)
    _the_data_tell_it(_data(saul, story), story)
    saul.look("72-reports", TRIAL, "Reports", says="Reports")
    verified = story.installation.run("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def _the_reads_are_shown(saul: Visitor, story: Story) -> None:
    page, number = saul.page, story.number
    saul.goto(f"/trials/{TRIAL}/reads")
    subject = page.get_by_role("region", name=re.compile(f"^{number}"))
    signed = subject.get_by_role("row", name=re.compile(f"^Week 8.*{READER.name}.*Signed"))
    expect(signed).to_contain_text("PR")
    expect(signed).to_contain_text(act.WEEK_8_MM)
    baseline = subject.get_by_role("row", name=re.compile(f"^Screening.*{READER.name}.*Signed"))
    expect(baseline).to_contain_text(act.BASELINE_MM)
    picture = subject.get_by_role("img", name=re.compile(f"sum of target lesions of {number}"))
    expect(picture.locator("circle")).to_have_count(2)
    expect(picture).to_contain_text("PR")
    signed.locator("summary", has_text="lesions").click()
    expect(signed).to_contain_text(act.PLACE)
    expect(signed.locator(".ti-signature")).to_contain_text(act.MEANING)
    saul.look("71-reads-of-the-trial", TRIAL, "Reads", says="Reads")


def _casebook(saul: Visitor, story: Story) -> Path:
    saul.page.get_by_label(story.number, exact=True).check()
    saul.page.get_by_role("button", name="Make casebooks of those chosen").click()
    return _download(saul.page, "pdf", story.folder)


def _data(saul: Visitor, story: Story) -> Path:
    saul.page.get_by_role("button", name="Export all data").click()
    return _download(saul.page, "zip", story.folder)


def _download(page: Page, ending: str, folder: Path) -> Path:
    expect(page.locator(".ti-flashes")).to_be_visible()
    ready = page.get_by_role("link", name=re.compile(rf"\.{ending}$"))
    expect(ready).to_be_visible(timeout=180_000)
    with page.expect_download() as coming:
        ready.click()
    path = folder / f"taken.{ending}"
    coming.value.save_as(path)
    return path


def _the_casebook_tells_it(path: Path, story: Story) -> None:
    assert path.read_bytes().startswith(b"%PDF-")
    book = pypdf.PdfReader(path)
    text = "\n".join(sheet.extract_text() for sheet in book.pages)
    plain = re.sub(r"\s+", "", text)
    told = [
        story.number, *story.studies.values(), *(f"{day:%Y-%m-%d}" for day in DAYS.values()), "Weight84.5kg",
        "Slight cold; measured twice.", "Read again from the source document.",
        READER.name, act.MEANING, act.BASELINE_MM, act.WEEK_8_MM, act.PLACE,
    ]  # fmt: skip
    assert [word for word in told if re.sub(r"\s+", "", word) not in plain] == [], "the casebook does not tell it"
    assert sum(len(sheet.images) for sheet in book.pages) >= len(story.studies), "each study has its key image"
    (story.folder / "taken.txt").write_text(text)
    assert spoken_of([PATIENT], [story.folder / "taken.txt"]) == []


def words_under_a_key_image(path: Path) -> list[str]:
    """Give the words that reach into a key image, which begins where its caption does, and stands above it."""
    told = subprocess.run(["pdftotext", "-bbox", str(path), "-"], check=True, capture_output=True, text=True).stdout
    found, seen = [], 0
    for sheet in told.split("<page ")[1:]:
        words = [(*map(float, place), word) for *place, word in _WORD.findall(sheet)]
        for (left, top, _, _, word), after in pairwise(words):
            if (word, after[4]) == ("Key", "image"):
                seen += 1
                beside = [each for each in words if each[3] <= top and each[1] > top - _IMAGE_POINTS]
                found += [each[4] for each in beside if each[2] > left]
    assert seen, "a key image has its caption"
    return found


def _the_data_tell_it(path: Path, story: Story) -> None:
    with zipfile.ZipFile(path) as taken:
        taken.extractall(story.folder / "taken")
        names = taken.namelist()
    tables = {Path(name).stem: _rows(story.folder / "taken" / name, story) for name in names if name.endswith(".csv")}
    [vital_signs] = [row for row in tables["form_VS"] if (row["visit"], row["group"]) == ("SCR", "RESULTS")]
    assert {item: vital_signs[item] for item in TYPED} == TYPED
    imaging = {row["visit"]: row["study_instance_uid"] for row in tables["imaging"]}
    assert imaging == story.studies
    sent: dict[str, set[str]] = {}
    for row in tables["instances"]:
        if row["fate"] == "sent":
            sent.setdefault(row["visit"], set()).add(row["sop_instance_uid"])
    assert sent == story.linked
    assert {len(instances) for instances in sent.values()} == {SENT}
    _the_reads_are_in(tables, story)
    assert spoken_of([PATIENT], [story.folder / "taken" / name for name in names]) == []


def _the_reads_are_in(tables: dict[str, list[dict[str, str]]], story: Story) -> None:
    """What was signed is final, with its signature; each diameter tells an image the coordinator sent."""
    reads = {row["visit"]: row for row in tables["reads"] if row["reader"] == READER.name}
    measured = {"SCR": act.BASELINE_MM, "W8": act.WEEK_8_MM}
    assert {visit: (row["state"], row["final"], row["sum"]) for visit, row in reads.items()} == {
        visit: ("signed", "Y", diameter) for visit, diameter in measured.items()
    }
    assert reads["W8"]["overall_response"] == "PR"
    for row in reads.values():
        assert (row["signed_by"], row["signed_meaning"], row["signature_fault"]) == (READER.name, act.MEANING, "")
        assert re.fullmatch("[0-9a-f]{64}", row["content_sha256"])
    lines = [row for row in tables["read_TR"] if row["reader"] == READER.name and row["TRTESTCD"] == "LDIAM"]
    assert {row["visit"]: row["TRORRES"] for row in lines} == measured
    assert [row for row in lines if row["sop_instance_uid"] not in story.linked[row["visit"]]] == []


def _rows(path: Path, story: Story) -> list[dict[str, str]]:
    """Give the rows of a table that are of the subject."""
    rows = csv.DictReader(StringIO(path.read_text("utf-8-sig")))
    return [row for row in rows if row.get("subject") == story.number]
