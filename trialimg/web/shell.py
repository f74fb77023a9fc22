"""What the frame of every page shows: the trial one is in, the pages one may open, and who one is."""

from __future__ import annotations

from typing import Any

from flask import Flask, g, request

from trialimg.casework.access import INSTALLATION, Person, Place
from trialimg.domain.permission import ROLES, Permission

Link = dict[str, Any]


def _link(label: str, url: str, icon: str) -> Link:
    here = request.path == url or (url != "/" and request.path.startswith(url + "/"))
    return {"label": label, "url": url, "icon": icon, "current": here}


def _navigation(person: Person, place: Place) -> list[Link]:
    links = [_link("My work", "/", "house")]
    if person.may_somewhere(Permission.READ):
        links.append(_link("Reads", "/reads", "eyeglasses"))
    if place.trial_code:
        links += _of_trial(person, place)
    if person.may_somewhere(Permission.SEE_PIPELINE):
        links.append(_link("Pipeline", "/pipeline", "diagram-3"))
    if person.may(Permission.MANAGE_INSTALLATION, INSTALLATION):
        links.append(_link("Administration", "/admin", "gear"))
    return links


def _of_trial(person: Person, place: Place) -> list[Link]:
    home, links = f"/trials/{place.trial_code}", []
    trial = Place(trial_id=place.trial_id)
    given = {permission for g in person.grants if g.trial_id == place.trial_id for permission in ROLES[g.role]}
    if person.may_somewhere(Permission.SEE_TRIAL):
        subjects = _link("Subjects", home, "people")
        pages = ("sites", "people", "audit", "dashboard", "reports", "reads", "reading")
        elsewhere = tuple(f"{home}/{page}" for page in pages)
        subjects["current"] = subjects["current"] and not request.path.startswith(elsewhere)
        links.append(subjects)
    if Permission.SEE_READ_STATUS in given:
        links.append(_link("Reads of the trial", f"{home}/reads", "clipboard2-check"))
    if person.may(Permission.SEE_DASHBOARD, trial):
        links.append(_link("Dashboard", f"{home}/dashboard", "bar-chart"))
    if Permission.EXPORT_CASEBOOK in given:
        links.append(_link("Reports", f"{home}/reports", "file-earmark-pdf"))
    if person.may(Permission.MANAGE_TRIAL, trial):
        links += [_link("Sites", f"{home}/sites", "hospital"), _link("People", f"{home}/people", "person-badge")]
        links.append(_link("Central reading", f"{home}/reading", "eyeglasses"))
    if person.may(Permission.SEE_AUDIT, trial):
        links.append(_link("Audit trail", f"{home}/audit", "clock-history"))
    return links


def _shell() -> dict[str, Any]:
    person, place = g.get("person"), g.get("place")
    if not isinstance(person, Person):
        return {"shell": {}}
    place = place if isinstance(place, Place) else INSTALLATION
    shell: dict[str, Any] = {
        "nav": _navigation(person, place),
        "account": {
            "name": person.name,
            "roles": sorted({grant.role.value for grant in person.grants}),
            "links": [{"label": "My account", "url": "/account"}],
            "sign_out_url": "/sign-out",
        },
    }
    if place.trial_code:  # by its code: a title has twenty words
        opens = person.may_somewhere(Permission.SEE_TRIAL)
        url = f"/trials/{place.trial_code}" if opens else ""
        shell["trial"] = {"title": place.trial_code, "code": place.trial_code, "url": url}
    return {"shell": shell}


def register(app: Flask) -> None:
    """Give the frame its values on every page."""
    app.context_processor(_shell)
