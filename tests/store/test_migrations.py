"""Migrations: up, down, equal to the models, and never over a trail that is not empty."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import create_engine, inspect

from tests.conftest import ROOT, make_keys, make_settings
from trialimg.app import create_app
from trialimg.casework.services import services
from trialimg.settings import Settings
from trialimg.store.base import Base, db
from trialimg.store.trial import Trial
from trialimg.store.unit_of_work import Actor, unit_of_work

VERSIONS = ROOT / "migrations" / "versions"


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    try:
        return {name for name in inspect(engine).get_table_names() if name != "alembic_version"}
    finally:
        engine.dispose()


def owner_url() -> str:
    settings = services().settings
    return settings.migration_url or settings.effective_database_url


def test_migrations_are_one_line_without_forks() -> None:
    script = ScriptDirectory(str(ROOT / "migrations"))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1
    numbers = [path.name[:4] for path in sorted(VERSIONS.glob("*.py"))]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("*.py")), ids=lambda path: path.stem)
def test_every_migration_goes_up_and_down_and_says_what_it_does(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.match(r'"""[^\n]{20,}\.\n', text)
    assert "def upgrade()" in text
    assert "def downgrade()" in text


def test_the_models_and_the_migrations_agree(either: Flask) -> None:
    def ours(_object: object, name: str | None, kind: str, _reflected: bool, _compare: object) -> bool:
        return not (kind == "table" and str(name).startswith("procrastinate"))

    engine = create_engine(owner_url())
    with engine.connect() as connection:
        options = {"compare_type": True, "include_object": ours}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    engine.dispose()
    assert differences == []


def test_down_and_up_again_gives_the_same(either: Flask) -> None:
    before = tables(owner_url())
    db.session.remove()
    flask_migrate.downgrade(revision="base")
    assert tables(owner_url()) == set()
    flask_migrate.upgrade()
    assert tables(owner_url()) == before
    with unit_of_work(Actor("tester"), "it works again") as uow:
        uow.session.add(Trial(code="T1", title="x"))


def test_one_step_down_and_up_lifts_and_restores_the_law(context: Flask) -> None:
    flask_migrate.downgrade(revision="0001")
    flask_migrate.upgrade()
    with db.engine.connect() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
    assert {f"audit_{what}_no_{law}" for what in ("record", "value") for law in ("update", "delete", "replace")} <= set(
        names
    )


@pytest.mark.parametrize("target", ["base", "0001", "-1"])
def test_a_downgrade_refuses_to_lift_or_drop_a_trail_that_is_not_empty(
    either: Flask, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    with unit_of_work(Actor("tester"), "something to protect") as uow:
        uow.session.add(Trial(code="T1", title="x"))
    before = tables(owner_url())
    db.session.remove()
    if target == "-1":
        # The newest step may go if it does not touch the trail; what is below it may not.
        flask_migrate.downgrade(revision="0002")
    with pytest.raises(SystemExit):  # what flask-migrate makes of the refusal
        flask_migrate.downgrade(revision="0001" if target == "-1" else target)
    assert "The audit trail is not empty" in caplog.text
    # What newer migrations brought, and nobody has used yet, may have gone on the way down.
    assert {each for each in before if not each.startswith(("procrastinate", "export", "read"))} <= tables(owner_url())
    with db.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit_record").scalar()


def test_migrating_twice_changes_nothing(either: Flask) -> None:
    before = tables(owner_url())
    flask_migrate.upgrade()
    assert tables(owner_url()) == before


@pytest.mark.postgresql
def test_on_postgresql_the_engine_of_jobs_has_its_tables_too(on_postgresql: Flask) -> None:
    assert "procrastinate_jobs" in tables(owner_url())


@pytest.mark.postgresql
def test_on_postgresql_everything_goes_when_nothing_is_recorded(on_postgresql: Flask, two_roles: Settings) -> None:
    flask_migrate.downgrade(revision="base")
    engine = create_engine(two_roles.migration_url)
    with engine.connect() as connection:
        left = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public'"
        ).scalar()
    engine.dispose()
    assert left == 0


def test_an_installation_that_was_never_migrated_says_so_in_a_sentence(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "data")
    make_keys(settings)
    app = create_app(settings)
    answer = app.test_client().get("/account", headers={"Accept": "text/html"})
    assert answer.status_code in {302, 503}
    assert b"Traceback" not in answer.data


def test_migrations_run_without_the_working_folder_mattering(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import flask_migrate; from trialimg.app import create_app;"
        "from tests.conftest import make_keys, make_settings;"
        f"s = make_settings(Path({str(tmp_path / 'data')!r})); make_keys(s); a = create_app(s);"
        "a.app_context().push(); flask_migrate.upgrade()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "audit_record" in tables(f"sqlite:///{tmp_path / 'data' / 'trialimg.sqlite'}")
