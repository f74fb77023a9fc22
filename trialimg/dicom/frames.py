"""Encapsulated pixel data (PS3.5 A.4) without anything but the pictures: fragments, frames and tables of offsets.

Nothing is decoded and no length changes: what may hold words is overwritten with zeros where it stands, so the
picture and every offset stay as they were. A comment of known words (the name of the program that made the frame)
stays, and so do the marks that a decoder needs. What is not built as its transfer syntax says could be anything, and
is told to be so.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from trialimg.dicom.codestream import JP2, SOC, SOI, quieten_boxes, quieten_j2k, quieten_jpeg, quieten_rle

_JPEG_FAMILY: Final = "1.2.840.10008.1.2.4."
_RLE: Final = "1.2.840.10008.1.2.5"
_VIDEO: Final = 100
_ITEM: Final = 0xFFFEE000
_STARTS: Final = (SOI, SOC, JP2)

Span = tuple[int, int]
"""Start and length of a fragment's bytes."""


class QuietFrames(NamedTuple):
    """Pixel data without what stood around the pictures; equal bytes are the same object.

    ``is_understood`` is False where a part is not built as its transfer syntax says: a person must look.
    """

    value: bytes
    is_understood: bool


def has_comments(transfer_syntax: str) -> bool:
    """Tell whether frames of a transfer syntax are still pictures of the JPEG family."""
    if not transfer_syntax.startswith(_JPEG_FAMILY):
        return False
    number = transfer_syntax.removeprefix(_JPEG_FAMILY).split(".")[0]
    return number.isdecimal() and not _VIDEO <= int(number) < 2 * _VIDEO


def quiet_frames(value: bytes, frames: int, transfer_syntax: str, plane: int) -> QuietFrames:
    """Give encapsulated pixel data of so many frames, with quiet frames.

    ``plane`` is how many bytes one segment of a frame comes to (RLE). A basic offset table that does not list where
    frames begin is emptied.
    """
    found, end = _fragments(value)
    if not found:
        return QuietFrames(value, is_understood=False)
    jpeg = has_comments(transfer_syntax)
    if not jpeg and transfer_syntax != _RLE:
        return QuietFrames(_with_true_table(value, found, frames), is_understood=False)
    parts = list(_frames_of(value, found[1:])) if jpeg else [[span] for span in found[1:]]
    understood = len(parts) == frames and end == len(value)
    changes: list[tuple[int, bytes]] = []
    for spans in parts:
        before = b"".join(value[start : start + length] for start, length in spans)
        made = bytearray(before)
        understood = (_quieten(made) if jpeg else quieten_rle(made, plane)) and understood
        if made != before:
            ends = accumulate(length for _, length in spans)
            changes += [
                (start, bytes(made[stop - length : stop])) for (start, length), stop in zip(spans, ends, strict=True)
            ]
    return QuietFrames(_with_true_table(_changed(value, changes), found, frames), understood)


def _changed(value: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    if not changes:
        return value
    made = bytearray(value)
    for start, part in changes:
        made[start : start + len(part)] = part
    return bytes(made)


def _fragments(value: bytes) -> tuple[list[Span], int]:
    """Give start and length of every item, of which the first is the offset table, and where the last one ends."""
    found, position = [], 0
    while position + 8 <= len(value):
        group, element, length = struct.unpack_from("<HHL", value, position)
        if group << 16 | element != _ITEM or position + 8 + length > len(value):
            break
        found.append((position + 8, length))
        position += 8 + length
    return found, position


def _frames_of(value: bytes, fragments: list[Span]) -> Iterator[list[Span]]:
    """Part fragments into frames: one begins where a picture does, and the fragments that follow belong to it."""
    spans: list[Span] = []
    for start, length in fragments:
        if spans and value.startswith(_STARTS, start, start + length):
            yield spans
            spans = []
        spans.append((start, length))
    if spans:
        yield spans


def _quieten(made: bytearray) -> bool:
    if made.startswith(SOI):
        return quieten_jpeg(made)
    if made.startswith(SOC):
        return quieten_j2k(made)
    return made.startswith(JP2) and quieten_boxes(made)


def _with_true_table(value: bytes, found: list[Span], frames: int) -> bytes:
    if _is_offset_table(value, found, frames):
        return value
    start, length = found[0]
    return struct.pack("<HHL", 0xFFFE, 0xE000, 0) + value[start + length :]


def _is_offset_table(value: bytes, found: list[Span], frames: int) -> bool:
    start, length = found[0]
    if not length:
        return True
    offsets = struct.unpack_from(f"<{length // 4}L", value, start)
    base = start + length
    starts = {position - 8 - base for position, _ in found[1:]}
    # A table of more than 4 GB wraps around; such files carry the extended one.
    return length == 4 * frames and list(offsets) == sorted(set(offsets)) and starts.issuperset(offsets)


def offsets_are_true(value: bytes, frames: int, offsets: bytes, lengths: bytes) -> bool:
    """Tell whether the extended offset table and its lengths say where the frames are (PS3.3 C.7.6.3.1.8)."""
    found, _end = _fragments(value)
    if not len(found) - 1 == frames == len(offsets) / 8 == len(lengths) / 8:
        return False
    base = found[0][0] + found[0][1]
    told = zip(struct.unpack(f"<{frames}Q", offsets), struct.unpack(f"<{frames}Q", lengths), strict=True)
    return all(
        offset == start - 8 - base and length - said in {0, 1}
        for (offset, said), (start, length) in zip(told, found[1:], strict=True)
    )
