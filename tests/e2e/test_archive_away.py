"""An archive that dies while images are on their way to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from seed_data.phantom.identities import PATIENT_IDENTITIES
from seed_data.phantom.mr import write_mr
from tests.e2e import coordinator as act
from tests.e2e.conftest import Place
from tests.e2e.first_day import TRIAL
from tests.e2e.records import studies_of
from tests.e2e.visitor import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.orthanc]


def test_the_archive_is_killed_in_between(on_orthanc: Place, visit: Visit, tmp_path: Path) -> None:
    """The archive dies after the coordinator confirmed: the page says so, and when it is back all ends linked."""
    archive, day, patient = on_orthanc.orthanc, act.days_ago(2), PATIENT_IDENTITIES[1]
    assert archive is not None
    disc = tmp_path / "disc"
    files = write_mr(disc, patient, study_date=day.strftime("%Y%m%d"), slices=12, size=128, study_key="killed")
    clara = visit(on_orthanc.installation.url)
    act.come_to_work(clara)
    number = act.enrol(clara, patient)
    act.date_visit(clara.page, "Screening", day)
    act.attach(clara, f"/trials/{TRIAL}/subjects/{number}/visits/SCR/slots/MR", disc, day)
    act.stage(clara.page, "surveyed")
    act.confirm(clara.page)
    archive.kill()
    try:
        told = clara.page.locator("[data-progress-sentence]")
        sentence = "The archive cannot be reached: nothing is lost, it is tried again."
        expect(told).to_contain_text(sentence, timeout=act.PATIENCE)
        expect(told).to_contain_text("the next attempt is due at")
        clara.look("30-archive-away", TRIAL, number, says="Images sent")
    finally:
        archive.start()
    act.stage(clara.page, "linked")
    uid = act.study_uid(clara.page)
    assert len(studies_of(archive)[uid]) == len(files)
