"""Scores the engine against an answer key, in the manner of the MIDI-B benchmark (arXiv 2507.23608, 2508.01889).

Usage: python -m tools.deid_score [--corpora ../shared/corpora/dicom] [--least 20000] [--json FILE]

Every real file is given a made-up identity in the places that the original already has, and in a few more; the key
says by the rules of PS3.15, not by asking the engine, what must become of every element: the check is made on the
clean file, of held ones too. Prints the share that is right, by action. Files that are refused, and those that pydicom
cannot write with an identity in them, are counted and not checked.

What is expected under the Basic Profile alone: descriptors (Study Description and the like) are emptied, since no
option that cleans them is applied; the words in them that name nobody are counted under "text retained" all the same.
Pixels are masked by no rule yet: "pixels hidden" is not applicable, and printed so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID

from tests.dicom.pictures import same_picture
from trialimg.dicom.deidentify import clean_file
from trialimg.dicom.quiet import silence_the_parser
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.domain.pseudonym import date_shift, shift_date, site_key, subject_key
from trialimg.errors import BadInput

ACTIONS: Final = (
    *("tag retained", "text removed", "text retained", "date shifted", "uid changed", "uid consistent"),
    *("patient id consistent", "pixels retained", "pixels hidden"),
)
PROFILE: Final = Profile("score", "1", "shifted", keep_sex=True, keep_age=True, keep_size=True, keep_weight=True)
KEY: Final = subject_key(site_key(b"score" * 8, "101"), "101-001")
_IDENTITY: Final = SubjectIdentity("Sponsor", "PROT", "Protocol", "101", "Site", "101-001", "W8", "Week 8")

_IDENTIFIERS: Final = (
    *("PatientName", "PatientID", "OtherPatientIDs", "PatientAddress", "PatientTelephoneNumbers", "PatientComments"),
    *("AccessionNumber", "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "InstitutionName"),
    *("InstitutionAddress", "StationName", "RequestingPhysician", "PatientMotherBirthName", "ImageComments"),
    *("AdditionalPatientHistory", "DeviceSerialNumber", "PhysiciansOfRecord", "InstitutionalDepartmentName"),
)
"""Attributes that are given an identity; the engine must leave none of it."""
_DESCRIPTORS: Final = ("StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription")
"""Attributes in which known words stand beside an identity: the words should stay, the identity go."""
_KNOWN_WORDS: Final = ("CHEST", "CONTRAST")
_DATES: Final = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
_CLASSES: Final = frozenset(
    {"SOPClassUID", "ReferencedSOPClassUID", "CodingSchemeUID", "ContextUID", "MappingResourceUID"}
)
_RETAINED: Final = (
    *("Modality", "Manufacturer", "ManufacturerModelName", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation", "PixelSpacing", "SliceThickness", "KVP"),
    *("ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept", "InstanceNumber"),
    *("SeriesNumber", "ImageType", "BodyPartExamined", "PatientPosition", "WindowCenter", "WindowWidth"),
    *("RepetitionTime", "EchoTime", "FlipAngle", "MagneticFieldStrength", "SpacingBetweenSlices", "ConvolutionKernel"),
    *("SoftwareVersions", "SequenceName", "ScanningSequence", "SequenceVariant", "MRAcquisitionType", "SliceLocation"),
    *("PatientSex", "PatientSize", "PatientWeight", "NumberOfFrames", "SOPClassUID", "ExposureTime", "XRayTubeCurrent"),
    *("EchoTrainLength", "PixelBandwidth", "ImagedNucleus", "ReceiveCoilName", "AcquisitionMatrix", "TriggerTime"),
    *("PercentSampling", "PercentPhaseFieldOfView", "NumberOfAverages", "ImagingFrequency", "EchoNumbers", "SAR"),
    *("GantryDetectorTilt", "TableHeight", "RotationDirection", "FilterType", "ReconstructionDiameter", "ScanOptions"),
    *("Laterality", "PatientOrientation", "ViewPosition", "RescaleType", "PositionReferenceIndicator", "TableSpeed"),
)
"""Attributes that PS3.15 lets stand and research needs."""


@dataclass
class Score:
    """Right and wrong checks by action, and for each wrong one how often which attribute was it."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    where: Counter[tuple[str, str]] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    uids: dict[str, str] = field(default_factory=dict)

    def check(self, action: str, what: str, *, right: bool) -> None:
        """Count one check."""
        (self.right if right else self.wrong)[action] += 1
        if not right:
            self.where[action, what] += 1

    @property
    def checks(self) -> int:
        """Count all checks."""
        return self.right.total() + self.wrong.total()

    def share(self, action: str) -> float | None:
        """Give the share of right checks, from 0 to 1; None where there was none."""
        all_of_it = self.right[action] + self.wrong[action]
        return self.right[action] / all_of_it if all_of_it else None


def plant(original: Dataset, number: int) -> list[str]:
    """Give a file a made-up identity of its own; the words that must not be found again."""
    words = []
    for place, keyword in enumerate(_IDENTIFIERS):
        word = f"Zq{number:04d}x{place:02d}"
        if keyword in original or keyword in {"PatientName", "PatientID", "AccessionNumber", "InstitutionName"}:
            setattr(original, keyword, word)
            words.append(word)
    for place, keyword in enumerate(_DESCRIPTORS):
        if keyword in original or keyword == "SeriesDescription":
            word = f"Zq{number:04d}y{place:02d}"
            setattr(original, keyword, f"CHEST {word} CONTRAST")
            words.append(word)
    block = original.private_block(0x0099, "SCORE", create=True)
    block.add_new(0x01, "LO", f"Zq{number:04d}p01")
    words.append(f"Zq{number:04d}p01")
    original.PatientBirthDate = "19510203"
    if "StudyDate" in original:
        original.StudyDate = f"2024{number % 12 + 1:02d}{number % 28 + 1:02d}"
    return words


def score_file(score: Score, path: Path, number: int, folder: Path) -> None:
    """Plant, clean and check one file; what is no image is left out."""
    try:
        original = pydicom.dcmread(path)
        words = plant(original, number)
        stream = BytesIO()
        original.save_as(stream, enforce_file_format=True)
    except Exception:  # noqa: BLE001 - a file that the parser cannot write again cannot be given an identity
        score.files["left out"] += 1
        return
    target = folder / "out.dcm"
    try:
        result = clean_file(stream, target, profile=PROFILE, identity=_IDENTITY, subject_key=KEY)
    except BadInput:
        score.files["refused"] += 1
        return
    score.files["held" if result.hold_reason else "cleaned"] += 1
    _check(score, pydicom.dcmread(BytesIO(stream.getvalue())), target.read_bytes(), words)


def _check(score: Score, before: Dataset, content: bytes, words: list[str]) -> None:
    after = pydicom.dcmread(BytesIO(content))
    for word in words:
        score.check("text removed", word[6:], right=word.encode() not in content)
    for keyword in _DESCRIPTORS:
        if keyword in before:
            for word in _KNOWN_WORDS:
                score.check("text retained", keyword, right=word in str(after.get(keyword, "")))
    for keyword in _RETAINED:
        if keyword in before:
            same = keyword in after and (keyword == "NumberOfFrames" or before[keyword].value == after[keyword].value)
            score.check("tag retained", keyword, right=same)
    for keyword in _DATES:
        value = str(before.get(keyword) or "")
        if len(value) == 8 and value.isdecimal():
            moved = shift_date(value, date_shift(KEY))
            score.check("date shifted", keyword, right=str(after.get(keyword, "")) == moved)
    score.check("date shifted", "PatientBirthDate", right=not after.PatientBirthDate and b"19510203" not in content)
    score.check("patient id consistent", "PatientID", right=after.PatientID == after.PatientName == "101-001")
    if "PixelData" in before:
        score.check("pixels retained", "PixelData", right=same_picture(before.PixelData, after.get("PixelData")))
    _check_uids(score, before, after, content)


def _check_uids(score: Score, before: Dataset, after: Dataset, content: bytes) -> None:
    for keyword, place in (("SOPInstanceUID", after), ("StudyInstanceUID", after), ("SeriesInstanceUID", after)):
        old, new = str(before[keyword].value), str(place[keyword].value)
        score.check("uid consistent", keyword, right=score.uids.setdefault(old, new) == new)
    for old in sorted(set(_things(before))):
        score.check("uid changed", "UID", right=not _stands(old, content))
    for (_, old), (_, new) in zip(_references(before), _references(after), strict=False):
        score.check("uid consistent", "reference", right=score.uids.setdefault(old, new) == new)


def _stands(uid: str, content: bytes) -> bool:
    at = content.find(uid.encode())
    return at >= 0 and content[at + len(uid) : at + len(uid) + 1] not in b".0123456789"


def _things(dataset: Dataset) -> Iterator[str]:
    """Give every UID that names a thing of this patient."""
    for element in dataset.iterall():
        if element.VR == "UI" and element.keyword not in _CLASSES and element.tag.group != 0x0012:
            for uid in [element.value] if isinstance(element.value, str) else element.value or ():
                if len(uid) > 9 and UID(uid).name == uid and not element.tag.is_private:
                    yield str(uid)


def _references(dataset: Dataset) -> list[tuple[str, str]]:
    """Give what the image refers to, in the order of the file."""
    items = dataset.get("ReferencedImageSequence") or []
    return [("image", str(item.ReferencedSOPInstanceUID)) for item in items if "ReferencedSOPInstanceUID" in item]


def score_files(files: list[Path]) -> Score:
    """Score files one after the other."""
    silence_the_parser()
    score = Score()
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(files):
            score_file(score, path, number, Path(folder))
    return score


def printed(score: Score) -> Iterator[str]:
    """Say the share of right checks by action, and which attributes were wrong most often."""
    yield f"{score.files.total()} files: {dict(score.files)}; {score.checks} checks"
    for action in ACTIONS:
        share = score.share(action)
        told = (
            "n/a (no rule masks pixels yet)"
            if share is None
            else f"{share:9.4%}  of {score.right[action] + score.wrong[action]}"
        )
        yield f"  {action:22} {told}"
    yield f"  {'all':22} {score.right.total() / max(score.checks, 1):9.4%}  of {score.checks}"
    for (action, what), count in score.where.most_common(12):
        yield f"    wrong: {action}, {what}: {count}"


def files_of(corpora: Path) -> list[Path]:
    """Give pydicom's own files and those of the corpora, where they are."""
    own = Path(pydicom.__file__).parent / "data" / "test_files"
    folders = [own, *([corpora] if corpora.is_dir() else [])]
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]


def main(arguments: list[str]) -> int:
    """Score, print, and end with 1 where a removal, a consistency or a pixel check is wrong, or checks are too few."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("TRIALIMG_CORPORA", Path(__file__).parents[2] / "shared" / "corpora")
    reader.add_argument("--corpora", type=Path, default=Path(default) / "dicom")
    reader.add_argument("--least", type=int, default=20000)
    reader.add_argument("--json", type=Path)
    order = reader.parse_args(arguments)
    score = score_files(files_of(order.corpora))
    print("\n".join(printed(score)))
    if order.json:
        shares: dict[str, Any] = {action: score.share(action) for action in ACTIONS}
        order.json.write_text(json.dumps({"checks": score.checks, "files": dict(score.files), "right": shares}))
    must = ("text removed", "uid changed", "uid consistent", "patient id consistent", "date shifted", "pixels retained")
    return 1 if score.checks < order.least or any(score.wrong[action] for action in must) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
