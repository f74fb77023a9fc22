"""Colour profiles (ICC.1) without what people wrote into them; the colours stay as they are."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

from trialimg.dicom.standard.machine import is_text

_TEXTS: Final = frozenset({b"desc", b"text", b"mluc", b"dict", b"utf8", b"zut8", b"zipx", b"zxml"})
"""Types of profile elements that hold words, wherever they stand."""
_TABLES: Final = frozenset({b"mft1", b"mft2", b"mAB ", b"mBA ", b"mpet"})
"""Types that hold grids of numbers."""
_SIZES: Final = {b"sig ": 12, b"meas": 36, b"view": 36, b"chrm": 44, b"cicp": 12, b"XYZ ": 20, b"sf32": 44}
_FORMULAS: Final = (16, 24, 28, 32, 40)
"""Bytes of a parametric curve by its kind."""
_POINTS: Final = frozenset({b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt", b"bkpt", b"lumi"})
_SIGNATURES: Final = frozenset(
    {
        *(b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"D2B0", b"D2B1", b"D2B2", b"D2B3", b"B2D0", b"B2D1"),
        *(b"B2D2", b"B2D3", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"wtpt", b"bkpt", b"lumi"),
        *(b"chad", b"chrm", b"cicp", b"ciis", b"clro", b"clrt", b"clot", b"calt", b"targ", b"cprt", b"desc", b"devs"),
        *(b"dmdd", b"dmnd", b"gamt", b"meas", b"meta", b"ncl2", b"ncol", b"pre0", b"pre1", b"pre2", b"ps2s", b"ps2i"),
        *(b"pseq", b"psid", b"resp", b"rig0", b"rig2", b"scrd", b"scrn", b"tech", b"vued", b"view", b"bfd ", b"crdi"),
        *(b"vcgt", b"mmod", b"ndin", b"aarg", b"aagg", b"aabg", b"aapy", b"dscm", b"c2sp", b"s2cp", b"gbd0", b"gbd1"),
    }
)
"""Tags of the specification and those that are common; another's name could be anything and is written as one."""
_CLASSES: Final = frozenset({b"scnr", b"mntr", b"prtr", b"link", b"spac", b"abst", b"nmcl"})
_COLOURS: Final = frozenset(
    {
        *(b"XYZ ", b"Lab ", b"Luv ", b"YCbr", b"YCbR", b"Yxy ", b"RGB ", b"GRAY", b"HSV ", b"HLS ", b"CMYK", b"CMY "),
        *(b"%XCLR" % number for number in range(2, 16)),
    }
)
_PLATFORMS: Final = frozenset({b"APPL", b"MSFT", b"SGI ", b"SUNW"})
_HEADER: Final = 128
_MOST_TAGS: Final = 256
_HEAD_OF_TABLE, _HEAD_OF_TABLES = 12, 52


def cleaned_profile(profile: bytes) -> bytes:
    """Give a profile of the same length, its texts and unknown parts blanked, and nothing behind its end.

    What is no profile is given as empty: it could be anything. Cleaning again changes nothing, and an equal value is
    given as the same object.
    """
    made = _cleaned(profile)
    return profile if made == profile else made


@lru_cache(maxsize=8)
def _cleaned(profile: bytes) -> bytes:
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp" or not _names_colours(profile):
        return b""
    (size,) = struct.unpack_from(">L", profile)
    (count,) = struct.unpack_from(">L", profile, _HEADER)
    table_end = _HEADER + 4 + 12 * count
    if count > _MOST_TAGS or not table_end <= size <= len(profile):
        return b""
    made = bytearray(len(profile))
    made[:4], made[8:10], made[12:24] = profile[:4], profile[8:10], profile[12:24]  # not who made it, nor when
    made[36:40] = profile[36:40]
    made[40:44] = profile[40:44] if profile[40:44] in _PLATFORMS else bytes(4)
    for at in (47, 59, 63):  # flags and attributes, of which so many have a meaning
        made[at] = profile[at] & 15
    made[67] = profile[67] & 3  # intent; maker, model, creator and digest are left out
    for at in range(68, 80, 4):  # the illuminant, three numbers below two
        made[at : at + 4] = profile[at : at + 4] if profile[at] == 0 and profile[at + 1] <= 1 else bytes(4)
    made[_HEADER:table_end] = profile[_HEADER:table_end]
    for number in range(count):
        signature, start, length = struct.unpack_from(">4sLL", profile, _HEADER + 4 + 12 * number)
        if not table_end <= start <= start + length <= size or not _is_signature(signature):
            return b""
        part = profile[start : start + length]
        if signature not in _SIGNATURES:
            struct.pack_into(">4s", made, _HEADER + 4 + 12 * number, b"x%03d" % number)
        known = start + _known_length(signature, part)
        made[start : start + length] = part[: known - start].ljust(length, b"\0") if known > start else _blanked(part)
    return bytes(made)


def _names_colours(profile: bytes) -> bool:
    """Tell whether class, colours and those that they are connected to are of the specification (ICC.1 7.2)."""
    return profile[12:16] in _CLASSES and profile[16:20] in _COLOURS and profile[20:24] in _COLOURS


def _is_signature(signature: bytes) -> bool:
    return signature.isascii() and all(32 <= byte < 127 for byte in signature)  # noqa: PLR2004 - printable


def _known_length(signature: bytes, part: bytes) -> int:
    """Count the bytes of an element that are colours; what follows them is something else (ICC.1 chapter 10)."""
    kind = part[:4]
    if kind in _TABLES:
        return _length_of_table(kind, part)
    if (kind == b"XYZ " and signature in _POINTS) or (kind == b"sf32" and signature == b"chad"):
        return _SIZES[kind]
    if kind == b"curv" and len(part) >= 12:  # noqa: PLR2004 - its count
        return int(12 + 2 * struct.unpack_from(">L", part, 8)[0])
    if kind == b"para" and len(part) >= 12:  # noqa: PLR2004 - its kind
        form = int(struct.unpack_from(">H", part, 8)[0])
        return _FORMULAS[form] if form < len(_FORMULAS) else 0
    return _SIZES.get(kind, 0) if kind not in {b"XYZ ", b"sf32"} else 0


def _length_of_table(kind: bytes, part: bytes) -> int:
    """Count the bytes of curves and grid (ICC.1 10.10 and 10.11); newer tables say where theirs are, and stay whole."""
    if is_text(part[_HEAD_OF_TABLE:]):
        return 0
    if kind not in {b"mft1", b"mft2"} or len(part) < _HEAD_OF_TABLES:
        return len(part)
    ways_in, ways_out, points = part[8:11]
    entries = struct.unpack_from(">HH", part, 48) if kind == b"mft2" else (256, 256)
    numbers: int = ways_in * entries[0] + points**ways_in * ways_out + ways_out * entries[1]
    return 52 + 2 * numbers if kind == b"mft2" else 48 + numbers


def _blanked(part: bytes) -> bytes:
    """Keep the type of an element, and an empty text of it; readers show no name then."""
    kind = part[:4]
    if kind == b"mluc":
        return (kind + bytes(8) + b"\0\0\0\x0c").ljust(len(part), b"\0")[: len(part)]  # no record, of 12 bytes each
    if kind == b"desc" and len(part) > 12:  # noqa: PLR2004 - one byte of text, its NUL
        return (kind + bytes(4) + b"\0\0\0\x01").ljust(len(part), b"\0")
    return (kind if kind in _TEXTS else b"data").ljust(len(part), b"\0")[: len(part)]
