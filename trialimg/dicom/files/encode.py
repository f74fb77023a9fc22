"""How single elements and file meta information are written: by bytes, for any way that cleans."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

from trialimg.dicom.standard.part10 import LONG_FORM

IMPLEMENTATION_CLASS_UID: Final = "2.25.65300932349981189902723427073344776161"
"""Names this program in file meta information (0002,0012); made once (PS3.5 B.2)."""
IMPLEMENTATION_VERSION_NAME: Final = "TRIALIMG_1"

META_TAGS: Final = frozenset({*range(0x00020000, 0x00020004), 0x00020010, 0x00020012, 0x00020013})
"""All that stands in the file meta information of a clean file."""


def file_meta(transfer_syntax: str, sop_class: str, sop_instance: str) -> bytes:
    """Give our own file meta information (PS3.10 7.1), and nothing of the original's."""
    uid = sop_instance.encode("ascii", "replace")
    uid += bytes(len(uid) % 2)
    before, after = _around(transfer_syntax, sop_class, len(uid))
    return before + uid + after


@lru_cache(maxsize=64)
def _around(transfer_syntax: str, sop_class: str, length: int) -> tuple[bytes, bytes]:
    """Give what stands in file meta information before a SOP Instance UID of an even length, and behind it."""
    before, uid, after = (
        b"".join(
            encoded(0x00020000 | element, vr, value, implicit=False, little=True) for element, vr, value in elements
        )
        for elements in (
            ((0x0001, "OB", b"\0\1"), (0x0002, "UI", sop_class.encode("ascii", "replace"))),
            ((0x0003, "UI", bytes(length)),),
            (
                (0x0010, "UI", transfer_syntax.encode("ascii")),
                (0x0012, "UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
                (0x0013, "SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
            ),
        )
    )
    told = struct.pack("<L", len(before) + len(uid) + len(after))
    head = encoded(0x00020000, "UL", told, implicit=False, little=True)
    return head + before + uid[: len(uid) - length], after


def encoded(tag: int, vr: str, value: bytes, *, implicit: bool, little: bool) -> bytes:
    """Encode one element (PS3.5 7.1), padded to an even length."""
    sign = "<" if little else ">"
    if len(value) % 2:
        value += b"\0" if vr in {"UI", "OB"} else b" "
    head = struct.pack(f"{sign}HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack(f"{sign}L", len(value)) + value
    code = vr.encode("ascii")
    length = struct.pack(f"{sign}2xL" if code in LONG_FORM else f"{sign}H", len(value))
    return head + code + length + value


@lru_cache(maxsize=64)
def encoded_codes(codes: tuple[tuple[str, str, str], ...], *, implicit: bool, little: bool) -> bytes:
    """Encode the items of a sequence of codes: value, coding scheme designator and meaning of each."""
    items = []
    for value, scheme, meaning in codes:
        item = b"".join(
            encoded(tag, vr, text.encode("ascii"), implicit=implicit, little=little)
            for tag, vr, text in (
                (0x00080100, "SH", value),
                (0x00080102, "SH", scheme),
                (0x00080104, "LO", meaning),
            )
        )
        items.append(struct.pack(f"{'<' if little else '>'}HHL", 0xFFFE, 0xE000, len(item)) + item)
    return b"".join(items)
