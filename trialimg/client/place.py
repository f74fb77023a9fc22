"""What stands at a place that a person named. Whatever the system says to the question, a loop of links, a name that is
too long, a folder that may not be looked into, it is an answer and no failure of ours.
"""

from __future__ import annotations

import os
from contextlib import suppress
from errno import EACCES, EISDIR, ELOOP, ENOENT, ENOTDIR
from pathlib import Path


def is_file(path: Path) -> bool:
    """Say whether an ordinary file stands there, or a link leads to one."""
    return os.path.isfile(path)  # noqa: PTH113 (that of a path object raises)


def is_folder(path: Path) -> bool:
    """Say whether a folder stands there, or a link leads to one."""
    return os.path.isdir(path)  # noqa: PTH112 (that of a path object raises)


def is_there(path: Path) -> bool:
    """Say whether anything stands there, if only a link that leads nowhere."""
    return os.path.lexists(path)


def real(path: Path) -> Path:
    """Give the place that a path leads to through all links; where they lead in a circle, how far it came."""
    try:
        return Path(os.path.realpath(path))
    except OSError:  # the folder in which this runs is gone
        return path


def refusal(path: Path) -> str | None:
    """Say in the system's words why no file can be written there, with the folders above it; None where one can."""
    path = real(path)
    if not path.is_absolute():
        return os.strerror(ENOENT)
    try:
        with suppress(FileNotFoundError):
            path.lstat()  # says whether a name is too long, or goes through what is no folder
    except OSError as error:
        return error.strerror
    if path.is_symlink() or is_folder(path):
        return os.strerror(ELOOP if path.is_symlink() else EISDIR)
    above = next(each for each in path.parents if is_there(each))
    if not is_folder(above):
        return os.strerror(ENOTDIR)
    return None if os.access(above, os.W_OK | os.X_OK) else os.strerror(EACCES)
