"""Runs of attributes that the files of a series share: cleaned once, and put in place as a whole in every other file.

Two files of the same kind are compared; what stands in both between two attributes that differ is a run. In the next
file it is known by its bytes, all of them, so nothing is taken for it that is not the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import count
from typing import Final, NamedTuple

from trialimg.dicom.files.header import BURNED_IN, REGIONS
from trialimg.dicom.rules.plan import CONTENT_SEQUENCE
from trialimg.dicom.rules.values import Path

Mark = tuple[int, int, int]
"""Tag of an attribute of the outermost data set, and where it begins and ends."""
_BY_THEMSELVES: Final = frozenset({BURNED_IN, REGIONS, CONTENT_SEQUENCE})
numbers: Final = count(1)
_LONGEST: Final = 1 << 16
_MOST_SHARED: Final = 64
_WAYS: Final = 5
"""How values that are left are searched (``ground``)."""
_MOST_STRANGERS: Final = 12
"""Attributes of a file, beyond those of the files compared, that show that another series has begun."""


class Run(NamedTuple):
    """One run, and everything that cleaning it does; ``number`` is of this run alone."""

    number: int
    original: bytes
    written: bytes | None
    """None where it stays as it is."""
    tags: tuple[int, ...]
    done: dict[tuple[Path, str], int]
    names: list[tuple[int, bytes]]
    left: tuple[list[bytes], ...]
    before: dict[int, bytes]
    after: dict[int, bytes]


class Shared:
    """What the runs of one file tell together; files of the same runs have the very same."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.tags = frozenset(tag for run in runs for tag in run.tags)
        self.names = tuple(dict.fromkeys(name for run in runs for name in run.names))
        self.left = tuple([value for run in runs for value in run.left[how]] for how in range(_WAYS))
        self.before = {tag: value for run in runs for tag, value in run.before.items()}
        self.after = {tag: value for run in runs for tag, value in run.after.items()}
        self.found_clean: tuple[object, bytes] | None = None
        """For whom what is left was searched, with what was searched besides, and nothing was found."""


class Series:
    """What is known of the files that are met one after the other."""

    def __init__(self, barriers: Sequence[int]) -> None:
        """Take the tags that no run may go over."""
        self.barriers = sorted(barriers)
        self.runs: dict[bytes, Run] = {}
        self._shared: dict[tuple[int, ...], Shared] = {}
        self._previous: tuple[bytes, list[Mark]] | None = None
        self._single = 0

    def together(self, taken: Sequence[Run]) -> Shared:
        """Give what the runs that were met in a file tell."""
        key = tuple(run.number for run in taken)
        found = self._shared.get(key)
        if found is None:
            if len(self._shared) >= _MOST_SHARED:
                self._shared.clear()
            found = self._shared[key] = Shared(taken)
        return found

    def shared(self, data: bytes, marks: list[Mark]) -> list[tuple[bytes, int, int]]:
        """Take the attributes of a file that are in no run; give what can become a run, with its first
        and last tag, if it is time.
        """
        if self.runs:
            if len(marks) > self._single + _MOST_STRANGERS:
                self.runs = {}
                self._previous = None
            return []
        if self._previous is None:
            self._previous = data, marks
            return []
        parts = list(self._parts(data, marks))
        self._previous = None
        self._single = len(marks) - sum(number - 1 for *_, number in parts)
        return [(data[start:stop], first, last) for start, stop, first, last, _ in parts]

    def _parts(self, data: bytes, marks: list[Mark]) -> list[tuple[int, int, int, int, int]]:
        """Give start, end, first and last tag and number of attributes of each part that the previous file has too."""
        assert self._previous is not None
        before = {tag: self._previous[0][start:stop] for tag, start, stop in self._previous[1]}
        found: list[tuple[int, int, int, int, int]] = []
        for tag, start, stop in marks:
            if tag in _BY_THEMSELVES or stop - start > _LONGEST or before.get(tag) != data[start:stop]:
                continue
            if found and found[-1][1] == start and not self._parted(found[-1][3], tag):
                begin, _, first, _, number = found[-1]
                found[-1] = begin, stop, first, tag, number + 1
            else:
                found.append((start, stop, tag, tag, 1))
        return found

    def _parted(self, one: int, other: int) -> bool:
        return bisect_right(self.barriers, one) != bisect_right(self.barriers, other)
