"""What a report or a context tells of the patient by a coded name is treated as the header's attribute is."""

from __future__ import annotations

import shutil
from collections import Counter
from io import BytesIO

import pydicom
import pytest
from pydicom.data import get_testdata_file

from bench.validity import violations
from tests.dicom.planted_places import item, nest, put
from trialimg.dicom.deidentify import clean_into, plan_of, verify_clean
from trialimg.dicom.explain import steps_of
from trialimg.dicom.splicing.ground import Unusual
from trialimg.dicom.splicing.splice_file import splice_file
from trialimg.domain.deidentification import Profile, Rule

VALUES = {
    "DATE": ((0x0040A121, "DA", "19210412"),),
    "DATETIME": ((0x0040A120, "DT", "19210412101500"),),
    "TEXT": ((0x0040A160, "UT", "female"),),
    "NUMERIC": ((0x0040A30A, "DS", "97"), (0x0040A161, "FD", b"\0\0\0\0\0\x40\x58\x40")),
}
CONTENT, CONTEXT, STEPS, PROTOCOL = 0x0040A730, 0x00400555, 0x00400612, 0x00400440
PLACES = {"a report": CONTENT, "the context of an acquisition": CONTEXT, "a protocol": PROTOCOL}
BIRTH, SEX, AGE = ("121031", "Subject Birth Date"), ("121032", "Subject Sex"), ("121033", "Subject Age")
SIZE, WEIGHT = ("8302-2", "Patient Height"), ("29463-7", "Patient Weight")


def of_code(code, meaning, scheme="X"):
    return item((0x00080100, "SH", code), (0x00080102, "SH", scheme), (0x00080104, "LO", meaning))


def told(kind, name):
    """An item of a kind of value, with a name."""
    made = item((0x0040A040, "CS", kind), *VALUES.get(kind, ()))
    nest(made, 0x0040A043, of_code(*name))
    if kind == "CODE":
        nest(made, 0x0040A168, of_code("F", "Female", "DCM"))
    if kind == "NUM":
        measured = item(*VALUES["NUMERIC"])
        nest(measured, 0x004008EA, of_code("a", "year", "UCUM"))
        nest(made, 0x0040A300, measured)
    return made


def file_with(place, *items):
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    put(dataset, 0x00100030, "DA", "")
    put(dataset, 0x00101010, "AS", "097Y")
    nest(dataset, place, *items)
    stream = BytesIO()
    dataset.save_as(stream)
    return stream


@pytest.fixture
def cleaned(identity, key, tmp_path):
    """Clean a file, and check that the result is judged to be clean; give it."""

    def clean(stream, profile):
        target = tmp_path / "clean.dcm"
        clean_into(stream, target, profile=profile, identity=identity, subject_key=key)
        verify_clean(target, profile=profile, identity=identity)
        return pydicom.dcmread(target)

    return clean


def values_of(made):
    """The values of an item as text; of its code the meaning, of what it measured the number."""
    given = {int(e.tag): str(e.value) for e in made if e.VR != "SQ" and e.tag != 0x0040A040}
    for one in made.get("ConceptCodeSequence", ()):
        given[0x0040A168] = str(one.CodeMeaning)
    for one in made.get("MeasuredValueSequence", ()):
        given[0x0040A300] = str(one.NumericValue)
    return given


@pytest.mark.parametrize("dates", ["removed", "shifted", "kept"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "name",
    [
        BIRTH,
        ("21112-8", "X"),
        ("184099003", "X"),
        ("1", "Date of birth"),
        ("2", "Patient DOB"),
        ("3", "Geburtsdatum"),
        ("4", "Birthday"),
    ],
)
def test_a_birth_date_goes_however_dates_are_treated(dates, place, name, cleaned):
    items = (told("DATE", name), told("DATETIME", name), told("NUM", name), told("DATE", ("C", "Date of procedure")))
    profile = Profile("demo", "1", dates, chosen=frozenset({"clean_structured_content"}))
    clean = cleaned(file_with(PLACES[place], *items), profile)
    date, moment, number, other = map(values_of, clean[PLACES[place]].value)
    assert (date, moment, number) == ({0x0040A121: "19000101"}, {0x0040A120: "19000101000000"}, {})
    if dates == "kept":
        assert other == {0x0040A121: "19210412"}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", [SEX, AGE, SIZE, WEIGHT, ("1", "Smoking status"), ("2", "Pregnancy status"), ("3", "Race")])
def test_what_the_patient_is_like_goes_where_the_header_loses_it(place, name, cleaned):
    items = [told(kind, name) for kind in ("CODE", "TEXT", "NUM", "NUMERIC")]
    profile = Profile("demo", "1", "kept", chosen=frozenset({"clean_structured_content"}))
    clean = cleaned(file_with(PLACES[place], *items), profile)
    code, text, number, numeric = map(values_of, clean[PLACES[place]].value)
    assert code == {0x0040A168: "REMOVED"}
    assert text == {0x0040A160: "REMOVED"}
    assert (number, numeric) == ({}, {0x0040A30A: "0"})
    assert clean[PLACES[place]].value[2][0x0040A300].value == []


def test_what_the_trial_keeps_of_the_patient_stays_in_items_too_and_an_age_up_to_89(cleaned):
    kept = Profile("demo", "1", "kept", keep_sex=True, keep_age=True, keep_size=True)
    items = [told("CODE", SEX), told("NUM", AGE), told("NUMERIC", SIZE), told("NUM", WEIGHT), told("NUM", ("5", "BSA"))]
    clean = cleaned(file_with(CONTENT, *items), kept)
    sex, age, size, weight, surface = map(values_of, clean[CONTENT].value)
    assert (sex, age) == ({0x0040A168: "Female"}, {0x0040A300: "89"})
    assert size == {0x0040A30A: "97", 0x0040A161: "97.0"}
    assert (weight, surface) == ({}, {})


def test_patient_characteristics_are_retained_in_items_too(cleaned):
    kept = Profile("demo", "1", chosen=frozenset({"retain_patient_characteristics"}))
    names = (SEX, ("1", "Smoking status"), ("2", "Pregnancy status"), ("3", "Ethnic group"))
    clean = cleaned(file_with(CONTENT, *(told("CODE", name) for name in names)), kept)
    assert [values_of(one) for one in clean[CONTENT].value] == [{0x0040A168: "Female"}] * 4


def test_an_own_rule_for_the_attribute_counts_for_items_too(cleaned):
    ruled = Profile("demo", "1", rules=(Rule(0x00100040, "K", "needed"),))
    clean = cleaned(file_with(CONTENT, told("CODE", SEX)), ruled)
    assert values_of(clean[CONTENT].value[0]) == {0x0040A168: "Female"}


def test_an_item_below_another_and_an_equivalent_code_are_known(cleaned):
    inner, outer = told("DATE", BIRTH), told("CONTAINER", ("9", "Report"))
    nest(outer, CONTENT, inner)
    equivalent = told("DATE", ("9", "Something"))
    nest(equivalent[0x0040A043].value[0], 0x00080121, of_code(*BIRTH))
    profile = Profile("demo", "1", "kept")
    clean = cleaned(file_with(CONTENT, outer, equivalent), profile)
    first, second = clean[CONTENT].value
    assert values_of(first[CONTENT].value[0]) == values_of(second) == {0x0040A121: "19000101"}


@pytest.mark.parametrize(
    "name",
    [
        ("121207", "Height"),
        ("126401", "SUVbw"),
        ("1", "Standardized Uptake Value body weight"),
        ("11885-1", "Gestational Age by LMP"),
        ("11727-5", "Estimated Weight"),
        ("2", "Estimated fetal weight"),
        ("113753", "Table Height Position"),
        ("113937", "AAPM 204 Effective Diameter Estimated From Patient Age"),
        ("3", "Percentage of stage"),
        ("4", "Image size"),
        ("5", "LV mass / body surface area"),
    ],
)
def test_a_measurement_with_such_a_word_stays(name, cleaned):
    measured = told("NUM", name)
    put(measured[0x0040A300].value[0], 0x0040A30A, "DS", "12.5")
    del measured[0x0040A300].value[0][0x0040A161]
    clean = cleaned(file_with(CONTENT, measured), Profile("demo", "1"))
    assert values_of(clean[CONTENT].value[0]) == {0x0040A300: "12.5"}


@pytest.mark.parametrize("place", [CONTENT, PROTOCOL, STEPS])
@pytest.mark.parametrize("name", [BIRTH, SEX, AGE, ("9", "weight"), ("9", "Date of birth")])
def test_the_way_by_bytes_leaves_such_items_to_the_parser(place, name, identity, key, tmp_path):
    for rules in ((), (Rule(0x0040A043, "X", ""),)):
        given = (plan_of(Profile("demo", "1", "kept", rules=rules)), identity, key)
        with pytest.raises(Unusual):
            splice_file(file_with(place, told("TEXT", name)), tmp_path / "x", given)
        assert splice_file(file_with(place, told("TEXT", ("9", "Image size"))), tmp_path / "x", given)


def test_the_report_and_the_explanation_tell_what_became_of_them(identity, key, tmp_path):
    stream = file_with(CONTENT, told("NUM", SEX), told("CODE", SEX), told("DATE", BIRTH))
    profile = Profile("demo", "1", "kept")
    made = clean_into(stream, tmp_path / "x", profile=profile, identity=identity, subject_key=key)
    counts = Counter({(one.tag, one.action): one.times for one in made.report.actions})
    assert counts["(0040,A730).(0040,A300)", "Z"] == 1
    assert counts["(0040,A730).(0040,A168)", "D"] == counts["(0040,A730).(0040,A121)", "D"] == 1
    stream.seek(0)
    why = {path: step.why for path, step, _ in steps_of(stream, plan_of(profile)) if path[0] == CONTENT}
    assert "patient" in why[CONTENT, 0x0040A121]
    assert why[CONTENT, 0x0040A121] == why[CONTENT, 0x0040A168] == why[CONTENT, 0x0040A300]


def test_the_subjects_own_number_does_not_stay_in_a_report_even_where_it_is_short(cleaned):
    made = told("TEXT", ("121030", "Subject ID"))
    put(made, 0x0040A160, "UT", "881")
    profile = Profile("demo", "1", chosen=frozenset({"clean_structured_content"}))
    clean = cleaned(file_with(CONTENT, made), profile)
    assert values_of(clean[CONTENT].value[0]) == {0x0040A160: "REMOVED"}


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("dates", ["removed", "shifted"])
def test_a_report_that_told_of_the_patient_is_as_valid_as_before(dates, cleaned, tmp_path):
    report = pydicom.dcmread(get_testdata_file("reportsi.dcm"))
    told_in_it = [told("DATE", BIRTH), told("CODE", SEX), told("NUM", AGE), told("TEXT", SIZE), told("NUM", WEIGHT)]
    for one in told_in_it:
        put(one, 0x0040A010, "CS", "HAS OBS CONTEXT")
        for measured in one.get("MeasuredValueSequence", ()):
            del measured[0x0040A161]
    nest(report, CONTENT, *told_in_it, *report.ContentSequence)
    report.save_as(tmp_path / "before")
    stream = BytesIO((tmp_path / "before").read_bytes())
    clean = cleaned(stream, Profile("demo", "1", dates))
    clean.save_as(tmp_path / "after")
    assert violations(tmp_path / "after")[0] - violations(tmp_path / "before")[0] == Counter()
    assert values_of(clean[CONTENT].value[0]) == {0x0040A010: "HAS OBS CONTEXT", 0x0040A121: "19000101"}
