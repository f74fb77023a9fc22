"""The only way to write: one transaction, one actor, one reason, and an audit record for every change.

On each flush the changed columns are collected; just before commit they are numbered and chained under the chain's
lock; after commit the chain's head is appended to a file outside the data base.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from flask import current_app
from sqlalchemy import Table, TextClause, delete, event, insert, inspect, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapper, ORMExecuteState, Session

from trialimg.domain.audit import GENESIS, SYSTEM_CHAIN, Head, Record, commitment
from trialimg.errors import OurFault
from trialimg.store.audit import AuditChain, AuditRecord, AuditValue
from trialimg.store.base import Base, NoBulk, db, new_id, utc_now

log = logging.getLogger("trialimg.store")
REDACT: Final = "redact"
"""The action of a record that lets the values of another one go; the triggers know it by this word."""
_here = threading.local()


@dataclass(frozen=True)
class Actor:
    """Who acts: a person's account, or a part of the program."""

    name: str
    account_id: str | None = None


@dataclass(frozen=True)
class _Change:
    action: str
    table: str
    row: str
    column: str
    old: str | None
    new: str | None


@dataclass
class UnitOfWork:
    """What a verb of casework is given: the session, who acts, why, and when."""

    session: Session
    actor: Actor
    reason: str
    at: datetime
    chain: str
    _changes: list[_Change] = field(default_factory=list)
    _afterwards: list[Callable[[], None]] = field(default_factory=list)
    _redacted: list[str] = field(default_factory=list)

    def afterwards(self, act: Callable[[], None]) -> None:
        """Do something after a successful commit (wake a worker, remove bytes); never before."""
        self._afterwards.append(act)

    def note(self, action: str, table: str, row: str, new: str | None = None) -> None:
        """Record an act that changes no row, such as an export or a sign-in."""
        self._changes.append(_Change(action, table, row, "", None, new))

    def redact(self, record_id: str) -> None:
        """Let the values beside a record go, once the record that says so is written."""
        self.note(REDACT, "audit_record", record_id)
        self._redacted.append(record_id)


def as_text(value: object) -> str | None:
    """Give the text of a value as the trail keeps it; None is *no value*."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def _shown(entity: Base, column: str, value: object) -> str | None:
    # Secrets (password hashes) are recorded as changed, never as values.
    if column in getattr(entity, "SECRET_COLUMNS", ()) and value is not None:
        return "(secret)"
    return as_text(value)


def _row_key(entity: Base) -> str:
    identity = inspect(entity).mapper.primary_key_from_instance(entity)
    return "/".join(str(part) for part in identity)


def _inserted(entity: Base, columns: dict[str, object], table: str) -> Iterator[_Change]:
    if entity.AUDIT_AS_ROW:
        whole = {k: _shown(entity, k, v) for k, v in sorted(columns.items()) if v not in (None, "")}
        yield _Change("insert", table, _row_key(entity), "*", None, json.dumps(whole, sort_keys=True))
        return
    for name, value in columns.items():
        if value is not None and name not in entity.UNAUDITED_COLUMNS:
            yield _Change("insert", table, _row_key(entity), name, None, _shown(entity, name, value))


def _updated(entity: Base, names: list[str], table: str) -> Iterator[_Change]:
    state = inspect(entity)
    changed: dict[str, tuple[str | None, str | None]] = {}
    for name in names:
        history = state.attrs[name].history
        if name in entity.UNAUDITED_COLUMNS or not history.has_changes():
            continue
        old = history.deleted[0] if history.deleted else None
        new = history.added[0] if history.added else None
        if old != new or _shown(entity, name, new) == "(secret)":
            changed[name] = (_shown(entity, name, old), _shown(entity, name, new))
    if entity.AUDIT_AS_ROW and changed:
        olds = json.dumps({n: pair[0] for n, pair in changed.items()}, sort_keys=True)
        news = json.dumps({n: pair[1] for n, pair in changed.items()}, sort_keys=True)
        yield _Change("update", table, _row_key(entity), "*", olds, news)
        return
    for name, (shown_old, shown_new) in changed.items():
        yield _Change("update", table, _row_key(entity), name, shown_old, shown_new)


def _collect(session: Session, _context: object) -> None:
    uow: UnitOfWork | None = session.info.get("uow")
    entities = [*session.new, *session.dirty, *session.deleted]
    if uow is None:
        if entities:
            raise OurFault("A change was made outside a unit of work; nothing was written.")
        return
    for entity in entities:
        assert isinstance(entity, Base)
        if entity.NOT_AUDITED:
            continue
        mapper = inspect(entity).mapper
        table = str(mapper.local_table)
        names = [attribute.key for attribute in mapper.column_attrs]
        if entity in session.new:
            uow._changes.extend(_inserted(entity, {n: getattr(entity, n) for n in names}, table))
        elif entity in session.deleted:
            whole = json.dumps({n: _shown(entity, n, getattr(entity, n)) for n in names}, sort_keys=True)
            uow._changes.append(_Change("delete", table, _row_key(entity), "*", whole, None))
        else:
            uow._changes.extend(_updated(entity, names, table))


def _refuse_bulk(execution: ORMExecuteState) -> None:
    # Statements that change rows without loading them leave no trace by themselves.
    if execution.is_select or execution.execution_options.get("unaudited"):
        return
    statement = execution.statement
    reads = isinstance(statement, TextClause) and statement.text.lstrip().upper().startswith("SELECT")
    if not reads:
        raise OurFault("A bulk change would leave no audit record; nothing was written.")


def _remember_old_values() -> None:
    # Without this an attribute that is set before it was ever read has no old value to record.
    for mapper in Base.registry.mappers:
        for attribute in mapper.column_attrs:
            getattr(mapper.class_, attribute.key).impl.active_history = True


event.listen(Mapper, "after_configured", _remember_old_values)
event.listen(Session, "after_flush", _collect)
event.listen(Session, "do_orm_execute", _refuse_bulk)


def _lock_chain(session: Session, chain: str) -> tuple[int, str]:
    fresh = {"chain": chain, "number": 0, "hash": GENESIS}
    table = AuditChain.__table__
    assert isinstance(table, Table)
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.connection().execute(dialect.insert(table).values(fresh).on_conflict_do_nothing())
    locked = select(table.c.number, table.c.hash).where(table.c.chain == chain).with_for_update()
    number, digest = session.connection().execute(locked).one()
    return int(number), str(digest)


def _append(uow: UnitOfWork) -> Head | None:
    """Number, chain and write what was collected; the lock lasts until commit."""
    if not uow._changes:
        return None
    number, previous = _lock_chain(uow.session, uow.chain)
    at = utc_now()
    records, values = [], []
    for change in uow._changes:
        number += 1
        key, salt = new_id(), secrets.token_hex(16)
        old, new = commitment(salt, change.old), commitment(salt, change.new)
        record = Record(
            uow.chain, number, at.isoformat(timespec="microseconds"), uow.actor.name, change.action, change.table,
            change.row, change.column, old, new, uow.reason, previous,
        )  # fmt: skip
        previous = record.digest()
        records.append(_row(record, key, at, previous))
        values.append({"record_id": key, "salt": salt, "old": change.old, "new": change.new})
    connection = uow.session.connection()
    connection.execute(insert(AuditRecord.__table__), records)  # type: ignore[arg-type]  # it is a table
    connection.execute(insert(AuditValue.__table__), values)  # type: ignore[arg-type]  # it is a table
    chain = AuditChain.__table__
    assert isinstance(chain, Table)
    if uow._redacted:
        values_table = AuditValue.__table__
        assert isinstance(values_table, Table)
        connection.execute(delete(values_table).where(values_table.c.record_id.in_(uow._redacted)))
    connection.execute(update(chain).where(chain.c.chain == uow.chain).values(number=number, hash=previous))
    return Head(uow.chain, number, previous)


def _row(record: Record, key: str, at: datetime, digest: str) -> dict[str, Any]:
    return {
        "id": key, "chain": record.chain, "number": record.number, "at": at, "actor": record.actor,
        "action": record.action, "table_name": record.table, "row_id": record.row, "column_name": record.column,
        "old": record.old, "new": record.new, "reason": record.reason, "previous": record.previous, "hash": digest,
    }  # fmt: skip


class _WritingSession(NoBulk, Session):
    """The session of a unit of work."""


@contextmanager
def unit_of_work(actor: Actor, reason: str = "", *, trial_id: str | None = None) -> Iterator[UnitOfWork]:
    """Open the only writable session; commit at the end, or leave no trace of an exception.

    ``trial_id`` names the audit chain the changes belong to; None is the system's own. Must run in an application
    context.
    """
    if getattr(_here, "open", False):
        # Two at a time in one thread would wait for each other's locks for ever.
        raise OurFault("A unit of work was opened inside another one; nothing was written.")
    session = _WritingSession(db.engine, expire_on_commit=False)
    _here.open = True
    try:
        # SQLite: the write lock first, so that what is read here cannot be outdated when it is written.
        session.connection(execution_options={"trialimg_writes": True})
        uow = UnitOfWork(session, actor, reason, utc_now(), trial_id or SYSTEM_CHAIN)
        session.info["uow"] = uow
        yield uow
        session.flush()
        head = _append(uow)
        # Pages read on from what is true now. Before the commit, since SQLite empties its log only while nobody reads
        # in what was written before: with a reader at each commit the log would grow for ever.
        db.session.rollback()
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        _here.open = False
        session.close()
    if head is not None:
        _keep_head(head)
    for act in uow._afterwards:
        try:
            act()
        except Exception:
            log.exception("an act after a commit failed; the commit stands")


def _keep_head(head: Head) -> None:
    keep: Callable[[Head], None] | None = current_app.extensions.get("trialimg_keep_head")
    if keep is None:
        return
    try:
        keep(head)
    except OSError as exc:
        # The commit stands and audit verify counts what follows the newest head; the worker catches up.
        log.warning("the head of chain %s could not be kept outside the data base: %s", head.chain, type(exc).__name__)
