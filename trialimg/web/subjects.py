"""Subjects: the grid of a trial, enrolment, and a subject's visits with their dates."""

from __future__ import annotations

import secrets
from datetime import date
from string import hexdigits
from typing import Final

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework import enrolment
from trialimg.casework.access import Place, admit, site_place, slot_place, subject_place, visit_place
from trialimg.casework.casebook import part_place, subject_casebook, subject_grid
from trialimg.casework.definition import current_definition
from trialimg.domain.permission import Permission
from trialimg.errors import BadInput, Conflict
from trialimg.web.crf import LONGEST_REVISION
from trialimg.web.guard import current_person, current_place, requires

blueprint = Blueprint("subjects", __name__)
Answer = str | AnyResponse | tuple[str, int]
_REFUSED, _CHANGED, _SEE_OTHER = 422, 409, 303
_YEAR: Final = 4
_KEY: Final = 32


def trial_seen(trial: str) -> Place:
    """Find the trial, or the part of it, whose subjects this person sees."""
    return part_place(current_person(), trial, Permission.SEE_TRIAL)


def trial_enrolling(trial: str) -> Place:
    """Find the trial, or the part of it, where this person enrols."""
    return part_place(current_person(), trial, Permission.ENROL)


def _status(error: BadInput | Conflict) -> int:
    return _CHANGED if isinstance(error, Conflict) else _REFUSED


def _a_date(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(
            "The date must be one of the calendar, written year-month-day, such as 2026-03-09. Nothing was changed."
        ) from None


def _a_year(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) == _YEAR):
        raise BadInput("The year of birth must be written with four digits, such as 1958. Nobody was enrolled yet.")
    return int(text)


def _revision() -> int:
    text = request.form.get("revision", "")
    if not (text.isdecimal() and len(text) <= LONGEST_REVISION):
        raise BadInput("The page arrived incomplete, so nothing was changed. Load it again and repeat.")
    return int(text)


def _once() -> str:
    """Give the key a page was made with, so that pressing its button twice is one act; empty where it has none."""
    text = request.form.get("once", "")
    return text if len(text) == _KEY and set(text) <= set(hexdigits.lower()) else ""


@blueprint.get("/trials/<trial>")
@requires(Permission.SEE_TRIAL, on=trial_seen)
def grid(trial: str) -> Answer:
    """Show the subjects of a trial by their visits."""
    page = request.args.get("page", 1, type=int)
    site, find = request.args.get("site", ""), request.args.get("find", "")
    found = subject_grid(current_person(), trial, site=site, find=find, page=page)
    return render_template("subjects/grid.html", grid=found)


def _enrol_page(trial: str, refused: str = "") -> str:
    found = subject_grid(current_person(), trial)
    rules = current_definition(current_place().trial_id)
    return render_template(
        "subjects/enrol.html",
        grid=found,
        rules=rules,
        sexes=enrolment.sexes(rules),
        refused=refused,
        typed=request.form,
        once=_once() or secrets.token_hex(_KEY // 2),
    )


@blueprint.get("/trials/<trial>/enrol")
@requires(Permission.ENROL, on=trial_enrolling)
def enrol(trial: str) -> Answer:
    """Ask what is needed to enrol a subject."""
    return _enrol_page(trial)


@blueprint.post("/trials/<trial>/enrol")
@requires(Permission.ENROL, on=trial_enrolling)
def enrol_subject(trial: str) -> Answer:
    """Enrol a subject."""
    person = current_person()
    year, sex = request.form.get("birth_year", "").strip(), request.form.get("sex", "")
    place = site_place(trial, request.form.get("site", ""))
    admit(person, Permission.ENROL, place)
    try:
        born = _a_year(year)
        with person.acting("enrolled", place) as uow:
            number = enrolment.enrol(uow, place, birth_year=born, sex=sex or None, once=_once())
    except (BadInput, Conflict) as error:
        return _enrol_page(trial, error.sentence), _status(error)
    flash(f"Subject {number} is enrolled. Date the first visit when it has taken place.", "success")
    return redirect(f"/trials/{trial}/subjects/{number}", _SEE_OTHER)


def _subject_page(refused: str = "") -> str:
    place, person = current_place(), current_person()
    card = subject_casebook(place, person)
    return render_template(
        "subjects/subject.html",
        subject=card,
        base=f"/trials/{place.trial_code}/subjects/{place.subject_number}",
        may_enter=person.may(Permission.ENTER_DATA, place),
        may_see=person.may(Permission.SEE_DATA, place),
        refused=refused,
        typed=request.form,
        once={each.key: secrets.token_hex(_KEY // 2) for each in card.unscheduled},
    )


@blueprint.get("/trials/<trial>/subjects/<subject>")
@requires(Permission.SEE_TRIAL, on=subject_place)
def subject(trial: str, subject: str) -> Answer:
    """Show a subject's visits with their forms and slots."""
    del trial, subject
    return _subject_page()


@blueprint.post("/trials/<trial>/subjects/<subject>/unscheduled")
@requires(Permission.ENTER_DATA, on=subject_place)
def open_unscheduled(trial: str, subject: str) -> Answer:
    """Open an unscheduled visit."""
    person, place = current_person(), current_place()
    try:
        with person.acting("an unscheduled visit", place) as uow:
            day, kind = _a_date(request.form.get("date", "")), request.form.get("visit", "")
            key = enrolment.open_unscheduled(uow, place.subject_id, day, visit_key=kind, once=_once())
    except (BadInput, Conflict) as error:
        return _subject_page(error.sentence), _status(error)
    flash(f"Visit {key} is open.", "success")
    return redirect(f"/trials/{trial}/subjects/{subject}/visits/{key}", _SEE_OTHER)


def _visit_page(refused: str = "") -> str:
    place, person = current_place(), current_person()
    card = subject_casebook(place, person)
    return render_template(
        "subjects/visit.html",
        subject=card,
        visit=card.visit(place.visit_key),
        base=f"/trials/{place.trial_code}/subjects/{place.subject_number}",
        may_enter=person.may(Permission.ENTER_DATA, place),
        may_attach=person.may(Permission.ATTACH_IMAGES, place),
        may_see=person.may(Permission.SEE_DATA, place),
        refused=refused,
        typed=request.form,
    )


@blueprint.get("/trials/<trial>/subjects/<subject>/visits/<visit>")
@requires(Permission.SEE_TRIAL, on=visit_place)
def visit(trial: str, subject: str, visit: str) -> Answer:
    """Show one visit."""
    del trial, subject, visit
    return _visit_page()


def _back() -> AnyResponse:
    place = current_place()
    home = f"/trials/{place.trial_code}/subjects/{place.subject_number}"
    if request.form.get("back") == "subject":
        return redirect(f"{home}#visit-{place.visit_key}", _SEE_OTHER)
    return redirect(f"{home}/visits/{place.visit_key}", _SEE_OTHER)


@blueprint.post("/trials/<trial>/subjects/<subject>/visits/<visit>/date")
@requires(Permission.ENTER_DATA, on=visit_place)
def date_visit(trial: str, subject: str, visit: str) -> Answer:
    """Date a visit; early and late are said."""
    del trial, subject
    person, place = current_person(), current_place()
    try:
        with person.acting(request.form.get("reason", "").strip(), place) as uow:
            found = enrolment.date_visit(uow, place.visit_id, _a_date(request.form.get("date", "")), _revision())
    except (BadInput, Conflict) as error:
        return _visit_page(error.sentence), _status(error)
    inside = found.place in {"in_window", "unscheduled"}
    flash(f"{visit} is dated. {found.sentence}", "success" if inside else "warning")
    return _back()


@blueprint.post("/trials/<trial>/subjects/<subject>/visits/<visit>/not-done")
@requires(Permission.ENTER_DATA, on=visit_place)
def visit_not_done(trial: str, subject: str, visit: str) -> Answer:
    """Say that a visit will not take place, or take that back."""
    del trial, subject
    person, place, reason = current_person(), current_place(), request.form.get("reason", "").strip()
    undo = request.form.get("undo") == "1"
    try:
        with person.acting(reason, place) as uow:
            if undo:
                enrolment.undo_visit_not_done(uow, place.visit_id)
            else:
                enrolment.mark_visit_not_done(uow, place.visit_id, reason, _revision())
    except (BadInput, Conflict) as error:
        return _visit_page(error.sentence), _status(error)
    flash(f"{visit} is expected again." if undo else f"{visit} is marked not done.", "success")
    return _back()


@blueprint.post("/trials/<trial>/subjects/<subject>/visits/<visit>/slots/<slot>/not-done")
@requires(Permission.ENTER_DATA, on=slot_place)
def slot_not_done(trial: str, subject: str, visit: str, slot: str) -> Answer:
    """Say that a slot will have no images, or take that back."""
    del trial, subject, visit
    person, place, reason = current_person(), current_place(), request.form.get("reason", "").strip()
    undo = request.form.get("undo") == "1"
    try:
        with person.acting(reason, place) as uow:
            if undo:
                enrolment.undo_slot_not_done(uow, place.slot_id)
            else:
                enrolment.mark_slot_not_done(uow, place.slot_id, reason)
    except (BadInput, Conflict) as error:
        return _visit_page(error.sentence), _status(error)
    flash(f"Images for {slot} are expected again." if undo else f"Images for {slot} are marked not done.", "success")
    return _back()
