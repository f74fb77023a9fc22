"""What the search for what is left finds, and what it does not take for a find."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from tests.dicom.conftest import pydicom_files
from tests.dicom.planted_objects import write_as_it_stands
from tests.dicom.planted_places import CODECS, PERSONS, put
from trialimg.dicom.deidentify import clean_file, clean_ordinary
from trialimg.dicom.parsing.residue import find_residue, identifying_values
from trialimg.dicom.rules.needles import needles_of, pattern_of
from trialimg.dicom.splicing.ground import Unusual
from trialimg.dicom.standard.table import vr_of
from trialimg.errors import BadInput, UnreadableObject

MAKER = 0x00080070
HERE = ["(0008,0070)"]


def values_of(**attributes):
    original = Dataset()
    for keyword, value in attributes.items():
        setattr(original, keyword, value)
    return identifying_values(original)


def is_found(values, text, tag=MAKER, vr="LO"):
    cleaned = Dataset()
    cleaned.set_original_encoding(False, True)
    put(cleaned, tag, vr, text)
    return bool(find_residue(cleaned, values))


@pytest.mark.parametrize(
    "text",
    [
        *("okonkwo", "Mr OKONKWO", "xOkonkwox", "Adaeze", "nnamdi-adaeze", "ⓞkonkwo", "４７１１-０８１５"),
        *("4711-0815", "id:4711-0815.", "A20240311", "St. Agnes", "Dr Grünwald", "Grünwald"),
        *(
            "0761 5550123",
            "0761/555-0123",
            "07615550123",
            "okonkwo.ada@mail.example",
            "Kastanienallee 4",
            "79104 Freiburg",
        ),
        *("19510203", "1951-02-03", "03.02.1951", "3.2.1951", "2/3/1951", "03/02/1951", "3 Feb 1951", "03FEB1951"),
        *("born feb 3 1951", "WL-CTSCAN-07", "White Adaeze"),
    ],
)
def test_what_names_the_patient_the_people_and_the_place_is_found(text):
    values = values_of(
        PatientName="Okonkwo^Adaeze White",
        PatientID="4711-0815",
        OtherPatientNames="Nnamdi^Adaeze",
        AccessionNumber="A20240311",
        InstitutionName="St. Agnes",
        ReferringPhysicianName="Grünwald^Otto^^Dr",
        PatientTelephoneNumbers="0761/5550123",
        PatientAddress="Kastanienallee 4, 79104 Freiburg",
        PatientBirthDate="19510203",
        StationName="WL-CTSCAN-07",
    )
    assert is_found(values, text)


@pytest.mark.parametrize(
    "text",
    ["M", "AB", "1951", "White matter", "HEAD", "Brain", "SLEEPER", "9947110815", "4711", "CT", "10", "Dr", "3 Feb"],
)
def test_short_and_common_values_are_no_find(text):
    values = values_of(
        PatientName="White^Lee^A",
        PatientID="47110815",
        OtherPatientIDs="10",
        InstitutionName="Hospital",
        OperatorsName="AB",
        PatientBirthDate="19510203",
        StationName="CT",
        StudyID="1",
        PatientSex="M",
        PerformingPhysicianName="Brain^Head^^Dr",
    )
    assert not is_found(values, text)


def test_a_name_of_ordinary_words_is_found_where_both_stand_together():
    values = values_of(PatientName="White^Grant")
    assert is_found(values, "for WHITE, GRANT")
    assert is_found(values, "grant white")
    assert not is_found(values, "White matter")


@pytest.mark.parametrize("character_set", PERSONS)
def test_a_name_is_found_in_the_character_set_of_the_file_and_in_any_other(character_set):
    codec = CODECS[character_set]
    person = PERSONS[character_set]
    values = values_of(PatientName=person)
    word = person.split("=")[-1].split("^")[0]
    for written in (word.encode(codec, "ignore"), word.encode()):
        assert is_found(values, written), written
    for binary in ("utf-16-le", "utf-16-be", "utf-8"):
        long_word = max(person.replace("=", "^").split("^"), key=len)
        if len(long_word) > 5:
            assert is_found(values, b"\1\2" + long_word.encode(binary), 0x00282000, "OB")


def test_numbers_uids_and_dates_are_searched_as_what_they_are():
    values = values_of(PatientID="4711081", PatientBirthDate="19510203", StudyInstanceUID="1.2.3.4711081")
    assert is_found(values, "4711081", 0x00200011, "IS")
    assert not is_found(values, "47110811", 0x00200011, "IS")
    assert is_found(values, "1.2.826.4711081.5", 0x00081150, "UI")
    assert is_found(values, "19510203", 0x00080023, "DA")
    assert is_found(values, "19510203101500-19510204", 0x0040A120, "DT")
    assert not is_found(values, "19520203", 0x00080023, "DA")


def test_a_newborns_study_date_is_no_find():
    assert not is_found(values_of(PatientBirthDate="20240311", StudyDate="20240311"), "20240311", 0x00080023, "DA")


@pytest.mark.parametrize("tag", [0x00081090, 0x00181020, 0x00180024, 0x00181210, 0x00080008])
def test_a_find_holds_the_instance_and_names_the_tag_alone(tag, tmp_path, profile, identity, key):
    original = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    original.PatientName = "Okonkwo^Ada"
    put(original, tag, vr_of(tag), "OF OKONKWO")
    write_as_it_stands(original, tmp_path / "in.dcm")
    result = clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    assert f"({tag >> 16:04X},{tag & 0xFFFF:04X})" in result.hold_reason
    assert "okonkwo" not in result.hold_reason.lower()


def held(files, folder, **given):
    """Which files are held because of what is left in them, by the tags that are named."""
    found, cleaned = {}, 0
    for path in files:
        try:
            result = clean_file(path, folder / "out.dcm", **given)
        except BadInput:
            continue
        cleaned += 1
        if result.hold_reason and "still in" in result.hold_reason:
            found[path.name] = result.hold_reason.split("still in ")[1].split(". Look")[0]
    return found, cleaned


def test_no_file_of_pydicom_raises_a_false_alarm(tmp_path, profile, identity, key):
    found, cleaned = held(pydicom_files(), tmp_path, profile=profile, identity=identity, subject_key=key)
    assert cleaned > 60
    assert found == {}


@pytest.mark.corpora
def test_real_files_are_held_only_where_the_number_is_the_patients(corpus_files, tmp_path, profile, identity, key):
    """Eight phantoms of dcmqi have one number, 123456, as Study ID and as Series Number: that is told."""
    given = {"profile": profile._replace(dates="removed"), "identity": identity, "subject_key": key}
    found, cleaned = held(corpus_files, tmp_path, **given)
    print(f"{cleaned} files cleaned, {len(found)} held for what is left: {found}")
    assert cleaned > 200
    assert set(found.values()) <= {"(0020,0011)"}


@pytest.mark.parametrize(
    "attribute",
    [
        ("PatientTelephoneNumbers", "1" * 40_000),
        ("PatientID", "ab, " * 10_000),
        ("OperatorsName", "\\".join(f"Okon{number}kwo" for number in range(4000))),
    ],
)
def test_more_names_than_any_image_has_are_refused_before_they_cost_memory_and_hours(
    attribute, tmp_path, profile, identity, key
):
    keyword, text = attribute
    source = tmp_path / "source"
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian  # whose texts may be of any length
    setattr(dataset, keyword, text.split("\\"))
    dataset.save_as(source, implicit_vr=True, little_endian=True)
    pattern_of.cache_clear()
    given = {"profile": profile, "identity": identity, "subject_key": key}
    with pytest.raises(Unusual):
        clean_ordinary(source, tmp_path / "clean", **given)
    with pytest.raises(UnreadableObject, match="names more persons"):
        clean_file(source, tmp_path / "clean", **given)
    assert pattern_of.cache_info().misses == 0  # nothing was made ready
    assert not (tmp_path / "clean").exists()


def test_a_long_search_for_many_names_is_not_made_where_no_limit_of_time_holds():
    needles = needles_of(tuple((0x00081070, f"Okon{number}kwo".encode()) for number in range(1000)), b"")
    assert needles.take_long(1 << 24)
    assert not needles.take_long(1 << 16)
    assert needles.names_someone(b"okon1kwo " + b"x" * (1 << 21))  # by its words alone


@pytest.mark.parametrize(
    ("born", "text"),
    [
        *(
            ("19450312", text)
            for text in ("12 March 1945", "March 12, 1945", "12-Mar-45", "12 MARCH 45", "12.Maerz 1945")
        ),
        *(("19450312", text) for text in ("12th of March, 1945", "12 mars 1945", "12 de marzo de 1945", "12MAR45")),
        *(("19610503", text) for text in ("3 May 1961", "03.05.61", "61/05/03", "5/3/61", "May 3rd, 1961", "3 mei 61")),
        *(
            ("19511224", text)
            for text in ("24 December 1951", "24. Dezember 1951", "24 décembre 1951", "born 24/12/51")
        ),
    ],
)
def test_a_birth_date_is_found_with_the_name_of_its_month_and_with_a_short_year(born, text):
    assert is_found(values_of(PatientBirthDate=born), text)


@pytest.mark.parametrize(
    "text",
    [
        *("March 1945", "112 March 1945", "12 March 1946", "12 March 451", "March 112 1945", "4512", "mar 12"),
        *("March 5", "version 45.03", "12 marks 45 mm", "112-Mar-45"),
    ],
)
def test_another_date_a_month_and_a_year_alone_alarm_nobody(text):
    assert not is_found(values_of(PatientBirthDate="19450312"), text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("Doe^John", text) for text in ("DOEJOHN", "JohnDoe", "john_doe", "JDOE", "by jdoe", "DOEJ 3")),
        *(("Müller^Jörg", text) for text in ("MUELLER", "Muller", "JOERG", "Mueller Joerg", "MÜLLERJÖRG")),
        *(("Sørensen^Bjørn", text) for text in ("Sorensen", "Soerensen", "BJORN")),
        *(("Łukasz^Żółć", "Lukasz"), ("Weiß^Änne", "WEISS"), ("Weiß^Änne", "Aenne")),
        *(("O'Brien^Mary-Ann", text) for text in ("OBrien", "O Brien", "MaryAnn", "Mary Ann", "OBRIEN", "O’Brien")),
        *(("Silva Santos de Oliveira^Maria Aparecida", text) for text in ("Aparecida", "APARECIDA2", "Oliveira")),
        *(("Doe^John", text) for text in ("DOE1", "2doe", "DOE_CT")),
        *(("Mueller^Joerg", text) for text in ("Müller", "MÜLLER", "Jörg")),
        *(("Garcia^Jose", "García"), ("Okonkwo^Ada", "Okon\u200bkwo"), ("Okonkwo^Ada", "Okon\u00adkwo")),
        *(("Li^Na", text) for text in ("Li Na", "NA, LI", "lina", "LI^NA", "seen by li-na.")),
        *(("Smythe-Kowalczyk^Eva", text) for text in ("Kowalczyk", "SMYTHE_KOWALCZYK", "Smythe")),
    ],
)
def test_a_name_is_found_as_others_spell_it(name, text):
    assert is_found(values_of(PatientName=name), text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("Art^Paul", "part 2"), ("Ray^Xu", "XRAY"), ("Can^Sue", "SCAN"), ("QIN-HEADNECK-01-0024", "QIN NECK 01")),
        *(("Li^Na", "capilli nasi"), ("Li^Na", "Li"), ("Li^Na", "Na"), ("Li^Na", "reclina"), ("CT^MR", "MR CT")),
        *(("Doe^John", "does it"), ("Phantom^Head", "HEADPHANTOM"), ("Demo^Test", "TESTDEMO")),
    ],
)
def test_words_that_only_look_like_an_initial_and_a_name_alarm_nobody(name, text):
    assert not is_found(values_of(PatientName=name), text)


@pytest.mark.parametrize("text", ["0761 5550123", "+49 (0)761 5550123", "0049-761-5550123", "761/555 01 23"])
def test_a_telephone_number_is_found_from_home_and_from_abroad(text):
    for number in ("+49 761 5550123", "0761/5550123", "0049 761 5550123"):
        assert is_found(values_of(PatientTelephoneNumbers=number), text)
    assert not is_found(values_of(PatientTelephoneNumbers="+49 761 5550123"), "0762 5550123")


@pytest.mark.parametrize(
    "address", ["Kastanienallee 4^^Freiburg^^79104^D", "Kastanienallee 4  79104 Freiburg", "a~Kastanienallee 4|b"]
)
def test_an_address_is_found_by_its_parts(address):
    assert is_found(values_of(PatientAddress=address), "by KASTANIENALLEE 4.")


@pytest.mark.parametrize("text", ["MRN 7734512", "7734512", "MRN-7734512", "mrn7734512"])
def test_a_number_is_found_without_its_letters(text):
    assert is_found(values_of(PatientID="MRN7734512"), text)
    assert is_found(values_of(PatientID="MRN7734512", AccessionNumber="ACC55512"), "55512")
    assert is_found(values_of(PatientID="0007734512"), "7734512")


@pytest.mark.parametrize("number", ["12345678", "MRN12345678", "0012345678", "12-345-678", "MRN 12.345.678"])
def test_a_number_is_found_in_whatever_groups_it_is_written(number):
    values = values_of(PatientID=number)
    for text in ("12 345 678", "id 12-345-678.", "12.345.678", "1234 5678", "12/345/678", "12'345'678", "(123-45-678)"):
        assert is_found(values, text), text
    assert is_found(values, "12345678")


@pytest.mark.parametrize(
    ("text", "tag", "vr"),
    [
        *((text, MAKER, "LO") for text in ("1 2 3 4 5 6", "1-2-3-4-5-6", "123.456", "912 3456", "123 4567", "12.3456")),
        *((text, MAKER, "LO") for text in ("4.123 456", "123 456.7", "12345 6")),
        *(("123.456", 0x00280030, "DS"), ("12.34.56", 0x00081150, "UI"), ("1.2.12.34.56", 0x00081150, "UI")),
        *((" 12 34 56 123 456 ", 0x00282000, "OB"), ("610503", 0x00200011, "IS"), ("610503", 0x00080030, "TM")),
    ],
)
def test_other_numbers_beside_each_other_alarm_nobody(text, tag, vr):
    assert not is_found(values_of(PatientID="123456", PatientBirthDate="19610503"), text, tag, vr)


def test_a_date_and_a_short_number_are_not_searched_in_groups():
    values = values_of(AccessionNumber="2024-03-11", PatientID="12345", StudyID="20240311", AdmissionID="12A34")
    for text in ("2024 0311", "20 24 03 11", "12 345", "123-45", "12 34"):
        assert not is_found(values, text), text


@pytest.mark.parametrize("text", ["610503", "born 610503", "030561", "050361", "pat_610503", "030561/M"])
def test_a_birth_date_of_six_digits_is_found_in_texts(text):
    assert is_found(values_of(PatientBirthDate="19610503"), text)


@pytest.mark.parametrize("text", ["6105031", "1610503", "61.0503", "0.610503", "1.610503", "610503.1", "610504"])
def test_six_other_digits_alarm_nobody(text):
    assert not is_found(values_of(PatientBirthDate="19610503"), text)
    assert not is_found(values_of(PatientBirthDate="19500101"), "500101")  # the first of January is an unknown day
    assert not is_found(values_of(PatientBirthDate="20240311", StudyDate="20240311"), "240311")


def test_the_digits_of_a_number_that_are_a_date_or_few_alarm_nobody():
    values = values_of(AccessionNumber="ACC20240311", PatientID="LIDC-IDRI-0078", StudyID="CT12")
    assert not any(is_found(values, text) for text in ("20240311", "0078", "12"))


def test_a_uid_in_what_a_maker_writes_does_not_stay(tmp_path, profile, identity, key):
    source = tmp_path / "source"
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.Manufacturer = f"made {dataset.SOPInstanceUID}"[:64]
    dataset.SoftwareVersions = f"1.2 {dataset.SeriesInstanceUID}"[:64]
    dataset.save_as(source)
    clean_file(source, tmp_path / "clean", profile=profile, identity=identity, subject_key=key)
    content = (tmp_path / "clean").read_bytes()
    assert dataset.SOPInstanceUID.encode() not in content
    assert dataset.SeriesInstanceUID.encode() not in content


@pytest.mark.parametrize("gap", [" ", "-", "3 "])
def test_a_long_run_of_marks_costs_no_more_than_its_length(gap):
    pattern = pattern_of(values_of(PatientBirthDate="19450312", PatientName="O'Brien^Mary-Ann"))
    assert pattern.search("12" + gap * 100_000 + "march" + gap * 100_000) is None


def test_a_name_of_thousands_of_pieces_does_not_become_millions_of_values():
    pieces = [f"{one}{two}{three}" for one in "bcdfghklmn" for two in "aeiou" for three in "bcdfghklmnprstvz"]
    assert len(values_of(PatientName=f"{'-'.join(pieces)}^{'-'.join(reversed(pieces))}")) < 100
