"""A hidden folder in which files are made before they get their names, so that no half-made one ever has one."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from trialimg.errors import Misconfigured

_PREFIX: Final = ".trialimg-"
_OURS: Final = re.compile(re.escape(_PREFIX) + "[0-9a-f]{16}")
_LOCK: Final = "lock"


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Lend a hidden folder inside ``out``; what a run that was killed has left there is destroyed first.

    Raises :class:`Misconfigured` where ``out`` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _sweep(out)
        folder = out / f"{_PREFIX}{os.urandom(8).hex()}"
        folder.mkdir(mode=0o700)
        handle = _locked(folder)
    except OSError as error:
        raise Misconfigured(
            f"The folder for the clean files cannot be written ({error.strerror}). Nothing was done; give another."
        ) from None
    try:
        yield folder
    finally:
        _destroy(folder)
        if handle is not None:
            os.close(handle)


def _destroy(folder: Path) -> None:
    """Take a hidden folder and the files in it away, as far as the system lets us."""
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                path.unlink()
        folder.rmdir()


def _locked(folder: Path) -> int | None:
    """Take the folder's lock, which ends with this process however it ends; None where another has it."""
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _sweep(out: Path) -> None:
    for folder in out.glob(f"{_PREFIX}*"):
        if not _OURS.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        handle = _locked(folder)
        if handle is not None:
            _destroy(folder)
            os.close(handle)
