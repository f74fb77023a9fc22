"""The files a person at a site points to: found in a stable order, and named without naming a patient."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trialimg.errors import BadInput


@dataclass(frozen=True)
class Source:
    """One file: its path, the file or folder the person gave, and its number in there, from 1 on.

    ``regular`` is False for what stands in a folder and is a link or a device: it is never opened.
    """

    path: Path
    given: Path
    number: int
    regular: bool = True

    def shown(self, *, named: bool) -> str:
        """Name it; ``named`` lets its own name be told, which may be a patient's: for a person's eyes only."""
        if self.path == self.given or named:
            return repr(str(self.path))
        return f"file {self.number} of {str(self.given)!r}"


def sources_of(paths: Iterable[Path]) -> Iterator[Source]:
    """Give every file of files and folders, ordered by folder and name; links in a folder are not followed.

    Raises :class:`BadInput` where a path given does not exist, or is neither file nor folder.
    """
    several = list(paths)
    if not all(given.is_dir() or given.is_file() for given in several):
        raise BadInput("One of the files or folders given does not exist, or is neither. Nothing was done.")
    return _found(several)


def _found(paths: list[Path]) -> Iterator[Source]:
    for given in paths:
        if given.is_dir():
            for number, path in enumerate(_walk(given), 1):
                yield Source(path, given, number, stat.S_ISREG(path.lstat().st_mode))
        else:
            yield Source(given, given, 1)


def _walk(folder: Path) -> Iterator[Path]:
    for here, names, files in os.walk(folder):
        names.sort()
        yield from (Path(here) / name for name in sorted(files))


def overlap(paths: Iterable[Path], out: Path) -> bool:
    """Say whether ``out`` lies in one of these folders, or one of them in it: then originals could be overwritten."""
    target = out.resolve()
    for path in paths:
        source = path.resolve()
        if source == target or source in target.parents or target in source.parents:
            return True
    return False
