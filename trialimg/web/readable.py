"""What is no text is turned away at the door: a NUL, or half a character, which no person types.

The data bases do not agree about them: SQLite stores a NUL, PostgreSQL refuses it in mid-transaction, neither stores
half of a surrogate pair.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from flask import Flask, g, request

from trialimg.errors import BadInput, NotFound

_FOR_PROGRAMS: Final = ("/api/", "/dicomweb")


def is_readable(text: str) -> bool:
    """Say whether a text is one that can be stored and shown as it is."""
    return (text.isascii() and "\0" not in text) or not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


def json_object() -> dict[str, Any] | None:
    """Read the body as a JSON object of texts that can be kept; None where it is none."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # brackets without end
        return None
    if not isinstance(body, dict):
        return None
    _require(text for text in (*body, *body.values()) if isinstance(text, str))
    return body


def _require(texts: Iterable[str]) -> None:
    if not all(map(is_readable, texts)):
        raise BadInput(
            "What was sent holds characters that are no text, so it cannot be kept as it is. Nothing was changed. "
            "Go back, type the words anew rather than paste them, and send again."
        )


def _look() -> None:
    # An address with such a character names nothing; to strangers the guard speaks first.
    if g.get("person") is not None and not all(is_readable(str(each)) for each in (request.view_args or {}).values()):
        raise NotFound
    for key, value in request.args.items(multi=True):
        _require((key, value))
    if request.method == "POST" and request.endpoint and not request.path.startswith(_FOR_PROGRAMS):
        for key, value in request.form.items(multi=True):
            _require((key, value))


def register(app: Flask) -> None:
    """Look at every request once it is known who asks."""
    app.before_request(_look)
