"""The permission beside each route, and the one place where a request is let in.

Every view carries either ``@requires(Permission.X, on=…)`` or ``@public("reason")``, directly under its route
decorators; a test walks ``url_map`` and finds any that does not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

from flask import g, request

from trialimg.casework.access import INSTALLATION, Person, Place, admit
from trialimg.domain.permission import Permission
from trialimg.errors import NotSignedIn

View = TypeVar("View", bound=Callable[..., Any])
MARK: Final = "_trialimg_guard"


def somewhere(**_args: str) -> None:
    """Mark a page that lists whatever the person may do this to: the permission must hold anywhere."""


def installation(**_args: str) -> Place:
    """Name the installation as the place."""
    return INSTALLATION


def current_person() -> Person:
    """Give who is signed in; raises :class:`NotSignedIn`."""
    person = g.get("person")
    if not isinstance(person, Person):
        raise NotSignedIn("You are not signed in, or your session has ended. Sign in and try again.")
    return person


def current_place() -> Place:
    """Give the place the guard found for this request."""
    place = g.place
    assert isinstance(place, Place)
    return place


def requires(
    permission: Permission,
    *,
    on: Callable[..., Place | None],
    admitting: Callable[[Person, Permission, Place | None], None] = admit,
) -> Callable[[View], View]:
    """Guard a view: ``on`` is called with the view's arguments it knows and gives the place.

    ``admitting`` lets the person in or raises; the image door has its own, since readers have no place in a trial.
    """
    names = getattr(on, "__code__", None)
    wanted = names.co_varnames[: names.co_argcount] if names else ()

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(**args: str) -> Any:
            person = current_person()
            place = on(**{k: v for k, v in args.items() if k in wanted})
            admitting(person, permission, place)
            g.place = INSTALLATION if place is None else place
            return view(**args)

        setattr(guarded, MARK, (permission, on))
        return guarded  # type: ignore[return-value]  # wraps() leaves it the view's signature

    return guard


def public(reason: str) -> Callable[[View], View]:
    """Mark a view that anybody may call, with the reason why."""

    def mark(view: View) -> View:
        setattr(view, MARK, reason)
        return view

    return mark


def is_api() -> bool:
    """Say whether this request comes from a program rather than a page."""
    return request.path.startswith(("/api/", "/dicomweb", "/healthz", "/readyz")) or (
        request.accept_mimetypes.best_match(["text/html", "application/json"], "text/html") == "application/json"
    )
