"""The sum of target lesions over time as a picture: where each reader's time points lie in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from trialimg.casework.read_results import ReadLine
from trialimg.domain.reading import ReadState

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
    """One reader's time points in a box of 480 by 180; ``line`` says how it is drawn."""

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
    """The courses of a subject's readers; ``most`` is how many per cent it reaches up and down.

    ``days`` are the marks below it: where, and which day from the baseline's images.
    """

    courses: tuple[Course, ...]
    most: int
    days: tuple[tuple[float, int], ...] = ()

    def y(self, percent: float) -> float:
        """Give the height of a change in the picture; what lies beyond is drawn at its edge."""
        return round(90 - 80 * max(-1.0, min(1.0, percent / self.most)), 1)

    @property
    def has_open_points(self) -> bool:
        """Say whether a point is drawn that is not final."""
        return any(not point.final for course in self.courses for point in course.points)


def picture(lines: Sequence[ReadLine]) -> Picture | None:
    """Draw the change of the sum from baseline over the days, reader by reader; None where there is nothing yet."""
    found: dict[str, list[tuple[ReadLine, int, str]]] = {}
    for line in lines:
        if line.result is None or line.day is None or line.state == ReadState.VOID:
            continue
        said = line.result.computed
        percent = "0" if line.ordinal == 0 and said["total"] else said["from_baseline_percent"]
        if percent:
            found.setdefault(line.reader, []).append((line, line.day, percent))
    if not found:
        return None
    days = sorted({day for points in found.values() for _, day, _ in points})
    widest = max(abs(float(percent)) for points in found.values() for _, _, percent in points)
    drawn = Picture((), next((most for most in (40, 60, 100, 200) if widest < most), 400))
    first, last = days[0], max(days[-1], days[0] + 1)

    def x(day: int) -> float:
        return round(56 + 400 * (day - first) / (last - first), 1)

    courses = tuple(
        Course(
            reader,
            tuple(
                Point(x(day), drawn.y(float(p)), _response(line), f"{p} %", line.time_point, line.final)
                for line, day, p in points
            ),
            LINES[at % len(LINES)],
            DASHES[at % len(DASHES)],
        )
        for at, (reader, points) in enumerate(found.items())
    )
    return replace(drawn, courses=courses, days=_apart([(x(day), day) for day in days]))


def _response(line: ReadLine) -> str:
    return line.result.computed["overall"] if line.result is not None else ""


def _apart(days: Sequence[tuple[float, int]]) -> tuple[tuple[float, int], ...]:
    """Leave out marks that would stand on another."""
    kept: list[tuple[float, int]] = []
    for at, day in days:
        if not kept or at - kept[-1][0] >= 28:  # noqa: PLR2004 (the width of three digits)
            kept.append((at, day))
    return tuple(kept)
