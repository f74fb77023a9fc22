"""De-identification as a function: what its documentation shows is run, and it needs nothing of the web application."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from trialimg.client.explain import explained
from trialimg.deidentify import NOT_GIVEN, Profile, Subject, basic_profile, clean, explain
from trialimg.dicom.deidentify import verify_clean
from trialimg.domain.deid_report import SHOWN, PixelCount
from trialimg.domain.deidentification import SubjectIdentity
from trialimg.errors import BadDefinition, BadInput, Held, NotDicom

ROOT = Path(__file__).resolve().parents[1]
SUBJECT = Subject("101-001", bytes(range(32)), site="101")
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text("utf-8"), re.DOTALL)
WITHOUT = ("flask", "sqlalchemy", "wtforms", "httpx", "click", "yaml", "numpy", "procrastinate", "weasyprint", "PIL")


def sample(name: str) -> Path:
    found = get_testdata_file(name)
    assert isinstance(found, str)
    return Path(found)


def test_the_examples_of_the_documentation_run_as_they_stand_without_the_web_application(tmp_path: Path) -> None:
    blocked = f"import sys\nfor name in {WITHOUT!r}:\n    sys.modules[name] = None\n"
    (tmp_path / "example.py").write_text(blocked + "\n".join(EXAMPLES))
    done = subprocess.run(
        [sys.executable, tmp_path / "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(EXAMPLES) == 4
    assert dcmread(tmp_path / "clean.dcm").PatientID == "101-001"
    assert "The protocol names series by their description." in done.stdout
    assert "not taken: " in done.stdout


def test_a_path_its_bytes_and_an_open_file_give_one_result() -> None:
    path = sample("CT_small.dcm")
    with path.open("rb") as stream:
        ways = [clean(each, basic_profile(), SUBJECT) for each in (path, str(path), path.read_bytes(), stream)]
    assert all(way == ways[0] for way in ways)
    cleaned = dcmread(io.BytesIO(ways[0][0]))
    assert cleaned.PatientName == "101-001"
    assert cleaned.ClinicalTrialSponsorName == NOT_GIVEN
    assert ways[0][1].table == "2026c"


def test_the_key_decides_the_new_identifiers() -> None:
    path = sample("CT_small.dcm")
    same, again, other = (
        dcmread(io.BytesIO(clean(path, basic_profile(), Subject("1", key))[0])).SOPInstanceUID
        for key in (b"k" * 32, b"k" * 32, b"o" * 32)
    )
    assert same == again != other
    assert "k" * 32 not in repr(Subject("1", b"k" * 32))


def test_what_a_person_must_see_is_held_until_one_has_looked() -> None:
    path = sample("examples_palette.dcm")
    with pytest.raises(Held) as held:
        clean(path, basic_profile(), SUBJECT)
    assert "may show text" in held.value.sentence
    content, report = clean(path, basic_profile(), SUBJECT, reviewed=True)
    assert dcmread(io.BytesIO(content)).PatientID == "101-001"
    assert report.instances == 1
    assert report.pixels == (PixelCount(SHOWN, "whoever called the function", 1),)


@pytest.mark.parametrize("name", ["CT_small.dcm", "JPEG2000.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "rtdose.dcm"])
def test_a_file_that_a_person_let_pass_says_so_as_the_page_of_the_server_does(name: str, tmp_path: Path) -> None:
    original = dcmread(sample(name))
    original.BurnedInAnnotation = "YES"
    original.save_as(tmp_path / "file.dcm")
    with pytest.raises(Held):
        clean(tmp_path / "file.dcm", basic_profile(), SUBJECT)
    content, report = clean(tmp_path / "file.dcm", basic_profile(), SUBJECT, reviewed=True)
    made = dcmread(io.BytesIO(content))
    assert made.BurnedInAnnotation == "NO"
    assert made.PixelData == original.PixelData
    assert made.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    codes = tuple(item.CodeValue for item in made.DeidentificationMethodCodeSequence)
    assert codes == report.options == ("113100", "113101")
    assert ("(0028,0301)", "D") in {(action.tag, action.action) for action in report.actions}
    assert (report.unseen, report.pixels[0].decision) == (0, SHOWN)
    identity = SubjectIdentity("NOT GIVEN", "NOT GIVEN", "NOT GIVEN", "101", "", "101-001", "", "")
    checked = verify_clean(io.BytesIO(content), profile=basic_profile(), identity=identity)
    assert checked.hold_code == "image.may_show_text", "a word of others is no look of ours"


def test_what_nobody_had_to_see_claims_no_look() -> None:
    content, report = clean(sample("CT_small.dcm"), basic_profile(), SUBJECT, reviewed=True)
    assert "BurnedInAnnotation" not in dcmread(io.BytesIO(content))
    assert (report.options, report.unseen) == (("113100",), 1)


def test_what_still_names_the_patient_is_not_given_whatever_anybody_says() -> None:
    named = dcmread(sample("CT_small.dcm"))
    named.PatientName = "Okonkwo^Chidinma"
    named.SeriesDescription = "Okonkwo chest"
    keep = {"version": "1", "rules": [{"tag": "0008,103E", "action": "K", "why": "the protocol"}]}
    stream = io.BytesIO()
    named.save_as(stream)
    with pytest.raises(Held) as held:
        clean(stream.getvalue(), keep, SUBJECT, reviewed=True)
    assert "(0008,103E)" in held.value.sentence
    assert "Okonkwo" not in held.value.sentence


@pytest.mark.parametrize("number", ["A" * 65, "101\n001", "101\\001", "101\0001"])
def test_a_number_that_no_image_carries_as_it_stands_is_refused(number: str) -> None:
    for subject in (Subject(number, b"k" * 32), Subject("1", b"k" * 32, site=number)):
        with pytest.raises(BadInput):
            clean(sample("CT_small.dcm"), basic_profile(), subject)


@pytest.mark.parametrize("subject", [Subject("", b"k" * 32), Subject("1", b"short"), Subject("  ", b"k" * 32)])
def test_a_subject_without_number_or_key_is_refused(subject: Subject) -> None:
    with pytest.raises(BadInput):
        clean(sample("CT_small.dcm"), basic_profile(), subject)


def test_what_is_no_image_or_no_profile_is_refused() -> None:
    with pytest.raises(NotDicom):
        clean(b"no image at all", basic_profile(), SUBJECT)
    with pytest.raises(BadDefinition):
        clean(sample("CT_small.dcm"), {"version": "1", "dates": "sometimes"}, SUBJECT)


def test_it_says_which_rule_applies_and_why() -> None:
    assert "table E.1-1" in explain(0x00080020, basic_profile())


def test_a_rule_for_some_classes_or_some_creator_is_told_where_a_tag_is_explained() -> None:
    rules = [
        {"tag": "0008,0080", "action": "K", "why": "centres are compared", "sop_class": ["CT Image Storage"]},
        {"private": {"creator": "ACME 1.1", "element": "0019,xx10", "vr": "LO"}, "action": "K", "why": "dose"},
    ]
    profile = Profile.from_mapping({"version": "1", "rules": rules, "options": ["retain_safe_private"]})
    told = explain(0x00080080, profile)
    assert told.startswith("table E.1-1: X")
    assert told.endswith("; in CT Image Storage only: own rule K: centres are compared")
    assert "own rule" not in explain(0x00080081, profile)
    assert "; of the private creator ACME 1.1: own rule K: dose" in explain(0x00191010, profile)
    assert "; of the private creator SIEMENS MR HEADER: option retain safe private" in explain(0x0019100C, profile)
    assert "creator" not in explain(0x0019100C, basic_profile())
    _, first, *_, second = explained("0008,0080", profile)
    assert ("removed" in first, "table E.1-1: X" in first) == (True, True)
    assert ("kept" in second, "in CT Image Storage only: own rule K: centres are compared" in second) == (True, True)
