"""A trial's own rule that would make objects invalid, or would not do what it says, is refused before any file is."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pydicom
import pytest

from bench.validity import IDENTITY, KEY, new_violations, violations
from tests.dicom.conftest import pydicom_files
from trialimg.deidentify import Subject, clean
from trialimg.dicom.deidentify import clean_file
from trialimg.dicom.rules.own_rules import objections
from trialimg.dicom.standard.table import tag_of
from trialimg.domain.deid_rule import Rule
from trialimg.domain.deidentification import Profile
from trialimg.errors import BadDefinition, Held

CT = "1.2.840.10008.5.1.4.1.1.2"
FILES = (
    *("CT_small.dcm", "MR_small.dcm", "emri_small.dcm", "liver_1frame.dcm", "rtplan.dcm", "rtdose.dcm", "reportsi.dcm"),
    *("examples_palette.dcm", "waveform_ecg.dcm", "vlut_04.dcm", "JPEG2000.dcm", "test-SR.dcm"),
)


def said(keyword: str, action: str, *classes: str, dates: str = "removed") -> tuple[bool, str] | None:
    """Give whether a rule is refused, and the sentence; None where nothing is said against it."""
    rule = Rule(tag_of(keyword), action, "the reason", sop_classes=classes)
    found = list(objections(Profile("p", "1", dates, rules=(rule,))))
    assert len(found) < 2
    return (found[0].refuses, found[0].sentence) if found else None


@pytest.mark.parametrize("action", ["X", "Z", "D"])
@pytest.mark.parametrize(
    "keyword",
    [
        *("Modality", "ImageType", "PhotometricInterpretation", "ValueType", "ScanningSequence", "LossyImageCompression"),
        *("SamplesPerPixel", "Rows", "BitsStored", "NumberOfFrames", "SegmentNumber", "FrameIncrementPointer"),
        *("RedPaletteColorLookupTableData", "LUTDescriptor", "CodeValue", "RescaleType", "DimensionIndexValues"),
    ],
)  # fmt: skip
def test_a_rule_that_takes_a_value_that_programs_must_read_is_refused(keyword, action):
    refused, sentence = said(keyword, action)
    assert refused
    assert sentence.startswith(f"{keyword} ")


@pytest.mark.parametrize(
    ("keyword", "action", "sentence"),
    [
        ("PatientSex", "D", "no dummy (D) is any of it"),
        ("PregnancyStatus", "D", "no dummy (D) is any of it"),
        ("StudyDescription", "U", "holds no UID"),
        ("KVP", "C", "neither text nor date nor sequence"),
        ("StudyDate", "C", "this trial removes dates"),
        ("StudyDate", "K", "every image says that none is left"),
        ("AcquisitionTime", "K", "every image says that none is left"),
        ("IconImageSequence", "K", "never carried on"),
        ("OriginalAttributesSequence", "K", "never carried on"),
        ("SharedFunctionalGroupsSequence", "X", "Type 1 or 1C"),
        ("FrameOfReferenceUID", "K", "refers to nothing"),
        ("ContextUID", "U", "holds no UID that could be replaced"),
    ],
)
def test_a_rule_that_would_do_something_else_is_refused(keyword, action, sentence):
    assert sentence in said(keyword, action)[1]


def test_a_rule_for_an_attribute_that_nobody_knows_is_refused_but_for_its_removal():
    for action, refused in (("K", True), ("Z", True), ("X", False)):
        found = list(objections(Profile("p", "1", rules=(Rule(0x00089998, action, "the reason"),))))
        assert [each.refuses for each in found] == [True] * refused


@pytest.mark.parametrize(
    ("keyword", "action"),
    [
        *(("PatientSex", "X"), ("PatientSex", "Z"), ("StudyDescription", "X"), ("StudyDescription", "C")),
        *(("Manufacturer", "Z"), ("DeviceSerialNumber", "D"), ("FrameOfReferenceUID", "U"), ("PatientAge", "K")),
        *(("Modality", "K"), ("Rows", "K"), ("ContentDate", "X"), ("CodeMeaning", "D"), ("AnatomicRegionSequence", "K")),
        *(("RequestAttributesSequence", "X"), ("ReferencedStudySequence", "U"), ("ConvolutionKernel", "X")),
    ],
)  # fmt: skip
def test_nothing_is_said_against_a_rule_that_leaves_objects_valid(keyword, action):
    assert said(keyword, action) is None


def test_a_date_may_be_cleaned_where_the_trial_shifts_dates_and_kept_where_it_keeps_them():
    assert said("StudyDate", "C", dates="shifted") is None
    assert said("AcquisitionTime", "K", dates="shifted") is None
    assert said("StudyDate", "K", dates="kept") is None


def test_one_true_date_beside_shifted_ones_is_refused():
    for keyword in ("StudyDate", "AcquisitionDateTime"):
        assert "tells by how many days" in said(keyword, "K", dates="shifted")[1]


def test_a_rule_for_classes_is_judged_by_what_these_demand():
    assert said("ImageLaterality", "X")[0]
    assert not said("ImageLaterality", "X", CT)[0]
    assert said("Modality", "X", CT)[0]
    assert said("Rows", "X", "1.2.840.10008.5.1.4.1.1.88.33")[0]
    assert not said("BodyPartExamined", "X", CT)[0]


def test_a_rule_for_a_class_that_is_none_is_refused_since_it_would_never_count():
    for uid in (f"{CT}.11", "1.2.840.10008.1.2"):
        assert "would never count" in said("Manufacturer", "X", CT, uid)[1]
    by_creator = Rule(0x0019000C, "K", "the reason", "SIEMENS MR HEADER", sop_classes=(f"{CT}.11",))
    assert [each.refuses for each in objections(Profile("p", "1", rules=(by_creator,)))] == [True]


def test_what_a_rule_keeps_in_one_class_is_still_searched_for_in_the_others():
    rule = {"tag": "0008,0080", "action": "K", "why": "the reason", "sop_class": ["CT Image Storage"]}
    for name, is_held in (("CT_small.dcm", False), ("MR_small.dcm", True)):
        for deflated in (False, True):  # by the bytes, and by the parser
            dataset = pydicom.dcmread(next(path for path in pydicom_files() if path.name == name))
            dataset.update({"InstitutionName": "Barbarossaklinik", "SoftwareVersions": "Barbarossaklinik 1"})
            if deflated:
                dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
            content = io.BytesIO()
            dataset.save_as(content)
            try:
                clean(content.getvalue(), {"version": "1", "rules": [rule]}, Subject("101-001", b"k" * 32))
            except Held:
                assert is_held
            else:
                assert not is_held


def test_measures_and_references_are_doubted_and_not_refused():
    for keyword in ("PixelSpacing", "ImagePositionPatient", "SourceImageSequence"):
        assert not said(keyword, "X")[0]


def test_the_engine_refuses_such_a_rule_before_it_opens_the_file(tmp_path):
    profile = {"version": "1", "rules": [{"tag": "0008,1030", "action": "X"}, {"tag": "0028,0010", "action": "X"}]}
    with pytest.raises(BadDefinition, match="rules, entry 2: Rows says how the pixels are read"):
        clean(tmp_path / "nothing", profile, Subject("101-001", b"k" * 32))
    with pytest.raises(BadDefinition):
        clean_file(
            tmp_path / "nothing",
            tmp_path / "out",
            profile=Profile.from_mapping(profile),
            identity=IDENTITY,
            subject_key=KEY,
        )


def rules_for(path: Path, action: str) -> tuple[Rule, ...]:
    """Give a rule for each attribute of a file, at any depth, against which nothing is said."""
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    found = []
    for tag in sorted({int(element.tag) for element in dataset.iterall() if not element.tag.is_private}):
        try:
            entry = {"tag": f"{tag >> 16:04X},{tag & 0xFFFF:04X}", "action": action, "why": "the reason"}
            rule = Rule.from_mapping(entry, 1)
        except BadDefinition:
            continue
        if not list(objections(Profile("p", "1", "shifted", rules=(rule,)))):
            found.append(rule)
    return tuple(found)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("action", ["X", "Z", "D", "C", "U", "K"])
def test_rules_against_which_nothing_is_said_add_no_error(action, tmp_path):
    worse, judged = {}, 0
    for path in [each for each in pydicom_files() if each.name in FILES]:
        rules = rules_for(path, action)
        profile = Profile("p", "1", "shifted", rules=rules)
        found = new_violations(path, profile, tmp_path / "out.dcm", violations(path)[0])
        judged += len(rules)
        if found:
            worse[path.name] = dict(found)
    assert worse == {}
    assert judged > 80
