from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.pipeline.bed import Bed, small_ct
from tests.web.imaging_bed import bed, ct, ct_folder
from trialimg.domain.submission import Fate

__all__ = ["bed", "ct", "ct_folder"]


@pytest.fixture
def uid(bed: Bed, ct: list[Path]) -> str:
    """The StudyInstanceUID of a linked study of site 101."""
    bed.link(ct)
    return bed.studies()[0].study_instance_uid


@pytest.fixture
def other_uid(bed: Bed, uid: str, tmp_path: Path) -> str:
    """Another linked study of the same site and another subject."""
    small_ct(tmp_path / "other", patient=PATIENT_IDENTITIES[1], study_key="other")
    files = [path for path in (tmp_path / "other").rglob("*") if path.is_file()]
    bed.link(files, bed.slot(number=bed.world.subject("101")))
    return next(study.study_instance_uid for study in bed.studies() if study.study_instance_uid != uid)


def asked(bed: Bed, address: str, who: str = "coordinator-101", **given: Any) -> Any:
    return bed.world.client(who).get(f"/dicomweb{address}", **given)


def first_instance(bed: Bed, uid: str) -> tuple[str, str]:
    for item in (each for study in bed.studies() if study.study_instance_uid == uid for each in _objects(bed, study.id)):
        return item.series_instance_uid, item.sop_instance_uid
    raise AssertionError(uid)


def _objects(bed: Bed, study_id: str) -> list[Any]:
    from sqlalchemy import select

    from trialimg.store.base import db
    from trialimg.store.imaging import SubmissionObject

    wanted = select(SubmissionObject).where(SubmissionObject.study_id == study_id, SubmissionObject.fate == Fate.SENT)
    return list(db.session.scalars(wanted.order_by(SubmissionObject.ordinal)))


def parts(answer: Any) -> list[bytes]:
    boundary = answer.content_type.split("boundary=")[1].strip('"').encode()
    pieces = answer.data.split(b"--" + boundary)
    return [piece.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for piece in pieces[1:-1]]


def test_a_permitted_study_is_found_described_and_fetched(bed: Bed, uid: str) -> None:
    (study,) = asked(bed, f"/studies?StudyInstanceUID={uid}").get_json()
    assert study["0020000D"]["Value"] == [uid]
    assert study["00100020"]["Value"] == [bed.number]
    assert study["00080061"]["Value"] == ["CT"]
    series = asked(bed, f"/studies/{uid}/series").get_json()
    assert len(series) == 2
    series_uid, sop_uid = first_instance(bed, uid)
    path = f"/studies/{uid}/series/{series_uid}"
    assert asked(bed, f"{path}/instances").get_json()
    assert asked(bed, f"{path}/metadata").get_json()
    (whole,) = parts(asked(bed, f"{path}/instances/{sop_uid}"))
    data = dcmread(BytesIO(whole))
    assert (data.SOPInstanceUID, data.PatientID) == (sop_uid, bed.number)
    (frame,) = parts(asked(bed, f"{path}/instances/{sop_uid}/frames/1"))
    assert frame == data.PixelData


def test_what_another_site_may_not_see_is_told_as_what_does_not_exist(bed: Bed, uid: str) -> None:
    series_uid, sop_uid = first_instance(bed, uid)
    tails = ["/series", "/metadata", f"/series/{series_uid}/instances", f"/series/{series_uid}/metadata",
             f"/series/{series_uid}/instances/{sop_uid}", f"/series/{series_uid}/instances/{sop_uid}/frames/1"]  # fmt: skip
    for tail in tails:
        hidden = asked(bed, f"/studies/{uid}{tail}", "coordinator-102")
        absent = asked(bed, f"/studies/1.2.3.4{tail}", "coordinator-102")
        assert (hidden.status_code, hidden.data) == (absent.status_code, absent.data), tail
        assert hidden.status_code == 404


def test_a_study_list_holds_the_permitted_ones_only(bed: Bed, uid: str, other_uid: str) -> None:
    assert {s["0020000D"]["Value"][0] for s in asked(bed, "/studies").get_json()} == {uid, other_uid}
    assert [s["0020000D"]["Value"][0] for s in asked(bed, f"/studies?PatientID={bed.number}").get_json()] == [uid]
    assert asked(bed, "/studies", "coordinator-102").get_json() == []
    assert asked(bed, f"/studies?StudyInstanceUID={uid}", "coordinator-102").get_json() == []
    assert len(asked(bed, "/studies?limit=1").get_json()) == 1
    assert asked(bed, "/studies?ModalitiesInStudy=MR").get_json() == []


def test_a_series_of_an_allowed_study_is_not_served_under_another_one(bed: Bed, uid: str, other_uid: str) -> None:
    series_uid, sop_uid = first_instance(bed, uid)
    foreign = f"/studies/{other_uid}/series/{series_uid}"
    for address in (f"{foreign}/instances", f"{foreign}/metadata", f"{foreign}/instances/{sop_uid}", f"{foreign}/instances/{sop_uid}/frames/1"):
        assert asked(bed, address).status_code == 404
    other_series, _ = first_instance(bed, other_uid)
    assert asked(bed, f"/studies/{uid}/series/{other_series}/instances/{sop_uid}").status_code == 404


@pytest.mark.parametrize("query", ["?PatientName=*", "?colour=red", "?00081030=x", "?StudyInstanceUID=1&x=1"])
def test_query_keys_that_are_not_listed_are_refused(bed: Bed, uid: str, query: str) -> None:
    assert asked(bed, f"/studies{query}").status_code == 422
    assert asked(bed, f"/studies/{uid}/series?PatientName=A*").status_code == 422


@pytest.mark.parametrize(
    "address",
    ["/studies/{uid}%2f..%2f..%2fpatients/series", "/studies/%2e%2e/series", "/studies/{uid}/series/%2e%2e/metadata",
     "/studies/{uid}/series/..%2f{series}/metadata", "/studies/{uid}/series/{series}/instances/%2e%2e",
     "/studies/{uid}/series/{series}/instances/{sop}/bulkdata/%2e%2e/%2e%2e/system",
     "/studies/{uid}/series/{series}%00/metadata"],
)  # fmt: skip
def test_no_address_leads_out_of_the_study(bed: Bed, uid: str, address: str) -> None:
    series_uid, sop_uid = first_instance(bed, uid)
    answer = asked(bed, address.format(uid=uid, series=series_uid, sop=sop_uid))
    assert answer.status_code in {404, 422}


@pytest.mark.parametrize("numbers", ["0", "-1", "x", "1,x", "999", ",".join(["1"] * 1001)])
def test_frames_that_are_none_are_refused(bed: Bed, uid: str, numbers: str) -> None:
    series_uid, sop_uid = first_instance(bed, uid)
    answer = asked(bed, f"/studies/{uid}/series/{series_uid}/instances/{sop_uid}/frames/{numbers}")
    assert answer.status_code in {404, 422}


def test_who_may_not_open_images_or_is_not_signed_in_gets_nothing(bed: Bed, uid: str) -> None:
    for who in ("trial-administrator", "nobody", "adjudicator"):
        assert asked(bed, "/studies", who).status_code == 403
        assert asked(bed, f"/studies/{uid}/series", who).status_code in {403, 404}
    assert asked(bed, f"/studies/{uid}/series", "").status_code == 401


def test_a_token_opens_the_door_until_its_person_loses_access(bed: Bed, uid: str) -> None:
    from trialimg.casework import accounts

    header, client = bed.world.bearer("monitor"), bed.world.client()
    assert client.get(f"/dicomweb/studies/{uid}/series", headers=header).status_code == 200
    admin, monitor = bed.world.person("administrator"), bed.world.person("monitor")
    with bed.world.acting("administrator") as uow:
        accounts.end_access(uow, admin, monitor.account_id)
    assert client.get(f"/dicomweb/studies/{uid}/series", headers=header).status_code == 401


def test_held_images_are_not_behind_the_door(bed: Bed, tmp_path: Path) -> None:
    small_ct(tmp_path / "dose", dose_report=True)
    key = bed.link([path for path in (tmp_path / "dose").rglob("*") if path.is_file()])
    (held,) = [item for item in bed.objects(key) if item.fate == Fate.HELD]
    uid = held.study_instance_uid
    address = f"/studies/{uid}/series/{held.series_instance_uid}/instances/{held.sop_instance_uid}"
    assert asked(bed, address).status_code == 404
    shown = {entry["00080018"]["Value"][0] for entry in asked(bed, f"/studies/{uid}/metadata").get_json()}
    assert held.sop_instance_uid not in shown
    assert len(shown) == sum(item.fate == Fate.SENT for item in bed.objects(key))


def test_the_door_only_reads(bed: Bed, uid: str) -> None:
    client = bed.world.client("coordinator-101")
    for method in ("post", "put", "delete", "patch"):
        assert getattr(client, method)(f"/dicomweb/studies/{uid}/series").status_code in {400, 405}
