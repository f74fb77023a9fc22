"""The link of a study: detached, moved within its subject, withdrawn from a wrong one, removed from the archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework import link
from trialimg.casework.access import Place, slot_place, study_place, trial_place
from trialimg.casework.link import withdrawn_place
from trialimg.casework.pipeline_page import trial_tasks
from trialimg.domain.permission import Permission
from trialimg.errors import HTTP_STATUS, BadInput, Conflict
from trialimg.web.guard import current_person, current_place, requires
from trialimg.web.imaging import crumbs, slot_url

blueprint = Blueprint("link", __name__)
Answer = str | AnyResponse | tuple[str, int]
REMOVAL: Final = {
    link.TO_AUTHORISE: ("held", "To authorise"), "asked": ("in_progress", "Under way"),
    "operator": ("open_checks", "The archive's operator must act"), "done": ("complete", "Gone from the archive"),
}  # fmt: skip
"""How far a removal is: the state of a badge, and its word."""


def _page(refused: str = "", act: str = "") -> str:
    place, person = current_place(), current_person()
    return render_template(
        "imaging/link.html",
        page=link.link_page(place),
        place=place,
        here=f"/studies/{place.study_instance_uid}",
        crumbs=crumbs(place, {"label": "Link of the study"}),
        may_withdraw=person.may(Permission.WITHDRAW_STUDY, place),
        may_open=person.may(Permission.OPEN_IMAGES, place),
        refused=refused,
        act=act,
        typed=request.form,
    )


@blueprint.get("/studies/<study_instance_uid>/link")
@requires(Permission.MOVE_LINK, on=study_place)
def show(study_instance_uid: str) -> str:
    """Show how a study is linked, and what can be done about it."""
    del study_instance_uid
    return _page()


def _do(act: str, verb: Callable[[Any, Place, str], None], said: str, to: str) -> Answer:
    place, reason = current_place(), request.form.get(f"reason-{act}", "")
    try:
        with current_person().acting(reason, place) as uow:
            verb(uow, place, reason)
    except (BadInput, Conflict) as error:
        return _page(error.sentence, act), HTTP_STATUS[type(error)]
    flash(said, "success")
    return redirect(to, 303)


@blueprint.post("/studies/<study_instance_uid>/detach")
@requires(Permission.MOVE_LINK, on=study_place)
def detach(study_instance_uid: str) -> Answer:
    """Take the link away; the study stays with its subject and in the archive."""
    said = "The study is detached. Nobody can open it until it is linked again."
    return _do("detach", link.detach, said, f"/studies/{study_instance_uid}/link")


@blueprint.post("/studies/<study_instance_uid>/relink")
@requires(Permission.MOVE_LINK, on=study_place)
def relink(study_instance_uid: str) -> Answer:
    """Link the study to another slot of the same subject."""
    del study_instance_uid
    place = current_place()
    visit, _, slot = request.form.get("target", "").partition("/")
    if not visit or not slot:
        return _page("Choose the slot to which the study belongs. Nothing was changed.", "relink"), 422
    target = slot_place(place.trial_code, place.subject_number, visit, slot)

    def move(uow: Any, here: Place, reason: str) -> None:
        link.relink(uow, here, target, reason)

    said = f"The study is linked to {visit}, {slot}. The images stayed where they are."
    return _do("relink", move, said, slot_url(target))


@blueprint.post("/studies/<study_instance_uid>/withdraw")
@requires(Permission.WITHDRAW_STUDY, on=study_place)
def withdraw(study_instance_uid: str) -> Answer:
    """Withdraw a study that belongs to somebody else."""
    del study_instance_uid
    said = "The study is withdrawn: nobody can open it any more. The site sends it again to the right subject."
    return _do("withdraw", link.withdraw, said, f"/trials/{current_place().trial_code}/withdrawn")


@blueprint.get("/trials/<trial>/withdrawn")
@requires(Permission.SEE_PIPELINE, on=trial_place)
def withdrawn(trial: str) -> str:
    """List the withdrawn studies of a trial, and how far their removal is."""
    del trial
    return _withdrawn_page()


def _withdrawn_page(refused: str = "") -> str:
    place, person = current_place(), current_person()
    return render_template(
        "imaging/withdrawn.html",
        studies=link.withdrawn_studies(place),
        tasks=trial_tasks(place),
        removal=REMOVAL,
        to_authorise=link.TO_AUTHORISE,
        place=place,
        here=f"/trials/{place.trial_code}/withdrawn",
        may_authorise=person.may(Permission.AUTHORISE_REMOVAL, place),
        refused=refused,
    )


@blueprint.post("/trials/<trial>/withdrawn/<study_instance_uid>/removal")
@requires(Permission.AUTHORISE_REMOVAL, on=withdrawn_place)
def authorise(trial: str, study_instance_uid: str) -> Answer:
    """Decide that the archive forgets a withdrawn study."""
    del study_instance_uid
    place, reason = current_place(), request.form.get("reason", "")
    try:
        with current_person().acting(reason, place) as uow:
            link.authorise_removal(uow, place.study_id, reason)
    except (BadInput, Conflict) as error:
        return _withdrawn_page(error.sentence), HTTP_STATUS[type(error)]
    flash("The removal is authorised; the archive is told to forget the study.", "success")
    return redirect(f"/trials/{trial}/withdrawn", 303)
