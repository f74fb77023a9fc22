"""Every blueprint of the web door, in the order of a day's work."""

from __future__ import annotations

from flask import Flask

from trialimg.web import admin, auth, session, shell, trial_admin


def register(app: Flask) -> None:
    """Add every page and interface to the application."""
    session.register(app)
    shell.register(app)
    for each in (auth, admin, trial_admin):
        app.register_blueprint(each.blueprint)
