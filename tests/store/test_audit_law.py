"""The law of the audit trail: no connection changes it, not even one that knows nothing of this program."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select

from tests.store.conftest import as_owner, as_worker
from trialimg.casework import trail
from trialimg.casework.services import services
from trialimg.settings import Settings
from trialimg.store.audit import AuditRecord, AuditValue
from trialimg.store.base import db
from trialimg.store.trial import Trial
from trialimg.store.unit_of_work import Actor, unit_of_work

RECORD = "id, chain, number, at, actor, action, table_name, row_id, column_name, old, new, reason, previous, hash"
NEW = (
    "'{id}', '{chain}', {number}, '2026-01-01 00:00:00.000000', 'x', 'update', 't', 'r', 'c', '', '', '', '', '{hash}'"
)


def write_something() -> None:
    with unit_of_work(Actor("tester"), "something to protect") as uow:
        uow.session.add(Trial(code="T1", title="A title"))


def snapshot(connection: object) -> list[list[tuple[object, ...]]]:
    found = []
    for table, order in (("audit_record", "number"), ("audit_value", "record_id")):
        found.append([tuple(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()])
    return found


@pytest.fixture
def foreign(context: Flask) -> Iterator[sqlite3.Connection]:
    """Somebody's own connection to the file, with SQLite's defaults: recursive_triggers off."""
    write_something()
    with closing(sqlite3.connect(services().settings.data / "trialimg.sqlite", isolation_level=None)) as connection:
        assert connection.execute("PRAGMA recursive_triggers").fetchone() == (0,)
        yield connection


def first(connection: sqlite3.Connection) -> dict[str, object]:
    row = connection.execute(f"SELECT {RECORD} FROM audit_record ORDER BY number LIMIT 1").fetchone()
    return dict(zip(RECORD.split(", "), row, strict=True))


def new(**changed: object) -> str:
    values = {"id": "f" * 32, "chain": "system", "number": 99, "hash": "e" * 64, **changed}
    return f"INSERT OR REPLACE INTO audit_record ({RECORD}) VALUES ({NEW.format(**values)})"


def test_rows_of_the_trail_have_no_hidden_key(foreign: sqlite3.Connection) -> None:
    for table in ("audit_record", "audit_value"):
        with pytest.raises(sqlite3.OperationalError, match="rowid"):
            foreign.execute(f"SELECT rowid FROM {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_record SET reason = 'x'",
        "UPDATE audit_record SET number = number + 1000",
        "UPDATE OR REPLACE audit_record SET number = 1",
        "UPDATE OR REPLACE audit_record SET hash = (SELECT hash FROM audit_record ORDER BY number LIMIT 1)",
        "UPDATE OR IGNORE audit_record SET reason = 'x'",
        "DELETE FROM audit_record",
        "DELETE FROM audit_record WHERE number = 1",
        "UPDATE audit_value SET new = 'x'",
        "UPDATE OR REPLACE audit_value SET record_id = (SELECT record_id FROM audit_value LIMIT 1)",
        "DELETE FROM audit_value",
    ],
)
def test_no_foreign_connection_changes_or_deletes_the_trail(foreign: sqlite3.Connection, statement: str) -> None:
    before = snapshot(foreign)
    with pytest.raises(sqlite3.DatabaseError, match=r"insert-only|redaction record"):
        foreign.execute(statement)
    assert snapshot(foreign) == before


@pytest.mark.parametrize("key", ["id", "chain and number", "hash"])
@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE", "INSERT"])
def test_nothing_is_replaced_through_any_unique_key(foreign: sqlite3.Connection, key: str, verb: str) -> None:
    before, row = snapshot(foreign), first(foreign)
    statement = new(
        **({"chain": row["chain"], "number": row["number"]} if key == "chain and number" else {key: row[key]})
    ).replace("INSERT OR REPLACE", verb)
    with pytest.raises(sqlite3.DatabaseError, match="insert-only"):
        foreign.execute(statement)
    assert snapshot(foreign) == before


def test_an_upsert_changes_nothing(foreign: sqlite3.Connection) -> None:
    before, row = snapshot(foreign), first(foreign)
    upsert = new(id=row["id"]).replace("INSERT OR REPLACE", "INSERT") + " ON CONFLICT (id) DO UPDATE SET reason = 'x'"
    with pytest.raises(sqlite3.DatabaseError, match="insert-only"):
        foreign.execute(upsert)
    assert snapshot(foreign) == before


@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE", "INSERT"])
def test_values_are_not_replaced(foreign: sqlite3.Connection, verb: str) -> None:
    before = snapshot(foreign)
    with pytest.raises(sqlite3.DatabaseError, match="insert-only"):
        foreign.execute(f"{verb} INTO audit_value SELECT record_id, salt, 'x', 'y' FROM audit_value LIMIT 1")
    assert snapshot(foreign) == before


def test_every_unique_key_of_the_trail_is_known_to_this_test(foreign: sqlite3.Connection) -> None:
    """A further unique key would be a further way for INSERT OR REPLACE."""
    keys = set()
    for table in ("audit_record", "audit_value"):
        for _, name, unique, _, _ in foreign.execute(f"PRAGMA index_list({table})").fetchall():
            if unique:
                keys.add((table, tuple(column for _, _, column in foreign.execute(f"PRAGMA index_info({name})"))))
    assert keys == {
        ("audit_record", ("id",)), ("audit_record", ("chain", "number")), ("audit_record", ("hash",)),
        ("audit_value", ("record_id",)),
    }  # fmt: skip


def test_new_records_may_be_added(foreign: sqlite3.Connection) -> None:
    count = len(snapshot(foreign)[0])
    foreign.execute(new())
    assert len(snapshot(foreign)[0]) == count + 1


def test_values_go_only_when_a_redaction_names_them_and_never_come_back(foreign: sqlite3.Connection) -> None:
    one, two = db.session.scalars(select(AuditRecord.id).order_by(AuditRecord.number).limit(2)).all()
    db.session.rollback()
    with unit_of_work(Actor("tester"), "a name stood in it") as uow:
        trail.redact(uow, one)
    assert foreign.execute("SELECT count(*) FROM audit_value WHERE record_id = ?", (one,)).fetchone() == (0,)
    with pytest.raises(sqlite3.DatabaseError, match="redaction record"):
        foreign.execute("DELETE FROM audit_value WHERE record_id = ?", (two,))
    with pytest.raises(sqlite3.DatabaseError, match="insert-only"):
        foreign.execute("INSERT INTO audit_value VALUES (?, '00', NULL, 'planted')", (one,))
    assert trail.verify(services()).whole


def test_erased_values_leave_no_bytes_in_the_file(context: Flask) -> None:
    with unit_of_work(Actor("tester"), "a slip") as uow:
        uow.session.add(Trial(code="T1", title="Zacharias Quillfeather was here"))
    record = db.session.scalars(
        select(AuditRecord.id).join(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(AuditValue.new.contains("Quillfeather"))
    ).one()  # fmt: skip
    with unit_of_work(Actor("tester"), "corrected") as uow:
        uow.session.scalars(select(Trial)).one().title = "A title"
    old = db.session.scalars(select(AuditValue.record_id).where(AuditValue.old.contains("Quillfeather"))).one()
    for each in (record, old):
        with unit_of_work(Actor("tester"), "a name stood in it") as uow:
            trail.redact(uow, each)
    db.session.remove()
    db.engine.dispose()
    path = services().settings.data / "trialimg.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"Quillfeather" not in path.read_bytes()
    assert trail.verify(services()).whole


# ----- PostgreSQL


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_record SET reason = 'x'",
        "DELETE FROM audit_record",
        "TRUNCATE audit_record",
        "TRUNCATE audit_record, audit_value CASCADE",
        "UPDATE audit_value SET new = 'x'",
        "DELETE FROM audit_value",
        "TRUNCATE audit_value",
        (
            "INSERT INTO audit_value SELECT record_id, salt, 'x', 'y' FROM audit_value LIMIT 1 "
            "ON CONFLICT (record_id) DO UPDATE SET new = 'z'"
        ),
        "INSERT INTO audit_record SELECT * FROM audit_record LIMIT 1 ON CONFLICT (id) DO UPDATE SET reason = 'z'",
        "MERGE INTO audit_record r USING (SELECT 1 AS n) s ON r.number = s.n WHEN MATCHED THEN DELETE",
    ],
)
@pytest.mark.parametrize("who", ["owner", "worker"])
def test_on_postgresql_neither_role_changes_the_trail(
    on_postgresql: Flask, two_roles: Settings, statement: str, who: str
) -> None:
    write_something()
    with as_owner(two_roles) as reading:
        before = snapshot(reading)
        with (as_owner if who == "owner" else as_worker)(two_roles) as connection, pytest.raises(psycopg.Error):
            connection.execute(statement)
        assert snapshot(reading) == before


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE audit_record DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_record_law ON audit_record",
        "DROP TABLE audit_record CASCADE",
        "CREATE OR REPLACE FUNCTION audit_insert_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        "ALTER TABLE audit_record OWNER TO CURRENT_USER",
        "SET session_replication_role = replica",
        "UPDATE alembic_version SET version_num = 'x'",
    ],
)
def test_on_postgresql_the_working_role_cannot_lift_the_law(
    on_postgresql: Flask, two_roles: Settings, statement: str
) -> None:
    with as_worker(two_roles) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.postgresql
def test_on_postgresql_the_working_role_owns_nothing(on_postgresql: Flask, two_roles: Settings) -> None:
    with as_owner(two_roles) as connection:
        owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert owners == [("trialimg_owner",)]


@pytest.mark.postgresql
def test_on_postgresql_the_program_does_its_work_as_the_working_role(on_postgresql: Flask) -> None:
    write_something()
    record = db.session.scalars(select(AuditRecord.id).order_by(AuditRecord.number)).first()
    db.session.rollback()
    with unit_of_work(Actor("tester"), "a name stood in it") as uow:
        trail.redact(uow, record)
    result = trail.verify(services())
    assert result.whole
    assert sum(each.redacted for each in result.chains) == 1
