"""Runs migrations for the data base of the running application, as the role that owns its tables."""

from __future__ import annotations

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import create_engine, inspect, pool
from sqlalchemy.engine import make_url

from trialimg.casework.services import services
from trialimg.store import (  # noqa: F401 (maps all)
    account,
    audit,
    casebook,
    export,
    imaging,
    job,
    pixel_review,
    reading,
    subject,
    trial,
)
from trialimg.store.base import Base, UtcDateTime

config = context.config


def _ours(_object: Any, name: str | None, kind: str, _reflected: object, _compare: Any) -> bool:
    # procrastinate's tables come from its own schema, by a migration; they are no part of the models.
    return not (kind == "table" and name is not None and name.startswith("procrastinate"))


def _render(kind: str, item: Any, _autogen: Any) -> Any:
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def _run() -> None:
    settings = services().settings
    url = settings.migration_url or settings.effective_database_url
    engine = create_engine(make_url(url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_object=_ours,
            render_item=_render,
            render_as_batch=True,
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        if engine.dialect.name == "postgresql":
            application = make_url(settings.effective_database_url).username
            standing = inspect(connection).has_table("audit_record")
            if standing and application and application != engine.url.username:
                _grant(connection, application)
    engine.dispose()


def _grant(connection: Any, role: str) -> None:
    """Give the application's role what it needs: it may add to the trail, never change it."""
    quoted = '"' + role.replace('"', '""') + '"'
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quoted}",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {quoted}",
        f"REVOKE UPDATE, DELETE, TRUNCATE ON audit_record FROM {quoted}",
        f"REVOKE UPDATE, TRUNCATE ON audit_value FROM {quoted}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {quoted}",
    ):
        connection.exec_driver_sql(statement)
    connection.commit()


assert current_app, "migrations run inside the application"
_run()
