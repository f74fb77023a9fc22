"""What a person or a program is told when something cannot be done."""

from __future__ import annotations

import logging
import secrets

from flask import Flask, Response, current_app, g, jsonify, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import BadHost, HTTPException
from werkzeug.wrappers import Response as AnyResponse

from trialimg.errors import HTTP_STATUS, NoSpace, NotSignedIn, OurFault, TrialimgError, TryLater
from trialimg.web.guard import is_api

log = logging.getLogger("trialimg.web")

_TITLES = {
    400: "This request cannot be understood",
    401: "Please sign in",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not possible this way",
    409: "This has changed",
    413: "Too large",
    422: "This cannot be taken",
    429: "Too many attempts",
    500: "Our fault",
    503: "Try again later",
    507: "The disk is full",
}
_SENTENCES = {
    400: "The request was incomplete or damaged on its way. Nothing was changed. Load the page again and repeat.",
    404: "There is nothing at this address for you.",
    405: "This address does not take that kind of request. Nothing was changed.",
    413: "What was sent is larger than this page takes. Nothing was changed. Send it in smaller parts.",
}


def problem(status: int, sentence: str, code: str) -> AnyResponse:
    """Give the answer in the form the asker reads: a page, or application/problem+json (RFC 9457)."""
    title = _TITLES.get(status, "This did not work")
    if is_api():
        response = jsonify(type="about:blank", title=title, status=status, detail=sentence, code=code)
        response.headers["Content-Type"] = "application/problem+json"
        if status == NOT_SIGNED_IN:
            response.headers["WWW-Authenticate"] = "Bearer"
    else:
        page = render_template("error.html", title=title, sentence=sentence, code=code, status=status)
        response = make_response(page)
    response.status_code = status
    return response


NOT_SIGNED_IN = 401
_DISK_FULL = {"SQLITE_FULL", "53100"}  # the second is PostgreSQL's


def _refused(error: TrialimgError) -> AnyResponse:
    status = HTTP_STATUS[type(error)]
    if isinstance(error, NotSignedIn) and not is_api() and request.method == "GET":
        return redirect(url_for("auth.sign_in", next=request.full_path.rstrip("?")))
    if isinstance(error, OurFault):
        log.error("fault at %s: %s", request.endpoint, error.sentence)
    response = problem(status, error.sentence, error.code)
    if isinstance(error, TryLater):
        response.headers["Retry-After"] = "10"
    return response


def _http(error: HTTPException) -> AnyResponse:
    if isinstance(error, BadHost):
        # No page can be made without knowing where it is; browsers send no such name.
        return Response(_SENTENCES[400], 400, content_type="text/plain; charset=utf-8")
    status = error.code or 500
    if status < 400:  # noqa: PLR2004 (a redirect is no error)
        response = error.get_response()
        assert isinstance(response, Response)
        return response
    return problem(status, _SENTENCES.get(status, "This did not work. Nothing was changed."), f"http.{status}")


def _csrf(_error: CSRFError) -> AnyResponse:
    sentence = (
        "This page was open too long or came from elsewhere, so it could not be trusted. Nothing was changed. "
        "Load it again and repeat."
    )
    return problem(400, sentence, "input.csrf")


def _busy(error: OperationalError) -> AnyResponse:
    log.warning("the data base said no at %s: %s", request.endpoint, type(error.orig).__name__)
    said = {getattr(error.orig, name, None) for name in ("sqlite_errorname", "sqlstate")}
    if said & _DISK_FULL:
        return _refused(
            NoSpace(
                "The disk of the data base is full, so nothing was changed; what was saved before is safe. Tell the "
                "operator, who must free some space; then send again."
            )
        )
    return problem(503, "The data base is busy or cannot be reached. Nothing was changed. Try again shortly.", "later")


def _unknown(error: Exception) -> AnyResponse:
    # The message of a foreign exception may hold a patient's data: only its kind and place are logged.
    number = secrets.token_hex(4)
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "?"
    log.error("fault %s at %s: %s in %s", number, request.endpoint, type(error).__name__, where)
    if current_app.config.get("PROPAGATE_EXCEPTIONS") and current_app.testing:
        raise error
    sentence = f"Something of ours failed. Nothing was changed. Tell your administrator the number {number}."
    return problem(500, sentence, "fault")


def register(app: Flask) -> None:
    """Translate every error of the tree, of HTTP, and the unknown."""
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(TrialimgError, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(OperationalError, _busy)
    app.register_error_handler(Exception, _unknown)
    app.teardown_request(lambda _exc: g.pop("person", None))
