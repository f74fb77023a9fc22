"""The only way to write: every change leaves its record, and an exception leaves nothing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import delete, insert, inspect, select, text, update
from sqlalchemy.orm import Session

from tests.world import World
from trialimg.domain.audit import commitment
from trialimg.errors import OurFault
from trialimg.store import imaging
from trialimg.store.account import Account, AccountStore
from trialimg.store.audit import AuditChain, AuditRecord, AuditValue
from trialimg.store.base import Base, db, new_id, utc_now
from trialimg.store.imaging import SubmissionObject
from trialimg.store.trial import Site, Trial
from trialimg.store.unit_of_work import Actor, as_text, unit_of_work

WHO = Actor("tester@trial.example")


def mapped() -> list[type[Base]]:
    return [mapper.class_ for mapper in Base.registry.mappers]


def add_trial(code: str = "T1") -> str:
    with unit_of_work(WHO, "a test") as uow:
        row = Trial(code=code, title="A title")
        uow.session.add(row)
    return row.id


def records(row: str) -> list[tuple[str, str, str | None, str | None]]:
    rows = db.session.execute(
        select(AuditRecord.action, AuditRecord.column_name, AuditValue.old, AuditValue.new)
        .join(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(AuditRecord.row_id == row)
        .order_by(AuditRecord.chain, AuditRecord.number)
    )
    return [tuple(each) for each in rows]


# ----- every mapped class


@pytest.mark.parametrize("cls", sorted(mapped(), key=lambda cls: cls.__name__), ids=lambda cls: cls.__name__)
def test_every_mapped_class_is_audited_or_says_why_not(cls: type[Base]) -> None:
    columns = {attribute.key for attribute in inspect(cls).column_attrs}
    if cls.NOT_AUDITED:
        assert len(cls.NOT_AUDITED) > 10
    for column, why in cls.UNAUDITED_COLUMNS.items():
        assert column in columns
        assert len(why) > 20
    assert set(getattr(cls, "SECRET_COLUMNS", ())) <= columns


def test_only_the_trail_itself_is_not_audited() -> None:
    assert {cls for cls in mapped() if cls.NOT_AUDITED} == {AuditRecord, AuditValue, AuditChain}


def test_every_table_of_the_models_is_a_mapped_class() -> None:
    assert {str(inspect(cls).local_table) for cls in mapped()} == set(Base.metadata.tables)
    assert {cls.__module__.rsplit(".", 1)[0] for cls in mapped()} == {"trialimg.store"}


# ----- what is recorded


def test_an_insert_is_recorded_column_by_column(context: Flask) -> None:
    key = add_trial()
    found = {column: (action, old, new) for action, column, old, new in records(key)}
    assert found["code"] == ("insert", None, "T1")
    assert found["title"] == ("insert", None, "A title")
    assert "definition_id" not in found


def test_a_change_is_recorded_with_old_new_who_when_and_why(context: Flask) -> None:
    key = add_trial()
    before = utc_now()
    with unit_of_work(WHO, "a better title") as uow:
        uow.session.get(Trial, key).title = "Another title"
    assert records(key)[-1] == ("update", "title", "A title", "Another title")
    row = db.session.scalars(select(AuditRecord).order_by(AuditRecord.number.desc())).first()
    assert (row.actor, row.reason, row.chain) == (WHO.name, "a better title", "system")
    assert before <= row.at <= utc_now()


def test_the_old_value_is_recorded_even_of_a_row_that_was_not_read_before(context: Flask) -> None:
    key = add_trial()
    with unit_of_work(WHO) as uow:
        row = uow.session.get(Trial, key)
        uow.session.expire(row)
        row.title = "Set blindly"
    assert records(key)[-1] == ("update", "title", "A title", "Set blindly")


def test_a_value_set_to_what_it_was_leaves_no_record(context: Flask) -> None:
    key = add_trial()
    count = len(records(key))
    with unit_of_work(WHO) as uow:
        row = uow.session.get(Trial, key)
        row.title = "x"
        row.title = "A title"
    assert len(records(key)) == count


def test_two_changes_with_a_flush_between_are_two_records(context: Flask) -> None:
    key = add_trial()
    with unit_of_work(WHO) as uow:
        row = uow.session.get(Trial, key)
        row.title = "one"
        uow.session.flush()
        row.title = "two"
    assert [each[2:] for each in records(key)[-2:]] == [("A title", "one"), ("one", "two")]


def test_a_deletion_is_recorded_with_everything_that_went(context: Flask) -> None:
    key = add_trial()
    with unit_of_work(WHO, "a mistake") as uow:
        uow.session.delete(uow.session.get(Trial, key))
    action, column, old, new = records(key)[-1]
    assert (action, column, new) == ("delete", "*", None)
    assert '"title": "A title"' in old


def test_a_class_of_machine_made_facts_leaves_one_record_a_write(world: World) -> None:
    assert SubmissionObject.AUDIT_AS_ROW
    world.subject()
    slot = db.session.scalars(select(imaging.Slot)).first()
    with world.acting("coordinator-101") as uow:
        sent = imaging.Submission(
            trial_id=world.trial_id, site_id=world.site_ids["101"], subject_id=slot.visit.subject_id, slot_id=slot.id,
            stage="receiving", source="browser", created_at=uow.at, created_by="x", stage_since=uow.at,
        )  # fmt: skip
        uow.session.add(sent)
        uow.session.flush()
        thing = SubmissionObject(
            submission_id=sent.id, ordinal=1, received_sha256="a" * 64, received_size=5, fate="received"
        )
        uow.session.add(thing)
    with world.acting("coordinator-101") as uow:
        row = uow.session.get(SubmissionObject, thing.id)
        row.fate, row.sentence = "refused", "It is no DICOM file."
    found = records(thing.id)
    assert [each[:2] for each in found] == [("insert", "*"), ("update", "*")]
    assert found[1][3] == '{"fate": "refused", "sentence": "It is no DICOM file."}'


def test_secrets_are_recorded_as_changed_and_never_as_values(context: Flask) -> None:
    with unit_of_work(WHO) as uow:
        person = Account(email="a@b.example", name="A", password="$argon2id$one", fs_uniquifier="unique-one")
        uow.session.add(person)
    with unit_of_work(WHO) as uow:
        uow.session.get(Account, person.id).password = "$argon2id$two"
    assert records(person.id)[-1] == ("update", "password", "(secret)", "(secret)")
    everything = db.session.execute(select(AuditValue.old, AuditValue.new)).all()
    assert not any("argon2id" in str(value) or "unique-one" in str(value) for value in everything)


def test_a_note_records_an_act_that_changes_no_row(context: Flask) -> None:
    with unit_of_work(WHO, "looked at it") as uow:
        uow.note("open", "imaging_study", "key")
    assert records("key") == [("open", "", None, None)]


def test_the_record_holds_commitments_and_only_beside_it_lie_values(context: Flask) -> None:
    key = add_trial()
    record, value = db.session.execute(
        select(AuditRecord, AuditValue)
        .join(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(AuditRecord.row_id == key, AuditRecord.column_name == "title")
    ).one()
    assert record.new == commitment(value.salt, "A title")
    assert record.old == ""
    salts = db.session.scalars(select(AuditValue.salt)).all()
    assert len(set(salts)) == len(salts)


def test_a_trial_has_a_chain_of_its_own(context: Flask) -> None:
    key = add_trial()
    with unit_of_work(WHO, trial_id=key) as uow:
        uow.session.add(Site(trial_id=key, code="1", name="One"))
    numbers = db.session.scalars(
        select(AuditRecord.number).where(AuditRecord.chain == key).order_by(AuditRecord.number)
    )
    assert list(numbers) == list(range(1, db.session.get(AuditChain, key).number + 1))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None), ("", ""), (True, "true"), (False, "false"), (7, "7"),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00.000000+00:00"),
    ],
)  # fmt: skip
def test_values_are_kept_in_one_spelling(value: object, kept: str | None) -> None:
    assert as_text(value) == kept


# ----- what is refused


def test_an_exception_leaves_no_trace(either: Flask) -> None:
    def fails() -> None:
        with unit_of_work(WHO) as uow:
            uow.session.add(Trial(code="T2", title="x"))
            uow.session.flush()
            uow.note("open", "nothing", "key")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert db.session.scalars(select(Trial)).all() == []
    assert db.session.scalars(select(AuditRecord)).all() == []
    assert db.session.scalars(select(AuditChain.number)).all() in ([], [0])


def test_what_was_planned_for_after_the_commit_is_done_after_it_and_never_without_it(context: Flask) -> None:
    done: list[str] = []

    def fails() -> None:
        with unit_of_work(WHO) as uow:
            uow.afterwards(lambda: done.append("never"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    with unit_of_work(WHO) as uow:
        uow.session.add(Trial(code="T3", title="x"))
        uow.afterwards(lambda: done.append(str(db.session.scalar(select(Trial.code)))))
        assert done == []
    assert done == ["T3"]


def test_an_act_after_the_commit_that_fails_does_not_undo_it(context: Flask) -> None:
    def broken() -> None:
        raise ValueError

    with unit_of_work(WHO) as uow:
        uow.session.add(Trial(code="T4", title="x"))
        uow.afterwards(broken)
    assert db.session.scalar(select(Trial.code)) == "T4"


def test_a_change_outside_a_unit_of_work_is_refused(context: Flask) -> None:
    db.session.add(Trial(code="T5", title="x"))
    with pytest.raises(OurFault, match="outside a unit of work"):
        db.session.flush()
    db.session.rollback()
    assert db.session.scalars(select(Trial)).all() == []


def test_a_session_of_ones_own_does_not_get_round_it(context: Flask) -> None:
    key = add_trial()
    with Session(db.engine) as session:
        session.get(Trial, key).title = "sneaky"
        with pytest.raises(OurFault, match="outside a unit of work"):
            session.commit()
    assert db.session.get(Trial, key).title == "A title"


@pytest.mark.parametrize(
    "statement",
    [
        update(Trial).values(title="x"),
        delete(Trial),
        insert(Trial).values(id="0" * 32, code="T9", title="x", key_version=1),
        update(Trial.__table__).values(title="x"),
        text("UPDATE trial SET title = 'x'"),
        text("DELETE FROM trial"),
    ],
    ids=["update", "delete", "insert", "core update", "text update", "text delete"],
)
@pytest.mark.parametrize("inside", [True, False])
def test_a_bulk_change_is_refused_because_it_would_leave_no_record(
    context: Flask, statement: object, inside: bool
) -> None:
    key = add_trial()

    def changes() -> None:
        if inside:
            with unit_of_work(WHO) as uow:
                uow.session.execute(statement)
        else:
            db.session.execute(statement)

    with pytest.raises(OurFault, match="no audit record"):
        changes()
    db.session.rollback()
    assert [(t.id, t.title) for t in db.session.scalars(select(Trial))] == [(key, "A title")]


@pytest.mark.parametrize("inside", [True, False])
def test_the_bulk_methods_of_a_session_are_refused(context: Flask, inside: bool) -> None:
    fresh = {"id": new_id(), "code": "T6", "title": "x", "key_version": 1}

    def attempts(session: Session) -> None:
        for attempt in (
            lambda: session.bulk_save_objects([Trial(**fresh)]),
            lambda: session.bulk_insert_mappings(Trial, [fresh]),
            lambda: session.bulk_update_mappings(Trial, [fresh]),
        ):
            with pytest.raises(OurFault, match="no audit record"):
                attempt()

    if inside:
        with unit_of_work(WHO) as uow:
            attempts(uow.session)
    else:
        attempts(db.session())
    assert db.session.scalars(select(Trial)).all() == []


def test_a_unit_of_work_inside_another_is_refused_and_both_leave_nothing(either: Flask) -> None:
    def nests() -> None:
        with unit_of_work(WHO) as uow:
            uow.session.add(Trial(code="T7", title="x"))
            with unit_of_work(WHO) as inner:
                inner.session.add(Trial(code="T8", title="x"))

    with pytest.raises(OurFault, match="inside another"):
        nests()
    assert db.session.scalars(select(Trial)).all() == []
    add_trial("T9")
    assert db.session.scalar(select(Trial.code)) == "T9"


def test_the_accounts_library_writes_through_the_unit_of_work_too(context: Flask) -> None:
    library = AccountStore()
    library.put(Account(email="lib@trial.example", name="Lib", password="$argon2id$x", fs_uniquifier=new_id()))
    library.commit()
    person = db.session.scalars(select(Account)).one()
    person.name = "Librarian"
    library.put(person)
    library.commit()
    assert ("update", "name", "Lib", "Librarian") in records(person.id)


# ----- many at a time


def test_writers_at_the_same_time_do_not_fork_the_chain(either: Flask) -> None:
    faults: list[Exception] = []

    def write(worker: int) -> None:
        try:
            with either.app_context():
                for number in range(8):
                    with unit_of_work(Actor(f"worker {worker}")) as uow:
                        uow.session.add(Trial(code=f"W{worker}-{number}", title="x"))
                        uow.note("open", "nothing", f"{worker}-{number}")
                db.session.remove()
        except Exception as exc:  # noqa: BLE001 (told by the main thread)
            faults.append(exc)

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert faults == []
    rows = db.session.execute(
        select(AuditRecord.number, AuditRecord.previous, AuditRecord.hash).order_by(AuditRecord.number)
    ).all()
    assert [number for number, _, _ in rows] == list(range(1, len(rows) + 1))
    assert [previous for _, previous, _ in rows[1:]] == [digest for _, _, digest in rows[:-1]]
    assert len(db.session.scalars(select(Trial)).all()) == 32
    kept = either.extensions["trialimg"].settings.audit_heads_file.read_text().splitlines()
    assert len(kept) == 32


def test_the_head_is_kept_after_the_commit_and_not_before(either: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    def keep(head: object) -> None:
        with db.engine.connect() as connection:
            there = connection.exec_driver_sql("SELECT count(*) FROM audit_record").scalar()
        seen.append((head.number, there))

    monkeypatch.setitem(either.extensions, "trialimg_keep_head", keep)
    add_trial()
    assert seen
    assert all(number == there for number, there in seen)
