"""Which UIDs are replaced, and that what refers to each other still does, though cleaned apart and days later."""

from __future__ import annotations

import subprocess
import sys

import pydicom
import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.dataset import Dataset

from tests.dicom.planted_objects import KINDS, Ledger, from_file, write_as_it_stands
from tests.dicom.planted_places import item, nest, put
from trialimg.dicom.deidentify import clean_file
from trialimg.dicom.rules.plan import CLASSES_AND_SCHEMES
from trialimg.domain.pseudonym import is_mapped_uid

CT, SERIES, FRAME = (f"1.2.826.0.1.3680043.9.7.{n}.55" for n in (1, 2, 3))
_CLEAN = """
import sys
from pathlib import Path
from trialimg.dicom.deidentify import clean_file
from trialimg.domain.deidentification import Profile, SubjectIdentity
clean_file(Path(sys.argv[1]), Path(sys.argv[2]), profile=Profile("demo", "1", "kept"), subject_key=bytes.fromhex(sys.argv[3]),
           identity=SubjectIdentity("Sponsor", "PROT-1", "A phase II", "101", "Site one", "101-001", "W8", "Week 8"))
"""


@pytest.fixture
def given(profile, identity, key):
    return {"profile": profile, "identity": identity, "subject_key": key}


def image():
    dataset = from_file("CT_small.dcm")
    put(dataset, 0x00080018, "UI", CT)
    put(dataset, 0x0020000E, "UI", SERIES)
    put(dataset, 0x00200052, "UI", FRAME)
    return dataset


def reference():
    return item((0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"), (0x00081155, "UI", CT))


def referring(kind):
    """An object that refers to the image where its class does."""
    dataset: Dataset = KINDS[kind][0](Ledger(kind))
    put(dataset, 0x00200052, "UI", FRAME)
    if kind == "Rt":
        contours = item((0x0020000E, "UI", SERIES))
        nest(contours, 0x30060016, reference())
        study = item((0x00081155, "UI", "1.2.3.4"))
        nest(study, 0x30060014, contours)
        frame = item((0x00200052, "UI", FRAME))
        nest(frame, 0x30060012, study)
        nest(dataset, 0x30060010, frame)
    elif kind == "Sr":
        content = item((0x0040A040, "CS", "IMAGE"))
        nest(content, 0x00081199, reference())
        nest(dataset, 0x0040A730, content)
    else:
        series = item((0x0020000E, "UI", SERIES))
        nest(series, 0x0008114A if kind == "Sg" else 0x00081140, reference())
        nest(dataset, 0x00081115, series)
    return dataset


@pytest.mark.parametrize("kind", ["Rt", "Sg", "Sr", "Pr"])
def test_a_reference_still_leads_to_its_image_though_cleaned_by_another_process(kind, tmp_path, given):
    write_as_it_stands(image(), tmp_path / "ct.dcm")
    write_as_it_stands(referring(kind), tmp_path / "other.dcm")
    clean_file(tmp_path / "ct.dcm", tmp_path / "ct", **given)
    order = [
        sys.executable,
        "-c",
        _CLEAN,
        str(tmp_path / "other.dcm"),
        str(tmp_path / "other"),
        given["subject_key"].hex(),
    ]
    subprocess.run(order, check=True, timeout=120)
    ct, other = pydicom.dcmread(tmp_path / "ct"), pydicom.dcmread(tmp_path / "other")
    referred = {str(e.value) for e in other.iterall() if e.keyword == "ReferencedSOPInstanceUID"}
    assert ct.SOPInstanceUID in referred
    if kind != "Sr":
        assert ct.SeriesInstanceUID in {str(e.value) for e in other.iterall() if e.keyword == "SeriesInstanceUID"}
    if kind == "Rt":
        assert ct.FrameOfReferenceUID in {str(e.value) for e in other.iterall() if e.keyword == "FrameOfReferenceUID"}
    assert {str(e.value) for e in other.iterall() if e.keyword == "ReferencedSOPClassUID"} >= {ct.SOPClassUID}


def cleaned(dataset, folder, **given):
    write_as_it_stands(dataset, folder / "in.dcm")
    clean_file(folder / "in.dcm", folder / "out.dcm", **given)
    return pydicom.dcmread(folder / "out.dcm")


@pytest.mark.parametrize(
    ("uid", "stays"),
    [
        ("1.2.840.10008.1.4.1.1", True),  # a frame of reference of the standard: Talairach
        ("1.2.840.10008.9.4711", False),  # a vendor's, under the standard's root
        ("1.2.840.10008.5.1.4.1.1.2.99", False),
        ("1.2.840.113619.2.5.1762386977.1328.985934491.590", False),
        ("2.25.123456789", False),
    ],
)
def test_only_uids_that_the_standard_registers_stay(uid, stays, tmp_path, given):
    dataset = image()
    put(dataset, 0x00200052, "UI", uid)
    made = cleaned(dataset, tmp_path, **given)
    assert (uid in UID_dictionary) is stays
    assert (made.FrameOfReferenceUID == uid) is stays
    assert stays or is_mapped_uid(made.FrameOfReferenceUID)


def test_uids_of_classes_and_schemes_stay_whoever_gave_them(tmp_path, given):
    dataset = image()
    code = item((0x00080100, "SH", "80891009"), (0x00080102, "SH", "SCT"), (0x00080104, "LO", "Heart"))
    put(code, 0x0008010C, "UI", "2.16.840.1.113883.6.96")  # SNOMED's
    nest(dataset, 0x00082218, code)
    private = item((0x00081150, "UI", "1.3.12.2.1107.5.9.1"), (0x00081155, "UI", "1.3.12.2.1107.5.9.1.77"))
    nest(dataset, 0x00081140, private)
    made = cleaned(dataset, tmp_path, **given)
    assert made.AnatomicRegionSequence[0].CodingSchemeUID == "2.16.840.1.113883.6.96"
    assert made.AnatomicRegionSequence[0].CodeMeaning == "Heart"
    assert made.ReferencedImageSequence[0].ReferencedSOPClassUID == "1.3.12.2.1107.5.9.1"
    assert is_mapped_uid(made.ReferencedImageSequence[0].ReferencedSOPInstanceUID)
    assert 0x0008010C in CLASSES_AND_SCHEMES
