"""The reader's pages: the worklist, a read beside the viewer, signing; no page of them tells subject or site."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, flash, jsonify, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework import reading
from trialimg.casework.access import Place
from trialimg.casework.read_images import Images, images_of
from trialimg.casework.read_page import ReadPage, read_page, worklist
from trialimg.casework.reading import Credentials, own_read_place
from trialimg.casework.services import services
from trialimg.domain.permission import Permission
from trialimg.domain.reading import ReadState
from trialimg.domain.signature import Meaning
from trialimg.errors import HTTP_STATUS, BadInput, Conflict, NotAllowed, NotFound, TrialimgError
from trialimg.web.guard import current_person, current_place, requires, somewhere
from trialimg.web.read_form import (
    NON_TARGET_STATES,
    ORGANS,
    TARGET_STATES,
    Posted,
    answers_of,
    read_posted,
    revision_of,
    rows_of,
)
from trialimg.web.read_viewer import beside_of, viewer_address

blueprint = Blueprint("reading", __name__)
READS_A_PAGE: Final = 50
Answer = str | AnyResponse | tuple[str, int]


def my_read(read: str) -> Place:
    """Find the trial of a read of mine; another's is not found."""
    return own_read_place(current_person(), read)


@blueprint.get("/reads")
@requires(Permission.READ, on=somewhere)
def reads() -> str:
    """Show the reads assigned to me, a page of them."""
    items = worklist(current_person())
    pages = max(1, -(-len(items) // READS_A_PAGE))
    page = min(max(request.args.get("page", 1, type=int), 1), pages)
    shown = items[(page - 1) * READS_A_PAGE : page * READS_A_PAGE]
    to_do = sum(each.to_do for each in items)
    return render_template("reading/worklist.html", items=shown, to_do=to_do, total=len(items), page=page, pages=pages)


@blueprint.get("/reads/<read>")
@requires(Permission.READ, on=my_read)
def show(read: str) -> str:
    """Show one read of mine: the form and the viewer side by side; what is signed is only shown."""
    person, place = current_person(), current_place()
    page = read_page(person, read)
    if not page.can_change:
        return _signed(page)
    with person.acting("opened to read", place) as uow:
        reading.open_read(uow, read)
    return _form(page, images_of(services(), page.own_studies))


def _signed(page: ReadPage) -> str:
    images = _images(page)
    viewer = viewer_address(page, images)
    return render_template(
        "reading/signed.html", page=page, rows=rows_of(page, images), viewer=viewer, crumbs=_crumbs(page)
    )


def _images(page: ReadPage) -> Images:
    return images_of(services(), page.own_studies) if page.own_studies else Images()


def _crumbs(page: ReadPage, *more: dict[str, str]) -> list[dict[str, str]]:
    here = {"label": f"{page.code}, {page.time_point}", "url": f"/reads/{page.read_id}"}
    return [{"label": "Reads", "url": "/reads"}, here, *more]


def _form(page: ReadPage, images: Images, typed: Posted | None = None, refused: str = "") -> str:
    answers = {":".join(key): text for key, text in page.judged.answers.items()}
    if typed is not None:
        answers |= {":".join(key): text for key, text in answers_of(typed).items()}
    said = {
        "new": page.values.new.value if page.values.new else "",
        "quality": page.values.quality.value if page.values.quality else "",
        "comment": page.values.comment,
    }
    beside = beside_of(page, request.args.get("beside", ""))
    return render_template(
        "reading/read.html",
        page=page,
        rows=rows_of(page, images, typed),
        said={key: typed.get(key, text) if typed is not None else text for key, text in said.items()},
        answers=answers,
        images=images,
        index=[
            {"key": each.key, "images": [image.sop_instance_uid for image in each.images]} for each in images.series
        ],
        many_frames=any(image.frames > 1 for each in images.series for image in each.images),
        organs=ORGANS,
        target_states=TARGET_STATES,
        non_target_states=NON_TARGET_STATES,
        viewer=viewer_address(page, images, beside),
        beside=beside,
        crumbs=_crumbs(page),
        refused=refused,
    )


@blueprint.get("/reads/<read>/versions/<int:version>")
@requires(Permission.READ, on=my_read)
def earlier(read: str, version: int) -> str:
    """Show an earlier version of a read of mine, with its signature."""
    page = read_page(current_person(), read, version)
    if version not in {each.version for each in page.history}:
        raise NotFound
    return _signed(page)


@blueprint.post("/reads/<read>/draft")
@requires(Permission.READ, on=my_read)
def save(read: str) -> Answer:
    """Save what I have said so far, as I work or by the button; nothing typed is lost where it cannot be taken."""
    person, place = current_person(), current_place()
    page = read_page(person, read)
    images = _images(page)
    by_script = request.accept_mimetypes.best == "application/json"
    try:
        values = read_posted(page, images, request.form)
        with person.acting("saved as a draft", place) as uow:
            revision = reading.save_draft(
                uow, read, revision=revision_of(request.form), values=values, answers=answers_of(request.form)
            )
    except (BadInput, Conflict) as error:
        if by_script or not page.can_change:
            raise
        return _form(page, images, request.form, error.sentence), HTTP_STATUS[type(error)]
    if by_script:
        return _saved(read, revision)
    if request.form.get("go") == "sign":
        return redirect(f"/reads/{read}/sign", 303)
    flash("The draft is saved.", "success")
    return redirect(f"/reads/{read}#save", 303)  # the script goes on to the field it was saved from


def _saved(read: str, revision: int) -> AnyResponse:
    page = read_page(current_person(), read)
    answers = {":".join(key): text for key, text in page.judged.answers.items()}
    panel = render_template("reading/panel.html", page=page, answers=answers)
    return jsonify({"revision": revision, "panel": panel})


@blueprint.get("/reads/<read>/sign")
@requires(Permission.READ, on=my_read)
def to_sign(read: str) -> str:
    """Show what would be signed, and ask for user name and password."""
    return _sign_page(read_page(current_person(), read))


def _sign_page(page: ReadPage, refused: str = "") -> str:
    confirms = page.state == ReadState.BASIS_CHANGED
    if not (page.can_confirm or (page.can_change and page.saved_at is not None)):
        refused = refused or page.waits or "There is nothing to sign here now. Go back to the read."
    return render_template(
        "reading/sign.html",
        page=page,
        rows=rows_of(page, _images(page)),
        confirms=confirms,
        meaning=(Meaning.BASIS_CONFIRMED if confirms else Meaning.READ).value,
        can_sign=(page.can_confirm or (page.can_change and page.saved_at is not None)) and not page.judged.open,
        refused=refused,
        user_name=request.form.get("user_name", ""),
        crumbs=_crumbs(page, {"label": "Sign"}),
    )


@blueprint.post("/reads/<read>/sign")
@requires(Permission.READ, on=my_read)
def sign(read: str) -> Answer:
    """Sign, or confirm by a new signature; the password is proved every time."""
    person = current_person()
    page, data = read_page(person, read), request.form
    by = Credentials(data.get("user_name", ""), data.get("password", ""), data.get("zone", "UTC"))
    act: Any = reading.confirm_basis if page.state == ReadState.BASIS_CHANGED else reading.sign
    try:
        act(services(), person, read, revision=revision_of(data), by=by)
    except (BadInput, Conflict, NotAllowed) as error:
        return _sign_page(read_page(person, read), error.sentence), _status(error)
    flash("The read is signed and locked.", "success")
    return redirect(f"/reads/{read}", 303)


def _status(error: TrialimgError) -> int:
    return HTTP_STATUS[type(error)]
