"""Where the screen of a known device shows who the patient is, and what lies outside of an ultrasound's regions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from trialimg.domain.mask import Box

_THIN: Final = 6
"""Pixels between two regions in which no letter is legible."""
OUTSIDE: Final = "outside the ultrasound regions (0018,6011)"


@dataclass(frozen=True)
class DeviceRule:
    """A rule that applies to an instance: how it is called, and what it covers there."""

    name: str
    boxes: tuple[Box, ...]


@cache
def known_devices() -> tuple[dict[str, Any], ...]:
    """Give the rules as data; ``read`` and ``sources`` of the file say how they are read and where they are from."""
    text = files("trialimg.pixels").joinpath("data/devices.json").read_text("utf-8")
    return tuple(json.loads(text)["rules"])


def rule_for(header: Dataset) -> DeviceRule | None:
    """Give the rule of the device that made an image; else, of an ultrasound, what lies outside of its regions."""
    applying = [rule for rule in known_devices() if _applies(rule, header)]
    if applying:
        # The rule that asks most knows most: a size and a longer name come before a family of devices.
        rule = max(applying, key=lambda rule: (len(rule), len(rule.get("model", ""))))
        return DeviceRule(_name(rule), tuple(_boxes(rule["boxes"], int(header.Columns))))
    outside = outside_the_regions(header)
    return DeviceRule(OUTSIDE, outside) if outside else None


def _applies(rule: dict[str, Any], header: Dataset) -> bool:
    software = rule.get("software", "").casefold()
    return all(
        (
            rule["manufacturer"].casefold() in _text(header, "Manufacturer"),
            _plain(rule.get("model", "")) in _plain(_text(header, "ManufacturerModelName")),
            rule.get("image_type", "").casefold() in _text(header, "ImageType"),
            rule.get("description", "").casefold() in _text(header, "SeriesDescription"),
            rule.get("modality", "").casefold() in {"", _text(header, "Modality")},
            rule.get("rows", header.Rows) == header.Rows,
            rule.get("columns", header.Columns) == header.Columns,
            software in (_text(header, "SoftwareVersions") or software),
            "window_width" not in rule or _width(header) in {None, rule["window_width"]},
        )
    )


def _plain(model: str) -> str:
    """Give a model as it is compared: LOGIQ E9 and LOGIQE9 are one."""
    return "".join(model.split()).casefold()


def _width(header: Dataset) -> float | None:
    """Give the width of the window to be shown with; None where the file tells of none that can be read."""
    try:
        return float(_text(header, "WindowWidth"))
    except ValueError:
        return None


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword) or ""
    return "\\".join(map(str, value)).casefold() if isinstance(value, MultiValue) else str(value).casefold()


def _name(rule: dict[str, Any]) -> str:
    size = f", {rule['rows']} rows" if "rows" in rule else ""
    return f"{rule['manufacturer']} {rule.get('model', '')}".strip() + size


def _boxes(entries: Iterable[Sequence[int]], columns: int) -> Iterable[Box]:
    return (Box(x, y, width or columns, height) for x, y, width, height in entries)


def outside_the_regions(header: Dataset) -> tuple[Box, ...]:
    """Give the boxes that cover all but the regions of an ultrasound image; none where it tells of no region."""
    columns, rows = int(header.Columns), int(header.Rows)
    regions = [
        region
        for item in header.get("SequenceOfUltrasoundRegions") or []
        if not (region := _region(item).clipped(columns, rows)).is_empty
    ]
    if not regions:
        return ()
    edges = sorted({0, rows, *(region.y for region in regions), *(region.bottom for region in regions)})
    bands: dict[tuple[int, int], list[Box]] = {}
    for top, bottom in pairwise(edges):
        for left, right in _gaps([region for region in regions if region.y < bottom and top < region.bottom], columns):
            above = bands.setdefault((left, right), [])
            if above and above[-1].bottom == top:
                above[-1] = above[-1].joined(Box(left, top, right - left, bottom - top))
            else:
                above.append(Box(left, top, right - left, bottom - top))
    found = [box for boxes in bands.values() for box in boxes]
    return tuple(sorted(box for box in found if not _is_sliver(box, found)))


def _is_sliver(box: Box, others: Iterable[Box]) -> bool:
    thin = box.width < _THIN or box.height < _THIN
    return thin and not any(other.touches(box) for other in others if other is not box)


def _region(item: Dataset) -> Box:
    try:
        x, y = int(item.RegionLocationMinX0), int(item.RegionLocationMinY0)
        return Box(x, y, int(item.RegionLocationMaxX1) + 1 - x, int(item.RegionLocationMaxY1) + 1 - y)
    except (AttributeError, TypeError, ValueError):
        return Box(0, 0, 0, 0)


def _gaps(regions: Iterable[Box], columns: int) -> list[tuple[int, int]]:
    gaps, covered = [], 0
    for region in sorted(regions):
        if region.x > covered:
            gaps.append((covered, region.x))
        covered = max(covered, region.right)
    return [*gaps, (covered, columns)] if covered < columns else gaps
