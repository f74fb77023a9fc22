from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from trialimg import trialfiles
from trialimg.domain.definition_lint import lint
from trialimg.domain.trial import TrialDefinition
from trialimg.errors import BadDefinition

DEMO = trialfiles.load(Path(__file__).parents[2] / "forms" / "demo" / "1.0")


@pytest.fixture
def mapping():
    return copy.deepcopy(DEMO.to_mapping())


def form(mapping, key):
    return next(each for each in mapping["forms"] if each["key"] == key)


def item(mapping, form_key, item_key):
    return next(
        each
        for group in form(mapping, form_key)["groups"]
        for each in group["items"]
        if each["key"] == item_key
    )


def test_a_stored_definition_is_rebuilt_exactly():
    rebuilt = TrialDefinition.from_json(DEMO.to_json())
    assert rebuilt == DEMO
    assert rebuilt.to_json() == DEMO.to_json()
    assert list(rebuilt.forms) == list(DEMO.forms)
    assert rebuilt.forms["VS"].find("PULSE_VSORRES")[1].decimals == 0


def test_the_order_of_keys_in_a_file_does_not_change_the_canonical_text(mapping):
    shuffled = json.loads(json.dumps(mapping), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert TrialDefinition.from_mapping(shuffled).to_json() == DEMO.to_json()


def test_subjects_are_numbered_by_the_rule():
    assert DEMO.subject_identifier("101", 7) == "101-007"
    assert DEMO.subject_identifier("101", 1234) == "101-1234"


def test_a_site_code_that_cannot_be_an_address_is_refused():
    for site in ("1/2", "a b", "", "x" * 70, "ä", "1\\2"):
        with pytest.raises(BadDefinition, match="identifier"):
            DEMO.subject_identifier(site, 1)


@pytest.mark.parametrize(
    "pattern",
    ["{site}", "{site}-{sequence!r}", "{site.__class__}{sequence}", "{sequence:>9}", "{0}{sequence}"],
)
def test_a_numbering_rule_knows_site_and_sequence_only(mapping, pattern):
    mapping["trial"]["subject"]["id"] = pattern
    with pytest.raises(BadDefinition, match=r"trial.yaml: subject.id: “id” must be a pattern"):
        TrialDefinition.from_mapping(mapping)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m["trial"].pop("code"), "trial.yaml: code: “code” is needed here"),
        (lambda m: m["trial"].update(version=1.0), "trial.yaml: version: “version” must be a text"),
        (lambda m: m["trial"].update(colour="red"), "trial.yaml: colour: “colour” is not known here"),
        (lambda m: form(m, "VS").update(groups={}), "forms/VS.yaml: groups: “groups” must be a list"),
        (lambda m: item(m, "VS", "TEMP_VSORRES").update(decimals="1"), "“decimals” must be a whole number"),
        (lambda m: item(m, "VS", "TEMP_VSORRES").update(decimals=True), "“decimals” must be a whole number"),
        (lambda m: item(m, "VS", "TEMP_VSORRES").update(range={"low": "1"}), "“low” must be a number"),
        (lambda m: item(m, "VS", "TEMP_VSORRES").update(required="yes"), "“required” must be true or false"),
        (lambda m: item(m, "VS", "TEMP_VSORRES").update(kind="float"), "“kind” must be one of text, number"),
        (lambda m: m["forms"].append(form(m, "VS")), "forms: “VS” is defined twice"),
        (
            lambda m: m["schedule"]["visits"].append({"key": "SCR", "title": "x"}),
            "schedule.yaml: “SCR” is defined twice",
        ),
        (lambda m: m["schedule"]["visits"][0].update(forms="VS"), "“forms” must be a list of texts"),
        (lambda m: m["schedule"]["visits"].append("W20"), "must be a list of “key: value” lines"),
        (lambda m: m.update(forms={"VS": {}}), "forms: must be a list of forms"),
    ],
)
def test_a_definition_that_cannot_be_read_names_file_and_key(mapping, change, sentence):
    change(mapping)
    with pytest.raises(BadDefinition) as refused:
        TrialDefinition.from_mapping(mapping)
    assert sentence in refused.value.sentence


def found(mapping):
    return [(each.file, each.severity, each.sentence) for each in lint(TrialDefinition.from_mapping(mapping))]


def test_the_demo_trial_has_nothing_to_complain_of(mapping):
    assert found(mapping) == []


@pytest.mark.parametrize(
    ("change", "file", "severity", "sentence"),
    [
        (lambda m: item(m, "DM", "SEX").update(codelist="SEXX"), "forms/DM.yaml", "error", "no code list “SEXX”"),
        (lambda m: item(m, "DM", "SEX").pop("codelist"), "forms/DM.yaml", "error", "a choice needs a codelist"),
        (lambda m: item(m, "DM", "RFICDAT").update(codelist="SEX"), "forms/DM.yaml", "error", "has no codelist"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="RAC == 'OTHER'"), "forms/DM.yaml", "error", "no item “RAC”"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="RACE == 'Other'"), "forms/DM.yaml", "error", "can never be “Other”"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="RACE in ('OTHER', 'X')"), "forms/DM.yaml", "error", "can never be “X”"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="visit == 'SRC'"), "forms/DM.yaml", "error", "no visit “SRC”"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="RACE != ''"), "forms/DM.yaml", "error", "write “RACE is missing”"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="RACE =="), "forms/DM.yaml", "error", "cannot be read at character"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="BRTHYR == '1960'"), "forms/DM.yaml", "error", "is a number"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="RFICDAT == 'never'"), "forms/DM.yaml", "error", "is a date"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="1 == 2"), "forms/DM.yaml", "warning", "names no item"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="RACEOTH == 'a'"), "forms/DM.yaml", "error", "depends on its own answer"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="SUBJECT.AGE > 1"), "forms/DM.yaml", "error", "not asked at enrolment"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="XX.SEX == 'F'"), "forms/DM.yaml", "error", "no form “XX”"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="W99.VS.VSPERF"), "forms/DM.yaml", "error", "no visit “W99”"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="UNS.VS.VSPERF"), "forms/DM.yaml", "error", "several times"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="W8.DM.SEX == 'F'"), "forms/DM.yaml", "error", "has no form “DM”"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="AE.AESER == 'Y'"), "forms/DM.yaml", "error", "many rows"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="IMG.CT_IMAGES is missing"), "forms/DM.yaml", "error", "has no value"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="count(DM) > 1"), "forms/DM.yaml", "error", "does not repeat"),
        (lambda m: item(m, "DM", "RACEOTH").update(show_if="count(QQ) > 1"), "forms/DM.yaml", "error", "no group “QQ”"),
        (lambda m: item(m, "AE", "AEYN").update(show_if="AESER == 'Y'"), "forms/AE.yaml", "error", "many rows"),
        (lambda m: form(m, "VS")["checks"][0].update(item="DIABP"), "forms/VS.yaml", "error", "no item “DIABP”"),
        (lambda m: form(m, "VS")["checks"][1].update(key="VS_BP_ORDER"), "forms/VS.yaml", "error", "check “VS_BP_ORDER” is defined twice"),
        (lambda m: item(m, "VS", "VSDAT").update(key="VSPERF"), "forms/VS.yaml", "error", "item “VSPERF” is defined twice"),
        (lambda m: form(m, "VS")["groups"][1].update(key="VS"), "forms/VS.yaml", "error", "group “VS” is defined twice"),
        (lambda m: form(m, "VS")["groups"][0].update(min_rows=1), "forms/VS.yaml", "error", "only a repeating group"),
        (lambda m: form(m, "AE")["groups"][1].update(min_rows=200), "forms/AE.yaml", "error", "more than max_rows"),
        (lambda m: item(m, "VS", "TEMP_VSORRES").pop("unit"), "forms/VS.yaml", "warning", "needs a unit"),
        (lambda m: item(m, "VS", "VSREASND").update(unit="kg"), "forms/VS.yaml", "error", "only a number has unit"),
        (lambda m: item(m, "VS", "TEMP_VSORRES").update(range={"low": 45, "high": 30}), "forms/VS.yaml", "error", "above the highest"),
        (lambda m: item(m, "VS", "TEMP_VSORRES").update(soft_range={"low": 10}), "forms/VS.yaml", "warning", "reaches beyond range"),
        (lambda m: item(m, "IMG", "CT_IMAGES").pop("slot"), "forms/IMG.yaml", "error", "needs a slot"),
        (lambda m: item(m, "IMG", "CT_IMAGES").update(slot="PET"), "forms/IMG.yaml", "error", "no slot “PET”"),
        (lambda m: item(m, "IMG", "CT_IMAGES").update(required=True), "forms/IMG.yaml", "error", "schedule.yaml (optional)"),
        (lambda m: item(m, "IMG", "CT_IMAGES").update(slot="MR"), "imaging.yaml", "warning", "no form has an imaging item"),
        (lambda m: m["imaging"]["slots"].append({"key": "PT", "title": "x", "modalities": ["PT"]}), "imaging.yaml", "warning", "no visit has this slot"),
        (lambda m: m["imaging"]["slots"][0].update(modalities=[]), "imaging.yaml", "error", "at least one modality"),
        (lambda m: m["schedule"]["visits"][1]["forms"].append("QOL"), "schedule.yaml", "error", "no form “QOL”"),
        (lambda m: m["schedule"]["visits"][1]["forms"].append("VS"), "schedule.yaml", "error", "“VS” stands twice"),
        (lambda m: m["schedule"]["visits"][1]["slots"].append({"slot": "PT"}), "schedule.yaml", "error", "no slot “PT”"),
        (lambda m: m["schedule"]["visits"][1]["forms"].remove("IMG"), "schedule.yaml", "warning", "no form of this visit has an imaging item"),
        (lambda m: m["schedule"]["visits"][2].update(offset_days=10), "schedule.yaml", "warning", "before the one above"),
        (lambda m: m["schedule"]["visits"][4].update(window_after=10), "schedule.yaml", "error", "cannot have a window"),
        (lambda m: m["schedule"].update(anchor_visit="BL"), "schedule.yaml", "error", "no visit “BL”"),
        (lambda m: m["schedule"].update(anchor_visit="W8"), "schedule.yaml", "error", "must be 0"),
        (lambda m: m["schedule"]["visits"][0]["forms"].remove("DM"), "forms/DM.yaml", "warning", "no visit has this form"),
        (lambda m: m["codelists"]["codelists"][0]["choices"].append({"code": "F", "label": "x"}), "codelists.yaml", "error", "“F” is defined twice"),
        (lambda m: m["codelists"]["codelists"].append({"key": "Z", "title": "Z", "choices": []}), "codelists.yaml", "warning", "no item uses"),
        (lambda m: m["deidentification"].update(rules=[{"tag": "0008,1030", "action": "K"}]), "deidentification.yaml", "error", "lets more stand than the basic profile"),
        (lambda m: m["deidentification"].update(dates="blurred"), "deidentification.yaml", "error", "removed, shifted or kept"),
        (lambda m: m["trial"]["subject"].update(id="{sequence:03}"), "trial.yaml", "error", "same at every site"),
        (lambda m: form(m, "RS").update(key="SUBJECT"), "forms/SUBJECT.yaml", "error", "stands for the subject"),
    ],
)  # fmt: skip
def test_the_linter_finds(mapping, change, file, severity, sentence):
    change(mapping)
    assert [each for each in found(mapping) if each[:2] == (file, severity) and sentence in each[2]], found(
        mapping
    )


def test_a_circle_over_three_items_is_found_at_each_of_them(mapping):
    item(mapping, "DM", "RACEOTH")["show_if"] = "CHILDBEARING == 'Y'"
    item(mapping, "DM", "CHILDBEARING")["show_if"] = "PREGTEST is not missing"
    item(mapping, "DM", "PREGTEST")["show_if"] = "RACEOTH is not missing"
    assert len([each for each in found(mapping) if "depends on its own answer" in each[2]]) == 3
