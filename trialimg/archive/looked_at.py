"""Copies of what people look at in an archive that can only send whole instances (a DICOM peer).

A bounded folder: when it grows past its size, the study that was looked at longest ago goes. It is for
looking only; what is to be proved is asked of the archive itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from trialimg.archive.local import LocalArchive
from trialimg.archive.port import Held, Source

_BOUND: Final = 4 * 1024**3  # bytes


class LookedAt:
    """Studies at hand, as a local archive."""

    def __init__(self, folder: Path, bound: int = _BOUND) -> None:
        self.archive = LocalArchive(folder)
        self._studies = folder / "studies"
        self._bound = bound

    def missing(self, study_uid: str, series_uid: str, there: set[str]) -> set[str]:
        """Say which of these instances of a series are not at hand; those the archive lost are dropped."""
        at_hand = {held.sop_instance_uid for held in self.archive.holds(study_uid) if held.series_uid == series_uid}
        if at_hand - there:
            self.archive.forget(study_uid)
            return there
        self._touch(study_uid)
        return there - at_hand

    def has(self, study_uid: str, held: Held) -> bool:
        """Say whether an instance is at hand."""
        self._touch(study_uid)
        return held in self.archive.holds(study_uid)

    def keep(self, study_uid: str, sources: list[Source]) -> None:
        """Take copies; one that changed in the archive replaces all that was at hand of its study."""
        if self.archive.push(sources).failed:
            self.archive.forget(study_uid)
            self.archive.push(sources)
        self._touch(study_uid)
        self._make_room(study_uid)

    def _touch(self, study_uid: str) -> None:
        with suppress(FileNotFoundError):
            os.utime(self._studies / study_uid)

    def _make_room(self, keep: str) -> None:
        sizes = {folder: _size(folder) for folder in self._studies.iterdir()}
        total = sum(sizes.values())
        for folder in sorted(sizes, key=_looked_at):
            if total <= self._bound:
                return
            if folder.name != keep:
                self.archive.forget(folder.name)
                total -= sizes[folder]


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _looked_at(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0
