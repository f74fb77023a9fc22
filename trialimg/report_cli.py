"""The operators' door to what leaves the house: limited to what the person named may see, and recorded as theirs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trialimg.errors import BadInput, Conflict, NotFound
from trialimg.terminal import say

if TYPE_CHECKING:
    from trialimg.casework.access import Person, Place

Command = TypeVar("Command", bound=Callable[..., Any])


def _in_app(command: Command) -> Command:
    @wraps(command)
    def wrapped(context: Any, /, **given: Any) -> None:
        with context.app().app_context():
            command(**given)

    return click.pass_obj(wrapped)  # type: ignore[return-value]  # click gives it the context


@click.group()
def report() -> None:
    """Make casebooks and data exports."""


def _trial_of(person: Person, trial: str, kind: str) -> Place:
    """Find the one trial whose things this person may export, or the one named."""
    from trialimg.casework.access import admit
    from trialimg.casework.casebook import part_place
    from trialimg.reporting.export import NEEDS, trials_within

    codes = [trial] if trial else trials_within(person, kind)
    if not codes:
        raise NotFound
    if len(codes) > 1:
        raise BadInput(f"This person may export from several trials ({', '.join(codes)}): name one with --trial.")
    place = part_place(person, codes[0], NEEDS[kind])
    admit(person, NEEDS[kind], place)
    return place


def _progress(done: int, total: int) -> None:
    if total and (done == total or done % 10 == 0 or sys.stderr.isatty()):
        say(f"  {done} of {total}")


def _record(person: Person, place: Place, kind: str, subjects: Sequence[str]) -> None:
    from trialimg.reporting.export import note_at_command_line

    with person.acting(f"export at the command line: {kind}", place) as uow:
        note_at_command_line(uow, place, kind, subjects)


@report.command("casebook")
@click.option("--user", required=True, help="E-mail address of the person whose export this is.")
@click.option("--subject", "subjects", multiple=True, required=True, help="Number of a subject; may be repeated.")
@click.option("--trial", default="", help="The trial's code, where the person may export from several.")
@click.argument("out", type=click.Path(path_type=Path))
@_in_app
def casebook(user: str, subjects: tuple[str, ...], trial: str, out: Path) -> None:
    """Write casebooks to OUT: one subject as a PDF where OUT ends in .pdf, else a folder with an index."""
    from tempfile import TemporaryDirectory

    from trialimg.casework.access import admit, subject_place
    from trialimg.casework.accounts import find_person
    from trialimg.reporting.export import CASEBOOK, NEEDS
    from trialimg.reporting.package import Count, make_casebook, make_index, ordered
    from trialimg.store.base import utc_now

    person = find_person(user)
    place = _trial_of(person, trial, CASEBOOK)
    wanted = list(dict.fromkeys(subjects))
    for number in wanted:
        admit(person, NEEDS[CASEBOOK], subject_place(place.trial_code, number))
    single = out.suffix.lower() == ".pdf"
    if single and len(wanted) > 1:
        raise click.UsageError("Several subjects need a folder: OUT must not end in .pdf.")
    if out.exists() and (single or not out.is_dir() or any(out.iterdir())):
        raise Conflict(f"{out.name} is there already. Nothing was written over it; name another.")
    _record(person, place, CASEBOOK, wanted)
    count = Count(len(wanted), _progress)
    with (
        TemporaryDirectory(dir=out.absolute().parent, prefix=".trialimg-") as name,
        ordered(person, utc_now(), count) as order,
    ):
        folder = Path(name)
        lines = [make_casebook(order, subject_place(place.trial_code, number), folder) for number in wanted]
        if not single:
            make_index(order, place, lines, folder)
        _put(folder, out, lines[0].file_name if single else "")
    failed = [line for line in lines if line.sentence]
    for line in failed:
        say(f"{line.subject}: {line.sentence}")
    if failed:
        raise BadInput(f"{len(failed)} of {len(lines)} casebooks could not be made; they are named above.")


def _put(folder: Path, out: Path, main: str) -> None:
    """Put finished files where they were asked for; parts of a long history lie beside a single casebook."""
    import shutil

    if out.suffix.lower() != ".pdf":
        out.mkdir(exist_ok=True)
    for path in sorted(folder.iterdir()):
        target = out / path.name if out.is_dir() else (out if path.name == main else out.parent / path.name)
        shutil.move(path, target)
        click.echo(str(target))


@report.command("data")
@click.option("--user", required=True, help="E-mail address of the person whose export this is.")
@click.option("--trial", default="", help="The trial's code, where the person may export from several.")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@_in_app
def data(user: str, trial: str, out: Path) -> None:
    """Write all data within the person's reach to the zip OUT."""
    from tempfile import TemporaryDirectory

    from trialimg.casework.accounts import find_person
    from trialimg.documents.tables import zip_folder
    from trialimg.reporting.data import write_data
    from trialimg.reporting.export import DATA, subjects_within

    person = find_person(user)
    place = _trial_of(person, trial, DATA)
    if out.exists():
        raise Conflict(f"{out.name} is there already. Nothing was written over it; name another.")
    subjects = subjects_within(person, place.trial_code, DATA)
    _record(person, place, DATA, subjects)
    with TemporaryDirectory(dir=out.absolute().parent, prefix=".trialimg-") as name:
        files, whole = Path(name) / "files", Path(name) / "package.zip"
        files.mkdir()
        write_data(person, place, subjects, files, _progress)
        zip_folder(files, whole)
        whole.replace(out)
    click.echo(str(out))
