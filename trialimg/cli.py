"""The door for operators and for scripts at a site: one command with exit codes that are agreed (errors.py).

Imports stand inside the commands, so that `deidentify` and `send` start without the web application.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from trialimg.deidentify_cli import deidentify, send
from trialimg.errors import USAGE, BadInput, NotFound
from trialimg.report_cli import report
from trialimg.terminal import ended_by, result, say

if TYPE_CHECKING:
    from flask import Flask

    from trialimg.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(eq=False, repr=False)
class Context:
    """What every command is given: the settings, read once it needs them."""

    data: Path | None

    def settings(self, **given: object) -> Settings:
        """Read the settings; the command line wins."""
        from trialimg.settings import read_settings

        settings, _sources = read_settings(None, data=self.data, **given)
        return settings

    def app(self, **given: object) -> Flask:
        """Make the application."""
        from trialimg.app import create_app

        return create_app(self.settings(**given))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--data", type=click.Path(path_type=Path), help="Folder of this installation (TRIALIMG_DATA).")
@click.version_option(package_name="trialimg", prog_name="trialimg")
@click.pass_context
def trialimg(context: click.Context, data: Path | None) -> None:
    """Join a clinical trial's forms to its images."""
    context.obj = Context(data)


def in_app(command: Command) -> Command:
    """Run a command inside the application."""

    @wraps(command)
    def wrapped(context: Context, /, *args: Any, **given: Any) -> Any:
        app = context.app()
        with app.app_context():
            return command(app, *args, **given)

    return click.pass_obj(wrapped)  # type: ignore[return-value]  # click gives it the context


@trialimg.command()
@click.option("--email", help="Address of the first administrator.")
@click.option("--name", default="Administrator", show_default=True)
@click.pass_obj
def init(context: Context, email: str | None, name: str) -> None:
    """Migrate the data base, make the keys, and invite the first administrator by a one-time link."""
    from trialimg.app import migrate_up
    from trialimg.casework.accounts import OPERATOR, give_role, invite
    from trialimg.casework.password import one_time_link
    from trialimg.casework.services import services
    from trialimg.casework.setup import install
    from trialimg.domain.permission import Role
    from trialimg.keyring import Keyring
    from trialimg.store.unit_of_work import unit_of_work

    settings = context.settings()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    install(Keyring(settings.keys_folder))
    app = context.app()
    with app.app_context():
        migrate_up()
        say(f"The data base is up to date and the keys are in {settings.keys_folder} (only you can read them).")
        say("Keep a copy of that folder apart from the data: without it nothing can be linked to what was sent before.")
        if email:
            with unit_of_work(OPERATOR.actor, "first administrator") as uow:
                account_id = invite(uow, OPERATOR, email=email, name=name)
                give_role(uow, OPERATOR, account_id, Role.ADMINISTRATOR)
                link = one_time_link(uow, services(), OPERATOR, account_id)
            say("Open this link once, within seven days, to set the password:")
            click.echo(link)


@trialimg.group()
def trial() -> None:
    """Load and look at trials."""


@trial.command("load")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@in_app
def trial_load(_app: Flask, folder: Path) -> None:
    """Load a trial's definition; a new version beside the old ones."""
    from trialimg.casework.accounts import OPERATOR
    from trialimg.casework.services import services
    from trialimg.casework.setup import load_trial
    from trialimg.store.unit_of_work import unit_of_work

    with unit_of_work(OPERATOR.actor, f"trial load {folder.name}") as uow:
        code = load_trial(uow, services(), folder)
    say(f"The trial {code} is loaded.")


@trial.command("site-key")
@click.argument("code")
@click.argument("site")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@in_app
def trial_site_key(_app: Flask, code: str, site: str, file: Path) -> None:
    """Write the key file of one site, for `deidentify --key-file` where there is no server."""
    from trialimg.casework.access import site_place
    from trialimg.casework.accounts import OPERATOR
    from trialimg.casework.sending import write_site_key
    from trialimg.casework.services import services
    from trialimg.store.unit_of_work import unit_of_work

    try:
        place = site_place(code, site)
    except NotFound:
        raise BadInput(
            f"There is no site {site} in a trial {code} here; sites are set up on the trial's page."
        ) from None
    with unit_of_work(OPERATOR.actor, "key file of a site written", trial_id=place.trial_id) as uow:
        write_site_key(uow, services(), place, file)
    say(f"The key of site {site} is in {file.name}. Whoever has it can compute this site's pseudonyms: guard it.")


@trialimg.command()
@click.option("--host", help="Address to serve.")
@click.option("--port", type=int, help="Port to serve.")
@click.pass_obj
def serve(context: Context, host: str | None, port: int | None) -> None:
    """Serve the web application, with the worker in the same process on SQLite."""
    from trialimg.serving import serve as run

    app = context.app(host=host, port=port)
    settings = context.settings(host=host, port=port)
    run(app, settings, lambda address: say(f"trialimg serves at {address}; Ctrl-C ends it."))


@trialimg.command()
@click.option("--queue", "queues", multiple=True, help="Only these queues: images, pixels, documents.")
@click.pass_obj
def worker(context: Context, queues: tuple[str, ...]) -> None:
    """Run jobs; on PostgreSQL any number of these on any number of hosts."""
    from trialimg.worker import run_worker

    run_worker(context.app(), queues=queues)


@trialimg.command("settings")
@click.pass_obj
def show_settings(context: Context) -> None:
    """Print every setting, where its value comes from, and what it means; secrets are hidden."""
    from trialimg.settings import describe, read_settings

    settings, sources = read_settings(data=context.data)
    for line in describe(settings, sources):
        click.echo(f"{line.name} = {line.value or '(empty)'}   [{line.source}]\n    {line.meaning}")


@trialimg.group()
def token() -> None:
    """Make, list and revoke tokens for programs."""


@token.command("create")
@click.option("--user", required=True, help="E-mail address of the account.")
@click.option("--label", default="command line", show_default=True)
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, 366))
@in_app
def token_create(_app: Flask, user: str, label: str, days: int) -> None:
    """Print a new token alone on the last line; it is shown this once."""
    from trialimg.casework.accounts import OPERATOR, find_person
    from trialimg.casework.token import create_token
    from trialimg.store.unit_of_work import unit_of_work

    person = find_person(user)
    with unit_of_work(OPERATOR.actor, "token created at the command line") as uow:
        text = create_token(uow, person.account_id, label=label, days=days)
    say(f"A token for {user}, good for {days} days. It is shown this once.")
    click.echo(text)


@token.command("list")
@click.option("--user", required=True)
@in_app
def token_list(_app: Flask, user: str) -> None:
    """List the tokens of an account."""
    from trialimg.casework.accounts import find_person
    from trialimg.casework.token import tokens_of

    for entry in tokens_of(find_person(user)):
        state = "revoked" if entry.revoked_at else "good"
        click.echo(f"{entry.token_id}  {entry.label}  {state}  until {entry.ends_at:%Y-%m-%d}")


@token.command("revoke")
@click.option("--user", required=True)
@click.argument("token_id")
@in_app
def token_revoke(_app: Flask, user: str, token_id: str) -> None:
    """Revoke a token at once."""
    from trialimg.casework.accounts import OPERATOR, find_person
    from trialimg.casework.token import revoke_token
    from trialimg.store.unit_of_work import unit_of_work

    person = find_person(user)
    with unit_of_work(OPERATOR.actor, "token revoked at the command line") as uow:
        revoke_token(uow, person, token_id)
    say("The token is revoked.")


@trialimg.group()
def audit() -> None:
    """The audit trail."""


@audit.command("verify")
@in_app
def audit_verify(_app: Flask) -> None:
    """Recompute every chain and compare it with the heads kept outside the data base; 0 means whole."""
    from trialimg.casework.services import services
    from trialimg.casework.trail import verify

    result = verify(services())
    for sentence in result.sentences():
        click.echo(sentence)
    if result.faults:
        raise BadInput(f"The audit trail is not whole: {len(result.faults)} faults, named above.")


@trialimg.group()
def forms() -> None:
    """Trial definitions as files."""


@forms.command("check")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def forms_check(folder: Path) -> None:
    """Check a trial's definition files."""
    from trialimg.trialfiles import check

    problems = check(folder)
    for problem in problems:
        click.echo(problem.text)
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        raise BadInput(f"{errors} errors in {folder}; they are named above.")
    say(f"{folder} is a complete definition.")


trialimg.add_command(deidentify)
trialimg.add_command(send)
trialimg.add_command(report)

_CLICK_USAGE: Final = (click.UsageError, click.BadParameter)


def main() -> None:
    """Run a command; every ending has its agreed exit code and, where it went wrong, its sentence."""
    try:
        code = trialimg.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except _CLICK_USAGE as error:
        with suppress(OSError, AttributeError):  # nobody may be there to be told
            error.show()
        if "--json" in sys.argv:
            result({"exit": USAGE, "code": "usage", "sentence": "It was called wrongly; standard error says how."})
        sys.exit(USAGE)
    except click.Abort:
        sys.exit(ended_by(KeyboardInterrupt()))
    except BaseException as error:
        if isinstance(error, SystemExit):
            raise
        sys.exit(ended_by(error))
