from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from trialimg.deidentify import Subject, basic_profile, clean
from trialimg.dicom.deidentify import clean_ordinary
from trialimg.dicom.files import captures
from trialimg.dicom.files.header import read_facts
from trialimg.dicom.files.screen import FACE, _kind_of, _kinds, is_recognisable, looking_suffices, pixel_risk
from trialimg.dicom.parsing.residue import find_residue, identifying_values
from trialimg.dicom.standard.iod import _standard, is_known
from trialimg.errors import Held

CT = read_facts(Path(get_testdata_file("CT_small.dcm")))
STORAGE = "1.2.840.10008.5.1.4.1.1."


def test_an_ordinary_ct_goes_on():
    assert pixel_risk(CT) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"burned_in": "YES"},
        {"has_regions": True},
        {"has_overlay_in_pixels": True},
        {"pixel_surplus": 12},
        {"conversion_type": "WSD"},
        *(
            {"image_type": ("DERIVED", "SECONDARY", word)}
            for word in ("SCREEN SAVE", "SCREENSAVE", "Snapshot", "DOSE_INFO", "DOSE INFO", "REPORT", "SCANNED", "CSA SCREEN")
        ),
        {"photometric_interpretation": "RGB"},
        {"transfer_syntax": "1.2.840.10008.1.2.4.102"},
        *(
            {"sop_class_uid": STORAGE + leaf}
            for leaf in ("6.1", "3.1", "7", "7.4", "12.1", "12.2", "77.1.4.1", "104.1")
        ),
        {"sop_class_uid": "1.3.12.2.1107.5.9.1"},
        {"sop_class_uid": "1.3.12.2.1107.5.9.1", "has_pixels": False},
    ],
    ids=str,
)
def test_what_may_show_text_waits_for_a_person(changes):
    assert pixel_risk(CT._replace(**changes)).endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        {"image_type": ("ORIGINAL", "PRIMARY", "DOSE")},
        {"image_type": ("DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT")},
        {"image_type": ("DERIVED", "SECONDARY", "VOLREN")},
        {"image_type": ("DERIVED", "SECONDARY", "POST_PROCESSED", "VXTL STATE"), "sop_class_uid": STORAGE + "4"},
        *({"series_description": text} for text in (
            "Dose Report", "DOSE", "Patient Protocol", "Patientenprotokoll", "Dosisprotokoll", "AVA Report", "Exam Summary",
            "Screen Save", "screenshots", "Scanned form", "Rapport de dose", "MEDRAD injector", "Protocole patient",
        )),
        {"image_type": ("DERIVED", "SECONDARY")},
        {"image_type": ("DERIVED", "SECONDARY", "OTHER")},
        {"modality": "US"},
        {"modality": "OT", "sop_class_uid": STORAGE + "4"},
        {"image_type": ("DERIVED", "SECONDARY", "SCREEN SAVE"), "sop_class_uid": STORAGE + "481.1"},
    ],
    ids=str,
)  # fmt: skip
def test_dose_reports_protocols_and_pictures_of_screens_are_told_by_their_words(changes):
    assert "text" in pixel_risk(CT._replace(**changes)) or "screens" in pixel_risk(CT._replace(**changes))
    assert looking_suffices(CT._replace(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"image_type": ("DERIVED", "SECONDARY", "MPR")},
        {"image_type": ("DERIVED", "SECONDARY", "OTHER", "CSA MPR", "", "CSAPARALLEL")},
        {"image_type": ("ORIGINAL", "PRIMARY", "AXIAL", "LOW DOSE")},
        *({"series_description": text} for text in (
            "LOW DOSE SCREENING", "low-dose chest", "Lung protocol", "CT THORAX PROTOCOL", "reported elsewhere",
        )),
        {"image_type": ("DERIVED", "SECONDARY", "OTHER"), "sop_class_uid": STORAGE + "4", "modality": "MR"},
        {"image_type": ("ORIGINAL", "PRIMARY", "DOSE"), "sop_class_uid": STORAGE + "481.2", "modality": "RTDOSE"},
        {"series_description": "report of segments", "sop_class_uid": STORAGE + "66.4", "modality": "SEG"},
    ],
    ids=str,
)  # fmt: skip
def test_what_only_sounds_like_a_picture_of_a_screen_goes_on(changes):
    assert pixel_risk(CT._replace(**changes)) is None


PAGE = CT._replace(
    manufacturer="TOSHIBA", model="AquilionONE", image_type=("DERIVED", "SECONDARY", "AXIAL"), rows=512, columns=512
)


def test_a_device_that_shows_text_in_some_pictures_is_believed_to_where_the_file_does_not_say_otherwise():
    assert "device" in pixel_risk(PAGE)
    assert "device" in pixel_risk(PAGE._replace(is_black_and_white=True))
    for changes in ({"is_black_and_white": False}, {"rows": 400}, {"manufacturer": "GE"}, {"model": "Aquilion"}):
        assert pixel_risk(PAGE._replace(**changes)) is None
    radiograph = PAGE._replace(
        sop_class_uid=STORAGE + "1.1.1", modality="DX", manufacturer="CANON", model="CXDI-50G", rows=2672, columns=2200,
        image_type=("ORIGINAL", "PRIMARY"), software="",
    )  # fmt: skip
    assert "device" in pixel_risk(radiograph)
    assert "device" in pixel_risk(radiograph._replace(software="V4.1"))
    assert pixel_risk(radiograph._replace(software="V7.0")) is None


def test_no_data_of_devices_is_read_for_an_ordinary_slice(monkeypatch):
    def reads():
        raise AssertionError("it was read")

    monkeypatch.setattr(captures, "known_captures", reads)
    for leaf, modality in (("2", "CT"), ("4", "MR"), ("4.1", "MR"), ("2.1", "CT")):
        slice_of = CT._replace(sop_class_uid=STORAGE + leaf, modality=modality, image_type=("ORIGINAL", "PRIMARY", "AXIAL"))
        assert pixel_risk(slice_of) is None


def test_how_wide_the_window_is_is_told_alike_by_both_ways(tmp_path, request):
    original = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    given = dict(zip(("profile", "identity", "subject_key"), map(request.getfixturevalue, ("profile", "identity", "key")), strict=True))
    original.Manufacturer, original.ManufacturerModelName = "TOSHIBA", "Aquilion ONE"
    original.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    original.Rows = original.Columns = 512
    original.PixelData = bytes(512 * 512 * 2)
    for number, (width, held) in enumerate(((1, True), (400, False), (350, False), (None, True), (1, True))):
        if width is None:
            del original.WindowWidth
        else:
            original.WindowWidth = width
        original.save_as(tmp_path / f"{number}")
        quick = clean_ordinary(tmp_path / f"{number}", tmp_path / "clean", **given)
        assert bool(quick.hold_reason) == held, width
        assert quick.original == read_facts(tmp_path / f"{number}")


def test_a_computed_radiograph_goes_on_where_it_says_that_it_shows_no_text():
    radiograph = CT._replace(sop_class_uid=STORAGE + "1", modality="CR")
    assert "radiograph" in pixel_risk(radiograph)
    assert pixel_risk(radiograph._replace(burned_in="NO")) is None
    assert pixel_risk(radiograph._replace(burned_in="YES")) is not None


def test_a_recording_of_voices_waits_for_a_person():
    for leaf in ("9.4.1", "9.4.2"):
        assert "sound" in pixel_risk(CT._replace(sop_class_uid=STORAGE + leaf, has_pixels=False))


@pytest.mark.parametrize("leaf", ["66", "200.1", "201.1", "104.4", "104.5", "131"])
@pytest.mark.parametrize("has_pixels", [True, False])
def test_what_no_rule_can_clean_is_held_with_its_reason(leaf, has_pixels):
    told = pixel_risk(CT._replace(sop_class_uid=STORAGE + leaf, has_pixels=has_pixels))
    assert "no rule can clean" in told
    assert told.endswith(".")


def test_every_storage_class_of_part_3_is_judged_and_no_other():
    assert set(_kinds()) == set(_standard()["classes"])
    assert {_kind_of(uid).how for uid in _kinds()} == {"rule", "pixels", "held"}
    dicos_ct, standalone_curve = STORAGE + "501.1", STORAGE + "9"
    for uid in (dicos_ct, standalone_curve, "1.2.3", ""):
        assert "nobody has listed" in pixel_risk(CT._replace(sop_class_uid=uid))
        assert not is_known(uid)


@pytest.mark.parametrize("leaf", ["481.3", "481.5", "88.33", "66.4", "11.1"])
def test_objects_without_pixels_that_rules_clean_go_on(leaf):
    assert pixel_risk(CT._replace(sop_class_uid=STORAGE + leaf, has_pixels=False)) is None


HEAD = CT._replace(
    body_part="HEAD", slice_thickness="1.25", series_description="", study_description="", protocol_name=""
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"modality": "MR", "slice_thickness": "3.0"},
        {"body_part": "", "series_description": "t1_mprage_sag Brain 1mm"},
        {"body_part": "", "protocol_name": "Schädel nativ"},
        *(
            {"body_part": "", "series_description": text}
            for text in (
                "t1_mprage_sag_p2_iso", "MP2RAGE_UNI", "FLAIR 3D CUBE", "Gehirn", "MRT Schaedel", "Schädel", "Orbita",
                "encephale", "encéphale", "CERVEAU", "Testa", "CABEZA", "hoofd", "t2_spc_dark-fluid", "Neurocranium",
                "encefalo", "Kopf-Hals", "Crâne", "头部",
            )
        ),
        {"body_part": "ORBITA"},
        {"slice_thickness": "", "frames": 176},
    ],
    ids=str,
)
def test_a_head_in_thin_slices_is_recognisable_and_held_where_the_trial_says_so(changes):
    head = HEAD._replace(**changes)
    assert is_recognisable(head)
    assert pixel_risk(head) is None
    assert pixel_risk(head, hold_faces=True) == FACE


@pytest.mark.parametrize(
    "changes",
    [
        {"body_part": "CHEST"},
        {"slice_thickness": "5"},
        {"slice_thickness": "", "frames": 1},
        {"modality": "PT"},
        {"has_pixels": False},
        *({"body_part": "", "series_description": text} for text in ("HEADER of a series", "t2_tse_sag LWS", "CARAMEL", "intestinal")),
    ],
    ids=str,
)
def test_what_makes_no_face_is_not_held_for_one(changes):
    other = HEAD._replace(**changes)
    assert not is_recognisable(other)
    assert pixel_risk(other, hold_faces=True) == pixel_risk(other)


@pytest.mark.parametrize(
    "changes",
    [
        {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")},
        {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER", "CT_SOM5 TOP")},
        {"image_type": ("DERIVED", "SECONDARY", "OTHER", "CSA TOPOGRAM")},
        {"image_type": ("ORIGINAL", "PRIMARY", "AXIAL", "Scout")},
        {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER"), "sop_class_uid": STORAGE + "128", "modality": "PT"},
        {"image_type": ("DERIVED", "PRIMARY", "LOCALIZER"), "sop_class_uid": STORAGE + "4", "modality": "MR"},
        {"image_type": ("ORIGINAL", "PRIMARY", "AXIAL"), "series_description": "Topogram  0.6  T20f"},
        {"image_type": ("",), "series_description": "Surview"},
        {"image_type": ("",), "protocol_name": "Scanogramm"},
    ],
    ids=str,
)
def test_a_localizer_is_held_where_the_trial_does_not_say_otherwise_and_a_look_settles_it(changes):
    localizer = CT._replace(**changes)
    assert "localizer" in pixel_risk(localizer)
    assert pixel_risk(localizer, hold_localizers=False) is None
    assert looking_suffices(localizer)


@pytest.mark.parametrize(
    "changes",
    [
        {"image_type": ("ORIGINAL", "PRIMARY", "AXIAL")},
        {"image_type": ("LOCALIZER",), "sop_class_uid": STORAGE + "481.5", "has_pixels": False},
        {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER"), "sop_class_uid": STORAGE + "4.1", "modality": "MR"},
        {"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER"), "sop_class_uid": STORAGE + "4", "modality": "MR"},
        {"sop_class_uid": STORAGE + "4", "modality": "MR", "series_description": "localizer 3 plane"},
    ],
    ids=str,
)
def test_what_is_no_localizer_has_no_pixels_or_is_one_as_the_scanner_of_mr_took_it_is_not_held_as_one(changes):
    assert pixel_risk(CT._replace(**changes)) is None


def test_the_localizer_that_shows_a_name_is_held_under_the_basic_profile():
    shown = Path("/work/shared/corpora/dicom/burned_in_presidio/docs/samples/python/sample_data/2_ORIGINAL.dcm")
    if not shown.is_file():
        pytest.skip("the corpora are not here")
    assert "localizer" in pixel_risk(read_facts(shown))
    with pytest.raises(Held, match="localizer"):
        clean(shown.read_bytes(), basic_profile(), Subject("1", b"k" * 32))


def test_what_is_held_anyway_keeps_its_first_reason():
    assert pixel_risk(HEAD._replace(burned_in="YES"), hold_faces=True) == pixel_risk(HEAD._replace(burned_in="YES"))


def values_of(**attributes):
    original = pydicom.Dataset()
    for keyword, value in attributes.items():
        setattr(original, keyword, value)
    return identifying_values(original)


def residue(values, **attributes):
    cleaned = pydicom.Dataset()
    for keyword, value in attributes.items():
        setattr(cleaned, keyword, value)
    return find_residue(cleaned, values)


def test_a_name_is_found_in_any_case_and_nested():
    item = pydicom.Dataset()
    item.CodeMeaning = "seen with OKONKWO today"
    values = values_of(PatientName="Okonkwo^Ada")
    assert residue(values, ConceptNameCodeSequence=[item]) == ["(0040,A043)[1].(0008,0104)"]
    assert residue(values, SoftwareVersions="ada 7") == ["(0018,1020)"]


def test_a_short_name_is_found_as_a_word_only():
    values = values_of(PatientName="Lee^Bo")
    assert residue(values, Manufacturer="SLEEP") == []
    assert residue(values, Manufacturer="for Lee") == ["(0008,0070)"]


def test_a_birth_date_is_found_as_people_write_it():
    values = values_of(PatientBirthDate="19510203")
    assert residue(values, Manufacturer="born 03.02.1951") == ["(0008,0070)"]
    assert residue(values, Manufacturer="19510203") == ["(0008,0070)"]


def test_a_number_inside_a_longer_number_is_no_find():
    values = values_of(PatientID="123456")
    assert residue(values, Manufacturer="9123456") == []
    assert residue(values, Manufacturer="id 123456") == ["(0008,0070)"]


def test_a_word_that_names_no_one_stops_nothing():
    values = values_of(PatientName="Phantom^Head", InstitutionName="Hospital")
    assert values == frozenset()
    assert residue(values, BodyPartExamined="HEAD") == []


def test_the_subject_of_the_trial_is_no_residue():
    values = values_of(PatientID="101-001")
    assert residue(values, PatientID="101-001", ClinicalTrialSubjectID="101-001") == []


def test_a_name_in_another_script_is_found():
    original = pydicom.Dataset()
    original.SpecificCharacterSet = "ISO_IR 192"
    original.PatientName = "Wang^XiaoDong=王^小东"
    cleaned = pydicom.Dataset()
    cleaned.SpecificCharacterSet = "ISO_IR 192"
    cleaned.Manufacturer = "给 小东"
    assert find_residue(cleaned, identifying_values(original)) == ["(0008,0070)"]
