"""Clean a data set by its bytes: what stays is copied in runs, and only what a rule touches is looked at.

For the ordinary file: little endian, every length right and even, attributes in order and each once, each written as
what it is. Whatever is otherwise raises ``Unusual`` and is the parser's work (``by_parser``); nothing is guessed here.
What is written is what the parser's way would write, which a test compares over every file there is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from trialimg.dicom.files.encode import encoded
from trialimg.dicom.files.header import GATHERED
from trialimg.dicom.parsing.markers import METHOD_CODES, STUDY_ID, STUDY_UID
from trialimg.dicom.rules.needles import BETWEEN
from trialimg.dicom.rules.values import Values
from trialimg.dicom.splicing.attributes import Attributes, Written
from trialimg.dicom.splicing.ground import PIXEL, TEXT, Ground, Known, Unusual
from trialimg.dicom.splicing.runs import Mark, Run, numbers
from trialimg.domain.pseudonym import study_id

_MOST_ATTRIBUTES: Final = 20_000
NOT_IN_RUNS: Final = (METHOD_CODES, STUDY_ID)
"""What the engine writes that is not known before the whole data set is."""
_NEVER: Final = 1 << 40
"""Above every tag."""


class Insert(NamedTuple):
    """An element that the engine writes: it takes the place of one that is there, or only where none is left."""

    tag: int
    value: bytes
    written: bytes
    takes_place: bool

    @classmethod
    def of(cls, tag: int, vr: str, text: str, *, implicit: bool, takes_place: bool = True) -> Insert:
        """Make the insert of a text, all of it ASCII."""
        value = text.encode("ascii")
        return cls(tag, value, encoded(tag, vr, value, implicit=implicit, little=True), takes_place)


@lru_cache(maxsize=64)
def _study_id(uid: bytes, *, implicit: bool) -> Insert:
    return Insert.of(STUDY_ID, "SH", study_id(uid.decode("ascii").strip(" \0")), implicit=implicit)


class Splice(Attributes):
    """One data set being cleaned: what is written, and what was met on the way."""

    def __init__(
        self, data: bytes, values: Values, inserts: list[Insert], ground: Ground, runs: dict[bytes, Run]
    ) -> None:
        """Take the inserts in the order of their tags, the last one first, and the runs that are known already."""
        self.runs = runs
        self.marks: list[Mark] = []
        super().__init__(data, values, ground)
        self.inserts = inserts
        self.tags: list[int] = []
        self.taken: list[Run] = []
        """The runs that were met; what they tell is not in ``done``, ``before``, ``after``, ``names`` and ``left``."""
        self.pixels: tuple[int, int] | None = None
        """Where the pixel data begin, and their length."""

    def pieces(self, position: int) -> list[bytes]:
        """Clean the data set that begins at a position; give what is written, up to the pixel data."""
        data, width, known_as, learn = self.data, self.ground.width, self.ground.known, self.ground.learn
        tags, runs = self.tags, self.runs
        out: list[bytes] = []
        run, last, limit = position, -1, len(data)
        following = self.inserts[-1].tag if self.inserts else _NEVER
        while position < limit:
            key = data[position : position + width]
            known = known_as.get(key) or learn(key)
            tag = known.tag
            if tag <= last:
                raise Unusual
            last = tag
            tags.append(tag)
            if tag >= following:
                out.append(data[run:position])
                run = position
                following = self._insert_below(tag, out)
            shared = runs.get(key)
            if shared is not None and data.startswith(shared.original, position):
                stop, written, last = position + len(shared.original), shared.written, shared.tags[-1]
                following = self._take(shared)
            elif tag == following:
                stop, written = self._beside(known, key, position)
                following = self.inserts[-1].tag if self.inserts else _NEVER
            elif known.code == PIXEL:
                self.pixels = self.head(known, position)
                position = self.pixels[0]
                break
            else:
                stop, written = self._alone(known, key, position, limit)
            if written is not None:
                out += (data[run:position], written)
                run = stop
            position = stop
        out.append(data[run:position])
        self._insert_below(_NEVER, out)
        return out

    def _alone(self, known: Known, key: bytes, position: int, limit: int) -> Written:
        """Treat an attribute that is in no run."""
        start, length = self.head(known, position)
        if known.is_plain:
            stop, written = start + length, None
            if stop > limit or length & 1:
                raise Unusual
        else:
            stop, written = self.treat(known, key, start, length, limit)
        self.marks.append((known.tag, position, stop))
        if len(self.marks) > _MOST_ATTRIBUTES:
            raise Unusual
        return stop, written

    def _take(self, run: Run) -> int:
        """Note that a run was met; give the tag that the engine writes next."""
        while self.inserts and self.inserts[-1].tag <= run.tags[-1]:
            self.inserts.pop()  # it is in the run
        self.taken.append(run)
        return self.inserts[-1].tag if self.inserts else _NEVER

    def as_run(self) -> Run | None:
        """Clean attributes that are all of the data; None where they are more than a run can tell."""
        written = b"".join(self.pieces(0))
        strange = self.before.has_regions or self.before.overlay_in_pixels or self.structured_content or self.pixels
        if strange or self.before.burned_in or self.look.names is not self.names:
            return None
        left = tuple(list(values) for values in self.left)
        left[TEXT][:] = [BETWEEN.join(left[TEXT])] if left[TEXT] else []
        before, after = self.before.values, self.after.values
        changed = None if written == self.data else written
        return Run(
            next(numbers), self.data, changed, tuple(self.tags), dict(self.done), self.names, left, before, after
        )

    def _insert_below(self, tag: int, out: list[bytes]) -> int:
        """Write what the engine inserts before an attribute; give the tag that it writes next."""
        while self.inserts and self.inserts[-1].tag < tag:
            out.append(self._inserted(self.inserts.pop()))
        return self.inserts[-1].tag if self.inserts else _NEVER

    def _inserted(self, insert: Insert) -> bytes:
        if insert.tag == STUDY_ID:
            insert = self._study_id()
        if insert.tag in GATHERED:
            self.after.values[insert.tag] = insert.value
        return insert.written

    def _study_id(self) -> Insert:
        uid = self.after.values.get(STUDY_UID)
        if uid is None:
            uid = next((run.after[STUDY_UID] for run in self.taken if STUDY_UID in run.after), b"")
        return _study_id(uid, implicit=self.implicit)

    def _beside(self, known: Known, key: bytes, position: int) -> Written:
        """Treat an attribute that the engine writes too; give the one that counts."""
        insert = self.inserts.pop()
        start, length = self.head(known, position)
        stop, written = self.treat(known, key, start, length, len(self.data))
        if insert.takes_place or written == b"":
            written = self._inserted(insert)
        if insert.tag not in NOT_IN_RUNS:
            self.marks.append((insert.tag, position, stop))
        return stop, written
