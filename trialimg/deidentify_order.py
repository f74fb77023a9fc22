"""What `deidentify` can be asked for: its options as data, which the command line is made of.

``read`` reads the usual order without the library that reads command lines, whose loading takes a tenth of the time in
which five hundred images are cleaned. What is not usual (help, a mistake, an explanation) it leaves to that library.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from trialimg.errors import OurFault

TRIAL, BASIC = "trial", "basic"
HOLD, REVIEWED = "hold", "reviewed"
MOST_JOBS: Final = 64


class Option(NamedTuple):
    """An option: its name and that of what it fills, what may be given, and what holds without it.

    ``kind`` is text, choice (of ``choices``), file, jobs or flag.
    """

    name: str
    fills: str
    kind: str
    told: str
    default: Any = None
    choices: tuple[str, ...] = ()
    shown: str | None = None


OPTIONS: Final = (
    Option("--trial", "trial_name", "text", "A loaded trial's code, or the folder of a definition.", ""),
    Option("--subject", "subject", "text", "The subject's number; it stands where the patient stood.", ""),
    Option("--site", "site", "text", "The site's number; fills (0012,0030) and must match the key file.", ""),
    Option("--visit", "visit", "text", "The visit's key; fills (0012,0050).", ""),
    Option(
        "--profile", "profile", "choice",
        "The trial's rules, or the Basic Profile without options: then no trial is needed.", TRIAL, (TRIAL, BASIC),
    ),
    Option("--key-file", "key_file", "file", "Key of a site; made if not there."),
    Option(
        "--pixels", "pixels", "choice",
        "What may show text in its pixels: keep it back, or write it, since you have looked at it.", HOLD,
        (HOLD, REVIEWED),
    ),
    Option("--jobs", "jobs", "jobs", "Processors to use; all of them if not given."),
    Option("--report", "report", "file", "Where to write what was done."),
    Option("--id-map", "id_map", "file", "Where to write who was who. Beware."),
    Option("--json", "as_json", "flag", "Print the account to standard output.", default=False),
    Option(
        "--explain", "explain", "text", "Say which rule applies to a tag, or to each element of a file.",
        shown="TAG|FILE",
    ),
)  # fmt: skip


class Order(NamedTuple):
    """What `deidentify` was asked for."""

    source: tuple[Path, ...]
    out: Path | None
    trial_name: str
    subject: str
    site: str
    visit: str
    profile: str
    key_file: Path | None
    pixels: str
    jobs: int | None
    report: Path | None
    id_map: Path | None
    as_json: bool
    explain: str | None

    @property
    def folder(self) -> Path:
        """Give the folder for the clean files, without which an order is a mistake."""
        if self.out is None:
            raise OurFault("An order without a place was carried out.")
        return self.out

    @property
    def basic(self) -> bool:
        """Say whether the Basic Profile is wanted, whatever the trial says."""
        return self.profile == BASIC

    @property
    def reviewed(self) -> bool:
        """Say whether somebody has looked at the pixels."""
        return self.pixels == REVIEWED


def read(words: Iterable[str]) -> Order | None:
    """Read an order as people usually give it; None where it is unusual or wrong."""
    named = {option.name: option for option in OPTIONS}
    given = {option.fills: option.default for option in OPTIONS}
    places: list[Path] = []
    waiting = iter(words)
    for word in waiting:
        if word and not word.startswith("-"):
            places.append(Path(word))
            continue
        name, equals, value = word.partition("=")
        option = named.get(name)
        if option is None or (option.kind == "flag" and equals):
            return None
        if not equals and option.kind != "flag":
            value = next(waiting, "-")
            if value.startswith("-"):
                return None  # most likely the value was forgotten
        try:
            given[option.fills] = _value(option, value)
        except ValueError:
            return None
    order = Order(tuple(places[:-1]), places[-1] if places else None, **given)
    return order if order.explain is None and mistake(order) is None else None


def _value(option: Option, value: str) -> Any:
    """Read what was given for an option; raises ValueError where it may not be given."""
    if option.kind == "flag":
        return True
    if option.kind == "file":
        if os.path.isdir(value):  # noqa: PTH112 (a path object is not needed for it)
            raise ValueError
        return Path(value)
    if option.kind == "jobs":
        number = int(value) if value.isascii() and value.isdecimal() else 0
        if not 1 <= number <= MOST_JOBS:
            raise ValueError
        return number
    if option.choices and value not in option.choices:
        raise ValueError
    return value


def mistake(order: Order) -> str | None:
    """Say what is wrong with an order; None where it can be carried out. Files are looked for, nothing is opened."""
    from trialimg.domain.deidentification import LONGEST_LABEL, fits_an_image

    if order.explain is not None:
        return None
    if not order.basic and not order.trial_name:
        return "Name the trial with --trial, or use the Basic Profile alone with --profile basic."
    if not order.source or order.out is None:
        return "Give the files or folders to clean and, last, the folder for the clean ones."
    if not order.subject.strip():
        return "Give the subject's number with --subject: it stands where the patient stood."
    for name, value in (("--subject", order.subject), ("--site", order.site), ("--visit", order.visit)):
        if not fits_an_image(value):
            return f"{name} takes up to {LONGEST_LABEL} characters that can be printed and no backslash."
    return _wrong_place(order, order.out)


def _wrong_place(order: Order, out: Path) -> str | None:
    """Say what would be written among the originals, or over them."""
    from trialimg.client.place import is_there, real
    from trialimg.client.source import overlap

    if overlap(order.source, out):
        return "OUT may not lie in SOURCE, nor SOURCE in OUT: originals must stay what they are."
    named = (("--report", order.report), ("--id-map", order.id_map), ("--key-file", order.key_file))
    places = {name: real(path) for name, path in named if path is not None}
    if len(set(places.values())) < len(places):
        return f"{' and '.join(places)} name one file. Give each its own: one would destroy the other."
    originals, clean = {real(each) for each in order.source}, real(out)
    for name, place in places.items():
        above = {place, *place.parents}
        if above & originals and not (name == "--key-file" and is_there(place)):
            return f"{name} may not lie in SOURCE: originals must stay what they are."
        if clean in above and name != "--report":
            return f"{name} may not lie in OUT: it would be handed on with the clean files."
    return None
