"""The operators' pages: every submission with the job that carries it on, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework import imaging
from trialimg.casework.access import INSTALLATION, submission_place
from trialimg.casework.pipeline_page import AGAIN, PERSON, STUCK, pipeline_page, submission_jobs
from trialimg.casework.services import services
from trialimg.casework.submission_page import submission_report
from trialimg.domain.permission import Permission
from trialimg.domain.submission import ENDED, RESUME, Stage
from trialimg.errors import HTTP_STATUS, BadInput, Conflict
from trialimg.pipeline import destination
from trialimg.web.guard import current_person, current_place, installation, requires, somewhere

blueprint = Blueprint("pipeline", __name__)
Answer = str | AnyResponse | tuple[str, int]
_LAST_PAGE: Final = 1_000_000
FILTERS: Final = {PERSON: "Waits for a person", STUCK: "Should move and does not", AGAIN: "Tried again"}


@blueprint.get("/pipeline")
@requires(Permission.SEE_PIPELINE, on=somewhere)
def overview() -> str:
    """Show every submission within reach, by stage, and what is stuck."""
    person, show = current_person(), request.args.get("show", "")
    if show not in {*FILTERS, *(stage.value for stage in Stage)}:
        show = ""
    page = request.args.get("page", default=1, type=int)
    return render_template(
        "pipeline/overview.html",
        page=pipeline_page(person, show=show, page=min(page, _LAST_PAGE)),
        show=show,
        filters=FILTERS,
        ends=ENDED,
        may_resume=person.may(Permission.RUN_PIPELINE, INSTALLATION),
    )


@blueprint.get("/pipeline/<submission>")
@requires(Permission.SEE_PIPELINE, on=submission_place)
def work(submission: str) -> str:
    """Show the jobs of one submission, and the acts that are possible now."""
    del submission
    return _page()


def _page(refused: str = "", act: str = "") -> str:
    place, person = current_place(), current_person()
    report = submission_report(place)
    held_by_step = report.stage is Stage.HELD and bool(report.held_from)
    return render_template(
        "pipeline/work.html",
        report=report,
        jobs=submission_jobs(place),
        place=place,
        here=f"/pipeline/{place.submission_id}",
        may_run=person.may(Permission.RUN_PIPELINE, place),
        may_see=person.may(Permission.SEE_TRIAL, place),
        may_retry=report.stage in RESUME or held_by_step,
        may_hold=report.stage in RESUME,
        may_cancel=report.stage not in ENDED | {Stage.LINKED},
        refused=refused,
        act=act,
        typed=request.form,
    )


def _do(act: str, verb: Callable[[Any, str], None], said: str) -> Answer:
    place = current_place()
    try:
        reason = imaging.a_reason(request.form.get(f"reason-{act}", ""))
        with current_person().acting(reason, place) as uow:
            verb(uow, reason)
    except (BadInput, Conflict) as error:
        return _page(error.sentence, act), HTTP_STATUS[type(error)]
    flash(said, "success")
    return redirect(f"/pipeline/{place.submission_id}", 303)


@blueprint.post("/pipeline/<submission>/retry")
@requires(Permission.RUN_PIPELINE, on=submission_place)
def retry(submission: str) -> Answer:
    """Let a held submission go on, or run the step that waits now."""
    del submission
    return _do("retry", lambda uow, _why: imaging.retry(uow, current_place()), "The step is started again now.")


@blueprint.post("/pipeline/<submission>/hold")
@requires(Permission.RUN_PIPELINE, on=submission_place)
def hold(submission: str) -> Answer:
    """Stop a submission until somebody lets it go on."""
    del submission
    return _do("hold", lambda uow, why: imaging.hold(uow, current_place(), why), "Held until somebody lets it go on.")


@blueprint.post("/pipeline/<submission>/cancel")
@requires(Permission.RUN_PIPELINE, on=submission_place)
def cancel(submission: str) -> Answer:
    """Cancel a submission and destroy its bytes."""
    del submission

    def verb(uow: Any, why: str) -> None:
        imaging.cancel(uow, services(), current_place(), why)

    return _do("cancel", verb, "Cancelled. What had been received was destroyed.")


@blueprint.post("/pipeline/resume")
@requires(Permission.RUN_PIPELINE, on=installation)
def resume() -> AnyResponse:
    """Let sending to the archive go on after it had refused us."""
    with current_person().acting("sending resumed by a person", INSTALLATION) as uow:
        destination.resume(uow)
    flash("Sending goes on. Should the archive still refuse us, it pauses again and says so here.", "success")
    return redirect("/pipeline", 303)
