"""The engine's three doors: clean a data set, clean a file, and check that a file is clean."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from trialimg.dicom.encapsulated.strange import is_built_strangely, strange_frames
from trialimg.dicom.files.canonical import hash_part
from trialimg.dicom.files.header import InstanceFacts, facts_and_end, facts_of
from trialimg.dicom.files.screen import CLAIMS_A_LOOK, FACE, is_recognisable, pixel_risk
from trialimg.dicom.rules.plan import Plan
from trialimg.dicom.splicing.ground import Unusual
from trialimg.dicom.splicing.splice_file import splice_file
from trialimg.dicom.standard.part10 import Part10, buffer_of, open_part10
from trialimg.dicom.standard.syntaxes import ENCAPSULATED
from trialimg.dicom.standard.table import edition
from trialimg.domain.deid_report import UNSEEN, PixelCount, Report, rules_of
from trialimg.domain.deidentification import CLEAN_PIXELS, Profile, SubjectIdentity
from trialimg.domain.pseudonym import fingerprint
from trialimg.errors import NotClean, OurFault, UnreadableObject

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_PLANS: Final[dict[Profile, Plan]] = {}
_TOLD: Final[dict[tuple[int, bool, bool], tuple[Report, Report]]] = {}
_MOST_TOLD: Final = 64
_CHUNK: Final = 1 << 20


class CleanResult(NamedTuple):
    """One clean file: what it is now, what was done, and why it may have to wait for a person.

    ``facts`` are those of the clean file. ``sha256`` and ``size`` (bytes) are of the file,
    ``canonical_hash`` of its content. ``original_study_fingerprint`` is None where the original was
    not seen or no key was given.
    """

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    modality: str
    sha256: str
    size: int
    canonical_hash: str
    report: Report
    hold_reason: str | None
    facts: InstanceFacts
    original_study_fingerprint: str | None = None
    is_built_strangely: bool = False

    @property
    def hold_code(self) -> str:
        """Say by a stable word what it waits for, "" where it does not wait."""
        return hold_code(self.hold_reason, self.report, is_built_strangely=self.is_built_strangely)


class Made(NamedTuple):
    """What was made of one file: the account, why it may wait, and its facts before (with the identity) and after."""

    original: InstanceFacts
    facts: InstanceFacts
    report: Report
    hold_reason: str | None
    is_built_strangely: bool = False

    def __repr__(self) -> str:
        return f"Made({self.facts.sop_instance_uid!r}, {self.hold_code!r})"

    @property
    def hold_code(self) -> str:
        """Say by a stable word what it waits for, "" where it does not wait."""
        return hold_code(self.hold_reason, self.report, is_built_strangely=self.is_built_strangely)


def hold_code(reason: str | None, report: Report, *, is_built_strangely: bool) -> str:
    """Say by a stable word what an instance waits for, "" where it does not wait."""
    if reason is None:
        return ""
    if report.residue.held:
        return "image.residue"
    if reason == FACE:
        return "image.recognisable"
    return "image.built_strangely" if is_built_strangely else "image.may_show_text"


def plan_of(profile: Profile) -> Plan:
    """Give the decisions of a profile, made once for all files; BadDefinition names an own rule that cannot be done."""
    plan = _PLANS.get(profile)
    if plan is None:
        if profile.rules:
            from trialimg.dicom.rules.own_rules import refuse_impossible  # not loaded where a profile has none

            refuse_impossible(profile)
        plan = _PLANS[profile] = Plan(profile)
    return plan


def deidentify(
    dataset: FileDataset, profile: Profile, identity: SubjectIdentity, subject_key: bytes
) -> tuple[FileDataset, Report]:
    """Give a cleaned copy of a data set, and the account of what was done; the original stays as it is.

    File meta information and preamble are written by ``clean_file``; the copy has none.
    """
    from trialimg.dicom.parsing.by_parser import cleaned_copy  # the parser is not loaded before it is needed

    return cleaned_copy(dataset, plan_of(profile), identity, subject_key)


def clean_file(
    source: Path | BinaryIO,
    target: Path,
    *,
    profile: Profile,
    identity: SubjectIdentity,
    subject_key: bytes,
    fingerprint_key: bytes | None = None,
) -> CleanResult:
    """Clean one file into a new one; pixel data are copied byte for byte and nothing behind them is.

    Raises NotDicom or UnreadableObject for what is no whole image; then there is no target. What a
    rule cannot judge has a ``hold_reason``. The target is not forced to disk: who keeps it does that.
    """
    made = clean_into(source, target, profile=profile, identity=identity, subject_key=subject_key)
    mark = None
    if fingerprint_key is not None:
        mark = fingerprint(fingerprint_key, made.original.study_instance_uid)
    try:
        result = _result(buffer_of(target), made.report, made.hold_reason, mark)
        return result._replace(is_built_strangely=made.is_built_strangely)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def clean_into(
    source: Path | str | BinaryIO,
    target: Path | str,
    *,
    profile: Profile,
    identity: SubjectIdentity,
    subject_key: bytes,
    to_disk: bool = False,
) -> Made:
    """Clean one file as ``clean_file`` does, and count no digests of the new one; ``to_disk`` forces it to the disk."""
    try:
        return clean_ordinary(
            source, target, profile=profile, identity=identity, subject_key=subject_key, to_disk=to_disk
        )
    except Unusual:
        source, target = Path(source) if isinstance(source, str) else source, Path(target)
        facts, report, found = clean_unusual(source, target, (plan_of(profile), identity, subject_key))
    try:
        if to_disk:
            with target.open("r+b") as stream:
                os.fsync(stream.fileno())
        part = open_part10(buffer_of(target))
        return _made((facts, facts_of(part)), report, strange_frames(part, facts), found, profile)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def clean_ordinary(
    source: Path | str | BinaryIO,
    target: Path | str,
    *,
    profile: Profile,
    identity: SubjectIdentity,
    subject_key: bytes,
    to_disk: bool = False,
) -> Made:
    """Clean one file if it is an ordinary one, without the parser; Unusual, and no target, where it is not.

    What a file may cost here is bounded by the size of what is read of it, whatever stands in it.
    """
    spliced = splice_file(source, target, (plan_of(profile), identity, subject_key), to_disk=to_disk)
    before, report = spliced.before, spliced.report
    try:
        if before.transfer_syntax in ENCAPSULATED:
            return _made((before, spliced.after), report, spliced.strange, [], profile)
        has_face, reason, is_strange = _judged(spliced.alike, profile)
        report = _with_pixels(report, has_face=has_face, is_unseen=before.has_pixels and reason is None)
        return Made(before, spliced.after, report, reason, is_strange)
    except BaseException:
        Path(target).unlink(missing_ok=True)
        raise


@lru_cache(maxsize=64)
def _judged(facts: InstanceFacts, profile: Profile) -> tuple[bool, str | None, bool]:
    """Judge what the uncompressed instances of a series have in common, once: is there a face, why may they wait."""
    return is_recognisable(facts), _reasons(_risk(facts, profile), None, ()), is_built_strangely(facts, None)


def _made(
    facts: tuple[InstanceFacts, InstanceFacts], report: Report, strange: str | None, found: list[str], profile: Profile
) -> Made:
    before, after = facts
    _compare(before, after)
    reason = _reasons(_risk(before, profile), strange, found)
    report = _with_pixels(report, has_face=is_recognisable(before), is_unseen=before.has_pixels and reason is None)
    return Made(before, after, report, reason, is_built_strangely(before, strange))


def _risk(facts: InstanceFacts, profile: Profile) -> str | None:
    return pixel_risk(facts, hold_faces=profile.hold_recognisable, hold_localizers=profile.hold_localizers)


def _with_pixels(report: Report, *, has_face: bool, is_unseen: bool) -> Report:
    """Tell of the pixels of one instance; of reports alike it is the very same object, as ``report_of`` gives it.

    The very same report is known at once: to count the hash of a long one takes time.
    """
    key = id(report), has_face, is_unseen
    known = _TOLD.get(key)
    if known is None or known[0] is not report:
        if len(_TOLD) >= _MOST_TOLD:
            _TOLD.clear()
        known = _TOLD[key] = report, _told(report, has_face=has_face, is_unseen=is_unseen)
    return known[1]


@lru_cache(maxsize=64)
def _told(report: Report, *, has_face: bool, is_unseen: bool) -> Report:
    pixels = (PixelCount(UNSEEN, "", 1),) if is_unseen else ()
    return report._replace(recognisable=int(has_face), pixels=pixels)


def clean_unusual(
    source: Path | BinaryIO, target: Path, given: tuple[Plan, SubjectIdentity, bytes]
) -> tuple[InstanceFacts, Report, list[str]]:
    """Clean a file by the parser; give the facts of the original, the account, and where something is left."""
    part = open_part10(buffer_of(source))
    facts, end = facts_and_end(part)
    from trialimg.dicom.parsing.by_parser import PARSER_GIVES_UP, clean_by_parser  # not loaded before a file needs it

    try:
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            report, found = clean_by_parser(part, facts, end, stream, given)
        return facts, report, found
    except PARSER_GIVES_UP:
        target.unlink(missing_ok=True)
        # Not chained: what the parser says quotes values.
        raise UnreadableObject("The file is damaged inside an attribute. Ask the site to export it again.") from None
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _compare(before: InstanceFacts, after: InstanceFacts) -> None:
    """Prove by what was read back that cleaning kept the image an image."""
    for name in ("sop_class_uid", "has_pixels", "rows", "columns", "frames", "transfer_syntax"):
        if getattr(before, name) != getattr(after, name):
            raise OurFault(f"Cleaning changed the {name} of an image. It was not kept; tell the operator.")


def _reasons(risk: str | None, strange: str | None, residue: Sequence[str]) -> str | None:
    told = [sentence for sentence in (risk, strange) if sentence]
    if residue:
        told.append(
            f"After cleaning, something that names the patient is still in {', '.join(residue)}. Look at the original "
            "there: discard the instance, or have the attribute emptied and send it again."
        )
    return " ".join(told) or None


def verify_clean(source: Path | BinaryIO, *, profile: Profile, identity: SubjectIdentity) -> CleanResult:
    """Check that a file is clean under this profile for this subject, changing nothing.

    Every element must be one the profile lets stand, every UID registered or of our form, every marker
    right. Raises NotClean with the tag, NotDicom or UnreadableObject.
    """
    data = buffer_of(source)
    part = open_part10(data)
    facts, end = facts_and_end(part)
    from trialimg.dicom.parsing.by_parser import PARSER_GIVES_UP, check_by_parser  # not loaded before a file needs it

    try:
        codes = check_by_parser(part, end, plan_of(profile), identity)
    except PARSER_GIVES_UP:
        raise NotClean("The file is damaged inside an attribute, so it cannot be checked. Send it again.") from None
    report = Report(profile.name, profile.version, 1, tuple(sorted(codes)), rules=rules_of(profile), table=edition())
    strange = strange_frames(part, facts)
    risk = _risk(facts, profile) or (CLAIMS_A_LOOK if CLEAN_PIXELS in codes and facts.has_pixels else None)
    reason = _reasons(risk, strange, ())
    report = _with_pixels(report, has_face=is_recognisable(facts), is_unseen=facts.has_pixels and reason is None)
    return _result(data, report, reason, None)._replace(is_built_strangely=is_built_strangely(facts, strange))


def _result(data: memoryview, report: Report, hold_reason: str | None, mark: str | None) -> CleanResult:
    """Describe a clean file by what is read back from it, not by what was meant to be written."""
    part: Part10 = open_part10(data)
    facts, _end = facts_and_end(part)
    digest = hashlib.sha256()
    for position in range(0, len(data), _CHUNK):
        digest.update(data[position : position + _CHUNK])
    return CleanResult(
        sop_class_uid=facts.sop_class_uid,
        sop_instance_uid=facts.sop_instance_uid,
        series_instance_uid=facts.series_instance_uid,
        study_instance_uid=facts.study_instance_uid,
        modality=facts.modality,
        sha256=digest.hexdigest(),
        size=len(data),
        canonical_hash=hash_part(part),
        report=report,
        hold_reason=hold_reason,
        facts=facts,
        original_study_fingerprint=mark,
    )
