"""What the standard says of an attribute: PS3.15 table E.1-1, and the data dictionary PS3.6."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from pydicom.datadict import dictionary_is_retired, dictionary_keyword, dictionary_VR

FULL_DATES: Final = "retain_longitudinal_full_dates"
MODIFIED_DATES: Final = "retain_longitudinal_modified_dates"


@dataclass(frozen=True)
class Row:
    """One row of the table: the Basic Profile's action, and the action of each option that differs."""

    name: str
    basic: str
    in_standard_iod: bool
    options: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """Table E.1-1 of one edition of the standard."""

    edition: str
    rows: Mapping[int, Row]
    masks: Mapping[str, Row]


@cache
def confidentiality_table() -> Table:
    """Read the table that the package carries, once."""
    text = files("trialimg.dicom").joinpath("data/ps3_15_e1.json").read_text(encoding="utf-8")
    document = json.loads(text)
    rows: dict[int, Row] = {}
    masks: dict[str, Row] = {}
    for tag, name, basic, in_iod, options in document["rows"]:
        row = Row(name, basic, bool(in_iod), options)
        if "x" in tag or tag == "private":
            masks[tag] = row
        else:
            rows[int(tag, 16)] = row
    return Table(document["edition"], rows, masks)


@cache
def vr_of(tag: int) -> str:
    """Give the VR of a public attribute (``US or SS`` where the standard leaves a choice), else ``""``."""
    if tag >> 16 & 1:
        return ""
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""


@cache
def keyword_of(tag: int) -> str:
    """Give the keyword of a public attribute, ``private`` of a private one, ``unknown`` of any other."""
    if tag >> 16 & 1:
        return "private"
    return dictionary_keyword(tag) if vr_of(tag) else "unknown"


@cache
def is_retired(tag: int) -> bool:
    """Tell whether the standard has given the attribute up."""
    return bool(vr_of(tag)) and dictionary_is_retired(tag)


def tag_text(tag: int) -> str:
    """Write a tag as the standard does: ``(0010,0020)``."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
