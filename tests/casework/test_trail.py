"""The audit trail verified: what an attacker or an accident does to it is seen, what a kill leaves is not blamed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from tests.world import World
from trialimg.casework import trail
from trialimg.casework.services import services
from trialimg.casework.trail_page import TrailFilter, trail_page
from trialimg.domain.audit import GENESIS, Head, Record
from trialimg.errors import BadInput, Conflict, NotFound
from trialimg.keyring import AUDIT
from trialimg.store.audit import AuditRecord, AuditValue
from trialimg.store.base import db
from trialimg.store.subject import Subject
from trialimg.store.trial import Site
from trialimg.store.unit_of_work import Actor, unit_of_work


def heads_path() -> Path:
    return services().settings.audit_heads_file


@contextmanager
def owner_of_the_file() -> Iterator[sqlite3.Connection]:
    """Somebody who owns the SQLite file and takes the triggers away: what triggers cannot stop, heads must show."""
    db.session.rollback()
    path = services().settings.data / "trialimg.sqlite"
    connection = sqlite3.connect(path)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    yield connection
    connection.commit()
    connection.close()


def sentences() -> list[str]:
    return [fault.sentence for fault in trail.verify(services()).faults]


def rechain(connection: sqlite3.Connection, chain: str, start: int) -> None:
    """Recompute a chain from a record on, as somebody would who rewrites it and knows how."""
    columns = "id, chain, number, at, actor, action, table_name, row_id, column_name, old, new, reason"
    previous = GENESIS
    for row in connection.execute(
        f"SELECT {columns}, hash FROM audit_record WHERE chain = ? ORDER BY number", (chain,)
    ).fetchall():
        if row[2] < start:
            previous = row[12]
            continue
        at = row[3].replace(" ", "T") + "+00:00"
        digest = Record(row[1], row[2], at, *row[4:12], previous).digest()
        connection.execute("UPDATE audit_record SET previous = ?, hash = ? WHERE id = ?", (previous, digest, row[0]))
        connection.execute("UPDATE audit_chain SET hash = ? WHERE chain = ?", (digest, chain))
        previous = digest


def test_a_trail_nobody_touched_is_whole(world: World) -> None:
    world.subject()
    result = trail.verify(services())
    assert result.faults == ()
    assert {each.chain for each in result.chains} == {"system", world.trial_id}
    assert sum(each.records for each in result.chains) == len(db.session.scalars(select(AuditRecord.id)).all())
    assert result.sentences()[-1] == "The trail is whole."


def test_an_empty_installation_is_whole(context: Flask) -> None:
    assert trail.verify(services()).whole


def test_a_changed_value_is_seen(world: World) -> None:
    with owner_of_the_file() as connection:
        connection.execute("UPDATE audit_value SET new = 'somebody else' WHERE new = 'University Hospital North'")
    assert any("values of record" in each and "were changed" in each for each in sentences())


def test_a_changed_reason_is_seen(world: World) -> None:
    with owner_of_the_file() as connection:
        connection.execute(
            "UPDATE audit_record SET reason = 'another' WHERE number = 2 AND chain = ?", (world.trial_id,)
        )
    assert f"Record 2 of chain {world.trial_id} was changed." in sentences()


def test_values_that_vanished_without_a_redaction_are_seen(world: World) -> None:
    with owner_of_the_file() as connection:
        connection.execute("DELETE FROM audit_value WHERE new = 'University Hospital North'")
    assert any("are gone" in each for each in sentences())


def test_a_record_taken_out_of_the_middle_is_seen(world: World) -> None:
    with owner_of_the_file() as connection:
        connection.execute("DELETE FROM audit_record WHERE number = 3 AND chain = ?", (world.trial_id,))
    assert f"Record 3 of chain {world.trial_id} is missing." in sentences()


def test_a_chain_rewritten_with_correct_hashes_is_seen_by_the_heads(world: World) -> None:
    with owner_of_the_file() as connection:
        connection.execute(
            "UPDATE audit_record SET actor = 'x@y.example' WHERE number = 2 AND chain = ?", (world.trial_id,)
        )
        rechain(connection, world.trial_id, 2)
    found = sentences()
    assert found
    assert all("is not the one that was written" in each for each in found)


def test_a_cut_tail_is_seen_even_when_the_chain_row_agrees(world: World) -> None:
    with owner_of_the_file() as connection:
        cut = (
            connection.execute("SELECT max(number) FROM audit_record WHERE chain = ?", (world.trial_id,)).fetchone()[0]
            - 4
        )
        ids = [
            r[0]
            for r in connection.execute(
                "SELECT id FROM audit_record WHERE chain = ? AND number > ?", (world.trial_id, cut)
            )
        ]
        for key in ids:
            connection.execute("DELETE FROM audit_value WHERE record_id = ?", (key,))
            connection.execute("DELETE FROM audit_record WHERE id = ?", (key,))
        digest = connection.execute(
            "SELECT hash FROM audit_record WHERE chain = ? AND number = ?", (world.trial_id, cut)
        ).fetchone()[0]
        connection.execute("UPDATE audit_chain SET number = ?, hash = ? WHERE chain = ?", (cut, digest, world.trial_id))
    assert any("the end of the chain was cut off" in each for each in sentences())


def test_a_cut_tail_grown_over_by_new_records_is_still_seen(world: World) -> None:
    test_a_cut_tail_is_seen_even_when_the_chain_row_agrees(world)
    for number in range(6):
        with world.acting("trial-administrator") as uow:
            uow.note("test", "nothing", str(number))
    trail.catch_up_heads(services())
    assert any("is not the one that was written" in each for each in sentences())


def test_a_cut_tail_without_any_heads_newer_than_it_still_contradicts_the_chain_row(world: World) -> None:
    with owner_of_the_file() as connection:
        last = connection.execute("SELECT max(number) FROM audit_record WHERE chain = ?", (world.trial_id,)).fetchone()[
            0
        ]
        connection.execute("DELETE FROM audit_record WHERE chain = ? AND number = ?", (world.trial_id, last))
    lines = heads_path().read_text().splitlines(keepends=True)
    heads_path().write_text("".join(line for line in lines if json.loads(line)["chain"] != world.trial_id))
    assert any("cut off" in each for each in sentences())


def test_a_whole_chain_thrown_away_is_seen(world: World) -> None:
    with owner_of_the_file() as connection:
        for table in ("audit_record", "audit_chain"):
            connection.execute(f"DELETE FROM {table} WHERE chain = ?", (world.trial_id,))
    assert any("cut off" in each for each in sentences())


def test_a_forged_head_is_seen(world: World) -> None:
    forged = Head(world.trial_id, 10_000, "ab" * 32)
    with heads_path().open("a") as file:
        file.write(forged.line(b"not the key") + "\n")
    assert any("was not written by this installation" in each for each in sentences())


def test_a_line_of_the_heads_that_is_no_head_is_seen(world: World) -> None:
    with heads_path().open("a") as file:
        file.write("garbage\n")
    assert len(sentences()) == 1


def test_missing_heads_are_seen(world: World) -> None:
    heads_path().unlink()
    assert any("missing or empty" in each for each in sentences())


def test_emptied_heads_are_seen(world: World) -> None:
    heads_path().write_text("")
    assert any("missing or empty" in each for each in sentences())


def test_records_newer_than_the_newest_head_are_counted_and_not_blamed(world: World) -> None:
    """A kill between the commit and the keeping of its head is no tampering."""
    before = heads_path().read_bytes()
    world.subject()
    heads_path().write_bytes(before)
    result = trail.verify(services())
    assert result.whole
    assert next(each for each in result.chains if each.chain == world.trial_id).after_head > 0
    assert any("newer than the newest kept head" in each for each in result.sentences())


def test_lagging_heads_are_brought_up_to_date(world: World) -> None:
    before = heads_path().read_bytes()
    world.subject()
    heads_path().write_bytes(before)
    assert trail.catch_up_heads(services()) == 1
    result = trail.verify(services())
    assert result.whole
    assert all(each.after_head == 0 for each in result.chains)
    assert trail.catch_up_heads(services()) == 0


def test_heads_that_cannot_be_kept_do_not_undo_the_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_head: Head) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(world.app.extensions, "trialimg_keep_head", full)
    number = world.subject()
    assert db.session.scalar(select(Subject.number)) == number
    assert trail.verify(services()).whole


# ----- redaction


def a_record(world: World) -> AuditRecord:
    return db.session.scalars(
        select(AuditRecord).join(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(AuditRecord.chain == world.trial_id, AuditValue.new == "University Hospital North")
    ).one()  # fmt: skip


def test_a_redaction_erases_the_values_and_leaves_the_chain_whole(world: World) -> None:
    record = a_record(world)
    with world.acting("trial-administrator", "a name stood in it") as uow:
        trail.redact(uow, record.id)
    result = trail.verify(services())
    assert result.whole
    assert any(
        f"Record {record.number} of chain" in each and "was redacted by record" in each for each in result.sentences()
    )
    assert db.session.get(AuditValue, record.id) is None
    told = db.session.scalars(select(AuditRecord).where(AuditRecord.action == "redact")).one()
    assert (told.row_id, told.reason) == (record.id, "a name stood in it")


def test_a_redaction_of_a_record_in_another_chain_counts(world: World) -> None:
    record = a_record(world)
    with unit_of_work(Actor("operator"), "a name stood in it") as uow:
        trail.redact(uow, record.id)
    result = trail.verify(services())
    assert result.whole
    assert any("of chain system" in each for each in result.sentences())


def test_a_redaction_needs_a_reason_a_record_and_happens_once(world: World) -> None:
    record = a_record(world)
    with pytest.raises(BadInput, match="reason"), world.acting("trial-administrator", " ") as uow:
        trail.redact(uow, record.id)
    with pytest.raises(NotFound), world.acting("trial-administrator", "why") as uow:
        trail.redact(uow, "0" * 32)
    with world.acting("trial-administrator", "why") as uow:
        trail.redact(uow, record.id)
    with pytest.raises(Conflict, match="redacted before"), world.acting("trial-administrator", "why") as uow:
        trail.redact(uow, record.id)


def test_an_exception_after_a_redaction_leaves_the_values(world: World) -> None:
    record = a_record(world)

    def fails() -> None:
        with world.acting("trial-administrator", "why") as uow:
            trail.redact(uow, record.id)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert db.session.get(AuditValue, record.id) is not None


# ----- read by people


def test_the_page_shows_the_newest_first_with_the_words_people_know(world: World) -> None:
    number = world.subject()
    page = trail_page(world.person("data-manager"), world.trial, TrailFilter(subject=number, table="subject"))
    numbers = [line.number for line in page.lines]
    assert numbers == sorted(numbers, reverse=True)
    assert {line.about for line in page.lines if line.table == "subject"} == {number}
    assert all(line.about.startswith(number) for line in page.lines if line.about)


def test_the_page_of_one_subject_holds_nothing_of_another(world: World) -> None:
    one, two = world.subject(), world.subject()
    page = trail_page(world.person("data-manager"), world.trial, TrailFilter(subject=two))
    assert page.total
    assert not any(one in line.about for line in page.lines)


def test_the_page_holds_nothing_of_the_system_or_another_trial(world: World) -> None:
    page = trail_page(world.person("data-manager"), world.trial, TrailFilter(table="account_session"))
    assert page.total == 0
    other = replace(world.trial, trial_id="0" * 32)
    assert trail_page(world.person("administrator"), other, TrailFilter()).total == 0


def test_who_may_not_see_values_of_forms_sees_that_something_changed_and_not_what(world: World) -> None:
    world.subject(birth_year=1944)
    seen = trail_page(world.person("data-manager"), world.trial, TrailFilter(table="subject"))
    hidden = trail_page(world.person("trial-administrator"), world.trial, TrailFilter(table="subject"))
    assert "1944" in {line.new for line in seen.lines}
    assert {line.new for line in hidden.lines} == {None}
    assert all(line.hidden for line in hidden.lines)
    assert hidden.total == seen.total


def test_pages_do_not_overlap_and_hold_everything(world: World) -> None:
    for _ in range(3):
        world.subject()
    person = world.person("data-manager")
    first = trail_page(person, world.trial, TrailFilter())
    assert first.pages > 2
    numbers = [
        line.number
        for page in range(1, first.pages + 1)
        for line in trail_page(person, world.trial, TrailFilter(), page).lines
    ]
    assert len(numbers) == len(set(numbers)) == first.total
    beyond = trail_page(person, world.trial, TrailFilter(), first.pages + 9)
    assert beyond.page == first.pages


def test_technical_records_are_passed_over_unless_they_are_asked_for(world: World) -> None:
    number = world.subject()
    person = world.person("data-manager")
    plain = trail_page(person, world.trial, TrailFilter(subject=number, table="subject"))
    whole = trail_page(person, world.trial, TrailFilter(subject=number, table="subject", technical=True))
    assert {"number", "sex", "birth_year"} <= {line.column for line in plain.lines}
    assert {line.column for line in whole.lines} - {line.column for line in plain.lines} == {
        "id", "trial_id", "site_id", "definition_id",
    }  # fmt: skip
    every = trail_page(person, world.trial, TrailFilter(technical=True))
    assert every.total == len(
        db.session.scalars(select(AuditRecord.id).where(AuditRecord.chain == world.trial_id)).all()
    )


def test_a_filter_by_person_and_by_row(world: World) -> None:
    world.subject()
    person = world.person("data-manager")
    by = trail_page(person, world.trial, TrailFilter(actor="Coordinator-101@trial.example"))
    assert by.total
    assert {line.actor for line in by.lines} == {"coordinator-101@trial.example"}
    row = trail_page(person, world.trial, TrailFilter(row=world.site_ids["101"]))
    assert {line.row for line in row.lines} == {world.site_ids["101"]}
    assert db.session.get(Site, world.site_ids["101"]).code in {line.about for line in row.lines}


def test_the_heads_are_kept_under_the_audit_key(world: World) -> None:
    key = services().keyring.get(AUDIT)
    lines = heads_path().read_text().splitlines()
    assert lines
    for line in lines:
        kept = json.loads(line)
        assert Head(kept["chain"], kept["number"], kept["hash"]).mac(key) == kept["mac"]
