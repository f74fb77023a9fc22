from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from tests.pipeline.bed import Bed
from tests.web.imaging_bed import bed, ct, ct_folder
from tests.web.preview.browser import need_frontend
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db

__all__ = ["bed", "ct", "ct_folder"]


def test_the_image_link_leads_into_the_viewer_and_leaves_a_record(bed: Bed, ct: list[Path]) -> None:
    bed.link(ct)
    (study,) = bed.studies()
    answer = bed.world.client("monitor").get(f"/studies/{study.study_instance_uid}")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/viewer/viewer?StudyInstanceUIDs={study.study_instance_uid}"
    db.session.rollback()
    wanted = select(AuditRecord).where(AuditRecord.reason == "opened in the viewer")
    (record,) = db.session.scalars(wanted)
    assert record.actor == "monitor@trial.example"


def test_the_image_link_sent_to_somebody_leads_to_sign_in_and_back(bed: Bed, ct: list[Path]) -> None:
    bed.link(ct)
    (study,) = bed.studies()
    answer = bed.world.client().get(f"/studies/{study.study_instance_uid}")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/sign-in?next=/studies/{study.study_instance_uid}"


def test_a_study_of_another_site_and_one_that_is_none_are_not_told_apart(bed: Bed, ct: list[Path]) -> None:
    bed.link(ct)
    (study,) = bed.studies()
    other = bed.world.client("coordinator-102")
    hidden, absent = other.get(f"/studies/{study.study_instance_uid}"), other.get("/studies/1.2.3.4")
    assert hidden.status_code == absent.status_code == 404
    assert other.get("/studies/..%2fsign-in").status_code == 404


def test_the_viewer_is_served_from_our_own_origin_with_its_own_policy(bed: Bed) -> None:
    need_frontend()
    client = bed.world.client("coordinator-101")
    for address in ("/viewer/", "/viewer/viewer?StudyInstanceUIDs=1.2.3", "/viewer/some/page"):
        page = client.get(address)
        assert (page.status_code, page.mimetype) == (200, "text/html")
        assert "wasm-unsafe-eval" in page.headers["Content-Security-Policy"]
        assert "http" not in page.headers["Content-Security-Policy"]
    config = client.get("/viewer/app-config.js")
    assert config.status_code == 200
    assert b"/dicomweb" in config.data
    assert client.get("/viewer/app.bundle.none.js").status_code == 404


@pytest.mark.parametrize("path", ["../settings.py", "..%2f..%2fapp.py", "%2e%2e/%2e%2e/errors.py", "/etc/passwd"])
def test_no_file_outside_the_viewer_is_served(bed: Bed, path: str) -> None:
    answer = bed.world.client("coordinator-101").get(f"/viewer/{path}")
    assert answer.status_code in {404, 308}


def test_the_viewer_is_for_people_who_may_open_images(bed: Bed) -> None:
    assert bed.world.client("trial-administrator").get("/viewer/").status_code == 403
    assert bed.world.client().get("/viewer/").status_code == 302
