"""Clean an ordinary file by its bytes, without the parser: read once, changed where a rule touches it, copied else."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from trialimg.dicom.encapsulated.strange import strange_where
from trialimg.dicom.files.decoded import is_one_wide
from trialimg.dicom.files.encode import encoded, encoded_codes, file_meta
from trialimg.dicom.files.header import WINDOW_WIDTH, Gathered, InstanceFacts, described, whole
from trialimg.dicom.parsing.markers import ALWAYS_PRESENT, METHOD_CODES, expected_markers
from trialimg.dicom.rules.plan import Plan
from trialimg.dicom.rules.values import Values, report_of
from trialimg.dicom.splicing.ground import Ground, Unusual
from trialimg.dicom.splicing.left import needles_in, search
from trialimg.dicom.splicing.look import UNDEFINED
from trialimg.dicom.splicing.opened import Opened, write_new
from trialimg.dicom.splicing.runs import Series, Shared
from trialimg.dicom.splicing.splice import NOT_IN_RUNS, Insert, Splice
from trialimg.dicom.splicing.splice_pixels import END_OF_PIXELS, file_of, find_frames
from trialimg.dicom.standard.part10 import PIXEL_DATA, Part10
from trialimg.dicom.standard.walk import followed_by
from trialimg.domain.deid_report import Report, Residue
from trialimg.domain.deidentification import CID_7050, SubjectIdentity
from trialimg.errors import TrialimgError

_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_INSTANCE_NUMBER: Final = 0x00200013
_OF_ONE: Final = frozenset({_SOP_INSTANCE, _INSTANCE_NUMBER, WINDOW_WIDTH})
_MOST_ROOTS: Final = 64
_LONGEST_TAIL: Final = 1 << 16
_CODES_HERE: Final = b"(0012,0064)"
"""Stands where the codes of the methods are written once all are known."""
_NOTHING_FOUND: Final = Residue.of_one([])
_WRONG: Final = (TrialimgError, struct.error, ValueError, IndexError, OverflowError, KeyError)


_Cleaned = tuple[Splice, Shared, list[bytes]]
"""A data set as it was cleaned, what its runs tell, and what is written."""


class Spliced(NamedTuple):
    """What became of an ordinary file: its facts before and after, the account, and how large it is now."""

    before: InstanceFacts
    after: InstanceFacts
    report: Report
    size: int
    alike: InstanceFacts
    """``before`` without what tells it from the others of its series: of these it is the very same object."""
    strange: str | None = None
    """Why a person must look at compressed frames, if one must."""


def splice_file(
    source: Path | str | BinaryIO,
    target: Path | str,
    given: tuple[Plan, SubjectIdentity, bytes],
    *,
    to_disk: bool = False,
) -> Spliced:
    """Clean an ordinary file into a new one.

    Raises Unusual for any other, and for one in which something is left that names the patient; then there is no
    target, and the parser's way has to say what is wrong.
    """
    with Opened(source) as file:
        try:
            work = _work(*given, file.is_implicit)
            return _finish(file, work, work.clean(file), target, to_disk=to_disk)
        except _WRONG as error:
            raise Unusual from error


class _Work:
    """All that one subject's files have in common."""

    def __init__(self, plan: Plan, identity: SubjectIdentity, subject_key: bytes, implicit: bool) -> None:  # noqa: FBT001 - as _work
        self.plan, self.implicit = plan, implicit
        self.values = Values(plan, identity.subject_number, subject_key)
        self._grounds: dict[int, Ground] = {}
        self._roots: dict[tuple[bytes, tuple[int, ...], Shared], Ground] = {}
        self._series: dict[int, Series] = {}
        self._reports: dict[tuple[object, ...], Report] = {}
        self._nothing = Shared(())
        self._inserts = self._made(identity)
        self._forget()
        self.temporal = plan.profile.temporal_information.encode("ascii")

    def _forget(self) -> None:
        """Begin anew, knowing nothing."""
        self._grounds.clear()
        self._roots.clear()
        self._series.clear()
        self._guess: Ground | None = None

    def _made(self, identity: SubjectIdentity) -> list[Insert]:
        """Make what is written into every file, the last tag first."""
        made = [Insert(METHOD_CODES, b"", _CODES_HERE, takes_place=True)]
        for tag, (vr, text) in expected_markers(self.plan.profile, identity, "").items():
            if not text.isascii():
                raise Unusual
            made.append(Insert.of(tag, vr, text, implicit=self.implicit))
        for tag, vr in ALWAYS_PRESENT.items():
            made.append(Insert.of(tag, vr, "", implicit=self.implicit, takes_place=False))
        return sorted(made, reverse=True)

    def codes(self, *, structured_content: bool) -> tuple[tuple[str, ...], bytes]:
        """Give the codes of the methods, and the attribute that names them."""
        codes = self.values.codes(structured_content=structured_content)
        meanings = tuple((code, "DCM", CID_7050[code]) for code in codes)
        items = encoded_codes(meanings, implicit=self.implicit, little=True)
        return codes, encoded(METHOD_CODES, "SQ", items, implicit=self.implicit, little=True)

    def clean(self, file: Opened) -> _Cleaned:
        """Clean the data set, of whose header more is read as long as it goes on."""
        while True:
            try:
                cleaned = self._clean(file)
            except (Unusual, *_WRONG):
                file.read_more()
                continue
            if cleaned[0].pixels is not None or file.is_whole:
                return cleaned
            file.read_more()

    def _clean(self, file: Opened) -> _Cleaned:
        """Clean as the last file was, and again as its own class and attributes want it where these differ."""
        if self._guess is not None and self._guess.learnt.is_full:
            self._forget()
        if self._guess is None:
            self._guess = self._root(file.sop_class, (), self._nothing)
        for _ in range(2):
            series = self._series[id(self._guess)]
            splice = Splice(file.head, self.values, list(self._inserts), self._guess, series.runs)
            pieces = splice.pieces(file.start)
            shared = series.together(splice.taken)
            sop_class = splice.before.values.get(_SOP_CLASS) or shared.before[_SOP_CLASS]
            right = self._root(sop_class, tuple(splice.tags), shared)
            if right is self._guess:
                self._learn(series, splice)
                return splice, shared, pieces
            self._guess = right
        raise Unusual

    def report(self, codes: tuple[str, ...], splice: Splice, shared: Shared) -> Report:
        """Give the account of a file; of files that are made of the same runs and are else alike it is one object."""
        key = codes, shared, tuple(splice.done.items())
        found = self._reports.get(key)
        if found is None:
            done = Counter(splice.done)
            for run in splice.taken:
                done.update(run.done)
            if len(self._reports) >= _MOST_ROOTS:
                self._reports.clear()
            found = self._reports[key] = report_of(self.plan.profile, codes, done, _NOTHING_FOUND)
        return found

    def _learn(self, series: Series, splice: Splice) -> None:
        """Learn what the files of a series share."""
        for part, first, last in series.shared(splice.data, splice.marks):
            inserts = [insert for insert in self._inserts if first <= insert.tag <= last]
            run = Splice(part, self.values, inserts, splice.ground, {}).as_run()
            if run is not None:
                series.runs[part[: splice.ground.width]] = run

    def _root(self, sop_class: bytes, tags: tuple[int, ...], shared: Shared) -> Ground:
        """Give the place of a data set of a class with these tags, and with those of its runs."""
        key = sop_class, tags, shared
        ground = self._roots.get(key)
        if ground is None:
            place = self.plan.root(sop_class.decode("latin-1").strip(" \0"), shared.tags.union(tags))
            ground = self._grounds.get(id(place))
            if ground is None:
                ground = self._grounds[id(place)] = Ground(place, (), self.plan, implicit=self.implicit)
                self._series[id(ground)] = Series(NOT_IN_RUNS)
            if len(self._roots) >= _MOST_ROOTS:
                self._roots.clear()
            self._roots[key] = ground
        return ground


@lru_cache(maxsize=8)
def _work(plan: Plan, identity: SubjectIdentity, subject_key: bytes, implicit: bool) -> _Work:  # noqa: FBT001 - lru_cache
    return _Work(plan, identity, subject_key, implicit)


def _finish(file: Opened, work: _Work, cleaned: _Cleaned, target: Path | str, *, to_disk: bool) -> Spliced:
    """Look at the pixel data, search what is left, and write."""
    splice, shared, pieces = cleaned
    quiet, pixels = None, (0, 0)
    needles = needles_in(splice, shared)
    if splice.pixels is not None and file.is_encapsulated:
        quiet = find_frames(file, splice, shared)
        _tell_tail(file, quiet.end + len(END_OF_PIXELS), splice)
    elif splice.pixels is not None:
        pixels = splice.pixels
        if pixels[1] == UNDEFINED or pixels[1] % 2 or sum(pixels) > file.size:
            raise Unusual
        splice.before.native_length = splice.after.native_length = pixels[1]
        _tell_tail(file, sum(pixels), splice)
    alike, before, after = _facts(splice, shared, file.syntax)
    search(splice, shared, needles, work.temporal)
    codes, method = work.codes(structured_content=splice.structured_content)
    meta = file_meta(file.syntax, before.sop_class_uid, after.sop_instance_uid)
    body = (method if piece is _CODES_HERE else piece for piece in pieces)
    written = b"".join((bytes(128), b"DICM", meta, *body))
    if quiet is None:
        report = work.report(codes, splice, shared)
        return Spliced(before, after, report, write_new(target, (written,), file, pixels, to_disk=to_disk), alike)
    size = write_new(target, file_of(written, quiet, needles), file, pixels, to_disk=to_disk)
    if quiet.is_changed:
        splice.done[(PIXEL_DATA,), "C"] = 1
    strange = strange_where(before, is_understood=quiet.is_understood)
    return Spliced(before, after, work.report(codes, splice, shared), size, alike, strange)


def _facts(splice: Splice, shared: Shared, syntax: str) -> tuple[InstanceFacts, InstanceFacts, InstanceFacts]:
    """Make the facts of a file before and after; those of a series differ in two of them, the others are made once.

    The first that are given are those of the original without these two.
    """
    before, after = splice.before, splice.after
    same = _alike(shared, _told(before), _told(after), syntax)
    one, other = _own(before, shared.before), _own(after, shared.after)
    return (
        same[0],
        same[0]._replace(sop_instance_uid=one[0], instance_number=one[1]),
        same[1]._replace(sop_instance_uid=other[0], instance_number=other[1]),
    )


_Told = tuple[tuple[tuple[int, bytes], ...], str, bool, bool, int | None, int | None]


def _told(found: Gathered) -> _Told:
    """Give what a file tells that others of its series may tell too."""
    values = tuple(item for item in found.values.items() if item[0] not in _OF_ONE)
    if (width := found.values.get(WINDOW_WIDTH)) is not None:
        values += ((WINDOW_WIDTH, b"1" if is_one_wide(width) else b"2"),)  # each slice of MR may have its own
    told = found.burned_in, found.has_regions, found.overlay_in_pixels
    return values, *told, found.native_length, found.fragments


def _own(found: Gathered, shared: Mapping[int, bytes]) -> tuple[str, int | None]:
    """Give the UID and the number of an instance."""
    uid = found.values.get(_SOP_INSTANCE) or shared.get(_SOP_INSTANCE, b"")
    number = found.values.get(_INSTANCE_NUMBER) or shared.get(_INSTANCE_NUMBER, b"")
    text = uid.decode("ascii", "replace").strip(" \0")
    if not text or "\\" in text:
        raise Unusual
    return text, whole(number)


def _described(shared: Mapping[int, bytes], told: _Told, syntax: str) -> InstanceFacts:
    values = {**shared, **dict(told[0]), _SOP_INSTANCE: b"1", _INSTANCE_NUMBER: b""}
    found = Gathered(values)
    found.burned_in, found.has_regions, found.overlay_in_pixels, found.native_length, found.fragments = told[1:]
    return described(found, syntax)


@lru_cache(maxsize=32)
def _alike(shared: Shared, before: _Told, after: _Told, syntax: str) -> tuple[InstanceFacts, InstanceFacts]:
    one, other = _described(shared.before, before, syntax), _described(shared.after, after, syntax)
    for name in ("sop_class_uid", "has_pixels", "rows", "columns", "frames"):
        if getattr(one, name) != getattr(other, name):
            raise Unusual
    return one, other


def _tell_tail(file: Opened, end: int, splice: Splice) -> None:
    """Tell what follows native pixel data and is left out: if it is no whole, something may have slid into them."""
    if end == file.size:
        return
    if file.size - end > _LONGEST_TAIL:
        raise Unusual
    tail = memoryview(file.rest(end))
    found = followed_by(Part10(tail, 0, {}, b"", file.syntax, file.is_implicit, little=True), 0)
    if found is None:
        raise Unusual
    for tag in found:
        splice.done[(tag,), "X"] = 1
