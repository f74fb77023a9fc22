"""What is done with each kind of element at one place, by the bytes it begins with: learnt once, then looked up."""

from __future__ import annotations

from typing import Final, NamedTuple

from trialimg.dicom.files.header import BURNED_IN, GATHERED, OVERLAY_BITS, REGIONS
from trialimg.dicom.rules.identifying import BIRTH_DATE, NAMES, WHOLE
from trialimg.dicom.rules.needles import BINARIES, NOT_ENTERED, OURS
from trialimg.dicom.rules.plan import PIXELS, Do, Place, Plan, Step
from trialimg.dicom.rules.values import Path
from trialimg.dicom.standard.part10 import LONG_FORM, PIXEL_DATA
from trialimg.dicom.standard.table import vr_of

SHORT, LONG, BARE = range(3)
"""Forms of an element's head: explicit VR with a length of two or of four bytes, implicit VR."""
KEEP, REMOVE, CHANGE, CLEAN_ITEMS, REPLACE_ITEMS, PIXEL, END = range(7)
NOT_SEARCHED, TEXT, DATE, UID, BINARY = range(5)
TOLD_NOTHING, OUTER, BURNED, REGION, OVERLAY = range(5)

_SHORT_VRS: Final = frozenset(
    {
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO"),
        *("LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"),
    }
)
VRS: Final = _SHORT_VRS | {vr.decode("ascii") for vr in LONG_FORM}
_TEXTS: Final = frozenset({"AE", "AS", "CS", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_DATES: Final = frozenset({"DA", "DT", "TM"})
_CHANGES: Final = frozenset(
    {
        *(Do.EMPTY, Do.DUMMY, Do.MAP_UID, Do.KEEP_UID, Do.SHIFT, Do.CAP_AGE, Do.NAME, Do.KNOWN_CHARACTER_SET),
        *(Do.KEEP_DATE, Do.JUDGE),
    }
)
_ITEM_END: Final = b"\xfe\xff\x0d\xe0"
_DELIMITERS: Final = 0xFFFE
_CLINICAL_TRIAL: Final = 0x0012
_MOST_LEARNT: Final = 1 << 14
"""Files may hold any number of attributes and values that nobody has met."""


class Unusual(Exception):
    """The bytes are not those of an ordinary file: the parser's way is taken."""


class Known:
    """What is done with one kind of element: an attribute, at one place, as one VR."""

    __slots__ = (
        *("below", "changes", "code", "form", "gathered", "is_noted", "is_plain", "names", "path", "same", "searched"),
        *("step", "tag", "told", "vain"),
    )

    def __init__(self, tag: int, form: int, code: int, step: Step, path: Path) -> None:
        self.tag, self.form, self.code, self.step, self.path = tag, form, code, step, path
        self.told = (path, step.told) if step.told else None
        self.searched = self.gathered = 0
        self.names = self.is_noted = self.is_plain = False
        self.below: Ground | None = None
        self.changes: dict[bytes, Change] = {}
        self.same: Same | None = None
        self.vain = 0
        """How often, one time after the other, a sequence was not the same as the one before."""


class Same:
    """A sequence in an item, and everything that cleaning it does: most often the next frame has the same one."""

    __slots__ = ("done", "items", "left", "length", "names", "original", "written")

    def __init__(self, original: bytes, length: int, written: bytes | None) -> None:
        self.original, self.length, self.written = original, length, written
        self.items = 0
        self.done: tuple[tuple[tuple[Path, str], int], ...] = ()
        self.names: list[tuple[int, bytes]] = []
        self.left: list[tuple[int, list[bytes]]] = []


class Change(NamedTuple):
    """What stands in place of a value: the element as written (None: as it was, empty: none), and the new value."""

    written: bytes | None
    value: bytes | None
    told: tuple[Path, str] | None
    """What is told of it."""


_END: Final = Known(0, BARE, END, Step(Do.KEEP, "", ""), ())


class Learnt:
    """How much may still be learnt at a place and in the items below it, so that no file can fill the memory."""

    def __init__(self) -> None:
        self._room = _MOST_LEARNT

    def take(self) -> bool:
        """Tell whether there is room for one thing more, and take it."""
        self._room -= 1
        return self._room >= 0

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more is learnt."""
        return self._room < 0


class Ground:
    """A place of the plan at one path, as the walk over bytes asks it."""

    def __init__(self, place: Place, path: Path, plan: Plan, *, implicit: bool, learnt: Learnt | None = None) -> None:
        self.place, self.path, self.plan = place, path, plan
        self.retained = place.retained
        self.width = 4 if implicit else 6
        self.known: dict[bytes, Known] = {}
        self.learnt = learnt or Learnt()

    def learn(self, key: bytes) -> Known:
        """Decide about an element by its first bytes: its tag, and in explicit VR its VR."""
        if len(key) < self.width:
            raise Unusual
        if key[:4] == _ITEM_END and self.path:
            found = _END
        else:
            found = self._decide(int.from_bytes(key[:2], "little") << 16 | int.from_bytes(key[2:4], "little"), key[4:])
        if self.learnt.take():
            self.known[key] = found
        return found

    def _decide(self, tag: int, code: bytes) -> Known:
        stated, known_vr = code.decode("latin-1"), vr_of(tag)
        if tag >> 16 == _DELIMITERS or (self.width > 4 and stated not in VRS):  # noqa: PLR2004 - of explicit VR
            raise Unusual
        if known_vr and stated and stated not in known_vr.split(" or "):
            raise Unusual
        if (tag in PIXELS and (self.path or tag != PIXEL_DATA)) or (tag >> 16 & 1 and self.plan.keeps_private):
            raise Unusual
        step = self.place.step(tag, stated or None)
        form = BARE if not stated else LONG if code in LONG_FORM else SHORT
        found = Known(tag, form, self._code(tag, stated, step), step, (*self.path, tag))
        found.searched = self._search(tag, step)
        found.gathered = self._gather(tag)
        found.names = (tag in NAMES or tag in WHOLE or tag == BIRTH_DATE) and tag not in self.retained
        found.is_noted = found.names or found.searched != NOT_SEARCHED or found.gathered != TOLD_NOTHING
        found.is_plain = found.code == KEEP and found.told is None and not found.is_noted
        if found.code == CLEAN_ITEMS:
            found.below = Ground(self.place.inside(tag), found.path, self.plan, implicit=not stated, learnt=self.learnt)
        return found

    def _code(self, tag: int, stated: str, step: Step) -> int:
        if tag == PIXEL_DATA:
            return PIXEL
        if "SQ" in {stated, step.vr, vr_of(tag)}:
            if step.do is Do.CLEAN_ITEMS:
                return CLEAN_ITEMS
            if step.do in {Do.REMOVE, Do.EMPTY, Do.DUMMY}:
                return REPLACE_ITEMS
            raise Unusual
        if step.do is Do.KEEP:
            return KEEP
        if step.do is Do.REMOVE:
            return REMOVE
        if step.do not in _CHANGES:
            raise Unusual
        return CHANGE

    def _search(self, tag: int, step: Step) -> int:
        """Tell how what is left of a value is searched for what names the patient (``residue``)."""
        if not self.path and (tag in OURS or tag >> 16 == _CLINICAL_TRIAL):
            return NOT_SEARCHED
        if step.vr in _TEXTS:
            return TEXT
        if step.vr in _DATES:
            return DATE
        if step.vr == "UI":
            return NOT_SEARCHED if step.do is Do.MAP_UID else UID
        return BINARY if step.vr in BINARIES else NOT_SEARCHED

    def _gather(self, tag: int) -> int:
        if tag == BURNED_IN:
            return BURNED
        if tag == REGIONS:
            return REGION
        if tag >> 24 == 0x60 and tag & 0xFFFF == OVERLAY_BITS:  # noqa: PLR2004 - overlay groups 60xx
            return OVERLAY
        return OUTER if not self.path and tag in GATHERED else TOLD_NOTHING


def enters_names(tag: int) -> bool:
    """Tell whether what names the patient is collected from the items of a sequence."""
    return vr_of(tag) == "SQ" and tag not in NOT_ENTERED
