from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from trialimg.domain.deidentification import _KEYS, CID_7050, OPTIONS, Profile
from trialimg.errors import BadDefinition

ROOT = Path(__file__).parents[2]
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
    "hold_localizers": False,
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


def test_localizers_are_held_where_nothing_is_said_and_go_on_where_the_trial_says_so():
    assert Profile.from_mapping(GOOD).hold_localizers
    assert Profile("t", "1").hold_localizers
    assert not Profile.from_mapping({**GOOD, "hold_localizers": False}).hold_localizers


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
        ({"rules": [GOOD["rules"][0], GOOD["rules"][0]]}, "entry 2: 'tag'"),
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
