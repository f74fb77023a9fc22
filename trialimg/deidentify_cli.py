"""The door for scripts at a site: `deidentify` cleans files here, `send` cleans and sends them.

Imports stand inside the commands, so that they start without what they do not need.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import click

from trialimg.deidentify_order import MOST_JOBS, OPTIONS, Order, mistake
from trialimg.errors import BadInput
from trialimg.terminal import a_person_looks, result, result_of, say

_LONGEST_TOKEN_FILE: Final = 1 << 16


def _with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an order."""
    kinds: dict[str, Any] = {
        "file": click.Path(path_type=Path, dir_okay=False),
        "jobs": click.IntRange(1, MOST_JOBS),
    }
    for option in reversed(OPTIONS):
        kind = click.Choice(list(option.choices)) if option.choices else kinds.get(option.kind)
        command = click.option(
            option.name, option.fills, help=option.told, default=option.default, type=kind, metavar=option.shown,
            is_flag=option.kind == "flag", show_default=bool(option.choices),
        )(command)  # fmt: skip
    return command


@click.command()
@click.argument("source", nargs=-1, type=click.Path(path_type=Path))
@click.argument("out", required=False, type=click.Path(path_type=Path))
@_with_options
@click.pass_obj
def deidentify(context: Any, /, **given: Any) -> None:
    """De-identify files or folders SOURCE into the folder OUT; the originals are not touched.

    Ends with 0 where all is clean, with 65 where something was held or refused (the rest is written all the same).
    """
    from trialimg.deidentify_run import run

    order = Order(**given)
    if (wrong := mistake(order)) is not None:
        raise click.UsageError(wrong)
    if order.explain is not None:
        _explain(context, order.explain, order.trial_name, basic=order.basic)
        return
    run(order, lambda: context)


def _explain(context: Any, what: str, trial_name: str, *, basic: bool) -> None:
    """Print which rule applies to a tag, or to each element of a file; values are never printed."""
    from trialimg.client.explain import explained
    from trialimg.deidentify_run import rules_for

    for line in explained(what, rules_for(lambda: context, trial_name, basic=basic).profile):
        click.echo(line)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--server", required=True, help="Address of the server.")
@click.option("--token-file", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--subject", required=True)
@click.option("--visit", required=True)
@click.option("--slot", required=True)
@click.option("--trial", "trial_code", default="", help="The trial's code, where the number stands in several.")
@click.option("--acquired", type=click.DateTime(["%Y-%m-%d"]), help="The true acquisition date.")
@click.option(
    "--pixels", type=click.Choice(["hold", "reviewed"]), default="hold", show_default=True,
    help="What may show text in its pixels: keep it here, or send it, since you have looked at it.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64))
@click.option("--wait", type=click.FloatRange(0), help="Seconds to follow the images; without it, to the end.")
@click.option("--json", "as_json", is_flag=True, help="Print the server's account to standard output.")
def send(paths: tuple[Path, ...], server: str, token_file: Path, jobs: int | None, **given: Any) -> None:
    """De-identify images here, send them to a slot, and wait until they are linked.

    Ends with 0 where all that was given is linked, with 65 where something was held or refused, here or on the server,
    or waits for a person's decision (the rest is linked all the same), with 75 where the end was not seen in time.
    """
    from trialimg.client.sender import Target, judge
    from trialimg.client.sender import send as send_images
    from trialimg.domain.deidentification import LONGEST_LABEL, fits_an_image

    for name in ("subject", "visit", "slot", "trial_code"):
        if not fits_an_image(given[name]):
            raise click.UsageError(
                f"--{name.removesuffix('_code')} takes up to {LONGEST_LABEL} characters that can be printed and no "
                "backslash."
            )
    acquired: datetime | None = given["acquired"]
    day: date | None = acquired.date() if acquired else None
    try:
        target = Target(
            server, _token_of(token_file), given["subject"], given["visit"], given["slot"], given["trial_code"], day,
            given["wait"], given["pixels"] == "reviewed",
        )  # fmt: skip
        account = send_images(target, list(paths), say, jobs=jobs, named=a_person_looks())
    except BaseException as error:
        if given["as_json"]:
            result_of(error, stage="not linked")
        raise
    unprinted = result(account) if given["as_json"] else None
    judge(account)
    if unprinted is not None:
        raise unprinted


def _token_of(file: Path) -> str:
    """Read the last line that is not empty, so that the output of `token create` serves as it is."""
    try:
        with file.open("rb") as stream:
            text = stream.read(_LONGEST_TOKEN_FILE).decode("ascii")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        lines = []
    if not lines or not lines[-1].isprintable():
        raise BadInput("The token file holds no token. Make one with `trialimg token create`.")
    return lines[-1]
