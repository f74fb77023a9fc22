"""The page that tells how a submission was de-identified, and its report to take along as JSON and PDF."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, jsonify, render_template, request

from trialimg.casework.access import submission_place
from trialimg.casework.services import services
from trialimg.documents.deid import PARTS, DeidAccount, decision_words, outcome_words
from trialimg.domain.permission import Permission
from trialimg.errors import NotFound
from trialimg.reporting.deid import deid_account, deid_document, note_download
from trialimg.web.guard import current_person, current_place, requires
from trialimg.web.imaging import crumbs
from trialimg.web.uploads import submission_url

blueprint = Blueprint("deid_report", __name__)
_MOST_ROWS: Final = 500


def _url(submission: str) -> str:
    return f"{submission_url(submission)}/deidentification"


@blueprint.get("/submissions/<submission>/deidentification")
@requires(Permission.SEE_TRIAL, on=submission_place)
def show(submission: str) -> str:
    """Show what was taken out, by which rules, what was decided on pixels, and what the search for residue found."""
    place = current_place()
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
        options=account.any_report.to_json()["options"] if account.any_report else [],
    )


def _taken(kind: str) -> DeidAccount:
    """Give the account to be taken along, and leave a record of that."""
    place, person = current_place(), current_person()
    account = deid_account(place, person)
    if account.any_report is None:
        raise NotFound
    with person.acting(f"de-identification report taken along as {kind}", place) as uow:
        note_download(uow, place, kind)
    return account


def _named(answer: Response, account: DeidAccount, ending: str) -> Response:
    name = f"{account.trial}-{account.subject}-{account.visit}-{account.slot}-deidentification.{ending}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/submissions/<submission>/deidentification.json")
@requires(Permission.SEE_TRIAL, on=submission_place)
def as_json(submission: str) -> Response:
    """Give the report as JSON."""
    del submission
    account = _taken("JSON")
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
    return _named(jsonify(document), account, "json")


@blueprint.get("/submissions/<submission>/deidentification.pdf")
@requires(Permission.SEE_TRIAL, on=submission_place)
def as_pdf(submission: str) -> Response:
    """Give the report as a PDF made to be kept."""
    del submission
    account = _taken("PDF")
    return _named(Response(deid_document(services(), account), mimetype="application/pdf"), account, "pdf")
