"""What is left of an ordinary file, searched for what names the patient, as ``residue`` searches a data set."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from trialimg.dicom.ground import BINARY, DATE, TEXT, UID, Unusual
from trialimg.dicom.needles import BETWEEN, Needles, in_binary, needles_of
from trialimg.dicom.splice import Splice
from trialimg.dicom.syntaxes import SIMPLE_ENCODINGS
from trialimg.dicom.table import is_registered
from trialimg.domain.pseudonym import is_mapped_uid

_STUDY_DATE: Final = 0x00080020
_CHARACTER_SET, _CHARACTER_SET_TAG = 0x00080005, b"\x08\x00\x05\x00"
_EIGHT_DIGITS: Final = re.compile(rb"\d{8}")
_LONG_ARC: Final = 5


def needles_in(splice: Splice) -> Needles | None:
    """Make ready what names somebody in the original; what more than a simple encoding needs is the parser's."""
    if any(b"\x1b" in value for _, value in splice.names):
        raise Unusual
    named = tuple(dict.fromkeys(splice.names))
    is_ascii = all(value.isascii() for _, value in named)
    encoding = "ascii" if is_ascii else _encoding(splice)
    return needles_of(named, splice.before.values.get(_STUDY_DATE, b""), encoding)


def _encoding(splice: Splice) -> str:
    """Give the encoding of all texts; Unusual where items may have one of their own."""
    declared = splice.before.values.get(_CHARACTER_SET)
    end = len(splice.data) if splice.pixels is None else splice.pixels[0]
    if splice.data.count(_CHARACTER_SET_TAG, 0, end) != (declared is not None):
        raise Unusual
    return SIMPLE_ENCODINGS[(declared or b"").decode("ascii").strip(" \0")]


def search(splice: Splice, needles: Needles | None, temporal: bytes) -> None:
    """Search what is left as ``residue`` does; Unusual where anything is found, or has to be decoded first."""
    texts, dates = splice.left[TEXT], BETWEEN.join(splice.left[DATE])
    uids = [_strange_parts(value) for value in splice.left[UID]]
    text = BETWEEN.join((*texts, *set(_EIGHT_DIGITS.findall(dates)), *uids, temporal))
    if not text.isascii() or not dates.isascii() or b"\x1b" in text:
        raise Unusual
    if needles is None:
        return
    if needles.names_someone(text) or any(_in_binary(value, needles.pattern) for value in splice.left[BINARY]):
        raise Unusual


@lru_cache(maxsize=256)
def _strange_parts(value: bytes) -> bytes:
    """Give the UIDs of a value that are neither registered nor ours, and their longer arcs."""
    uids = value.decode("ascii").strip(" \0").split("\\")
    strange = [uid for uid in uids if not (is_mapped_uid(uid) or is_registered(uid))]
    arcs = [arc for uid in strange for arc in uid.split(".") if len(arc) > _LONG_ARC]
    return BETWEEN.join(part.encode("ascii") for part in (*strange, *arcs))


@lru_cache(maxsize=64)
def _in_small_binary(value: bytes, pattern: re.Pattern[str]) -> bool:
    return in_binary(value, pattern)


def _in_binary(value: bytes, pattern: re.Pattern[str]) -> bool:
    return _in_small_binary(value, pattern) if len(value) <= 1 << 12 else in_binary(value, pattern)
