"""Subjects with values to report on."""

from __future__ import annotations

from datetime import date

from tests.world import World
from trialimg.casework.access import Place, visit_place
from trialimg.casework.data_entry import Posted, save_form
from trialimg.casework.enrolment import date_visit

DAY = date(2026, 3, 2)


def date_screening(world: World, number: str, *, site: str = "101") -> Place:
    place = visit_place(world.code, number, "SCR")
    with world.acting(f"coordinator-{site}") as uow:
        date_visit(uow, place.visit_id, DAY, 0)
    return place


def vitals(**given: str) -> dict[str, dict[str, dict[str, str]]]:
    """Values of the vital signs; ``given`` are items of the results."""
    results = {"WEIGHT_VSORRES": "77.7", "HEIGHT_VSORRES": "178", **given}
    return {"VS": {"": {"VSPERF": "Y", "VSDAT": "2026-03-02"}}, "RESULTS": {"": results}}


def fill_vitals(world: World, number: str, *, site: str = "101", **given: str) -> Place:
    """Date the screening and fill its vital signs; ``given`` are items of the results."""
    place = date_screening(world, number, site=site)
    values = vitals(**given)
    with world.acting(f"coordinator-{site}") as uow:
        assert save_form(uow, place, "VS", Posted(0, values, frozenset(), {})).saved
    return place


def tell_reason(world: World, number: str, text: str, *, site: str = "101") -> None:
    """Fill a free text: why vital signs were not measured."""
    place = date_screening(world, number, site=site)
    values = {"VS": {"": {"VSPERF": "N", "VSREASND": text}}, "RESULTS": {"": {}}}
    with world.acting(f"coordinator-{site}") as uow:
        assert save_form(uow, place, "VS", Posted(0, values, frozenset(), {})).saved
