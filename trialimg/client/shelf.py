"""The folder of the clean files: each gets its name when it is whole and the only one of its identifier."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from errno import EINVAL, ENOTSUP
from pathlib import Path
from typing import Final

from trialimg.client.account import Account, Cleaned, NotTaken
from trialimg.client.inventory import CLEAN, HELD, SPOILED, Entry, Series
from trialimg.client.source import numbered
from trialimg.client.work import Done, Wish, to_disk, told
from trialimg.dicom.files.canonical import canonical_hash
from trialimg.domain.deid_report import SHOWN

SAME_UID: Final = "image.same_uid_other_content"
_OTHER_CONTENT: Final = (
    "Several files carry the same instance identifier with different content, and nobody can tell which is right: "
    "none of them is taken. Export the study again."
)
_OTHER_THERE: Final = (
    "The folder for the clean files holds this instance already, with other content: it was cleaned otherwise, or from "
    "another file. It was not written over; give an empty folder."
)


class Shelf:
    """The folder of the clean files, and the account of what lies in it."""

    def __init__(self, out: Path, account: Account, wish: Wish, given: Sequence[Path]) -> None:
        self._out, self._account, self._wish, self._given = out, account, wish, given
        self._inventory = account.cleaned
        self._folders: set[Path] = {out}
        self._spoiled: list[int] = []
        self._series: dict[tuple[str, str, str], Series] = {}

    def take(self, outcome: Done | NotTaken) -> None:
        """Put away what a child made of one file."""
        if isinstance(outcome, NotTaken):
            lists = {"image.dicomdir": self._account.left_out}
            lists.get(outcome.code, self._account.refused).append(outcome)
            return
        self._account.persons.add(outcome.item.person)
        self._account.subject_is_told |= outcome.item.subject_is_told
        try:
            self._place(outcome)
        except OSError as error:
            with suppress(OSError):
                outcome.item.target.unlink(missing_ok=True)
            self._account.refused.append(NotTaken(outcome.item.source, *told(error, writing=True)))

    def _place(self, done: Done) -> None:
        """Give a clean file its name, unless another file claims the same identifier: equal ones count once."""
        item = done.item
        first = self._inventory.find(item.instance)
        if first is None:
            self._first(done)
            return
        same = first.state != SPOILED and _content(first) == (item.canonical_hash or canonical_hash(item.target))
        item.target.unlink(missing_ok=True)
        if same:
            self._account.duplicates.append(item.source)
            return
        if first.state != SPOILED:
            self._spoil(first)
        self._account.refused.append(NotTaken(item.source, SAME_UID, _OTHER_CONTENT))

    def _first(self, done: Done) -> None:
        item, hold_code = done.item, done.item.hold_code
        if not done.passes:
            item.target.unlink()
            self._remember(HELD, done, Series(item.study, "", ""), hold_code)
            self._account.held.append(NotTaken(item.source, hold_code, item.hold, item.study))
            return
        series = self._series_of(item)
        final = f"{series.place}/{item.instance}.dcm"
        if os.path.lexists(final) and not _equal(Path(final), item.target):
            item.target.unlink()
            self._account.refused.append(NotTaken(item.source, SAME_UID, _OTHER_THERE))
            return
        os.rename(item.place, final)  # noqa: PTH104 (for every file: a path object costs more than the rename)
        self._remember(CLEAN, done, series, SHOWN if hold_code and self._wish.reviewed else hold_code)
        self._account.pairs.update(done.pairs)

    def _series_of(self, item: Cleaned) -> Series:
        """Give the folder of a series, made when its first file comes."""
        known = self._series.get((item.study, item.series, item.mark))
        if known is None:
            folder = self._out / _short("study", item.study) / _short("series", item.series)
            for each in (folder.parent, folder):
                each.mkdir(mode=0o700, exist_ok=True)
                if each.is_symlink():  # nobody knows what is written where it leads
                    raise NotADirectoryError
            self._folders |= {folder, folder.parent}
            known = Series(item.study, str(folder), item.mark)
            self._series[item.study, item.series, item.mark] = known
        return known

    def _remember(self, state: int, done: Done, series: Series, how: str) -> None:
        item = done.item
        number = self._account.ledger.add(item.study, how, done.report)
        self._inventory.add(state, item.source.among, series, how, number, item.canonical_hash, item.instance)

    def _spoil(self, first: Entry) -> None:
        """Take back the file whose identifier another one claims."""
        self._inventory.spoil(first)
        self._account.ledger.take_back(first.study, first.code, first.report)
        if first.state == CLEAN:
            first.target.unlink(missing_ok=True)
        self._spoiled.append(first.among)

    def _tell_spoiled(self) -> None:
        """Tell of the files that were taken back, all of them at once: each has to be looked for."""
        spoiled = set(self._spoiled)
        self._account.held[:] = [each for each in self._account.held if each.source.among not in spoiled]
        files = numbered(self._given, spoiled)
        self._account.refused += (NotTaken(source, SAME_UID, _OTHER_CONTENT) for source in files)
        self._spoiled.clear()

    def close(self) -> None:
        """Force the names to the disk, and leave no empty folder; tell the account where one has gone."""
        self._tell_spoiled()
        for folder in sorted(self._folders, reverse=True):
            try:
                if folder != self._out and not any(folder.iterdir()):
                    folder.rmdir()
                elif self._wish.durable:
                    to_disk(folder, os.O_RDONLY)
            except OSError as error:  # some disks do not know of forcing a folder
                self._account.gone |= error.errno not in {EINVAL, ENOTSUP}


def _short(what: str, uid: str) -> str:
    """Name the folder of a study or series after its new UID: short, neutral, the same in every run."""
    return f"{what}-{hashlib.sha256(uid.encode()).hexdigest()[:12]}"


def _equal(one: Path, other: Path) -> bool:
    if not one.is_file():  # a pipe would be waited on for ever
        return False
    with one.open("rb") as first, other.open("rb") as second:
        return hashlib.file_digest(first, "sha256").digest() == hashlib.file_digest(second, "sha256").digest()


def _content(entry: Entry) -> str:
    """Give the hash of a clean file's content; of a held file, which is not kept, it was made at once."""
    return entry.canonical_hash or canonical_hash(entry.target)
