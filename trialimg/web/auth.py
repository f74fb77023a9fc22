"""Signing in and out, the one-time link, and one's own account: password, sessions, tokens."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, request
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as AnyResponse
from wtforms import IntegerField, PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, InputRequired, NumberRange

from trialimg.casework import password, session, token
from trialimg.casework.access import INSTALLATION
from trialimg.casework.services import services
from trialimg.domain.permission import Permission
from trialimg.errors import BadInput, NotAllowed
from trialimg.web.guard import current_person, public, requires, somewhere
from trialimg.web.session import close_session, current_session_id, open_session, own_path

blueprint = Blueprint("auth", __name__)
Answer = str | AnyResponse | tuple[str, int]
_REFUSED = 422
# What lets a browser's password store help.
_KNOWN, _NEW = {"autocomplete": "current-password"}, {"autocomplete": "new-password"}


class SignInInput(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """Who wants in."""

    email = StringField(
        "E-mail address", [DataRequired("Give your e-mail address.")], render_kw={"autocomplete": "username"}
    )
    password = PasswordField("Password", [DataRequired("Give your password.")], render_kw=_KNOWN)


class NewPasswordInput(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """A password, twice."""

    password = PasswordField(
        "New password",
        [DataRequired("Choose a password.")],
        render_kw=_NEW,
        description="At least 12 characters; four words without relation are easy to keep. Common ones are refused.",
    )
    again = PasswordField(
        "The same again", [EqualTo("password", "The two are not the same. Type both again.")], render_kw=_NEW
    )


class ChangePasswordInput(NewPasswordInput):
    """The password one has, and a new one."""

    old = PasswordField("Password you have now", [DataRequired("Give the password you have now.")], render_kw=_KNOWN)


class TokenInput(FlaskForm):  # type: ignore[misc]  # flask_wtf has no types
    """A token for a program."""

    label = StringField(
        "Where it is used", [DataRequired("Say where the token is used.")], description="For example: sender, CT room 2"
    )
    days = IntegerField(
        "Days until it expires",
        [InputRequired("Say how long."), NumberRange(1, token.MOST_DAYS, f"Between 1 and {token.MOST_DAYS} days.")],
        default=token.DAYS,
    )


@blueprint.get("/sign-in")
@public("Nobody is signed in before they sign in.")
def sign_in() -> Answer:
    """Ask who it is, or go on for somebody who is signed in already."""
    onward = own_path(request.args.get("next"))
    if g.get("person") is not None:
        return redirect(onward)
    return render_template("auth/sign_in.html", inputs=SignInInput(), onward=onward)


@blueprint.post("/sign-in")
@public("Nobody is signed in before they sign in.")
def signing_in() -> Answer:
    """Open a session, and go on to where the person wanted to go."""
    inputs, onward = SignInInput(), own_path(request.args.get("next"))
    if not inputs.validate():
        return render_template("auth/sign_in.html", inputs=inputs, onward=onward), _REFUSED
    try:
        opened = session.sign_in(
            services(), inputs.email.data or "", inputs.password.data or "", request.user_agent.string
        )
    except NotAllowed as refused:
        page = render_template("auth/sign_in.html", inputs=inputs, onward=onward, refused=refused.sentence)
        return page, _REFUSED
    open_session(opened)
    return redirect(onward, 303)


@blueprint.post("/sign-out")
@requires(Permission.OWN_ACCOUNT, on=somewhere)
def sign_out() -> AnyResponse:
    """End the session on the server and let the browser forget it."""
    if current_session_id():
        session.sign_out(current_person(), current_session_id())
    close_session()
    flash("You are signed out.", "success")
    return redirect("/sign-in", 303)


@blueprint.get("/link/<link>")
@public("Whoever holds a one-time link has no password yet.")
def one_time_link(link: str) -> Answer:
    """Ask the holder of a one-time link for a password."""
    return render_template("auth/link.html", inputs=NewPasswordInput(), holder=password.holder_of_link(link))


@blueprint.post("/link/<link>")
@public("Whoever holds a one-time link has no password yet.")
def using_link(link: str) -> Answer:
    """Set the password, and let the person sign in with it."""
    inputs, holder = NewPasswordInput(), password.holder_of_link(link)
    if inputs.validate():
        try:
            password.set_password(link, inputs.password.data or "")
        except BadInput as wrong:
            inputs.password.errors = [wrong.sentence]
        else:
            close_session()
            flash("Your password is set. Sign in with it.", "success")
            return redirect("/sign-in", 303)
    return render_template("auth/link.html", inputs=inputs, holder=holder), _REFUSED


def _account_page(
    *, changing: ChangePasswordInput | None = None, making: TokenInput | None = None, made: str = ""
) -> str:
    person = current_person()
    return render_template(
        "auth/account.html",
        person=person,
        sessions=session.sessions_of(person, services(), current_session_id()),
        tokens=token.tokens_of(person),
        changing=changing or ChangePasswordInput(formdata=None),
        making=making or TokenInput(formdata=None),
        made=made,
    )


@blueprint.get("/account")
@requires(Permission.OWN_ACCOUNT, on=somewhere)
def account() -> Answer:
    """Show one's own account."""
    return _account_page()


@blueprint.post("/account/password")
@requires(Permission.OWN_ACCOUNT, on=somewhere)
def change_password() -> Answer:
    """Change one's own password; other sessions end."""
    inputs = ChangePasswordInput()
    if inputs.validate():
        try:
            password.change_password(
                current_person(), inputs.old.data or "", inputs.password.data or "", keep_session=current_session_id()
            )
        except BadInput as wrong:
            inputs.password.errors = [wrong.sentence]
        else:
            flash("Your password is changed, and your other sessions have ended.", "success")
            return redirect("/account", 303)
    return _account_page(changing=inputs), _REFUSED


@blueprint.post("/account/sessions/<session_id>/end")
@requires(Permission.OWN_ACCOUNT, on=somewhere)
def end_session(session_id: str) -> AnyResponse:
    """End one of one's own sessions, wherever it is open."""
    person = current_person()
    with person.acting("a session ended by its owner", INSTALLATION) as uow:
        session.end_session(uow, person, session_id)
    flash("That session has ended.", "success")
    return redirect("/account", 303)


@blueprint.post("/account/tokens")
@requires(Permission.OWN_ACCOUNT, on=somewhere)
def make_token() -> Answer:
    """Make a token and show it, this once."""
    person, inputs = current_person(), TokenInput()
    if not inputs.validate():
        return _account_page(making=inputs), _REFUSED
    with person.acting("a token made by its owner", INSTALLATION) as uow:
        made = token.create_token(uow, person.account_id, label=inputs.label.data or "", days=inputs.days.data or 0)
    return _account_page(made=made)


@blueprint.post("/account/tokens/<token_id>/revoke")
@requires(Permission.OWN_ACCOUNT, on=somewhere)
def revoke_token(token_id: str) -> AnyResponse:
    """Revoke one of one's own tokens."""
    person = current_person()
    with person.acting("a token revoked by its owner", INSTALLATION) as uow:
        token.revoke_token(uow, person, token_id)
    flash("That token works no more.", "success")
    return redirect("/account", 303)
