"""Where a trial shifts dates, its team sees intervals at the image door: beside a form's date they tell nothing."""

from __future__ import annotations

import json
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from sqlalchemy import select

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.pipeline.bed import DAY, Bed, small_ct
from tests.pipeline.test_shifted_dates import shifting
from tests.web.imaging_bed import bed, ct, ct_folder
from tests.web.test_dicomweb import asked, first_instance, parts
from trialimg.casework.enrolment import date_visit
from trialimg.casework.viewing_masks import DAY_ZERO, shift_of
from trialimg.store.base import db
from trialimg.store.subject import Subject

__all__ = ["bed", "ct", "ct_folder", "shifting"]
APART = 56


@pytest.fixture
def studies(shifting: Bed, ct: list[Path], tmp_path: Path) -> list[str]:
    """Two linked studies of one subject, eight weeks apart, whose dates were shifted when they were cleaned."""
    shifting.link(ct)
    later = DAY + timedelta(APART)
    small_ct(tmp_path / "later", patient=PATIENT_IDENTITIES[0], study_key="later", study_date=f"{later:%Y%m%d}")
    files = [path for path in (tmp_path / "later").rglob("*") if path.is_file()]
    with shifting.world.acting("coordinator-101") as uow:
        date_visit(uow, shifting.slot("W8").visit_id, later, 0)
    shifting.link(files, shifting.slot("W8"))
    found = sorted(shifting.studies(), key=lambda each: each.acquired or date.max)
    assert [each.acquired for each in found] == [DAY, later]
    return [each.study_instance_uid for each in found]


def answers(bed: Bed, uid: str, who: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Any]:
    """Give what the door says of a study: in the list, as metadata, and as a whole file."""
    listed = asked(bed, f"/studies?StudyInstanceUID={uid}", who).json
    metadata = asked(bed, f"/studies/{uid}/metadata", who).json
    series, instance = first_instance(bed, uid)
    return listed, metadata, asked(bed, f"/studies/{uid}/series/{series}/instances/{instance}", who)


def the_day(entry: dict[str, Any]) -> str:
    return str(entry["00080020"]["Value"][0])


@pytest.mark.parametrize("who", ["coordinator-101", "monitor", "sponsor"])
def test_the_team_sees_intervals_and_neither_true_nor_shifted_dates(shifting: Bed, studies: list[str], who: str) -> None:
    subject = db.session.scalars(select(Subject).where(Subject.number == shifting.number)).one()
    shift = shift_of(subject)
    assert shift < 0
    for at, uid in enumerate(studies):
        told = f"{DAY_ZERO + timedelta(at * APART):%Y%m%d}"
        listed, metadata, whole = answers(shifting, uid, who)
        assert {the_day(entry) for entry in (*listed, *metadata)} == {told}
        for part in parts(whole):
            file = dcmread(BytesIO(part))
            assert file.StudyDate == told
            assert file.PatientID == shifting.number, "the team knows the subject"
            assert file.ClinicalTrialSiteID == "101"
        said = json.dumps([listed, metadata]).encode() + whole.data
        for day in (DAY + timedelta(at * APART), DAY + timedelta(at * APART + shift)):
            assert f"{day:%Y%m%d}".encode() not in said
            assert day.isoformat().encode() not in said


def test_images_whose_true_date_nobody_gave_are_shown_without_any(shifting: Bed, studies: list[str]) -> None:
    with shifting.world.acting("data-manager") as uow:
        for study in shifting.studies():
            uow.session.merge(study).acquired = None
    _, metadata, _ = answers(shifting, studies[0], "monitor")
    assert all("Value" not in entry["00080020"] for entry in metadata)
