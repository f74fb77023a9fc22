"""What became of every file of a run, as numbers that add up and as reports per study; never a value, never a name."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from trialimg.client.inventory import Inventory
from trialimg.client.source import Source
from trialimg.domain.deid_report import (
    CLEANED,
    DUPLICATE,
    HELD,
    LEFT_OUT,
    REFUSED,
    SHOWN,
    UNSEEN,
    WAITING,
    OutcomeCount,
    PixelCount,
    Report,
    joined,
)
from trialimg.errors import NoSpace

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says where there is no room."""
LOOKED_AT: Final = frozenset({"image.may_show_text", "image.recognisable"})
"""What a person who has looked at the pixels can decide."""
WHOEVER_RAN_IT: Final = "whoever ran the command"


class Cleaned(NamedTuple):
    """One original and its clean file, which lies at ``place`` until it gets its name.

    ``person`` tells persons apart in this run and means nothing outside it.
    ``hold`` and ``hold_code`` say why a person should see it, "" where nobody needs to.
    """

    source: Source
    place: str
    study: str
    series: str
    instance: str
    canonical_hash: str
    person: bytes
    hold: str = ""
    hold_code: str = ""
    mark: str = ""
    """Of the original study, where the run has a key for it: tells that it was sent before, nothing else."""
    subject_is_told: bool = False
    """Whether the original had the subject's number already, as the patient's number or in the name."""

    @property
    def target(self) -> Path:
        """Give the path of the clean file."""
        return Path(self.place)


class NotTaken(NamedTuple):
    """One file that was refused, held or left out, and why."""

    source: Source
    code: str
    sentence: str
    study: str = ""


class Ledger:
    """The reports of instances, summed up by study and code of a hold; equal ones are kept once, with their number."""

    def __init__(self) -> None:
        self._kept: dict[str, Counter[tuple[str, int]]] = {}
        self._numbers: dict[Report, int] = {}
        self._last: tuple[Report, int] | None = None

    def _number(self, report: Report) -> int:
        """Give the number under which a report is kept; that of the last one, which is often the same, at once."""
        if self._last is None or self._last[0] is not report:
            self._last = report, self._numbers.setdefault(report, len(self._numbers))
        return self._last[1]

    def add(self, study: str, hold_code: str, report: Report) -> int:
        """Count an instance; gives the number under which its report is kept."""
        kept = self._kept.get(study)
        if kept is None:
            kept = self._kept[study] = Counter()
        number = self._number(report)
        key = hold_code, number
        kept[key] = kept.get(key, 0) + 1
        return number

    def take_back(self, study: str, hold_code: str, number: int) -> None:
        """Count an instance no longer, of which it was learned that nobody can tell which it is."""
        self._kept[study][hold_code, number] -= 1

    def studies(self, outcomes: Mapping[str, Mapping[tuple[str, str], int]]) -> Iterator[tuple[str, Report]]:
        """Give each study's report with how many of its instances ended in which outcome, with which code."""
        reports = list(self._numbers)
        for study, kept in sorted(self._kept.items()):
            parts = [_times(reports[number], times, code) for (code, number), times in kept.items() if times]
            if parts:
                yield study, joined(parts).with_outcomes(outcomes.get(study, {}))

    def looks(self) -> tuple[int, int]:
        """Count the images at whose pixels nobody looked, and those from which a face can be computed."""
        reports, unseen, faces = list(self._numbers), 0, 0
        for kept in self._kept.values():
            for (code, number), times in kept.items():
                rows = _decided(reports[number], code, times)
                unseen += sum(row.instances for row in rows if row.decision == UNSEEN)
                faces += reports[number].recognisable * times
        return unseen, faces


def _times(report: Report, times: int, hold_code: str) -> Report:
    """Give the report of several instances that were cleaned alike."""
    return report._replace(
        instances=report.instances * times,
        actions=tuple(action._replace(times=action.times * times) for action in report.actions),
        residue=report.residue._replace(searched=report.residue.searched * times, held=report.residue.held * times),
        recognisable=report.recognisable * times,
        pixels=_decided(report, hold_code, times),
    )


def _decided(report: Report, hold_code: str, times: int) -> tuple[PixelCount, ...]:
    if hold_code == SHOWN:
        return (PixelCount(SHOWN, WHOEVER_RAN_IT, times),)
    if hold_code in LOOKED_AT:
        return (PixelCount(WAITING, "", times),)
    return tuple(row._replace(instances=row.instances * times) for row in report.pixels)


class Account:
    """The end of a run, or how far it came: every file that went in is in exactly one of the lists."""

    def __init__(self) -> None:
        self.cleaned = Inventory()
        self.held: list[NotTaken] = []
        self.refused: list[NotTaken] = []
        self.left_out: list[NotTaken] = []
        self.duplicates: list[Source] = []
        self.persons: set[bytes] = set()
        self.subject_is_told = False
        """Whether the subject's number stood in some original: a hospital's number given for the trial's names him."""
        self.gone = False
        """Whether a folder of clean files went away, or its disk did, so that nobody knows what is there."""
        self.ledger = Ledger()
        self.pairs: set[tuple[str, str]] = set()

    @property
    def files(self) -> int:
        """Count the files that were looked at."""
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """Count the files by what became of them."""
        return {
            CLEANED: len(self.cleaned),
            HELD: len(self.held),
            REFUSED: len(self.refused),
            DUPLICATE: len(self.duplicates),
            LEFT_OUT: len(self.left_out),
        }

    @property
    def equation(self) -> str:
        """Say it as a sum that anybody can check."""
        counts = self.counts
        what = "1 file" if self.files == 1 else f"{self.files} files"
        return (
            f"{what} = {counts[CLEANED]} cleaned + {counts[HELD]} held + {counts[REFUSED]} refused + "
            f"{counts[DUPLICATE]} twice + {counts[LEFT_OUT]} left out"
        )

    @property
    def full(self) -> bool:
        """Say whether the disk was full at some file."""
        return any(item.code == NoSpace.code for item in self.refused)

    @property
    def complete(self) -> bool:
        """Say whether nothing was held or refused."""
        return not self.held and not self.refused

    def reports(self) -> Iterator[tuple[str, Report]]:
        """Give the report of each study with its new StudyInstanceUID, one by one: there may be thousands."""
        outcomes = {study: Counter({(CLEANED, ""): count}) for study, count in self.cleaned.studies.items() if count}
        for each in self.held:
            outcomes.setdefault(each.study, Counter())[HELD, each.code] += 1
        return self.ledger.studies(outcomes)

    def outcomes(self) -> list[OutcomeCount]:
        """Count all files by what became of them and why."""
        counts: Counter[tuple[str, str]] = Counter({(CLEANED, ""): len(self.cleaned)})
        counts[DUPLICATE, ""] = len(self.duplicates)
        for outcome, items in ((HELD, self.held), (REFUSED, self.refused), (LEFT_OUT, self.left_out)):
            counts.update((outcome, item.code) for item in items)
        return [OutcomeCount(*key, times) for key, times in counts.items() if times]

    def to_json(self) -> dict[str, Any]:
        """Give the whole as plain values."""
        return {**self.summary(), "studies": {study: report.to_json() for study, report in self.reports()}}

    def summary(self) -> dict[str, Any]:
        """Give all but the reports of studies; files that were not taken by their number among those given."""
        return {
            "files": self.files,
            "counts": self.counts,
            "outcomes": [entry._asdict() for entry in self.outcomes()],
            "held": _numbered(self.held),
            "refused": _numbered(self.refused),
            "left_out": _numbered(self.left_out),
            "duplicates": [source.among for source in self.duplicates],
        }


def by_sentence(items: Iterable[NotTaken]) -> dict[str, list[Source]]:
    """Put together the files of which the same is to be said."""
    found: dict[str, list[Source]] = {}
    for item in items:
        found.setdefault(item.sentence, []).append(item.source)
    return found


def _numbered(items: Iterable[NotTaken]) -> list[dict[str, Any]]:
    return [{"number": item.source.among, "code": item.code, "sentence": item.sentence} for item in items]
