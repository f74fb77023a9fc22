"""A form of a visit: shown, filled, corrected, marked complete; and what became of each of its values."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework.access import visit_place
from trialimg.casework.casebook import subject_casebook
from trialimg.casework.data_entry import LONGEST_VALUE, Posted, SaveResult, save_form
from trialimg.casework.enrolment import LONGEST_REASON
from trialimg.casework.form_history import form_history
from trialimg.casework.form_page import FormPage, form_page, typed_page
from trialimg.domain.permission import Permission
from trialimg.errors import BadInput, Conflict
from trialimg.web.crf import Field, groups_of, name_of, questions_of, read_posted, row_of, summary_of
from trialimg.web.guard import current_person, current_place, requires

blueprint = Blueprint("casebook", __name__)
Answer = str | AnyResponse | tuple[str, int]
_REFUSED, _CHANGED, _SEE_OTHER = 422, 409, 303
_NOT_SAVED = "Nothing was saved yet. Press Save to keep what you changed."


def _url(form_key: str) -> str:
    place = current_place()
    return f"/trials/{place.trial_code}/subjects/{place.subject_number}/visits/{place.visit_key}/forms/{form_key}"


def _show(
    page: FormPage,
    *,
    errors: tuple[Field, ...] = (),
    reason: str = "",
    ask_reason: bool = False,
    reason_error: str = "",
    changed: tuple[str, ...] = (),
    ask_all: bool = False,
    told: str = "",
) -> str:
    place, person = current_place(), current_person()
    visit = subject_casebook(place, person).visit(place.visit_key)
    return render_template(
        "casebook/form.html",
        page=page,
        place=place,
        url=_url(page.form.key),
        visit=visit,
        groups=groups_of(page, person, place, ask_all=ask_all),
        errors=[*errors, *summary_of(page, ask_all=ask_all)],
        questions=questions_of(page),
        conflicts=[
            {
                "field_id": name_of(where),
                "label": page.label(where),
                "sentence": "differs from what was saved meanwhile",
            }
            for where in page.meanwhile
        ],
        reason={
            "name": "reason",
            "value": reason,
            "errors": [reason_error] if reason_error else [],
            "changed": changed,
        },
        ask_reason=ask_reason or page.marked_complete,
        told=told,
    )


@blueprint.get("/trials/<trial>/subjects/<subject>/visits/<visit>/forms/<form>")
@requires(Permission.SEE_DATA, on=visit_place)
def show_form(trial: str, subject: str, visit: str, form: str) -> Answer:
    """Show a form as it is saved; with ``?missing=1`` also which answers are still missing."""
    del trial, subject, visit
    page = form_page(current_place(), form, current_person())
    return _show(page, ask_all=request.args.get("missing") == "1")


def _draft(posted: Posted) -> Posted | None:
    """Give what was typed with a row added, taken away or kept after all, where such a button was pressed."""
    rows = dict(posted.values)
    if group := request.form.get("_add_row"):
        mine = dict(rows.get(group, {}))
        mine[next(key for number in range(1, 10_000) if (key := f"n{number}") not in mine)] = {}
        return replace(posted, values={**rows, group: mine})
    if text := request.form.get("_remove_row"):
        return replace(posted, removed=posted.removed | {row_of(text)})
    if text := request.form.get("_keep_row"):
        return replace(posted, removed=posted.removed - {row_of(text)})
    return None


@blueprint.post("/trials/<trial>/subjects/<subject>/visits/<visit>/forms/<form>")
@requires(Permission.ENTER_DATA, on=visit_place)
def save(trial: str, subject: str, visit: str, form: str) -> Answer:
    """Save a form; whatever keeps it from being saved brings the page back with everything typed."""
    del trial, subject, visit
    person, place = current_person(), current_place()
    posted = read_posted(form_page(place, form, person).form, request.form)
    reason = request.form.get("reason", "").strip()
    draft = _draft(posted)
    if draft is not None:
        return _show(typed_page(place, form, person, draft), reason=reason, told=_NOT_SAVED)
    if len(reason) > LONGEST_REASON:
        page = typed_page(place, form, person, posted)
        sentence = f"The reason must not be longer than {LONGEST_REASON} characters. Nothing was saved yet."
        return _show(page, ask_reason=True, reason=reason[:LONGEST_REASON], reason_error=sentence), _REFUSED
    how = request.form.get("save", "")
    try:
        with person.acting(reason, place) as uow:
            result = save_form(uow, place, form, posted, complete=how == "complete", clear_hidden=how == "clear")
    except (Conflict, BadInput) as error:
        page = typed_page(place, form, person, posted)
        line = ({"field_id": "", "sentence": error.sentence},)
        return _show(page, errors=line, reason=reason), _CHANGED if isinstance(error, Conflict) else _REFUSED
    if not result.saved:
        return _refused(form, posted, result, reason), _REFUSED
    return _saved(form, result, complete=how == "complete")


def _refused(form: str, posted: Posted, result: SaveResult, reason: str) -> str:
    page = typed_page(current_place(), form, current_person(), posted)
    if result.needs_reason:
        sentence = "This form was complete. Say why it is changed; nothing was saved yet."
        line: Field = {"field_id": "reason", "sentence": sentence}
        return _show(
            page, errors=(line,), reason=reason, ask_reason=True, reason_error=sentence, changed=result.changed
        )
    lines = tuple(
        {
            "field_id": name_of(where),
            "label": page.label(where),
            "sentence": f"is longer than {LONGEST_VALUE} characters, so it was left out and nothing was saved yet. "
            "Give a shorter answer.",
        }
        for where in result.too_long
    )
    return _show(page, errors=lines, reason=reason)


def _saved(form: str, result: SaveResult, *, complete: bool) -> AnyResponse:
    if result.cleared:
        flash(f"Cleared, since it no longer applies: {', '.join(result.cleared)}. It stays in the history.", "info")
    if complete and not result.marked_complete:
        count = "1 answer is" if result.unfinished == 1 else f"{result.unfinished} answers are"
        flash(f"Saved, but not complete: {count} missing or cannot be read.", "warning")
        return redirect(f"{_url(form)}?missing=1", _SEE_OTHER)
    if result.open_checks:
        count = "1 check waits" if result.open_checks == 1 else f"{result.open_checks} checks wait"
        flash(f"Saved. {count} for a correction or a reason.", "warning")
        return redirect(_url(form), _SEE_OTHER)
    flash("Saved and complete." if result.marked_complete else "Saved.", "success")
    # Back to where the person was: beside the buttons.
    return redirect(f"{_url(form)}#save", _SEE_OTHER)


@blueprint.get("/trials/<trial>/subjects/<subject>/visits/<visit>/forms/<form>/history")
@requires(Permission.SEE_DATA, on=visit_place)
def history(trial: str, subject: str, visit: str, form: str) -> Answer:
    """Show what became of each value of a form."""
    del trial, subject, visit
    place, person = current_place(), current_person()
    page = form_page(place, form, person)
    return render_template(
        "casebook/history.html",
        page=page,
        place=place,
        url=_url(form),
        changes=form_history(place, form, unseen=page.not_shown),
    )
