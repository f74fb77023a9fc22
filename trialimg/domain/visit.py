"""When a subject is expected, and how far from it a visit was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from trialimg.domain.definition import Plain, Section, without_defaults


@dataclass(frozen=True)
class VisitDef:
    """A visit (ODM StudyEvent). Days count from the date of the schedule's anchor visit.

    ``offset_days`` is None where no date can be foretold (an unscheduled visit). The window reaches from
    ``window_before`` days before the due day to ``window_after`` days after it, both included. ``slots``
    are all image slots in order, ``optional_slots`` those among them that may stay empty.
    """

    key: str
    title: str
    ordinal: int
    offset_days: int | None = None
    window_before: int = 0
    window_after: int = 0
    repeating: bool = False
    forms: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    optional_slots: tuple[str, ...] = ()
    hint: str = ""

    @classmethod
    def read(cls, section: Section, ordinal: int) -> VisitDef:
        """Read one visit; its place in the list is its order."""
        slots = [(each.text("slot"), each.flag("optional"), each) for each in section.sections("slots")]
        for _, _, each in slots:
            each.close()
        visit = cls(
            key=section.text("key"),
            title=section.text("title"),
            ordinal=ordinal,
            offset_days=section.maybe_whole("offset_days"),
            window_before=section.whole("window_before", 0),
            window_after=section.whole("window_after", 0),
            repeating=section.flag("repeating"),
            forms=section.texts("forms"),
            slots=tuple(slot for slot, _, _ in slots),
            optional_slots=tuple(slot for slot, optional, _ in slots if optional),
            hint=section.text("hint", ""),
        )
        section.close()
        return visit

    def to_mapping(self) -> Plain:
        """Give it back as it is written."""
        slots = [
            {"slot": slot, "optional": True} if slot in self.optional_slots else {"slot": slot} for slot in self.slots
        ]
        return {
            **without_defaults(key=self.key, title=self.title, hint=self.hint),
            **({} if self.offset_days is None else {"offset_days": self.offset_days}),
            **without_defaults(
                window_before=self.window_before or None,
                window_after=self.window_after or None,
                repeating=self.repeating,
                forms=list(self.forms),
                slots=slots,
            ),
        }


@dataclass(frozen=True)
class Expectation:
    """One visit of one subject: when it is due, and the first and last day that are in its window."""

    visit: VisitDef
    due: date | None
    earliest: date | None
    latest: date | None

    def overdue_by(self, today: date) -> int:
        """Days since the window closed; 0 while it is open, ahead, or unknown."""
        return max(0, (today - self.latest).days) if self.latest else 0


@dataclass(frozen=True)
class Timing:
    """How a day lies to a window; ``days`` is how far outside, 0 inside."""

    place: Literal["in_window", "early", "late", "unscheduled"]
    days: int = 0

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        count = f"{self.days} day" if self.days == 1 else f"{self.days} days"
        return {
            "in_window": "This date is within the visit's window.",
            "early": f"This date is {count} before the visit's window opens.",
            "late": f"This date is {count} after the visit's window closed.",
            "unscheduled": "This visit has no window.",
        }[self.place]


def expectation(visit: VisitDef, anchor: date | None) -> Expectation:
    """Give the dates of one visit; without an anchor date nothing can be expected."""
    if anchor is None or visit.offset_days is None:
        return Expectation(visit, None, None, None)
    due = anchor + timedelta(days=visit.offset_days)
    earliest = due - timedelta(days=visit.window_before)
    return Expectation(visit, due, earliest, due + timedelta(days=visit.window_after))


def expected(visits: Iterable[VisitDef], anchor: date | None) -> list[Expectation]:
    """Give the dates of all visits, in their order."""
    return [expectation(visit, anchor) for visit in sorted(visits, key=lambda visit: visit.ordinal)]


def timing(visit: VisitDef, anchor: date | None, day: date) -> Timing:
    """Say how a day lies to the visit's window."""
    window = expectation(visit, anchor)
    if window.earliest is None or window.latest is None:
        return Timing("unscheduled")
    if day < window.earliest:
        return Timing("early", (window.earliest - day).days)
    if day > window.latest:
        return Timing("late", (day - window.latest).days)
    return Timing("in_window")
