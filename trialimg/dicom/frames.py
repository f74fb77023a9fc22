"""What stands around the picture inside compressed frames: comments, application data, bytes behind the end.

Nothing is decoded and no length changes: what may hold words is overwritten with zeros where it stands, so the
picture and every offset stay as they were. A comment of known words (the name of the program that made the frame)
stays, and so do the marks that a decoder needs.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from trialimg.dicom.words import cleaned_words

_JPEG_FAMILY: Final = "1.2.840.10008.1.2.4."
_VIDEO: Final = 100
_ITEM: Final = 0xFFFEE000
_SOI, _SOC, _JP2 = b"\xff\xd8", b"\xff\x4f", b"\0\0\0\x0cjP  "
_EOI: Final = 0xD9
_SOS, _COM = 0xDA, 0xFE
_J2K_COM, _SOT, _SOD = 0x64, 0x90, 0x93
_APP: Final = range(0xE0, 0xF0)
_NEEDED_APP: Final = (
    re.compile(rb"(JF|LJ)IF\0.{5,7}\0\0", re.DOTALL),  # without a thumbnail
    re.compile(rb"Adobe.{5,7}", re.DOTALL),
    re.compile(rb"mrfx.", re.DOTALL),
    re.compile(rb"\0\0\0\x01(\xff\xd8)?"),  # where the entries of SPIFF end
    re.compile(rb"SPIFF\0(?!.*[A-Za-z]{4}).{24}", re.DOTALL),
)
"""Application data that say how the colours are to be read."""
_NEXT_MARKER: Final = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]", re.DOTALL)
_PICTURE_BOXES: Final = frozenset({b"jP  ", b"ftyp", b"rreq", b"jp2h", b"jp2c"})


def has_comments(transfer_syntax: str) -> bool:
    """Tell whether frames of a transfer syntax are still pictures of the JPEG family."""
    if not transfer_syntax.startswith(_JPEG_FAMILY):
        return False
    number = transfer_syntax.removeprefix(_JPEG_FAMILY).split(".")[0]
    return number.isdecimal() and not _VIDEO <= int(number) < 2 * _VIDEO


def cleaned_fragments(value: bytes, frames: int) -> bytes:
    """Give encapsulated pixel data (items as in PS3.5 A.4) with quiet frames; equal bytes as the same object.

    A basic offset table that does not list where frames begin is emptied.
    """
    found = _fragments(value)
    made = bytearray(value)
    for start, length in found[1:]:
        _quieten(made, start, start + length)
    if found and not _is_offset_table(value, found, frames):
        start, length = found[0]
        return struct.pack("<HHL", 0xFFFE, 0xE000, 0) + bytes(made[start + length :])
    return value if made == value else bytes(made)


def _fragments(value: bytes) -> list[tuple[int, int]]:
    """Give start and length of every item; the first is the offset table."""
    found, position = [], 0
    while position + 8 <= len(value):
        group, element, length = struct.unpack_from("<HHL", value, position)
        if group << 16 | element != _ITEM or position + 8 + length > len(value):
            break
        found.append((position + 8, length))
        position += 8 + length
    return found


def _is_offset_table(value: bytes, found: list[tuple[int, int]], frames: int) -> bool:
    start, length = found[0]
    if not length:
        return True
    offsets = struct.unpack_from(f"<{length // 4}L", value, start)
    base = start + length
    starts = {position - 8 - base for position, _ in found[1:]}
    # A table of more than 4 GB wraps around; such files carry the extended one.
    return length == 4 * frames and list(offsets) == sorted(set(offsets)) and starts.issuperset(offsets)


def _quieten(made: bytearray, start: int, end: int) -> None:
    head = bytes(made[start : start + 8])
    if head.startswith(_SOI):
        _quieten_jpeg(made, start + 2, end)
    elif head.startswith(_SOC):
        _quieten_j2k(made, start + 2, end)
    elif head == _JP2:
        _quieten_boxes(made, start, end)


def _blank(made: bytearray, start: int, end: int) -> None:
    """Write zeros; a fill byte or two behind a picture may stay."""
    if end - start > 2 or any(byte not in {0, 0xFF} for byte in made[start:end]):  # noqa: PLR2004
        made[start:end] = bytes(end - start)


def _quieten_segment(made: bytearray, start: int, end: int, *, comment: bool) -> None:
    """Blank the payload of a comment or of application data unless it is known to say nothing."""
    payload = bytes(made[start:end])
    if comment:
        text = payload.rstrip(b"\0")
        if text.isascii() and cleaned_words(text.decode("ascii")).encode() == text:
            return
    elif any(form.fullmatch(payload) for form in _NEEDED_APP):
        return
    _blank(made, start, end)


def _quieten_jpeg(made: bytearray, position: int, end: int) -> None:
    """Go from marker to marker (ITU-T T.81 B.1.1.2, T.87 for JPEG-LS), over the coded data between them."""
    while position + 2 <= end:
        marker = made[position + 1]
        if made[position] != 0xFF:  # noqa: PLR2004 - the byte that begins a marker
            return
        if marker == 0xFF:  # noqa: PLR2004 - fill
            position += 1
            continue
        if marker == _EOI:
            _blank(made, position + 2, end)
            return
        if position + 4 > end:
            return
        (length,) = struct.unpack_from(">H", made, position + 2)
        stop = min(position + 2 + length, end)
        if marker == _COM or marker in _APP:
            _quieten_segment(made, position + 4, stop, comment=marker == _COM)
        position = stop
        if marker == _SOS:
            following = _NEXT_MARKER.search(made, position, end)
            if following is None:
                return
            position = following.start()


def _quieten_j2k(made: bytearray, position: int, end: int) -> None:
    """Go through main and tile-part headers (ITU-T T.800 A.4), over the coded data of each part."""
    part_end = end
    while position + 4 <= end:
        marker = made[position + 1]
        if made[position] != 0xFF:  # noqa: PLR2004 - the byte that begins a marker
            return
        if marker == _SOD:
            position = part_end
            continue
        (length,) = struct.unpack_from(">H", made, position + 2)
        stop = min(position + 2 + length, end)
        if marker == _J2K_COM:
            _quieten_segment(made, position + 6, stop, comment=True)
        elif marker == _SOT and length == 10:  # noqa: PLR2004 - T.800 A.4.2
            (size,) = struct.unpack_from(">L", made, position + 6)
            part_end = min(position + size, end) if size else end
        elif marker == _EOI:
            _blank(made, position + 2, end)
            return
        position = stop
    if position + 2 <= end and made[position : position + 2] == b"\xff\xd9":
        _blank(made, position + 2, end)


def _quieten_boxes(made: bytearray, position: int, end: int) -> None:
    """Blank every box of a JP2 file but the picture's (ITU-T T.800 I.4)."""
    while position + 8 <= end:
        length, kind = struct.unpack_from(">L4s", made, position)
        start, stop = position + 8, end if length == 0 else min(position + length, end)
        if length == 1 or stop < start:
            return
        if kind not in _PICTURE_BOXES:
            _blank(made, start, stop)
        elif kind == b"jp2c":
            _quieten(made, start, stop)
        position = stop
