"""The trial administrator's page on which a read is given to another reader."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework.read_handover import hand_over, handover_page
from trialimg.domain.permission import Permission
from trialimg.errors import HTTP_STATUS, BadInput, Conflict
from trialimg.web.guard import current_person, current_place, requires
from trialimg.web.trial_reads import read_followed

blueprint = Blueprint("read_reader", __name__)
Answer = str | AnyResponse | tuple[str, int]


def _page(trial: str, read: str, refused: str = "") -> str:
    back = f"/trials/{trial}/reads"
    return render_template(
        "reading/reader.html",
        page=handover_page(current_place(), read),
        place=current_place(),
        here=f"{back}/{read}/reader",
        back=back,
        refused=refused,
        chosen=request.form.get("reader", ""),
        reason=request.form.get("reason", ""),
    )


@blueprint.get("/trials/<trial>/reads/<read>/reader")
@requires(Permission.MANAGE_TRIAL, on=read_followed)
def reader(trial: str, read: str) -> Answer:
    """Show who reads a time point and who else can."""
    return _page(trial, read)


@blueprint.post("/trials/<trial>/reads/<read>/reader")
@requires(Permission.MANAGE_TRIAL, on=read_followed)
def give(trial: str, read: str) -> Answer:
    """Give a read that is not signed to another reader, with the reason."""
    person, place, said = current_person(), current_place(), request.form.get("reason", "")
    try:
        with person.acting(said, place) as uow:
            count = hand_over(uow, place, read, request.form.get("reader", ""), said)
    except (BadInput, Conflict) as error:
        return _page(trial, read, error.sentence), HTTP_STATUS[type(error)]
    flash("Given. " + ("One read is theirs now." if count == 1 else f"{count} reads are theirs now."), "success")
    return redirect(f"/trials/{trial}/reads", 303)
