"""The page and the PDF of a de-identification say what the JSON says, and that is what differs in the data sets."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from seed_data.phantom.identities import planted_strings
from tests.dicom.test_told import differences, lies
from tests.pipeline.bed import PATIENT, Bed, small_ct
from tests.web.imaging_bed import bed as bed  # noqa: PLC0414 (a fixture)
from tests.web.imaging_bed import visitor, words
from tests.web.test_deid_report import made
from trialimg.casework.services import services
from trialimg.domain.deid_report import ACTIONS, Report
from trialimg.domain.submission import Fate

ROW = re.compile(r'data-label="Attribute">(.*?)</th>.*?<code[^>]*>(.*?)</code>.*?What was done">(.*?)</td>.*?Times">(.*?)</td>', re.DOTALL)


def rich(path: Path) -> Dataset:
    """A file of many kinds of elements: nested, private, an overlay's, codes, free text, dates, people, identifiers."""
    ds = dcmread(path)
    ds.OperatorsName, ds.PatientComments, ds.PatientTelephoneNumbers = "Okonkwo^Kemi", "calls her sister", "+44 20 7946 0199"
    ds.InstitutionAddress, ds.DeviceSerialNumber, ds.AcquisitionComments = "1 Harbour Road", "SN-99-41", "with contrast"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-D3000", "SRT", "Chest"
    asked = Dataset()
    asked.RequestedProcedureID, asked.RequestedProcedureDescription = "RP-4711", "CT chest"
    asked.RequestedProcedureCodeSequence = Sequence([code])
    ds.RequestAttributesSequence = Sequence([asked])
    block = ds.private_block(0x0019, "HARBOUR 1.0", create=True)
    block.add_new(0x01, "LO", "written by Kemi")
    block.add_new(0x02, "SQ", Sequence([asked]))
    ds.add_new(0x60000010, "US", 1)
    ds.add_new(0x60001500, "LO", "Kemi's overlay")
    ds.save_as(path)
    return ds


@pytest.fixture
def study(bed: Bed, tmp_path: Path) -> tuple[str, list[Dataset]]:
    files = small_ct(tmp_path / "rich")
    originals = [rich(path) for path in files]
    return bed.link(files), originals


def archived(bed: Bed, key: str) -> list[Dataset]:
    (row,) = bed.studies()
    held = services().archive.holds(row.study_instance_uid)
    found = []
    for each in held:
        with services().archive.fetch(row.study_instance_uid, each.series_uid, each.sop_instance_uid) as stream:
            found.append(dcmread(stream))
    assert len(found) == bed.fates(key).count(Fate.SENT)
    return found


def test_page_pdf_and_json_say_the_same_and_it_is_what_differs_in_the_data_sets(
    bed: Bed, study: tuple[str, list[Dataset]], tmp_path: Path
) -> None:
    key, originals = study
    address = f"/submissions/{key}/deidentification"
    report = Report.from_json(json.loads(visitor(bed).get(f"{address}.json").get_data())["report"])

    clean = {(int(ds.SeriesNumber or 0), int(ds.InstanceNumber or 0)): ds for ds in archived(bed, key)}
    found: Counter[tuple[str, str]] = Counter()
    for ds in originals:
        found += differences(ds, clean[int(ds.SeriesNumber or 0), int(ds.InstanceNumber or 0)])
    assert lies(report, found) == []

    page = visitor(bed).get(address).get_data(as_text=True)
    rows = [tuple(html.unescape(part).strip() for part in row) for row in ROW.findall(page)]
    told = [(a.keyword or "unknown", a.tag, ACTIONS[a.action], f"{a.times:,}") for a in report.actions]
    assert sorted(rows) == sorted(told)
    assert len(told) > 60

    (tmp_path / "report.pdf").write_bytes(made(bed, address).get_data())
    paper = subprocess.run(["pdftotext", "-raw", str(tmp_path / "report.pdf"), "-"], capture_output=True, text=True, check=True).stdout
    solid = re.sub(r"\s", "", paper)
    missing = [row for row in told if re.sub(r"\s", "", "".join(row)) not in solid]
    assert missing == []

    said = words(visitor(bed).get(address))
    facts = [report.profile, f"version {report.version}", report.engine, report.table, *(o["meaning"] for o in report.to_json()["options"])]
    for text in (*facts, f"{report.residue.searched} images were searched after cleaning", "nothing of it was found"):
        assert text in said
        assert re.sub(r"\s", "", text) in solid
    for value in (*planted_strings(PATIENT), "Kemi", "sister", "7946", "Harbour", "SN-99-41", "RP-4711"):
        assert value not in page + paper
