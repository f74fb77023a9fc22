"""The files that the bench of the de-identification cleans: series of CT, small ones, and enhanced MR."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

_SMALLEST, _LARGEST = 400_000, 700_000
_ROOT: Final = "1.2.826.0.1.3680043.8.498.7"
_ENHANCED_MR: Final = "1.2.840.10008.5.1.4.1.1.4.1"


def corpus_series() -> list[Path]:
    """Give real CT of half a megabyte that every peer takes, where the shared corpora are."""
    root = Path(__file__).parent.parent.parent / "shared" / "corpora"
    folder = Path(os.environ.get("TRIALIMG_CORPORA", root)) / "dicom" / "ct" / "philips_s2010"
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return [path for path in files if _SMALLEST < path.stat().st_size < _LARGEST]


def write_ct(folder: Path, count: int) -> str:
    """Write a series of CT of half a megabyte; tell what they are made of."""
    folder.mkdir(parents=True)
    real = corpus_series()
    bases = [path.read_bytes() for path in real] or [_encoded(_made_ct(512))]
    for number in range(count):
        (folder / f"{number:05d}.dcm").write_bytes(_renumbered(bases[number % len(bases)], number))
    return f"{len(real)} real ones, each with other numbers" if real else "made of pydicom's CT by a recipe"


def write_small_ct(folder: Path, count: int) -> None:
    """Write a long series of small CT with a whole header."""
    folder.mkdir(parents=True)
    base = _encoded(_made_ct(64))
    for number in range(count):
        (folder / f"{number:05d}.dcm").write_bytes(_renumbered(base, number))


def write_enhanced_mr(folder: Path, count: int) -> int:
    """Write enhanced MR of some 2,600 attributes, each with moments, positions and references of its own; give how
    many attributes there are in one.
    """
    folder.mkdir(parents=True)
    dataset = _made_mr(frames=60)
    for number in range(count):
        for frame, groups in enumerate(dataset.PerFrameFunctionalGroupsSequence):
            _move(groups, number, frame)
        (folder / f"{number:05d}.dcm").write_bytes(_renumbered(_encoded(dataset), number))
    return sum(1 for _ in dataset.iterall())


def _move(groups: Dataset, number: int, frame: int) -> None:
    """Give a frame what no other frame of any file has."""
    moment = f"202503{1 + number % 28:02d}{number % 24:02d}{frame % 60:02d}{(frame * 7 + number) % 60:02d}.5"
    content = groups.FrameContentSequence[0]
    content.FrameReferenceDateTime = content.FrameAcquisitionDateTime = moment
    groups.PlanePositionSequence[0].ImagePositionPatient = [number + 0.5, frame * 1.25, 2 * frame + number]
    groups.ReferencedImageSequence[0].ReferencedSOPInstanceUID = f"{_ROOT}.5.{1000 + number}.{frame}"


def _renumbered(data: bytes, number: int) -> bytes:
    """Give an object another SOP Instance UID of the same length, wherever it stands."""
    at = data.index(b"\x08\x00\x18\x00UI")
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    old = data[at + 8 : at + 8 + length].rstrip(b"\0")
    tail = b"%07d" % (1_000_000 + number)
    return data.replace(old, old[: len(old) - len(tail)] + tail)


def _made_ct(size: int) -> Dataset:
    """Make a CT with the header of a scanner of today: some 200 attributes, names, private groups, sequences."""
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    dataset.PatientName, dataset.PatientID = "Okonkwo^Adaeze", "MRN-4711-0815"
    dataset.ReferringPhysicianName, dataset.InstitutionName = "Brightwater^Ruth", "Saint Orwin Hospital"
    dataset.OtherPatientIDs, dataset.PatientAddress = "OP-99-1234", "12 Elm Row, Orwinton"
    for number in range(90):
        group, element = 0x0019 + 2 * (number // 30), 0x1000 + number % 30
        dataset.private_block(group, "BENCH PRIVATE", create=True)
        dataset.add_new((group, element), "DS", f"{number}.25\\{number}.5")
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "RPID16", "RADLEX", "CT CHEST W CONTRAST"
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepDescription = "P4711", "CT CHEST"
    request.ScheduledProtocolCodeSequence = Sequence([code])
    dataset.RequestAttributesSequence = Sequence([request])
    dataset.ProcedureCodeSequence = Sequence([code])
    dataset.Rows = dataset.Columns = size
    dataset.PixelData = bytes(range(256)) * (size * size * 2 // 256)
    return dataset


def _made_mr(frames: int) -> Dataset:
    """Make an enhanced MR by a recipe: shared and per-frame functional groups."""
    dataset: Any = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = _ENHANCED_MR, f"{_ROOT}.1.1000000"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{_ROOT}.2", f"{_ROOT}.3"
    dataset.FrameOfReferenceUID, dataset.Modality = f"{_ROOT}.4", "MR"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "T1", "NONE"]
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20250310"
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "101500"
    dataset.AcquisitionDateTime = "20250310101500"
    dataset.AccessionNumber, dataset.Manufacturer = "ACC-77123", "SIEMENS"
    dataset.InstitutionName, dataset.ReferringPhysicianName = "Saint Orwin Hospital", "Brightwater^Ruth"
    dataset.StudyDescription, dataset.SeriesDescription = "MR HEAD", "T1 AXIAL"
    dataset.PatientName, dataset.PatientID = "Okonkwo^Adaeze", "MRN-4711-0815"
    dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19510203", "F", "074Y"
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "4711", 3, 1
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.NumberOfFrames = 1, "MONOCHROME2", frames
    dataset.Rows = dataset.Columns = 64
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.BurnedInAnnotation, dataset.LossyImageCompression = "NO", "00"
    dataset.SharedFunctionalGroupsSequence = Sequence([_shared_groups()])
    dataset.PerFrameFunctionalGroupsSequence = Sequence([_frame_groups(number) for number in range(frames)])
    dataset.PixelData = bytes(64 * 64 * 2 * frames)
    made: Dataset = dataset
    return made


def _item(**values: Any) -> Sequence:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return Sequence([item])


def _shared_groups() -> Dataset:
    groups = Dataset()
    groups.PixelMeasuresSequence = _item(PixelSpacing=[1, 1], SliceThickness=2)
    groups.MRTimingAndRelatedParametersSequence = _item(RepetitionTime=500, FlipAngle=30, EchoTrainLength=1)
    return groups


def _frame_groups(number: int) -> Dataset:
    moment = f"20250310101{number % 10:01d}{number % 60:02d}.5"
    groups = Dataset()
    groups.FrameContentSequence = _item(
        FrameAcquisitionNumber=number + 1,
        FrameReferenceDateTime=moment,
        FrameAcquisitionDateTime=moment,
        FrameAcquisitionDuration=12.5,
        StackID="1",
        InStackPositionNumber=number + 1,
        DimensionIndexValues=[1, number + 1],
        TemporalPositionIndex=1,
    )
    groups.PlanePositionSequence = _item(ImagePositionPatient=[0, 0, 2 * number])
    groups.PlaneOrientationSequence = _item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    groups.FrameAnatomySequence = _item(
        FrameLaterality="U",
        AnatomicRegionSequence=_item(CodeValue="12738006", CodingSchemeDesignator="SCT", CodeMeaning="Brain"),
    )
    groups.FrameVOILUTSequence = _item(WindowCenter=400, WindowWidth=800, WindowCenterWidthExplanation="NORMAL")
    groups.PixelValueTransformationSequence = _item(RescaleIntercept=0, RescaleSlope=1, RescaleType="US")
    groups.MRImageFrameTypeSequence = _item(
        FrameType=["ORIGINAL", "PRIMARY", "T1", "NONE"],
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast="T1",
    )
    groups.MREchoSequence = _item(EffectiveEchoTime=10.0)
    groups.MRAveragesSequence = _item(NumberOfAverages=1)
    groups.ReferencedImageSequence = _item(
        ReferencedSOPClassUID=_ENHANCED_MR,
        ReferencedSOPInstanceUID=f"{_ROOT}.5.{number}",
        PurposeOfReferenceCodeSequence=_item(CodeValue="121311", CodingSchemeDesignator="DCM", CodeMeaning="Localizer"),
    )
    return groups


def _encoded(dataset: Dataset) -> bytes:
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def sizes(folder: Path) -> Iterator[int]:
    """Give the sizes of the files of a folder."""
    return (path.stat().st_size for path in folder.iterdir())
