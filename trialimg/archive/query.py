"""Answers a QIDO-RS search (PS3.18 section 10.6) from attributes in the DICOM JSON model."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from typing import Any, Final

from pydicom.datadict import tag_for_keyword

from trialimg.archive.port import Json
from trialimg.errors import BadInput

# PS3.18 tables 10.6.3-3 to 10.6.3-5, plus what a viewer sorts by.
_STUDY: Final = [
    "00080005",
    "00080020",
    "00080030",
    "00080050",
    "00080090",
    "00080201",
    "00081030",
    "00100010",
    "00100020",
    "00100030",
    "00100040",
    "0020000D",
    "00200010",
]
_SERIES: Final = [
    "00080005",
    "00080021",
    "00080031",
    "00080060",
    "00080201",
    "0008103E",
    "00180015",
    "0020000D",
    "0020000E",
    "00200011",
    "00400244",
    "00400245",
    "00400275",
]
_INSTANCE: Final = [
    "00080005",
    "00080016",
    "00080018",
    "00080201",
    "0020000D",
    "0020000E",
    "00200013",
    "00280008",
    "00280010",
    "00280011",
    "00280100",
]
_MODALITIES, _N_SERIES, _N_IN_STUDY, _N_IN_SERIES = "00080061", "00201206", "00201208", "00201209"
_ONLINE: Final[Json] = {"00080056": {"vr": "CS", "Value": ["ONLINE"]}}
_RANGED: Final = frozenset({"DA", "TM", "DT"})
_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
# Not attributes: how much to answer, not what to match.
_ABOUT_THE_ANSWER: Final = frozenset({"limit", "offset", "includefield", "fuzzymatching", "_"})


def study(instance: Json, modalities: list[str], series: int, instances: int) -> Json:
    """Show a study from the attributes of any one of its instances."""
    return (
        _pick(instance, _STUDY)
        | _ONLINE
        | {
            _MODALITIES: {"vr": "CS", "Value": modalities},
            _N_SERIES: {"vr": "IS", "Value": [series]},
            _N_IN_STUDY: {"vr": "IS", "Value": [instances]},
        }
    )


def series(instance: Json, instances: int) -> Json:
    """Show a series from the attributes of any one of its instances."""
    return _pick(instance, _SERIES) | {_N_IN_SERIES: {"vr": "IS", "Value": [instances]}}


def instance(attributes: Json) -> Json:
    """Show an instance."""
    return _pick(attributes, _INSTANCE) | _ONLINE


def search(candidates: Iterable[Json], filters: dict[str, str]) -> list[Json]:
    """Keep those that match every filter (PS3.4 section C.2.2.2), then cut by offset and limit.

    Filters are named by keyword or by tag; an unknown one raises BadInput.
    """
    asked = {tag_of(key): value for key, value in filters.items() if key not in _ABOUT_THE_ANSWER}
    found = [one for one in candidates if all(_matches(one, tag, value) for tag, value in asked.items())]
    offset, limit = _number(filters, "offset", 0), _number(filters, "limit", len(found))
    return found[offset : offset + limit]


def tag_of(key: str) -> str:
    """Give the eight hexadecimal digits of an attribute named by keyword or tag; raises BadInput."""
    if _TAG.fullmatch(key):
        return key.upper()
    tag = tag_for_keyword(key)
    if tag is None:
        raise BadInput("A search names an attribute that does not exist.")
    return f"{tag:08X}"


def value(attributes: Json, tag: str) -> str:
    """Give the first value of an attribute as text, empty when it has none."""
    values = _values(attributes, tag)
    return values[0] if values else ""


def _pick(attributes: Json, tags: list[str]) -> Json:
    return {tag: attributes[tag] for tag in tags if tag in attributes}


def _number(filters: dict[str, str], name: str, otherwise: int) -> int:
    text = filters.get(name, "")
    if text and not text.isdecimal():
        raise BadInput(f"A search gives a {name} that is not a number.")
    return int(text) if text else otherwise


def _values(attributes: Json, tag: str) -> list[str]:
    values: list[Any] = attributes.get(tag, {}).get("Value", [])
    return [str(one.get("Alphabetic", "")) if isinstance(one, dict) else str(one) for one in values]


def _matches(attributes: Json, tag: str, asked: str) -> bool:
    if asked in {"", "*"}:
        return True
    vr = attributes.get(tag, {}).get("vr", "")
    values = _values(attributes, tag)
    if vr == "UI":
        return bool(set(re.split(r"[\\,]", asked)) & set(values))
    if vr in _RANGED and "-" in asked:
        first, _, last = asked.partition("-")
        return any(first <= one[: len(first) or None] and (not last or one[: len(last)] <= last) for one in values)
    if vr == "PN":
        return any(fnmatch.fnmatchcase(one.lower(), _pattern(asked.lower())) for one in values)
    return any(fnmatch.fnmatchcase(one, _pattern(asked)) for one in values)


def _pattern(asked: str) -> str:
    """DICOM knows ``*`` and ``?`` only; a bracket is a bracket."""
    return asked.replace("[", "[[]")
