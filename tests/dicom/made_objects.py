"""One object of every SOP class of PS3.3, with every attribute of every module, down to some depth."""

from __future__ import annotations

import struct

from trialimg.dicom.files.encode import encoded
from trialimg.dicom.standard import iod
from trialimg.dicom.standard.table import keyword_of, vr_of

CODE_ATTRIBUTES = frozenset({0x00080100, 0x00080102, 0x00080104})
_TOO_MUCH = frozenset({0x00660002})
_VALUES = {
    "AE": b"STATION7",
    "AS": b"045Y",
    "CS": b"WHOLE",
    "DA": b"20190718",
    "DS": b"12.5",
    "DT": b"20190718101112.5+0100",
    "IS": b"7",
    "PN": b"Okonkwo^Adaeze=Yi^Er=San^Si",
    "TM": b"101112.25",
    "UI": b"1.2.3.4.5.6.7",
    "UR": b"https://okonkwo.example/7",
    **dict.fromkeys(("US", "SS"), b"\1\0"),
    **dict.fromkeys(("UL", "SL", "FL", "AT"), b"\1\0\2\0"),
    **dict.fromkeys(("FD", "UV", "SV", "OB", "OD", "OF", "OL", "OV", "OW", "UN"), b"\1\0\2\0\3\0\4\0"),
}


def classes() -> list[str]:
    """All classes that the data know and whose objects are files of a study."""
    return sorted(uid for uid in iod._standard()["classes"] if uid != "1.2.840.10008.1.3.10")


def made_object(sop_class: str, *, depth: int = 3, only: frozenset[str] = frozenset(iod.STRICTEST)) -> bytes:
    """The encoded data set (explicit VR little endian) of attributes of the Types in ``only``, sequences to a depth."""
    return _items(sop_class, iod.place_of(sop_class), depth, only, {})


def _items(sop_class, place, depth, only, known):
    if (place, depth) in known:
        return known[place, depth]
    parts = []
    there = {tag for number in place for tag in iod._subtree(number)}
    for tag, kind in sorted((tag, iod.type_at(place, tag)) for tag in there):
        vr = vr_of(tag).split(" or ")[0]
        if kind not in only or not vr or tag > 0x7FE00000 or tag in _TOO_MUCH:
            continue
        if vr == "SQ":
            if depth == 0:
                continue
            below = _items(sop_class, iod.inside(place, tag), depth - 1, only, known)
            value = struct.pack("<HHL", 0xFFFE, 0xE000, len(below)) + below
        elif tag == 0x00080016:
            value = sop_class.encode()
        elif tag == 0x00080005:
            value = b"ISO_IR 192"
        else:
            value = _VALUES.get(vr) or f"{keyword_of(tag)[:15]}7".encode()
        parts.append(encoded(tag, vr, value, implicit=False, little=True))
    known[place, depth] = b"".join(parts)
    return known[place, depth]
