"""The first page: what is due, the most urgent first."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from trialimg.casework.worklist import my_work
from trialimg.domain.permission import Permission
from trialimg.web.guard import current_person, requires, somewhere

blueprint = Blueprint("home", __name__)


@blueprint.get("/")
@requires(Permission.OWN_ACCOUNT, on=somewhere)
def home() -> str:
    """Show my work."""
    person = current_person()
    return render_template(
        "home/home.html",
        work=my_work(person, page=request.args.get("page", 1, type=int)),
        enters=person.may_somewhere(Permission.ENTER_DATA),
        reads=person.may_somewhere(Permission.READ),
        administers=person.may_somewhere(Permission.MANAGE_INSTALLATION),
    )
