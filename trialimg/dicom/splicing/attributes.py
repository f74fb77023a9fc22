"""Cleans single attributes, items and sequences by their bytes; what stays is copied in runs."""

from __future__ import annotations

from typing import Final, NoReturn

from trialimg.dicom.files.encode import encoded_codes
from trialimg.dicom.files.header import Gathered
from trialimg.dicom.rules.plan import CONTENT_SEQUENCE, Do
from trialimg.dicom.rules.values import DUMMY_CODE, Path, Values, told_of
from trialimg.dicom.splicing.ground import (
    BURNED,
    CHANGE,
    CLEAN_ITEMS,
    END,
    KEEP,
    LONG,
    OUTER,
    OVERLAY,
    REGION,
    REMOVE,
    REPLACE_ITEMS,
    SHORT,
    Change,
    Ground,
    Known,
    Same,
    Unusual,
    enters_names,
)
from trialimg.dicom.splicing.look import ITEM, SEQUENCE_END, UNDEFINED, Look
from trialimg.domain.pattern import late

_ITEM_END: Final = b"\xfe\xff\x0d\xe0\0\0\0\0"
_DELIMITED: Final = b"\xff\xff\xff\xff"
CONCEPT_NAME: Final = 0x0040A043
_DEEPEST: Final = 12
_MOST_ITEMS: Final = 50_000
_LONGEST_LEARNT, _MOST_OF_ONE = 256, 512
_OF_AN_ITEM, _LONGEST_SAME, _MOST_IN_VAIN = 2, 1024, 16
_SHORT_FORM_LIMIT: Final = 0xFFFF
_TERMS: Final = late(rb"(?:[A-Z0-9_]+(?: [A-Z0-9_]+)*)?(?:\\[A-Z0-9_]+(?: [A-Z0-9_]+)*)* ?")
"""Names of character sets as they should be written."""
_PADDED_WITH_NUL: Final = frozenset({"UI", "OB", "UN"})

Written = tuple[int, bytes | None]
"""Where a part of the original ends, and what is written for it: None where it stays as it is."""


class Attributes:
    """The attributes of one data set, and what was met on the way through them."""

    def __init__(self, data: bytes, values: Values, ground: Ground) -> None:
        self.data, self.values, self.ground = data, values, ground
        self.implicit = ground.width == 4  # noqa: PLR2004 - bytes of a tag
        self.done: dict[tuple[Path, str], int] = {}
        self.before, self.after = Gathered({}), Gathered({})
        self.look = Look(data, ground.retained, implicit=self.implicit)
        self.names = self.look.names
        self.left: tuple[list[bytes], ...] = ([], [], [], [], [])
        """Values that are left, by how they are searched."""
        self.structured_content = False
        self._depth = self._items = self._gathers = 0
        self._met: set[Same] = set()

    def head(self, known: Known, position: int) -> tuple[int, int]:
        """Give where a value begins, and its length."""
        data = self.data
        if known.form == SHORT:
            return position + 8, data[position + 6] | data[position + 7] << 8
        at = position + 4
        if known.form == LONG:
            at = position + 8
            if data[position + 6] or data[position + 7]:
                raise Unusual
        length = data[at : at + 4]
        if len(length) < 4:  # noqa: PLR2004 - bytes of a length
            raise Unusual
        return at + 4, int.from_bytes(length, "little")

    def treat(self, known: Known, key: bytes, start: int, length: int, limit: int) -> Written:
        """Do what is to be done with one element."""
        code = known.code
        if code != CHANGE and known.told is not None:
            self.done[known.told] = self.done.get(known.told, 0) + 1
        if code == CLEAN_ITEMS:
            if len(known.path) == _OF_AN_ITEM and known.vain < _MOST_IN_VAIN:
                return self._clean_as_before(known, key, start, length)
            return self._clean_items(known, key, start, length)
        if code == REPLACE_ITEMS or length == UNDEFINED:
            return self._replace_items(known, key, start, length)
        stop = start + length
        if stop > limit or length & 1:
            raise Unusual
        if code == REMOVE:
            if known.is_noted:
                self._note(known, self.data[start:stop], None)
            return stop, b""
        old = self.data[start:stop]
        if code == KEEP:
            self._note(known, old, old)
            return stop, None
        change = known.changes.get(old) or self._change(known, key, old)
        self._note(known, old, change.value)
        if change.told is not None:
            self.done[change.told] = self.done.get(change.told, 0) + 1
        return stop, change.written

    def _change(self, known: Known, key: bytes, old: bytes) -> Change:
        new = self.values.changed(known.tag, known.step, old, _needs_the_parser)
        if known.step.do is Do.KNOWN_CHARACTER_SET and (new is not old or not _TERMS.fullmatch(old)):
            raise Unusual
        letter = told_of(known.step, old, new, known.tag)
        told = (known.path, letter) if letter else None
        if new is None:
            change = Change(b"", None, told)
        elif new is old:
            change = Change(None, old, told)
        else:
            new += (b"\0" if known.step.vr in _PADDED_WITH_NUL else b" ") * (len(new) % 2)
            change = Change(self._element(key, known, len(new)) + new, new, told)
        if len(old) <= _LONGEST_LEARNT and len(known.changes) < _MOST_OF_ONE and self.ground.learnt.take():
            known.changes[old] = change
        return change

    def _element(self, key: bytes, known: Known, length: int) -> bytes:
        """Give the head of an element with another length."""
        if known.form == SHORT:
            if length > _SHORT_FORM_LIMIT:
                raise Unusual
            return key + length.to_bytes(2, "little")
        return key + (b"\0\0" if known.form == LONG else b"") + length.to_bytes(4, "little")

    def _note(self, known: Known, old: bytes, new: bytes | None) -> None:
        """Remember what a value tells of patient and image, and what of it is left to be searched."""
        if known.names and old:
            self.names.append((known.tag, old))
        if known.gathered:
            self._gather(known, self.before, old)
            if new is not None:
                self._gather(known, self.after, new)
        if new and known.searched:
            self.left[known.searched].append(new)

    def _gather(self, known: Known, into: Gathered, value: bytes) -> None:
        self._gathers += 1
        if known.gathered == OUTER:
            into.values[known.tag] = value
        elif known.gathered == BURNED:
            into.take_burned_in(value, is_outermost=len(known.path) == 1)
        elif known.gathered == OVERLAY:
            into.take_overlay(value)

    def _clean_as_before(self, known: Known, key: bytes, start: int, length: int) -> Written:
        """Clean a sequence of an item; where it is the very one that was met before, do what was done then."""
        same = known.same
        if same is not None and same.length == length and self.data.startswith(same.original, start):
            known.vain = 0
            self._do_the_same(same)
            return start + len(same.original), same.written
        known.vain += 1
        before, self.done = self.done, {}
        gathers, items, names, left = self._gathers, self._items, len(self.names), [len(each) for each in self.left]
        stop, written = self._clean_items(known, key, start, length)
        if self._gathers == gathers and stop - start <= _LONGEST_SAME and known.vain < _MOST_IN_VAIN:
            same = known.same = Same(self.data[start:stop], length, written)
            same.items, same.done, same.names = self._items - items, tuple(self.done.items()), self.names[names:]
            same.left = [
                (how, each[begin:])
                for how, (each, begin) in enumerate(zip(self.left, left, strict=True))
                if each[begin:]
            ]
            self._met.add(same)
        for told, times in self.done.items():
            before[told] = before.get(told, 0) + times
        self.done = before
        return stop, written

    def _do_the_same(self, same: Same) -> None:
        """Tell what was done to a sequence, and once for a file what of it names the patient or is left."""
        self._items += same.items
        if self._items > _MOST_ITEMS:
            raise Unusual
        for told, times in same.done:
            self.done[told] = self.done.get(told, 0) + times
        if same not in self._met:
            self._met.add(same)
            self.names += same.names
            for how, values in same.left:
                self.left[how].extend(values)

    def _clean_items(self, known: Known, key: bytes, start: int, length: int) -> Written:
        """Clean the items of a sequence; its and their lengths stay told or delimited, as they were."""
        self._depth += 1
        if self._depth > _DEEPEST or known.below is None:
            raise Unusual
        if known.gathered == REGION:
            self._gathers += 1
            self.before.has_regions = self.after.has_regions = True
        if known.tag == CONTENT_SEQUENCE:
            self._gathers += 1
            self.structured_content = True
        stop, made = self._items_of(known.below, start, None if length == UNDEFINED else start + length)
        if known.tag == CONCEPT_NAME:
            self._look_at_name(start, stop)
        self._depth -= 1
        if made is None:
            return stop, None
        if length == UNDEFINED:
            return stop, self._element(key, known, UNDEFINED) + made + SEQUENCE_END + bytes(4)
        return stop, self._element(key, known, len(made)) + made

    def _look_at_name(self, start: int, stop: int) -> None:
        """Leave items that tell of the patient by their coded name to the parser."""
        from trialimg.dicom.rules.told import may_tell  # not loaded before a file has such an item

        if may_tell(self.data[start:stop]):
            raise Unusual

    def _items_of(self, ground: Ground, position: int, end: int | None) -> tuple[int, bytes | None]:
        """Give where a sequence ends, and its items; None for these where nothing in them changed."""
        data, begin, made, run = self.data, position, [], position
        if end is not None and end > len(data):
            raise Unusual
        while end is None or position < end:
            head = data[position : position + 4]
            if head == SEQUENCE_END and end is None and data[position + 4 : position + 8] == bytes(4):
                made.append(data[run:position])
                return position + 8, b"".join(made) if run > begin else None
            if head != ITEM:
                raise Unusual
            length = int.from_bytes(data[position + 4 : position + 8], "little")
            stop, item = self._item(ground, position + 8, length, len(data) if end is None else end)
            if item is not None:
                told = _DELIMITED if length == UNDEFINED else len(item).to_bytes(4, "little")
                made += (data[run:position], ITEM, told, item, _ITEM_END if length == UNDEFINED else b"")
                run = stop
            position = stop
        if position > end:
            raise Unusual
        made.append(data[run:position])
        return position, b"".join(made) if run > begin else None

    def _item(self, ground: Ground, position: int, length: int, limit: int) -> tuple[int, bytes | None]:
        """Clean one item; give where it ends, and what stands in it, None where nothing changed."""
        data, width, known_as = self.data, ground.width, ground.known
        self._items += 1
        begin, run, last, out = position, position, -1, []
        end = limit if length == UNDEFINED else position + length
        if end > limit or self._items > _MOST_ITEMS:
            raise Unusual
        while position < end:
            key = data[position : position + width]
            known = known_as.get(key) or ground.learn(key)
            if known.code == END:
                position = self._end_of_item(position, length)
                out.append(data[run : position - 8])
                return position, b"".join(out) if run > begin else None
            if known.tag <= last:
                raise Unusual
            last = known.tag
            start, size = self.head(known, position)
            if known.is_plain:
                stop, written = start + size, None
            else:
                stop, written = self.treat(known, key, start, size, end)
            if stop > end or stop & 1 != start & 1:
                raise Unusual
            if written is not None:
                out += (data[run:position], written)
                run = stop
            position = stop
        if length == UNDEFINED:
            raise Unusual
        out.append(data[run:position])
        return position, b"".join(out) if run > begin else None

    def _end_of_item(self, position: int, length: int) -> int:
        if length != UNDEFINED or self.data[position + 4 : position + 8] != bytes(4):
            raise Unusual
        return position + 8

    def _replace_items(self, known: Known, key: bytes, start: int, length: int) -> Written:
        """Take a sequence out, empty it, or put one item of a dummy code in place of those that it had."""
        if known.code != REPLACE_ITEMS and not (self.implicit and known.tag >> 16 & 1):
            raise Unusual
        collects = enters_names(known.tag) and known.tag not in self.ground.retained
        stop, items = self.look.items(start, None if length == UNDEFINED else start + length, collects=collects)
        if known.tag == CONCEPT_NAME:
            self._look_at_name(start, stop)
        if known.code != REPLACE_ITEMS or known.step.do is Do.REMOVE:
            return stop, b""
        made = b""
        if known.step.do is Do.DUMMY and items:
            made = encoded_codes((DUMMY_CODE,), implicit=self.implicit, little=True)
        return stop, self._element(key, known, len(made)) + made


def _needs_the_parser() -> NoReturn:
    raise Unusual
