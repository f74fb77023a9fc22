"""What leaves the house by way of pages: casebooks and data asked for, followed, downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework.access import Place
from trialimg.casework.casebook import part_place
from trialimg.domain.permission import Permission
from trialimg.errors import BadInput, Conflict
from trialimg.reporting import export as reporting
from trialimg.reporting.export import CASEBOOK, DATA, ExportLine
from trialimg.web.guard import current_person, current_place, requires

blueprint = Blueprint("reports", __name__)
Answer = str | AnyResponse | tuple[str, int]
_REFUSED, _CHANGED, _SEE_OTHER = 422, 409, 303
_PIECE = 1 << 18


def trial_reported(trial: str) -> Place:
    """Find the trial, or the part of it, whose casebooks this person may make."""
    return part_place(current_person(), trial, Permission.EXPORT_CASEBOOK)


def trial_exported(trial: str) -> Place:
    """Find the trial, or the part of it, whose data this person may export."""
    return part_place(current_person(), trial, Permission.EXPORT_DATA)


def _page(refused: str = "") -> str:
    place, person = current_place(), current_person()
    lines = reporting.exports_of(person, place)
    return render_template(
        "reports/reports.html",
        place=place,
        subjects=reporting.subjects_within(person, place.trial_code, CASEBOOK),
        chosen=frozenset(request.form.getlist("subject")),
        may_export_data=person.may(Permission.EXPORT_DATA, place),
        exports=lines,
        progress={line.export_id: progress_of(line, _progress_url(line)) for line in lines if not line.finished},
        refused=refused,
    )


def _progress_url(line: ExportLine) -> str:
    return f"/trials/{current_place().trial_code}/reports/{line.export_id}/progress"


def progress_of(line: ExportLine, url: str) -> dict[str, Any]:
    """Give what a progress panel needs of an export."""
    words = {"waiting": "Waits for a worker.", "in_progress": "Being made.", "retrying": line.sentence}
    return {
        "url": url,
        "stage": line.state,
        "done": line.done,
        "total": line.total,
        "sentence": words.get(line.state, line.sentence),
        "finished": line.finished,
        "needs_person": False,
    }


@blueprint.get("/trials/<trial>/reports")
@requires(Permission.EXPORT_CASEBOOK, on=trial_reported)
def show(trial: str) -> Answer:
    """Show what this person may export, and their exports."""
    del trial
    return _page()


def _ask(kind: str, subjects: list[str]) -> Answer:
    person, place = current_person(), current_place()
    try:
        with person.acting(f"export: {kind}", place) as uow:
            reporting.ask(uow, person, place, kind, subjects)
    except (BadInput, Conflict) as error:
        return _page(error.sentence), _CHANGED if isinstance(error, Conflict) else _REFUSED
    flash("Asked for. It is made in the background; you can leave this page.", "success")
    return redirect(f"/trials/{place.trial_code}/reports", _SEE_OTHER)


@blueprint.post("/trials/<trial>/reports/casebook")
@requires(Permission.EXPORT_CASEBOOK, on=trial_reported)
def ask_casebook(trial: str) -> Answer:
    """Ask for the casebooks of the subjects chosen, or of all."""
    del trial
    chosen = list(dict.fromkeys(request.form.getlist("subject")))
    if request.form.get("all") != "1" and not chosen:
        return _page("No subject was chosen, so nothing was asked for. Choose subjects, or all of them."), _REFUSED
    return _ask(CASEBOOK, [] if request.form.get("all") == "1" else chosen)


@blueprint.post("/trials/<trial>/reports/data")
@requires(Permission.EXPORT_DATA, on=trial_exported)
def ask_data(trial: str) -> Answer:
    """Ask for all data within reach as tables."""
    del trial
    return _ask(DATA, [])


@blueprint.get("/trials/<trial>/reports/<export>/progress")
@requires(Permission.EXPORT_CASEBOOK, on=trial_reported)
def progress(trial: str, export: str) -> Response:
    """Say how far an export is; a page asks each second."""
    del trial
    line = reporting.export_line(current_person(), current_place(), export)
    return jsonify(progress_of(line, _progress_url(line)))


@blueprint.post("/trials/<trial>/reports/<export>/cancel")
@requires(Permission.EXPORT_CASEBOOK, on=trial_reported)
def cancel(trial: str, export: str) -> AnyResponse:
    """Give up an export that is under way."""
    person, place = current_person(), current_place()
    with person.acting("export cancelled", place) as uow:
        reporting.cancel(uow, person, place, export)
    flash("Cancelled. What was made of it is destroyed.", "success")
    return redirect(f"/trials/{trial}/reports", _SEE_OTHER)


@blueprint.get("/trials/<trial>/reports/<export>/download")
@requires(Permission.EXPORT_CASEBOOK, on=trial_reported)
def download(trial: str, export: str) -> Answer:
    """Give the file of an export; each time leaves a record."""
    del trial
    person, place = current_person(), current_place()
    with person.acting("export downloaded", place) as uow:
        stream, line = reporting.download(uow, person, place, export)
    return file_answer(stream, line)


def file_answer(stream: BinaryIO, line: ExportLine) -> Response:
    """Send the file of an export, piece by piece."""
    kind = "application/pdf" if line.file_name.endswith(".pdf") else "application/zip"
    answer = Response(_pieces(stream), mimetype=kind)
    answer.headers["Content-Disposition"] = f'attachment; filename="{line.file_name}"'
    answer.headers["Content-Length"] = str(line.size)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(_PIECE):
            yield piece
