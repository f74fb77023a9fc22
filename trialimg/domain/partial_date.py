"""A date that is known to the day, the month or the year, as people know the past."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date

_WRITTEN = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)


@dataclass(frozen=True)
class PartialDate:
    """A span of days that holds the true one; ``text`` is ISO 8601, reduced as far as it is known."""

    text: str
    earliest: date
    latest: date

    @classmethod
    def parse(cls, text: str) -> PartialDate | None:
        """Read YYYY, YYYY-MM or YYYY-MM-DD; None where it is no date of the calendar."""
        found = _WRITTEN.fullmatch(text)
        if found is None:
            return None
        year, month, day = found.groups()
        try:
            first = date(int(year), int(month or "1"), int(day or "1"))
        except ValueError:
            return None
        if day:
            return cls(text, first, first)
        last_month = first.month if month else 12
        last_day = calendar.monthrange(first.year, last_month)[1]
        return cls(text, first, date(first.year, last_month, last_day))

    @classmethod
    def of(cls, day: date) -> PartialDate:
        """A day that is known."""
        return cls(day.isoformat(), day, day)

    @property
    def is_full(self) -> bool:
        """Say whether the day is known."""
        return self.earliest == self.latest

    def before(self, other: PartialDate) -> bool | None:
        """Say whether this day lies before the other; None where the spans overlap and nobody can know."""
        if self.latest < other.earliest:
            return True
        return False if self.earliest >= other.latest else None

    def same(self, other: PartialDate) -> bool | None:
        """Say whether both are one day; None where they may be."""
        if self.is_full and other.is_full:
            return self.earliest == other.earliest
        apart = self.latest < other.earliest or other.latest < self.earliest
        return False if apart else None
