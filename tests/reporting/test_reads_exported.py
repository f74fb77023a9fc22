"""Reads in the data export and the casebook: what counts, what does not and why, and for whom."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.casework.reading_bed import ReadingBed, bed, values  # noqa: F401 (a fixture)
from tests.reporting.test_export import made, tables_of
from trialimg.casework.access import subject_place
from trialimg.casework.definition import definition
from trialimg.casework.read_assignment import _design
from trialimg.reporting.data import write_data
from trialimg.reporting.history import changes, numbers_of
from trialimg.store.base import db
from trialimg.store.trial import TrialDefinitionVersion

Tables = dict[str, list[dict[str, str]]]


@pytest.fixture
def whole(bed: ReadingBed) -> ReadingBed:  # noqa: F811 (the fixture)
    """Two readers: one has read baseline, week 8 and week 16, the other the baseline."""
    for visit in ("SCR", "W8", "W16"):
        bed.link(visit)
    for visit, mm in (("SCR", "37.3"), ("W8", "20.2"), ("W16", "20.2")):
        bed.read(visit, mm)
    bed.read("SCR", "38.1", "second")
    return bed


def data(bed: ReadingBed, name: str, folder: Path) -> tuple[Tables, str]:  # noqa: F811 (the fixture)
    """Write the tables as this person would get them; gives them, and every file as one text."""
    folder = folder / name
    folder.mkdir()
    write_data(bed.person(name), bed.world.trial, [bed.number], folder, lambda _done, _of: None)
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as zipped:
        for path in folder.iterdir():
            zipped.write(path, path.name)
    return tables_of(package.getvalue()), "\n".join(path.read_text("utf-8-sig") for path in sorted(folder.iterdir()))


def of(rows: list[dict[str, str]], **wanted: str) -> list[dict[str, str]]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_a_final_read_has_its_values_and_its_signature_with_zone_and_hash(whole: ReadingBed, tmp_path: Path) -> None:
    tables, _ = data(whole, "sponsor", tmp_path)
    (read,) = of(tables["reads"], visit="W8", reader="Reader")
    assert (read["state"], read["final"], read["why_not_final"], read["values"]) == ("signed", "Y", "", "given")
    assert (read["sum"], read["nadir"], read["from_baseline_mm"], read["study_day"]) == ("20.2", "37.3", "-17.1", "56")
    assert (read["target_response"], read["non_target_response"]) == ("PR", "NON-CR/NON-PD")
    assert (read["overall_response"], read["new_lesions"]) == ("PR", "no")
    assert read["signed_zone"] == "Europe/Zurich"
    assert datetime.fromisoformat(read["signed_at"]).utcoffset() is not None
    assert read["signed_at"].endswith(("+01:00", "+02:00"))
    assert read["signed_meaning"].startswith("I read these images")
    assert len(read["content_sha256"]) == len(read["seal_sha256"]) == 64
    assert read["signature_fault"] == ""
    assert read["reading_code"] == whole.code


def test_lesions_and_responses_are_in_the_shape_of_sdtm(whole: ReadingBed, tmp_path: Path) -> None:
    tables, _ = data(whole, "data-manager", tmp_path)
    identified = of(tables["read_TU"], visit="SCR", reader="Reader")
    assert [(row["TULNKID"], row["TUORRES"], row["TULOC"], row["location"]) for row in identified] == [
        ("T1", "TARGET", "LIVER", "segment 4"),
        ("N1", "NON-TARGET", "PLEURA", "left"),
    ]
    measured, other, total = of(tables["read_TR"], visit="W8", reader="Reader")
    assert (measured["TRTESTCD"], measured["TRORRES"], measured["TRORRESU"], measured["TRSTRESN"]) == (
        "LDIAM", "20.2", "mm", "20.2"
    )  # fmt: skip
    assert (measured["sop_instance_uid"], measured["frame"]) == ("2.25.7.2.1.1", "1")
    assert measured["end_points"] == "10,20 40,20"
    assert (other["TRTESTCD"], other["TRORRES"]) == ("TUMSTATE", "PRESENT")
    assert (total["TRTESTCD"], total["TRSTRESN"]) == ("SUMDIAM", "20.2")
    responses = {row["RSTESTCD"]: row["RSORRES"] for row in of(tables["read_RS"], visit="W8", reader="Reader")}
    assert responses == {"TRGRESP": "PR", "NTRGRESP": "NON-CR/NON-PD", "OVRLRESP": "PR"}
    assert of(tables["read_RS"], visit="W8")[0]["RSEVALID"] == "READER 1"


def test_every_column_of_the_reads_is_in_the_dictionary(whole: ReadingBed, tmp_path: Path) -> None:
    tables, _ = data(whole, "inspector", tmp_path)
    meanings = {(row["file"], row["column"]): row["label"] for row in tables["dictionary"]}
    for name in ("reads", "read_TU", "read_TR", "read_RS", "read_versions", "read_version_lesions"):
        assert tables[name], name
        for column in tables[name][0]:
            assert meanings[f"{name}.csv", column], (name, column)


def test_the_best_response_comes_from_final_reads_and_says_on_what_it_rests(whole: ReadingBed, tmp_path: Path) -> None:
    tables, _ = data(whole, "sponsor", tmp_path)
    (best,) = of(tables["read_RS"], RSTESTCD="BESTRESP")
    assert (best["RSORRES"], best["reader"], best["time_point"]) == ("PR", "Reader", "")
    assert "Week 8 to Week 16" in best["remark"]
    whole.reopen("W16")
    (tmp_path / "again").mkdir()
    tables, _ = data(whole, "sponsor", tmp_path / "again")
    (best,) = of(tables["read_RS"], RSTESTCD="BESTRESP")
    assert best["RSORRES"] == "SD"  # the PR of week 8 is not confirmed by a final read
    assert "1 of 2 reads after the baseline are not final" in best["remark"]


def test_what_is_not_final_says_why_and_gives_its_values_in_the_history_only(whole: ReadingBed, tmp_path: Path) -> None:
    whole.join("2.25.7.2")
    tables, _ = data(whole, "sponsor", tmp_path)
    (read,) = of(tables["reads"], visit="W8", reader="Reader")
    assert (read["state"], read["final"], read["overall_response"]) == ("basis changed", "N", "")
    assert "1 instance joined" in read["why_not_final"]
    assert not of(tables["read_TR"], visit="W8", reader="Reader")
    assert not of(tables["read_RS"], visit="W8", reader="Reader")
    (kept,) = of(tables["read_versions"], visit="W8", reader="Reader")
    assert (kept["final"], kept["overall_response"]) == ("N", "PR")
    assert "1 instance joined" in kept["why_not_final"]
    assert of(tables["read_version_lesions"], visit="W8", TRLNKID="T1")[0]["TRORRES"] == "20.2"


def test_all_versions_are_kept_and_only_the_newest_counts(whole: ReadingBed, tmp_path: Path) -> None:
    whole.reopen("W16")
    whole.read("W16", "19.9")
    tables, _ = data(whole, "sponsor", tmp_path)
    first, second = of(tables["read_versions"], visit="W16", reader="Reader")
    assert [(row["version"], row["final"], row["sum"]) for row in (first, second)] == [
        ("1", "N", "20.2"),
        ("2", "Y", "19.9"),
    ]
    assert "Reopened" in first["superseded"]
    assert second["version_reason"] == "T1 measured on the wrong slice"
    assert [row["TRORRES"] for row in of(tables["read_TR"], visit="W16", TRTESTCD="LDIAM")] == ["19.9"]


def test_a_draft_is_in_no_table_of_reads_before_it_is_signed(whole: ReadingBed, tmp_path: Path) -> None:
    whole.save("W8", values("W8", "44.4"), "second")
    tables, _ = data(whole, "data-manager", tmp_path)
    (read,) = of(tables["reads"], visit="W8", reader="Second")
    assert (read["state"], read["values"]) == ("draft", "not signed")
    reads = [row for name in tables if name.startswith("read") for row in tables[name]]
    assert "44.4" not in str(reads)  # the audit trail has it, for the roles that see values


# --- role by value --------------------------------------------------------------------------------------------

SECRETS = ("37.3", "20.2", "38.1", "segment 4", "-17.1", "Second", "reader@", "second@", "wrong slice")


@pytest.fixture
def unnamed(whole: ReadingBed) -> Any:
    """The same trial whose ``reading.yaml`` names the data manager alone."""
    whole.reopen("W16")
    version = db.session.scalars(select(TrialDefinitionVersion)).one()
    key, content = version.id, json.loads(version.content)
    content["reading"]["values_visible_to"] = ["data manager"]
    db.session.rollback()
    with whole.world.acting("trial-administrator") as uow:
        uow.session.get_one(TrialDefinitionVersion, key).content = json.dumps(content)
    for cached in (definition, _design):  # a version never changes, but in this test
        cached.cache_clear()
    yield whole
    for cached in (definition, _design):
        cached.cache_clear()


def by_page(bed: ReadingBed, name: str, _folder: Path) -> str:  # noqa: F811 (the fixture)
    asked = bed.world.client(name)
    pages = [f"/trials/DEMO/reads?site=101&reader={bed.person('second').account_id}", "/trials/DEMO/reads"]
    pages += [f"/trials/DEMO/subjects/{bed.number}/reads", f"/trials/DEMO/subjects/{bed.number}"]
    return "\n".join(asked.get(page).text for page in pages)


def by_casebook(bed: ReadingBed, name: str, folder: Path) -> str:  # noqa: F811 (the fixture)
    return made(bed.world, name, bed.number, folder)


def by_history(bed: ReadingBed, name: str, _folder: Path) -> str:  # noqa: F811 (the fixture)
    place = subject_place(bed.world.code, bed.number)
    told = [str(each) for each in changes(bed.person(name), place, numbers_of(place, whole=True))]
    assert any("'W8 read'" in each for each in told)
    return "\n".join(told)


def by_tables(bed: ReadingBed, name: str, folder: Path) -> str:  # noqa: F811 (the fixture)
    return data(bed, name, folder)[1]


@pytest.mark.parametrize("way", [by_page, by_casebook, by_history, by_tables])
def test_values_and_readers_go_by_no_way_to_a_role_the_trial_does_not_name(
    unnamed: ReadingBed, tmp_path: Path, way: Callable[[ReadingBed, str, Path], str]
) -> None:
    code = unnamed.code
    assert code
    for name, sees in (("data-manager", True), ("sponsor", False), ("inspector", False)):
        folder = tmp_path / f"for {name}"
        folder.mkdir()
        said = way(unnamed, name, folder).replace("\u200b", "")
        for secret in (*SECRETS, code):
            assert sees or secret not in said, (name, secret)
        assert ("37.3" in said) is sees
        assert "signed" in said.lower()  # how the reads stand is no secret


def test_rows_of_reads_are_in_the_history_of_the_subject(whole: ReadingBed) -> None:
    whole.reopen("W16")
    place = subject_place(whole.world.code, whole.number)
    told = list(changes(whole.person("data-manager"), place, numbers_of(place)))
    acts = {(each.about, each.what, each.new) for each in told}
    assert ("W8 read", "state", "draft") in acts
    assert ("W8 read", "state", "signed") in acts
    assert ("W16 read", "state", "reopened") in acts
    assert any(about == "W8 signature of version 1" and what == "meaning" for about, what, _ in acts)
    assert not any("diameter" in each.new for each in told)  # values stand in the chapter of reads
    reopened = next(each for each in told if each.new == "reopened")
    assert reopened.reason == "T1 measured on the wrong slice"
