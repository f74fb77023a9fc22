"""What the standard says: PS3.15 table E.1-1, the data dictionary and the registered UIDs of PS3.6.

All of it is data of this package, so that nothing else is loaded to ask it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

DATA: Final = Path(__file__).parents[1] / "data"
FULL_DATES: Final = "retain_longitudinal_full_dates"
MODIFIED_DATES: Final = "retain_longitudinal_modified_dates"


class Row(NamedTuple):
    """One row of the table: the Basic Profile's action, and the action of each option that differs."""

    name: str
    basic: str
    options: Mapping[str, str]


class Table(NamedTuple):
    """Table E.1-1 of one edition of the standard."""

    edition: str
    rows: Mapping[int, Row]
    masks: Mapping[str, Row]


class Attribute(NamedTuple):
    """One attribute of PS3.6; the VR is ``US or SS`` where the standard leaves a choice."""

    vr: str
    vm: str
    keyword: str
    is_retired: bool


_NONE: Final = Attribute("", "", "", is_retired=False)


def read_data(name: str) -> dict[str, Any]:
    """Read a file of the package's data."""
    document: dict[str, Any] = json.loads(DATA.joinpath(name).read_text(encoding="utf-8"))
    return document


@cache
def confidentiality_table() -> Table:
    """Read the table that the package carries, once."""
    document = read_data("ps3_15_e1.json")
    rows: dict[int, Row] = {}
    masks: dict[str, Row] = {}
    for tag, name, basic, _in_iod, options in document["rows"]:
        row = Row(name, basic, options)
        if "x" in tag or tag == "private":
            masks[tag] = row
        else:
            rows[int(tag, 16)] = row
    return Table(document["edition"], rows, masks)


@cache
def edition() -> str:
    """Give the edition of the standard whose table this is, as ``2026c``."""
    found = re.search(r"edition (\w+)", confidentiality_table().edition)
    return found.group(1) if found else confidentiality_table().edition


@cache
def _dictionary() -> tuple[Mapping[str, str], tuple[tuple[int, int, str], ...]]:
    """Give the attributes by tag, and those of repeating groups as mask, tag under the mask, and facts."""
    document = read_data("ps3_6_dictionary.json")
    repeating = tuple(
        (int("".join("0" if digit == "x" else "F" for digit in mask), 16), int(mask.replace("x", "0"), 16), said)
        for mask, said in document["repeating"].items()
    )
    return document["attributes"], repeating


@cache
def _uids() -> Mapping[str, str]:
    uids: Mapping[str, str] = read_data("ps3_6_uids.json")["uids"]
    return uids


@lru_cache(maxsize=1 << 14)
def attribute(tag: int) -> Attribute:
    """Give what PS3.6 says of a public attribute; all empty for a private or unknown one."""
    if tag >> 16 & 1:
        return _NONE
    attributes, repeating = _dictionary()
    said = attributes.get(f"{tag:08X}")
    if said is None:
        said = next((facts for mask, masked, facts in repeating if tag & mask == masked), None)
    if said is None:
        return _NONE
    vr, vm, keyword, retired = said.split("|")
    return Attribute(vr, vm, keyword, bool(retired))


@lru_cache(maxsize=1 << 14)
def vr_of(tag: int) -> str:
    """Give the VR of a public attribute (``US or SS`` where the standard leaves a choice), else ``""``."""
    return attribute(tag).vr


def keyword_of(tag: int) -> str:
    """Give the keyword of a public attribute, ``private`` of a private one, ``unknown`` of any other."""
    if tag >> 16 & 1:
        return "private"
    return attribute(tag).keyword if vr_of(tag) else "unknown"


@cache
def _keywords() -> Mapping[str, int]:
    return {said.split("|")[2]: int(tag, 16) for tag, said in _dictionary()[0].items()}


def tag_of(keyword: str) -> int:
    """Give the tag of a public attribute by its keyword; LookupError where the dictionary does not know it."""
    return _keywords()[keyword]


def vm_of(tag: int) -> str:
    """Give the value multiplicity of a public attribute as PS3.6 writes it (``1``, ``1-n``, ``3-3n``), else ``""``."""
    return attribute(tag).vm


def is_retired(tag: int) -> bool:
    """Tell whether the standard has given the attribute up."""
    return attribute(tag).is_retired


def is_registered(uid: str) -> bool:
    """Tell whether a UID is one of PS3.6: a name of the standard's own, not of anybody's thing."""
    return uid in _uids()


def uid_name(uid: str) -> str:
    """Give the name of a registered UID (PS3.6 Annex A), ``""`` of any other."""
    return _uids().get(uid, "").partition("|")[0]


def tag_text(tag: int) -> str:
    """Write a tag as the standard does: ``(0010,0020)``."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
