"""The page on which people look at held pixels: boxes proposed, drawn and typed, approved or rejected, then sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework import pixel_review as review
from trialimg.casework.access import Place, submission_place
from trialimg.casework.pixel_review_page import (
    ReviewPage,
    SeriesView,
    ShownBox,
    held_for_pixels,
    review_page,
    series_view,
)
from trialimg.casework.services import services
from trialimg.domain.mask import Box
from trialimg.domain.permission import Permission, Role
from trialimg.domain.pixel_review import MOST_DRAWN, Drawn, read_on
from trialimg.errors import HTTP_STATUS, BadInput, Conflict, NotAllowed, TrialimgError
from trialimg.pipeline.look import FULL_SIDE, LONGEST_SIDE, start_look
from trialimg.pipeline.preview import frame_picture
from trialimg.web.guard import current_person, current_place, requires
from trialimg.web.imaging import crumbs
from trialimg.web.uploads import submission_url

blueprint = Blueprint("pixel_review", __name__)
Answer = str | AnyResponse | tuple[str, int]

_NUMBERS: Final = ("x", "y", "width", "height")
_SPARE_ROWS: Final = 2
_LONGEST_NUMBER: Final = 12
_KEPT: Final = "The boxes you drew stand below, beside what stands there now; they are not noted yet."
_GONE: Final = "These images wait no more, so the boxes you drew cover nothing. Look at the images sent to see why."


def pixels_url(submission: str, series: int | None = None) -> str:
    """Give the address of the page, of one series of it where one is named."""
    base = f"{submission_url(submission)}/pixels"
    return base if series is None else f"{base}/{series}"


def _role() -> Role:
    role = review.reviewing_role(current_person(), current_place())
    if role is None:  # the guard has asked already; the role may have ended since
        raise NotAllowed("Your role does not allow you to decide on these images any more.")
    return role


@blueprint.get("/submissions/<submission>/pixels")
@requires(Permission.REVIEW_PIXELS, on=submission_place, admitting=review.admit_reviewer)
def pixels(submission: str) -> str:
    """Show the first series nobody has decided on, else what is decided and waits to be sent."""
    del submission
    page = review_page(current_place())
    return _shown(page, page.next)


@blueprint.get("/submissions/<submission>/pixels/<int:series>")
@requires(Permission.REVIEW_PIXELS, on=submission_place, admitting=review.admit_reviewer)
def pixels_of(submission: str, series: int) -> str:
    """Show one series with its boxes."""
    del submission
    return _shown(review_page(current_place()), series)


@blueprint.get("/submissions/<submission>/pixels/progress")
@requires(Permission.REVIEW_PIXELS, on=submission_place, admitting=review.admit_reviewer)
def progress(submission: str) -> Response:
    """Tell how far the search for text is."""
    del submission
    return jsonify(review_page(current_place()).progress())


@blueprint.get("/submissions/<submission>/objects/<int:ordinal>/frames/<int:frame>/picture")
@requires(Permission.REVIEW_PIXELS, on=submission_place, admitting=review.admit_reviewer)
def picture(submission: str, ordinal: int, frame: int) -> Response:
    """Show one frame of a held image, frames counted from 1; with ``size=full`` as large as it is stored."""
    longest = held_for_pixels(current_place(), ordinal, frame - 1)
    full = request.args.get("size") == "full" and longest > LONGEST_SIDE
    return Response(frame_picture(services(), submission, ordinal, frame - 1, full=full), content_type="image/png")


@blueprint.post("/submissions/<submission>/pixels/<int:series>/approve")
@requires(Permission.REVIEW_PIXELS, on=submission_place, admitting=review.admit_reviewer)
def approve(submission: str, series: int) -> Answer:
    """Note that a series may go on with these boxes covered."""
    place, role = current_place(), _role()
    try:
        drawn = _drawn()
        reason = f"looked at the pixels: {len(drawn)} boxes" if drawn else "looked at the pixels: nothing to hide"
        with current_person().acting(reason, place) as uow:
            review.approve(
                uow, place, series, seen=request.form.get("seen", ""), drawn=drawn,
                also=bool(request.form.get("also")), role=role,
            )  # fmt: skip
    except (BadInput, Conflict) as error:
        return _refused(series, error)
    return redirect(pixels_url(submission), 303)


@blueprint.post("/submissions/<submission>/pixels/<int:series>/reject")
@requires(Permission.REVIEW_PIXELS, on=submission_place, admitting=review.admit_reviewer)
def reject(submission: str, series: int) -> Answer:
    """Note that a series is not to be sent, with the reason."""
    place, role, reason = current_place(), _role(), _reason()
    try:
        with current_person().acting(reason, place) as uow:
            review.reject(uow, place, series, seen=request.form.get("seen", ""), reason=reason, role=role)
    except (BadInput, Conflict) as error:
        return _refused(series, error)
    return redirect(pixels_url(submission), 303)


@blueprint.post("/submissions/<submission>/pixels/<int:series>/boxes")
@requires(Permission.REVIEW_PIXELS, on=submission_place, admitting=review.admit_reviewer)
def boxes(submission: str, series: int) -> Answer:
    """Show the boxes as they were typed, and decide nothing: for browsers that run no script."""
    del submission
    try:
        drawn = _drawn()
    except BadInput as error:
        return _refused(series, error)
    return _shown(review_page(current_place()), series, drawn=drawn)


@blueprint.post("/submissions/<submission>/pixels/<int:series>/back")
@requires(Permission.REVIEW_PIXELS, on=submission_place, admitting=review.admit_reviewer)
def take_back(submission: str, series: int) -> Answer:
    """Take back a decision that was only noted."""
    place = current_place()
    try:
        with current_person().acting("took a decision on pixels back", place) as uow:
            review.take_back(uow, place, series, seen=request.form.get("seen", ""))
    except (BadInput, Conflict) as error:
        return _refused(series, error)
    return redirect(pixels_url(submission, series), 303)


@blueprint.post("/submissions/<submission>/pixels/send")
@requires(Permission.REVIEW_PIXELS, on=submission_place, admitting=review.admit_reviewer)
def send(submission: str) -> Answer:
    """Start the steps for everything that is decided."""
    place = current_place()
    _role()
    try:
        with current_person().acting("sent what was decided on pixels", place) as uow:
            approved, rejected = review.send(uow, place, seen=request.form.get("seen", ""))
    except (BadInput, Conflict) as error:
        return _refused(None, error)
    gone = f"{approved} {'image goes' if approved == 1 else 'images go'} on"
    flash(f"{gone}{f', {rejected} discarded' if rejected else ''}. The decisions are recorded.", "success")
    return redirect(submission_url(submission), 303)


@blueprint.post("/submissions/<submission>/pixels/look")
@requires(Permission.REVIEW_PIXELS, on=submission_place, admitting=review.admit_reviewer)
def look(submission: str) -> Answer:
    """Search again for text, where the search was stopped."""
    place = current_place()
    with current_person().acting("asked to search the pixels again", place) as uow:
        start_look(uow, place)
    return redirect(pixels_url(submission), 303)


# --- what the page shows -------------------------------------------------------------------------------------


def _shown(
    page: ReviewPage,
    series: int | None,
    *,
    drawn: Sequence[Drawn] | None = None,
    beside: bool = False,
    typed_rows: Sequence[dict[str, str]] = (),
    refused: str = "",
) -> str:
    """Show the page; ``drawn`` boxes stand in place of those of the series, or ``beside`` them."""
    place = current_place()
    view = series_view(place, series) if series is not None else None
    base = pixels_url(place.submission_id)
    boxes = view.boxes if view else ()
    if drawn is not None:
        mine = tuple(_as_shown(each, view) for each in drawn)
        boxes = (*boxes, *(each for each in mine if each not in boxes)) if beside else mine
    return render_template(
        "pixels/review.html",
        page=page,
        view=view,
        boxes=boxes,
        rows=typed_rows or boxes,
        unsaved=drawn is not None or bool(typed_rows),
        coarse=min(1.0, LONGEST_SIDE / view.line.longest) if view else 1.0,
        beyond=bool(view and view.line.longest > FULL_SIDE),
        spare=range(_SPARE_ROWS),
        at=_turned_to(view) if view else None,
        place=place,
        base=base,
        home=submission_url(place.submission_id),
        crumbs=_crumbs(place),
        panel={**page.progress(), "url": f"{base}/progress"},
        refused=refused,
        lacks_reason=bool(refused) and request.endpoint == "pixel_review.reject" and not _reason(),
        typed=request.form,
    )


def _reason() -> str:
    return request.form.get("reason", "").strip()


def _crumbs(place: Place) -> list[dict[str, str]]:
    sent = {"label": "Images sent", "url": submission_url(place.submission_id)}
    return crumbs(place, sent, {"label": "Held pixels"})


def _as_shown(drawn: Drawn, view: SeriesView | None) -> ShownBox:
    box = drawn.box
    known = {(each.x, each.y, each.width, each.height): each.by for each in view.boxes} if view else {}
    by = known.get((box.x, box.y, box.width, box.height), "person")
    return ShownBox(box.x, box.y, box.width, box.height, drawn.on, by)


def _turned_to(view: SeriesView) -> dict[str, Any]:
    """Give the frame that is shown where no script runs: its place in the row of all, and what lies beside it."""
    every = [(ordinal, frame) for ordinal, frames in view.images for frame in range(1, frames + 1)]
    try:
        number = int(request.args.get("at", "1")[:_LONGEST_NUMBER])
    except ValueError:
        number = 1
    number = min(max(number, 1), len(every))
    ordinal, frame = every[number - 1]
    return {"number": number, "of": len(every), "ordinal": ordinal, "frame": frame}


def _drawn() -> list[Drawn]:
    """Read the boxes of a form: four numbers each and what they are for; a row without numbers is no box."""
    columns = [request.form.getlist(name) for name in _NUMBERS]
    where = request.form.getlist("on")
    if len({len(each) for each in (*columns, where)}) > 1 or len(where) > MOST_DRAWN + _SPARE_ROWS:
        raise BadInput("The list of boxes was not understood. Load the page again; nothing was changed.")
    found = []
    for row, (on, *texts) in enumerate(zip(where, *columns, strict=True), 1):
        if any(text.strip() for text in texts):
            found.append(Drawn(Box(*(_number(text, row) for text in texts)), *read_on(on)))
    return found


def _number(text: str, row: int) -> int:
    text = text.strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(text) > _LONGEST_NUMBER:
        raise BadInput(f"Box {row}: left, top, width and height are whole numbers of pixels. Nothing was changed.")
    return int(text)


def _refused(series: int | None, error: TrialimgError) -> tuple[str, int]:
    """Show the page with the sentence, and what was drawn: also where somebody else decided meanwhile."""
    page = review_page(current_place())
    changed, here = isinstance(error, Conflict), series in {line.series for line in page.lines}
    drawn: list[Drawn] | None = None
    typed_rows: list[dict[str, str]] = []
    if "on" in request.form:
        try:
            drawn = _drawn()
        except BadInput:
            typed_rows = _typed_rows()
    sentence = error.sentence
    if changed and drawn:
        sentence = f"{sentence} {_KEPT if here else _GONE}"
    if not here:
        drawn, typed_rows = None, []
    shown = series if here else page.next
    told = _shown(page, shown, drawn=drawn, beside=changed, typed_rows=typed_rows, refused=sentence)
    return told, HTTP_STATUS[type(error)]


def _typed_rows() -> list[dict[str, str]]:
    """Give the rows of the form as they were typed, of what cannot be read as boxes; at most as many as may be."""
    names = (*_NUMBERS, "on")
    rows = zip(*(request.form.getlist(name) for name in names), strict=False)
    typed = [dict(zip(names, (text[:_LONGEST_NUMBER] for text in row), strict=True)) for row in rows if any(row)]
    return [{**row, "by": "person"} for row in typed[:MOST_DRAWN]]
