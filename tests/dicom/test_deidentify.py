from __future__ import annotations

import hashlib
import random
from io import BytesIO

import pydicom
import pydicom.data
import pytest
from pydicom.uid import UID

from tests.dicom.conftest import pydicom_files
from tests.dicom.pictures import same_picture
from tests.dicom.planted import STUDY_DATE, make_planted
from trialimg.dicom.deidentify import clean_file, deidentify, verify_clean
from trialimg.dicom.files.canonical import canonical_hash
from trialimg.dicom.files.header import read_facts
from trialimg.dicom.rules.plan import CLASSES_AND_SCHEMES
from trialimg.domain.deidentification import Profile, Rule
from trialimg.domain.pseudonym import date_shift, is_mapped_uid, map_uid, shift_date
from trialimg.errors import BadInput, NotClean, UnreadableObject


@pytest.fixture
def clean(tmp_path, profile, identity, key):
    """Cleans a file; gives the result and the new file's path."""

    def act(source, name="clean.dcm", **changes):
        given = {"profile": profile, "identity": identity, "subject_key": key, **changes}
        return clean_file(source, tmp_path / name, **given), tmp_path / name

    return act


@pytest.fixture
def clean_planted(tmp_path, clean):
    make_planted(tmp_path / "original.dcm")
    return clean(tmp_path / "original.dcm")[1]


def names_in(path, planted):
    """Which planted strings are in a file in any encoding that the file may use, whatever their case."""
    content = path.read_bytes().lower()
    encodings = ("utf-8", "utf-16-le", "euc-kr", "gb18030", "iso2022_jp_2")
    return [name for name in planted if any(name.lower().encode(e, "ignore") in content for e in encodings)]


@pytest.mark.parametrize("dates", ["removed", "shifted", "kept"])
def test_no_planted_identity_is_left_in_any_byte(tmp_path, clean, dates):
    planted = make_planted(tmp_path / "original.dcm")
    assert len(planted) > 60
    assert names_in(tmp_path / "original.dcm", planted) == planted
    _, path = clean(tmp_path / "original.dcm", profile=Profile("demo", "1", dates))
    assert names_in(path, planted) == []
    assert b"konkwo" not in path.read_bytes().lower()


def test_the_planted_file_is_clean_and_goes_on(tmp_path, clean, profile, identity):
    make_planted(tmp_path / "original.dcm")
    result, path = clean(tmp_path / "original.dcm")
    assert result.hold_reason is None
    assert verify_clean(path, profile=profile, identity=identity).canonical_hash == result.canonical_hash
    assert result.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert result.size == path.stat().st_size


def test_what_went_on_unseen_is_told_and_what_waits_or_shows_nothing_is_not(tmp_path, identity, key):
    for name, unseen in (("CT_small.dcm", 1), ("examples_palette.dcm", 0), ("rtplan.dcm", 0)):
        source, target = next(path for path in pydicom_files() if path.name == name), tmp_path / name
        made = clean_file(source, target, profile=Profile("demo", "1"), identity=identity, subject_key=key)
        checked = verify_clean(target, profile=Profile("demo", "1"), identity=identity)
        assert (made.report.unseen, checked.report.unseen) == (unseen, unseen)
        assert (made.hold_reason is None) == (checked.hold_reason is None) == (name != "examples_palette.dcm")


def test_a_name_in_an_attribute_that_is_kept_holds_the_instance_without_telling_it(tmp_path, clean):
    planted = make_planted(tmp_path / "original.dcm", hidden=True)
    result, _ = clean(tmp_path / "original.dcm")
    assert "(0008,0070)" in result.hold_reason
    assert planted[0].lower() not in result.hold_reason.lower()


def test_the_subject_the_trial_and_the_method_are_written(tmp_path, clean, key):
    make_planted(tmp_path / "original.dcm")
    original = pydicom.dcmread(tmp_path / "original.dcm")
    _, path = clean(tmp_path / "original.dcm")
    made = pydicom.dcmread(path)
    assert (made.PatientID, str(made.PatientName), made.PatientBirthDate) == ("101-001", "101-001", "")
    assert (made.PatientSex, made.PatientAge, made.PatientWeight) == ("F", "089Y", 58.5)
    assert made.StudyDate == STUDY_DATE
    assert (made.ClinicalTrialSponsorName, made.ClinicalTrialProtocolID) == ("Sponsor", "PROT-1")
    assert (made.ClinicalTrialSiteID, made.ClinicalTrialSubjectID) == ("101", "101-001")
    assert (made.ClinicalTrialTimePointID, made.ClinicalTrialTimePointDescription) == ("W8", "Week 8")
    assert (made.ClinicalTrialProtocolName, made.ClinicalTrialSiteName) == ("A phase II", "Site one")
    assert made.PatientIdentityRemoved == "YES"
    assert made.DeidentificationMethod == ["PS3.15 E.1 Basic Profile", "demo", "version 1", "own rules: 0"]
    assert made.LongitudinalTemporalInformationModified == "UNMODIFIED"
    assert [item.CodeValue for item in made.DeidentificationMethodCodeSequence] == [
        "113100",
        "113104",
        "113106",
        "113108",
    ]
    assert made.StudyInstanceUID == map_uid(key, original.StudyInstanceUID)
    assert made.AccessionNumber == ""
    assert 0 < len(made.StudyID) <= 16
    assert made.preamble == b"\0" * 128
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert {element.keyword for element in made.file_meta} == {
        *("FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID"),
        *("MediaStorageSOPInstanceUID", "TransferSyntaxUID", "ImplementationClassUID", "ImplementationVersionName"),
    }


@pytest.mark.parametrize("path", ["CT_small.dcm", "MR_small_bigendian.dcm"])
@pytest.mark.parametrize("name", ["A Phase III Study of Lungs " * 5, "Étude des poumons " * 5, "A" * 64, "B\\C"])
def test_the_method_names_trial_version_and_rules_however_long_they_are(tmp_path, name, path, identity, key):
    rules = [{"tag": "0008,0070", "action": "Z"}]
    profile = Profile.from_mapping({"version": "2026-11", "rules": rules}, name=name)
    made = clean_file(pydicom_path(path), tmp_path / "out", profile=profile, identity=identity, subject_key=key)
    values = pydicom.dcmread(tmp_path / "out").DeidentificationMethod
    assert values[0] == "PS3.15 E.1 Basic Profile"
    assert list(values[-2:]) == ["version 2026-11", "own rules: 1"]
    assert all(len(value) <= 64 for value in values)
    assert "".join("".join(values[1:-2]).split()) == "".join(name.replace("\\", "/").split())
    checked = verify_clean(tmp_path / "out", profile=profile, identity=identity)
    assert checked.canonical_hash == made.canonical_hash


def test_removed_dates_and_characteristics_are_gone(tmp_path, clean):
    make_planted(tmp_path / "original.dcm")
    _, path = clean(tmp_path / "original.dcm", profile=Profile("demo", "1", "removed"))
    made = pydicom.dcmread(path)
    assert STUDY_DATE.encode() not in path.read_bytes()
    assert made.PatientSex == ""
    assert "PatientAge" not in made
    assert "PatientWeight" not in made
    assert made.LongitudinalTemporalInformationModified == "REMOVED"


def test_shifted_dates_keep_their_distances(tmp_path, clean, key):
    make_planted(tmp_path / "original.dcm")
    _, path = clean(tmp_path / "original.dcm", profile=Profile("demo", "1", "shifted"))
    made = pydicom.dcmread(path)
    moved = shift_date(STUDY_DATE, date_shift(key))
    assert moved != STUDY_DATE
    assert {made.StudyDate, made.SeriesDate, made.ContentDate} == {moved}
    assert made.AcquisitionDateTime == f"{moved}101500.25+0100"
    assert made.PatientBirthDate == ""
    assert made.LongitudinalTemporalInformationModified == "MODIFIED"


def test_a_rule_of_the_trial_keeps_what_the_profile_takes(tmp_path, clean, profile, identity):
    make_planted(tmp_path / "original.dcm")
    kept = profile._replace(rules=(Rule(0x0008103E, "K", "the manifest reads it"), Rule(0x00080070, "Z", "")))
    _, path = clean(tmp_path / "original.dcm", profile=kept)
    made = pydicom.dcmread(path)
    assert made.SeriesDescription.startswith("axial")
    assert made.Manufacturer == ""
    verify_clean(path, profile=kept, identity=identity)
    with pytest.raises(NotClean, match=r"\(0012,0063\)|\(0008,103E\)"):
        verify_clean(path, profile=profile, identity=identity)


def test_a_subject_number_that_is_not_ascii_is_another_than_any_other_inside_items_too(tmp_path, profile, identity, key):
    rules = (Rule(0x00101002, "K", "the items are needed"),)
    told = set()
    for number in ("101-É01", "101-È01", "101-E01", "101-?01"):
        dataset = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
        other = pydicom.Dataset()
        other.PatientID, other.SpecificCharacterSet = "555666", "ISO_IR 144"
        dataset.OtherPatientIDsSequence = [other]
        dataset.save_as(tmp_path / "in.dcm")
        given = {"profile": profile._replace(rules=rules), "identity": identity._replace(subject_number=number)}
        clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", subject_key=key, **given)
        verify_clean(tmp_path / "out.dcm", **given)
        made = pydicom.dcmread(tmp_path / "out.dcm")
        assert made.PatientID == number
        told.add(made.OtherPatientIDsSequence[0].PatientID)
    assert told == {"101-(U+00C9)01", "101-(U+00C8)01", "101-E01", "101-?01"}


def test_names_of_the_trial_that_are_not_ascii_are_written_in_unicode(tmp_path, clean, profile, identity):
    original = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    original.StudyDescription = "Größe"
    original.SpecificCharacterSet = "ISO_IR 100"
    original.save_as(tmp_path / "original.dcm")
    german = identity._replace(sponsor="Müller 医药")
    kept = profile._replace(rules=(Rule(0x00081030, "K", "the manifest reads it"),))
    _, path = clean(tmp_path / "original.dcm", identity=german, profile=kept)
    made = pydicom.dcmread(path)
    assert made.SpecificCharacterSet == "ISO_IR 192"
    assert made.ClinicalTrialSponsorName == "Müller 医药"
    assert made.StudyDescription == "Größe"
    verify_clean(path, profile=kept, identity=german)


def test_the_same_file_gives_the_same_bytes_and_another_subject_other_uids(tmp_path, clean, identity):
    make_planted(tmp_path / "original.dcm")
    one, first = clean(tmp_path / "original.dcm")
    _, second = clean(tmp_path / "original.dcm", "again.dcm")
    other, _ = clean(tmp_path / "original.dcm", "other.dcm", subject_key=b"another subject")
    assert first.read_bytes() == second.read_bytes()
    assert other.study_instance_uid != one.study_instance_uid


def test_the_report_tells_attributes_and_counts_and_never_a_value(tmp_path, clean):
    planted = make_planted(tmp_path / "original.dcm")
    result, _ = clean(tmp_path / "original.dcm")
    told = str(result.report.to_json())
    assert not [name for name in planted if name in told]
    actions = {(action.tag, action.action): action for action in result.report.actions}
    assert actions["(0010,1040)", "X"].keyword == "PatientAddress"
    assert actions["(0029,1010)", "X"].keyword == "private"
    assert actions["(0008,0020)", "K"].times == 1


def test_a_study_is_recognised_by_its_fingerprint_only_where_a_key_is_given(tmp_path, clean):
    make_planted(tmp_path / "original.dcm")
    assert clean(tmp_path / "original.dcm")[0].original_study_fingerprint is None
    marked, _ = clean(tmp_path / "original.dcm", fingerprint_key=b"site")
    assert len(marked.original_study_fingerprint) == 64


def test_a_data_set_is_cleaned_without_touching_the_original(profile, identity, key):
    original = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    cleaned, report = deidentify(original, profile, identity, key)
    assert cleaned.PatientID == "101-001"
    assert original.PatientID == "1CT1"
    assert report.instances == 1
    assert cleaned.PixelData == original.PixelData


@pytest.mark.parametrize(
    ("keyword", "value", "left"),
    [
        ("PixelRepresentation", [0x6B4F, 0x6E6F, 0x776B, 0x206F], [0]),
        ("Rows", [128, 0x6B4F], [128]),
        ("FrameIncrementPointer", [0x00181063, 0x6B4F6E6F], [0x00181063, 0x6B4F6E6F]),
        ("ReferencePixelX0", [7, 0x6E6F6B4F], [7]),
        ("PixelAspectRatio", [1, 1], [1, 1]),
    ],
)
def test_numbers_that_the_parser_has_decoded_are_judged_as_any_other(keyword, value, left, identity, key):
    dataset = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    setattr(dataset, keyword, value)
    made, _ = deidentify(dataset, Profile("demo", "1"), identity, key)
    assert made[keyword].value == (left if len(left) > 1 else left[0])


@pytest.mark.parametrize("path", pydicom_files(), ids=lambda path: path.name)
def test_every_file_of_pydicom_is_refused_or_becomes_clean_with_the_same_pixels(path, clean, profile, identity):
    try:
        read_facts(path)
    except BadInput:
        with pytest.raises(BadInput, match=r"\.$"):
            clean(path)
        return
    result, made = clean(path)
    again = verify_clean(made, profile=profile, identity=identity)
    assert (again.sha256, again.canonical_hash) == (result.sha256, result.canonical_hash)
    before, after = pydicom.dcmread(path, force=True), pydicom.dcmread(made)
    for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        assert same_picture(before.get(keyword), after.get(keyword))
    assert not [e for e in after.iterall() if e.tag.is_private]
    things = [e for e in after.iterall() if e.VR == "UI" and int(e.tag) not in CLASSES_AND_SCHEMES]
    uids = [u for e in things for u in ([e.value] if isinstance(e.value, str) else e.value)]
    assert all(is_mapped_uid(uid) or UID(uid).name != uid or not uid for uid in uids)


def test_an_original_is_not_clean(profile, identity):
    with pytest.raises(NotClean, match=r"preamble|\(0002,"):
        verify_clean(pydicom_path("CT_small.dcm"), profile=profile, identity=identity)


def pydicom_path(name):
    return next(path for path in pydicom_files() if path.name == name)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda d: setattr(d, "PatientComments", "x"), "(0010,4000)"),
        (lambda d: setattr(d, "PatientBirthDate", "19510203"), "(0010,0030)"),
        (lambda d: setattr(d, "PatientAge", "095Y"), "(0010,1010)"),
        (lambda d: setattr(d, "PatientName", "Okonkwo"), "(0010,0010)"),
        (lambda d: setattr(d, "FrameOfReferenceUID", "1.2.3"), "(0020,0052)"),
        (lambda d: setattr(d, "StudyID", "77"), "(0020,0010)"),
        (lambda d: d.add_new(0x00091001, "LO", "x"), "(0009,1001)"),
        (lambda d: d.add_new(0x00089876, "LO", "x"), "(0008,9876)"),
        (lambda d: delattr(d, "PatientIdentityRemoved"), "(0012,0062)"),
        (
            lambda d: setattr(d.ReferencedImageSequence[0], "ReferencedSOPInstanceUID", "1.2"),
            "(0008,1140)[1].(0008,1155)",
        ),
        (lambda d: d.DeidentificationMethodCodeSequence.pop(), "(0012,0064)"),
        (lambda d: setattr(d.file_meta, "SourceApplicationEntityTitle", "CT01"), "(0002,0016)"),
        (lambda d: setattr(d, "preamble", b"x" * 128), "preamble"),
    ],
)
def test_whatever_is_added_to_a_clean_file_is_found_by_its_tag(clean_planted, profile, identity, spoil, named):
    path = clean_planted
    dataset = pydicom.dcmread(path)
    spoil(dataset)
    dataset.save_as(path)
    with pytest.raises(NotClean) as refusal:
        verify_clean(path, profile=profile, identity=identity)
    assert named in refusal.value.sentence


def test_bytes_behind_a_clean_image_are_found(tmp_path, clean, profile, identity):
    make_planted(tmp_path / "original.dcm")
    _, path = clean(tmp_path / "original.dcm")
    with pytest.raises(NotClean, match="end of the file"):
        verify_clean(BytesIO(path.read_bytes() + b"more"), profile=profile, identity=identity)


def test_a_clean_file_of_another_subject_is_not_clean_for_this_one(tmp_path, clean, profile, identity):
    make_planted(tmp_path / "original.dcm")
    _, path = clean(tmp_path / "original.dcm")
    with pytest.raises(NotClean, match="subject"):
        verify_clean(path, profile=profile, identity=identity._replace(subject_number="101-002"))


def test_a_refused_file_leaves_no_target(tmp_path, clean):
    with pytest.raises(UnreadableObject):
        clean(pydicom_path("MR_truncated.dcm"))
    assert not (tmp_path / "clean.dcm").exists()


def test_a_canonical_hash_does_not_change_when_cleaned_bytes_are_written_again(tmp_path, clean):
    make_planted(tmp_path / "original.dcm")
    result, path = clean(tmp_path / "original.dcm")
    pydicom.dcmread(path).save_as(tmp_path / "again.dcm", enforce_file_format=True)
    assert canonical_hash(tmp_path / "again.dcm") == result.canonical_hash


def test_damage_anywhere_is_refused_or_cleaned_and_never_leaks(tmp_path, clean, profile, identity):
    planted = make_planted(tmp_path / "original.dcm")
    whole, chance, cleaned = (tmp_path / "original.dcm").read_bytes(), random.Random(4), 0
    for _ in range(400):
        spoiled = bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            at = chance.randrange(132, len(spoiled) - 4)
            spoiled[at : at + 1] = chance.choice((b"", b"\xff", b"\0\0", bytes([chance.randrange(256)])))
        try:
            result, path = clean(BytesIO(bytes(spoiled)))
        except BadInput:
            assert not (tmp_path / "clean.dcm").exists()
            continue
        cleaned += 1
        verify_clean(path, profile=profile, identity=identity)
        assert result.hold_reason or b"konkwo" not in path.read_bytes().lower()
        path.unlink()
    assert planted
    assert 20 < cleaned < 400


def test_cleaning_writes_no_value_into_a_log_or_a_warning(tmp_path, clean, caplog, recwarn):
    planted = make_planted(tmp_path / "original.dcm")
    recwarn.clear()
    caplog.clear()
    clean(tmp_path / "original.dcm")
    told = caplog.text + "".join(str(warning.message) for warning in recwarn.list)
    assert [name for name in planted if name in told] == []


def test_a_value_that_breaks_its_vr_is_neither_carried_on_nor_logged(tmp_path, clean, caplog):
    original = pydicom.dcmread(pydicom_path("CT_small.dcm"))
    original.PatientBirthDate = original.StudyDate = original.ContentTime = original.PatientAge = "Okonkwo"
    original.SpecificCharacterSet = "ISO_IR Okonkwo"
    original.save_as(tmp_path / "original.dcm")
    caplog.clear()
    _, path = clean(tmp_path / "original.dcm")
    assert "Okonkwo" not in caplog.text
    assert b"Okonkwo" not in path.read_bytes()


def test_a_published_constant_does_not_give_the_shift_of_dates_away(tmp_path, identity):
    from pydicom.dataset import Dataset

    ds = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "T-D1000", "SRT", "Abdomen"
    code.ContextIdentifier, code.MappingResource, code.ContextGroupVersion = "4", "DCMR", "20020904000000"
    ds.AnatomicRegionSequence = [code]
    source = tmp_path / "in.dcm"
    ds.save_as(source)
    shifted = Profile.from_mapping({"version": "1", "dates": "shifted"})
    clean_file(source, tmp_path / "out.dcm", profile=shifted, identity=identity, subject_key=b"k" * 32)
    kept = pydicom.dcmread(tmp_path / "out.dcm").AnatomicRegionSequence[0]
    day = date_shift(b"k" * 32)
    assert day != 0
    assert shift_date("20020904000000", day) not in str(kept)
