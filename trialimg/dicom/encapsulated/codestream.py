"""What stands around the picture in one compressed frame: comments, application data, unknown parts, bytes behind it.

A frame is changed where it lies and keeps its length. Every function tells whether the whole frame was understood: that
it begins, goes on and ends as its encoding says. Of the coded data themselves nothing is read.
"""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from typing import Final

from trialimg.dicom.encapsulated.segments import fits_box, fits_j2k, fits_jpeg
from trialimg.dicom.encapsulated.tile_parts import CRG, PLM, PLT, TLM, TileParts
from trialimg.dicom.standard.icc import cleaned_profile
from trialimg.dicom.standard.words import cleaned_words
from trialimg.domain.pattern import late

SOI, SOC, JP2 = b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "
_EOI: Final = 0xD9
_SOS, _COM = 0xDA, 0xFE
_J2K_COM, _SIZ, _SOT, _SOD = 0x64, 0x51, 0x90, 0x93
_FRAMES: Final = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_JPEG_SEGMENTS: Final = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xF7, 0xF8} - {0xC8})
"""Frame headers, tables, restart, scan; of JPEG-LS its frame header and presets."""
_J2K_SEGMENTS: Final = frozenset(
    {*range(0x50, 0x54), 0x56, 0x59, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, *range(0x70, 0x7A), _SOT}
)
"""Sizes, codings, orders, heads of packets (ITU-T T.800 A.2), those of its second part, and of T.814."""
_TOLD_OF_PARTS: Final = frozenset({TLM, PLM, PLT, CRG})
_LATIN: Final = b"\0\1"
"""How a comment of letters is said to be written (T.800 table A.44)."""
_NEEDED_APP: Final = (
    late(rb"(JF|LJ)IF\0(?!.*[A-Za-z]{2}).{5,7}\0\0", re.DOTALL),  # without a thumbnail
    late(rb"Adobe(?!.*[A-Za-z]{2}).{5,7}", re.DOTALL),
    late(rb"mrfx.", re.DOTALL),
    late(rb"\0\0\0\x01(\xff\xd8)?"),  # where the entries of SPIFF end
    late(rb"SPIFF\0(?!.*[A-Za-z]{4}).{24}", re.DOTALL),
)
"""Application data that say how the colours are to be read."""
_LONGEST_COMMENT: Final = 4096
_CHUNK: Final = 1 << 20
_MOST_SEGMENTS: Final = 1 << 16
"""Of one frame; a picture has a few, and one of a thousand tiles some thousands."""
_NEXT_MARKER: Final = late(rb"\xff[\x80-\xcf\xd8-\xfe]", re.DOTALL)
_PICTURE_BOXES: Final = frozenset({b"jP  ", b"ftyp", b"rreq", b"jp2h", b"jp2c"})
_HEADER_BOXES: Final = frozenset({b"ihdr", b"bpcc", b"pclr", b"cmap", b"cdef"})
_OTHER_BOXES: Final = frozenset({b"xml ", b"uuid", b"uinf", b"res ", b"jp2i", b"asoc", b"lbl ", b"free"})
_BRANDS: Final = late(rb"(?:jp2 |jpx |jpxb|jph |jhc |J2P[01]|\0{4})*")


def blank(made: bytearray, start: int, end: int) -> None:
    """Write zeros; a fill byte or two behind a picture may stay."""
    if end - start > 2 or any(byte not in {0, 0xFF} for byte in made[start:end]):  # noqa: PLR2004 - bytes of padding
        for position in range(start, end, _CHUNK):
            made[position : min(position + _CHUNK, end)] = bytes(min(_CHUNK, end - position))


def _quieten_segment(made: bytearray, start: int, end: int, *, comment: bool) -> None:
    """Blank the payload of a comment or of application data unless it is known to say nothing."""
    payload = bytes(made[start:end])
    if comment:
        text = payload.rstrip(b"\0")
        if len(text) <= _LONGEST_COMMENT and text.isascii() and cleaned_words(text.decode("ascii")).encode() == text:
            return
    elif any(form.fullmatch(payload) for form in _NEEDED_APP):
        return
    blank(made, start, end)


def quieten_jpeg(made: bytearray, pixels: int = 0) -> bool:
    """Go from marker to marker (ITU-T T.81 B.1.1.2, T.87 for JPEG-LS), over the coded data between them.

    ``pixels`` is how many the picture has, here and in the other forms; 0 where that is not known.
    """
    position, end = 2, len(made)
    for _ in range(_MOST_SEGMENTS):
        if position + 2 > end or made[position] != 0xFF:  # noqa: PLR2004 - the byte that begins a marker
            return False
        marker = made[position + 1]
        if marker == 0xFF or marker in _STANDALONE:  # noqa: PLR2004 - fill
            position += 1 if marker == 0xFF else 2  # noqa: PLR2004 - a fill byte
            continue
        if marker == _EOI:
            blank(made, position + 2, end)
            return True
        stop = _end_of_segment(made, position, end)
        if stop is None:
            return False
        if marker not in _JPEG_SEGMENTS:
            _quieten_segment(made, position + 4, stop, comment=marker == _COM)
        elif not fits_jpeg(marker, bytes(made[position + 4 : stop])) or not _is_of_size(made, marker, position, pixels):
            return False
        position = stop
        if marker == _SOS:
            following = _NEXT_MARKER.search(made, position)
            if following is None:
                return False
            position = following.start()
    return False


def _end_of_segment(made: bytearray, position: int, end: int) -> int | None:
    if position + 4 > end:
        return None
    (length,) = struct.unpack_from(">H", made, position + 2)
    stop = position + 2 + length
    return stop if length >= 2 and stop <= end else None  # noqa: PLR2004 - the length counts itself


def quieten_j2k(made: bytearray, pixels: int = 0, start: int = 0, stop: int | None = None) -> bool:
    """Go through main and tile-part headers (ITU-T T.800 A.4), over the coded data of each part."""
    position, end = start + 2, len(made) if stop is None else stop
    part_start, part_end, parts = position, end, TileParts()
    for _ in range(_MOST_SEGMENTS):
        if position + 2 > end or made[position] != 0xFF:  # noqa: PLR2004 - the byte that begins a marker
            return False
        marker = made[position + 1]
        if marker == _EOI:
            blank(made, position + 2, end)
            return parts.are_as_said()
        if marker == _SOD:
            # A last part may leave its length open; its data never look like a marker (T.800 B.10.1).
            data, position = position + 2, made.find(b"\xff\xd9", position, end) if part_end == end else part_end
            if position < data:
                return False
            parts.end(made, position - part_start, position - data)
            continue
        after = _end_of_segment(made, position, end)
        fits = after is not None and _quieten_j2k_segment(made, marker, (position, after), parts)
        if after is None or not fits or not (marker != _SIZ or _is_of_size(made, marker, position, pixels)):
            return False
        if marker == _SOT:
            tile, size = struct.unpack_from(">HL", made, position + 4)
            parts.begin(tile)
            part_start, part_end = position, position + size if size else end
            if part_end > end or (size and part_end < after):
                return False
        position = after
    return False


def _is_of_size(made: bytearray, marker: int, position: int, pixels: int) -> bool:
    """Tell whether a picture is as large as the image, of which a pixel may be a bit."""
    if marker == _SIZ:
        right, bottom, left, top = struct.unpack_from(">4L", made, position + 6)
        area = (right - left) * (bottom - top)
    elif marker in _FRAMES:
        rows, columns = struct.unpack_from(">HH", made, position + 5)
        area = rows * columns or pixels  # none, where they are counted behind the picture
    else:
        return True
    return not pixels or pixels in {area, (area + 7) // 8}


def _quieten_j2k_segment(made: bytearray, marker: int, where: tuple[int, int], parts: TileParts) -> bool:
    """Blank what is said beside the picture; tell whether a segment of the picture is what its marker says."""
    position, stop = where
    if marker in _TOLD_OF_PARTS:
        return parts.take(made, marker, position + 4, stop)
    if marker == _J2K_COM:
        text = min(position + 6, stop)
        if made[position + 4 : text] != _LATIN:
            made[position + 4 : text] = bytes(text - position - 4)
        _quieten_segment(made, text, stop, comment=True)
    elif marker not in _J2K_SEGMENTS:
        blank(made, position + 4, stop)
    else:
        return fits_j2k(marker, bytes(made[position + 4 : stop]))
    return True


def quieten_boxes(made: bytearray, pixels: int = 0) -> bool:
    """Blank every box of a JP2 file but the picture's (ITU-T T.800 I.4)."""
    position, end, understood = 0, len(made), False
    content = _without_zeros(made)
    for _ in range(_MOST_SEGMENTS):
        if position + 8 > end or position >= content:
            return understood
        length, kind = struct.unpack_from(">L4s", made, position)
        start, stop = position + 8, end if length == 0 else position + length
        if stop < start or stop > end:
            return False
        if kind == b"jp2c":
            understood = quieten_j2k(made, pixels, start, stop)
        elif kind == b"jp2h":
            if not _quieten_header_boxes(made, start, stop):
                return False
        elif kind not in _PICTURE_BOXES or (kind == b"ftyp" and not _BRANDS.fullmatch(made, start, stop)):
            _blank_box(made, kind, start, stop)
        elif kind != b"ftyp" and not fits_box(kind, bytes(made[start:stop])):
            return False
        position = stop
    return False


def _blank_box(made: bytearray, kind: bytes, start: int, stop: int) -> None:
    """Blank a box, and its kind where that is none of the standard: four letters may be a name."""
    blank(made, start, stop)
    if kind not in _OTHER_BOXES:
        made[start - 4 : start] = b"free"


def _without_zeros(made: bytearray) -> int:
    """Give where the zeros begin in which a frame ends."""
    stop = len(made)
    while stop:
        start = max(stop - _CHUNK, 0)
        if part := made[start:stop].rstrip(b"\0"):
            return start + len(part)
        stop = start
    return 0


def _quieten_header_boxes(made: bytearray, position: int, end: int) -> bool:
    """Keep sizes, palettes and channels; of the colour how it is to be read, without the texts of its profile.

    Tell whether each is what its kind says.
    """
    while position + 8 <= end:
        length, kind = struct.unpack_from(">L4s", made, position)
        start, stop = position + 8, position + length
        if stop < start or stop > end:
            break
        if kind == b"colr":
            _quieten_colour(made, start, stop)
        elif kind not in _HEADER_BOXES:
            _blank_box(made, kind, start, stop)
        if kind in _HEADER_BOXES | {b"colr"} and not fits_box(kind, bytes(made[start:stop])):
            return False
        position = stop
    made[position:end] = bytes(end - position)
    return True


def _quieten_colour(made: bytearray, start: int, stop: int) -> None:
    if made[start] == 2 and stop - start > 3:  # noqa: PLR2004 - a profile (T.800 I.5.3.3)
        profile = cleaned_profile(bytes(made[start + 3 : stop]))
        made[start + 3 : stop] = profile.ljust(stop - start - 3, b"\0")
    elif stop - start > 7:  # noqa: PLR2004 - a number of a colour space
        made[start + 7 : stop] = bytes(stop - start - 7)


def quieten_rle(made: bytearray, pixels: int, segments: int = 0) -> bool:
    """Go over the runs of every segment (PS3.5 G.3) and blank what follows the last byte of ``pixels``.

    ``segments`` is how many there are of the image; 0 where that is not known.
    """
    if len(made) < 64 or not pixels:  # noqa: PLR2004 - the header, sixteen numbers
        return False
    count, *offsets = struct.unpack_from("<16L", made)
    if not 1 <= count <= 15 or count != (segments or count) or offsets[0] != 64 or any(offsets[count:]):  # noqa: PLR2004 - PS3.5 G.5
        return False
    bounds = [*offsets[:count], len(made)]
    if bounds != sorted(bounds):
        return False
    for start, stop in pairwise(bounds):
        after = _after_runs(made, start, stop, pixels)
        if after is None:
            return False
        blank(made, after, stop)
    return True


def _after_runs(made: bytearray, position: int, stop: int, wanted: int) -> int | None:
    found = 0
    while found < wanted:
        if position >= stop:
            return None
        head = made[position]
        if head < 128:  # noqa: PLR2004 - PS3.5 G.3.1: so many bytes as they are
            found, position = found + head + 1, position + head + 2
        else:
            found, position = found + (257 - head if head > 128 else 0), position + (2 if head > 128 else 1)  # noqa: PLR2004 - as above
    # An encoder may have padded the row; a longer run holds what no picture shows.
    return position if position <= stop and found - wanted <= 1 else None
