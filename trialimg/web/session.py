"""Who asks: a browser by the cookie of its session, a program by a bearer token; and only a browser can be tricked.

The cookie holds a random token; what it stands for lies on the server and is looked up at every request, so that an
ended session, account or role is ended at once. A request with a cookie that changes something must bring the token
of its page (CSRF); one with a bearer token need not, since no other site can make a browser send it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request, session

from trialimg.casework.services import services
from trialimg.casework.session import person_of_session
from trialimg.casework.token import person_of_token
from trialimg.errors import NotSignedIn

COOKIE_KEY: Final = "session"
_FOR_PROGRAMS: Final = ("/api/", "/dicomweb/")


def open_session(token: str) -> None:
    """Give the browser a new session; what its cookie held before, the page token too, is gone (fixation)."""
    session.clear()
    session[COOKIE_KEY] = token


def close_session() -> None:
    """Let the browser forget its session."""
    session.clear()
    g.pop("person", None)


def current_session_id() -> str:
    """Give the key of the session this request belongs to, empty for a program's."""
    return str(g.get("session_id", ""))


def own_path(wanted: str | None) -> str:
    """Give an address to go on to, which must be a path of our own; anything else becomes the first page."""
    path = wanted or "/"
    plain = path.isprintable() and path.startswith("/") and not path.startswith("//") and "\\" not in path
    parts = urlsplit(path) if plain else None
    if parts is None or parts.scheme or parts.netloc or parts.path in {"/sign-in", "/sign-out"}:
        return "/"
    return path


def _identify() -> None:
    for name in ("person", "place", "session_id"):
        g.pop(name, None)
    if request.endpoint == "static":
        return
    if request.path.startswith(_FOR_PROGRAMS) and "Authorization" in request.headers:
        g.person = _by_token(request.headers["Authorization"])
        return
    opened = session.get(COOKIE_KEY)
    found = person_of_session(services(), opened) if isinstance(opened, str) else None
    if found is not None:
        g.person, g.session_id = found
    elif opened is not None:
        session.pop(COOKIE_KEY)
    if request.endpoint and request.method in current_app.config["WTF_CSRF_METHODS"]:
        current_app.extensions["csrf"].protect()


def _by_token(header: str) -> object:
    kind, _, token = header.partition(" ")
    person = person_of_token(token.strip()) if kind.lower() == "bearer" else None
    if person is None:
        raise NotSignedIn("This token is none of ours, has expired or was revoked. Make a new one on the account page.")
    return person


def register(app: Flask) -> None:
    """Look at every request before its guard does."""
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False  # checked above, where it is known who asks
    app.before_request(_identify)
