"""Tables that no spreadsheet takes for formulas, and that say what their columns mean."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from trialimg.documents.tables import Column, Table, safe, write_dictionary, zip_folder


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "--5", "-1e"]
)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert safe(text) == f"'{text}"
    assert safe(text, number=True) == f"'{text}"


@pytest.mark.parametrize("text", ["-1", "-12.5", "+3", "-1E3"])
def test_a_negative_number_stays_one_in_a_column_of_numbers_only(text: str) -> None:
    assert safe(text, number=True) == text
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-Infinity", "-nan", "-\u0661"])
def test_what_only_looks_like_a_number_is_none(text: str) -> None:
    assert safe(text, number=True) == f"'{text}"


def test_harmless_text_is_left_alone() -> None:
    assert [safe(value) for value in (None, "", "a=b", "2026-03-02", 5, "'=x")] == [
        "",
        "",
        "a=b",
        "2026-03-02",
        "5",
        "'=x",
    ]


def test_a_file_begins_with_the_mark_and_reads_back(tmp_path: Path) -> None:
    with Table(tmp_path, "notes", [Column("text", "A text"), Column("n", "A number", "number")]) as table:
        table.add({"text": 'Grüße, "x"\nsecond line', "n": "-5"})
        table.add({"n": None})
    raw = (tmp_path / "notes.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbftext,n\r\n")
    with (tmp_path / "notes.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file))[1:] == [['Grüße, "x"\nsecond line', "-5"], ["", ""]]
    assert table.rows == 2


def test_the_dictionary_tells_every_column_and_the_rule_of_the_apostrophe(tmp_path: Path) -> None:
    codes = (("Y", "Yes"), ("N", "No"))
    with Table(tmp_path, "form_VS", [Column("VSPERF", "Done?", "yes/no", codes=codes, form="VS")]) as table:
        write_dictionary(tmp_path, [table], {"trial": "DEMO"})
    with (tmp_path / "dictionary.csv").open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["file"], row["column"], row["label"], row["codes"]) == (
        "form_VS.csv",
        "VSPERF",
        "Done?",
        "Y = Yes; N = No",
    )
    told = json.loads((tmp_path / "dictionary.json").read_text("utf-8"))
    assert "apostrophe" in told["about"]
    assert told["files"]["form_VS.csv"]["columns"][0]["codes"] == {"Y": "Yes", "N": "No"}


def test_a_folder_becomes_one_zip(tmp_path: Path) -> None:
    import zipfile

    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "b.csv").write_text("b" * 5000)
    (folder / "a.pdf").write_bytes(b"%PDF-")
    zip_folder(folder, tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as package:
        assert package.namelist() == ["a.pdf", "b.csv"]
        assert package.testzip() is None
