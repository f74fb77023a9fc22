"""A trial's own rules: what is wrong with one is named by its number and key, and a good one is not lost on the way."""

from __future__ import annotations

import pytest

from trialimg.domain.deid_rule import Rule, read_rules
from trialimg.errors import BadDefinition

KEPT = {"tag": "0008,103E", "action": "K", "why": "the manifest reads it"}
PRIVATE = {"creator": "SIEMENS MR HEADER", "element": "0019,xx0C"}


@pytest.mark.parametrize(
    "entry",
    [
        KEPT,
        {"tag": "0008,103E", "action": "C", "why": "as above", "sop_class": ["1.2.840.10008.5.1.4.1.1.2"]},
        {"private": {**PRIVATE, "vr": "IS"}, "action": "K", "why": "b-values"},
        {"private": PRIVATE, "action": "X", "why": ""},
    ],
)
def test_a_rule_is_read_and_written_without_loss(entry):
    assert Rule.from_mapping(entry, 1).to_mapping() == entry


def test_a_class_may_be_named_as_the_standard_names_it():
    rule = Rule.from_mapping({**KEPT, "sop_class": ["MR Image Storage"]}, 1)
    assert rule.sop_classes == ("1.2.840.10008.5.1.4.1.1.4",)


def test_two_rules_meet_where_a_class_of_both_is_the_same():
    every, ct, mr = (Rule(0x0008103E, "X", "", sop_classes=classes) for classes in ((), ("1.2",), ("1.3",)))
    assert every.meets(every)
    assert ct.meets(ct._replace(sop_classes=("1.3", "1.2")))
    assert not ct.meets(mr)
    assert not every.meets(ct)
    assert not ct.meets(ct._replace(creator="MAKER"))


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({}, "'rules'"),
        ([{"tag": "0008,103E", "action": "K"}], "entry 1: 'why'"),
        ([{"tag": "103E", "action": "X"}], "entry 1: 'tag'"),
        ([{"tag": "0008,103E", "action": "Q"}], "entry 1: 'action'"),
        ([{"tag": "0029,1010", "action": "K", "why": "x"}], "private"),
        ([{"tag": "0008,1110", "action": "U"}], "entry 1: 'why'"),
        ([{"tag": "0008,1030", "action": "C"}], "entry 1: 'why'"),
        ([{"action": "X"}], "'tag' or 'private'"),
        ([{"tag": "0008,1030", "private": PRIVATE, "action": "X"}], "'tag' or 'private'"),
        ([{"private": PRIVATE, "action": "K"}], "entry 1: 'why'"),
        ([{"private": PRIVATE, "action": "D"}], "K, X or Z"),
        ([{"private": {"creator": "MAKER"}, "action": "X"}], "'private' has creator and element"),
        ([{"private": {**PRIVATE, "element": "0018,xx0C"}, "action": "X"}], "'element'"),
        ([{"private": {**PRIVATE, "element": "0019,100C"}, "action": "X"}], "'element'"),
        ([{"private": {**PRIVATE, "element": "0007,xx0C"}, "action": "X"}], "'element'"),
        ([{"private": {**PRIVATE, "creator": "MÜLLER"}, "action": "X"}], "'creator'"),
        ([{"private": {**PRIVATE, "vr": "QQ"}, "action": "X"}], "'vr'"),
        ([{"tag": "0008,1030", "action": "X", "sop_class": "CT"}], "'sop_class'"),
        ([{"tag": "0008,1030", "action": "X", "sop_class": ["CT"]}], "'sop_class' knows no name"),
        ([{"tag": "0008,1030", "action": "X", "colour": 1}], "nobody knows the key 'colour'"),
        ([{"tag": "0010,0030", "action": "K", "why": "x"}], "'tag' is written by the engine"),
        ([{"tag": "0012,0062", "action": "X"}], "'tag' is written by the engine"),
        ([KEPT, KEPT], "entry 2: 'tag'"),
    ],
)
def test_a_wrong_rule_is_refused_by_its_number_and_the_name_of_its_key(rules, named):
    with pytest.raises(BadDefinition, match=named):
        read_rules(rules, "deidentification.yaml")
