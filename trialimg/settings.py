"""Every setting: its type, its default, what it means, and where its value came from.

A value comes from the environment (``TRIALIMG_<NAME>``), else from one TOML file (named by
``TRIALIMG_SETTINGS`` or ``<data>/trialimg.toml``), else from the default. A wrong one is a sentence at
start, never a traceback later.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from trialimg.errors import Misconfigured

PREFIX: Final = "TRIALIMG_"


def _setting(default: Any, meaning: str, *, secret: bool = False, low: int | None = None) -> Any:
    return field(default=default, metadata={"meaning": meaning, "secret": secret, "low": low})


@dataclass(frozen=True)
class Settings:
    """The settings of one installation; build it with :func:`read_settings`."""

    data: Path = _setting(  # noqa: RUF009 (it makes a field of the dataclass)
        Path("var/data"), "Folder of everything this installation keeps: keys, vault, archive, SQLite file."
    )
    database_url: str = _setting(
        "", "Data base as an SQLAlchemy URL (postgresql+psycopg://…). Empty: SQLite in the data folder.", secret=True
    )
    migration_url: str = _setting(
        "", "The same data base as the role that owns its tables; migrations use it. Empty: database_url.", secret=True
    )
    archive_url: str = _setting(
        "",
        "Where images live: empty or local: (a folder), http(s)://… (a DICOMweb root), dimse://AE@host:port.",
        secret=True,
    )
    archive_user: str = _setting("", "User name for the archive, if its URL holds none.")
    archive_password: str = _setting("", "Password for the archive, if its URL holds none.", secret=True)
    vault: str = _setting("", "Folder of bytes in transit, reached by every host. Empty: <data>/vault.")
    audit_heads: str = _setting(
        "", "File outside the data base that keeps the heads of the audit chains. Empty: <data>/audit-heads.jsonl."
    )
    keys: str = _setting("", "Folder of the keys (mode 0700), outside the data base. Empty: <data>/keys.")
    host: str = _setting("127.0.0.1", "Address to serve.")
    port: int = _setting(5000, "Port to serve.", low=0)
    public_url: str = _setting("", "Address people use, for links in one-time invitations. Empty: http://host:port.")
    secure_cookies: bool = _setting(False, "Send cookies over HTTPS only; set it behind a TLS proxy.")
    trusted_proxies: int = _setting(0, "How many reverse proxies stand before this server (X-Forwarded-For).", low=0)
    session_hours: int = _setting(12, "Hours after which a session ends whatever happens.", low=1)
    idle_minutes: int = _setting(60, "Minutes without a request after which a session ends.", low=1)
    lockout_failures: int = _setting(5, "Failed sign-ins in a row after which an account is locked for a while.", low=1)
    lockout_minutes: int = _setting(15, "How long such an account stays locked.", low=1)
    child_memory_mb: int = _setting(1536, "Memory a child process may use that parses uploaded files, in MiB.", low=256)
    child_cpu_seconds: int = _setting(60, "Processor seconds such a child may spend on one file.", low=1)
    vault_reserve_mb: int = _setting(512, "Free disk that uploads must leave, in MiB.", low=0)
    upload_limit_mb: int = _setting(8192, "Largest single upload, in MiB.", low=1)
    zip_objects: int = _setting(50_000, "Most files one zip may hold.", low=1)
    zip_ratio: int = _setting(200, "Highest compression ratio a zip may have (a CT header compresses well).", low=2)
    push_connections: int = _setting(4, "Connections to the archive at a time.", low=1)
    worker: bool = _setting(True, "Run the worker in the serving process (SQLite only; PostgreSQL has its own).")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR. Logs never hold patient data.")

    @property
    def effective_database_url(self) -> str:
        """Give the URL of the data base, the embedded SQLite file where none is set."""
        return self.database_url or f"sqlite:///{(self.data / 'trialimg.sqlite').resolve()}"

    @property
    def on_postgresql(self) -> bool:
        """Say whether the data base is a PostgreSQL server."""
        return self.effective_database_url.startswith("postgresql")

    @property
    def vault_folder(self) -> Path:
        """Give the folder of the vault."""
        return Path(self.vault) if self.vault else self.data / "vault"

    @property
    def keys_folder(self) -> Path:
        """Give the folder of the keys."""
        return Path(self.keys) if self.keys else self.data / "keys"

    @property
    def audit_heads_file(self) -> Path:
        """Give the file that keeps the chain heads."""
        return Path(self.audit_heads) if self.audit_heads else self.data / "audit-heads.jsonl"

    @property
    def archive_folder(self) -> Path:
        """Give the folder of the local archive."""
        return self.data / "archive"

    @property
    def worker_lock_file(self) -> Path:
        """Give the file whose lock the one worker of an installation on SQLite holds."""
        return self.data / "worker.lock"

    @property
    def address(self) -> str:
        """Give the address people use."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


@dataclass(frozen=True)
class SettingLine:
    """One line of ``trialimg settings``."""

    name: str
    value: str
    source: str
    meaning: str


def _convert(name: str, kind: Any, value: object, low: int | None) -> object:
    if kind in ("bool", bool):
        if isinstance(value, bool):
            return value
        word = str(value).strip().lower()
        if word in {"1", "true", "yes", "on"}:
            return True
        if word in {"0", "false", "no", "off", ""}:
            return False
        raise Misconfigured(f"The setting {name} must be yes or no.")
    if kind in ("int", int):
        try:
            number = int(str(value))
        except ValueError:
            raise Misconfigured(f"The setting {name} must be a whole number.") from None
        if low is not None and number < low:
            raise Misconfigured(f"The setting {name} must be at least {low}.")
        return number
    if kind in ("Path", Path):
        return Path(str(value)).expanduser()
    return str(value)


def _read_file(path: Path) -> Mapping[str, object]:
    import tomllib  # not loaded where there is no file of settings

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise Misconfigured(f"The settings file {path} cannot be read: {type(exc).__name__}.") from None
    except tomllib.TOMLDecodeError as exc:
        raise Misconfigured(f"The settings file {path} is no TOML: {exc}.") from None


def _check(settings: Settings) -> None:
    url = settings.effective_database_url
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise Misconfigured("The setting database_url must start with postgresql+psycopg:// or sqlite:///.")
    if settings.log_level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise Misconfigured("The setting log_level must be DEBUG, INFO, WARNING or ERROR.")
    scheme = settings.archive_url.split(":", 1)[0]
    if settings.archive_url and scheme not in {"local", "http", "https", "dimse"}:
        raise Misconfigured("The setting archive_url must be local:, http(s)://… or dimse://AE@host:port.")
    for name in ("database_url", "migration_url", "archive_url", "public_url"):
        try:
            _ = urlsplit(getattr(settings, name)).port
        except ValueError:
            raise Misconfigured(f"The setting {name} is no address: its host or port cannot be read.") from None
    if settings.port > 65535:  # noqa: PLR2004 (the highest port there is)
        raise Misconfigured("The setting port must be at most 65535.")


def _normal_url(value: str) -> str:
    # The two short spellings people know mean the driver we ship.
    for short in ("postgres://", "postgresql://"):
        if value.startswith(short):
            return "postgresql+psycopg://" + value[len(short) :]
    return value


def read_settings(environ: Mapping[str, str] | None = None, **given: object) -> tuple[Settings, dict[str, str]]:
    """Read the settings and say for each where it came from.

    ``given`` are values from the command line; they win. Raises :class:`Misconfigured`.
    """
    env = os.environ if environ is None else environ
    data = given.get("data") or env.get(PREFIX + "DATA") or Settings().data
    named = env.get(PREFIX + "SETTINGS")
    path = Path(named) if named else Path(str(data)) / "trialimg.toml"
    from_file = _read_file(path) if named or path.exists() else {}
    known = {f.name: f for f in dataclasses.fields(Settings)}
    unknown = [k for k in from_file if k not in known]
    unknown += [k for k in env if k.startswith(PREFIX) and k[len(PREFIX) :].lower() not in known]
    unknown = [k for k in unknown if k not in {PREFIX + "SETTINGS", PREFIX + "CORPORA"}]
    if unknown:
        raise Misconfigured(f"There is no setting {', '.join(sorted(unknown))}; `trialimg settings` lists them all.")
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, spec in known.items():
        low = spec.metadata["low"]
        if given.get(name) is not None:
            values[name], sources[name] = _convert(name, spec.type, given[name], low), "command line"
        elif PREFIX + name.upper() in env:
            variable = PREFIX + name.upper()
            values[name], sources[name] = _convert(name, spec.type, env[variable], low), variable
        elif name in from_file:
            values[name], sources[name] = _convert(name, spec.type, from_file[name], low), str(path)
        else:
            values[name], sources[name] = spec.default, "default"
    for name in ("database_url", "migration_url"):
        values[name] = _normal_url(values[name])
    settings = Settings(**values)
    _check(settings)
    return settings, sources


def _hidden(value: str) -> str:
    if not value:
        return ""
    parts = urlsplit(value)
    if parts.scheme and parts.hostname:
        port = f":{parts.port}" if parts.port else ""
        user = "***@" if parts.username else ""
        return urlunsplit((parts.scheme, f"{user}{parts.hostname}{port}", parts.path, "", ""))
    return value if value == "local:" else "***"


def describe(settings: Settings, sources: Mapping[str, str]) -> list[SettingLine]:
    """Give every setting as a line to print, with secrets hidden."""
    lines = []
    for spec in dataclasses.fields(Settings):
        value = str(getattr(settings, spec.name))
        shown = _hidden(value) if spec.metadata["secret"] else value
        lines.append(SettingLine(spec.name, shown, sources.get(spec.name, "default"), spec.metadata["meaning"]))
    return lines
