"""The engine on the demo trial's own forms, so that they are tried as sites will fill them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from trialimg import trialfiles
from trialimg.domain.crf import CheckDef, FormDef, GroupDef, ItemDef
from trialimg.domain.edit_check import evaluate, reveal, visible
from trialimg.domain.form_scope import Context

DEMO = trialfiles.load(Path(__file__).parents[2] / "forms" / "demo" / "1.0")
TODAY = date(2026, 6, 1)
CONSENT = {"DM": {"CONSENT": {"1": {"RFICDAT": "2026-01-05"}}}}


def context(visit="W8", **casebook):
    return Context(DEMO, visit, TODAY, {"SCR": CONSENT, **casebook}, {"BRTHYR": "1960", "SEX": "F"})


def keys(findings):
    return [(each.check_key, each.item, each.severity) for each in findings]


def vitals(**changes):
    results = {
        "WEIGHT_VSORRES": "70", "TEMP_VSORRES": "36.6", "PULSE_VSORRES": "70", "SYSBP_VSORRES": "120",
        "DIABP_VSORRES": "80", "BP_VSPOS": "SITTING", **changes,
    }  # fmt: skip
    return {"VS": {"1": {"VSPERF": "Y", "VSDAT": "2026-03-02"}}, "RESULTS": {"1": results}}


def test_on_a_well_filled_form_nothing_is_found():
    assert evaluate(DEMO.forms["VS"], vitals(), context()) == []


def test_what_is_required_and_asked_is_missed():
    found = evaluate(DEMO.forms["VS"], {"VS": {"1": {"VSPERF": "Y"}}}, context())
    assert ("required", "VSDAT", "hard") in keys(found)
    assert ("required", "WEIGHT_VSORRES", "hard") in keys(found)


def test_what_skip_logic_hides_is_not_missed():
    values = {"VS": {"1": {"VSPERF": "N", "VSREASND": "equipment failed"}}}
    assert evaluate(DEMO.forms["VS"], values, context()) == []
    assert visible(DEMO.forms["VS"], values, context()) == {("VS", "1", "VSPERF"), ("VS", "1", "VSREASND")}


def test_an_answer_that_no_longer_applies_is_kept_and_found():
    values = {"VS": {"1": {"VSPERF": "N", "VSREASND": "x", "VSDAT": "2026-03-02"}}}
    assert keys(evaluate(DEMO.forms["VS"], values, context())) == [("not_applicable", "VSDAT", "hard")]


def test_a_hidden_answer_counts_as_missing_for_others():
    form = FormDef("F", "F", "1", (GroupDef("G", "G", (
        ItemDef("A", "A", "yes_no"),
        ItemDef("B", "B", "yes_no", show_if='A == "Y"'),
        ItemDef("C", "C", "yes_no", show_if='B == "Y"'),
    )),))  # fmt: skip
    assert ("G", "1", "C") in visible(form, {"G": {"1": {"A": "Y", "B": "Y"}}})
    assert visible(form, {"G": {"1": {"A": "N", "B": "Y"}}}) == {("G", "1", "A")}


def test_items_that_wait_for_each_other_are_hidden_and_do_not_run_for_ever():
    form = FormDef("F", "F", "1", (GroupDef("G", "G", (
        ItemDef("A", "A", "yes_no", show_if='B == "Y"'),
        ItemDef("B", "B", "yes_no", show_if='A == "Y"'),
    )),))  # fmt: skip
    assert visible(form, {"G": {"1": {"A": "Y", "B": "Y"}}}) == frozenset()


def test_an_item_asked_at_one_visit_only_is_hidden_at_the_others():
    places = {visit: visible(DEMO.forms["VS"], vitals(), context(visit)) for visit in ("SCR", "W8")}
    assert ("RESULTS", "1", "HEIGHT_VSORRES") in places["SCR"]
    assert ("RESULTS", "1", "HEIGHT_VSORRES") not in places["W8"]


def test_an_imaging_item_is_asked_where_the_visit_has_its_slot():
    values = {"MR": {"1": {"MR_PROCCUR": "Y"}}}
    assert ("MR", "1", "MR_IMAGES") in visible(DEMO.forms["IMG"], values, context("UNS"))
    assert ("CT", "1", "CT_IMAGES") in visible(DEMO.forms["IMG"], values, context("W8"))
    assert ("MR", "1", "MR_IMAGES") not in visible(DEMO.forms["IMG"], values, context("W8"))


def test_an_imaging_item_wants_no_text():
    values = {"CT": {"1": {"CT_PROCCUR": "Y", "CT_PRSTDAT": "2026-03-02", "CT_CONTRAST": "INTRAVENOUS"}}}
    values["CT"]["1"]["CT_IMAGES"] = "1.2.3"
    assert keys(evaluate(DEMO.forms["IMG"], values, context())) == [("type", "CT_IMAGES", "hard")]


def test_a_check_between_items_speaks_beside_its_item():
    [finding] = evaluate(DEMO.forms["VS"], vitals(DIABP_VSORRES="120"), context())[1:]
    assert (finding.check_key, finding.item, finding.group, finding.repeat_key) == (
        "VS_BP_ORDER", "DIABP_VSORRES", "RESULTS", "1",
    )  # fmt: skip
    assert finding.severity == "hard"


def test_limits_are_found_hard_and_soft():
    values = vitals(PULSE_VSORRES="130", TEMP_VSORRES="46")
    assert keys(evaluate(DEMO.forms["VS"], values, context())) == [
        ("range", "TEMP_VSORRES", "hard"),
        ("soft_range", "PULSE_VSORRES", "soft"),
    ]


def test_what_cannot_be_read_is_found_and_its_checks_are_silent():
    values = vitals(SYSBP_VSORRES="low")
    assert keys(evaluate(DEMO.forms["VS"], values, context())) == [("type", "SYSBP_VSORRES", "hard")]


def test_a_check_reads_another_visit_and_is_silent_without_it():
    baseline = {"SCR": {**CONSENT, "VS": vitals(WEIGHT_VSORRES="90")}}
    assert keys(evaluate(DEMO.forms["VS"], vitals(), context(**baseline))) == [
        ("VS_WEIGHT_CHANGE", "WEIGHT_VSORRES", "soft")
    ]
    assert evaluate(DEMO.forms["VS"], vitals(), Context(DEMO, "W8", TODAY)) == []


def test_a_value_of_a_form_at_its_own_visit_is_the_one_being_typed():
    saved = {"SCR": {**CONSENT, "VS": vitals(WEIGHT_VSORRES="90")}}
    values = vitals(HEIGHT_VSORRES="170")
    assert evaluate(DEMO.forms["VS"], values, context("SCR", **saved)) == []


def test_a_form_named_without_a_visit_is_this_visits_or_the_first_that_has_it():
    values = {"MH": {"1": {"ECOG": "2"}}}
    eligible = {"SCR": {**CONSENT, "IE": {"IE": {"1": {"IEYN": "Y"}}}}}
    assert "MH_ECOG" in {
        each.check_key for each in evaluate(DEMO.forms["MH"], values, context("SCR", **eligible))
    }
    assert "MH_ECOG" in {
        each.check_key for each in evaluate(DEMO.forms["MH"], values, context("W8", **eligible))
    }


def test_a_date_must_not_lie_in_the_future():
    values = vitals()
    values["VS"]["1"]["VSDAT"] = "2026-06-02"
    assert keys(evaluate(DEMO.forms["VS"], values, context())) == [("future", "VSDAT", "hard")]


def test_what_was_told_at_enrolment_must_agree():
    values = {
        "CONSENT": {"1": {"RFICDAT": "2026-01-05"}},
        "DM": {"1": {"BRTHYR": "1961", "SEX": "M"}},
    }
    assert keys(evaluate(DEMO.forms["DM"], values, context("SCR"))) == [
        ("DM_BRTHYR_ENROLLED", "BRTHYR", "hard"),
        ("DM_SEX_ENROLLED", "SEX", "hard"),
    ]


EVENT = {
    "AETERM": "nausea", "AESTDAT": "2026-02", "AEONGO": "N", "AEENDAT": "2026-02", "AESEV": "MILD", "AESER": "N",
    "AEREL": "N", "AEACN": "DOSE NOT CHANGED", "AEOUT": "RECOVERED/RESOLVED",
}  # fmt: skip


def events(**rows):
    return {"AEYN": {"1": {"AEYN": "Y"}}, "AE": rows}


def test_each_row_is_checked_on_its_own_and_named_by_its_key():
    values = events(a=EVENT, b={**EVENT, "AEENDAT": "2026-01"}, c={**EVENT, "AESER": "Y"})
    found = evaluate(DEMO.forms["AE"], values, context())
    assert [(each.check_key, each.repeat_key) for each in found if each.item == "AEENDAT"] == [
        ("AE_ORDER", "b")
    ]
    assert {each.repeat_key for each in found if each.check_key == "required"} == {"c"}


def test_partial_dates_that_may_be_in_order_raise_no_check():
    assert evaluate(DEMO.forms["AE"], events(a=EVENT), context()) == []


def test_a_serious_event_without_a_reason_is_found():
    row = {
        **EVENT,
        "AESER": "Y",
        "AESDTH": "N",
        "AESLIFE": "N",
        "AESHOSP": "N",
        "AESDISAB": "N",
        "AESMIE": "N",
    }
    assert keys(evaluate(DEMO.forms["AE"], events(a=row), context())) == [("AE_SERIOUS_WHY", "AESER", "hard")]
    assert evaluate(DEMO.forms["AE"], events(a={**row, "AESHOSP": "Y"}), context()) == []


def test_a_blank_row_is_no_row():
    values = events(a=EVENT, b={"AETERM": " ", "AESTDAT": ""})
    assert evaluate(DEMO.forms["AE"], values, context()) == []
    assert keys(evaluate(DEMO.forms["AE"], events(b={"AETERM": ""}), context())) == [("rows", "", "hard")]


def test_a_blank_row_on_the_page_shows_what_it_asks():
    values = events(new={})
    asked = {
        item
        for group, row, item in visible(DEMO.forms["AE"], values, context())
        if (group, row) == ("AE", "new")
    }
    assert {"AETERM", "AEONGO"} <= asked
    assert "AEENDAT" not in asked


def test_more_rows_than_the_form_takes_are_found_and_kept():
    rows = {str(n): {"TULOC": "liver", "LDIAM_TRORRES": "10"} for n in range(6)}
    values = {"RS": {"1": {"RSPERF": "Y", "RSDAT": "2026-01-05"}}, "TARGETS": rows}
    assert ("rows", "", "hard") in keys(evaluate(DEMO.forms["RS"], values, context("SCR")))


def test_the_sum_of_rows_is_compared():
    rows = {"a": {"TULOC": "liver", "LDIAM_TRORRES": "22"}, "b": {"TULOC": "lung", "LDIAM_TRORRES": "31"}}
    values = {
        "RS": {"1": {"RSPERF": "Y", "RSDAT": "2026-01-05"}},
        "TARGETS": rows,
        "RESPONSE": {"1": {"SUMDIAM_TRORRES": "53"}},
    }
    assert evaluate(DEMO.forms["RS"], values, context("SCR")) == []
    values["RESPONSE"]["1"]["SUMDIAM_TRORRES"] = "54"
    assert keys(evaluate(DEMO.forms["RS"], values, context("SCR"))) == [("RS_SUM", "SUMDIAM_TRORRES", "hard")]
    rows["b"]["LDIAM_TRORRES"] = "9"
    values["RESPONSE"]["1"]["SUMDIAM_TRORRES"] = "31"
    assert keys(evaluate(DEMO.forms["RS"], values, context("SCR"))) == [
        ("RS_MEASURABLE", "SUMDIAM_TRORRES", "soft")
    ]


def test_no_sentence_of_the_demo_repeats_what_was_typed():
    marker = "Zzyzx77"
    for form in DEMO.forms.values():
        values = {group.key: {"1": {item.key: marker for item in group.items}} for group in form.groups}
        found = evaluate(form, values, context("SCR"))
        assert found
        assert not [each for each in found if marker in each.sentence]


@pytest.mark.parametrize(
    ("show_if", "expected"),
    [
        ('AESER == "Y"', ("AESER", ("Y",))),
        ('RACE in ("OTHER", "UNKNOWN")', ("RACE", ("OTHER", "UNKNOWN"))),
        ('A == "1" or A == "2"', ("A", ("1", "2"))),
        ('A == "1" or B == "2"', None),
        ('A == "1" and A == "2"', None),
        ('DM.SEX == "F"', None),
        ("A is not missing", None),
        ('A not in ("1", "2")', None),
        ('visit == "SCR"', None),
        ("", None),
    ],
)
def test_simple_skip_logic_is_told_to_the_page(show_if, expected):
    assert reveal(show_if) == expected


def test_a_check_beside_a_hidden_item_is_silent():
    form = FormDef("F", "F", "1", (GroupDef("G", "G", (
        ItemDef("A", "A", "number"), ItemDef("B", "B", "yes_no", show_if="A > 5"),
    )),), (CheckDef("K", "A > 5", "say", "B"),))  # fmt: skip
    assert evaluate(form, {"G": {"1": {"A": "1"}}}) == []
