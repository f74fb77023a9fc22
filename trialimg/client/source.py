"""The files a person at a site points to: found in a stable order, and named without naming a patient."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import NamedTuple

from trialimg.client.place import is_file, is_folder, real
from trialimg.errors import BadInput


class Kind(StrEnum):
    """What stands under a name in a folder."""

    FILE = "file"
    OTHER = "other"
    """A link or a device; it is never opened."""
    FOLDER = "folder"
    """A folder that can be looked into; what is in it is given, not the folder."""
    CLOSED = "closed"
    """A folder that cannot be opened: what is in it is not known."""


class Source(NamedTuple):
    """One file: its name (the path as text), the file or folder the person gave, and its number in there, from 1 on.

    ``among`` is its number among everything that was given, which names it in a report.
    """

    name: str
    given: Path
    number: int
    among: int
    kind: Kind = Kind.FILE

    @property
    def path(self) -> Path:
        """Give its path."""
        return Path(self.name)

    def shown(self, *, named: bool) -> str:
        """Name it; ``named`` lets its own name be told, which may be a patient's: for a person's eyes only."""
        if self.path == self.given or named:
            return repr(self.name)
        return f"file {self.number} of {str(self.given)!r}"


def sources_of(paths: Iterable[Path]) -> Iterator[Source]:
    """Give every file of files and folders, ordered by folder and name; links in a folder are not followed.

    Raises :class:`BadInput` where a path given does not exist, or is neither file nor folder.
    """
    several = list(paths)
    _check(several)
    return _found(several)


def _check(paths: list[Path]) -> None:
    for number, given in enumerate(paths, 1):
        if not is_folder(given) and not is_file(given):
            which = f"number {number} of what you gave to clean" if len(paths) > 1 else "what you gave to clean"
            raise BadInput(
                f"Nothing was done: {which} does not exist, is neither a file nor a folder, or you may not look at it. "
                "Check its name."
            )


def count_of(paths: Iterable[Path]) -> int:
    """Count what ``sources_of`` gives."""
    several = list(paths)
    _check(several)
    return sum(sum(1 for _ in _walk(given)) if is_folder(given) else 1 for given in several)


def numbered(paths: Sequence[Path], numbers: Iterable[int]) -> Iterator[Source]:
    """Give the files of some numbers among all that is given; a name that is not there any more is told without one."""
    wanted = set(numbers)
    for source in _found(list(paths)) if wanted else ():
        if source.among in wanted:
            wanted.discard(source.among)
            yield source
    for among in sorted(wanted):
        yield Source(str(paths[0]), paths[0], among, among)


def _found(paths: list[Path]) -> Iterator[Source]:
    among = count(1)
    for given in paths:
        if is_folder(given):
            for number, (name, kind) in enumerate(_walk(given), 1):
                yield Source(name, given, number, next(among), kind)
        else:
            yield Source(str(given), given, 1, next(among))


def _walk(folder: Path) -> Iterator[tuple[str, Kind]]:
    """Give what is in a folder, the files of each folder before those of the folders in it."""
    waiting = [str(folder)]
    while waiting:
        here = waiting.pop()
        try:
            names, others = _listed(here)
        except OSError:
            yield here, Kind.CLOSED
            continue
        for name in names:
            kind = others.get(name, Kind.FILE)
            if kind is not Kind.FOLDER:
                yield os.path.join(here, name), kind  # noqa: PTH118 (for every file)
        waiting += (os.path.join(here, name) for name in reversed(names) if others.get(name) is Kind.FOLDER)  # noqa: PTH118 (likewise)


def _listed(folder: str) -> tuple[list[str], dict[str, Kind]]:
    """Give the names in a folder in their order, and what those are that are no files."""
    names: list[str] = []
    others: dict[str, Kind] = {}
    with os.scandir(folder) as found:
        for entry in found:
            names.append(entry.name)
            if (kind := _kind(entry)) is not Kind.FILE:
                others[entry.name] = kind
    names.sort()
    return names, others


def _kind(entry: os.DirEntry[str]) -> Kind:
    try:
        if entry.is_dir(follow_symlinks=False):
            return Kind.FOLDER
        return Kind.FILE if entry.is_file(follow_symlinks=False) else Kind.OTHER
    except OSError:
        return Kind.FILE  # gone meanwhile: whoever opens it says so


def overlap(paths: Iterable[Path], out: Path) -> bool:
    """Say whether ``out`` lies in one of these folders, or one of them in it: then originals could be overwritten."""
    target = real(out)
    for path in paths:
        source = real(path)
        if source == target or source in target.parents or target in source.parents:
            return True
    return False
