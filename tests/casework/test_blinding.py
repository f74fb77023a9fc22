"""A value blinded to a role is nowhere to be seen for it, and everywhere for the others."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from tests.casework.bed import Bed, demo, lay
from trialimg.casework.access import Person
from trialimg.casework.blinding import may_see
from trialimg.casework.data_entry import Posted, save_form
from trialimg.casework.form_history import form_history
from trialimg.casework.form_page import form_page
from trialimg.casework.trail_page import TrailFilter, trail_page
from trialimg.domain.crf import FormDef
from trialimg.domain.definition_lint import lint
from trialimg.domain.permission import ROLES, SITE_ROLES, Grant, Permission, Role
from trialimg.domain.trial import TrialDefinition
from trialimg.store.base import new_id
from trialimg.store.unit_of_work import unit_of_work

SEEING = [role for role in Role if Permission.SEE_DATA in ROLES[role]]


def blinded(*, form: str = "VS", item: str = "WEIGHT_VSORRES", to: tuple[str, ...] = ("sponsor",)) -> TrialDefinition:
    """The demo trial with one item (or, with none named, a whole form) blinded to roles."""
    mapping: dict[str, Any] = json.loads(demo().to_json())
    (found,) = [each for each in mapping["forms"] if each["key"] == form]
    if item:
        (found,) = [each for group in found["groups"] for each in group["items"] if each["key"] == item]
    found["blinded_to"] = list(to)
    return TrialDefinition.from_mapping(mapping)


def somebody(bed: Bed, *roles: Role, site: str | None = None) -> Person:
    where = bed.site(site).site_id if site else None
    grants = tuple(
        Grant(role, bed.trial_id, where or (bed.site().site_id if role in SITE_ROLES else None)) for role in roles
    )
    return Person(new_id(), "somebody@example.org", "Somebody", grants)


def fill(bed: Bed, number: str, weight: str = "77.7") -> None:
    place = bed.visit(number)
    values = {"VS": {"": {"VSPERF": "Y", "VSDAT": "2026-03-02"}}, "RESULTS": {"": {"WEIGHT_VSORRES": weight}}}
    with unit_of_work(bed.coordinator.actor, trial_id=bed.trial_id) as uow:
        assert save_form(uow, place, "VS", Posted(0, values, frozenset(), {})).saved


@pytest.mark.parametrize("role", SEEING)
def test_a_blinded_value_is_hidden_from_exactly_the_roles_named(context: Flask, role: Role) -> None:
    bed = lay(blinded(to=("sponsor", "monitor")))
    number = bed.enrol()
    fill(bed, number)
    person, hidden = somebody(bed, role), role in {Role.SPONSOR, Role.MONITOR}
    page = form_page(bed.visit(number), "VS", person)
    changes = form_history(bed.visit(number), "VS", unseen=page.not_shown)
    assert ("77.7" in repr(page)) is not hidden
    assert ("77.7" in repr(changes)) is not hidden
    assert any(change.hidden for change in changes) is hidden
    assert "2026-03-02" in repr(page)
    if Permission.SEE_AUDIT in ROLES[role]:
        trail = trail_page(person, bed.site(), TrailFilter(subject=number, table="item_value"))
        assert ("77.7" in repr(trail)) is not hidden
        assert "2026-03-02" in repr(trail)


def test_a_whole_form_may_be_blinded(context: Flask) -> None:
    bed = lay(blinded(item="", to=("sponsor",)))
    number = bed.enrol()
    fill(bed, number)
    page = form_page(bed.visit(number), "VS", somebody(bed, Role.SPONSOR))
    assert "77.7" not in repr(page)
    assert "2026-03-02" not in repr(page)
    assert page.not_shown == {item.key for _, item in page.form.items()}


def test_one_blinded_role_hides_it_whatever_else_the_person_is(context: Flask) -> None:
    bed = lay(blinded())
    place, form = bed.site(), blinded().forms["VS"]
    found = form.find("WEIGHT_VSORRES")
    assert found is not None
    assert may_see(somebody(bed, Role.DATA_MANAGER), place, form, found[1])
    assert not may_see(somebody(bed, Role.DATA_MANAGER, Role.SPONSOR), place, form, found[1])


def test_a_check_that_looks_at_a_blinded_item_says_nothing_to_the_blinded(context: Flask) -> None:
    bed = lay(blinded())
    number = bed.enrol()
    fill(bed, number, weight="39")  # below the usual: a soft check says so
    assert "usually" in repr(form_page(bed.visit(number), "VS", somebody(bed, Role.DATA_MANAGER)).findings)
    assert "usually" not in repr(form_page(bed.visit(number), "VS", somebody(bed, Role.SPONSOR)).findings)


def test_who_enters_data_cannot_be_blinded_and_unknown_roles_are_named() -> None:
    for role, said in (("site coordinator", "enters data"), ("nurse", "there is no role")):
        problems = [p.text for p in lint(blinded(to=(role,))) if p.severity == "error"]
        assert len(problems) == 1
        assert said in problems[0]


def test_skip_logic_that_gives_a_blinded_answer_away_is_warned_of() -> None:
    problems = [p for p in lint(blinded(item="VSPERF")) if "tells the answer" in p.text]
    assert problems
    assert all(p.severity == "warning" for p in problems)


def test_blinding_survives_being_stored() -> None:
    stored = TrialDefinition.from_json(blinded(item="", to=("monitor",)).to_json())
    assert stored.forms["VS"].blinded_to == ("monitor",)
    assert isinstance(replace(stored.forms["VS"], blinded_to=()), FormDef)
