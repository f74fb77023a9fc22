"""Which private attributes may stay: by the trial's own rules, or as ones that are known to be safe.

They are known by the text of the private creator that reserves their block, never by the number of the block, which
is another in every file (PS3.5 7.8). One whose block nobody reserves is nobody's, and goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Final, Literal

from trialimg.dicom.rules.actions import DATES, GOES, WITHOUT_VALUE, Choice, Do, Step
from trialimg.dicom.rules.unlisted import is_judged
from trialimg.dicom.standard.part10 import PIXEL_DATA
from trialimg.dicom.standard.table import read_data
from trialimg.domain.deid_rule import Rule

Decide = Callable[[str, int, str | None], Step]
"""Decides by creator, tag and stated VR (``Place.private``)."""
Known = Mapping[tuple[str, int], str]
"""VR of private attributes by creator and tag, the block left out."""

CREATOR: Final = Step(Do.KEEP, "K", "LO", why="reserves a block of private attributes of which one stays")
_BY_VR: Final = {"AS": (Do.CAP_AGE, "K"), "UI": (Do.MAP_UID, "U"), "SQ": (Do.CLEAN_ITEMS, "K")}
_BLOCKS: Final = range(0x10, 0x100)


def without_block(tag: int) -> int:
    """Give a private tag without the number of its block."""
    return tag & 0xFFFF00FF


@cache
def safe_private(whose: Literal["table", "curated"]) -> Known:
    """Give the attributes known to be safe: those of PS3.15 table E.3.10-1, or also those that archives curate."""
    document = read_data("safe_private.json")
    found = {}
    for part in ("table", "curated") if whose == "curated" else ("table",):
        for creator, entries in document[part].items():
            for entry in entries.split():
                found[creator, int(entry[:4], 16) << 16 | int(entry[4:6], 16)] = entry[7:]
    return found


def choose_private(rule: Rule | None, vr: str, dated: Callable[[str], Choice | None], source: str) -> Choice:
    """Choose for an attribute that a rule names, or one that is known to be safe (no rule), by its VR."""
    if rule is not None and rule.action != "K":
        return WITHOUT_VALUE[rule.action], rule.action, source
    if vr in DATES:
        return dated(vr) or (Do.REMOVE, "X", f"{source}; dates are removed")
    if vr in _BY_VR:
        return (*_BY_VR[vr], source)
    if rule is not None:
        return Do.KEEP, "K", source
    return (Do.JUDGE, "K", f"{source}; what it is for stays") if is_judged(0, vr) else (Do.REMOVE, "X", GOES.why)


def kept_private(
    decide: Decide, present: Iterable[tuple[int, str | None]], text: Callable[[int], str]
) -> dict[int, Step]:
    """Give the private attributes of one data set or item that do not go, and the creators of their blocks.

    ``present`` are tags with their stated VR; ``text`` gives the value of a private creator.
    """
    private = [(tag, vr) for tag, vr in present if tag >> 16 & 1 and tag < PIXEL_DATA]
    creators = {tag: text(tag).strip(" \0") for tag, _vr in private if tag & 0xFFFF in _BLOCKS}
    kept: dict[int, Step] = {}
    for tag, vr in private:
        reserved_by = tag & 0xFFFF0000 | (tag >> 8 & 0xFF)
        creator = creators.get(reserved_by) if tag & 0xFFFF > _BLOCKS[-1] else None
        step = decide(creator, tag, vr) if creator else GOES
        if step.do is not Do.REMOVE:
            kept[tag] = step
            kept[reserved_by] = CREATOR
    return kept
