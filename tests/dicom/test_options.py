"""Each option of table E.1-1 does what its column says, and every decision says why it was made."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest

from tests.dicom.planted_objects import KINDS, from_file, plant_object
from tests.dicom.planted_places import item, nest, put
from tests.dicom.test_planted import found_in
from trialimg.dicom.deidentify import clean_file, verify_clean
from trialimg.dicom.rules.plan import _ALSO, _FIXED, Do, Plan
from trialimg.dicom.standard.table import FULL_DATES, confidentiality_table, keyword_of, tag_of, vr_of
from trialimg.domain.deidentification import OPTIONS, Profile

CT = "1.2.840.10008.5.1.4.1.1.2"
CLEANING = frozenset({"retain_safe_private", "clean_descriptors", "clean_structured_content", "clean_graphics"})


def profile(*options, dates="removed", **more):
    return Profile("t", "1", dates, chosen=frozenset(options), **more)


@pytest.fixture
def cleaned(tmp_path, identity, key):
    def clean(dataset, how):
        dataset.save_as(tmp_path / "in.dcm", enforce_file_format=True)
        result = clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=how, identity=identity, subject_key=key)
        verify_clean(tmp_path / "out.dcm", profile=how, identity=identity)
        return pydicom.dcmread(BytesIO((tmp_path / "out.dcm").read_bytes())), result

    return clean


def test_an_option_takes_away_nothing_that_the_profile_without_it_keeps():
    plain = Plan(profile()).place(())
    for option in OPTIONS:
        more = Plan(profile(option)).place(())
        for tag, row in confidentiality_table().rows.items():
            if option not in row.options:
                one, other = plain.step(tag, None), more.step(tag, None)
                assert one.do is other.do or (option, other.do) == ("retain_uids", Do.KEEP_UID) or tag in _ALSO


@pytest.mark.parametrize("option", OPTIONS)
def test_every_letter_of_an_options_column_is_obeyed(option):
    place = Plan(profile(option)).place(())
    column = {tag: row for tag, row in confidentiality_table().rows.items() if option in row.options}
    obeyed = 0
    for tag, row in column.items():
        vr = vr_of(tag).split(" or ")[0]
        step = place.step(tag, None)
        if not vr or tag in _FIXED or tag >> 16 in {0x0000, 0x0002, 0x0004, 0x0012} or "never carried" in step.why:
            assert step.do in {Do.REMOVE, Do.EMPTY, Do.NAME}, hex(tag)
        elif FULL_DATES in row.options or vr in {"AE", "OB"}:
            # Dates have an option of their own; titles of machines and bytes cannot be cleaned.
            assert step.do in {Do.REMOVE, Do.EMPTY, Do.DUMMY}, hex(tag)
        elif vr == "SQ":
            assert step.do is Do.CLEAN_ITEMS, hex(tag)
            obeyed += 1
        elif row.options[option] == "C":
            assert step.do is Do.JUDGE, hex(tag)
            obeyed += 1
        else:
            assert step.do in {Do.KEEP, Do.KEEP_UID, Do.JUDGE, Do.CAP_AGE}, hex(tag)
            obeyed += 1
        assert step.why
    if option != "retain_safe_private":
        assert obeyed >= min(3, len(column))


def test_descriptors_keep_the_words_that_name_nobody(cleaned):
    dataset = from_file("CT_small.dcm")
    dataset.StudyDescription = "CT CHEST W CONTRAST JONES 067Y"
    dataset.SeriesDescription = "AX 3D BRAVO +C, Dr. Okonkwo 03.02.1951"
    dataset.ProtocolName = "RX4711 Zauberflot"
    made, result = cleaned(dataset, profile("clean_descriptors"))
    assert made.StudyDescription == "CT CHEST W CONTRAST"
    assert made.SeriesDescription.startswith("AX 3D")
    assert "Okonkwo" not in made.SeriesDescription
    assert made.ProtocolName == "REMOVED"
    assert "113105" in result.report.options
    words = profile("clean_descriptors", words=frozenset({"zauberflot"}))
    assert cleaned(dataset, words)[0].ProtocolName == "Zauberflot"
    assert "StudyDescription" not in cleaned(dataset, profile())[0]


def test_devices_institutions_and_uids_stay_where_the_trial_says_so_and_alarm_nobody(cleaned):
    dataset = from_file("CT_small.dcm")
    dataset.StationName, dataset.DeviceSerialNumber = "OKONKWOCT1", "4711-0815"
    dataset.InstitutionName, dataset.InstitutionAddress = "Okonkwo Hospital", "Long Road 12, Okonkwohausen"
    dataset.DeviceUID = "1.2.826.0.1.3680043.9.7.4711"
    dataset.RetrieveAETitle = "OKONKWOAE"
    made, result = cleaned(dataset, profile("retain_device_identity", "retain_institution_identity", "retain_uids"))
    assert result.hold_reason is None
    kept = ("StationName", "DeviceSerialNumber", "InstitutionName", "InstitutionAddress", "DeviceUID")
    for keyword in (*kept, "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        assert made[keyword].value == dataset[keyword].value
    assert "RetrieveAETitle" not in made
    assert {"113109", "113110", "113112"} <= set(result.report.options)
    for option, keyword in (("retain_device_identity", "DeviceUID"), ("retain_uids", "StudyInstanceUID")):
        assert cleaned(dataset, profile(option))[0][keyword].value == dataset[keyword].value
    assert cleaned(dataset, profile("retain_device_identity"))[0].StudyInstanceUID != dataset.StudyInstanceUID


def test_a_uid_that_is_none_is_not_retained_and_what_it_says_is_found(cleaned):
    dataset = from_file("CT_small.dcm")
    put(dataset, 0x00200052, "UI", "OKONKWO.4711")
    made, _ = cleaned(dataset, profile("retain_uids"))
    assert made.FrameOfReferenceUID.startswith("2.25.")


def test_characteristics_of_the_patient_stay_and_what_is_none_goes(cleaned):
    dataset = from_file("CT_small.dcm")
    dataset.PatientSex, dataset.PatientAge, dataset.PatientWeight, dataset.PatientSize = "F", "093Y", "58.5", "1.61"
    dataset.SmokingStatus, dataset.PregnancyStatus, dataset.EthnicGroup = "NO", 1, "Okonkwo"
    dataset.Allergies = "Contrast agent, says Okonkwo"
    made, _ = cleaned(dataset, profile("retain_patient_characteristics"))
    assert (made.PatientSex, made.PatientAge, made.PatientWeight, made.PatientSize) == ("F", "089Y", 58.5, 1.61)
    assert (made.SmokingStatus, made.PregnancyStatus, made.EthnicGroup) == ("NO", 1, "REMOVED")
    assert made.Allergies == "Contrast agent"


def test_what_a_report_says_keeps_codes_numbers_and_known_words(cleaned):
    dataset = from_file("reportsi.dcm")
    code = item((0x00080100, "SH", "121071"), (0x00080102, "SH", "DCM"), (0x00080104, "LO", "Finding"))
    text = item((0x0040A040, "CS", "TEXT"), (0x0040A160, "UT", "Mass in left lung, seen by Okonkwo"))
    nest(text, 0x0040A043, code)
    number = item((0x0040A040, "CS", "NUM"))
    nest(number, 0x0040A300, item((0x0040A30A, "DS", "14.5")))
    nest(dataset, 0x0040A730, text, number)
    made, result = cleaned(dataset, profile("clean_structured_content"))
    assert made.ContentSequence[0].TextValue == "Mass in left lung, seen by"
    assert made.ContentSequence[0].ConceptNameCodeSequence[0].CodeMeaning == "Finding"
    assert made.ContentSequence[1].MeasuredValueSequence[0].NumericValue == 14.5
    assert "113104" in result.report.options
    plain, _ = cleaned(dataset, profile())
    assert plain.ContentSequence[0].TextValue == "REMOVED"


def test_graphics_keep_their_coordinates_and_lose_what_names_somebody(cleaned):
    dataset = from_file("CT_small.dcm")
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.11.1"
    line = item((0x00700005, "CS", "PIXEL"), (0x00700020, "US", b"\2\0"), (0x00700021, "US", b"\2\0"))
    put(line, 0x00700022, "FL", b"\0\0\x80?" * 4)
    put(line, 0x00700023, "CS", "POLYLINE")
    annotation = item((0x00700002, "CS", "LAYER"))
    nest(annotation, 0x00700008, item((0x00700006, "ST", "Mass, measured by Okonkwo")))
    nest(annotation, 0x00700009, line)
    nest(dataset, 0x00700001, annotation)
    dataset.add_new(0x60003000, "OW", b"\1\0" * 8)
    both = profile("clean_graphics", "clean_descriptors")
    made, result = cleaned(dataset, both)
    (annotation,) = made.GraphicAnnotationSequence
    assert annotation.GraphicObjectSequence[0].GraphicData == [1.0] * 4
    assert annotation.TextObjectSequence[0].UnformattedTextValue == "Mass, measured by"
    assert 0x60003000 not in made
    assert {"113103", "113105"} <= set(result.report.options)
    assert (
        cleaned(dataset, profile("clean_graphics"))[0]
        .GraphicAnnotationSequence[0]
        .TextObjectSequence[0]
        .UnformattedTextValue
        == "Mass, measured by"
    )


@pytest.mark.parametrize("dates", ["removed", "shifted"])
@pytest.mark.parametrize("kind", KINDS)
def test_with_every_option_that_cleans_nothing_planted_is_left(kind, dates, tmp_path, identity, key):
    ledger = plant_object(kind, tmp_path / "in.dcm")
    how = profile(*CLEANING, dates=dates, safe_private="curated", keep_sex=True, keep_age=True)
    result = clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=how, identity=identity, subject_key=key)
    assert found_in((tmp_path / "out.dcm").read_bytes(), ledger) == []
    verify_clean(tmp_path / "out.dcm", profile=how, identity=identity)
    assert found_in(str(result.report.to_json()).encode(), ledger) == []


@pytest.mark.parametrize("kind", KINDS)
def test_with_every_option_only_what_a_column_retains_is_left_of_what_was_planted(kind, tmp_path, identity, key):
    ledger = plant_object(kind, tmp_path / "in.dcm")
    how = profile(*OPTIONS, keep_sex=True, keep_age=True)
    clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=how, identity=identity, subject_key=key)
    made = pydicom.dcmread(tmp_path / "out.dcm")
    retained = set()
    for element in made.iterall():
        content = element.value if isinstance(element.value, bytes) else str(element.value).encode()
        if element.VR != "SQ" and found_in(content, ledger):
            retained.add(int(element.tag))
    rows = confidentiality_table().rows
    columns = {"retain_uids", "retain_device_identity", "retain_institution_identity"}
    strangers = {keyword_of(tag) for tag in retained if vr_of(tag) != "UI" and not columns & set(rows[tag].options)}
    assert strangers == set()


def test_every_decision_says_why():
    rules = [{"tag": "0008,103E", "action": "K", "why": "series are chosen by it"}]
    how = Profile.from_mapping({"version": "1", "options": ["clean_descriptors"], "rules": rules, "dates": "shifted"})
    place = Plan(how).root(CT, set())

    def why(keyword):
        return place.step(tag_of(keyword), None).why

    assert why("SeriesDescription") == "own rule K: series are chosen by it"
    assert why("StudyDescription") == "option clean descriptors: known words stay"
    assert why("AccessionNumber") == "table E.1-1: Z"
    assert why("ContentDate").startswith("the trial shifts dates")
    assert why("Manufacturer").startswith("not in table E.1-1")
    assert why("PatientName").startswith("who the subject is")
    assert why("PatientBirthDate") == "table E.1-1: Z"
    assert "private" in place.step(0x00091001, "LO").why
    assert "nobody knows it" in place.step(0x00089876, "LO").why
    for tag in confidentiality_table().rows:
        assert place.step(tag, None).why, hex(tag)


def test_a_type_that_demands_a_value_is_told_in_the_reason():
    place = Plan(profile()).root("1.2.840.10008.5.1.4.1.1.4.1", set())
    assert place.step(tag_of("ContentDate"), None).why == "table E.1-1: Z/D; Type 1 here, so a value must stand"


def test_a_rule_that_cleans_lets_known_words_stand(cleaned):
    rules = [{"tag": "0008,103E", "action": "C", "why": "series are chosen by it"}]
    dataset = from_file("CT_small.dcm")
    dataset.SeriesDescription = "AXIAL CHEST for Okonkwo"
    made, result = cleaned(dataset, Profile.from_mapping({"version": "1", "rules": rules}))
    assert made.SeriesDescription == "AXIAL CHEST for"
    assert "113105" not in result.report.options


def test_what_a_file_claims_of_its_private_blocks_is_not_carried_on(cleaned):
    dataset = from_file("CT_small.dcm")
    claim = item((0x00080301, "US", b"\x19\0"), (0x00080302, "LO", "OKONKWO"), (0x00080303, "CS", "SAFE"))
    nest(dataset, 0x00080300, claim)
    made, _ = cleaned(dataset, profile("retain_safe_private"))
    assert 0x00080300 not in made
    assert 0x00191025 not in made
