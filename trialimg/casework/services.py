"""The tools of this installation, made once at start and handed to whoever needs them."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app

from trialimg.archive.port import Archive
from trialimg.keyring import Keyring
from trialimg.settings import Settings
from trialimg.vault import Vault

EXTENSION = "trialimg"


@dataclass(frozen=True)
class Services:
    """Settings, keys, bytes in transit, and the archive."""

    settings: Settings
    keyring: Keyring
    vault: Vault
    archive: Archive


def services() -> Services:
    """Give the tools of the running application."""
    found = current_app.extensions[EXTENSION]
    assert isinstance(found, Services)
    return found
