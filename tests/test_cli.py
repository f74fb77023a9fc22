"""The command line as a process of its own: exit codes, what goes to standard output, and what is never printed."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.conftest import ROOT, environment, run
from tests.world import DEMO, email_of
from trialimg.errors import EXIT_CODE, all_errors


@pytest.fixture
def peopled_data(peopled: Path, tmp_path: Path) -> Path:
    shutil.copytree(peopled, tmp_path / "data")
    return tmp_path / "data"


def test_every_error_has_one_of_the_agreed_exit_codes() -> None:
    assert set(EXIT_CODE) == set(all_errors())
    assert set(EXIT_CODE.values()) == {64, 65, 70, 75, 77}


@pytest.mark.slow
def test_init_makes_an_installation_and_prints_the_one_time_link_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = run(data, "init", "--email", "first@trial.example")
    assert done.returncode == 0, done.stderr
    (link,) = done.stdout.splitlines()
    assert link.startswith("http://127.0.0.1:5000/link/")
    assert data.stat().st_mode & 0o777 == 0o700
    keys = sorted((data / "keys").iterdir())
    assert [key.name for key in keys] == ["audit.key", "session.key"]
    assert all(key.stat().st_mode & 0o777 == 0o600 for key in keys)
    kept = [key.read_bytes() for key in keys]
    again = run(data, "init")
    assert again.returncode == 0
    assert again.stdout == ""
    assert [key.read_bytes() for key in keys] == kept
    loaded = run(data, "trial", "load", DEMO)
    assert loaded.returncode == 0, loaded.stderr
    assert "DEMO" in loaded.stderr
    assert run(data, "audit", "verify").returncode == 0


@pytest.mark.parametrize("command", [["audit", "verify"], ["trial", "load", str(DEMO)], ["serve"], ["worker"]])
def test_without_an_installation_a_sentence_says_what_to_do(tmp_path: Path, command: list[str]) -> None:
    done = run(tmp_path / "none", *command)
    assert done.returncode == 64
    assert "init" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_tell_value_source_and_meaning_and_hide_secrets(tmp_path: Path) -> None:
    done = run(
        tmp_path, "settings", TRIALIMG_PORT="5077", TRIALIMG_ARCHIVE_PASSWORD="wisteria",
        TRIALIMG_DATABASE_URL="postgresql://trialimg:magnolia@db.example/trialimg",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "port = 5077   [TRIALIMG_PORT]" in done.stdout
    assert "postgresql+psycopg://***@db.example/trialimg" in done.stdout
    assert "wisteria" not in done.stdout + done.stderr
    assert "magnolia" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("TRIALIMG_PORT", "many", "whole number"),
        ("TRIALIMG_PORT", "70000", "at most 65535"),
        ("TRIALIMG_DATABASE_URL", "mysql://u:magnolia@h/x", "must start with"),
        ("TRIALIMG_ARCHIVE_URL", "gopher://h", "archive_url"),
        ("TRIALIMG_ARCHIV_URL", "http://h", "no setting"),
        ("TRIALIMG_SETTINGS", "/nowhere/at/all.toml", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_a_sentence_at_start(tmp_path: Path, name: str, value: str, told: str) -> None:
    done = run(tmp_path, "settings", **{name: value})
    assert done.returncode == 64
    assert told in done.stderr
    assert "magnolia" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_settings_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "trialimg.toml").write_text('port = 5099\narchive_user = "reader"\n')
    done = run(tmp_path, "settings")
    assert f"port = 5099   [{tmp_path / 'trialimg.toml'}]" in done.stdout


def test_a_token_stands_alone_on_the_last_line_and_is_kept_as_a_hash(peopled_data: Path) -> None:
    user = email_of("coordinator-101")
    done = run(peopled_data, "token", "create", "--user", user)
    assert done.returncode == 0, done.stderr
    token = done.stdout.splitlines()[-1]
    assert token.startswith("trialimg_")
    assert " " not in token
    everything = b"".join(path.read_bytes() for path in peopled_data.rglob("*") if path.is_file())
    assert token.encode() not in everything
    listed = run(peopled_data, "token", "list", "--user", user).stdout
    assert "good" in listed
    revoked = run(peopled_data, "token", "revoke", "--user", user, listed.split()[0])
    assert revoked.returncode == 0, revoked.stderr
    assert "revoked" in run(peopled_data, "token", "list", "--user", user).stdout


def test_a_token_for_nobody_is_refused(peopled_data: Path) -> None:
    done = run(peopled_data, "token", "create", "--user", "nobody@elsewhere.example")
    assert done.returncode == 65
    assert done.stdout == ""


def test_a_whole_trail_is_verified_and_a_changed_one_names_the_record(peopled_data: Path) -> None:
    done = run(peopled_data, "audit", "verify")
    assert done.returncode == 0, done.stderr
    assert "whole" in done.stdout
    with sqlite3.connect(peopled_data / "trialimg.sqlite") as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (trigger,) in triggers:
            connection.execute(f'DROP TRIGGER "{trigger}"')
        chain, number = connection.execute(
            "SELECT chain, number FROM audit_record ORDER BY chain, number LIMIT 1 OFFSET 3"
        ).fetchone()
        connection.execute(
            "UPDATE audit_record SET actor = 'somebody else' WHERE chain = ? AND number = ?", (chain, number)
        )
    connection.close()
    done = run(peopled_data, "audit", "verify")
    assert done.returncode == 65
    assert any(f"ecord {number}" in line and chain in line for line in done.stdout.splitlines()), done.stdout


def test_the_demo_definition_passes_and_a_broken_one_names_the_file(tmp_path: Path) -> None:
    assert run(tmp_path, "forms", "check", DEMO).returncode == 0
    shutil.copytree(DEMO, tmp_path / "broken")
    schedule = tmp_path / "broken" / "schedule.yaml"
    schedule.write_text(schedule.read_text().replace("vital_signs", "vital_sings").replace("VS", "SV"))
    done = run(tmp_path, "forms", "check", tmp_path / "broken")
    assert done.returncode == 65
    assert "schedule.yaml" in done.stdout


@pytest.mark.parametrize("arguments", [["no-such-command"], ["serve", "--port", "x"], ["token", "create"], ["forms"]])
def test_wrong_usage_is_64(tmp_path: Path, arguments: list[str]) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 64
    assert done.stderr


def test_help_and_version_are_no_errors(tmp_path: Path) -> None:
    assert run(tmp_path, "--help").returncode == 0
    assert run(tmp_path, "--version").stdout.startswith("trialimg")


def test_deidentify_starts_without_the_web_application() -> None:
    code = (
        "import sys, trialimg.cli, trialimg.client.clean, trialimg.client.offline, trialimg.client.sender\n"
        "print(sorted({'flask', 'sqlalchemy', 'wtforms', 'numpy', 'pynetdicom', 'weasyprint'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() in ("[]", "['numpy']")  # pydicom loads numpy where it is installed
