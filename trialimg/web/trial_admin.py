"""The trial administrator's pages: the sites and people of one trial."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as AnyResponse
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from trialimg.casework import accounts, password, setup
from trialimg.casework.access import Place, site_place, trial_place
from trialimg.casework.services import services
from trialimg.domain.permission import INSTALLATION_ROLES, Permission, Role
from trialimg.errors import BadInput, Conflict, NotAllowed, NotFound
from trialimg.web.admin import InviteInput, ReasonInput, a_reason, invite_with_role, require_role_of
from trialimg.web.guard import current_person, current_place, requires

blueprint = Blueprint("trial_admin", __name__)
Answer = str | AnyResponse | tuple[str, int]
_REFUSED = 422


class SiteInput(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """A site of a trial."""

    code = StringField(
        "Code", [DataRequired("Give the site's code.")], description="Part of every subject's number, such as 101"
    )
    name = StringField("Name", [DataRequired("Give the site's name.")])
    country = StringField("Country", [Length(max=2)], description="Two letters, such as CH; may stay empty")


def _sites_page(inputs: SiteInput | None = None, *, refused: str = "") -> str:
    place = current_place()
    return render_template(
        "admin/sites.html",
        place=place,
        sites=setup.sites(place.trial_id),
        inputs=inputs or SiteInput(formdata=None),
        refused=refused,
    )


@blueprint.get("/trials/<trial>/sites")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def sites(trial: str) -> Answer:
    """Show the sites of a trial."""
    del trial
    return _sites_page()


@blueprint.post("/trials/<trial>/sites")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def add_site(trial: str) -> Answer:
    """Add a site."""
    inputs = SiteInput()
    if not inputs.validate():
        return _sites_page(inputs), _REFUSED
    try:
        with current_person().acting("a site added", current_place()) as uow:
            setup.add_site(
                uow, current_place(), code=inputs.code.data or "", name=inputs.name.data or "",
                country=inputs.country.data or "",
            )  # fmt: skip
    except (BadInput, Conflict) as wrong:
        return _sites_page(inputs, refused=wrong.sentence), _REFUSED
    flash(f"Site {inputs.code.data} is there. Invite its coordinator next.", "success")
    return redirect(f"/trials/{trial}/sites", 303)


@blueprint.post("/trials/<trial>/sites/<site>/active")
@requires(Permission.MANAGE_TRIAL, on=site_place)
def set_site_active(trial: str, site: str) -> AnyResponse:
    """Open or close a site for enrolment."""
    active = ReasonInput().active.data == "yes"
    with current_person().acting(a_reason(), current_place()) as uow:
        setup.set_site_active(uow, current_place(), active=active)
    flash(f"Site {site} is {'open' if active else 'closed'} for enrolment.", "success")
    return redirect(f"/trials/{trial}/sites", 303)


def _trial_inputs(place: Place, *, fresh: bool) -> InviteInput:
    inputs = InviteInput(formdata=None) if fresh else InviteInput()
    inputs.role.choices = [(r.value, r.value.capitalize()) for r in Role if r not in INSTALLATION_ROLES]
    inputs.place.label.text = "Site"
    inputs.place.description = "Needed for a site coordinator or investigator; “whole trial” for the others as a rule"
    listed = ((s.code, f"{s.code}: {s.name}") for s in setup.sites(place.trial_id))
    inputs.place.choices = [("", "Whole trial"), *listed]
    return inputs


def _people_page(inputs: InviteInput | None = None, *, link: str = "", refused: str = "") -> str:
    place = current_place()
    return render_template(
        "admin/people.html",
        place=place,
        people=accounts.people(place),
        inputs=inputs or _trial_inputs(place, fresh=True),
        link=link,
        refused=refused,
    )


@blueprint.get("/trials/<trial>/people")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def people(trial: str) -> Answer:
    """Show who works in a trial, with which roles."""
    del trial
    return _people_page()


@blueprint.post("/trials/<trial>/people")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def invite(trial: str) -> Answer:
    """Invite a person to the trial, or give somebody known a further role."""
    place = current_place()
    inputs = _trial_inputs(place, fresh=False)
    if not inputs.validate():
        return _people_page(inputs), _REFUSED
    try:
        site_id = site_place(trial, inputs.place.data).site_id if inputs.place.data else None
        link = invite_with_role(inputs, place, place.trial_id, site_id)
    except (BadInput, Conflict, NotAllowed) as wrong:
        return _people_page(inputs, refused=wrong.sentence), _REFUSED
    return _people_page(link=link)


def _member(account: str) -> accounts.PersonCard:
    """Give a person of the current trial; somebody who never had a role in it is not found."""
    for each in accounts.people(current_place()):
        if each.account_id == account:
            return each
    raise NotFound


def _member_page(trial: str, account: str, link: str = "") -> str:
    return render_template(
        "admin/person.html", shown=_member(account), base=f"/trials/{trial}/people/{account}",
        back=f"/trials/{trial}/people", link=link, whole=False,
    )  # fmt: skip


@blueprint.get("/trials/<trial>/people/<account>")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def member(trial: str, account: str) -> Answer:
    """Show one person with the roles in this trial."""
    return _member_page(trial, account)


@blueprint.post("/trials/<trial>/people/<account>/link")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def member_link(trial: str, account: str) -> Answer:
    """Make a new one-time link for somebody who works nowhere else."""
    by, shown = current_person(), _member(account)
    with by.acting("a new one-time link was asked for", current_place()) as uow:
        link = password.one_time_link(uow, services(), by, shown.account_id)
    return _member_page(trial, account, link)


@blueprint.post("/trials/<trial>/people/<account>/roles/<grant>/end")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def end_member_role(trial: str, account: str, grant: str) -> AnyResponse:
    """End a role in this trial."""
    by = current_person()
    require_role_of(_member(account), grant)
    with by.acting(a_reason(), current_place()) as uow:
        accounts.end_role(uow, by, grant)
    flash("The role has ended; it takes effect at the person's next click.", "success")
    return redirect(f"/trials/{trial}/people/{account}", 303)


@blueprint.post("/trials/<trial>/people/<account>/access")
@requires(Permission.MANAGE_TRIAL, on=trial_place)
def end_member_access(trial: str, account: str) -> AnyResponse:
    """End the whole access of somebody who works nowhere else."""
    by, shown = current_person(), _member(account)
    with by.acting(a_reason(), current_place()) as uow:
        accounts.end_access(uow, by, shown.account_id)
    flash("The access has ended, everywhere and at once.", "success")
    return redirect(f"/trials/{trial}/people/{account}", 303)
