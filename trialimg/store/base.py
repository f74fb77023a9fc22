"""The data base: one session, one kind of key, one kind of time, and what SQLite needs to be trusted."""

from __future__ import annotations

import uuid
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import DateTime, Dialect, Engine, MetaData, String, TypeDecorator, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from trialimg.errors import OurFault

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every mapped class.

    ``AUDIT_AS_ROW`` is the reason why a class is audited by one record for all columns of a write rather than
    one for each column; ``NOT_AUDITED`` the reason why a class, and ``UNAUDITED_COLUMNS`` why single columns, leave
    no audit record at all.
    """

    metadata = MetaData(naming_convention=NAMES)
    AUDIT_AS_ROW: ClassVar[str] = ""
    NOT_AUDITED: ClassVar[str] = ""
    UNAUDITED_COLUMNS: ClassVar[dict[str, str]] = {}


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; naive values are refused on the way in, and none comes out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC; SQLite has no zone, so it is left out there."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give an aware moment in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def new_id() -> str:
    """Make a key known before the row is written, so that its audit records can name it."""
    return uuid.uuid4().hex


def utc_now() -> datetime:
    """Give this moment in UTC."""
    return datetime.now(UTC)


class Keyed:
    """A row with a key of ours."""

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)


class NoBulk:
    """Refuses the session's bulk methods: they write past the flush, and so past the audit trail."""

    def _refused(self, *_args: object, **_more: object) -> NoReturn:
        raise OurFault("A bulk change would leave no audit record; nothing was written.")

    bulk_save_objects = bulk_insert_mappings = bulk_update_mappings = _refused


class ReadingSession(NoBulk, FlaskSession):
    """The session pages read through."""


db = SQLAlchemy(
    model_class=Base, session_options={"autoflush": False, "expire_on_commit": False, "class_": ReadingSession}
)
"""The extension. Its session never flushes by itself: only the unit of work writes."""


LOG_LIMIT: Final = 8 * 2**20
"""Bytes to which SQLite cuts its log of changes back after a large transaction; it is twice what it fills as a rule."""


_WAITS: Final = "PRAGMA busy_timeout=15000"


def cut_log() -> None:
    """Empty SQLite's log of changes where readers of many threads, one always there, kept it from being emptied.

    It waits a second at most for those who read in it, and writers with it; what it does not get done is left to the
    next time. Elsewhere it does nothing.
    """
    if db.engine.dialect.name != "sqlite":
        return
    log = Path(f"{db.engine.url.database}-wal")
    if not log.exists() or log.stat().st_size <= LOG_LIMIT:
        return
    with closing(db.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA busy_timeout=1000")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            cursor.execute(_WAITS)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions by itself; see _begin.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",
        "secure_delete=ON",
        f"journal_size_limit={LOG_LIMIT}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute(_WAITS)
    cursor.close()


def _begin(connection: Any) -> None:
    # A deferred transaction that turns from reading to writing fails at once (SQLITE_BUSY_SNAPSHOT);
    # the unit of work therefore asks for the write lock first.
    writing = connection.get_execution_options().get("trialimg_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def prepare_engine(engine: Engine) -> None:
    """Make an engine fit for the record; call it once after it was made."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
