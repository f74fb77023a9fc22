"""The door for scripts at a site: `deidentify` cleans files here, `send` cleans and sends them.

Imports stand inside the commands, so that they start without what they do not need.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from trialimg.errors import DATA, DONE, LATER, BadInput, NoSpace, TrialimgError

if TYPE_CHECKING:
    from trialimg.client.account import Account
    from trialimg.client.offline import Rules, SiteKey
    from trialimg.client.work import Recipe

_LINE_EACH: Final = 200
_OBJECTS_BETWEEN: Final = 20_000
"""So many new objects, a few megabytes, may wait until Python looks for circles among them."""
_REIDENTIFIES: Final = (
    "WARNING: {name} holds who was who. With it every image cleaned here can be traced to its patient: it is patient "
    "data, may not leave the site, and belongs under lock. Destroy it as soon as it has served."
)
_SEVERAL: Final = (
    "The files name {count} persons, and all of them are now one subject. If that is not meant, destroy what was "
    "written and give the folder of one person."
)
_TELLS: Final = (
    "WARNING: the subject's number stands in the files already, as the patient's number or in the name. If it is not "
    "the trial's, what was written names the patient: destroy it, and give the number that the trial has."
)


def a_person_looks() -> bool:
    """Say whether what is printed is seen by a person and kept nowhere: then names of files may be told."""
    return sys.stderr.isatty()


def say(sentence: str) -> None:
    """Tell the person at the terminal something; results go to standard output, this does not."""
    click.echo(sentence, err=True)


class Order(NamedTuple):
    """What `deidentify` was asked for."""

    source: tuple[Path, ...]
    out: Path
    trial_name: str
    subject: str
    site: str
    visit: str
    basic: bool
    reviewed: bool
    key_file: Path | None
    jobs: int | None
    report: Path | None
    id_map: Path | None
    as_json: bool


@click.command()
@click.argument("source", nargs=-1, type=click.Path(path_type=Path))
@click.argument("out", required=False, type=click.Path(path_type=Path))
@click.option("--trial", "trial_name", default="", help="A loaded trial's code, or the folder of a definition.")
@click.option("--subject", default="", help="The subject's number; it stands where the patient stood.")
@click.option("--site", default="", help="The site's number; fills (0012,0030) and must match the key file.")
@click.option("--visit", default="", help="The visit's key; fills (0012,0050).")
@click.option(
    "--profile", type=click.Choice(["trial", "basic"]), default="trial", show_default=True,
    help="The trial's rules, or the Basic Profile without options: then no trial is needed.",
)  # fmt: skip
@click.option("--key-file", type=click.Path(path_type=Path, dir_okay=False), help="Key of a site; made if not there.")
@click.option(
    "--pixels", type=click.Choice(["hold", "reviewed"]), default="hold", show_default=True,
    help="What may show text in its pixels: keep it back, or write it, since you have looked at it.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64), help="Processors to use; all of them if not given.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Where to write what was done.")
@click.option("--id-map", type=click.Path(path_type=Path, dir_okay=False), help="Where to write who was who. Beware.")
@click.option("--json", "as_json", is_flag=True, help="Print the account to standard output.")
@click.option("--explain", metavar="TAG|FILE", help="Say which rule applies to a tag, or to each element of a file.")
@click.pass_obj
def deidentify(context: Any, /, explain: str | None, **given: Any) -> None:
    """De-identify files or folders SOURCE into the folder OUT; the originals are not touched.

    Ends with 0 where all is clean, with 65 where something was held or refused (the rest is written all the same).
    """
    basic = given.pop("profile") == "basic"
    if not basic and not given["trial_name"]:
        raise click.UsageError("Name the trial with --trial, or use the Basic Profile alone with --profile basic.")
    if explain is not None:
        _explain(context, explain, given["trial_name"], basic=basic)
        return
    if not given["source"] or given["out"] is None:
        raise click.UsageError("Give the files or folders to clean and, last, the folder for the clean ones.")
    if not given["subject"].strip():
        raise click.UsageError("Give the subject's number with --subject: it stands where the patient stood.")
    reviewed = given.pop("pixels") == "reviewed"
    order = Order(basic=basic, reviewed=reviewed, **given)
    _refuse_places(order)
    _run(context, order)


def _refuse_places(order: Order) -> None:
    """Refuse whatever would be written among the originals, or over them."""
    from trialimg.client.source import overlap
    from trialimg.client.written import refuse_existing

    if overlap(order.source, order.out):
        raise click.UsageError("OUT may not lie in SOURCE, nor SOURCE in OUT: originals must stay what they are.")
    for name, path in (("--report", order.report), ("--id-map", order.id_map), ("--key-file", order.key_file)):
        among = path is not None and any(
            each.resolve() == path.resolve() or each.resolve() in path.resolve().parents for each in order.source
        )
        if among and (name != "--key-file" or (path is not None and not path.exists())):
            raise click.UsageError(f"{name} may not lie in SOURCE: originals must stay what they are.")
    if order.id_map is not None:
        refuse_existing(order.id_map)


def _run(context: Any, order: Order) -> None:
    gc.freeze()  # what is loaded by now stays: it need not be looked through again and again
    gc.set_threshold(_OBJECTS_BETWEEN)
    from trialimg.client.account import Account
    from trialimg.client.clean import clean_folder
    from trialimg.client.source import count_of
    from trialimg.client.work import Wish

    rules, key, recipe = _recipe(context, order)
    say(key.sentence)
    total = count_of(order.source)
    account = Account()
    wish = Wish(reviewed=order.reviewed, with_pairs=order.id_map is not None)
    try:
        with _progress(total) as progress:
            clean_folder(
                order.source, order.out, recipe, wish=wish, jobs=order.jobs, progress=progress, account=account
            )
    except KeyboardInterrupt:
        say(f"Ended after {account.files} of {total} files; what is written is whole.")
        _leave(order, account, rules, key, total)
        raise
    _leave(order, account, rules, key, total)
    if account.full:
        raise NoSpace("The disk was full, so not every file could be written. Make room and run this again.")
    if not account.files:
        raise BadInput("There was no file in what was given, so nothing was cleaned. Check the name of the folder.")
    if _code(account) != DONE:
        raise BadInput("Not every file was cleaned; those that could be are in the folder, the others are named above.")


def _code(account: Account) -> int:
    if account.full:
        return LATER
    return DONE if account.complete and account.cleaned else DATA


def _recipe(context: Any, order: Order) -> tuple[Rules, SiteKey, Recipe]:
    from trialimg.client.offline import find_key
    from trialimg.client.work import Recipe
    from trialimg.domain.deidentification import SubjectIdentity
    from trialimg.domain.pseudonym import subject_key

    rules = _rules(context, order.trial_name, basic=order.basic)
    key = find_key(lambda: context.settings().keys_folder, rules.code, order.site, order.key_file)
    identity = SubjectIdentity(
        rules.sponsor, rules.protocol_id, rules.title, order.site or key.site, "", order.subject.strip(), order.visit,
        order.visit,
    )  # fmt: skip
    return rules, key, Recipe(rules.profile, identity, subject_key(key.site_key, order.subject.strip()))


def _rules(context: Any, trial_name: str, *, basic: bool) -> Rules:
    """Find a trial's rules among the definitions that come along, else among those loaded in this installation."""
    from trialimg.client.offline import find_profile, no_trial, rules_of
    from trialimg.deidentify import basic_profile
    from trialimg.keyring import SESSION, Keyring

    if not trial_name:
        return no_trial()
    try:
        found = find_profile(trial_name)
    except BadInput:
        if Path(trial_name).is_dir() or not Keyring(context.settings().keys_folder).has(SESSION):
            raise
        from trialimg.casework.access import trial_place
        from trialimg.casework.definition import current_definition

        with context.app().app_context():
            found = rules_of(current_definition(trial_place(trial_name).trial_id))
    return found._replace(profile=basic_profile()) if basic else found


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Show how far it is: a bar where a person looks, else a line from time to time."""
    if not a_person_looks():

        def line(done: int) -> None:
            if done % _LINE_EACH == 0:
                say(f"  {done} of {total} files")

        yield line
        return
    with click.progressbar(length=total, file=sys.stderr, label="De-identifying") as bar:
        yield lambda _done: bar.update(1)


def _leave(order: Order, account: Account, rules: Rules, key: SiteKey, total: int) -> None:
    """Tell what became of each file, and write what was asked for beside the clean ones."""
    from trialimg.client.written import report_of, write_pairs, write_report

    _tell(account)
    told = {"trial": rules.code, "site": key.site, "key": key.kind, "given": total, "persons": len(account.persons)}
    if order.report is not None:
        write_report(order.report, report_of(account, order.out, **told))
    if order.id_map is not None and account.cleaned:
        write_pairs(order.id_map, account.pairs)
        say(_REIDENTIFIES.format(name=order.id_map.name))
    if order.as_json:
        found = {**told, "exit": _code(account), **account.to_json()}
        click.echo(json.dumps(found, indent=2))


def _tell(account: Account) -> None:
    from trialimg.client.account import LOOKED_AT, by_sentence
    from trialimg.domain.deid_report import told_of_unseen

    named = a_person_looks()
    lists = (("not taken", account.refused), ("left out", account.left_out), ("held, and not written", account.held))
    for what, items in lists:
        for sentence, sources in by_sentence(items).items():
            if len(sources) == 1:
                say(f"{what}: {sources[0].shown(named=named)}: {sentence}")
                continue
            say(f"{what}: {len(sources)} files: {sentence}")
            for source in sources:
                say(f"  {source.shown(named=named)}")
    if any(item.code in LOOKED_AT for item in account.held):
        say("Look at what was held. Where no picture tells who it is of, run this again with --pixels reviewed.")
    if account.subject_is_told:
        say(_TELLS)
    if len(account.persons) > 1:
        say(_SEVERAL.format(count=len(account.persons)))
    reports = account.reports().values()
    if unseen := sum(report.unseen for report in reports):
        say(told_of_unseen(unseen))
    if faces := sum(report.recognisable for report in reports):
        say(f"{faces} images are thin slices of a head: a face can be computed from them. Hand them on as such.")
    say(f"{account.equation}.")


def _explain(context: Any, what: str, trial_name: str, *, basic: bool) -> None:
    """Print which rule applies to a tag, or to each element of a file; values are never printed."""
    from trialimg.client.explain import explained

    for line in explained(what, _rules(context, trial_name, basic=basic).profile):
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
    """De-identify images here, send them to a slot, and wait until they are linked."""
    from trialimg.client.sender import Target, judge
    from trialimg.client.sender import send as send_images

    acquired: datetime | None = given["acquired"]
    day: date | None = acquired.date() if acquired else None
    target = Target(
        server, _token_of(token_file), given["subject"], given["visit"], given["slot"], given["trial_code"], day,
        given["wait"], given["pixels"] == "reviewed",
    )  # fmt: skip
    try:
        account = send_images(target, list(paths), say, jobs=jobs, named=a_person_looks())
    except TrialimgError as error:
        if given["as_json"]:
            click.echo(json.dumps({"stage": "not linked", "code": error.code, "sentence": error.sentence}, indent=2))
        raise
    if given["as_json"]:
        click.echo(json.dumps(account, indent=2))
    judge(account)


def _token_of(file: Path) -> str:
    """Read the last line that is not empty, so that the output of `token create` serves as it is."""
    try:
        lines = [line.strip() for line in file.read_text("ascii").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        lines = []
    if not lines or not lines[-1].isprintable():
        raise BadInput("The token file holds no token. Make one with `trialimg token create`.")
    return lines[-1]
