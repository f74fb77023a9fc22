"""Colour profiles (ICC.1) without what people wrote into them; the colours stay as they are."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

_TEXTS: Final = frozenset({b"desc", b"text", b"mluc", b"dict", b"utf8", b"zut8", b"zipx", b"zxml"})
"""Types of profile elements that hold words, wherever they stand."""
_COLOURS: Final = frozenset(
    {
        *(b"XYZ ", b"curv", b"para", b"mft1", b"mft2", b"mAB ", b"mBA ", b"mpet", b"sf32", b"uf32", b"ui08", b"ui16"),
        *(b"ui32", b"sig ", b"chrm", b"meas", b"view", b"clro", b"clrt", b"cicp", b"dtim"),
    }
)
_HEADER: Final = 128
_MOST_TAGS: Final = 256


@lru_cache(maxsize=8)
def cleaned_profile(profile: bytes) -> bytes:
    """Give a profile of the same length, its texts and unknown parts blanked, and nothing behind its end.

    What is no profile is given as empty: it could be anything. Cleaning again changes nothing.
    """
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
        made[start : start + length] = _blanked(part) if part[:4] not in _COLOURS or part[:4] == b"dtim" else part
    return profile if made == profile else bytes(made)


def _is_signature(signature: bytes) -> bool:
    return signature.isascii() and all(32 <= byte < 127 for byte in signature)  # noqa: PLR2004 - printable


def _blanked(part: bytes) -> bytes:
    """Keep the type of an element, and an empty text of it; readers show no name then."""
    kind = part[:4]
    if kind == b"mluc":
        return (kind + bytes(8) + b"\0\0\0\x0c").ljust(len(part), b"\0")[: len(part)]  # no record, of 12 bytes each
    if kind == b"desc" and len(part) > 12:  # noqa: PLR2004 - one byte of text, its NUL
        return (kind + bytes(4) + b"\0\0\0\x01").ljust(len(part), b"\0")
    return (kind if kind in _TEXTS else b"data").ljust(len(part), b"\0")[: len(part)]
