"""Reads as the trial's team sees them: how they stand, values for the roles the trial names, and who reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework import read_assignment, read_list, read_results, read_rule, reading
from trialimg.casework.access import Place, subject_place, trial_place
from trialimg.casework.casebook import part_place
from trialimg.domain.permission import Permission
from trialimg.domain.reading_design import ASSIGNMENTS
from trialimg.errors import HTTP_STATUS, BadInput, Conflict, NotAllowed
from trialimg.reporting.course import picture
from trialimg.web.guard import current_person, current_place, requires

blueprint = Blueprint("trial_reads", __name__)
Answer = str | AnyResponse | tuple[str, int]
_LONGEST: Final = 80


def trial_followed(trial: str) -> Place:
    """Find the trial, or the part of it, whose reads this person may follow."""
    return part_place(current_person(), trial, Permission.SEE_READ_STATUS)


def read_followed(trial: str, read: str) -> Place:
    """Find a read of the trial that this person may follow."""
    return read_results.followed_read_place(current_person(), trial, read)


@blueprint.get("/trials/<trial>/reads")
@requires(Permission.SEE_READ_STATUS, on=trial_followed)
def reads(trial: str) -> str:
    """Show how the reads of the trial stand, and their values to the roles the trial names."""
    return _page(trial)


def _page(trial: str, refused: str = "") -> str:
    place = trial_followed(trial)
    asked = {key: request.args.get(key, "")[:_LONGEST] for key in ("state", "time_point", "reader", "site")}
    person, number = current_person(), request.args.get("page", 1, type=int)
    page = read_list.trial_reads(person, place, read_list.ReadFilter(**asked), number)
    kept = urlencode({key: value for key, value in asked.items() if value}).replace("{", "{{").replace("}", "}}")
    here = f"/trials/{trial}/reads"
    return render_template(
        "reading/trial.html",
        page=page,
        pictures={each.subject.number: picture(each.subject.lines) for each in page.subjects},
        asked=asked,
        place=place,
        here=here,
        url=f"{here}?{kept}{'&' if kept else ''}page={{page}}",
        unassigned=read_rule.unassigned(place) if person.may(Permission.MANAGE_TRIAL, place) else "",
        may_give=person.may(Permission.MANAGE_TRIAL, place),
        refused=refused,
    )


@blueprint.get("/trials/<trial>/subjects/<subject>/reads")
@requires(Permission.SEE_READ_STATUS, on=subject_place)
def of_subject(trial: str, subject: str) -> str:
    """Show the reads of one subject: its response over time, the best one, and every version with its signature."""
    return _subject_page(trial, subject)


def _subject_page(trial: str, subject: str, refused: str = "") -> str:
    place, person = subject_place(trial, subject), current_person()
    found = read_results.subject_reads(place.subject_id, person)
    return render_template(
        "reading/subject.html",
        subject=found,
        picture=picture(found.lines),
        shows_values=read_results.may_see_values(person, place),
        may_reopen=read_results.may_reopen_in(person, place),
        may_give=person.may(Permission.MANAGE_TRIAL, place),
        place=place,
        here=f"/trials/{trial}/reads",
        refused=refused,
    )


def _act(trial: str, read: str, verb: Callable[..., None], said: str) -> Answer:
    person, place, reason = current_person(), trial_place(trial), request.form.get("reason", "")
    of_subject = current_place().subject_number if request.args.get("from") == "subject" else ""
    try:
        with person.acting(reason, place) as uow:
            verb(uow, person, read, reason)
    except (BadInput, Conflict, NotAllowed) as error:
        page = _subject_page(trial, of_subject, error.sentence) if of_subject else _page(trial, error.sentence)
        return page, HTTP_STATUS[type(error)]
    flash(said, "success")
    return redirect(f"/trials/{trial}/subjects/{of_subject}/reads" if of_subject else f"/trials/{trial}/reads", 303)


@blueprint.post("/trials/<trial>/reads/<read>/reopen")
@requires(Permission.REOPEN_READ, on=read_followed)
def reopen(trial: str, read: str) -> Answer:
    """Reopen a signed read for its reader."""
    return _act(trial, read, reading.reopen, "The read is reopened; its reader can change it and signs it again.")


@blueprint.post("/trials/<trial>/reads/<read>/void")
@requires(Permission.REOPEN_READ, on=read_followed)
def void(trial: str, read: str) -> Answer:
    """Void a read that must not count."""
    return _act(trial, read, reading.void, "The read is void. It is kept with the reason and counts nowhere.")


@blueprint.get("/trials/<trial>/reading")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def rule(trial: str) -> str:
    """Show who reads, and by what rule reads are assigned."""
    return _rule_page(trial)


def _rule_page(trial: str, refused: str = "") -> str:
    place = current_place()
    page = read_rule.rule_page(place)
    return render_template(
        "reading/rule.html", page=page, rules=ASSIGNMENTS, place=place, here=f"/trials/{trial}/reading", refused=refused
    )


@blueprint.post("/trials/<trial>/reading")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def change_rule(trial: str) -> Answer:
    """Change the rule by which reads are assigned from now on."""

    def change(uow: Any) -> str:
        read_rule.set_rule(
            uow,
            current_place(),
            assignment=request.form.get("assignment", ""),
            listed=frozenset(request.form.getlist("listed")),
        )
        return "The rule is changed. Reads that are assigned already stay with their readers."

    return _manage(trial, "rule of assignment changed", change)


@blueprint.post("/trials/<trial>/reading/assign")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def assign(trial: str) -> Answer:
    """Assign the time points that lack readers."""

    def give(uow: Any) -> str:
        count = read_assignment.assign_waiting(uow, current_place())
        return f"{count} reads were assigned." if count != 1 else "One read was assigned."

    return _manage(trial, "waiting time points assigned", give)


def _manage(trial: str, why: str, act: Callable[[Any], str]) -> Answer:
    try:
        with current_person().acting(why, current_place()) as uow:
            said = act(uow)
    except (BadInput, Conflict) as error:
        return _rule_page(trial, error.sentence), HTTP_STATUS[type(error)]
    flash(said, "success")
    return redirect(f"/trials/{trial}/reading", 303)
