"""How a submission was de-identified, as people read it: the page, the JSON, the PDF, and who may not."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pypdf
import pytest
from werkzeug.test import TestResponse

from seed_data.phantom.identities import planted_strings
from tests.documents.archival import faults
from tests.pipeline.bed import PATIENT, Bed
from tests.web.imaging_bed import bed as bed  # noqa: PLC0414 (a fixture)
from tests.web.imaging_bed import ct as ct  # noqa: PLC0414 (a fixture)
from tests.web.imaging_bed import ct_folder as ct_folder  # noqa: PLC0414 (a fixture)
from tests.web.imaging_bed import slot_address, visitor, words
from trialimg.documents.deid import DeidAccount
from trialimg.domain.deid_report import MASKED, ActionCount, PixelCount, Report
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db
from trialimg.store.export import Export


@pytest.fixture
def linked(bed: Bed, ct: list[Path]) -> str:
    return f"/submissions/{bed.link(ct)}/deidentification"


def test_the_page_tells_in_sentences_and_paths_what_was_done(bed: Bed, linked: str) -> None:
    page = words(visitor(bed).get(linked))
    assert "5 objects were received: 5 cleaned." in page
    assert "5 images were searched after cleaning for what the original says of the patient: nothing of it was found." in page
    assert "(0010,0010)" in page
    assert "Basic Application Confidentiality Profile" in page
    assert "edition 2026c" in page
    assert "The pixels of 5 images were not looked at: images of their kind usually show no text." in page
    assert "Not looked at" in page
    assert re.search(r"a place or a thing, [\d,]+ were removed, ", page)
    for planted in planted_strings(PATIENT):
        assert planted not in page


def test_the_submission_and_its_slot_lead_to_it(bed: Bed, linked: str) -> None:
    assert linked in visitor(bed).get(linked.removesuffix("/deidentification")).get_data(as_text=True)
    assert linked in visitor(bed).get(slot_address(bed)).get_data(as_text=True)


def test_a_long_table_is_folded_until_somebody_asks_for_a_part_of_it(bed: Bed, linked: str) -> None:
    folded = "<details><summary>Show "
    whole = visitor(bed).get(linked).get_data(as_text=True)
    assert whole.count(folded) == 1
    assert whole.index(folded) < whole.index("(0010,0010)")
    assert folded not in visitor(bed).get(f"{linked}?find=a").get_data(as_text=True)


def test_a_person_who_decided_is_told_by_the_role() -> None:
    counts = (PixelCount(MASKED, "site coordinator", 1, 0, 2, 0),)
    report = Report("demo", "1", 1, (), (ActionCount("(0010,0010)", "PatientName", "X", 1),), pixels=counts)
    account = DeidAccount("DEMO", "P", "101-001", "W8", "CT", "s", (), False, report, None)
    assert any(each.endswith("1 image, parts hidden in 2 boxes, decided by the site coordinator.") for each in account.sentences)
    assert any(each.endswith("a thing, 1 was removed.") for each in account.sentences)
    assert not any("not looked at" in each for each in account.sentences)


def test_the_table_is_searched_without_a_script(bed: Bed, linked: str) -> None:
    whole = words(visitor(bed).get(linked))
    page = words(visitor(bed).get(f"{linked}?find=patientname"))
    assert "(0010,0010)" in page
    assert "(0008,0050)" in whole
    assert "(0008,0050)" not in page
    group = words(visitor(bed).get(f"{linked}?group=patient"))
    assert "(0010,0020)" in group
    assert "(0008,0050)" not in group
    assert "0 paths of tags" in words(visitor(bed).get(f"{linked}?find=<script>alert(1)</script>"))


def test_the_json_is_the_report_and_taking_it_is_recorded(bed: Bed, linked: str) -> None:
    answer = visitor(bed).get(f"{linked}.json")
    assert answer.status_code == 200
    document = json.loads(answer.get_data())
    report = Report.from_json(document["report"])
    assert report.instances == 5
    assert report.residue.searched == 5
    assert report.unseen == 5
    assert document["as_told_by_the_sender"] is None
    assert "attachment" in answer.headers["Content-Disposition"]
    with bed.app.app_context():
        notes = list(db.session.scalars(db.select(AuditRecord.action)))
    assert "download" in notes


def made(bed: Bed, linked: str, who: str = "coordinator-101") -> TestResponse:
    """Ask for the PDF, let it be laid out in the background, and take it."""
    person = visitor(bed, who)
    person.get(linked)
    assert person.post(f"{linked}/pdf").status_code == 303
    bed.run()
    return person.get(f"{linked}/pdf")


def test_the_pdf_is_one_to_keep_and_says_the_same(bed: Bed, linked: str, tmp_path: Path) -> None:
    answer = made(bed, linked)
    assert answer.status_code == 200
    assert answer.mimetype == "application/pdf"
    assert "-deidentification.pdf" in answer.headers["Content-Disposition"]
    (tmp_path / "report.pdf").write_bytes(answer.get_data())
    told = subprocess.run(
        ["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"], capture_output=True, text=True, check=True
    ).stdout
    assert "De-identification report" in told
    assert "PatientName" in told
    assert "5 objects were received: 5 cleaned." in " ".join(told.split())
    assert "The pixels of 5 images were not looked at" in " ".join(told.split())
    assert faults(pypdf.PdfReader(tmp_path / "report.pdf")) == []
    for planted in planted_strings(PATIENT):
        assert planted not in told


def test_no_request_lays_the_pdf_out_and_the_page_tells_how_far_it_is(bed: Bed, linked: str) -> None:
    person = visitor(bed)
    assert "Make a PDF" in words(person.get(linked))
    assert person.get(f"{linked}/pdf").status_code == 404
    for _ in range(2):  # asked for twice, made once
        assert person.post(f"{linked}/pdf").status_code == 303
    assert "Waits for a worker." in words(person.get(linked))
    assert person.get(f"{linked}/pdf/progress").get_json()["finished"] is False
    with bed.app.app_context():
        assert db.session.scalar(db.select(db.func.count()).select_from(Export)) == 1
    bed.run()
    assert person.get(f"{linked}/pdf/progress").get_json()["finished"] is True
    page = words(person.get(linked))
    assert "The PDF is made" in page
    assert "Make the PDF anew" in page
    assert person.get(f"{linked}/pdf").status_code == 200
    with bed.app.app_context():
        notes = list(db.session.scalars(db.select(AuditRecord.action)))
    assert notes.count("download") == 1


def test_a_pdf_that_is_under_way_is_given_up(bed: Bed, linked: str) -> None:
    person = visitor(bed)
    person.get(linked)
    assert person.post(f"{linked}/pdf").status_code == 303
    assert person.post(f"{linked}/pdf/cancel").status_code == 303
    bed.run()
    assert "Make a PDF" in words(person.get(linked))
    assert person.get(f"{linked}/pdf").status_code == 404


def test_the_pdf_of_somebody_else_is_not_shown(bed: Bed, linked: str) -> None:
    made(bed, linked)
    assert "The PDF is made" not in words(visitor(bed, "monitor").get(linked))
    assert visitor(bed, "monitor").get(f"{linked}/pdf").status_code == 404


def test_a_person_who_makes_casebooks_finds_it_among_their_exports(bed: Bed, linked: str) -> None:
    assert made(bed, linked, "monitor").status_code == 200
    page = words(visitor(bed, "monitor").get(f"/trials/{bed.world.code}/reports"))
    assert "deidentification.pdf" in page


@pytest.mark.parametrize("who", ["reader", "coordinator-102"])
@pytest.mark.parametrize("ending", ["", ".json", "/pdf", "/pdf/progress"])
def test_readers_and_people_of_other_sites_learn_nothing_from_it(bed: Bed, linked: str, who: str, ending: str) -> None:
    person = visitor(bed, who)
    person.get("/account")
    answer = person.get(linked + ending)
    assert answer.status_code in {403, 404}
    assert person.post(f"{linked}/pdf").status_code in {403, 404}
    assert "0010,0010" not in answer.get_data(as_text=True)


def test_before_anything_is_cleaned_there_is_nothing_to_tell(bed: Bed, ct: list[Path]) -> None:
    address = f"/submissions/{bed.survey(ct)}/deidentification"
    person = visitor(bed)
    assert "nothing to tell" in words(person.get(address))
    assert visitor(bed).get(f"{address}.json").status_code == 404
    assert person.post(f"{address}/pdf").status_code == 404


def api(bed: Bed, who: str = "coordinator-101") -> dict[str, str]:
    return {"Authorization": f"Bearer {bed.world.token(who)}"}


def claimed(bed: Bed) -> str:
    """Claim a slot as the client does, and give the address of the submission in the interface."""
    client = bed.app.test_client()
    names = {"subject": bed.number, "visit": "SCR", "slot": "CT"}
    answer = client.post("/api/v1/submissions", json=names, headers=api(bed))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return f"/api/v1/submissions/{answer.get_json()['submission']}"


def told(bed: Bed) -> dict[str, object]:
    """A report as a client of this trial writes it."""
    names = {"subject": bed.number, "visit": "SCR", "slot": "CT"}
    profile = bed.app.test_client().get("/api/v1/sending", query_string=names, headers=api(bed)).get_json()["profile"]
    report = Report(profile["name"], profile["version"], 5, ("113100",), (("(0010,0010)", "PatientName", "D", 5),))
    return report.to_json()


def test_what_a_sender_tells_of_its_cleaning_is_kept_as_its_claim(bed: Bed) -> None:
    address = claimed(bed)
    answer = bed.app.test_client().post(f"{address}/report", json=told(bed), headers=api(bed))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    page = words(visitor(bed).get(f"/submissions/{address.rsplit('/', 1)[1]}/deidentification"))
    assert "as told by the sender" in page
    assert "(0010,0010)" in page
    document = visitor(bed).get(f"/submissions/{address.rsplit('/', 1)[1]}/deidentification.json").get_json()
    assert document["as_told_by_the_sender"]["actions"] == [["(0010,0010)", "PatientName", "D", 5]]


def test_a_sender_cannot_hide_a_name_in_its_report(bed: Bed) -> None:
    address, document = claimed(bed), told(bed)
    document["actions"] = [["(0010,0010)", "MaryOkonkwo", "D", 5]]
    document["engine"] = document["table"] = "Okonkwo"
    document["rules"] = [{"about": "Okonkwo", "action": "K", "why": "Okonkwo"}]
    document["pixels"] = [{"decision": "shown", "role": "Mary Okonkwo", "instances": 1, "by_rule": 0, "by_text": 0, "by_person": 0}]
    document["outcomes"] = [{"outcome": "held", "code": "okonkwo", "times": 1}]
    assert bed.app.test_client().post(f"{address}/report", json=document, headers=api(bed)).status_code == 200
    page = visitor(bed).get(f"/submissions/{address.rsplit('/', 1)[1]}/deidentification")
    taken = visitor(bed).get(f"/submissions/{address.rsplit('/', 1)[1]}/deidentification.json")
    assert "okonkwo" not in (page.get_data(as_text=True) + taken.get_data(as_text=True)).casefold()
    assert "PatientName" in page.get_data(as_text=True)


def test_a_report_of_another_profile_or_none_at_all_is_refused(bed: Bed) -> None:
    address = claimed(bed)
    client = bed.app.test_client()
    other = told(bed) | {"version": "77"}
    assert client.post(f"{address}/report", json=other, headers=api(bed)).status_code == 422
    assert client.post(f"{address}/report", json={"a": 1}, headers=api(bed)).status_code == 422
    assert client.post(f"{address}/report", json=told(bed), headers=api(bed, "coordinator-102")).status_code == 404
    page = words(visitor(bed).get(f"/submissions/{address.rsplit('/', 1)[1]}/deidentification"))
    assert "Nothing has been cleaned yet" in page


def test_a_report_that_comes_too_late_or_of_what_the_server_cleans_is_refused(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey(ct)
    answer = bed.app.test_client().post(f"/api/v1/submissions/{key}/report", json=told(bed), headers=api(bed))
    assert answer.status_code == 409
