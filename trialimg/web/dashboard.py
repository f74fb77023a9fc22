"""The dashboard of a trial."""

from __future__ import annotations

from flask import Blueprint, render_template

from trialimg.casework.access import Place
from trialimg.casework.casebook import part_place
from trialimg.domain.permission import Permission
from trialimg.reporting import dashboard as reporting
from trialimg.web.guard import current_person, requires

blueprint = Blueprint("dashboard", __name__)


def trial_overseen(trial: str) -> Place:
    """Find the trial, or the part of it, this person may oversee."""
    return part_place(current_person(), trial, Permission.SEE_DASHBOARD)


@blueprint.get("/trials/<trial>/dashboard")
@requires(Permission.SEE_DASHBOARD, on=trial_overseen)
def show(trial: str) -> str:
    """Show how the trial stands."""
    return render_template("dashboard/dashboard.html", board=reporting.dashboard(current_person(), trial))
