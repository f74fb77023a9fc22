"""Dates are removed, kept or shifted as a whole: what is measured between them stays, and the marker says which."""

from __future__ import annotations

import datetime as dt
import re

import pydicom
import pytest

from tests.dicom.planted_objects import from_file, write_as_it_stands
from tests.dicom.planted_places import item, nest, put
from trialimg.dicom.deidentify import clean_file, verify_clean
from trialimg.domain.pseudonym import date_shift, shift_date, site_key, subject_key

PET = "1.2.840.10008.5.1.4.1.1.128"
MOMENTS = {
    "study": ("20240228", "235000"),
    "series": ("20240228", "235500.5"),
    "acquisition": ("20240229", "001000"),
    "content": ("20240301", "000001"),
}
TAGS = {
    "study": (0x00080020, 0x00080030),
    "series": (0x00080021, 0x00080031),
    "acquisition": (0x00080022, 0x00080032),
    "content": (0x00080023, 0x00080033),
}
INJECTION = "20240228225500.000000+0130"


def pet(number=1):
    """A PET slice of a scan that began before midnight of a leap day, with every input of a standardized uptake."""
    dataset = from_file("CT_small.dcm")
    put(dataset, 0x00080016, "UI", PET)
    put(dataset, 0x00080018, "UI", f"1.2.826.0.1.3680043.9.1.{number}")
    put(dataset, 0x00080060, "CS", "PT")
    put(dataset, 0x00080201, "SH", "+0130")
    for name, (day, time) in MOMENTS.items():
        put(dataset, TAGS[name][0], "DA", day)
        put(dataset, TAGS[name][1], "TM", time)
    put(dataset, 0x0008002A, "DT", "20240229001000+0130")
    put(dataset, 0x00541102, "CS", "START")
    put(dataset, 0x00541300, "DS", "1000")
    tracer = ((0x00181072, "TM", "225500"), (0x00181073, "TM", "225600"), (0x00181075, "DS", "6586.2"))
    moments = ((0x00181078, "DT", INJECTION), (0x00181079, "DT", "20240229005500+0130"))
    nest(dataset, 0x00540016, item(*tracer, (0x00181074, "DS", "370000000"), *moments))
    return dataset


def cleaned(dataset, folder, chosen, subject):
    write_as_it_stands(dataset, folder / "in.dcm")
    result = clean_file(folder / "in.dcm", folder / "out.dcm", profile=chosen, **subject)
    verify_clean(folder / "out.dcm", profile=chosen, identity=subject["identity"])
    return pydicom.dcmread(folder / "out.dcm"), result


def moments_of(dataset):
    """Every moment of a PET slice; those without an offset are of its timezone."""
    zone = dataset.TimezoneOffsetFromUTC
    found = {
        name: f"{dataset[day].value}{dataset[time].value.split('.')[0]}{zone}" for name, (day, time) in TAGS.items()
    }
    tracer = dataset.RadiopharmaceuticalInformationSequence[0]
    found["injection"] = tracer.RadiopharmaceuticalStartDateTime.replace(".000000", "")
    found["stop"] = tracer.RadiopharmaceuticalStopDateTime
    found["acquired"] = dataset.AcquisitionDateTime
    return {name: dt.datetime.strptime(text, "%Y%m%d%H%M%S%z") for name, text in found.items()}


@pytest.fixture
def given(tmp_path, profile, identity, key):
    def ask(dataset, dates, *, subject=key):
        chosen = profile._replace(dates=dates)
        return cleaned(dataset, tmp_path, chosen, {"identity": identity, "subject_key": subject})

    return ask


def test_a_shift_keeps_every_interval_over_midnight_and_a_leap_day(given, key):
    before, after = moments_of(pet()), moments_of(given(pet(), "shifted")[0])
    assert {name: after[name] - before[name] for name in before} == dict.fromkeys(before, dt.timedelta(date_shift(key)))


def test_what_decay_is_computed_from_stays_with_its_times(given):
    made, _ = given(pet(), "shifted")
    tracer = made.RadiopharmaceuticalInformationSequence[0]
    assert (tracer.RadiopharmaceuticalStartTime, tracer.RadionuclideTotalDose) == ("225500", 370000000)
    assert (made.SeriesTime, made.AcquisitionTime, made.DecayCorrection) == ("235500.5", "001000", "START")
    assert float(tracer.RadionuclideHalfLife) == pytest.approx(6586.2)


def test_files_of_a_subject_are_shifted_alike_and_those_of_others_by_themselves(given):
    shifts = set()
    for number in (1, 2):
        made, _ = given(pet(number), "shifted")
        shifts.add(made.StudyDate)
    assert len(shifts) == 1
    keys = [subject_key(site_key(b"k" * 32, "101"), f"101-{number:03d}") for number in range(12)]
    assert len({given(pet(), "shifted", subject=key)[0].StudyDate for key in keys}) > 9


@pytest.mark.parametrize(("dates", "told"), [("removed", "REMOVED"), ("shifted", "MODIFIED"), ("kept", "UNMODIFIED")])
def test_the_marker_says_what_became_of_the_dates(dates, told, given):
    codes = {"removed": set(), "shifted": {"113107"}, "kept": {"113106"}}
    made, result = given(pet(), dates)
    assert made.LongitudinalTemporalInformationModified == told
    assert {item.CodeValue for item in made.DeidentificationMethodCodeSequence} & {"113106", "113107"} == codes[dates]
    assert set(result.report.options) & {"113106", "113107"} == codes[dates]


@pytest.mark.parametrize("dates", ["removed", "shifted", "kept"])
def test_an_earlier_claim_about_dates_is_not_carried_on_at_any_depth(dates, given):
    dataset = pet()
    dataset.LongitudinalTemporalInformationModified = "UNMODIFIED"
    nest(dataset, 0x00081140, item((0x00081155, "UI", "1.2.3"), (0x00280303, "CS", "MODIFIED")))
    made, result = given(dataset, dates)
    assert "LongitudinalTemporalInformationModified" not in made.ReferencedImageSequence[0]
    assert "(0008,1140).(0028,0303)" in {action.tag for action in result.report.actions}


def test_kept_dates_are_the_original_ones(given):
    assert moments_of(given(pet(), "kept")[0]) == moments_of(pet())


@pytest.mark.parametrize("dates", ["removed", "shifted"])
def test_no_true_date_is_left_in_any_form(dates, given, tmp_path):
    dataset = pet()
    nest(
        dataset,
        0x0040A730,
        *(
            item((0x0040A040, "CS", vr), (tag, vr, day))
            for tag, vr, day in (
                (0x0040A121, "DA", "20240228"),
                (0x0040A120, "DT", "20240228101500.5-0500"),
                (0x0040A121, "DA", "2024.02.28"),
            )
        ),
    )
    put(dataset, 0x30060008, "DA", "20240228")
    put(dataset, 0x300A0006, "DA", "20240228")
    put(dataset, 0x00091010, "DA", "20240228")
    put(dataset, 0x00181012, "DA", "20240228\\20240229")
    made, _ = given(dataset, dates)
    content = (tmp_path / "out.dcm").read_bytes()
    assert not re.search(rb"2024[.-]?0(2[.-]?2[89]|3[.-]?01)", content)
    if dates == "removed":
        assert {str(element.value) for element in made.iterall() if element.VR in {"DA", "DT"}} <= {
            *("", "None", "19000101", "19000101000000")
        }


@pytest.mark.parametrize(
    "day", ["00010101", "99991231", "20230229", "4711081", "47110815", "20240228-20240301", "0", "1" * 60]
)
@pytest.mark.parametrize("dates", ["removed", "shifted", "kept"])
def test_a_strange_date_ends_as_a_legal_one_or_none(day, dates, given):
    dataset = pet()
    for tag, _ in TAGS.values():
        put(dataset, tag, "DA", day)
    made, _ = given(dataset, dates)
    for tag, _ in TAGS.values():
        assert re.fullmatch(r"(\d{8})?", str(made[tag].value or "")), (tag, made[tag].value)


@pytest.mark.parametrize("false", ["20240228", "20240228101500", "2024-02-28", "20240228+0100"])
def test_a_true_date_in_a_time_does_not_stay_beside_shifted_ones(false, given):
    dataset = pet()
    put(dataset, 0x00080030, "TM", false)
    nest(dataset, 0x0040A730, item((0x0040A040, "CS", "TIME"), (0x0040A122, "TM", false)))
    made, _ = given(dataset, "shifted")
    assert not made.StudyTime
    assert str(made.ContentSequence[0].Time) in {"", "000000"}


@pytest.mark.parametrize(
    "unknown", ["19000101", "19010101", "00010101", "99991231", "19700101", "18000101", "18581117"]
)
def test_what_stands_for_an_unknown_date_does_not_tell_by_how_many_days_the_others_moved(unknown, given, tmp_path, key):
    dataset = pet()
    put(dataset, 0x00080022, "DA", unknown)
    put(dataset, 0x0008002A, "DT", f"{unknown}000000")
    nest(dataset, 0x0040A730, item((0x0040A040, "CS", "DATE"), (0x0040A121, "DA", unknown)))
    made, _ = given(dataset, "shifted")
    moved = [shift_date(unknown, date_shift(key)), shift_date(unknown, date_shift(key) + 365)]
    content = (tmp_path / "out.dcm").read_bytes()
    assert not any(day and day.encode() in content for day in moved)
    assert not made.AcquisitionDate
    assert made.StudyDate


@pytest.mark.parametrize("moment", ["20240228773451.773451", "20240228.773451", "20240228101112-4512", "20240228-2025"])
def test_digits_that_are_no_time_of_day_do_not_stay_behind_a_shifted_date(moment, given):
    dataset = pet()
    put(dataset, 0x0008002A, "DT", moment)
    assert not given(dataset, "shifted")[0].AcquisitionDateTime
