"""A signature is bound to who, when, why and exactly what (21 CFR 11.50, 11.70)."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialimg.domain.signature import Meaning, canonical, content_hash, fault, moment, sign
from trialimg.errors import OurFault

AT = datetime(2026, 5, 4, 9, 30, 15, 123456, timezone(timedelta(hours=2)))
VALUES = {"targets": [{"id": "T1", "diameter": "12.5"}], "comment": "größer"}
GIVEN = {
    "name": "Ada Lind", "account": "ada@example.org", "at": AT, "zone": "Europe/Berlin",
    "meaning": Meaning.READ.value, "record": "read 7 version 1", "values": VALUES, "basis": "b" * 64,
}  # fmt: skip
SIGNED = sign(**GIVEN)
HERE = {"record": "read 7 version 1", "values": VALUES, "basis": "b" * 64}


def test_an_untouched_signature_fits_its_record():
    assert fault(SIGNED, **HERE) is None


def test_it_shows_name_local_time_zone_and_meaning():
    assert SIGNED.manifestation == f"Ada Lind, 2026-05-04 09:30:15 Europe/Berlin (+02:00): {Meaning.READ.value}"
    in_utc = f"Ada Lind, 2026-05-04 07:30:15 UTC (+00:00): {Meaning.READ.value}"
    assert replace(SIGNED, zone="UTC").manifestation == in_utc
    assert replace(SIGNED, zone="Nowhere/Land").manifestation == in_utc


@pytest.mark.parametrize("zone", ["UTC", "Europe/Zurich", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati"])
def test_a_moment_is_said_once_with_its_zone_and_offset_and_can_be_read_back(zone: str):
    said = moment(AT, zone)
    day, clock, name, offset = said.split(" ")
    assert name == zone
    assert said.count(":") == 3, "hours, minutes and seconds, and the offset's minutes"
    assert datetime.fromisoformat(f"{day}T{clock}{offset[1:-1]}") == AT.replace(microsecond=0)


def test_a_data_base_may_give_the_moment_back_in_another_zone():
    kept = replace(SIGNED, at=AT.astimezone(UTC))
    assert fault(kept, **HERE) is None
    assert kept.manifestation == SIGNED.manifestation


CHANGES = {
    "name": "Eva Lind", "account": "eva@example.org", "at": AT + timedelta(microseconds=1), "zone": "UTC",
    "meaning": Meaning.BASIS_CONFIRMED.value, "record": "read 8 version 1", "content": "0" * 64, "seal": "0" * 64,
}  # fmt: skip


@pytest.mark.parametrize("part", [each.name for each in fields(SIGNED)])
def test_no_part_of_a_signature_can_be_changed_unseen(part):
    assert "changed after it was given" in fault(replace(SIGNED, **{part: CHANGES[part]}), **HERE)


def test_a_moment_that_lost_its_zone_is_a_changed_signature():
    assert "changed" in fault(replace(SIGNED, at=AT.replace(tzinfo=None)), **HERE)


def test_a_signature_cannot_be_moved_to_another_record_even_with_equal_values():
    assert "another record" in fault(SIGNED, **{**HERE, "record": "read 8 version 1"})


@pytest.mark.parametrize(
    "change", [{"values": {**VALUES, "comment": "kleiner"}}, {"values": {}}, {"basis": "c" * 64}, {"basis": ""}]
)
def test_changed_values_or_basis_are_noticed(change):
    assert "not those that were signed" in fault(SIGNED, **{**HERE, **change})


@pytest.mark.parametrize(
    "lacking", [{"name": " "}, {"account": ""}, {"zone": ""}, {"meaning": ""}, {"record": ""}, {"at": AT.replace(tzinfo=None)}]
)
def test_a_signature_that_would_say_nothing_is_not_given(lacking):
    with pytest.raises(OurFault, match="needs a name"):
        sign(**{**GIVEN, **lacking})


@pytest.mark.parametrize("value", [{"mm": 1.5}, [float("nan")], {1: "x"}, {"a": {1}}, [AT], {"a": [b"x"]}])
def test_only_plain_data_is_signed(value):
    with pytest.raises(OurFault, match="can be signed"):
        canonical(value)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_the_order_of_keys_does_not_matter(values):
    assert canonical(dict(reversed(values.items()))) == canonical(values)


@given(plain, plain)
def test_different_values_have_different_hashes(one, other):
    same = canonical(one) == canonical(other)
    assert (content_hash({"v": one}, "") == content_hash({"v": other}, "")) is same
    assert content_hash({"v": one}, "x") != content_hash({"v": one}, "y")
