"""The keys of this installation: files with mode 0600 in one folder outside the data base.

``trial-<CODE>-v<N>.key`` is a trial's key, from which site and subject keys derive; ``audit.key`` authenticates the
kept heads of the audit chains; ``session.key`` signs cookies and one-time links.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final

from trialimg.errors import BadInput, Misconfigured, OurFault

AUDIT: Final = "audit"
SESSION: Final = "session"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")


class Keyring:
    """The folder of keys. A key is 32 random bytes, written once and never changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BadInput("A key's name is made of letters, digits, dots and dashes.")
        return self.folder / f"{name}.key"

    def make(self, name: str) -> None:
        """Make a key where it does not exist; an existing one stays as it is."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(name)
        fresh = path.with_suffix(f".{secrets.token_hex(4)}.new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, secrets.token_hex(32).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(fresh, path)  # atomic, and never over an existing key
        except FileExistsError:
            pass
        finally:
            fresh.unlink()

    def has(self, name: str) -> bool:
        """Say whether the key exists; raises :class:`Misconfigured` where nobody can tell."""
        try:
            self._path(name).stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise Misconfigured(
                f"The folder of keys cannot be looked into ({error.strerror}). Run this as who has the installation."
            ) from None
        return True

    def get(self, name: str) -> bytes:
        """Give a key; raises :class:`Misconfigured` where others can read it, :class:`OurFault` where it is gone."""
        path = self._path(name)
        try:
            mode = path.stat().st_mode
            text = path.read_text("latin-1").strip()
        except (FileNotFoundError, NotADirectoryError):
            raise OurFault(f"The key {name} is missing from the folder of keys; restore it from its backup.") from None
        except OSError as error:
            raise Misconfigured(
                f"The key file {path.name} cannot be read ({error.strerror}). Run this as who has the installation."
            ) from None
        if mode & 0o077:
            raise Misconfigured(f"The key file {path.name} can be read by others; run: chmod 600 {path}")
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) != 32:  # noqa: PLR2004 (256 bits)
            raise OurFault(f"The key file {path.name} is damaged; restore it from its backup.")
        return key

    def trial_key(self, trial_code: str, version: int) -> bytes:
        """Give a trial's key of one version."""
        return self.get(f"trial-{trial_code}-v{version}")

    def make_trial_key(self, trial_code: str, version: int) -> None:
        """Make a trial's key of one version."""
        self.make(f"trial-{trial_code}-v{version}")
