"""The life of a read, who reads what in which order, what a read rests on, and the codes of subjects."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg import trialfiles
from trialimg.domain.definition_lint import lint
from trialimg.domain.permission import SITE_ROLES, Role
from trialimg.domain.reading import (
    CAN_CHANGE,
    CODE_SIGNS,
    FINAL,
    TABLE,
    Act,
    Basis,
    Read,
    ReadState,
    advance,
    basis_changes,
    new_reading_code,
    version_after,
    waits_for,
)
from trialimg.domain.reading_design import Candidate, ReadingDesign, assign
from trialimg.domain.trial import TrialDefinition
from trialimg.errors import BadDefinition, ImpossibleStep, OurFault

DEMO = trialfiles.load(Path(__file__).parents[2] / "forms" / "demo" / "1.0")
S, A = ReadState, Act

# Every cell that exists, as the issue tells it; all others are impossible.
CELLS = {
    "open": {"save": "draft", "void": "void", "basis": "open"},
    "draft": {"save": "draft", "sign": "signed", "void": "void", "basis": "draft"},
    "signed": {"reopen": "reopened", "void": "void", "basis": "basis changed"},
    "basis changed": {"confirm": "signed", "reopen": "reopened", "void": "void", "basis": "basis changed"},
    "reopened": {"save": "reopened", "sign": "signed", "void": "void", "basis": "reopened"},
    "void": {},
}
ACTS = {"save": A.SAVE, "sign": A.SIGN, "confirm": A.CONFIRM, "reopen": A.REOPEN, "void": A.VOID, "basis": A.BASIS_CHANGES}


@pytest.mark.parametrize(("state", "act"), list(product(CELLS, ACTS)))
def test_every_act_leads_where_the_table_says_or_is_refused(state, act):
    if act in CELLS[state]:
        assert advance(S(state), ACTS[act]) is S(CELLS[state][act])
    else:
        with pytest.raises(ImpossibleStep, match="nothing was changed"):
            advance(S(state), ACTS[act])


def test_only_a_signed_read_whose_basis_holds_is_final_and_a_signed_one_takes_no_values():
    assert frozenset({S.SIGNED}) == FINAL
    assert {state for state in S if (state, A.SAVE) in TABLE} == CAN_CHANGE


def test_only_a_reopening_begins_a_new_version():
    assert [version_after(1, act) for act in A] == [2 if act is A.REOPEN else 1 for act in A]


def read(ordinal, state=S.SIGNED, *, reader="ada", version=1, subject="s"):
    return Read(f"{reader}{subject}{ordinal}", reader, subject, f"W{ordinal}", ordinal, state, version)


ONE_BY_ONE = ReadingDesign("1", 2)
AFTER_BASELINE = replace(ONE_BY_ONE, order="after_baseline")


def test_time_points_open_one_after_another():
    reads = [read(0), read(1, S.OPEN), read(2, S.OPEN)]
    assert waits_for(ONE_BY_ONE, reads[0], reads) is None
    assert waits_for(ONE_BY_ONE, reads[1], reads) is None
    assert "First sign your read of W1, which is open" in waits_for(ONE_BY_ONE, reads[2], reads)
    assert waits_for(AFTER_BASELINE, reads[2], reads) is None


@pytest.mark.parametrize("state", [S.OPEN, S.DRAFT, S.REOPENED, S.BASIS_CHANGED])
@pytest.mark.parametrize("design", [ONE_BY_ONE, AFTER_BASELINE])
def test_nothing_opens_without_a_baseline_that_stands_signed(state, design):
    assert f"W0, which is {state.value}" in waits_for(design, read(1, S.OPEN), [read(0, state)])
    others = [read(0, reader="eva"), read(0, subject="other"), read(0, S.VOID)]
    assert "baseline" in waits_for(design, read(1, S.OPEN), others)


def test_a_void_read_between_does_not_stop_the_next():
    assert waits_for(ONE_BY_ONE, read(2, S.OPEN), [read(0), read(1, S.VOID)]) is None


def basis(*hashes, reads=()):
    return Basis.of(read(5, S.DRAFT), hashes, reads)


def test_a_basis_that_did_not_change_says_nothing_whatever_the_order():
    reads = [read(0), read(1)]
    one, other = basis("a", "b", reads=reads), basis("b", "a", reads=reads[::-1])
    assert one == other
    assert one.digest() == other.digest()
    assert basis_changes(one, other) is None
    assert Basis.from_plain(one.to_plain()) == one


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (basis("a", "b", "c", reads=[read(0)]), "1 instance joined"),
        (basis("a", "b", "c", "d", reads=[read(0)]), "2 instances joined"),
        (basis("a", reads=[read(0)]), "1 instance withdrawn"),
        (basis("c", "d", reads=[read(0)]), "2 instances joined; 2 instances withdrawn"),
        (basis("a", "b", reads=[read(0, S.REOPENED, version=2)]), "your read of W0 reopened"),
        (basis("a", "b", reads=[read(0, version=2)]), "your read of W0 signed again as version 2"),
        (basis("a", "b", reads=[read(0, S.BASIS_CHANGED)]), "your read of W0 now basis changed"),
        (basis("a", "b", reads=[read(0, S.VOID)]), "your read of W0 voided"),
        (basis("a", "b"), "your read of W0 voided"),
        (basis("a", "b", reads=[read(0), read(1)]), "a read of W1 added before it"),
    ],
)
def test_a_changed_basis_is_told_in_a_sentence_and_has_another_hash(now, said):
    signed = basis("a", "b", reads=[read(0)])
    sentence = basis_changes(signed, now)
    assert f"Since this read was signed: {said}. It does not count as final." in sentence
    assert "confirm the read by a new signature" in sentence
    assert now.digest() != signed.digest()


def test_reads_of_others_and_drafts_are_no_basis():
    others = [read(0, reader="eva"), read(0, subject="other"), read(1, S.DRAFT), read(2, S.OPEN), read(6)]
    assert basis("a", reads=others) == basis("a")


@pytest.mark.parametrize("kept", [None, {}, {"instances": ["a"]}, {"instances": [], "earlier": [["x"]]}, 7])
def test_a_kept_basis_that_cannot_be_read_is_our_fault(kept):
    with pytest.raises(OurFault):
        Basis.from_plain(kept)


@given(st.sets(st.text(max_size=3), max_size=5), st.sets(st.text(max_size=3), max_size=5))
def test_two_bases_have_one_hash_only_where_nothing_changed(one, other):
    same = basis(*one).digest() == basis(*other).digest()
    assert same is (one == other) is (basis_changes(basis(*one), basis(*other)) is None)


def people(*loads, listed=()):
    return [Candidate(name, load, listed=name in listed) for name, load in loads]


FOUR = (("ada", 5), ("bo", 1), ("cy", 1), ("di", 3))


def test_the_least_loaded_readers_are_chosen_and_a_subject_keeps_its_own():
    assert assign(ONE_BY_ONE, people(*FOUR), []).readers == ("bo", "cy")
    assert assign(ONE_BY_ONE, people(*FOUR), ["ada"]).readers == ("ada", "bo")
    assert assign(ONE_BY_ONE, people(*FOUR), ["ada", "di"]).readers == ("di", "ada")
    assert assign(ONE_BY_ONE, people(*FOUR[1:]), ["ada", "di"]).readers == ("di", "bo")


def test_all_readers_or_those_of_the_list_read_where_the_design_says_so():
    everybody = replace(ONE_BY_ONE, assignment="all")
    assert set(assign(everybody, people(*FOUR), []).readers) == {"ada", "bo", "cy", "di"}
    listed = replace(ONE_BY_ONE, assignment="listed")
    assert assign(listed, people(*FOUR, listed=("ada", "di", "cy")), []).readers == ("cy", "di")
    assert assign(replace(everybody, readers=0), people(*FOUR), []).readers == ()


def test_lacking_readers_are_counted_and_told():
    short = assign(ONE_BY_ONE, people(("ada", 0)), [])
    assert (short.readers, short.lacking) == (("ada",), 1)
    assert short.sentence.startswith("One reader is lacking")
    assert assign(ONE_BY_ONE, [], []).sentence.startswith("2 readers are lacking")
    assert assign(ONE_BY_ONE, people(*FOUR), []).sentence == ""


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9)), unique_by=lambda each: each[0]), st.randoms())
def test_the_same_readers_are_chosen_whatever_the_order_of_the_list(loads, chance):
    shuffled = chance.sample(loads, len(loads))
    assert assign(ONE_BY_ONE, people(*loads), []) == assign(ONE_BY_ONE, people(*shuffled), [])


def test_priors_are_earlier_time_points_only():
    points = ["SCR", "W8", "W16", "EOT"]
    shown = {priors: replace(ONE_BY_ONE, priors=priors).priors_of(points, "W16") for priors in ("all", "baseline", "none")}
    assert shown == {"all": ("SCR", "W8"), "baseline": ("SCR",), "none": ()}
    assert replace(ONE_BY_ONE, priors="all").priors_of(points, "SCR") == ()


@pytest.mark.parametrize("role", list(Role))
def test_values_are_shown_to_the_roles_of_the_design_and_never_beside_a_blinded_one(role):
    shown = {Role.SPONSOR, Role.DATA_MANAGER, Role.INSPECTOR}
    design = ReadingDesign.of(DEMO)
    assert design.shows_values_to([role]) is (role in shown)
    blinded = SITE_ROLES | {Role.READER, Role.ADJUDICATOR, Role.ADMINISTRATOR}
    assert design.shows_values_to([role, Role.SPONSOR]) is (role not in blinded)
    assert design.lets_reopen([role]) is (role is Role.DATA_MANAGER)
    assert design.lets_reopen([role, Role.DATA_MANAGER]) is (role not in blinded | {Role.INSPECTOR})
    assert design.shows_values_to([]) is False


def test_the_demos_design_is_read_and_rebuilt():
    design = ReadingDesign.of(DEMO)
    assert (design.readers, design.criteria, design.slots, design.baseline_visit) == (2, "RECIST 1.1", ("CT",), "SCR")
    assert ReadingDesign.from_mapping(design.to_mapping()) == design
    assert (design.best_rule.confirm_days, design.best_rule.stable_days) == (28, 42)


def test_a_short_design_has_careful_defaults():
    design = ReadingDesign.from_mapping({"version": "1", "readers": 0})
    assert design.values_visible_to == (Role.SPONSOR, Role.DATA_MANAGER, Role.INSPECTOR)
    assert (design.reopen_by, design.dates, design.order) == ((Role.DATA_MANAGER,), "shifted", "one_after_another")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"readers": "two"}, "whole number"),
        ({"criteria": "RANO"}, "must be one of RECIST 1.1"),
        ({"assignment": "by lot"}, "must be one of balanced"),
        ({"values_visible_to": ["everybody"]}, "not known"),
        ({"reader": 2}, "not known here"),
    ],
)
def test_a_design_that_cannot_be_read_is_refused_by_its_key(change, said):
    with pytest.raises(BadDefinition, match=f"reading.yaml: .*{said}"):
        ReadingDesign.from_mapping({"version": "1", "readers": 2, **change})


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ({"values_visible_to": ["sponsor", "investigator"]}, "values_visible_to", "role “investigator”"),
        ({"values_visible_to": ["site coordinator"]}, "values_visible_to", "leave it out"),
        ({"values_visible_to": ["reader"]}, "values_visible_to", "leave it out"),
        ({"reopen_by": ["reader"]}, "reopen_by", "must not reopen"),
        ({"reopen_by": ["inspector"]}, "reopen_by", "must not reopen"),
        ({"reopen_by": []}, "reopen_by", "at least one role"),
        ({"slots": ["PET"]}, "slots", "no slot “PET”"),
        ({"slots": []}, "readers", "whose images"),
        ({"criteria": "none"}, "criteria", "need criteria"),
        ({"readers": 1}, "adjudication", "at least 2 readers"),
        ({"readers": -1, "adjudication": False}, "readers", "fewer than 0"),
        ({"baseline_visit": "W0"}, "baseline_visit", "no visit “W0”"),
        ({"baseline_visit": "UNS"}, "baseline_visit", "cannot be the baseline"),
        ({"baseline_visit": "W8", "slots": ["MR"]}, "baseline_visit", "none of the slots"),
        ({"slots": ["MR"]}, "baseline_visit", "are optional"),
        ({"dates": "true"}, "dates", "must be one of"),
    ],
)
def test_a_design_that_contradicts_the_trial_is_named_by_the_linter(change, key, said):
    mapping = copy.deepcopy(DEMO.to_mapping())
    mapping["reading"] |= change
    found = [each for each in lint(TrialDefinition.from_mapping(mapping)) if each.file == "reading.yaml"]
    assert [each for each in found if each.path[0] == key and said in each.sentence], found


def test_a_trial_that_reads_nothing_needs_no_more_than_that():
    mapping = copy.deepcopy(DEMO.to_mapping())
    mapping["reading"] = {"version": "1.0", "readers": 0}
    assert [each for each in lint(TrialDefinition.from_mapping(mapping)) if each.file == "reading.yaml"] == []


@given(st.randoms(use_true_random=False))
def test_a_reading_code_has_one_form_and_only_signs_that_are_not_confused(chance):
    code = new_reading_code(chance.randbytes(32))
    assert len(code) == 11
    assert (code[:2], code[6]) == ("R-", "-")
    assert set(code[2:6] + code[7:]) <= set(CODE_SIGNS)
    assert not set(CODE_SIGNS) & set("01OILAEU")


def test_every_sign_of_a_code_is_equally_likely():
    chance = random.Random(5)
    signs = "".join(new_reading_code(chance.randbytes(32))[2:].replace("-", "") for _ in range(7000))
    counts = [signs.count(sign) for sign in CODE_SIGNS]
    assert len(signs) == 56000
    assert min(counts) > 1800
    assert max(counts) < 2200


def test_too_few_random_bytes_make_no_code():
    for few in (b"", b"1234567", bytes([255]) * 64):
        with pytest.raises(OurFault, match="more random bytes"):
            new_reading_code(few)
