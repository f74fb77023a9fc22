from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.pipeline.bed import Bed
from tests.web.imaging_bed import bed, ct, ct_folder
from trialimg.casework import token
from trialimg.dicom.deidentify import clean_file
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.domain.submission import Stage
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db
from trialimg.store.imaging import Submission
from trialimg.web.openapi import document

__all__ = ["bed", "ct", "ct_folder"]
BASE = "/api/v1"


def asked(bed: Bed, address: str, who: str = "coordinator-101", **given: Any) -> Any:
    return bed.world.client().get(f"{BASE}{address}", headers=bed.world.bearer(who), **given)


def told(bed: Bed, address: str, body: Any = None, who: str = "coordinator-101", **given: Any) -> Any:
    headers = {**bed.world.bearer(who), **given.pop("headers", {})}
    if body is not None:
        given["json"] = body
    return bed.world.client().post(f"{BASE}{address}", headers=headers, **given)


def names(bed: Bed, **more: str) -> dict[str, str]:
    return {"subject": bed.number, "visit": "SCR", "slot": "CT", **more}


# --- the description ----------------------------------------------------------------------------------------


def test_the_description_is_valid() -> None:
    validate(document())


def test_the_description_and_the_routes_are_the_same(bed: Bed) -> None:
    described = {
        (f"{BASE}{path}", method) for path, acts in document()["paths"].items() for method in acts if method != "parameters"
    }
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in bed.app.url_map.iter_rules()
        if rule.rule.startswith(f"{BASE}/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert described == served


def test_answers_have_the_described_fields(bed: Bed, ct: list[Path]) -> None:
    key = bed.link(ct)
    schemas = document()["components"]["schemas"]
    (line,) = asked(bed, "/imaging").get_json()
    assert set(line) == set(schemas["Imaging"]["properties"])
    assert set(asked(bed, "/slots").get_json()[0]) == set(schemas["Slot"]["properties"])
    assert set(asked(bed, f"/submissions/{key}").get_json()) == set(schemas["Submission"]["properties"])


def test_the_description_is_served_to_anybody(bed: Bed) -> None:
    answer = bed.world.client().get(f"{BASE}/openapi.json")
    assert answer.get_json() == document()


# --- who asks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer trialimg_nonsense", "Bearer " + "x" * 5000])
def test_without_a_good_token_nothing_is_told(bed: Bed, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    answer = bed.world.client().get(f"{BASE}/slots", headers=headers)
    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert set(answer.get_json()) == {"type", "title", "status", "detail", "code"}


def test_a_browsers_session_is_no_token(bed: Bed) -> None:
    assert bed.world.client("coordinator-101").get(f"{BASE}/slots").status_code == 401


def test_a_revoked_token_is_none(bed: Bed) -> None:
    header = bed.world.bearer("coordinator-101")
    client = bed.world.client()
    assert client.get(f"{BASE}/slots", headers=header).status_code == 200
    person = bed.world.person("coordinator-101")
    with bed.world.acting("coordinator-101") as uow:
        for card in token.tokens_of(person):
            token.revoke_token(uow, person, card.token_id)
    assert client.get(f"{BASE}/slots", headers=header).status_code == 401


def test_slots_are_those_of_the_tokens_own_site(bed: Bed) -> None:
    other = bed.world.subject("102")
    assert {slot["subject"] for slot in asked(bed, "/slots").get_json()} == {bed.number}
    assert {slot["subject"] for slot in asked(bed, "/slots", "coordinator-102").get_json()} == {other}
    assert asked(bed, "/slots", "monitor").status_code == 403
    mr = asked(bed, "/slots?open=true&modality=MR").get_json()
    assert mr
    assert {slot["modality"] for slot in mr} == {"MR"}
    for wrong in ("/slots?open=false", "/slots?colour=red", "/imaging?site=101"):
        assert asked(bed, wrong).status_code == 422


def test_a_linked_slot_is_open_no_more_and_its_study_is_listed(bed: Bed, ct: list[Path]) -> None:
    before = {(s["visit"], s["slot"]) for s in asked(bed, "/slots").get_json()}
    bed.link(ct)
    after = {(s["visit"], s["slot"]) for s in asked(bed, "/slots").get_json()}
    assert before - after == {("SCR", "CT")}
    (line,) = asked(bed, f"/imaging?subject={bed.number}").get_json()
    (study,) = bed.studies()
    assert line["study_instance_uid"] == study.study_instance_uid
    assert (line["stage"], line["instances"]) == ("linked", len(ct))
    assert asked(bed, "/imaging", "coordinator-102").get_json() == []
    assert asked(bed, "/imaging", "monitor").get_json() == [line]


# --- sending as the client does -----------------------------------------------------------------------------


def cleaned(bed: Bed, files: list[Path], folder: Path) -> list[Path]:
    keys = asked(bed, "/sending", query_string=names(bed)).get_json()
    done = []
    for number, file in enumerate(files):
        target = folder / f"{number}.dcm"
        with file.open("rb") as source:
            clean_file(
                source, target, profile=Profile.from_mapping(keys["profile"]),
                identity=SubjectIdentity(**keys["identity"]), subject_key=bytes.fromhex(keys["subject_key"]),
                fingerprint_key=bytes.fromhex(keys["fingerprint_key"]),
            )  # fmt: skip
        done.append(target)
    return done


def send(bed: Bed, files: list[Path]) -> str:
    key = str(told(bed, "/submissions", names(bed)).get_json()["submission"])
    for ordinal, file in enumerate(files, 1):
        got = told(bed, f"/submissions/{key}/objects", data=file.read_bytes(), headers={"X-Object-Ordinal": str(ordinal)})
        assert got.status_code == 201, got.get_json()
    assert told(bed, f"/submissions/{key}/complete", {"count": len(files)}).status_code == 200
    return key


def test_what_was_cleaned_at_its_source_is_linked_with_a_hash_for_each_instance(
    bed: Bed, ct: list[Path], tmp_path: Path
) -> None:
    key = send(bed, cleaned(bed, ct, tmp_path))
    bed.run()
    assert told(bed, f"/submissions/{key}/confirm").status_code == 200
    bed.run()
    report = asked(bed, f"/submissions/{key}").get_json()
    (study,) = bed.studies()
    assert (report["stage"], report["finished"]) == ("linked", True)
    assert report["study_instance_uid"] == study.study_instance_uid
    assert all(len(instance["hash"]) == 64 for instance in report["instances"])


def test_originals_sent_as_cleaned_are_not_taken(bed: Bed, ct: list[Path]) -> None:
    key = send(bed, ct)
    bed.run()
    answer = told(bed, f"/submissions/{key}/confirm")
    bed.run()
    assert bed.stage(key) is not Stage.LINKED
    assert answer.status_code in {200, 422}
    assert not bed.studies()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 422), ([], 422), ({}, 422), ({"subject": 7}, 422), ({"subject": "x" * 65, "visit": "SCR", "slot": "CT"}, 422),
        ({"subject": "999-999", "visit": "SCR", "slot": "CT"}, 404),
    ],
)  # fmt: skip
def test_a_claim_that_names_nothing_is_a_sentence(bed: Bed, body: Any, status: int) -> None:
    answer = told(bed, "/submissions", body)
    assert answer.status_code == status
    assert answer.get_json()["detail"]


ONCE = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def claims(bed: Bed, key: str, who: str = "coordinator-101", **more: str) -> Any:
    return told(bed, "/submissions", names(bed, **more), who, headers={"Idempotency-Key": key})


def counted() -> tuple[int, int]:
    """Count submissions, and records of the trail about them."""
    db.session.rollback()
    records = db.select(db.func.count()).where(AuditRecord.table_name == "submission")
    return db.session.scalar(db.select(db.func.count(Submission.id))) or 0, db.session.scalar(records) or 0


def test_a_claim_asked_again_since_its_answer_was_lost_is_the_first_one_and_the_trail_has_it_once(bed: Bed) -> None:
    first = claims(bed, ONCE)
    before = counted()
    again = [claims(bed, spelled) for spelled in (ONCE, f'"{ONCE}"', ONCE.replace("-", "").upper())]
    assert {answer.status_code for answer in (first, *again)} == {201}
    assert {answer.get_json()["submission"] for answer in (first, *again)} == {ONCE.replace("-", "")}
    assert counted() == before == (1, before[1])
    assert before[1] > 0
    assert told(bed, "/submissions", names(bed)).get_json() != first.get_json()
    assert counted()[0] == 2


def test_a_claim_asked_many_times_at_one_moment_is_one(bed: Bed) -> None:
    asking = {"json": names(bed), "headers": {**bed.world.bearer("coordinator-101"), "Idempotency-Key": ONCE}}
    with ThreadPoolExecutor(4) as pool:
        clients = [bed.world.client() for _ in range(4)]
        answers = list(pool.map(lambda client: client.post(f"{BASE}/submissions", **asking), clients))
    assert [answer.status_code for answer in answers] == [201] * 4
    assert counted()[0] == 1


def test_a_key_of_another_slot_or_person_claims_nothing(bed: Bed) -> None:
    claims(bed, ONCE)
    bed.world.subject("102")
    before = counted()
    assert claims(bed, ONCE, slot="MR").status_code == 409
    assert claims(bed, ONCE, "investigator-101").status_code == 409
    assert claims(bed, ONCE, "coordinator-102").status_code == 404
    for none in ("x", "0" * 31, "0" * 33, "'; --", "../" * 10):
        assert claims(bed, none).status_code == 422
    assert counted() == before


@pytest.mark.parametrize(
    "studies", [[], {"2.25.1": 5}, {"1.2.840.1": "a" * 64}, {"2.25.7": "A" * 64}, {"2.25.7": "a" * 65}, "a"]
)
def test_marks_that_are_none_are_refused_and_nothing_is_claimed(bed: Bed, studies: Any) -> None:
    claim = {"subject": bed.number, "visit": "SCR", "slot": "CT", "studies": studies}
    answer = told(bed, "/submissions", claim)
    assert answer.status_code == 422
    assert "“studies” gives the mark" in answer.get_json()["detail"]


def test_another_site_reads_nothing_and_gets_no_keys(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    nothing = asked(bed, f"/submissions/{'0' * 32}", "coordinator-102")
    for answer in (
        asked(bed, f"/submissions/{key}", "coordinator-102"),
        asked(bed, "/sending", "coordinator-102", query_string=names(bed)),
        told(bed, f"/submissions/{key}/cancel", {"reason": "x"}, "coordinator-102"),
    ):
        assert answer.status_code == 404
    assert asked(bed, f"/submissions/{key}", "coordinator-102").get_json() == nothing.get_json()


def test_giving_out_keys_leaves_a_record(bed: Bed) -> None:
    asked(bed, "/sending", query_string=names(bed))
    db.session.rollback()
    wanted = db.select(AuditRecord).where(AuditRecord.reason == "keys given for sending")
    assert db.session.scalars(wanted).first() is not None


def test_a_token_needs_no_page_token_and_a_cookie_cannot_stand_in_for_it(bed: Bed) -> None:
    assert told(bed, "/submissions", names(bed)).status_code == 201
    client = bed.world.client("coordinator-101")
    assert client.post(f"{BASE}/submissions", json=names(bed)).status_code in {400, 401}
