"""Exports as jobs: what is made, what cannot be, what a killed worker leaves, and what somebody blinded never gets."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdf
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from tests.documents.archival import faults
from tests.pipeline.bed import make_bed, small_ct
from tests.reporting.filled import fill_vitals, tell_reason, vitals
from tests.world import World, email_of
from trialimg.casework import accounts
from trialimg.casework.access import subject_place, visit_place
from trialimg.casework.data_entry import Posted, save_form
from trialimg.casework.services import services
from trialimg.cli import trialimg
from trialimg.domain.permission import Role
from trialimg.errors import ArchiveUnavailable, NotFound
from trialimg.reporting import export, package, steps
from trialimg.reporting.package import Count, make_casebook, ordered
from trialimg.reporting.typesetter import Typesetter
from trialimg.store.audit import AuditRecord
from trialimg.store.base import db
from trialimg.store.export import Export
from trialimg.store.job import Job, Superseded
from trialimg.store.trial import TrialDefinitionVersion
from trialimg.worker import run_until_idle

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def ask(world: World, name: str, kind: str = export.CASEBOOK, *numbers: str) -> str:
    person = world.person(name)
    with person.acting("a test", world.trial) as uow:
        return export.ask(uow, person, world.trial, kind, numbers)


def fetch(world: World, name: str, key: str) -> bytes:
    person = world.person(name)
    with person.acting("a test", world.trial) as uow:
        stream, _ = export.download(uow, person, world.trial, key)
    with stream:
        return stream.read()


def row(key: str) -> Export:
    db.session.rollback()
    return db.session.get_one(Export, key, populate_existing=True)


def text_of(data: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)


def tables_of(data: bytes) -> dict[str, list[dict[str, str]]]:
    with zipfile.ZipFile(io.BytesIO(data)) as package_:
        return {
            name.removesuffix(".csv"): list(
                csv.DictReader(io.StringIO(package_.read(name).decode("utf-8-sig"), newline=""))
            )
            for name in package_.namelist()
            if name.endswith(".csv")
        }


def made(world: World, name: str, number: str, folder: Path) -> str:
    with ordered(world.person(name), NOW) as order:
        line = make_casebook(order, subject_place(world.code, number), folder)
    assert not line.sentence
    return text_of((folder / line.file_name).read_bytes())


@pytest.fixture
def blind(world: World) -> World:
    """The world with the weight blinded to sponsors, in the definition its subjects are enrolled under."""
    version = db.session.scalars(select(TrialDefinitionVersion)).one()
    content = json.loads(version.content)
    for form in content["forms"]:
        for group in form["groups"]:
            for item in group["items"]:
                if item["key"] == "WEIGHT_VSORRES":
                    item["blinded_to"] = ["sponsor"]
    key, text = version.id, json.dumps(content)
    db.session.rollback()
    with world.acting("trial-administrator") as uow:
        uow.session.get_one(TrialDefinitionVersion, key).content = text
    from trialimg.casework.definition import definition

    definition.cache_clear()
    yield world
    definition.cache_clear()


def test_a_casebook_says_values_units_codes_and_what_is_missing(world: World, tmp_path: Path) -> None:
    number = world.subject()
    fill_vitals(world, number)
    text = made(world, "sponsor", number, tmp_path)
    assert "77.7 kg" in text
    assert "Yes (Y)" in text
    assert "Missing: required" in text  # the temperature was not entered
    assert "nothing was entered" in text  # the other forms
    assert "University Hospital North" in text
    assert "coordinator-101@trial.example" in text  # in the history
    assert "No read of this subject" in text


def test_a_blinded_value_is_in_no_pdf_and_no_table_of_the_blinded(blind: World, tmp_path: Path) -> None:
    number = blind.subject()
    fill_vitals(blind, number, WEIGHT_VSORRES="39")  # with a finding that speaks of it
    with blind.acting("coordinator-101", "typed wrongly") as uow:
        place = subject_place(blind.code, number)
        values = vitals(WEIGHT_VSORRES="38.2")
        save_form(uow, visit_place(blind.code, place.subject_number, "SCR"), "VS", Posted(1, values, frozenset(), {}))
    seen: dict[str, Any] = {}
    for name in ("sponsor", "data-manager"):
        folder = tmp_path / name
        folder.mkdir()
        text = made(blind, name, number, folder)
        key = ask(blind, name, export.DATA)
        run_until_idle(blind.app)
        data = fetch(blind, name, key)
        with zipfile.ZipFile(io.BytesIO(data)) as package_:
            everything = "\n".join(package_.read(each).decode() for each in package_.namelist())
        seen[name] = (text, everything, tables_of(data))
    text, everything, tables = seen["data-manager"]
    assert "38.2" in text
    assert "38.2" in everything
    assert "usually" in everything
    text, everything, tables = seen["sponsor"]
    assert "not shown to your role" in text
    for said in (text, everything):
        assert "38.2" not in said
        assert "is usually" not in said
    assert "WEIGHT_VSORRES" not in tables["form_VS"][0]
    assert tables["form_VS"][1]["HEIGHT_VSORRES"] == "178"
    assert "not shown to your role" in everything


def test_formulas_and_markup_in_values_are_harmless(world: World, tmp_path: Path) -> None:
    number = world.subject()
    tell_reason(world, number, "=cmd|' /C calc'!A0 <b>x</b>")
    text = made(world, "sponsor", number, tmp_path)
    assert "=cmd|' /C calc'!A0 <b>x</b>" in text.replace("\n", " ")
    key = ask(world, "sponsor", export.DATA)
    run_until_idle(world.app)
    tables = tables_of(fetch(world, "sponsor", key))
    assert tables["form_VS"][0]["VSREASND"] == "'=cmd|' /C calc'!A0 <b>x</b>"
    changed = [each for each in tables["audit"] if each["new"].startswith("'=cmd")]
    assert len(changed) == 1


def test_tables_hold_values_codes_units_what_is_missing_and_whose_it_is(world: World) -> None:
    number, other = world.subject(), world.subject("102")
    fill_vitals(world, number)
    key = ask(world, "inspector", export.DATA)
    run_until_idle(world.app)
    tables = tables_of(fetch(world, "inspector", key))
    assert [each["subject"] for each in tables["subjects"]] == [number, other]
    first, results = (each for each in tables["form_VS"] if each["subject"] == number and each["visit"] == "SCR")
    assert (first["VSPERF"], first["VSPERF_DECODE"], first["not_asked"]) == ("Y", "Yes", "VSREASND")
    assert (results["WEIGHT_VSORRES"], results["WEIGHT_VSORRES_UNIT"]) == ("77.7", "kg")
    assert "TEMP_VSORRES" in results["missing"].split()
    assert {each["visit"] for each in tables["visits"]} >= {"SCR", "W8"}
    assert any(each["column"] == "value" and each["new"] == "77.7" for each in tables["audit"])
    meanings = {(each["file"], each["column"]): each for each in tables["dictionary"]}
    assert meanings["form_VS.csv", "WEIGHT_VSORRES"]["unit_code"] == "kg"


def test_a_linked_study_has_its_numbers_and_a_picture_with_words(world: World, tmp_path: Path) -> None:
    bed = make_bed(world)
    bed.link(small_ct(tmp_path / "ct"))
    (study,) = bed.studies()
    uid, count = study.study_instance_uid, study.instance_count
    folder = tmp_path / "out"
    folder.mkdir()
    text = made(world, "sponsor", bed.number, folder)
    assert uid in text.replace("\u200b", "").replace("\n", "")
    assert "Key image of CT at SCR" in text.replace("\n", " ")
    reader = pypdf.PdfReader(next(folder.glob("*casebook.pdf")))
    assert faults(reader) == []
    assert len({image.indirect_reference.idnum for page in reader.pages for image in page.images}) == 1
    key = ask(world, "sponsor", export.DATA)
    run_until_idle(world.app)
    tables = tables_of(fetch(world, "sponsor", key))
    assert [each["study_instance_uid"] for each in tables["imaging"]] == [uid]
    assert len([each for each in tables["instances"] if each["fate"] == "sent"]) == count


def test_a_long_history_stands_in_documents_of_its_own(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "ROWS_A_PART", 10)
    number = world.subject()
    fill_vitals(world, number)
    with ordered(world.person("sponsor"), NOW) as order:
        line = make_casebook(order, subject_place(world.code, number), tmp_path)
    assert len(line.parts) > 1
    assert sum(part.rows for part in line.parts) == len(export_numbers(world, number))
    assert all(part.rows <= 10 for part in line.parts)
    text = text_of((tmp_path / line.file_name).read_bytes())
    for part in line.parts:
        assert part.file_name in text.replace("\n", "")
        assert (tmp_path / part.file_name).exists()
    whole = "".join(text_of((tmp_path / part.file_name).read_bytes()) for part in line.parts)
    assert "77.7" in whole


def test_a_long_history_tells_how_far_it_is_and_stops_where_nobody_wants_it_any_more(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "ROWS_A_PART", 10)
    number, heard = world.subject(), []
    fill_vitals(world, number)
    place = subject_place(world.code, number)
    with ordered(world.person("sponsor"), NOW, Count(1, lambda done, total: heard.append((done, total)))) as order:
        line = make_casebook(order, place, tmp_path)
    documents = len(line.parts) + 1
    assert heard == [(done, documents) for done in range(documents + 1)]

    def cancelled(done: int, total: int) -> None:
        if done == 1:
            raise Superseded

    folder = tmp_path / "again"
    folder.mkdir()
    with pytest.raises(Superseded), ordered(world.person("sponsor"), NOW, Count(1, cancelled)) as order:
        make_casebook(order, place, folder)
    assert not list(folder.glob("*-casebook.pdf"))


def test_a_restarted_job_lays_out_only_the_parts_of_a_history_that_are_not_laid_out_yet(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "ROWS_A_PART", 10)
    number = world.subject()
    fill_vitals(world, number)
    key = ask(world, "sponsor", export.CASEBOOK, number)
    begun: list[str] = []
    begin = Typesetter.begin

    def killed_at_the_third(self: Typesetter, html: str, target: Path, *then: Any) -> Any:
        begun.append(target.name)
        if len(begun) == 4:
            raise ArchiveUnavailable("The worker is gone.")
        return begin(self, html, target, *then)

    monkeypatch.setattr(Typesetter, "begin", killed_at_the_third)
    run_until_idle(world.app)
    assert row(key).state == "asked"
    kept = {each for each in export.area_of(services(), key).notes() if each.startswith("part-")}
    assert kept
    with world.acting("sponsor") as uow:
        uow.session.get_one(Job, row(key).job_id).due = datetime.now(UTC) - timedelta(seconds=1)
    run_until_idle(world.app)
    assert row(key).state == "done"
    with zipfile.ZipFile(io.BytesIO(fetch(world, "sponsor", key))) as package_:
        files = package_.namelist()
        whole = "".join(text_of(package_.read(each)) for each in files)
    parts = [each for each in files if "-audit-" in each]
    again = [each for each in begun[4:] if "-audit-" in each]
    assert len(again) == len(parts) - len(kept)
    assert "77.7" in whole


def test_of_a_subject_that_breaks_half_way_nothing_is_left(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(book: Any) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(package, "ROWS_A_PART", 10)
    monkeypatch.setattr(package, "casebook_html", breaks)
    number = world.subject()
    with ordered(world.person("sponsor"), NOW) as order:
        line = make_casebook(order, subject_place(world.code, number), tmp_path)
    assert line.sentence.startswith("Not made: ")
    assert not [each for each in tmp_path.iterdir() if each.is_file()]


def export_numbers(world: World, number: str) -> list[int]:
    from trialimg.reporting.history import numbers_of

    return numbers_of(subject_place(world.code, number))


def test_a_broken_subject_is_named_and_the_others_are_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [world.subject() for _ in range(3)]
    whole = package.casebook_of

    def breaks(person: Any, place: Any, made_at: Any) -> Any:
        if place.subject_number == numbers[1]:
            raise ZeroDivisionError("a name of somebody")
        return whole(person, place, made_at)

    monkeypatch.setattr(package, "casebook_of", breaks)
    key = ask(world, "sponsor", export.CASEBOOK, *numbers)
    run_until_idle(world.app)
    assert (row(key).state, row(key).failures) == ("incomplete", 1)
    assert f"1 subject could not be made ({numbers[1]})" in row(key).sentence
    with zipfile.ZipFile(io.BytesIO(fetch(world, "sponsor", key))) as package_:
        assert set(package_.namelist()) == {
            f"DEMO-{numbers[0]}-casebook.pdf",
            f"DEMO-{numbers[2]}-casebook.pdf",
            "index.pdf",
        }
        index = text_of(package_.read("index.pdf")).replace("\n", " ")
    assert "1 could not be made" in index
    assert "ZeroDivisionError" in index
    assert "a name of somebody" not in index


def test_a_restarted_job_makes_only_what_is_not_made_yet(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [world.subject() for _ in range(2)]
    calls: list[str] = []
    make = steps.begin_casebook

    def once_unavailable(order: Any, place: Any, folder: Any) -> Any:
        calls.append(place.subject_number)
        if len(calls) == 2:
            raise ArchiveUnavailable("The archive does not answer.")
        return make(order, place, folder)

    monkeypatch.setattr(steps, "begin_casebook", once_unavailable)
    key = ask(world, "sponsor", export.CASEBOOK, *numbers)
    run_until_idle(world.app)
    line = export.exports_of(world.person("sponsor"), world.trial)[0]
    assert line.state == "retrying"
    assert "does not answer" in line.sentence
    with world.acting("sponsor") as uow:
        uow.session.get_one(Job, row(key).job_id).due = datetime.now(UTC) - timedelta(seconds=1)
    run_until_idle(world.app)
    assert calls == [numbers[0], numbers[1], numbers[1]]
    assert row(key).state == "done"


def test_who_has_other_roles_since_gets_neither_the_making_nor_the_file(world: World) -> None:
    number = world.subject()
    finished = ask(world, "monitor", export.CASEBOOK, number)
    run_until_idle(world.app)
    waiting = ask(world, "monitor", export.CASEBOOK, number)
    administrator, account = world.person("trial-administrator"), world.person("monitor").account_id
    with world.acting("trial-administrator") as uow:
        accounts.give_role(uow, administrator, account, Role.IMAGING_QC, trial_id=world.trial_id)
    run_until_idle(world.app)
    lines = {line.export_id: line for line in export.exports_of(world.person("monitor"), world.trial)}
    assert lines[waiting].state == "failed"
    assert "other roles" in lines[waiting].sentence
    with pytest.raises(Exception, match="roles in this trial have changed"):
        fetch(world, "monitor", finished)


def test_a_month_later_the_file_is_destroyed_and_strays_with_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ask(world, "sponsor", export.CASEBOOK, world.subject())
    run_until_idle(world.app)
    area, stray = export.area_of(services(), key), services().vault.area("exports/nobody")
    stray.put_bytes(b"left by a crash")
    assert export.destroy_old() == 0
    assert area.listing()
    assert not stray.listing()
    monkeypatch.setattr(export, "utc_now", lambda: datetime.now(UTC) + export.KEPT + timedelta(minutes=1))
    assert export.destroy_old() == 1
    assert not area.listing()
    assert row(key).state == "destroyed"


def test_a_subject_elsewhere_is_not_found_and_nothing_is_asked(world: World) -> None:
    number, person = world.subject("101"), world.person("monitor-102")
    with pytest.raises(NotFound), person.acting("a test", world.trial) as uow:
        export.ask(uow, person, world.site("102"), export.CASEBOOK, [number])
    assert db.session.scalar(select(Export.id)) is None


# ── the command line ─────────────────────────────────────────────────────────────────────────────


def command(world: World, *words: str) -> Any:
    import contextvars

    data = str(services().settings.data)
    db.session.rollback()
    return contextvars.Context().run(CliRunner().invoke, trialimg, ["--data", data, "report", *words])


def test_the_command_writes_one_pdf_or_a_folder_and_leaves_a_record_of_whom(world: World, tmp_path: Path) -> None:
    first, second = world.subject(), world.subject()
    user = email_of("sponsor")
    done = command(world, "casebook", "--user", user, "--subject", first, str(tmp_path / "one.pdf"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF-")
    done = command(world, "casebook", "--user", user, "--subject", first, "--subject", second, str(tmp_path / "many"))
    assert {path.name for path in (tmp_path / "many").iterdir()} == {
        f"DEMO-{first}-casebook.pdf", f"DEMO-{second}-casebook.pdf", "index.pdf"
    }  # fmt: skip
    assert not list(tmp_path.glob(".trialimg-*"))
    db.session.rollback()
    notes = select(AuditRecord.actor).where(AuditRecord.action == "export")
    assert list(db.session.scalars(notes)) == [user, user]


def test_the_command_gives_no_more_than_the_person_may_see(world: World, tmp_path: Path) -> None:
    number = world.subject("101")
    out = tmp_path / "x.pdf"
    for name, expected in (("monitor-102", NotFound), ("coordinator-101", NotFound), ("nobody", NotFound)):
        done = command(world, "casebook", "--user", email_of(name), "--subject", number, str(out))
        assert isinstance(done.exception, expected), (name, done.output)
    done = command(world, "data", "--user", email_of("data-manager"), str(tmp_path / "all.zip"))
    assert done.exit_code == 0, done.output
    assert zipfile.is_zipfile(tmp_path / "all.zip")
    assert not out.exists()


def test_the_form_s_page_and_its_history_say_that_a_value_is_not_shown(blind: World) -> None:
    number = blind.subject()
    fill_vitals(blind, number)
    url = f"/trials/DEMO/subjects/{number}/visits/SCR/forms/VS"
    for name, sees in (("sponsor", False), ("data-manager", True)):
        client = blind.client(name)
        for page in (client.get(url), client.get(f"{url}/history")):
            assert page.status_code == 200
            assert ("77.7" in page.text) is sees
            assert ("not shown to your role" in page.text) is not sees
