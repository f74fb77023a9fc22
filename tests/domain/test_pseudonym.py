"""What stands for identities is the same for ever, differs between sites and subjects, and tells nothing without a key."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg.domain.pseudonym import (
    cap_age,
    date_shift,
    fingerprint,
    fingerprint_key,
    is_mapped_uid,
    map_uid,
    marks_of_person,
    shift_date,
    site_key,
    study_id,
    subject_key,
)

TRIAL = b"t" * 32
UIDS = st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,8})){1,6}", fullmatch=True)


def test_what_was_made_once_is_made_again_by_every_later_version():
    key = subject_key(site_key(TRIAL, "101"), "101-001")
    assert key.hex() == "e928d872c806ee8de4d5a8ddea836e7f8dab371e0c1803db9f735a6d249f5bfd"
    assert map_uid(key, "1.2.3") == "2.25.204209393987855067056973450693188858051"
    assert date_shift(key) == -332
    assert (
        fingerprint(fingerprint_key(site_key(TRIAL, "101")), "1.2.3")
        == "a06d614479056337bf9e95959e3a223a7bbf8cf31e90a913ad4694c11d6339b8"
    )
    assert study_id("2.25.1") == "49B1B035C2CF7AA7"


def test_the_same_patient_number_at_two_sites_is_two_subjects():
    here, there = (subject_key(site_key(TRIAL, site), "0815") for site in ("101", "102"))
    assert here != there
    assert map_uid(here, "1.2.3") != map_uid(there, "1.2.3")
    assert fingerprint_key(site_key(TRIAL, "101")) not in {here, there, site_key(TRIAL, "101")}


def test_another_subject_site_or_trial_gives_other_uids():
    keys = [
        subject_key(site_key(TRIAL, "101"), "101-001"),
        subject_key(site_key(TRIAL, "101"), "101-002"),
        subject_key(site_key(TRIAL, "102"), "101-001"),
        subject_key(site_key(b"u" * 32, "101"), "101-001"),
    ]
    assert len({map_uid(key, "1.2.3") for key in keys}) == 4


def test_a_fingerprint_needs_the_key_of_the_site():
    here, there = (fingerprint_key(site_key(TRIAL, site)) for site in ("101", "102"))
    assert fingerprint(here, "1.2.3") == fingerprint(here, "1.2.3")
    assert fingerprint(here, "1.2.3") != fingerprint(there, "1.2.3")


def test_a_study_id_fits_its_vr_and_differs_between_studies():
    assert len(study_id("2.25.1")) == 16
    assert study_id("2.25.1") != study_id("2.25.2")


def test_names_of_site_and_subject_cannot_be_parted_in_another_way():
    assert subject_key(site_key(TRIAL, "1"), "23") != subject_key(site_key(TRIAL, "12"), "3")
    assert site_key(TRIAL, "subject:1") != subject_key(TRIAL, "1")


@given(UIDS | st.text(max_size=64), st.binary(min_size=16, max_size=32))
def test_a_new_uid_is_a_uuid_that_every_archive_takes(uid, key):
    made = map_uid(key, uid)
    assert made == map_uid(key, uid)
    assert is_mapped_uid(made)
    digits = made.removeprefix("2.25.")
    number = uuid.UUID(int=int(digits))
    assert (number.version, number.variant) == (8, uuid.RFC_4122)
    assert len(made) <= 64
    assert uid not in digits or len(uid) < 6


@pytest.mark.parametrize(
    "uid", ["", "1.2.3", "2.25.", "2.25.1", "2.25.0012", "2.25.x", "2.25." + "9" * 39, f"2.25.{1 << 128}", "2.25.²"]
)
def test_another_uid_is_not_taken_for_one_of_ours(uid):
    assert not is_mapped_uid(uid)


@given(st.dates(dt.date(1850, 1, 1), dt.date(2150, 12, 31)), st.integers(0, 4000), st.binary(min_size=1, max_size=32))
def test_days_between_dates_stay_over_leap_days_and_years(day, later, key):
    days = date_shift(key)
    assert -365 <= days <= -1
    one, other = (shift_date(f"{moment:%Y%m%d}", days) for moment in (day, day + dt.timedelta(days=later)))
    parsed = [dt.datetime.strptime(text, "%Y%m%d").date() for text in (one, other)]
    assert (parsed[1] - parsed[0]).days == later
    assert (parsed[0] - day).days == days


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20240301", "20240229"),
        ("2024.03.01", "20240229"),
        ("20240301101530.123456+0930", "20240229101530.123456+0930"),
        ("20240301000000", "20240229000000"),
        ("20240101101500.25+0100", "20231231101500.25+0100"),
        *((partial, "") for partial in ("2024", "202403", "20240230", "20240301-20240302", "00010101", "", "Okonkwo")),
        *((false, "") for false in ("20241399", "20240301 SMITH", "20240301SM")),
        *((false, "") for false in ("20240301773451", "20240301.773451", "20240301101112+4512", "2024030124")),
        ("99991231", "99991230"),
    ],
)
def test_a_whole_date_is_moved_with_its_time_and_offset_and_anything_else_goes(value, expected):
    assert shift_date(value, -1) == expected


@pytest.mark.parametrize(
    ("age", "told"),
    [
        *(("089Y", "089Y"), ("090Y", "089Y"), ("097y", "089Y"), ("999M", "999M"), ("999W", "999W"), ("999D", "999D")),
        *(("050Y ", "050Y"), ("50Y", ""), ("097", ""), ("", ""), ("012D", "012D"), ("Okonkwo", ""), ("097Y\\050Y", "")),
    ],
)
def test_nobody_is_told_to_be_older_than_89(age, told):
    assert cap_age(age) == told


OKONKWO = ("0815 ", "HOSPITAL", "Okonkwo^Adaeze=奥^阿", "19560314")


@pytest.mark.parametrize("written", ["OKONKWO^ADAEZE", "Okonkwo  Adaeze^^", " okonkwo^adaeze =another=group"])
def test_a_person_is_the_same_however_the_name_is_written(written):
    number, issuer, _, born = OKONKWO
    assert marks_of_person(f" {number}", f"{issuer} ", written, born) == marks_of_person(*OKONKWO)


@pytest.mark.parametrize(("at", "other"), [(0, "0816"), (1, ""), (2, "Okonkwo^Amaka"), (3, "19560315"), (3, "")])
def test_whoever_differs_in_number_issuer_name_or_birth_date_is_another_person(at, other):
    assert marks_of_person(*(other if at == n else value for n, value in enumerate(OKONKWO))) != marks_of_person(
        *OKONKWO
    )
