"""Every blueprint of the web door, in the order of a day's work."""

from __future__ import annotations

from flask import Flask

from trialimg.web import (
    admin,
    api,
    audit,
    auth,
    casebook,
    dicomweb,
    health,
    home,
    session,
    shell,
    subjects,
    trial_admin,
    viewer,
)


def register(app: Flask) -> None:
    """Add every page and interface to the application."""
    session.register(app)
    shell.register(app)
    for each in (auth, home, subjects, casebook, admin, trial_admin, audit, viewer, dicomweb, api, health):
        app.register_blueprint(each.blueprint)
    app.extensions["csrf"].exempt(api.blueprint)  # its requests carry a token, never a cookie
