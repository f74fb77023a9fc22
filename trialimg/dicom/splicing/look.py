"""A walk over what is taken out: only its form is checked, and what names the patient is collected."""

from __future__ import annotations

from typing import Final

from trialimg.dicom.rules.identifying import BIRTH_DATE, NAMES, WHOLE
from trialimg.dicom.splicing.ground import VRS, Unusual, enters_names
from trialimg.dicom.standard.part10 import LONG_FORM
from trialimg.dicom.standard.table import vr_of

UNDEFINED: Final = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
_TELLING: Final = (b"\x28\x00\x01\x03", b"\x18\x00\x11\x60", b"\x60\x00\x01")
"""Burned In Annotation, regions, and the bits of overlays: what a header tells of its image at any depth."""
_DEEPEST: Final = 12
_MOST: Final = 200_000


class Look:
    """Walks over sequences of one data set."""

    def __init__(self, data: bytes, retained: frozenset[int], *, implicit: bool) -> None:
        self.data, self.retained, self.implicit = data, retained, implicit
        self.names: list[tuple[int, bytes]] = []
        self._parts = 0

    def items(self, position: int, end: int | None, *, collects: bool, depth: int = 0) -> tuple[int, int]:
        """Go through the items of a sequence; give where it ends, and how many there are."""
        data, begin, count = self.data, position, 0
        if depth > _DEEPEST or (end is not None and end > len(data)):
            raise Unusual
        while end is None or position < end:
            head = data[position : position + 4]
            length = int.from_bytes(data[position + 4 : position + 8], "little")
            position += 8
            if head == SEQUENCE_END and end is None and not length:
                break
            if head != ITEM or position > len(data):
                raise Unusual
            count += 1
            stop = None if length == UNDEFINED else position + length
            if stop is not None and stop > (len(data) if end is None else end):
                raise Unusual
            position = self._item(position, stop, collects=collects, depth=depth)
        if end is not None and position != end:
            raise Unusual
        if depth == 0 and any(data.find(mark, begin, position) >= 0 for mark in _TELLING):
            raise Unusual
        return position, count

    def _item(self, position: int, end: int | None, *, collects: bool, depth: int) -> int:
        data, last, limit = self.data, -1, len(self.data) if end is None else end
        while position < limit:
            self._parts += 1
            tag = int.from_bytes(data[position : position + 2], "little") << 16
            tag |= int.from_bytes(data[position + 2 : position + 4], "little")
            if end is None and data[position : position + 8] == ITEM_END + bytes(4):
                return position + 8
            if tag <= last or tag >> 16 == 0xFFFE or self._parts > _MOST:  # noqa: PLR2004 - a delimiter
                raise Unusual
            last = tag
            start, length, is_sequence = self._head(position, tag)
            if is_sequence:
                below = collects and enters_names(tag) and tag not in self.retained
                stop = None if length == UNDEFINED else start + length
                position, _ = self.items(start, stop, collects=below, depth=depth + 1)
                continue
            position = start + length
            if position > limit or length == UNDEFINED or length & 1:
                raise Unusual
            names = tag in NAMES or tag in WHOLE or tag == BIRTH_DATE
            if collects and names and length and tag not in self.retained:
                self.names.append((tag, data[start:position]))
        if end is None or position != end:
            raise Unusual
        return position

    def _head(self, position: int, tag: int) -> tuple[int, int, bool]:
        """Give where a value begins, its length, and whether it is a sequence."""
        data, known = self.data, vr_of(tag)
        if self.implicit:
            length = int.from_bytes(data[position + 4 : position + 8], "little")
            return position + 8, length, known == "SQ" or (length == UNDEFINED and not known)
        code = data[position + 4 : position + 6]
        vr = code.decode("latin-1")
        if vr not in VRS or (known and (vr == "UN" or (vr == "SQ") != (known == "SQ"))):
            raise Unusual
        if code in LONG_FORM:
            return position + 12, int.from_bytes(data[position + 8 : position + 12], "little"), vr == "SQ"
        return position + 8, int.from_bytes(data[position + 6 : position + 8], "little"), vr == "SQ"
