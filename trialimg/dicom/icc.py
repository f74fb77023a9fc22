"""Colour profiles (ICC.1) without what people wrote into them; the colours stay as they are."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

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
_HEADER: Final = 128
_MOST_TAGS: Final = 256


def cleaned_profile(profile: bytes) -> bytes:
    """Give a profile of the same length, its texts and unknown parts blanked, and nothing behind its end.

    What is no profile is given as empty: it could be anything. Cleaning again changes nothing, and an equal value is
    given as the same object.
    """
    made = _cleaned(profile)
    return profile if made == profile else made


@lru_cache(maxsize=8)
def _cleaned(profile: bytes) -> bytes:
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp":
        return b""
    (size,) = struct.unpack_from(">L", profile)
    (count,) = struct.unpack_from(">L", profile, _HEADER)
    table_end = _HEADER + 4 + 12 * count
    if count > _MOST_TAGS or not table_end <= size <= len(profile):
        return b""
    made = bytearray(len(profile))
    made[:36] = profile[:36]
    made[24:36] = bytes(12)  # when it was made
    made[36:44] = profile[36:44]  # its mark and platform
    made[56:80] = profile[56:80]  # attributes, intent, illuminant; maker, model, creator and digest are left out
    made[44:48] = profile[44:48]
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


def _is_signature(signature: bytes) -> bool:
    return signature.isascii() and all(32 <= byte < 127 for byte in signature)  # noqa: PLR2004 - printable


def _known_length(signature: bytes, part: bytes) -> int:
    """Count the bytes of an element that are colours; what follows them is something else (ICC.1 chapter 10)."""
    kind = part[:4]
    if kind in _TABLES:
        return len(part)
    if (kind == b"XYZ " and signature in _POINTS) or (kind == b"sf32" and signature == b"chad"):
        return _SIZES[kind]
    if kind == b"curv" and len(part) >= 12:  # noqa: PLR2004 - its count
        return int(12 + 2 * struct.unpack_from(">L", part, 8)[0])
    if kind == b"para" and len(part) >= 12:  # noqa: PLR2004 - its kind
        form = int(struct.unpack_from(">H", part, 8)[0])
        return _FORMULAS[form] if form < len(_FORMULAS) else 0
    return _SIZES.get(kind, 0) if kind not in {b"XYZ ", b"sf32"} else 0


def _blanked(part: bytes) -> bytes:
    """Keep the type of an element, and an empty text of it; readers show no name then."""
    kind = part[:4]
    if kind == b"mluc":
        return (kind + bytes(8) + b"\0\0\0\x0c").ljust(len(part), b"\0")[: len(part)]  # no record, of 12 bytes each
    if kind == b"desc" and len(part) > 12:  # noqa: PLR2004 - one byte of text, its NUL
        return (kind + bytes(4) + b"\0\0\0\x01").ljust(len(part), b"\0")
    return (kind if kind in _TEXTS else b"data").ljust(len(part), b"\0")[: len(part)]
