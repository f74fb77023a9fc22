"""A read between its page and casework: rows of lesions for the page, and what a page posts read back.

Names on the page: ``T.T1.state``, where T is a target, N a non-target and L a new lesion, then the lesion's number;
``T.T1.diameter.0`` for the first part of a diameter; ``answer:check:group:lesion`` for a reason given to a doubt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from trialimg.casework.read_images import Images
from trialimg.casework.read_page import Previous, ReadPage
from trialimg.domain.lesion import (
    MOST_TARGETS,
    Measurement,
    NewLesion,
    NonTargetLesion,
    NonTargetState,
    Organ,
    Seen,
    TargetLesion,
    TargetState,
)
from trialimg.domain.read_plain import from_plain
from trialimg.domain.read_values import ReadValues
from trialimg.errors import BadInput

Posted = MultiDict[str, str]
_ROW = re.compile(r"[TNL]/[TNL][0-9]{1,3}", re.ASCII)
_POINTS = re.compile(r"-?[0-9.]{1,12},-?[0-9.]{1,12};-?[0-9.]{1,12},-?[0-9.]{1,12}", re.ASCII)
_DAMAGED: Final = (
    "The page arrived incomplete or changed, so nothing was saved. Go back, look whether it is whole, and save again."
)
MOST_PARTS: Final = 3
"""Parts a lesion that came apart can be measured in on the page."""
BLANK_ROWS: Final = 2
GROUPS: Final = {"T": "targets", "N": "non_targets", "L": "new_lesions"}
ORGANS: Final = tuple(organ.value for organ in Organ)
TARGET_STATES: Final = tuple(state.value for state in TargetState)
NON_TARGET_STATES: Final = tuple(state.value for state in NonTargetState)


@dataclass(frozen=True)
class PartView:
    """One diameter on the page; ``series`` and ``image`` name the image as people count."""

    at: int
    diameter: str
    series: str
    image: str
    frame: str
    sop: str
    points: str


@dataclass(frozen=True)
class RowView:
    """One lesion on the page; a ``fixed`` one was chosen at baseline, so organ and place are only shown."""

    kind: str
    key: str
    fixed: bool
    organ: str
    location: str
    state: str
    certainty: str
    merged_into: str
    reason: str
    parts: tuple[PartView, ...]
    previous: tuple[Previous, ...]
    findings: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The beginning of its names on the page."""
        return f"{self.kind}.{self.key}"


# --- the page ---------------------------------------------------------------------------------------------


def rows_of(page: ReadPage, images: Images, typed: Posted | None = None) -> dict[str, list[RowView]]:
    """Give the rows of the page by kind, with blank ones to fill; what was typed comes before what is saved."""
    values, fixed = page.values, not page.is_baseline
    said: Posted = typed if typed is not None else MultiDict()
    rows: dict[str, list[RowView]] = {"T": [], "N": [], "L": []}
    for target in values.targets:
        rows["T"].append(_row(page, images, said, target, fixed=fixed))
    for other in values.non_targets:
        rows["N"].append(_row(page, images, said, other, fixed=fixed))
    for new in values.new_lesions:
        rows["L"].append(_row(page, images, said, new, fixed=False))
    if page.can_change:
        _add_blanks(page, images, said, rows)
    return rows


def _add_blanks(page: ReadPage, images: Images, said: Posted, rows: dict[str, list[RowView]]) -> None:
    """Add blank rows as many as may be filled, and those that were posted and not saved."""
    posted = {text for text in said.getlist("_rows") if _ROW.fullmatch(text)}
    for kind in ("T", "N") if page.is_baseline else ("L",):
        used = {row.key for row in rows[kind]}
        wanted = {text[2:] for text in posted if text[0] == kind} - used
        blanks = max(0, MOST_TARGETS - len(used)) if kind == "T" else BLANK_ROWS
        number = 1
        while len(wanted) < blanks:
            key = f"{kind}{number}"
            wanted |= {key} - used
            number += 1
        for key in sorted(wanted, key=lambda each: int(each[1:])):
            rows[kind].append(_row(page, images, said, _Blank(key), fixed=False))


@dataclass(frozen=True)
class _Blank:
    id: str
    organ: None = None
    location: str = ""


Lesion = TargetLesion | NonTargetLesion | NewLesion | _Blank


def _row(page: ReadPage, images: Images, said: Posted, lesion: Lesion, *, fixed: bool) -> RowView:
    kind = {TargetLesion: "T", NonTargetLesion: "N", NewLesion: "L"}.get(type(lesion), lesion.id[:1])
    name = f"{kind}.{lesion.id}"
    measured: tuple[Measurement, ...] = getattr(lesion, "measurements", ())
    if isinstance(lesion, NewLesion):
        measured = (Measurement("", lesion.sop_instance_uid, lesion.frame),)
    state, certainty = getattr(lesion, "state", None), getattr(lesion, "certainty", None)
    count = 0 if kind == "N" else 1 if kind == "L" or not fixed else MOST_PARTS
    findings = [
        (each.severity, each.sentence)
        for each in page.judged.findings
        if each.group == GROUPS[kind] and each.repeat_key == lesion.id
    ]
    return RowView(
        kind, lesion.id, fixed,
        said.get(f"{name}.organ", lesion.organ.value if lesion.organ else ""),
        said.get(f"{name}.location", lesion.location),
        said.get(f"{name}.state", state.value if state else ""),
        said.get(f"{name}.certainty", certainty.value if certainty else ""),
        said.get(f"{name}.merged_into", getattr(lesion, "merged_into", "")),
        said.get(f"{name}.reason", getattr(lesion, "reason", "")),
        tuple(_part(images, said, name, at, measured) for at in range(max(count, len(measured)))),
        page.previous.get(lesion.id, ()) if kind != "L" else (),
        tuple(findings),
    )  # fmt: skip


def _part(images: Images, said: Posted, name: str, at: int, measured: tuple[Measurement, ...]) -> PartView:
    part = measured[at] if at < len(measured) else Measurement("")
    where = images.find(part.sop_instance_uid) if part.sop_instance_uid else None
    points = ";".join(f"{column},{row}" for column, row in part.end_points)
    return PartView(
        at,
        said.get(f"{name}.diameter.{at}", part.diameter),
        said.get(f"{name}.series.{at}", where[0] if where else ""),
        said.get(f"{name}.image.{at}", str(where[1]) if where else ""),
        said.get(f"{name}.frame.{at}", str(part.frame)),
        said.get(f"{name}.sop.{at}", part.sop_instance_uid),
        said.get(f"{name}.points.{at}", points),
    )


# --- a page read back -------------------------------------------------------------------------------------


def revision_of(data: Posted) -> int:
    """Give the revision the page was made of; raises BadInput where the page did not arrive whole."""
    text = data.get("_revision", "")
    if data.get("_end") != "1" or not (text.isascii() and text.isdecimal() and len(text) < 10):  # noqa: PLR2004 (digits)
        raise BadInput(_DAMAGED)
    return int(text)


def read_posted(page: ReadPage, images: Images, data: Posted) -> ReadValues:
    """Read the values a page posted; raises BadInput with what cannot be taken, nothing being saved.

    Rows without anything in them are left out; organ and place of lesions of the baseline are not asked.
    """
    revision_of(data)
    keys = list(dict.fromkeys(data.getlist("_rows")))
    if any(_ROW.fullmatch(each) is None or each[0] != each[2] for each in keys):
        raise BadInput(_DAMAGED)
    fixed = {} if page.is_baseline else _fixed(page.values)
    plain: dict[str, Any] = {"targets": [], "non_targets": [], "new_lesions": []}
    for each in keys:
        kind, key = each[0], each[2:]
        found = _lesion(images, data, kind, key, fixed.get(each))
        if found is not None:
            plain[GROUPS[kind]].append(found)
    plain |= {name: data.get(name, "") for name in ("new", "quality", "comment")}
    return images.with_thickness(from_plain(plain))


def _fixed(values: ReadValues) -> dict[str, tuple[str, str]]:
    known = {f"T/{each.id}": (each.organ.value, each.location) for each in values.targets}
    return known | {f"N/{each.id}": (each.organ.value, each.location) for each in values.non_targets}


def _lesion(images: Images, data: Posted, kind: str, key: str, fixed: tuple[str, str] | None) -> dict[str, Any] | None:
    name = f"{kind}.{key}"
    said = {item: data.get(f"{name}.{item}", "").strip() for item in ("organ", "location", "state", "reason")}
    said["merged_into"], certainty = data.get(f"{name}.merged_into", ""), data.get(f"{name}.certainty", "")
    if fixed is not None:
        said["organ"], said["location"] = fixed
    if data.get(f"{name}.remove") and fixed is None:
        return None
    parts = [_measured(images, data, name, at) for at in range(MOST_PARTS)] if kind != "N" else []
    parts = [each for each in parts if each["diameter"] or each["sop_instance_uid"]]
    if not said["organ"]:
        if said["location"] or parts or certainty:
            raise BadInput(f"Choose the organ of lesion {key}; nothing was saved until then.")
        return None
    lesion = {"id": key, "organ": said["organ"], "location": said["location"]}
    if kind == "L":
        seen = parts[0] if parts else {"sop_instance_uid": "", "frame": 1}
        where = {"sop_instance_uid": seen["sop_instance_uid"], "frame": seen["frame"]}
        return {**lesion, "certainty": certainty or Seen.EQUIVOCAL.value, **where}
    if kind == "N":
        state = said["state"] or ("" if fixed else NonTargetState.PRESENT.value)
        return {**lesion, "state": state, "reason": said["reason"]}
    state = said["state"] or (TargetState.MEASURED.value if parts or fixed is None else "")
    more = {"merged_into": said["merged_into"], "reason": said["reason"]}
    return {**lesion, "state": state, "measurements": parts, **more}


def _measured(images: Images, data: Posted, name: str, at: int) -> dict[str, Any]:
    """Read one diameter: the image chosen from the lists counts, its line only while it is the line's own image."""
    diameter = data.get(f"{name}.diameter.{at}", "").strip()
    sop, points = data.get(f"{name}.sop.{at}", "").strip(), data.get(f"{name}.points.{at}", "").strip()
    series, image = data.get(f"{name}.series.{at}", ""), data.get(f"{name}.image.{at}", "").strip()
    if images.series:
        chosen = images.image(series, image).sop_instance_uid if image else ""
        sop, points = chosen, points if chosen == sop else ""
    frame = data.get(f"{name}.frame.{at}", "1").strip() or "1"
    if not (frame.isascii() and frame.isdecimal() and len(frame) < 6):  # noqa: PLR2004 (digits)
        raise BadInput("A frame is a whole number, counted from 1; correct it. Nothing was saved.")
    if points and _POINTS.fullmatch(points) is None:
        raise BadInput(_DAMAGED)
    ends = [each.split(",") for each in points.split(";")] if points else []
    return {
        "diameter": diameter,
        "sop_instance_uid": sop,
        "frame": int(frame),
        "end_points": [{"column": column, "row": row} for column, row in ends],
        "slice_thickness": "",
    }


def answers_of(data: Posted) -> dict[tuple[str, str, str], str]:
    """Read the reasons given to doubts."""
    found = {}
    for name, text in data.items():
        parts = name.split(":")
        if len(parts) == 4 and parts[0] == "answer":  # noqa: PLR2004 (answer, check, group, lesion)
            found[parts[1], parts[2], parts[3]] = text
    return found
