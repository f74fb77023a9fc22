from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from trialimg.domain.deid_report import ActionCount, Report
from trialimg.domain.deidentification import _KEYS, CID_7050, OPTIONS, Profile
from trialimg.domain.pseudonym import (
    cap_age,
    date_shift,
    fingerprint,
    fingerprint_key,
    is_mapped_uid,
    map_uid,
    shift_date,
    site_key,
    study_id,
    subject_key,
)
from trialimg.errors import BadDefinition

ROOT = Path(__file__).parents[2]
KEY = subject_key(site_key(b"t" * 32, "101"), "101-001")
GOOD = {
    "version": "2",
    "dates": "shifted",
    "keep": ["sex", "age"],
    "rules": [{"tag": "0008,103E", "action": "K", "why": "the manifest reads it"}],
    "deidentify_at": "server",
    "held_days": 7,
}


PRIVATE = {"creator": "SIEMENS MR HEADER", "element": "0019,xx0C"}
FULL = {
    **GOOD,
    "options": list(OPTIONS),
    "safe_private": "curated",
    "words": ["MPRAGE", "T2w"],
    "pixel_review": ["imaging_qc", "site"],
    "hold_recognisable": True,
    "hold_localizers": True,
    "rules": [
        {"private": {**PRIVATE, "vr": "IS"}, "action": "K", "why": "b-values", "sop_class": ["MR Image Storage"]},
        {"private": PRIVATE, "action": "X"},
        {"tag": "0008,103E", "action": "C", "why": "the manifest reads it", "sop_class": ["1.2.840.10008.5.1.4.1.1.2"]},
    ],
}


def test_a_definition_with_everything_is_read_and_written_without_loss():
    profile = Profile.from_mapping(FULL)
    assert Profile.from_mapping(json.loads(json.dumps(profile.to_mapping()))) == profile
    assert profile.chosen == set(OPTIONS)
    assert profile.words == {"mprage", "t2w"}
    assert profile.pixel_reviewers == {"site", "imaging_qc"}
    assert [rule.attribute for rule in profile.rules[1:]] == ["(0019,xx0C) of “SIEMENS MR HEADER”", "(0008,103E)"]
    assert profile.rules[0].sop_classes == ("1.2.840.10008.5.1.4.1.1.4",)


def test_unreviewed_pixels_are_the_sites_own_where_nothing_is_said():
    assert Profile.from_mapping(GOOD).pixel_reviewers == {"site"}
    assert Profile("t", "1").pixel_reviewers == {"site"}


def test_every_key_that_the_engine_reads_is_in_the_schema_for_editors():
    schema = json.loads((ROOT / "forms/schema/deidentification.schema.json").read_text(encoding="utf-8"))
    keys = schema["properties"]
    assert set(keys) == _KEYS - {"name"}
    assert keys["options"]["items"]["enum"] == list(OPTIONS)
    assert Draft202012Validator(schema).is_valid(FULL)


def test_a_definition_is_read_and_written_without_loss():
    profile = Profile.from_mapping(GOOD)
    assert (profile.dates, profile.keep_sex, profile.keep_size, profile.held_days) == ("shifted", True, False, 7)
    assert profile.rules[0].tag == 0x0008103E
    assert Profile.from_mapping(json.loads(json.dumps(profile.to_mapping()))) == profile


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"version": ""}, "'version'"),
        ({"dates": "moved"}, "'dates'"),
        ({"keep": ["hair"]}, "'keep'"),
        ({"keep": "sex"}, "'keep'"),
        ({"held_days": 0}, "'held_days'"),
        ({"held_days": True}, "'held_days'"),
        ({"deidentify_at": "home"}, "'deidentify_at'"),
        ({"colour": "red"}, "'colour'"),
        ({"rules": {}}, "'rules'"),
        ({"rules": [{"tag": "0008,103E", "action": "K"}]}, "entry 1: 'why'"),
        ({"rules": [{"tag": "103E", "action": "X"}]}, "entry 1: 'tag'"),
        ({"rules": [{"tag": "0008,103E", "action": "Q"}]}, "entry 1: 'action'"),
        ({"rules": [{"tag": "0029,1010", "action": "K", "why": "x"}]}, "private"),
        ({"rules": [{"tag": "0008,1110", "action": "U"}]}, "entry 1: 'why'"),
        ({"rules": [{"tag": "0008,1030", "action": "C"}]}, "entry 1: 'why'"),
        ({"rules": [{"action": "X"}]}, "'tag' or 'private'"),
        ({"rules": [{"tag": "0008,1030", "private": PRIVATE, "action": "X"}]}, "'tag' or 'private'"),
        ({"rules": [{"private": PRIVATE, "action": "K"}]}, "entry 1: 'why'"),
        ({"rules": [{"private": PRIVATE, "action": "D"}]}, "K, X or Z"),
        ({"rules": [{"private": {"creator": "MAKER"}, "action": "X"}]}, "'private' has creator and element"),
        ({"rules": [{"private": {**PRIVATE, "element": "0018,xx0C"}, "action": "X"}]}, "'element'"),
        ({"rules": [{"private": {**PRIVATE, "element": "0019,100C"}, "action": "X"}]}, "'element'"),
        ({"rules": [{"private": {**PRIVATE, "element": "0007,xx0C"}, "action": "X"}]}, "'element'"),
        ({"rules": [{"private": {**PRIVATE, "creator": "MÜLLER"}, "action": "X"}]}, "'creator'"),
        ({"rules": [{"private": {**PRIVATE, "vr": "QQ"}, "action": "X"}]}, "'vr'"),
        ({"rules": [{"tag": "0008,1030", "action": "X", "sop_class": "CT"}]}, "'sop_class'"),
        ({"rules": [{"tag": "0008,1030", "action": "X", "sop_class": ["CT"]}]}, "'sop_class' knows no name"),
        ({"rules": [{"tag": "0008,1030", "action": "X", "colour": 1}]}, "nobody knows the key 'colour'"),
        ({"options": ["clean_pixel_data"]}, "'options'"),
        ({"options": "clean_descriptors"}, "'options'"),
        ({"safe_private": "curated"}, "'safe_private' means nothing"),
        ({"options": ["retain_safe_private"], "safe_private": "all"}, "'safe_private' must be"),
        ({"words": ["mprage"]}, "'words' means nothing"),
        ({"options": ["clean_descriptors"], "words": ["x"]}, "words, entry 1"),
        ({"options": ["clean_descriptors"], "words": ["MPRAGE", "T12"]}, "words, entry 2"),
        ({"options": ["clean_descriptors"], "words": ["two words"]}, "words, entry 1"),
        (
            {
                "options": ["clean_descriptors"],
                "words": [f"a{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(501)],
            },
            "500",
        ),
        ({"pixel_review": ["imaging_qc"]}, "'pixel_review' must name site"),
        ({"pixel_review": ["sponsor"]}, "'pixel_review'"),
        ({"hold_recognisable": "yes"}, "'hold_recognisable'"),
        ({"hold_localizers": "yes"}, "'hold_localizers'"),
        ({"rules": [{"tag": "0010,0030", "action": "K", "why": "x"}]}, "'tag' is written by the engine"),
        ({"rules": [{"tag": "0012,0062", "action": "X"}]}, "'tag' is written by the engine"),
        ({"rules": [GOOD["rules"][0], GOOD["rules"][0]]}, "entry 2: 'tag'"),
    ],
)
def test_a_wrong_definition_is_refused_by_the_name_of_its_key(change, named):
    with pytest.raises(BadDefinition, match=named):
        Profile.from_mapping({**GOOD, **change})


def test_only_options_that_are_applied_are_named():
    assert Profile("t", "1").options == ("113100",)
    assert Profile("t", "1", "kept", keep_age=True).options == ("113100", "113106", "113108")
    assert Profile("t", "1", "shifted").options == ("113100", "113107")
    chosen = Profile("t", "1", chosen=frozenset({"clean_descriptors", "retain_uids"}))
    assert chosen.options == ("113100", "113105", "113110")
    assert all(len(meaning) <= 64 for meaning in CID_7050.values())  # LO


@given(st.text(max_size=64))
def test_a_mapped_uid_is_a_uuid_of_version_8_and_always_the_same(uid):
    mapped = map_uid(KEY, uid)
    assert mapped == map_uid(KEY, uid)
    assert is_mapped_uid(mapped)
    number = uuid.UUID(int=int(mapped.removeprefix("2.25.")))
    assert (number.version, number.variant) == (8, uuid.RFC_4122)
    assert len(mapped) <= 64


def test_another_subject_site_or_trial_gives_other_uids():
    keys = [
        KEY,
        subject_key(site_key(b"t" * 32, "101"), "101-002"),
        subject_key(site_key(b"t" * 32, "102"), "101-001"),
        subject_key(site_key(b"u" * 32, "101"), "101-001"),
    ]
    assert len({map_uid(key, "1.2.3") for key in keys}) == 4


@pytest.mark.parametrize("uid", ["", "1.2.3", "2.25.", "2.25.1", "2.25.0012", "2.25.x", f"2.25.{1 << 128}", "2.25.²"])
def test_a_uid_that_we_did_not_make_is_not_taken_for_ours(uid):
    assert not is_mapped_uid(uid)


@given(st.binary(min_size=1, max_size=32))
def test_dates_are_moved_back_by_one_to_365_days(key):
    assert -365 <= date_shift(key) <= -1


@pytest.mark.parametrize(
    ("value", "days", "moved"),
    [
        ("20240301", -1, "20240229"),
        ("2024.03.01", -1, "20240229"),
        ("20240101101500.25+0100", -1, "20231231101500.25+0100"),
        ("", -1, ""),
        ("202401", -1, ""),
        ("20241399", -1, ""),
        ("20240301 SMITH", -1, ""),
        ("20240301SM", -1, ""),
        ("00010101", -1, ""),
    ],
)
def test_a_date_moves_and_what_is_no_full_date_is_not_told(value, days, moved):
    assert shift_date(value, days) == moved


@pytest.mark.parametrize(
    ("age", "told"),
    [("089Y", "089Y"), ("090Y", "089Y"), ("093Y", "089Y"), ("999M", "999M"), ("012D", "012D"), ("old", ""), ("", "")],
)
def test_nobody_is_told_to_be_older_than_89(age, told):
    assert cap_age(age) == told


def test_a_study_id_fits_its_vr_and_differs_between_studies():
    assert len(study_id("2.25.1")) == 16
    assert study_id("2.25.1") != study_id("2.25.2")


def test_a_fingerprint_needs_the_key_of_the_site():
    key = fingerprint_key(site_key(b"t" * 32, "101"))
    assert fingerprint(key, "1.2.3") == fingerprint(key, "1.2.3")
    assert fingerprint(key, "1.2.3") != fingerprint(fingerprint_key(site_key(b"t" * 32, "102")), "1.2.3")


def test_reports_of_one_profile_add_up_and_others_do_not():
    one = Report("demo", "1", 1, ("113100",), (ActionCount("(0010,0010)", "PatientName", "D", 1),))
    two = Report("demo", "1", 2, ("113100", "113104"), (ActionCount("(0010,0010)", "PatientName", "D", 3),))
    both = one + two
    assert both.instances == 3
    assert both.options == ("113100", "113104")
    assert both.actions == (ActionCount("(0010,0010)", "PatientName", "D", 4),)
    assert Report.from_json(json.loads(json.dumps(both.to_json()))) == both
    with pytest.raises(ValueError, match="profiles"):
        one + Report("demo", "2", 1, ())
