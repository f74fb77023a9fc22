"""Compressed pixel data of an ordinary file: found by their heads, and written frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from trialimg.dicom.encapsulated.frames import Piece, Quiet, find_fragments, in_chunks
from trialimg.dicom.encapsulated.strange import plane_of, planes_of
from trialimg.dicom.files.header import Gathered, described
from trialimg.dicom.rules.needles import InBytes, Needles
from trialimg.dicom.splicing.ground import Unusual
from trialimg.dicom.splicing.look import SEQUENCE_END
from trialimg.dicom.splicing.opened import Opened
from trialimg.dicom.splicing.runs import Shared
from trialimg.dicom.splicing.splice import Splice

_BITS, _SAMPLES = 0x00280100, 0x00280002
_PIXELS_IN_FRAGMENTS: Final = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"
END_OF_PIXELS: Final = SEQUENCE_END + bytes(4)


def find_frames(file: Opened, splice: Splice, shared: Shared) -> Quiet:
    """Find the frames, which are read when they are written; Unusual where fragments are not as they should be."""
    assert splice.pixels is not None
    start = splice.pixels[0]
    if file.head[start - 12 : start] != _PIXELS_IN_FRAGMENTS:
        raise Unusual
    found = find_fragments(file.part, start, file.size)
    if not found.are_even or file.part(found.end, len(END_OF_PIXELS)) != END_OF_PIXELS:
        raise Unusual
    splice.before.fragments = splice.after.fragments = found.number
    values = {**shared.before, **splice.before.values}
    told = Gathered(values)
    told.fragments = found.number
    facts = described(told, file.syntax)
    bits, samples = (int.from_bytes(values.get(tag, b"")[:2], "little") for tag in (_BITS, _SAMPLES))
    plane, planes = plane_of(facts.rows * facts.columns, bits), planes_of(samples, bits)
    return Quiet(file.part, found, facts.frames, file.syntax, plane, planes)


def file_of(beginning: bytes, quiet: Quiet, needles: Needles | None) -> Iterator[Piece]:
    """Give a file of its beginning and its frames, part by part; Unusual where these hold what names the patient."""
    yield beginning
    seeker = InBytes(needles.values if needles is not None else frozenset())
    for part in in_chunks(quiet.pieces()):
        if seeker.finds(part):
            raise Unusual
        yield part
    yield END_OF_PIXELS
