"""The engine's three doors: clean a data set, clean a file, and check that a file is clean."""

from __future__ import annotations

import copy
import hashlib
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from trialimg.dicom.apply import Cleaning
from trialimg.dicom.canonical import hash_part
from trialimg.dicom.check import check_data_set, check_file
from trialimg.dicom.encode import parse, write_file
from trialimg.dicom.frames import cleaned_fragments, has_comments
from trialimg.dicom.header import NUMBER_OF_FRAMES, InstanceFacts, facts_and_end, whole
from trialimg.dicom.markers import write_markers
from trialimg.dicom.part10 import PIXEL_DATA, Part10, buffer_of, open_part10
from trialimg.dicom.plan import OFFSETS, Plan
from trialimg.dicom.residue import find_in_bytes, find_residue, identifying_values
from trialimg.dicom.screen import pixel_risk
from trialimg.dicom.table import confidentiality_table
from trialimg.dicom.told_age import cap_told_ages
from trialimg.domain.deid_report import Report, Residue, rules_of
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.domain.pseudonym import fingerprint
from trialimg.errors import NotClean, OurFault, UnreadableObject

_PLANS: Final[dict[Profile, Plan]] = {}
_PARSER_GIVES_UP: Final = (
    *(ValueError, TypeError, LookupError, AttributeError, NotImplementedError, EOFError, RecursionError),
    *(struct.error, BytesLengthException, InvalidDicomError),
)
_CHUNK: Final = 1 << 20
_OFFSET: Final = 8


@dataclass(frozen=True)
class CleanResult:
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

    @property
    def hold_code(self) -> str:
        """Say by a stable word what it waits for, "" where it does not wait."""
        if self.hold_reason is None:
            return ""
        return "image.residue" if self.report.residue.held else "image.may_show_text"


def plan_of(profile: Profile) -> Plan:
    """Give the decisions of a profile; they are made once and serve every file."""
    plan = _PLANS.get(profile)
    if plan is None:
        plan = _PLANS[profile] = Plan(profile)
    return plan


def deidentify(
    dataset: FileDataset, profile: Profile, identity: SubjectIdentity, subject_key: bytes
) -> tuple[FileDataset, Report]:
    """Give a cleaned copy of a data set, and the account of what was done; the original stays as it is.

    File meta information and preamble are written by ``clean_file``; the copy has none.
    """
    cleaned = copy.deepcopy(dataset)
    cleaned.preamble = None
    for tag in list(cleaned.file_meta.keys()) if hasattr(cleaned, "file_meta") else ():
        if tag != 0x00020010:  # noqa: PLR2004 - how the data set is encoded
            del cleaned.file_meta[tag]
    report = _clean(cleaned, profile, identity, subject_key)
    return cleaned, report


def _clean(dataset: Dataset, profile: Profile, identity: SubjectIdentity, subject_key: bytes) -> Report:
    cleaning = Cleaning(plan_of(profile), identity.subject_number, subject_key)
    cleaning.clean(dataset)
    for tag in cap_told_ages(dataset):
        cleaning.done[tag, "C"] += 1
    write_markers(dataset, profile, identity, cleaning.codes())
    return cleaning.report()


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
    part = open_part10(buffer_of(source))
    facts, end = facts_and_end(part)
    try:
        dataset, report, residue = _cleaned(part, end, profile, identity, subject_key)
        report = replace(report, residue=Residue.of_one(residue))
        with target.open("wb") as stream:
            new_uid = str(dataset["SOPInstanceUID"].value)
            write_file(stream, dataset, part.transfer_syntax, facts.sop_class_uid, new_uid)
        mark = fingerprint(fingerprint_key, facts.study_instance_uid) if fingerprint_key is not None else None
        result = _result(buffer_of(target), report, _reasons(pixel_risk(facts), residue), mark)
        _compare(facts, result.facts)
        return result
    except _PARSER_GIVES_UP:
        target.unlink(missing_ok=True)
        # Not chained: what the parser says quotes values.
        raise UnreadableObject("The file is damaged inside an attribute. Ask the site to export it again.") from None
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _cleaned(
    part: Part10, end: int, profile: Profile, identity: SubjectIdentity, subject_key: bytes
) -> tuple[Dataset, Report, list[str]]:
    """Parse, clean, and search what is left; give the data set, the account and the tags of finds."""
    dataset = parse(part, end)
    values = identifying_values(dataset)
    report = _clean(dataset, profile, identity, subject_key)
    _quieten(dataset, part)
    residue = find_residue(dataset, values)
    if part.is_encapsulated and PIXEL_DATA in dataset and find_in_bytes(_pixels(dataset), values):
        residue.append("(7FE0,0010)")
    return dataset, report, residue


def _quieten(dataset: Dataset, part: Part10) -> bool:
    """Blank what stands around the picture in compressed frames, drop offsets that are none; tell if any was."""
    if not part.is_encapsulated or PIXEL_DATA not in dataset:
        return False
    changed, element, frames = False, dataset.get_item(PIXEL_DATA), _frames(dataset)
    if any(tag in dataset and len(_bytes(dataset, tag)) != _OFFSET * frames for tag in OFFSETS):
        changed = True
        for tag in OFFSETS & set(dataset.keys()):
            del dataset[tag]
    if has_comments(part.transfer_syntax) and isinstance(element, RawDataElement) and element.value:
        quiet = cleaned_fragments(element.value, frames)
        if quiet is not element.value:
            changed = True
            dataset[PIXEL_DATA] = element._replace(value=quiet)
    return changed


def _frames(dataset: Dataset) -> int:
    number = whole(_bytes(dataset, NUMBER_OF_FRAMES)) if NUMBER_OF_FRAMES in dataset else None
    return max(number or 1, 1)


def _bytes(dataset: Dataset, tag: int) -> bytes:
    value = dataset.get_item(tag).value
    return value if isinstance(value, bytes) else str(value).encode("ascii", "replace")


def _compare(before: InstanceFacts, after: InstanceFacts) -> None:
    """Prove by what was read back that cleaning kept the image an image."""
    for name in ("sop_class_uid", "has_pixels", "rows", "columns", "frames", "transfer_syntax"):
        if getattr(before, name) != getattr(after, name):
            raise OurFault(f"Cleaning changed the {name} of an image. It was not kept; tell the operator.")


def _pixels(dataset: Dataset) -> memoryview:
    value = dataset.get_item(PIXEL_DATA).value
    return memoryview(value if isinstance(value, bytes) else b"")


def _reasons(risk: str | None, residue: list[str]) -> str | None:
    told = [risk] if risk else []
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
    check_file(part, end)
    try:
        dataset = parse(part, end)
        codes = check_data_set(dataset, plan_of(profile), identity)
        if cap_told_ages(dataset):
            raise NotClean("An age above 89 years is told in (0040,A30A). Clean the original again.")
        if _quieten(dataset, part):
            raise NotClean("The pixel data (7FE0,0010) hold comments beside the picture. Clean the original again.")
    except _PARSER_GIVES_UP:
        raise NotClean("The file is damaged inside an attribute, so it cannot be checked. Send it again.") from None
    report = Report(profile.name, profile.version, 1, tuple(sorted(codes)), rules=rules_of(profile))
    report = replace(report, table=confidentiality_table().edition)
    return _result(data, report, pixel_risk(facts), None)


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
