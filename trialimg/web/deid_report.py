"""The page that tells how a submission was de-identified, and its report to take along as JSON and PDF."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework.access import submission_place
from trialimg.documents.deid import PARTS, DeidAccount, decision_words, outcome_words
from trialimg.domain.permission import Permission
from trialimg.errors import Conflict, NotFound
from trialimg.reporting import export as reporting
from trialimg.reporting.deid import deid_account, note_download
from trialimg.web.guard import current_person, current_place, requires
from trialimg.web.imaging import crumbs
from trialimg.web.reports import file_answer, progress_of
from trialimg.web.uploads import submission_url

blueprint = Blueprint("deid_report", __name__)
Answer = str | AnyResponse | tuple[str, int]
_MOST_ROWS: Final = 500
_CHANGED, _SEE_OTHER = 409, 303


def _url(submission: str) -> str:
    return f"{submission_url(submission)}/deidentification"


@blueprint.get("/submissions/<submission>/deidentification")
@requires(Permission.SEE_TRIAL, on=submission_place)
def show(submission: str) -> str:
    """Show what was taken out, by which rules, what was decided on pixels, and what the search for residue found."""
    del submission
    return _page()


def _page(refused: str = "") -> str:
    place = current_place()
    submission, document = place.submission_id, reporting.report_line(current_person(), place)
    account = deid_account(place, current_person())
    wanted, group = request.args.get("find", "").strip()[:80], request.args.get("group", "")
    rows = [
        row
        for row in account.rows
        if (not group or row.group == group)
        and (not wanted or wanted.casefold() in f"{row.keyword} {row.path} {row.action}".casefold())
    ]
    return render_template(
        "deid/report.html",
        account=account,
        place=place,
        base=_url(submission),
        submission_url=submission_url(submission),
        crumbs=crumbs(
            place, {"label": "Images sent", "url": submission_url(submission)}, {"label": "De-identification"}
        ),
        rows=rows[:_MOST_ROWS],
        more=max(0, len(rows) - _MOST_ROWS),
        found=len(rows),
        find=wanted,
        group=group,
        parts=PARTS,
        decision_words=decision_words,
        outcome_words=outcome_words,
        document=document,
        progress=progress_of(document, f"{_url(submission)}/pdf/progress") if document else None,
        refused=refused,
        options=account.any_report.to_json()["options"] if account.any_report else [],
    )


def _taken() -> DeidAccount:
    """Give the account to be taken along, and leave a record of that."""
    place, person = current_place(), current_person()
    account = _told()
    with person.acting("de-identification report taken along as JSON", place) as uow:
        note_download(uow, place)
    return account


def _told() -> DeidAccount:
    """Give the account; raises NotFound where there is nothing to tell yet."""
    account = deid_account(current_place(), current_person())
    if account.any_report is None:
        raise NotFound
    return account


@blueprint.get("/submissions/<submission>/deidentification.json")
@requires(Permission.SEE_TRIAL, on=submission_place)
def as_json(submission: str) -> Response:
    """Give the report as JSON."""
    del submission
    account = _taken()
    document: dict[str, Any] = {
        "trial": account.trial,
        "subject": account.subject,
        "visit": account.visit,
        "slot": account.slot,
        "submission": account.submission_id,
        "study_instance_uids": list(account.studies),
        "cleaned_at_source": account.cleaned_at_source,
        "report": account.report.to_json() if account.report else None,
        "as_told_by_the_sender": account.told.to_json() if account.told else None,
    }
    answer = jsonify(document)
    answer.headers["Content-Disposition"] = f'attachment; filename="{account.file_name}.json"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.post("/submissions/<submission>/deidentification/pdf")
@requires(Permission.SEE_TRIAL, on=submission_place)
def ask_pdf(submission: str) -> Answer:
    """Ask for the report as a PDF made to be kept; it is laid out in the background."""
    person, place = current_person(), current_place()
    _told()
    try:
        with person.acting("export: report of de-identification", place) as uow:
            reporting.ask_report(uow, person, place)
    except Conflict as error:
        return _page(error.sentence), _CHANGED
    return redirect(_url(submission), _SEE_OTHER)


@blueprint.get("/submissions/<submission>/deidentification/pdf")
@requires(Permission.SEE_TRIAL, on=submission_place)
def download_pdf(submission: str) -> AnyResponse:
    """Give the newest PDF this person asked for; each time leaves a record."""
    del submission
    person, place = current_person(), current_place()
    with person.acting("export downloaded", place) as uow:
        stream, line = reporting.download(uow, person, place, _asked().export_id)
    return file_answer(stream, line)


@blueprint.get("/submissions/<submission>/deidentification/pdf/progress")
@requires(Permission.SEE_TRIAL, on=submission_place)
def pdf_progress(submission: str) -> Response:
    """Say how far the PDF is; a page asks each second."""
    return jsonify(progress_of(_asked(), f"{_url(submission)}/pdf/progress"))


@blueprint.post("/submissions/<submission>/deidentification/pdf/cancel")
@requires(Permission.SEE_TRIAL, on=submission_place)
def cancel_pdf(submission: str) -> AnyResponse:
    """Give up a PDF that is under way."""
    person, place = current_person(), current_place()
    with person.acting("export cancelled", place) as uow:
        reporting.cancel(uow, person, place, _asked().export_id)
    flash("Cancelled. What was made of it is destroyed.", "success")
    return redirect(_url(submission), _SEE_OTHER)


def _asked() -> reporting.ExportLine:
    line = reporting.report_line(current_person(), current_place())
    if line is None:
        raise NotFound
    return line
