"""The sum of target lesions over time as a picture: where each reader's time points lie in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from trialimg.casework.read_results import ReadLine
from trialimg.documents.course import DASHES, LINES, Course, Picture, Point
from trialimg.domain.reading import ReadState

MOST: Final = 300.0
"""The largest growth in per cent that the picture shows to its measure."""


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
    changes = [float(percent) for points in found.values() for _, _, percent in points]
    drawn = Picture((), min(-40.0, min(changes) - 8), min(MOST, max(30.0, max(changes) + 8)))
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
