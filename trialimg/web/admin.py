"""The administrators' pages: the trials and people of the installation."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as AnyResponse
from wtforms import HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional

from trialimg.casework import accounts, password, setup
from trialimg.casework.access import INSTALLATION, Place, trial_place
from trialimg.casework.services import services
from trialimg.domain.permission import INSTALLATION_ROLES, Permission, Role
from trialimg.errors import BadInput, Conflict, NotAllowed, NotFound
from trialimg.web.guard import current_person, installation, requires

blueprint = Blueprint("admin", __name__)
Answer = str | AnyResponse | tuple[str, int]
_REFUSED = 422
_LONGEST = 1000


class InviteInput(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """A person, and the first role; whoever has an account already is given the role only."""

    name = StringField("Name", [DataRequired("Give the person's name."), Length(max=200)])
    email = StringField("E-mail address", [DataRequired("Give the person's e-mail address."), Length(max=200)])
    role = SelectField("Role", [DataRequired("Choose a role.")])
    place = SelectField("Where", [Optional()], validate_choice=False)


class ReasonInput(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """Why; it stands in the audit trail."""

    reason = TextAreaField("Reason", [DataRequired("Say why; it stands in the audit trail."), Length(max=_LONGEST)])
    active = HiddenField()


def a_reason() -> str:
    """Give the reason posted; raises :class:`BadInput` where there is none."""
    inputs = ReasonInput()
    if not inputs.validate():
        raise BadInput("A reason is needed: it stands in the audit trail. Nothing was changed. Go back and say why.")
    return str(inputs.reason.data).strip()


def require_role_of(shown: accounts.PersonCard, grant: str) -> None:
    """Raise :class:`NotFound` for a role that is not one of the person's shown."""
    if grant not in {each.grant_id for each in shown.roles}:
        raise NotFound


def invite_with_role(inputs: InviteInput, place: Place, trial_id: str | None, site_id: str | None) -> str:
    """Invite, give the role, and give the one-time link where the person has no password yet."""
    by = current_person()
    with by.acting(f"invited as {inputs.role.data}", place) as uow:
        account_id = accounts.invite(uow, by, email=inputs.email.data or "", name=inputs.name.data or "")
        accounts.give_role(uow, by, account_id, Role(inputs.role.data), trial_id=trial_id, site_id=site_id)
        if accounts.has_password(uow, account_id):
            flash("This person has an account already and was given the role.", "success")
            return ""
        return password.one_time_link(uow, services(), by, account_id)


def _installation_inputs(*, fresh: bool) -> InviteInput:
    inputs = InviteInput(formdata=None) if fresh else InviteInput()
    inputs.role.choices = [(r.value, r.value.capitalize()) for r in (Role.TRIAL_ADMINISTRATOR, Role.ADMINISTRATOR)]
    inputs.place.label.text = "Trial (for a trial administrator)"
    inputs.place.choices = [("", "(none)"), *((t.code, f"{t.code}: {t.title}") for t in setup.trials())]
    return inputs


def _installation_page(inputs: InviteInput | None = None, *, link: str = "", refused: str = "") -> str:
    return render_template(
        "admin/installation.html",
        trials=setup.trials(),
        people=accounts.everybody(),
        inputs=inputs or _installation_inputs(fresh=True),
        link=link,
        refused=refused,
    )


@blueprint.get("/admin")
@requires(Permission.MANAGE_INSTALLATION, on=installation)
def admin() -> Answer:
    """Show the trials and people of the installation."""
    return _installation_page()


@blueprint.post("/admin/people")
@requires(Permission.MANAGE_INSTALLATION, on=installation)
def invite_administrator() -> Answer:
    """Invite an administrator, of the installation or of a trial."""
    inputs = _installation_inputs(fresh=False)
    if not inputs.validate():
        return _installation_page(inputs), _REFUSED
    try:
        trial = trial_place(inputs.place.data) if inputs.place.data else INSTALLATION
        of_trial = Role(inputs.role.data) not in INSTALLATION_ROLES
        link = invite_with_role(
            inputs, trial if of_trial else INSTALLATION, trial.trial_id or None if of_trial else None, None
        )
    except (BadInput, Conflict, NotAllowed) as wrong:
        return _installation_page(inputs, refused=wrong.sentence), _REFUSED
    return _installation_page(link=link)


@blueprint.get("/admin/people/<account>")
@requires(Permission.MANAGE_INSTALLATION, on=installation)
def person(account: str) -> Answer:
    """Show one person of the installation with all roles."""
    return _person_page(account)


def _person_page(account: str, link: str = "") -> str:
    return render_template(
        "admin/person.html", shown=accounts.card(account), base=f"/admin/people/{account}",
        back="/admin", link=link, whole=True,
    )  # fmt: skip


@blueprint.post("/admin/people/<account>/link")
@requires(Permission.MANAGE_INSTALLATION, on=installation)
def new_link(account: str) -> Answer:
    """Make a new one-time link for anybody."""
    by = current_person()
    with by.acting("a new one-time link was asked for", INSTALLATION) as uow:
        link = password.one_time_link(uow, services(), by, account)
    return _person_page(account, link)


@blueprint.post("/admin/people/<account>/roles/<grant>/end")
@requires(Permission.MANAGE_INSTALLATION, on=installation)
def end_role(account: str, grant: str) -> AnyResponse:
    """End one role of anybody."""
    by = current_person()
    require_role_of(accounts.card(account), grant)
    with by.acting(a_reason(), INSTALLATION) as uow:
        accounts.end_role(uow, by, grant)
    flash("The role has ended.", "success")
    return redirect(f"/admin/people/{account}", 303)


@blueprint.post("/admin/people/<account>/access")
@requires(Permission.MANAGE_INSTALLATION, on=installation)
def set_access(account: str) -> AnyResponse:
    """End somebody's access, or open it again."""
    by, reason = current_person(), a_reason()
    opening = ReasonInput().active.data == "yes"
    with by.acting(reason, INSTALLATION) as uow:
        (accounts.open_access if opening else accounts.end_access)(uow, by, account)
    flash("The account is open again." if opening else "The access has ended, everywhere and at once.", "success")
    return redirect(f"/admin/people/{account}", 303)


@blueprint.post("/admin/people/<account>/unlock")
@requires(Permission.MANAGE_INSTALLATION, on=installation)
def unlock(account: str) -> AnyResponse:
    """Lift the lock after failed sign-ins."""
    by = current_person()
    with by.acting("unlocked on request", INSTALLATION) as uow:
        accounts.unlock(uow, by, account)
    flash("The account is unlocked.", "success")
    return redirect(f"/admin/people/{account}", 303)
