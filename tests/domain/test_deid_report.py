"""The account of a de-identification: what it adds up, what it refuses, and that it is the version it says."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from trialimg.domain.deid_report import (
    CLEANED,
    ENGINE,
    HELD,
    MASKED,
    MOST_PATHS,
    OTHER_PATHS,
    UNSEEN,
    ActionCount,
    OutcomeCount,
    OwnRule,
    PixelCount,
    Report,
    Residue,
    joined,
    rules_of,
    told_of_unseen,
)
from trialimg.domain.deidentification import Profile
from trialimg.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
WHOLE = Report(
    "DEMO 1.0", "1", 3, ("113100", "113107"),
    (ActionCount("(0010,0010)", "PatientName", "D", 3), ActionCount("(0040,A730).(0040,A160)", "TextValue", "D", 1)),
    rules=(OwnRule("(0008,1030)", "K", "The protocol needs it."),),
    pixels=(PixelCount(MASKED, "site coordinator", 2, 1, 2, 3),),
    residue=Residue(3, 1, ("(0008,103E)",)),
    recognisable=1,
    outcomes=(OutcomeCount(CLEANED, "", 2), OutcomeCount(HELD, "image.residue", 1)),
    table="2026c",
)  # fmt: skip


def test_the_engine_says_the_version_of_the_package():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == ENGINE


def test_a_report_is_the_same_after_it_was_json():
    assert Report.from_json(json.loads(json.dumps(WHOLE.to_json()))) == WHOLE


def test_joining_many_is_adding_them_one_by_one():
    one = WHOLE + WHOLE
    assert joined([WHOLE] * 3) == one + WHOLE
    assert one.instances == 6
    assert one.actions[0].times == 6
    assert one.pixels == (PixelCount(MASKED, "site coordinator", 4, 2, 4, 6),)
    assert one.residue == Residue(6, 2, ("(0008,103E)",))
    assert one.rules == WHOLE.rules
    assert one.recognisable == 2


def test_reports_of_one_profile_add_up_and_others_do_not():
    one = Report("demo", "1", 1, ("113100",), (ActionCount("(0010,0010)", "PatientName", "D", 1),))
    two = Report("demo", "1", 2, ("113100", "113104"), (ActionCount("(0010,0010)", "PatientName", "D", 3),))
    both = one + two
    assert both.instances == 3
    found = joined(each._replace(residue=Residue(n, 1, (path,))) for n, (each, path) in enumerate(((one, "(0018,1030)"), (two, "(0008,103E)")), 1))
    assert found.residue == Residue(3, 2, ("(0008,103E)", "(0018,1030)"))
    assert both.options == ("113100", "113104")
    assert both.actions == (ActionCount("(0010,0010)", "PatientName", "D", 4),)
    assert Report.from_json(json.loads(json.dumps(both.to_json()))) == both
    with pytest.raises(ValueError, match="profiles"):
        one + Report("demo", "2", 1, ())


def test_images_at_which_nobody_looked_are_counted_and_told():
    report = WHOLE._replace(pixels=(*WHOLE.pixels, PixelCount(UNSEEN, "", 56)))
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report
    assert (WHOLE.unseen, report.unseen, (report + report).unseen) == (0, 56, 112)
    assert told_of_unseen(56).startswith("The pixels of 56 images were not looked at: images of their kind")
    assert told_of_unseen(1).startswith("The pixels of 1 image were not looked at: images of its kind")


def test_the_search_of_one_instance_leaves_numbers_of_items_out():
    assert Residue.of_one(["(0040,A730)[2].(0040,A160)", "(0040,A730)[7].(0040,A160)"]) == Residue(
        1, 1, ("(0040,A730).(0040,A160)",)
    )
    assert Residue.of_one([]) == Residue(1, 0, ())


def test_own_rules_are_printed_with_their_reason():
    rules = [
        {"tag": "0008,1030", "action": "K", "why": "The protocol names it."},
        {"private": {"creator": "SIEMENS MED", "element": "0019,xx0C"}, "action": "K", "why": "b value"},
    ]
    profile = Profile.from_mapping({"version": "1", "rules": rules})
    first, second = rules_of(profile)
    assert first == OwnRule("(0008,1030)", "K", "The protocol names it.")
    assert "SIEMENS MED" in second.about
    assert second.why == "b value"


def test_a_report_lists_a_bounded_number_of_paths_and_loses_no_count():
    def many(start: int) -> Report:
        rows = [ActionCount(f"(0009,{n:04X})", "private", "XZ"[n % 2], 1) for n in range(start, start + 15_000)]
        return Report("p", "1", 1, ("113100",), tuple(rows))

    one = many(0)
    both = joined([one, many(15_000), one])
    for report, times in ((one, 15_000), (both, 45_000)):
        assert len(report.actions) <= MOST_PATHS
        assert sum(action.times for action in report.actions) == times
        assert {action.tag for action in report.actions[-2:]} == {OTHER_PATHS}
        assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document: Any = copy.deepcopy(WHOLE.to_json())
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("profile",), "x" * 3000),
        (("profile",), 7),
        (("profile",), "a\nb"),
        (("instances",), -1),
        (("instances",), True),
        (("instances",), 10**12),
        (("actions", 0, 0), "Okonkwo"),
        (("actions", 0, 0), "(0010,0010) Okonkwo"),
        (("actions", 0, 1), "Okonkwo, Mary"),
        (("actions", 0, 2), "Q"),
        (("actions", 0, 3), "3"),
        (("actions", 0), ["(0010,0010)"]),
        (("actions",), None),
        (("actions",), {"a": 1}),
        (("options", 0, "code"), "999999"),
        (("pixels", 0, "decision"), "Okonkwo"),
        (("pixels", 0, "role"), "Mary-7"),
        (("pixels", 0, "by_rule"), None),
        (("residue", "paths", 0), "Mary"),
        (("outcomes", 0, "outcome"), "Mary"),
        (("outcomes", 0, "code"), "Mary Okonkwo"),
        (("rules", 0), "Mary"),
    ],
)
def test_what_is_no_report_is_refused_and_not_quoted(path: tuple[Any, ...], value: Any):
    with pytest.raises(BadInput) as refused:
        Report.from_json(changed(path, value))
    assert "Mary" not in refused.value.sentence
    assert "Okonkwo" not in refused.value.sentence


@pytest.mark.parametrize("document", [{}, {"profile": "x"}, []])
def test_what_is_not_even_shaped_like_one_is_refused(document: Any):
    with pytest.raises(BadInput):
        Report.from_json(document)
