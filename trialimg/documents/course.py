"""The response over time as a picture: each reader's time points in a box of 480 by 208."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LINES: Final = ("solid", "dashed", "dotted")
"""How the readers' lines are told apart, in their order, and again from the first."""
DASHES: Final = ("", "7 4", "2 4")


@dataclass(frozen=True)
class Point:
    """One time point of a reader: where it lies, its response, its change in words, and whether it is final."""

    x: float
    y: float
    response: str
    change: str
    time_point: str
    final: bool


@dataclass(frozen=True)
class Course:
    """One reader's time points in the box; ``line`` says how it is drawn."""

    reader: str
    points: tuple[Point, ...]
    line: str
    dash: str

    @property
    def path(self) -> str:
        """The points as the picture's line wants them."""
        return " ".join(f"{point.x},{point.y}" for point in self.points)


@dataclass(frozen=True)
class Picture:
    """The courses of a subject's readers; it reaches from ``low`` to ``high`` per cent of change.

    ``days`` are the marks below it: where, and which day from the baseline's images.
    """

    courses: tuple[Course, ...]
    low: float
    high: float
    days: tuple[tuple[float, int], ...] = ()

    def y(self, percent: float) -> float:
        """Give the height of a change in the picture; what lies beyond is drawn at its edge."""
        return round(14 + 148 * (self.high - max(self.low, min(self.high, percent))) / (self.high - self.low), 1)

    @property
    def has_open_points(self) -> bool:
        """Say whether a point is drawn that is not final."""
        return any(not point.final for course in self.courses for point in course.points)

    @property
    def legend(self) -> str:
        """Say which line is whose."""
        lines = ", ".join(f"{course.reader}: {course.line} line" for course in self.courses)
        return lines + ("; hollow points are not final" if self.has_open_points else "")
