"""What is left of an ordinary file, searched for what names the patient, as ``residue`` searches a data set."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from trialimg.dicom.rules.needles import (
    BETWEEN,
    SHORTEST_BINARY,
    Among,
    Needles,
    among_of,
    in_binary,
    may_be_of_two_bytes,
    needles_of,
)
from trialimg.dicom.splicing.ground import BINARY, DATE, TEXT, UID, Unusual
from trialimg.dicom.splicing.runs import Shared
from trialimg.dicom.splicing.splice import Splice
from trialimg.dicom.standard.syntaxes import SIMPLE_ENCODINGS
from trialimg.dicom.standard.table import is_registered
from trialimg.domain.pattern import late
from trialimg.domain.pseudonym import is_mapped_uid

_STUDY_DATE: Final = 0x00080020
_CHARACTER_SET, _CHARACTER_SET_TAG = 0x00080005, b"\x08\x00\x05\x00"
_EIGHT_DIGITS: Final = late(rb"\d{8}")
_LONG_ARC: Final = 5
_SHORT, _MOST_SHORT = 64, 1 << 12


def needles_in(splice: Splice, shared: Shared) -> Needles | None:
    """Make ready what names somebody in the original; what more than a simple encoding needs is the parser's."""
    named = (*shared.names, *dict.fromkeys(splice.names)) if splice.names else shared.names
    studied = splice.before.values.get(_STUDY_DATE) or shared.before.get(_STUDY_DATE, b"")
    if _are_ascii(named):
        return needles_of(named, studied)
    if any(b"\x1b" in value for _, value in named):
        raise Unusual
    return needles_of(named, studied, _encoding(splice, shared))


@lru_cache(maxsize=64)
def _are_ascii(named: tuple[tuple[int, bytes], ...]) -> bool:
    return all(value.isascii() and b"\x1b" not in value for _, value in named)


def _encoding(splice: Splice, shared: Shared) -> str:
    """Give the encoding of all texts; Unusual where items may have one of their own."""
    declared = splice.before.values.get(_CHARACTER_SET, shared.before.get(_CHARACTER_SET))
    end = len(splice.data) if splice.pixels is None else splice.pixels[0]
    if splice.data.count(_CHARACTER_SET_TAG, 0, end) != (declared is not None):
        raise Unusual
    return SIMPLE_ENCODINGS[(declared or b"").decode("ascii").strip(" \0")]


def search(splice: Splice, shared: Shared, needles: Needles | None, temporal: bytes) -> None:
    """Search what is left as ``residue`` does; Unusual where anything is found, or has to be decoded first.

    Values are searched apart from each other, so what files share is searched once for the same needles.
    """
    known = shared.found_clean
    if known is None or known[0] is not needles or known[1] != temporal:
        _search(shared.left, needles, temporal)
        shared.found_clean = needles, temporal
    _search(splice.left, needles, b"")


def _search(left: tuple[list[bytes], ...], needles: Needles | None, beside: bytes) -> None:
    dates = BETWEEN.join(left[DATE])
    uids = [_strange_parts(value) for value in left[UID]]
    text = BETWEEN.join((*left[TEXT], *set(_EIGHT_DIGITS.findall(dates)), *uids, beside))
    if not text.isascii() or not dates.isascii() or b"\x1b" in text:
        raise Unusual
    if needles is None:
        return
    if needles.take_long(sum(map(len, left[BINARY]))) or needles.names_someone(text):
        raise Unusual
    if may_be_of_two_bytes(text):
        raise Unusual
    among, clean = among_of(needles.values), _found_clean(needles.values)
    if any(_in_binary(value, among, clean) for value in left[BINARY]):
        raise Unusual


@lru_cache(maxsize=256)
def _strange_parts(value: bytes) -> bytes:
    """Give the UIDs of a value that are neither registered nor ours, and their longer arcs."""
    uids = value.decode("ascii").strip(" \0").split("\\")
    strange = [uid for uid in uids if not (is_mapped_uid(uid) or is_registered(uid))]
    arcs = [arc for uid in strange for arc in uid.split(".") if len(arc) > _LONG_ARC]
    return BETWEEN.join(part.encode("ascii") for part in (*strange, *arcs))


@lru_cache(maxsize=8)
def _found_clean(_values: frozenset[str]) -> set[bytes]:
    """Give the short binary values in which nothing of these was found: frames and files have them again and again."""
    return set()


def _in_binary(value: bytes, among: Among, clean: set[bytes]) -> bool:
    if len(value) < SHORTEST_BINARY or value in clean:
        return False
    if in_binary(value, among):
        return True
    if len(value) <= _SHORT and len(clean) < _MOST_SHORT:
        clean.add(value)
    return False
