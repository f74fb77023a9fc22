"""Which Type an attribute has at its place in an object of a SOP class (PS3.3; Types: PS3.5 7.4).

An object's place is a tuple of numbered subtrees of PS3.3: of the data set itself those of the modules that it has,
of an item those below its sequence. Where several say something of an attribute the strictest counts, 1 before 1C
before 2 before 2C before 3. What no module tells is an extension of the object and as free as Type 3.

A module that the IOD does not demand (usage C or U) is taken as present if the object has one of the attributes by
which it is known: its own of Type 1 or 2 that no demanded module has too. If there is none such, it is present if the
object has all that the module has of Type 1; and a module of nothing but conditional and optional attributes always
counts, for it demands nothing that is not there.
A sequence that the class does not know at that place is judged as it is anywhere in the standard, and an object of an
unknown class as if it had every module. Overlays and curves (repeating groups 60xx and 50xx) have no Type here: their
groups are taken out whole, and no module that demands one remains.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Final, NamedTuple

from trialimg.dicom.standard.part10 import PIXEL_DATA
from trialimg.dicom.standard.table import read_data

At = tuple[int, ...]
"""Numbers of the subtrees that say something of what stands here."""

OPTIONAL: Final = "3"
_CODE_MEANING: Final = 0x00080104
_CONTENT_SEQUENCE: Final = 0x0040A730
"""Its items hold the macro again that it stands in (PS3.3 C.17.3.1), which the data tell at every second depth only."""
STRICTEST: Final = {kind: rank for rank, kind in enumerate(("1", "1C", "2", "2C", OPTIONAL))}


class Iod(NamedTuple):
    """An IOD: the modules that always count, and the others with the attributes, any or all, each is known by."""

    always: At
    by_any: tuple[tuple[int, frozenset[int]], ...]
    by_all: tuple[tuple[int, frozenset[int]], ...]


@cache
def _standard() -> dict[str, dict[str, str]]:
    document: dict[str, dict[str, str]] = read_data("ps3_3_iod.json")
    return document


@cache
def _subtree(number: int) -> Mapping[int, tuple[str, int]]:
    """Give attributes of one subtree with their Type and the number of the subtree below, -1 for none."""
    found = {}
    for fact in _lines()[number].split():
        kind, _, below = fact[9:].partition(">")
        found[int(fact[:8], 16)] = (kind, int(below) if below else -1)
    return found


@cache
def _lines() -> list[str]:
    lines = _standard()["nodes"]
    assert isinstance(lines, list)
    return lines


@cache
def _modules() -> Mapping[str, int]:
    return {name: int(number) for name, number in _standard()["modules"].items()}


def is_known(sop_class_uid: str) -> bool:
    """Tell whether PS3.3 says what an object of this class is made of."""
    return sop_class_uid in _standard()["classes"]


def may_have_pixels(sop_class_uid: str) -> bool:
    """Tell whether objects of a class are images by PS3.3; of one that it does not know nobody can say that not."""
    return type_at(place_of(sop_class_uid), PIXEL_DATA) != OPTIONAL


@cache
def iod_of(sop_class_uid: str) -> Iod:
    """Give the IOD of a class; of an unknown one, all modules there are."""
    modules, name = _modules(), _standard()["classes"].get(sop_class_uid)
    if name is None:
        return Iod(tuple(sorted(set(modules.values()))), (), ())
    listed = [entry.split(":") for entry in _standard()["iods"][name].split()]
    always = [modules[module] for usage, module in listed if usage == "M" and module in modules]
    demanded = {tag for number in always for tag in _subtree(number)}
    by_any, by_all = [], []
    for number in [modules[module] for usage, module in listed if usage != "M" and module in modules]:
        kinds = {tag: kind for tag, (kind, _below) in _subtree(number).items()}
        marks = frozenset(tag for tag, kind in kinds.items() if kind in {"1", "2"} and tag not in demanded)
        needed = frozenset(tag for tag, kind in kinds.items() if kind == "1")
        if marks:
            by_any.append((number, marks))
        elif needed:
            by_all.append((number, needed))
        else:
            always.append(number)
    return Iod(tuple(always), tuple(by_any), tuple(by_all))


def place_of(sop_class_uid: str, present: Collection[int] | None = None) -> At:
    """Give the place of a whole data set by the tags it has; without them, as if it had every module."""
    iod = iod_of(sop_class_uid)
    if present is None:
        return iod.always + tuple(number for number, _ in iod.by_any + iod.by_all)
    return (
        iod.always
        + tuple(number for number, marks in iod.by_any if any(tag in present for tag in marks))
        + tuple(number for number, needed in iod.by_all if all(tag in present for tag in needed))
    )


@cache
def inside(place: At, sequence: int) -> At:
    """Give the place of the items of a sequence."""
    below = {_subtree(number)[sequence][1] for number in place if sequence in _subtree(number)} - {-1}
    if not below or sequence == _CONTENT_SEQUENCE:
        return _anywhere().get(sequence, ())
    return tuple(sorted(below))


@cache
def _anywhere() -> Mapping[int, At]:
    """Give for every sequence all subtrees that stand below it somewhere."""
    found: dict[int, set[int]] = {}
    for number in range(len(_lines())):
        for tag, (_kind, below) in _subtree(number).items():
            if below >= 0:
                found.setdefault(tag, set()).add(below)
    return {tag: tuple(sorted(numbers)) for tag, numbers in found.items()}


def type_at(place: At, tag: int) -> str:
    """Give the strictest Type that an attribute has at a place."""
    kinds = [_subtree(number)[tag][0] for number in place if tag in _subtree(number)]
    return min(kinds, key=STRICTEST.__getitem__, default=OPTIONAL)


@cache
def is_code(at: At, sequence: int) -> bool:
    """Tell whether the items of a sequence are codes (PS3.3 table 8.8-1)."""
    return any(_CODE_MEANING in _subtree(number) for number in inside(at, sequence))


def types_anywhere(tag: int, sop_classes: Collection[str] = ()) -> frozenset[str]:
    """Give every Type that an attribute has somewhere in objects of these classes, or of any."""
    numbers = _below(sop_classes) if sop_classes else range(len(_lines()))
    return frozenset(_subtree(number)[tag][0] for number in numbers if tag in _subtree(number))


def _below(sop_classes: Collection[str]) -> set[int]:
    """Give all subtrees of these classes: of their modules, and those below their sequences at any depth."""
    waiting = [number for uid in sop_classes for number in place_of(uid)]
    found: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting += [below for _kind, below in _subtree(number).values() if below >= 0]
    return found


def is_code_anywhere(sequence: int) -> bool:
    """Tell whether the items of a sequence are codes wherever the standard has it."""
    below = _anywhere().get(sequence, ())
    return bool(below) and all(_CODE_MEANING in _subtree(number) for number in below)
