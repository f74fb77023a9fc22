"""Every blueprint of the web door, in the order of a day's work."""

from __future__ import annotations

from flask import Flask

from trialimg.web import admin, audit, auth, casebook, home, session, shell, subjects, trial_admin


def register(app: Flask) -> None:
    """Add every page and interface to the application."""
    session.register(app)
    shell.register(app)
    for each in (auth, home, subjects, casebook, admin, trial_admin, audit):
        app.register_blueprint(each.blueprint)
