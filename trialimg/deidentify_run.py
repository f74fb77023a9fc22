"""Carries out `deidentify`: cleans files here, tells what became of each, and leaves what was asked for beside them.

Imports stand inside the functions, so that what is not needed is not loaded.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trialimg.deidentify_order import Order
from trialimg.errors import BadInput, NoSpace, TrialimgError, TryLater
from trialimg.terminal import a_person_looks, ended_by, exit_code, result, result_of, say

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

_CHANGED: Final = (
    "{given} files were there when this began, and {found} were found: some came or went meanwhile, so nobody knows "
    "whether these are all. Run this again, into an empty folder, when nothing changes them any more."
)

_GONE: Final = (
    "The folder for the clean files, one in it, or its disk went away meanwhile, so nobody knows whether all that is "
    "told as cleaned is there. Run this again, into an empty folder."
)


def run(order: Order, installation: Callable[[], Any]) -> None:
    """Carry out an order without mistakes; ``installation`` gives the settings and the application, where needed.

    Raises :class:`NoSpace` and :class:`BadInput` where not every file was cleaned; the others are written all the same.
    """
    gc.freeze()  # what is loaded by now stays: it need not be looked through again and again
    gc.set_threshold(_OBJECTS_BETWEEN)
    gc.enable()
    try:
        end = _run(order, installation)
    except BaseException as error:  # before there was an account
        if order.as_json:
            result_of(error)
        raise
    if end is not None:
        raise end


def _run(order: Order, installation: Callable[[], Any]) -> BaseException | None:
    """Clean, and leave what was asked for; gives what is to be raised."""
    from trialimg.client.account import Account
    from trialimg.client.clean import clean_folder
    from trialimg.client.source import count_of
    from trialimg.client.work import Wish

    _check_places(order)
    total = count_of(order.source)  # what is not there is told before a key is made for it
    rules, key, recipe = _recipe(installation, order)
    say(key.sentence)
    account = Account()
    wish = Wish(reviewed=order.reviewed, says_seen=order.reviewed, with_pairs=order.id_map is not None)
    end: BaseException | None
    try:
        with _progress(total) as progress:
            clean_folder(
                order.source, order.folder, recipe, wish=wish, jobs=order.jobs, progress=progress, account=account
            )
    except KeyboardInterrupt as stopped:
        say(f"Ended after {account.files} of {total} files; what is written is whole.")
        end = stopped
    else:
        end = _end(account, total)
    return _leave(order, account, rules, key, total, end)


def _check_places(order: Order) -> None:
    """Tell before the work what nobody could write after it."""
    from trialimg.client.written import MAP, REPORT, refuse_another, refuse_existing, refuse_unwritable

    if order.id_map is not None:
        refuse_existing(order.id_map)
        refuse_unwritable(order.id_map, MAP)
    if order.report is not None:
        refuse_another(order.report)
        refuse_unwritable(order.report, REPORT)


def _end(account: Account, total: int) -> TrialimgError | None:
    """Give what a run ends with; None where every file was cleaned."""
    if account.full:
        return NoSpace("The disk was full, so not every file could be written. Make room and run this again.")
    if account.gone:
        return TryLater(_GONE)
    if not account.files:
        return BadInput("There was no file in what was given, so nothing was cleaned. Check the name of the folder.")
    if account.files != total:
        return BadInput(_CHANGED.format(given=total, found=account.files))
    if account.complete and account.cleaned:
        return None
    return BadInput("Not every file was cleaned; those that could be are in the folder, the others are named above.")


def _recipe(installation: Callable[[], Any], order: Order) -> tuple[Rules, SiteKey, Recipe]:
    from trialimg.client.offline import find_key
    from trialimg.client.work import Recipe
    from trialimg.domain.deidentification import SubjectIdentity
    from trialimg.domain.pseudonym import subject_key

    rules = rules_for(installation, order.trial_name, basic=order.basic)
    subject, site, visit = order.subject.strip(), order.site.strip(), order.visit.strip()
    key = find_key(lambda: installation().settings().keys_folder, rules.code, site, order.key_file)
    identity = SubjectIdentity(
        rules.sponsor, rules.protocol_id, rules.title, site or key.site, "", subject, visit, visit
    )  # fmt: skip
    return rules, key, Recipe(rules.profile, identity, subject_key(key.site_key, subject))


def rules_for(installation: Callable[[], Any], trial_name: str, *, basic: bool) -> Rules:
    """Find a trial's rules among the definitions that come along, else among those loaded in this installation."""
    from trialimg.client.offline import find_profile, no_trial, rules_of

    if not trial_name:
        return no_trial()
    from trialimg.client.place import is_folder
    from trialimg.deidentify import basic_profile
    from trialimg.keyring import SESSION, Keyring

    try:
        found = find_profile(trial_name)
    except BadInput:
        if is_folder(Path(trial_name)) or not Keyring(installation().settings().keys_folder).has(SESSION):
            raise
        from trialimg.casework.access import trial_place
        from trialimg.casework.definition import current_definition

        with installation().app().app_context():
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
    import click  # not loaded where nobody looks

    with click.progressbar(length=total, file=sys.stderr, label="De-identifying") as bar:

        def forward(_done: int) -> None:
            with suppress(OSError):  # the window is closed, and the work goes on
                bar.update(1)

        yield forward


def _leave(  # noqa: PLR0917 (all that is told)
    order: Order, account: Account, rules: Rules, key: SiteKey, total: int, end: BaseException | None
) -> BaseException | None:
    """Tell what became of each file, and write what was asked for beside the clean ones; gives what is to be raised.

    What cannot be written keeps nothing else from being told.
    """
    from trialimg.client.written import instances_of, report_of, write_pairs, write_report

    _tell(account)
    told = {"trial": rules.code, "site": key.site, "key": key.kind, "given": total, "persons": len(account.persons)}
    ends = [] if end is None else [end]
    if order.report is not None:
        try:
            write_report(
                order.report, report_of(account, **told), account.reports(), instances_of(account, order.folder)
            )
        except TrialimgError as error:
            ends.append(error)
    if order.id_map is not None and account.cleaned:
        try:
            write_pairs(order.id_map, account.pairs)
            say(_REIDENTIFIES.format(name=order.id_map.name))
        except TrialimgError as error:
            ends.append(error)
    if order.as_json:
        unprinted = result({**told, "exit": exit_code(ends[0] if ends else None), **account.to_json()})
        ends += [] if unprinted is None else [unprinted]
    for more in ends[1:]:
        ended_by(more)  # tells of it; the first is told last, and decides
    return ends[0] if ends else None


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
    unseen, faces = account.ledger.looks()
    if unseen:
        say(told_of_unseen(unseen))
    if faces:
        say(f"{faces} images are thin slices of a head: a face can be computed from them. Hand them on as such.")
    say(f"{account.equation}.")
