"""The answer key of the score: what is planted into a file, and what must become of each element by PS3.15.

It does not ask the engine: dates are moved with ``datetime``, words that must stay are written here, and what must be
equal before and after is compared element by element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final, cast

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

IDENTIFIERS: Final = (
    *("PatientName", "PatientID", "OtherPatientIDs", "PatientAddress", "PatientTelephoneNumbers", "PatientComments"),
    *("AccessionNumber", "ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName", "InstitutionName"),
    *("InstitutionAddress", "StationName", "RequestingPhysician", "PatientMotherBirthName", "ImageComments"),
    *("AdditionalPatientHistory", "DeviceSerialNumber", "PhysiciansOfRecord", "InstitutionalDepartmentName"),
)
"""Attributes that are given an identity; the engine must leave none of it."""
_ALWAYS: Final = frozenset({"PatientName", "PatientID", "AccessionNumber", "InstitutionName"})
_DESCRIPTORS: Final = ("StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription")
"""Attributes in which known words stand beside an identity: the words must stay, the identity must go."""
_DESCRIPTIONS: Final = (
    *("CT CHEST W CONTRAST", "MRI BRAIN W/O CONTRAST", "AX T1 POST GAD", "SAG T2 FSE", "COR STIR LEFT KNEE"),
    *("CT ABDOMEN PELVIS PORTAL VENOUS", "PET CT WHOLE BODY", "AXIAL DWI b1000 ADC", "US RENAL BILATERAL"),
    *("MR LUMBAR SPINE", "LUNG 1.25 mm", "3D TOF MRA HEAD", "XR HAND PA LATERAL", "CTA AORTA ARTERIAL PHASE"),
    *("FLAIR", "HRCT THORAX EXPIRATION", "MPRAGE sagittal", "LOCALIZER", "Bone window", "MRT Oberbauch nativ"),
    *("PROSTATE DYNAMIC", "PERFUSION CBF MAP", "CT SINUS CORONAL", "SCOUT AP", "CARDIAC CINE SHORT AXIS"),
    *("MAMMO RIGHT MLO", "LIVER DELAYED", "CT COLONOGRAPHY PRONE", "SWI BRAIN", "EP2D DIFF", "IRM genou gauche"),
)
"""Real ways to describe an examination, without anybody in them."""
_BESIDE: Final = (
    "{0}",
    "for {0}",
    "Dr. {0}",
    "{0} 067Y",
    "{0} 03.02.1951",
    "({0})",
    "MRN 4711{1:04d}",
    "{0}, tel 030 5550{1:03d}",
)
"""How an identity stands beside them."""
_SAFE_CREATOR, _SAFE_TAG, _SAFE_VALUE = "GEMS_ACQU_01", 0x00190023, "5.25"
_CLASSES: Final = frozenset(
    {
        *("SOPClassUID", "ReferencedSOPClassUID", "CodingSchemeUID", "ContextUID", "MappingResourceUID"),
        *("OriginalSpecializedSOPClassUID", "RelatedGeneralSOPClassUID", "ContextGroupExtensionCreatorUID"),
    }
)
_DATES_OF_IMAGES: Final = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime")
_OF_EVERYBODY: Final = frozenset({0x00080106, 0x00080107, 0x0040DB06, 0x0040DB07})
_FULL_DATE: Final = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)")
_BIRTH_DATE: Final = "19510203"
RETAINED: Final = (
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


class Planted:
    """What was planted into one file: words that must go, and by descriptor the words that must stay."""

    def __init__(self) -> None:
        self.gone: list[str] = []
        self.stays: dict[str, list[str]] = {}
        self.safe: int | None = None

    def word(self, place: str, number: int) -> str:
        """Make one more word that must go."""
        self.gone.append(f"Zq{number:04d}{place}")
        return self.gone[-1]


def plant(original: Dataset, number: int) -> Planted:
    """Give a file a made-up identity of its own, a birth date, a private identity, and a safe private number."""
    planted = Planted()
    for place, keyword in enumerate(IDENTIFIERS):
        if keyword in original or keyword in _ALWAYS:
            setattr(original, keyword, planted.word(f"x{place:02d}", number))
    for place, keyword in enumerate(_DESCRIPTORS):
        if keyword in original or keyword == "SeriesDescription":
            said = _DESCRIPTIONS[(number + 7 * place) % len(_DESCRIPTIONS)]
            beside = _BESIDE[(number // 3 + place) % len(_BESIDE)]
            word = planted.word(f"y{place:02d}", number)
            if "{0}" not in beside:
                planted.gone[-1] = f"4711{number:04d}"
            setattr(original, keyword, f"{said} {beside.format(word, number)}")
            planted.stays[keyword] = said.split()
    block = original.private_block(0x0099, "SCORE", create=True)
    block.add_new(0x01, "LO", planted.word("p01", number))
    safe = original.private_block(_SAFE_TAG >> 16, _SAFE_CREATOR, create=True)
    safe.add_new(_SAFE_TAG & 0xFF, "DS", _SAFE_VALUE)
    planted.safe = int(safe.get_tag(_SAFE_TAG & 0xFF))
    original.PatientBirthDate = _BIRTH_DATE
    if "StudyDate" in original:
        original.StudyDate = f"2024{number % 12 + 1:02d}{number % 28 + 1:02d}"
    return planted


def is_safe_kept(after: Dataset, planted: Planted) -> bool:
    """Tell whether the safe private number stayed, with the creator of its block."""
    tag = planted.safe or 0
    creator = tag & 0xFFFF0000 | (tag >> 8 & 0xFF)
    return tag in after and str(after[tag].value) == _SAFE_VALUE and str(after[creator].value) == _SAFE_CREATOR


def pairs(before: Dataset, after: Dataset) -> Iterator[tuple[int, str, object, object]]:
    """Give every public element that stands in both, at any depth: tag, VR, and both values."""
    for element in before:
        tag = int(element.tag)
        if tag >> 16 & 1 or tag >> 16 == 0x0012 or tag not in after:
            continue
        other = after[tag]
        if element.VR == "SQ" and other.VR == "SQ" and len(element.value) == len(other.value):
            for one, two in zip(element.value, other.value, strict=True):
                yield from pairs(one, two)
        elif not isinstance(element.value, Sequence):
            yield tag, element.VR, element.value, other.value


def mapped_uids(before: Dataset, after: Dataset) -> Iterator[tuple[str, str]]:
    """Give old and new of every UID that names a thing of this patient and stands in both."""
    for tag, vr, one, two in pairs(before, after):
        if vr == "UI" and tag >> 16 != 0x0002 and _keyword(before, tag) not in _CLASSES:
            for old, new in zip(_several(one), _several(two), strict=False):
                if is_a_things(old):
                    yield old, new


def is_a_things(uid: str) -> bool:
    """Tell whether a UID names a thing, rather than something of the standard."""
    return len(uid) > 9 and UID(uid).name == uid


def things(dataset: Dataset) -> set[str]:
    """Give every UID of a file that names a thing of this patient."""
    return {
        uid
        for element in dataset.iterall()
        if element.VR == "UI" and element.keyword not in _CLASSES and element.tag.group != 0x0012
        for uid in _several(element.value)
        if is_a_things(uid) and not element.tag.is_private
    }


def moved_dates(before: Dataset, after: Dataset, days: int) -> Iterator[tuple[int, bool]]:
    """Give every full date that stands in both, at any depth, and whether it moved by these days."""
    for tag, vr, one, two in pairs(before, after):
        if vr in {"DA", "DT"} and tag not in _OF_EVERYBODY and tag != 0x00100030:
            for old, new in zip(_several(one), _several(two), strict=False):
                found = _FULL_DATE.match(old)
                if found is not None and _is_day(found):
                    yield tag, new[:8] == _moved(found, days)


def lost_dates(before: Dataset, after: Dataset) -> Iterator[tuple[str, bool]]:
    """Give each of the dates that say when the images were made, and whether one still stands there."""
    for keyword in _DATES_OF_IMAGES:
        old = _several(before.get(keyword))
        found = _FULL_DATE.match(old[0]) if len(old) == 1 else None
        if found is not None and _is_day(found):
            yield keyword, bool(_several(after.get(keyword)))


def _is_day(found: re.Match[str]) -> bool:
    """Tell whether it is a day on which somebody was seen, not one that programs write for a day unknown to them."""
    try:
        day = date(*map(int, found.groups()))
        return 1901 < day.year < 2200 and day != date(1970, 1, 1)
    except ValueError:
        return False


def _moved(found: re.Match[str], days: int) -> str:
    return (date(*map(int, found.groups())) + timedelta(days=days)).strftime("%Y%m%d")


def _several(value: object) -> list[str]:
    if value is None or value == "":
        return []
    return [str(value)] if isinstance(value, str) else [str(each) for each in cast("Iterable[object]", value)]


def _keyword(dataset: Dataset, tag: int) -> str:
    return str(dataset[tag].keyword) if tag in dataset else ""
