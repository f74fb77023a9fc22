"""The viewer beside a read opens at the read's own time point; what came before is offered beside it, nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.casework.reading_bed import ReadingBed, bed
from tests.web.imaging_bed import Visitor, text
from trialimg.casework.read_images import Image, Images, Series, _series
from trialimg.casework.services import EXTENSION, services
from trialimg.errors import TryLater
from trialimg.store.imaging import ImagingStudy, SubmissionObject
from trialimg.store.unit_of_work import Actor, unit_of_work
from trialimg.web import viewer

__all__ = ["bed"]
CONFIG = Path(viewer.__file__).parent / "static" / "viewer" / "app-config.js"


def series(key: str, count: int, *, localizer: bool = False, frames: int = 1) -> Series:
    return Series(key, key, tuple(Image(f"{key}.{at}", frames) for at in range(count)), "2.25.1", localizer)


def test_the_largest_series_that_is_no_localizer_is_the_one_to_begin_with() -> None:
    found = Images(
        (series("scout", 500, localizer=True), series("thin", 300), series("thick", 60), series("mf", 1, frames=301))
    )
    assert found.main is not None
    assert found.main.key == "mf"
    only = Images((series("scout", 2, localizer=True),))
    assert only.main is not None
    assert only.main.key == "scout", "a study of localizers alone still opens"
    assert Images().main is None


class Archive:
    """An archive in which the first series of each study is a localizer with more images than the second."""

    name = "headers only"
    can_forget = False

    def metadata(self, study_uid: str, series_uid: str) -> list[dict[str, Any]]:
        scout = series_uid.endswith(".1")
        return [
            {
                "00080018": {"Value": [f"{series_uid}.{at}"]}, "00080060": {"Value": ["CT"]}, "00280010": {"Value": [64]},
                "00200013": {"Value": [at]}, "00200011": {"Value": [1 if scout else 2]},
                "00080008": {"Value": ["ORIGINAL", "PRIMARY", "LOCALIZER" if scout else "AXIAL"]},
            }
            for at in range(1, 6)
        ]  # fmt: skip


@pytest.fixture
def read(bed: ReadingBed) -> ReadingBed:
    _series.cache_clear()
    bed.world.app.extensions[EXTENSION] = replace(services(), archive=Archive())
    for visit in ("SCR", "W8", "W16"):
        uid = bed.link(visit, instances=5)
        with unit_of_work(Actor("pipeline"), "a second series", trial_id=bed.world.trial_id) as uow:
            study = uow.session.query(ImagingStudy).filter_by(study_instance_uid=uid).one()
            first = uow.session.query(SubmissionObject).filter_by(study_id=study.id).first()
            assert first is not None
            for at in range(1, 5):
                uow.session.add(
                    SubmissionObject(
                        submission_id=first.submission_id, ordinal=100 + at, received_sha256="1" * 64, received_size=1,
                        fate="sent", study_id=study.id, study_instance_uid=uid, series_instance_uid=f"{uid}.2",
                        sop_instance_uid=f"{uid}.2.{at}", canonical_hash=f"hash {uid} {at}", modality="CT",
                    )
                )  # fmt: skip
    bed.read("SCR", "30")
    bed.read("W8", "25")
    return bed


def asked(bed: ReadingBed, query: str = "", visit: str = "W16") -> dict[str, list[str]]:
    page = text(Visitor(bed.world.client("reader")).get(f"/reads/{bed.key(visit)}{query}"))
    (address,) = re.findall(r'<iframe src="([^"]+)"', page)
    found = parse_qs(urlsplit(address.replace("&amp;", "&")).query)
    return {key: values[0].split(",") for key, values in found.items()}


def test_the_viewer_opens_the_reads_own_study_at_its_main_series_and_lists_the_priors_after_it(
    read: ReadingBed,
) -> None:
    found = asked(read)
    assert found["StudyInstanceUIDs"] == ["2.25.7.3", "2.25.7.2", "2.25.7.1"]
    assert found["initialSeriesInstanceUID"] == ["2.25.7.3.2"]
    assert "hangingProtocolId" not in found


@pytest.mark.parametrize("at", [1, 2])
def test_an_earlier_time_point_is_shown_beside_it_when_asked_for(read: ReadingBed, at: int) -> None:
    found = asked(read, f"?beside=2.25.7.{at}")
    assert found["StudyInstanceUIDs"][:2] == ["2.25.7.3", f"2.25.7.{at}"]
    assert sorted(found["StudyInstanceUIDs"]) == ["2.25.7.1", "2.25.7.2", "2.25.7.3"]
    assert found["initialSeriesInstanceUID"] == ["2.25.7.3.2", f"2.25.7.{at}.2"]
    assert found["hangingProtocolId"] == ["trialimg.beside"]
    assert "id: 'trialimg.beside'" in CONFIG.read_text("utf-8")


@pytest.mark.parametrize("beside", ["2.25.7.3", "2.25.999", "x" * 5000, "'\"><script>", "2.25.7.1,2.25.8"])
def test_nothing_but_a_prior_of_the_design_is_shown_beside_it(read: ReadingBed, beside: str) -> None:
    assert asked(read, f"?beside={beside}") == asked(read)


def test_an_archive_that_is_away_leaves_the_viewer_at_the_reads_own_study(read: ReadingBed) -> None:
    class Away:
        name = "away"
        can_forget = False

        def metadata(self, study_uid: str, series_uid: str) -> list[dict[str, Any]]:
            raise TryLater("The archive is away.")

    _series.cache_clear()
    read.world.app.extensions[EXTENSION] = replace(services(), archive=Away())
    assert asked(read) == {"StudyInstanceUIDs": ["2.25.7.3", "2.25.7.2", "2.25.7.1"]}


def test_the_way_to_the_images_and_back_is_on_the_page(read: ReadingBed) -> None:
    page = text(Visitor(read.world.client("reader")).get(f"/reads/{read.key('W16')}"))
    for target in ("images", "read"):
        assert f'href="#{target}"' in page
        assert page.count(f'id="{target}"') == 1
    assert "with Week 8 beside it" in page
