"""A Part-10 file as a reader sees it, by the rules of ``blind``: only its header is written again.

Works on the bytes: nothing is parsed that does not change, and the pixel data are streamed through.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from trialimg.dicom.blind import TEXT, Act, Mask, new_text
from trialimg.dicom.files.encode import META_TAGS, encoded
from trialimg.dicom.standard.part10 import LONG_FORM, PIXEL_DATA, Part10, open_part10
from trialimg.dicom.standard.syntaxes import DEFLATED
from trialimg.dicom.standard.table import vr_of
from trialimg.dicom.standard.walk import Event, walk

_CHUNK: Final = 1 << 18


def blind_file(source: Path | BinaryIO, mask: Mask) -> Iterator[bytes]:
    """Give a Part-10 file as a reader sees it, in pieces; pixel data are copied and never all in memory.

    The header is rewritten before this returns: so NotDicom and UnreadableObject are raised before the first
    piece is sent. What stands behind the pixel data is left out, and the transfer syntax stays.
    """
    part = open_part10(source)
    head, pixels = _rewritten(part, mask)
    return _pieces(part, head, pixels)


def _pieces(part: Part10, head: bytes, pixels: memoryview) -> Iterator[bytes]:
    yield b"\0" * 128 + b"DICM" + _meta(part)
    body = (bytes(pixels[at : at + _CHUNK]) for at in range(0, len(pixels), _CHUNK))
    if part.transfer_syntax != DEFLATED:
        yield head
        yield from body
        return
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    size = 0
    for plain in (head, *body):
        packed = deflater.compress(plain)
        size += len(packed)
        yield packed
    rest = deflater.flush()
    yield rest + b"\0" * ((size + len(rest)) % 2)


def _meta(part: Part10) -> bytes:
    """Write the file meta information anew: what the file is, not who handed it on."""
    kinds = {0x00020001: "OB", 0x00020013: "SH"}
    body = b"".join(
        encoded(tag, kinds.get(tag, "UI"), value, implicit=False, little=True)
        for tag, value in sorted({**part.meta, 0x00020010: part.transfer_syntax.encode("ascii")}.items())
        if tag in META_TAGS and tag != 0x00020000  # noqa: PLR2004 - the group's length, written below
    )
    return encoded(0x00020000, "UL", struct.pack("<L", len(body)), implicit=False, little=True) + body


def _rewritten(part: Part10, mask: Mask) -> tuple[bytes, memoryview]:
    """Give the data set up to its pixel data as a reader sees it, and the pixel data with their own header."""
    writer = _Writer(part, mask)
    pixels = 0
    end = len(part.data)
    for event in walk(part, past_pixels=False):
        if pixels:
            end = event.start
        elif event.depth == 0 and event.tag >> 16 == PIXEL_DATA >> 16:
            pixels, end = _header_of(event), event.start + event.length
        else:
            writer.take(event)
    return bytes(writer.out), part.data[pixels:end] if pixels else memoryview(b"")


def _header_of(event: Event) -> int:
    """Give where the header of an element begins (PS3.5 7.1.2)."""
    return event.start - (12 if event.vr.encode("ascii") in LONG_FORM else 8)


class _Writer:
    """Writes a data set again from the events of a walk, changing what a reader may not see.

    A sequence in which nothing changes keeps its bytes; any other gets undefined lengths, which tell nothing.
    """

    def __init__(self, part: Part10, mask: Mask) -> None:
        self.part, self.mask, self.out = part, mask, bytearray()
        self._skipping: tuple[int, int] | None = None
        self._outermost = (0, 0)
        self._changed = False
        self._delimiter = struct.Struct(("<" if part.little else ">") + "HHL").pack

    def take(self, event: Event) -> None:
        """Take one event of the walk."""
        if self._skipping is not None:
            if event.kind == "s" and (event.tag, event.depth) == self._skipping:
                self._skipping = None
            return
        if event.kind == "E":
            self._element(event)
        elif event.kind == "S":
            self._open(event)
        elif event.kind == "s":
            self._close(event)
        elif event.kind == "I":
            self.out += self._delimiter(0xFFFE, 0xE000, 0xFFFFFFFF)
        elif event.kind == "i":
            self.out += self._delimiter(0xFFFE, 0xE00D, 0)
        elif event.kind == "F":
            self.out += self._delimiter(0xFFFE, 0xE000, event.length)
            self.out += self.part.data[event.start : event.start + event.length]
        elif event.kind == "P":  # pixels of an item: an icon
            self._undefined(event, "OB")
        else:
            self.out += self._delimiter(0xFFFE, 0xE0DD, 0)

    def _open(self, event: Event) -> None:
        if vr_of(event.tag) != "SQ" or self.mask.act(event.tag, "SQ") in {Act.DROP, Act.EMPTY}:
            self._skipping, self._changed = (event.tag, event.depth), True
            return
        if event.depth == 0:
            self._outermost, self._changed = (len(self.out), _header_of(event)), False
        self._undefined(event, "SQ")

    def _undefined(self, event: Event, vr: str) -> None:
        head = encoded(event.tag, event.vr or vr, b"", implicit=event.vr == "", little=self.part.little)
        self.out += head[:-4] + b"\xff" * 4

    def _close(self, event: Event) -> None:
        self.out += self._delimiter(0xFFFE, 0xE0DD, 0)
        if event.depth == 0 and not self._changed:
            at, begun = self._outermost
            self.out[at:] = self.part.data[begun : event.start]

    def _element(self, event: Event) -> None:
        stated = event.vr if event.vr not in {"", "UN"} else ""
        vr = stated or vr_of(event.tag).split(" or ")[0]
        act = self.mask.act(event.tag, vr)
        if act is Act.DROP or not vr:
            self._changed = True
            return
        value = bytes(self.part.data[event.start : event.start + event.length]) if act is not Act.KEEP else b""
        new = _new_bytes(act, event.tag, vr, value, self.mask)
        if act is Act.KEEP or new == value.rstrip(b" \0"):
            self.out += self.part.data[_header_of(event) : event.start + event.length]
            return
        self._changed = True
        self.out += encoded(event.tag, event.vr or vr, new, implicit=event.vr == "", little=self.part.little)


def _new_bytes(act: Act, tag: int, vr: str, value: bytes, mask: Mask) -> bytes:
    """Give the new encoded value, without padding; what is empty stays empty."""
    plain = value.rstrip(b" \0")
    if act is Act.EMPTY or not value or (not plain and vr in TEXT | {"DA", "DT", "TM"}):
        return b""
    text = plain.decode("latin-1")
    if act is Act.SHIFT:
        return "\\".join(
            new_text(act, tag, vr, each, mask) if each.strip() else "" for each in text.split("\\")
        ).encode()
    return new_text(act, tag, vr, text, mask).encode("latin-1")
