"""A hidden folder in which files are made before they get their names, so that no half-made one ever has one."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from trialimg.errors import Misconfigured

_PREFIX: Final = ".trialimg-"
_LOCK: Final = "lock"


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """Lend a hidden folder inside ``out``; what a run that was killed has left there is destroyed first.

    Raises :class:`Misconfigured` where ``out`` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        _sweep(out)
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=out))
        handle = _locked(folder)
    except OSError as error:
        raise Misconfigured(
            f"The folder for the clean files cannot be written ({error.strerror}). Nothing was done; give another."
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


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
        if folder.is_symlink() or not folder.is_dir():
            continue
        handle = _locked(folder)
        if handle is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)
