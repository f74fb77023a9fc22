"""Settings: typed, from one place each, printed with their source; a wrong one is a sentence at start."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from trialimg.errors import Misconfigured
from trialimg.settings import PREFIX, Settings, describe, read_settings


def lines(**environ: str) -> dict[str, tuple[str, str]]:
    settings, sources = read_settings(environ)
    return {line.name: (line.value, line.source) for line in describe(settings, sources)}


def test_without_anything_set_the_embedded_defaults_hold() -> None:
    settings, sources = read_settings({})
    assert settings == Settings()
    assert set(sources.values()) == {"default"}
    assert settings.effective_database_url.startswith("sqlite:////")
    assert not settings.on_postgresql
    assert settings.address == "http://127.0.0.1:5000"


def test_every_setting_is_explained_and_printed_with_its_source() -> None:
    fields = [field.name for field in dataclasses.fields(Settings)]
    settings, sources = read_settings({"TRIALIMG_PORT": "8000"}, host="0.0.0.0")
    printed = describe(settings, sources)
    assert [line.name for line in printed] == fields
    assert all(line.meaning.endswith(".") and len(line.meaning) > 12 for line in printed)
    found = {line.name: line.source for line in printed}
    assert (found["port"], found["host"], found["keys"]) == ("TRIALIMG_PORT", "command line", "default")


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "trialimg.toml").write_text('port = 1\nhost = "a"\nzip_ratio = 9\n')
    environ = {"TRIALIMG_DATA": str(tmp_path), "TRIALIMG_PORT": "2", "TRIALIMG_HOST": "b"}
    settings, sources = read_settings(environ, port=3)
    assert (settings.port, settings.host, settings.zip_ratio) == (3, "b", 9)
    assert (sources["port"], sources["host"], sources["zip_ratio"]) == (
        "command line", "TRIALIMG_HOST", str(tmp_path / "trialimg.toml"),
    )  # fmt: skip


def test_a_file_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("worker = false\n")
    settings, _ = read_settings({"TRIALIMG_SETTINGS": str(path)})
    assert settings.worker is False


@pytest.mark.parametrize("word", ["1", "true", "Yes", " on "])
def test_yes_is_understood_in_the_words_people_use(word: str) -> None:
    assert read_settings({"TRIALIMG_SECURE_COOKIES": word})[0].secure_cookies is True


@pytest.mark.parametrize("word", ["0", "false", "No", "off", ""])
def test_no_is_understood_in_the_words_people_use(word: str) -> None:
    assert read_settings({"TRIALIMG_WORKER": word})[0].worker is False


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "many", "whole number"), ("PORT", "-1", "at least 0"), ("PORT", "70000", "at most 65535"),
        ("PORT", "5.5", "whole number"), ("SESSION_HOURS", "0", "at least 1"), ("WORKER", "perhaps", "yes or no"),
        ("DATABASE_URL", "mysql://x/y", "postgresql"), ("DATABASE_URL", "/a/path", "postgresql"),
        ("ARCHIVE_URL", "ftp://x", "archive_url"), ("ARCHIVE_URL", "http://host:99999/x", "archive_url"),
        ("ARCHIVE_URL", "http://[::1", "archive_url"), ("LOG_LEVEL", "chatty", "DEBUG"),
        ("DATABASE_URL", "postgresql://u:geheim-7@host:port/x", "database_url"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_a_sentence_that_names_it_and_not_its_value(name: str, value: str, sentence: str) -> None:
    with pytest.raises(Misconfigured, match=sentence) as caught:
        read_settings({PREFIX + name: value})
    assert name.lower() in caught.value.sentence
    assert "geheim" not in caught.value.sentence
    assert caught.value.__cause__ is None


def test_a_setting_nobody_knows_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="TRIALIMG_PROT"):
        read_settings({"TRIALIMG_PROT": "5000"})
    (tmp_path / "trialimg.toml").write_text("prot = 1\n")
    with pytest.raises(Misconfigured, match="prot"):
        read_settings({"TRIALIMG_DATA": str(tmp_path)})


@pytest.mark.parametrize("text", ["port = ", "\x00", "= 1"])
def test_a_file_that_is_no_toml_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "trialimg.toml").write_text(text)
    with pytest.raises(Misconfigured, match=r"trialimg\.toml"):
        read_settings({"TRIALIMG_DATA": str(tmp_path)})


def test_a_named_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read"):
        read_settings({"TRIALIMG_SETTINGS": str(tmp_path / "nowhere.toml")})


@pytest.mark.parametrize("url", ["postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d"])
def test_the_spellings_of_postgresql_that_people_know_are_taken(url: str) -> None:
    settings, _ = read_settings({"TRIALIMG_DATABASE_URL": url, "TRIALIMG_MIGRATION_URL": url})
    assert settings.on_postgresql
    assert settings.database_url == settings.migration_url == "postgresql+psycopg://u@h/d"


def test_secrets_are_never_printed() -> None:
    printed = lines(
        TRIALIMG_DATABASE_URL="postgresql://app:geheim-1@db.example:5433/trial?password=geheim-2",
        TRIALIMG_MIGRATION_URL="postgresql://owner:geheim-3@db.example/trial",
        TRIALIMG_ARCHIVE_URL="https://user:geheim-4@pacs.example/dicom-web?token=geheim-5",
        TRIALIMG_ARCHIVE_PASSWORD="geheim-6",
    )
    assert "geheim" not in str(printed)
    assert printed["archive_url"][0] == "https://***@pacs.example/dicom-web"
    assert "db.example:5433/trial" in printed["database_url"][0]
    assert printed["archive_password"][0] == "***"


def test_every_setting_that_may_hold_a_secret_is_marked() -> None:
    marked = {field.name for field in dataclasses.fields(Settings) if field.metadata["secret"]}
    telling = {
        f.name
        for f in dataclasses.fields(Settings)
        if any(w in f.name for w in ("password", "secret", "token", "_url"))
    }
    assert telling - {"public_url"} <= marked


def test_folders_lie_in_the_data_folder_unless_said_otherwise(tmp_path: Path) -> None:
    settings, _ = read_settings({"TRIALIMG_DATA": str(tmp_path)})
    assert {settings.vault_folder, settings.keys_folder, settings.archive_folder} == {
        tmp_path / "vault", tmp_path / "keys", tmp_path / "archive",
    }  # fmt: skip
    settings, _ = read_settings({"TRIALIMG_DATA": str(tmp_path), "TRIALIMG_KEYS": "/elsewhere"})
    assert settings.keys_folder == Path("/elsewhere")


def test_the_address_people_use_has_no_slash_at_its_end() -> None:
    assert read_settings({"TRIALIMG_PUBLIC_URL": "https://trial.example/"})[0].address == "https://trial.example"
