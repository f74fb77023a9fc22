"""What a reader is shown of an image: the reading code in place of the subject, no site, and moved dates.

Works on what the engine has cleaned before, as a DICOM JSON data set (PS3.18 Annex F) or as a Part-10 file, and
follows the same rules in both. UIDs and pixel data stay: a reader's measurements refer to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any, Final

from trialimg.dicom.rules.plan import OF_EVERYBODY, PATIENT_ID, PATIENT_NAME
from trialimg.dicom.rules.values import dummy
from trialimg.dicom.standard.table import confidentiality_table, vr_of
from trialimg.domain.deidentification import CID_7050
from trialimg.domain.pseudonym import shift_date

Json = dict[str, Any]

_MODIFIED: Final = 0x00280303
_CODED: Final = frozenset({PATIENT_NAME, PATIENT_ID, 0x00120040, 0x00120042})
_TOLD: Final = frozenset({0x00120010, 0x00120020, 0x00120050, 0x00120062, 0x00120063, 0x00120064})
"""Of group 0012: sponsor, protocol and time point, which a reader knows, and how the image was cleaned."""
_EMPTIED: Final = frozenset({0x00120021, 0x00120030, 0x00120031, 0x00120060})
"""Type 2 in the Clinical Trial modules (PS3.3 C.7.1.3, C.7.3.2): empty rather than absent."""
_OTHER_NAMES: Final = frozenset(
    {0x00100021, 0x00100022, 0x00100024, 0x00100026, 0x00101000, 0x00101001, 0x00101002, 0x00101005, 0x00101060}
)
_NO_LONGER_TRUE: Final = frozenset({0x04000500, 0x04000550, 0x04000561, 0x4FFE0001, 0xFFFAFFFA, 0xFFFCFFFC})
"""Signatures and copies of what stood here before."""
_WITHOUT_DATE_VR: Final = frozenset({0x00080201, 0x00340007})
"""The hour zone, which tells the country, and a date written as a number."""
_OF_THE_DEVICE: Final = frozenset(
    {*(0x0014407E, 0x00181200, 0x00181202, 0x00181203, 0x00181204, 0x00181205, 0x0018700C), 0x300A022C}
)
"""Dates of a device: moved by different shifts they would tell which subjects share a site."""
_OF_A_PLACE: Final = ("retain_institution_identity", "retain_device_identity")
_UNKNOWN_DATE: Final = frozenset({dummy("DA").decode(), dummy("DT").decode()})
_BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
TEXT: Final = frozenset({"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_TAG_IN_ADDRESS: Final = re.compile(r"(?<![0-9A-Za-z])([0-9A-Fa-f]{4})[-,]?([0-9A-Fa-f]{4})(?![0-9A-Za-z])")
_NOW_TRUE: Final = {
    (0x00080100, "113106"): "113107",
    (0x00080104, CID_7050["113106"]): CID_7050["113107"],
}
_SHORTEST_WORD: Final = 4


@dataclass(frozen=True)
class Mask:
    """How one subject looks to somebody: to readers ``reading_code`` for its number, dates moved by ``days``.

    Without ``days`` no date is told at all. A mask of ``dates_only`` leaves all else as it is: the trial's team sees
    by it, where a true date beside the image's own would give the shift away. ``hidden`` are words (the subject's
    number) that are replaced by the code wherever else they stand; words of fewer than four characters are not looked
    for, since they mean nothing by themselves.
    """

    reading_code: str
    days: int | None
    hidden: tuple[str, ...] = ()
    dates_only: bool = False

    def act(self, tag: int, vr: str) -> Act:
        """Decide what becomes of an attribute, at whatever depth it stands."""
        if not self.dates_only:
            return act_on(tag, vr)
        return Act.SHIFT if vr in {"DA", "DT"} and tag not in OF_EVERYBODY else Act.KEEP

    def text(self, text: str) -> str:
        """Give a text without the hidden words."""
        for word in self.hidden:
            if len(word) >= _SHORTEST_WORD and word in text:
                text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", self.reading_code, text)
        return text

    def date(self, value: str) -> str:
        """Move a DA or DT; the dates that stand for an unknown one stay, since moved they would give the shift away."""
        if value.strip(" \0") in _UNKNOWN_DATE:
            return value
        return "" if self.days is None else shift_date(value, self.days)


class Act(Enum):
    """What becomes of an attribute."""

    KEEP = auto()
    DROP = auto()
    EMPTY = auto()
    CODE = auto()
    SHIFT = auto()
    DUMMY = auto()
    MODIFIED = auto()
    TEXT = auto()


_FIXED: Final[Mapping[int, Act]] = {
    **dict.fromkeys(_OTHER_NAMES | _NO_LONGER_TRUE | _WITHOUT_DATE_VR, Act.DROP),
    **dict.fromkeys(_EMPTIED, Act.EMPTY),
    **dict.fromkeys(_CODED, Act.CODE),
    **dict.fromkeys(_OF_THE_DEVICE, Act.DUMMY),
    **dict.fromkeys(OF_EVERYBODY, Act.KEEP),
    _MODIFIED: Act.MODIFIED,
}


@cache
def act_on(tag: int, vr: str) -> Act:
    """Decide what becomes of an attribute, at whatever depth it stands; one that nobody knows is dropped."""
    group = tag >> 16
    if tag in _FIXED:
        return _FIXED[tag]
    if not vr_of(tag) or tag & 0xFFFF == 0 or (group == 0x0012 and tag not in _TOLD):  # noqa: PLR2004 - Clinical Trial
        return Act.DROP
    if vr in {"DA", "DT"}:
        return Act.SHIFT
    row = confidentiality_table().rows.get(tag)
    if row is not None and vr != "UI" and any(option in row.options for option in _OF_A_PLACE):
        # A trial may keep who made the image; a reader would know the site by it.
        return Act.DUMMY if vr != "SQ" else Act.DROP if "X" in row.basic else Act.KEEP
    return Act.TEXT if vr in TEXT else Act.KEEP


def new_text(act: Act, tag: int, vr: str, text: str, mask: Mask) -> str:
    """Give what stands in place of one value, which is not empty."""
    plain = text.strip(" \0")
    simple = {Act.CODE: mask.reading_code, Act.DUMMY: dummy(vr).decode("latin-1")}
    if act in simple:
        return simple[act]
    if act is Act.SHIFT:
        return mask.date(text) or (dummy("DT").decode() if vr == "DT" else "")
    if act is Act.MODIFIED:
        return text if plain == "REMOVED" else "MODIFIED"
    # Among the codes of the method, the one that says the dates are the true ones.
    return _NOW_TRUE.get((tag, plain)) or mask.text(text)


# ── DICOM JSON ────────────────────────────────────────────────────────────────────────────────────


def blind_json(found: Mapping[str, Any], mask: Mask) -> Json:
    """Give a data set of the DICOM JSON model as a reader sees it; the given one stays as it is."""
    told: Json = {}
    for name, element in found.items():
        tag = int(name, 16)
        vr = str(element.get("vr") or "UN")
        known = vr if vr != "UN" else vr_of(tag) or "UN"
        act = mask.act(tag, known)
        if act is Act.DROP or known == "UN":
            continue
        if act is Act.EMPTY:
            told[name] = {"vr": vr}
        elif known == "SQ":
            items = [blind_json(item, mask) if isinstance(item, Mapping) else {} for item in element.get("Value") or []]
            told[name] = {"vr": vr, **({"Value": items} if items else {})}
        elif act is Act.KEEP:
            told[name] = dict(element)
        elif not ("BulkDataURI" in element or "InlineBinary" in element):  # a text behind an address cannot be masked
            told[name] = _json_texts(act, tag, vr, element, mask)
    return told


def _json_texts(act: Act, tag: int, vr: str, element: Mapping[str, Any], mask: Mask) -> Json:
    values = element.get("Value") or []
    if not values or all(value in (None, "") for value in values):
        return {"vr": vr}
    if act is Act.DUMMY and vr not in TEXT | {"DA", "DT", "TM"}:
        return {"vr": vr}
    if act in {Act.CODE, Act.DUMMY}:
        one = new_text(act, tag, vr, "", mask)
        return {"vr": vr, "Value": [{"Alphabetic": one} if vr == "PN" else one]}
    new = [_json_text(act, tag, vr, value, mask) for value in values]
    return {"vr": vr, "Value": new} if any(new) else {"vr": vr}


def _json_text(act: Act, tag: int, vr: str, value: Any, mask: Mask) -> Any:
    if isinstance(value, Mapping):
        return {part: new_text(act, tag, vr, str(text), mask) for part, text in value.items()}
    return (new_text(act, tag, vr, value, mask) or None) if isinstance(value, str) and value else value


def may_be_told(address: str) -> bool:
    """Say whether a reader may have the bytes behind the end of a BulkDataURI: a path of tags (PS3.18 Annex F).

    Only binary values are let through, of attributes that are kept as they are; any other address is not.
    """
    tags = [int(found[1] + found[2], 16) for found in _TAG_IN_ADDRESS.finditer(address)]
    if not tags or any(act_on(tag, vr_of(tag)) not in {Act.KEEP, Act.TEXT} for tag in tags):
        return False
    return bool(set(vr_of(tags[-1]).split(" or ")) & _BINARY) and all(vr_of(tag) == "SQ" for tag in tags[:-1])
