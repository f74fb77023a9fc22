"""Cleaning by the parser: any file that pydicom reads, whatever its form."""

from __future__ import annotations

import copy
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from trialimg.dicom.encapsulated.compressed import drop_false_offsets, quiet_pixels
from trialimg.dicom.encapsulated.frames import Piece, Quiet, in_chunks
from trialimg.dicom.files.header import InstanceFacts
from trialimg.dicom.parsing.apply import Cleaning
from trialimg.dicom.parsing.check import check_data_set, check_file
from trialimg.dicom.parsing.dataset import parse, pixels_apart, write_file
from trialimg.dicom.parsing.markers import write_markers
from trialimg.dicom.parsing.residue import find_residue, identifying_values
from trialimg.dicom.parsing.told_age import cap_told_ages
from trialimg.dicom.rules.needles import InBytes
from trialimg.dicom.rules.plan import Plan
from trialimg.dicom.rules.values import Counts, report_of
from trialimg.dicom.standard.part10 import PIXEL_DATA, Part10
from trialimg.dicom.standard.walk import followed_by
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
    return cleaned, report_of(plan.profile, *_clean(cleaned, plan, identity, subject_key))


def clean_by_parser(
    part: Part10, facts: InstanceFacts, end: int, target: BinaryIO, given: tuple[Plan, SubjectIdentity, bytes]
) -> tuple[Report, list[str]]:
    """Parse, clean, search what is left, and write; give the account, and the places of what was found.

    Raises one of ``PARSER_GIVES_UP``.
    """
    apart = pixels_apart(part, end)
    dataset = parse(part, end, apart)
    values = identifying_values(dataset, given[0].root(facts.sop_class_uid, ()).retained)
    quiet = _quiet(dataset, part, apart)
    beside = drop_false_offsets(dataset, apart if quiet else None)
    beside.update({((tag,), "X"): 1 for tag in followed_by(part, end) or ()})
    codes, done = _clean(dataset, *given)
    done.update(beside)
    found = find_residue(dataset, values)
    uids = facts.sop_class_uid, str(dataset["SOPInstanceUID"].value)
    pixels = _searched(in_chunks(quiet.pieces()), values, found) if quiet else apart
    write_file(target, dataset, part.transfer_syntax, uids, pixels)
    if quiet and quiet.is_changed:
        done[(PIXEL_DATA,), "C"] = 1
    return report_of(given[0].profile, codes, done, Residue.of_one(found)), found


def _quiet(dataset: Dataset, part: Part10, apart: memoryview) -> Quiet | None:
    if PIXEL_DATA not in dataset or not part.is_encapsulated:
        return None
    return quiet_pixels(dataset, part.transfer_syntax, apart)


def _searched(parts: Iterator[Piece], values: frozenset[str], found: list[str]) -> Iterator[Piece]:
    """Give the same parts, and note where they hold one of the values."""
    seeker, is_found = InBytes(values), False
    for part in parts:
        if not is_found and seeker.finds(part):
            is_found = True
            found.append("(7FE0,0010)")
        yield part


def check_by_parser(part: Part10, end: int, plan: Plan, identity: SubjectIdentity) -> tuple[str, ...]:
    """Check a data set; give the codes of the methods that it names. Raises NotClean or ``PARSER_GIVES_UP``."""
    check_file(part, end)
    apart = pixels_apart(part, end)
    dataset = parse(part, end, apart)
    codes = check_data_set(dataset, plan, identity)
    if cap_told_ages(dataset):
        raise NotClean("An age above 89 years is told in (0040,A30A). Clean the original again.")
    quiet = _quiet(dataset, part, apart)
    if drop_false_offsets(dataset, apart if quiet else None) or (quiet and quiet.look()):
        raise NotClean("The pixel data (7FE0,0010) hold comments beside the picture. Clean the original again.")
    return codes


def _clean(
    dataset: Dataset, plan: Plan, identity: SubjectIdentity, subject_key: bytes
) -> tuple[tuple[str, ...], Counts]:
    """Clean a data set and write who it is of; give the codes of the methods, and what was done."""
    cleaning = Cleaning(plan, identity.subject_number, subject_key)
    cleaning.clean(dataset)
    for path in cap_told_ages(dataset):
        cleaning.done[path, "C"] += 1
    codes = cleaning.codes()
    write_markers(dataset, plan.profile, identity, codes)
    return codes, cleaning.done
