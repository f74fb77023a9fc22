"""An age above 89 years is told as 89 wherever a report tells it as a number."""

from __future__ import annotations

import struct

import pytest

from tests.dicom.planted_places import item, nest, put
from trialimg.dicom.parsing.told_age import cap_told_ages


def of_code(code, meaning):
    return item((0x00080100, "SH", code), (0x00080102, "SH", "X"), (0x00080104, "LO", meaning))


def report(number, unit, *, code="121033", meaning="Subject Age", measured=True, more=()):
    holder = item((0x0040A30A, "DS", number), *more)
    if unit:
        nest(holder, 0x004008EA, of_code(unit, unit))
    told = item((0x0040A040, "CS", "NUM"))
    nest(told, 0x0040A043, of_code(code, meaning))
    if measured:
        nest(told, 0x0040A300, holder)
    else:
        put(told, 0x0040A30A, "DS", number)
    outer = item((0x0040A040, "CS", "CONTAINER"))
    nest(outer, 0x0040A730, told)
    whole = item()
    nest(whole, 0x0040A730, outer)
    return whole, holder if measured else told


@pytest.mark.parametrize(
    ("number", "unit", "most"),
    [("97", "a", "89"), ("97", "", "89"), ("1100", "mo", "1068"), ("36000", "d", "32507"), ("97.5", "a", "89")],
)
def test_an_age_is_told_as_89_years_in_its_own_unit(number, unit, most):
    whole, holder = report(number, unit)
    assert [path[-1] for path in cap_told_ages(whole)] == [0x0040A30A]
    assert holder[0x0040A30A].value == float(most)
    assert cap_told_ages(whole) == []


@pytest.mark.parametrize(("number", "unit"), [("89", "a"), ("900", "mo"), ("20000", "d")])
def test_a_younger_age_stays(number, unit):
    whole, holder = report(number, unit)
    assert cap_told_ages(whole) == []
    assert holder.get_item(0x0040A30A).value.strip() == number.encode()


def test_an_age_of_another_scheme_is_known_by_its_words():
    whole, holder = report("97", "a", code="X-1", meaning="Age at examination")
    assert cap_told_ages(whole)
    assert holder[0x0040A30A].value == 89
    assert cap_told_ages(report("97", "a", code="X-2", meaning="Stage percentage")[0]) == []


def test_an_age_is_not_told_by_its_other_forms():
    forms = (
        (0x0040A161, "FD", struct.pack("<d", 97.4)),
        (0x0040A162, "SL", b"\x61\0\0\0"),
        (0x0040A163, "UL", b"\1\0\0\0"),
    )
    for number in ("97", "89"):
        whole, holder = report(number, "a", more=forms)
        assert cap_told_ages(whole)
        assert not {0x0040A161, 0x0040A162, 0x0040A163} & {int(tag) for tag in holder.keys()}  # noqa: SIM118 - iterating decodes
        assert holder[0x0040A30A].value == 89


def test_a_second_value_is_an_age_too():
    whole, holder = report("45\\97", "a", measured=False)
    assert cap_told_ages(whole)
    assert holder[0x0040A30A].value == 89
