"""The pages of images at a slot: what is expected, what was found, how far it is, and what waits for a decision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from flask import Blueprint, Response, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework import held, imaging
from trialimg.casework.access import Place, slot_place, submission_place
from trialimg.casework.pixel_review import reviewing_role
from trialimg.casework.pixel_review_page import never_shown, to_look_at
from trialimg.casework.pixel_series import REVIEWED
from trialimg.casework.services import services
from trialimg.casework.slots import slot_page
from trialimg.casework.submission_page import MAIN_LINE, SubmissionReport, submission_report
from trialimg.casework.summary import FoundSeries, FoundStudy, Summary, find_summary, read_picture
from trialimg.domain.permission import Permission
from trialimg.domain.submission import ENDED, Fate, Stage
from trialimg.errors import HTTP_STATUS, BadInput, Conflict, NotFound, TrialimgError
from trialimg.pipeline.preview import preview
from trialimg.web.guard import current_person, current_place, requires
from trialimg.web.uploads import a_day, submission_url

blueprint = Blueprint("imaging", __name__)
Answer = str | AnyResponse | tuple[str, int]

_MOST_LINES: Final = 500
_TOLD_SECONDS: Final = 0.05
_LABELS: Final = {
    Stage.RECEIVING: "Receiving", Stage.RECEIVED: "Looking through", Stage.SURVEYED: "To confirm",
    Stage.CONFIRMED: "De-identifying", Stage.CLEAN: "Keeping safe", Stage.PROMISED: "Sending to the archive",
    Stage.SENT: "Proving by reading back", Stage.LINKED: "Linked",
}  # fmt: skip
_STEP_OF: Final = {
    Stage.RECEIVED: "survey", Stage.CONFIRMED: "deidentify", Stage.CLEAN: "outbox", Stage.PROMISED: "push",
    Stage.SENT: "verify",
}  # fmt: skip


def slot_url(place: Place) -> str:
    """Give the address of a slot's page."""
    visit = f"/trials/{place.trial_code}/subjects/{place.subject_number}/visits/{place.visit_key}"
    return f"{visit}/slots/{place.slot_key}"


def crumbs(place: Place, *more: dict[str, str]) -> list[dict[str, str]]:
    """Give where a place lies, as far as it is named."""
    trail = [{"label": place.trial_code, "url": f"/trials/{place.trial_code}"}]
    if place.subject_number:
        home = f"/trials/{place.trial_code}/subjects/{place.subject_number}"
        trail.append({"label": place.subject_number, "url": home})
        if place.visit_key:
            trail.append({"label": place.visit_key, "url": f"{home}/visits/{place.visit_key}"})
        if place.slot_key:
            trail.append({"label": place.slot_key, "url": slot_url(place)})
    return [*trail, *more]


@blueprint.get("/trials/<trial>/subjects/<subject>/visits/<visit>/slots/<slot>")
@requires(Permission.SEE_TRIAL, on=slot_place)
def slot(trial: str, subject: str, visit: str, slot: str) -> str:
    """Show a slot: what is expected, what is linked, what was sent, and where to attach."""
    del trial, subject, visit, slot
    place, person = current_place(), current_person()
    shown = slot_page(place, person)
    return render_template(
        "imaging/slot.html",
        page=shown,
        place=place,
        here=slot_url(place),
        crumbs=crumbs(place),
        may_open=person.may(Permission.OPEN_IMAGES, place),
        may_enter=person.may(Permission.ENTER_DATA, place),
        may_move=person.may(Permission.MOVE_LINK, place),
        may_attach_here=person.may(Permission.ATTACH_IMAGES, place),
    )


# --- one submission ---------------------------------------------------------------------------------------


@blueprint.get("/submissions/<submission>")
@requires(Permission.SEE_TRIAL, on=submission_place)
def submission(submission: str) -> str:
    """Show how a submission stands, and what a person must do about it."""
    del submission
    return _submission_page()


def _submission_page(refused: str = "") -> str:
    place, person = current_place(), current_person()
    report = submission_report(place)
    of_site = person.may(Permission.ATTACH_IMAGES, place)
    found = find_summary(services(), place.submission_id) if of_site else None
    names = {each.ordinal: each.name for each in found.objects} if found else {}
    # A cancelled submission discards everything that was left: once is enough to say so.
    quiet = {Fate.HELD, Fate.DISCARDED} if report.stage is Stage.CANCELLED else {Fate.HELD}
    told = [item for item in report.objects if item.sentence and item.fate not in quiet]
    looked_at = to_look_at(place)
    others = [item for item in report.held if item.ordinal not in looked_at]
    return render_template(
        "imaging/submission.html",
        report=report,
        place=place,
        base=submission_url(place.submission_id),
        slot_url=slot_url(place),
        crumbs=crumbs(place, {"label": "Images sent"}),
        progress=_panel(report, submission_url(place.submission_id)),
        found=_found(found, place) if found and report.stage is Stage.SURVEYED else None,
        names=names,
        told=told[:_MOST_LINES],
        more_told=max(0, len(told) - _MOST_LINES),
        held=others[:_MOST_LINES],
        held_count=len(others),
        never_shown=never_shown(place),
        may_send_held=all(item.code in REVIEWED for item in others),
        pixels=sum(item.ordinal in looked_at for item in report.held),
        may_review=reviewing_role(person, place) is not None,
        of_site=of_site,
        may_decide=person.may(Permission.DECIDE_HELD, place) and report.stage in {Stage.LINKED, Stage.HELD},
        may_open=person.may(Permission.OPEN_IMAGES, place),
        may_cancel=of_site and report.stage not in ENDED | {Stage.LINKED},
        may_move=person.may(Permission.MOVE_LINK, place),
        may_run=person.may(Permission.SEE_PIPELINE, place),
        refused=refused,
        typed=request.form,
    )


def _panel(report: SubmissionReport, base: str) -> dict[str, Any] | None:
    """Give the progress panel, None for what has ended otherwise than linked."""
    if report.stage in ENDED:
        return None
    stopped = report.stage is Stage.HELD
    at = Stage(report.held_from or Stage.CONFIRMED.value) if stopped else report.stage
    where = MAIN_LINE.index(at) if at in MAIN_LINE else len(MAIN_LINE)
    stages = []
    for number, stage in enumerate(MAIN_LINE):
        reached = number < where or report.stage is Stage.LINKED
        now = ("failed" if stopped else "current") if number == where else "waiting"
        seconds = report.timings.get(_STEP_OF.get(stage, ""))
        note = f"{seconds:.1f} s" if seconds is not None and seconds >= _TOLD_SECONDS and reached else ""
        stages.append({"key": stage.value, "label": _LABELS[stage], "state": "done" if reached else now, "note": note})
    progress = report.progress()
    # Why it is held stands in the notice below, with what to do about it.
    sentence = "" if stopped else progress["sentence"]
    return {**progress, "sentence": sentence, "url": f"{base}/progress", "stages": stages}


def _found(summary: Summary, place: Place) -> dict[str, Any]:
    """Lay out what a survey found: studies with their series, chosen ones marked, and the problems once each."""
    page = slot_page(place, current_person())
    chosen = summary.preselected(page.modalities, several=page.state.several_studies)
    if request.method == "POST":
        chosen = frozenset(_numbers(request.form.getlist("series")))
    patients = {patient.index: patient for patient in summary.patients}
    told = sorted(
        (problem for problem in summary.problems if not problem.about.startswith("object:")),
        key=lambda problem: problem.level != "stop",
    )
    each_stopped = [summary.stops(frozenset({entry.index})) for entry in summary.series]
    # Where no series at all may be taken, that is as hopeless as what forbids the whole.
    hopeless = summary.hopeless or ([s for stops in each_stopped for s in stops] if all(each_stopped) else [])
    return {
        "hopeless": hopeless,
        "stops": {*hopeless, *summary.stops(chosen)},
        "problems": list({problem.sentence: problem for problem in told}.values()),
        "patients": summary.patients,
        "studies": [
            {"study": study, "patient": patients.get(study.patient), "series": _series(summary, study, chosen)}
            for study in summary.studies
        ],
        "acquired": summary.study_date(chosen),
    }


def _series(summary: Summary, study: FoundStudy, chosen: frozenset[int]) -> list[dict[str, Any]]:
    def line(entry: FoundSeries) -> dict[str, Any]:
        stops = summary.stops(frozenset({entry.index}))
        return {"entry": entry, "chosen": entry.index in chosen and not stops, "stops": stops}

    return [line(entry) for entry in summary.series if entry.study == study.index]


def _numbers(texts: Iterable[str]) -> list[int]:
    try:
        return [int(text) for text in texts]
    except ValueError:
        raise BadInput("The choice was not understood. Load the page again and repeat; nothing was changed.") from None


def _refused(error: TrialimgError) -> tuple[str, int]:
    return _submission_page(error.sentence), HTTP_STATUS[type(error)]


@blueprint.post("/submissions/<submission>/confirm")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def confirm(submission: str) -> Answer:
    """Let the chosen series go on to the slot."""
    place = current_place()
    try:
        series = frozenset(_numbers(request.form.getlist("series")))
        acquired = a_day(request.form.get("acquired"))
        with current_person().acting("confirmed what goes where", place) as uow:
            imaging.confirm(uow, services(), place, series=series, acquired=acquired)
    except (BadInput, Conflict) as error:
        return _refused(error)
    flash("Confirmed. The work goes on by itself; you can close this page.", "success")
    return redirect(submission_url(submission), 303)


@blueprint.get("/submissions/<submission>/series/<int:series>/picture")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def series_picture(submission: str, series: int) -> Response:
    """Show a small picture of a series that waits in quarantine, to the site's people only."""
    return Response(read_picture(services(), submission, series), content_type="image/png")


@blueprint.get("/submissions/<submission>/objects/<int:ordinal>/picture")
@requires(Permission.DECIDE_HELD, on=submission_place)
def object_picture(submission: str, ordinal: int) -> Response:
    """Show a held image to the person of the site who must decide on it."""
    if not any(item.ordinal == ordinal for item in submission_report(current_place()).held):
        raise NotFound
    return Response(preview(services(), submission, ordinal), content_type="image/png")


@blueprint.post("/submissions/<submission>/decision")
@requires(Permission.DECIDE_HELD, on=submission_place)
def decide(submission: str) -> Answer:
    """Decide on held images: send them all the same, discard them, or keep them waiting."""
    place = current_place()
    try:
        decision = held.Decision(request.form.get("decision", ""))
    except ValueError:
        return _refused(BadInput("Choose what becomes of these images: send, discard or keep. Nothing was changed."))
    reason = request.form.get("reason", "")
    try:
        if request.form.get("all"):
            ordinals = frozenset(item.ordinal for item in submission_report(place).held) - to_look_at(place)
        else:
            ordinals = frozenset(_numbers(request.form.getlist("ordinal")))
        with current_person().acting(reason, place) as uow:
            count = held.decide(uow, place, ordinals=ordinals, decision=decision, reason=reason)
    except (BadInput, Conflict) as error:
        return _refused(error)
    done = {"send": "are sent", "discard": "were discarded", "keep": "are kept waiting"}[decision.value]
    flash(f"{count} held {'image' if count == 1 else 'images'}: they {done}. The decision is recorded.", "success")
    return redirect(submission_url(submission), 303)
