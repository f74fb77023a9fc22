"""How images come in through a browser: one raw body for each file, or one plain form where no script runs.

Originals are written to the vault only, never to the machine's folder for temporary files.
"""

from __future__ import annotations

import os
from datetime import date
from io import BufferedRandom, FileIO
from typing import IO, Any, BinaryIO, Final, cast
from urllib.parse import unquote

from flask import Blueprint, Flask, Request, Response, flash, g, jsonify, redirect, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from trialimg.casework import imaging
from trialimg.casework.access import Place, slot_place, submission_place
from trialimg.casework.services import services
from trialimg.casework.submission_page import submission_progress
from trialimg.domain.permission import Permission
from trialimg.errors import BadInput, Conflict, NoSpace, TrialimgError
from trialimg.pipeline import intake
from trialimg.web.guard import current_person, current_place, is_api, requires
from trialimg.web.readable import json_object

blueprint = Blueprint("uploads", __name__)

FILES: Final = "uploads.start"
"""The one endpoint that takes a form with files in it."""
OBJECTS: Final = frozenset({"uploads.receive", "api.receive"})
"""The endpoints that take an object as a raw body."""
MOST_FORM: Final = 32 * 2**20
"""Bytes of a request that brings no images."""
_MOST_COUNT: Final = 10_000_000
_CANCELLED: Final = "Cancelled by the person who sent it, before it was confirmed."


class _Spool(BufferedRandom):
    """A nameless file of the vault that a part of a form is written to; the disk's reserve is kept."""

    def __init__(self, handle: int) -> None:
        super().__init__(FileIO(handle, "r+"))

    def write(self, data: Any, /) -> int:
        """Write some bytes; raises :class:`NoSpace` where the disk is full."""
        if services().vault.free_bytes() < len(data):
            raise NoSpace("The disk that receives images is full, so nothing of this was taken. Tell the operator.")
        return super().write(data)


class ImageRequest(Request):
    """A request whose files go to the vault's scratch, where images are allowed, and are refused everywhere else."""

    @property
    def max_content_length(self) -> int | None:
        """Give how many bytes this address takes; a whole study comes in one body only where no script runs."""
        if self.endpoint == FILES:
            return None  # each file is limited as it is received, and the disk's reserve is kept
        if self.endpoint in OBJECTS:
            return services().settings.upload_limit_mb * 2**20
        return MOST_FORM

    @max_content_length.setter
    def max_content_length(self, _value: int | None) -> None:
        raise AttributeError("the limit belongs to the address")

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        """Open the place for a file of a form: nameless in the vault, gone when it is closed."""
        del total_content_length, content_type, filename, content_length
        if self.endpoint != FILES or g.get("person") is None:
            raise RequestEntityTooLarge
        with services().vault.scratch() as folder:
            return _Spool(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600))


def register(app: Flask) -> None:
    """Let every request of the application follow these rules."""
    app.request_class = ImageRequest


def a_day(text: str | None) -> date | None:
    """Read the date of an examination as posted, None where it was left empty; raises :class:`BadInput`."""
    if not text or not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise BadInput("The date of the examination is not a date. Give it as year-month-day, as 2026-03-02.") from None
    if day > date.today():  # noqa: DTZ011 (a date of the site's own calendar)
        raise BadInput("The date of the examination lies in the future. Correct it; nothing was sent.")
    return day


def submission_url(submission: str) -> str:
    """Give the address of a submission's page."""
    return f"/submissions/{submission}"


@blueprint.post("/trials/<trial>/subjects/<subject>/visits/<visit>/slots/<slot>/submissions")
@requires(Permission.ATTACH_IMAGES, on=slot_place)
def start(trial: str, subject: str, visit: str, slot: str) -> tuple[Response, int] | AnyResponse:
    """Begin a submission; with a plain form, receive every file of it as well."""
    del trial, subject, visit, slot
    place = current_place()
    files = [file for file in request.files.getlist("files") if file.filename]
    if not is_api() and not files:
        raise BadInput("No file was chosen, so nothing was sent. Go back and choose the images or a zip of them.")
    acquired = a_day(request.form.get("acquired"))
    with current_person().acting("images attached", place) as uow:
        key = imaging.start(uow, place, source="browser", acquired=acquired)
    if is_api():
        base = submission_url(key)
        urls = {f"{name}_url": f"{base}/{name}" for name in ("objects", "complete", "cancel")}
        return jsonify(id=key, page_url=base, **urls), 201
    _receive_all(submission_place(key), files)
    return redirect(submission_url(key), 303)


def _receive_all(place: Place, files: list[Any]) -> None:
    person, key = current_person(), place.submission_id
    refused = []
    try:
        for ordinal, file in enumerate(files, 1):
            try:
                stream, name = cast("BinaryIO", file.stream), file.filename or ""
                intake.receive(services(), key, stream, name=name, actor=person.actor, ordinal=ordinal)
            except BadInput as error:
                refused.append(error.sentence)
        with person.acting("all files sent", place) as uow:
            intake.announce(uow, key, len(files) - len(refused))
    except TrialimgError:
        with person.acting(_CANCELLED, place) as uow:
            imaging.cancel(uow, services(), place, "It could not be received whole.")
        raise
    for sentence in refused[:5]:
        flash(sentence, "warning")


@blueprint.post("/submissions/<submission>/objects")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def receive(submission: str) -> tuple[Response, int]:
    """Take one file as the raw body; its name stands in a header, so that it gets into no log of addresses."""
    try:
        ordinal = int(request.headers.get("X-Object-Ordinal", ""))
    except ValueError:
        raise BadInput("The number of a file is missing. Load the page again and send once more.") from None
    name = unquote(request.headers.get("X-Object-Name", ""), errors="replace")
    actor, stream = current_person().actor, cast("BinaryIO", request.stream)
    got = intake.receive(services(), submission, stream, name=name, actor=actor, ordinal=ordinal)
    return jsonify(ordinal=got.ordinal, size=got.size), 201


def _count(body: dict[str, Any], name: str) -> int:
    number = body.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= _MOST_COUNT:
        raise BadInput(f"“{name}” is not a count of files. Load the page again and send once more.")
    return number


@blueprint.post("/submissions/<submission>/complete")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def complete(submission: str) -> Response:
    """Say that all files were sent: how many there were, and how many of them were refused on the way."""
    body = json_object()
    if body is None:
        raise BadInput("The end of sending was not understood. Load the page again and send once more.")
    count = _count(body, "announced") - _count(body, "refused")
    if count < 0:
        raise Conflict("More files were refused than sent. Load the page again and send once more.")
    with current_person().acting("all files sent", current_place()) as uow:
        intake.announce(uow, submission, count)
    return jsonify(page_url=submission_url(submission))


@blueprint.post("/submissions/<submission>/cancel")
@requires(Permission.ATTACH_IMAGES, on=submission_place)
def cancel(submission: str) -> AnyResponse:
    """Cancel a submission and destroy what was received of it; once confirmed, with a reason."""
    place, person = current_place(), current_person()
    confirmed = submission_progress(place)["stage"] not in {"receiving", "received", "surveyed"}
    reason = request.form.get("reason", "").strip() or ("" if confirmed else _CANCELLED)
    with person.acting(reason, place) as uow:
        imaging.cancel(uow, services(), place, reason)
    if is_api():
        return jsonify(page_url=submission_url(submission))
    flash("Cancelled. What had been received was destroyed.", "success")
    return redirect(submission_url(submission), 303)


@blueprint.get("/submissions/<submission>/progress")
@requires(Permission.SEE_TRIAL, on=submission_place)
def progress(submission: str) -> Response:
    """Say how far a submission is; a page asks each second."""
    del submission
    return jsonify(submission_progress(current_place()))
