"""Every blueprint of the web door, in the order of a day's work."""

from __future__ import annotations

from flask import Flask

from trialimg.web import (
    admin,
    api,
    audit,
    auth,
    casebook,
    dashboard,
    deid_report,
    dicomweb,
    health,
    home,
    imaging,
    link,
    pipeline,
    pixel_review,
    read_reader,
    readable,
    reading,
    reports,
    session,
    shell,
    subjects,
    trial_admin,
    trial_reads,
    uploads,
    viewer,
)


def register(app: Flask) -> None:
    """Add every page and interface to the application."""
    uploads.register(app)
    session.register(app)
    readable.register(app)
    shell.register(app)
    pages = (auth, home, subjects, casebook, uploads, imaging, link, viewer, pipeline, admin, trial_admin, audit)
    reported = (dashboard, reports, reading, trial_reads, read_reader)
    for each in (*pages, pixel_review, deid_report, *reported, dicomweb, api, health):
        app.register_blueprint(each.blueprint)
    app.extensions["csrf"].exempt(api.blueprint)  # its requests carry a token, never a cookie
