"""The search for planted identities finds them where they are: a search that finds nothing anywhere proves nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES, planted_strings
from tests.e2e.planted import outside_quarantine, spoken_of

PATIENT = PATIENT_IDENTITIES[9]  # with accents, in UTF-8


def test_every_planted_string_is_found_in_the_originals(tmp_path: Path) -> None:
    files = write_ct(tmp_path, PATIENT, study_date="20260301", slices=2, size=64, study_key="search", dose_report=True)
    assert {word for _, word in spoken_of([PATIENT], files)} >= set(planted_strings(PATIENT))
    assert spoken_of([PATIENT_IDENTITIES[0]], files) == []


def test_a_name_across_the_border_of_two_reads_is_found(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"\0" * (8 * 1024 * 1024 - 5) + PATIENT.name.encode("latin-1") + b"\0" * 100)
    assert (str(path), PATIENT.name) in spoken_of([PATIENT], [path])


def test_only_the_originals_in_quarantine_are_left_out(tmp_path: Path) -> None:
    kept = [tmp_path / "vault/areas/quarantine.1/abc", tmp_path / "vault/areas/outbox.1/abc", tmp_path / "log"]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert outside_quarantine(tmp_path) == sorted(kept[1:])


@pytest.mark.parametrize("digits", ["9f86d081884c7d65", "2.25.", "1" * 30])
def test_a_number_in_a_hash_or_a_uid_names_nobody(tmp_path: Path, digits: str) -> None:
    number = PATIENT_IDENTITIES[0].patient_id
    path = tmp_path / "hashes"
    path.write_text(f"{digits}{number}9f86d081884c7d659a2feaa0" if digits != "2.25." else f"2.25.{'7' * 30}{number}")
    assert spoken_of([PATIENT_IDENTITIES[0]], [path]) == []
    path.write_text(f"9f86d081884c7d659a2feaa0 {number}")
    assert spoken_of([PATIENT_IDENTITIES[0]], [path]) == [(str(path), number)]


def test_a_number_that_lies_against_a_hash_in_a_data_base_is_found(tmp_path: Path) -> None:
    """SQLite writes values one after another with nothing between them."""
    number, path = PATIENT_IDENTITIES[0].patient_id, tmp_path / "trial.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE record (before TEXT, value TEXT, after TEXT)")
        database.execute("INSERT INTO record VALUES (?, ?, ?)", ("a" * 64, f"b{number}c", "d" * 64))
        database.commit()
        assert spoken_of([PATIENT_IDENTITIES[0]], [path]) == [], "a number in a key is none"
        database.execute("UPDATE record SET value = ?", (number,))
        database.commit()
    assert spoken_of([PATIENT_IDENTITIES[0]], [path]) == [(str(path), number)]
