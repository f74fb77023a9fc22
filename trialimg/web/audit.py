"""The audit trail of a trial."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, render_template, request

from trialimg.casework.access import trial_place
from trialimg.casework.trail_page import TrailFilter, trail_page
from trialimg.domain.permission import Permission
from trialimg.web.guard import current_person, current_place, requires

blueprint = Blueprint("audit", __name__)
_LONGEST = 80


@blueprint.get("/trials/<trial>/audit")
@requires(Permission.SEE_AUDIT, on=trial_place)
def audit(trial: str) -> str:
    """Show who changed what, when and why; filtered by the query keys subject, table, actor, row and technical."""
    asked = {key: request.args.get(key, "")[:_LONGEST] for key in ("subject", "table", "actor", "row", "technical")}
    page = request.args.get("page", 1, type=int)
    looked_for = TrailFilter(asked["subject"], asked["table"], asked["actor"], asked["row"], bool(asked["technical"]))
    found = trail_page(current_person(), current_place(), looked_for, page)
    kept = urlencode({key: value for key, value in asked.items() if value}).replace("{", "{{").replace("}", "}}")
    return render_template(
        "admin/audit.html",
        place=current_place(),
        found=found,
        asked=asked,
        url=f"/trials/{trial}/audit?{kept}{'&' if kept else ''}page={{page}}",
    )
