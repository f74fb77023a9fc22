"""The files a person at a site points to: found in a stable order, and named without naming a patient."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import NamedTuple

from trialimg.errors import BadInput


class Kind(StrEnum):
    """What stands under a name in a folder."""

    FILE = "file"
    OTHER = "other"
    """A link or a device; it is never opened."""
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
    if not all(given.is_dir() or given.is_file() for given in paths):
        raise BadInput("One of the files or folders given does not exist, or is neither. Nothing was done.")


def count_of(paths: Iterable[Path]) -> int:
    """Count what ``sources_of`` gives."""
    several = list(paths)
    _check(several)
    return sum(sum(1 for _ in _walk(given)) if given.is_dir() else 1 for given in several)


def _found(paths: list[Path]) -> Iterator[Source]:
    among = count(1)
    for given in paths:
        if given.is_dir():
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
            with os.scandir(here) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            yield here, Kind.CLOSED
            continue
        folders = []
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield entry.path, _kind(entry)
        waiting += reversed(folders)


def _kind(entry: os.DirEntry[str]) -> Kind:
    try:
        return Kind.FILE if entry.is_file(follow_symlinks=False) else Kind.OTHER
    except OSError:
        return Kind.FILE  # gone meanwhile: whoever opens it says so


def overlap(paths: Iterable[Path], out: Path) -> bool:
    """Say whether ``out`` lies in one of these folders, or one of them in it: then originals could be overwritten."""
    target = out.resolve()
    for path in paths:
        source = path.resolve()
        if source == target or source in target.parents or target in source.parents:
            return True
    return False
