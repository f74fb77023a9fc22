"""The chain of audit records: what it commits to, and which changes to it show."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from trialimg.domain.audit import GENESIS, Beside, Head, Record, commitment, read_head, verify

SALT = "00" * 16


def chain(length: int = 5) -> list[tuple[Record, str, Beside | None]]:
    found, previous = [], GENESIS
    for number in range(1, length + 1):
        beside = Beside(f"{number:032x}", None if number == 1 else f"v{number - 1}", f"v{number}")
        record = Record(
            "t", number, f"2026-01-01T00:00:0{number}.000000+00:00", "a@b.example", "update", "subject", "row", "sex",
            commitment(beside.salt, beside.old), commitment(beside.salt, beside.new), "why", previous,
        )  # fmt: skip
        previous = record.digest()
        found.append((record, previous, beside))
    return found


def sentences(records: list[tuple[Record, str, Beside | None]], redacted: dict[int, int] | None = None) -> list[str]:
    return [fault.sentence for fault in verify("t", records, redacted or {})]


def test_a_chain_as_it_was_written_is_whole() -> None:
    assert sentences(chain()) == []
    assert sentences([]) == []


@pytest.mark.parametrize("name", [field.name for field in fields(Record) if field.name != "number"])
def test_every_field_of_a_record_is_under_its_hash(name: str) -> None:
    records = chain()
    record, digest, beside = records[2]
    records[2] = (replace(record, **{name: getattr(record, name) + "x"}), digest, beside)
    assert any("Record 3" in each or "record 3" in each for each in sentences(records))


def test_a_number_is_under_the_hash_too() -> None:
    records = chain()
    record, digest, beside = records[4]
    records[4] = (replace(record, number=6), digest, beside)
    assert any("Record 5" in each and "missing" in each for each in sentences(records))
    assert any("Record 6" in each and "was changed" in each for each in sentences(records))


def test_fields_cannot_be_shifted_into_each_other() -> None:
    record = chain(1)[0][0]
    assert replace(record, actor="ab", action="c").digest() != replace(record, actor="a", action="bc").digest()
    assert replace(record, actor='a","b').digest() != replace(record, actor="a", action='b",""').digest()


def test_a_record_taken_out_of_the_middle_is_missed_once() -> None:
    records = chain()
    del records[2]
    found = sentences(records)
    assert found[0] == "Record 3 of chain t is missing."
    assert found[1] == "Record 4 of chain t does not follow the one before."
    assert len(found) == 2


def test_two_records_that_changed_places_are_seen() -> None:
    records = chain()
    records[1], records[2] = records[2], records[1]
    assert sentences(records)


def test_a_changed_value_is_seen_and_which_one() -> None:
    records = chain()
    record, digest, beside = records[3]
    records[3] = (record, digest, replace(beside, new="another"))
    assert sentences(records) == ["The values of record 4 of chain t were changed."]


def test_a_value_that_vanished_is_a_fault_unless_a_redaction_names_it() -> None:
    records = chain()
    records[3] = (*records[3][:2], None)
    assert sentences(records) == ["The values of record 4 of chain t are gone."]
    assert sentences(records, {4: 9}) == []


def test_no_value_and_an_empty_value_are_two_things() -> None:
    assert commitment(SALT, None) == ""
    assert commitment(SALT, "") != ""


def test_a_commitment_does_not_tell_its_value_without_the_salt() -> None:
    """Sex and year of birth have few values: an unsalted hash would be tried out in no time."""
    assert commitment("00" * 16, "F") != commitment("01" * 16, "F")
    assert len(commitment(SALT, "F")) == 64


def test_the_digest_is_what_it_always_was() -> None:
    """A trail is verified for decades; a change of this number is a change of every chain that exists."""
    record = Record("t", 1, "2026-01-01T00:00:00.000000+00:00", "ä@b", "insert", "s", "r", "c", "", "", "wäre", GENESIS)
    assert record.digest() == "c58559bf75239d589e5fe62f2f6319620d41efa4a9af52d793d0eaccaad1c71b"


def test_a_head_is_read_back_only_under_its_key() -> None:
    head, key = Head("t", 7, "ab" * 32), b"k" * 32
    assert read_head(head.line(key), key) == head
    assert read_head(head.line(key), b"x" * 32) is None


@pytest.mark.parametrize("change", [{"chain": "u"}, {"number": 8}, {"hash": "cd" * 32}, {"mac": "00" * 32}])
def test_a_head_with_anything_changed_is_no_head(change: dict[str, object]) -> None:
    head, key = Head("t", 7, "ab" * 32), b"k" * 32
    assert read_head(json.dumps({**json.loads(head.line(key)), **change}), key) is None


@pytest.mark.parametrize(
    "line", ["", "x", "[]", "{}", "null", '{"chain": 1}', '{"chain":"t","number":"x","hash":"","mac":""}']
)
def test_garbage_is_no_head(line: str) -> None:
    assert read_head(line, b"k" * 32) is None
