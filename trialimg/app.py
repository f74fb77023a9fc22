"""Puts the house together: settings in, a Flask application out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from flask import Flask
from flask_migrate import Migrate, upgrade
from flask_security import Security
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from trialimg.archive.choose import archive_from_url
from trialimg.casework.services import EXTENSION, Services
from trialimg.errors import Misconfigured
from trialimg.keyring import AUDIT, SESSION, Keyring
from trialimg.settings import Settings, read_settings
from trialimg.store.account import AccountStore
from trialimg.store.base import db, prepare_engine
from trialimg.store.heads import HeadsFile
from trialimg.vault import Vault
from trialimg.web import blueprints, errors, headers
from trialimg.web.addresses import PlainNumber

MIGRATIONS: Final = Path(__file__).resolve().parent.parent / "migrations"
csrf = CSRFProtect()
migrate = Migrate(db=db, directory=str(MIGRATIONS), compare_type=True, render_as_batch=True)


def _services(settings: Settings) -> Services:
    archive = archive_from_url(
        settings.archive_url,
        folder=settings.archive_folder,
        user=settings.archive_user,
        password=settings.archive_password,
        connections=settings.push_connections,
    )
    vault = Vault(settings.vault_folder, reserve_bytes=settings.vault_reserve_mb * 2**20)
    return Services(settings, Keyring(settings.keys_folder), vault, archive)


def _configure(app: Flask, settings: Settings, keyring: Keyring) -> None:
    options: dict[str, object] = {"pool_pre_ping": True} if settings.on_postgresql else {}
    app.config.update(
        SECRET_KEY=keyring.get(SESSION).hex(),
        SQLALCHEMY_DATABASE_URI=settings.effective_database_url,
        SQLALCHEMY_ENGINE_OPTIONS=options,
        SESSION_COOKIE_NAME="trialimg",
        SESSION_COOKIE_HTTPONLY=True,
        # Lax: a link to a study in a mail opens for who is signed in; every act carries a token against forgery.
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.session_hours),
        # A large CRF has thousands of fields (FACTS.md); uploads set their own limit.
        MAX_FORM_PARTS=20_000,
        MAX_FORM_MEMORY_SIZE=16 * 2**20,
        WTF_CSRF_TIME_LIMIT=None,
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106 (the name of the method)
        SECURITY_PASSWORD_SALT=keyring.get(SESSION).hex(),
        SECURITY_PASSWORD_LENGTH_MIN=12,
        SECURITY_PASSWORD_COMPLEXITY_CHECKER="zxcvbn",  # noqa: S106 (the name of the method)
        SECURITY_REGISTERABLE=False,
        SECURITY_RESET_PASSWORD_WITHIN=timedelta(days=7),
        SECURITY_FRESHNESS=timedelta(minutes=-1),
        JSON_SORT_KEYS=False,
    )


def create_app(settings: Settings | None = None, *, config: Mapping[str, object] | None = None) -> Flask:
    """Make the application; raises :class:`trialimg.errors.Misconfigured` with a sentence where it cannot work."""
    if settings is None:
        settings, _ = read_settings()
    logging.getLogger("trialimg").setLevel(settings.log_level.upper())
    tools = _services(settings)
    if not tools.keyring.has(SESSION):
        raise Misconfigured(f"There is no installation in {settings.data} yet; run `trialimg --data … init` first.")
    app = Flask("trialimg", root_path=str(Path(__file__).parent / "web"))
    app.url_map.converters["int"] = PlainNumber
    _configure(app, settings, tools.keyring)
    app.config.update(config or {})
    app.extensions[EXTENSION] = tools
    heads = HeadsFile(settings.audit_heads_file, lambda: tools.keyring.get(AUDIT))
    app.extensions["trialimg_keep_head"] = heads.keep
    db.init_app(app)
    migrate.init_app(app)
    Security(app, AccountStore(), register_blueprint=False)
    # Who asks is looked up in web/session.py. The extension's own loader would read the body of whatever calls itself
    # JSON to look for a token in it, and leave nothing for the receiver of an image.
    app.login_manager.request_loader(lambda _request: None)  # type: ignore[attr-defined]  # Security gave it
    csrf.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    headers.register(app)
    errors.register(app)
    blueprints.register(app)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]  # as Flask says
    return app


def migrate_up() -> None:
    """Bring the data base to the newest migration; must run in the application's context."""
    upgrade(directory=str(MIGRATIONS))
    db.session.remove()
