"""Cleaning by the parser: any file that pydicom reads, whatever its form."""

from __future__ import annotations

import copy
import struct
from dataclasses import replace
from typing import BinaryIO, Final

from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from trialimg.dicom.apply import Cleaning
from trialimg.dicom.check import check_data_set, check_file
from trialimg.dicom.compressed import pixel_bytes, quieten
from trialimg.dicom.dataset import parse, pixels_apart, write_file
from trialimg.dicom.header import InstanceFacts
from trialimg.dicom.markers import write_markers
from trialimg.dicom.needles import find_in_bytes
from trialimg.dicom.part10 import PIXEL_DATA, Part10
from trialimg.dicom.plan import Plan
from trialimg.dicom.residue import find_residue, identifying_values
from trialimg.dicom.told_age import cap_told_ages
from trialimg.dicom.values import Counts, report_of
from trialimg.dicom.walk import followed_by
from trialimg.domain.deid_report import Report, Residue
from trialimg.domain.deidentification import SubjectIdentity
from trialimg.errors import NotClean

PARSER_GIVES_UP: Final = (
    *(ValueError, TypeError, LookupError, AttributeError, NotImplementedError, EOFError, RecursionError),
    *(struct.error, BytesLengthException, InvalidDicomError),
)


def cleaned_copy(
    dataset: FileDataset, plan: Plan, identity: SubjectIdentity, subject_key: bytes
) -> tuple[FileDataset, Report]:
    """Give a cleaned copy of a data set, and the account of what was done; the original stays as it is."""
    cleaned = copy.deepcopy(dataset)
    cleaned.preamble = None
    for tag in list(cleaned.file_meta.keys()) if hasattr(cleaned, "file_meta") else ():
        if tag != 0x00020010:  # noqa: PLR2004 - how the data set is encoded
            del cleaned.file_meta[tag]
    return cleaned, _clean(cleaned, plan, identity, subject_key)


def clean_by_parser(
    part: Part10, facts: InstanceFacts, end: int, target: BinaryIO, given: tuple[Plan, SubjectIdentity, bytes]
) -> tuple[Report, list[str]]:
    """Parse, clean, search what is left, and write; give the account, and the places of what was found.

    Raises one of ``PARSER_GIVES_UP``.
    """
    dataset = parse(part, end)
    values = identifying_values(dataset, given[0].retained)
    beside = quieten(dataset, part)
    beside.update({((tag,), "X"): 1 for tag in followed_by(part, end) or ()})
    report = _clean(dataset, *given, beside)
    found = find_residue(dataset, values)
    if part.is_encapsulated and PIXEL_DATA in dataset and find_in_bytes(memoryview(pixel_bytes(dataset)), values):
        found.append("(7FE0,0010)")
    new_uid = str(dataset["SOPInstanceUID"].value)
    uids = facts.sop_class_uid, new_uid
    write_file(target, dataset, part.transfer_syntax, uids, pixels_apart(part, end))
    return replace(report, residue=Residue.of_one(found)), found


def check_by_parser(part: Part10, end: int, plan: Plan, identity: SubjectIdentity) -> tuple[str, ...]:
    """Check a data set; give the codes of the methods that it names. Raises NotClean or ``PARSER_GIVES_UP``."""
    check_file(part, end)
    dataset = parse(part, end)
    codes = check_data_set(dataset, plan, identity)
    if cap_told_ages(dataset):
        raise NotClean("An age above 89 years is told in (0040,A30A). Clean the original again.")
    if quieten(dataset, part):
        raise NotClean("The pixel data (7FE0,0010) hold comments beside the picture. Clean the original again.")
    return codes


def _clean(
    dataset: Dataset, plan: Plan, identity: SubjectIdentity, subject_key: bytes, beside: Counts | None = None
) -> Report:
    """Clean a data set and write who it is of; ``beside`` counts what was taken out around it."""
    cleaning = Cleaning(plan, identity.subject_number, subject_key)
    cleaning.done.update(beside or {})
    cleaning.clean(dataset)
    for path in cap_told_ages(dataset):
        cleaning.done[path, "C"] += 1
    write_markers(dataset, plan.profile, identity, cleaning.codes())
    return report_of(plan.profile, cleaning.codes(), cleaning.done)
