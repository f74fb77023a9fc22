"""Made instances for the archive's tests: one study, every way of encoding that has bitten somebody."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)


@dataclass
class Made:
    """Files of one study by SOPInstanceUID, and which of them is what."""

    study_uid: str = field(default_factory=generate_uid)
    series_uid: str = field(default_factory=generate_uid)
    files: dict[str, bytes] = field(default_factory=dict)
    by_kind: dict[str, str] = field(default_factory=dict)

    def add(self, ds: Dataset, kind: str) -> str:
        data = encoded(ds)
        self.files[ds.SOPInstanceUID] = data
        self.by_kind[kind] = ds.SOPInstanceUID
        return ds.SOPInstanceUID

    def sources(self) -> list[tuple[str, Callable[[], BinaryIO]]]:
        return [source(uid, data) for uid, data in self.files.items()]

    def key(self, kind: str) -> tuple[str, str, str]:
        return self.study_uid, self.series_uid, self.by_kind[kind]

    def dataset(self, kind: str) -> Dataset:
        return decoded(self.files[self.by_kind[kind]])


def source(uid: str, data: bytes) -> tuple[str, Callable[[], BinaryIO]]:
    return uid, lambda: io.BytesIO(data)


def encoded(ds: Dataset) -> bytes:
    out = io.BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def decoded(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(data))


def slice_of(
    made: Made, number: int, *, side: int = 16, syntax: str = ExplicitVRLittleEndian, frames: int = 0
) -> Dataset:
    """Make one small CT slice."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = made.study_uid, made.series_uid
    ds.PatientName, ds.PatientID, ds.PatientSex, ds.PatientBirthDate = "101-001", "101-001", "F", ""
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20240102", "101500", "S1", ""
    ds.StudyDescription = "Thorax größer"
    ds.ReferringPhysicianName = ""
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 3, number
    ds.Rows = ds.Columns = side
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.SliceThickness = "2.5"
    count = max(1, frames)
    if frames:
        ds.NumberOfFrames = frames
    ds.PixelData = b"".join(
        ((number * 7 + n + frame * 11) % 4096).to_bytes(2, "little")
        for frame in range(count)
        for n in range(side * side)
    )
    return ds


def study(slices: int = 4, side: int = 16) -> Made:
    """Make the study."""
    made = Made()
    for number in range(1, slices + 1):
        made.add(slice_of(made, number, side=side), f"slice {number}")
    made.add(slice_of(made, 50, syntax=ImplicitVRLittleEndian), "implicit")
    made.add(slice_of(made, 51, frames=3), "frames")
    undefined = slice_of(made, 52)
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "113100", "DCM", "Basic Application"
    item.is_undefined_length_sequence_item = True
    undefined.DeidentificationMethodCodeSequence = [item]
    undefined["DeidentificationMethodCodeSequence"].is_undefined_length = True
    made.add(undefined, "undefined length")
    rle = slice_of(made, 53)
    rle.compress(RLELossless)
    made.add(rle, "rle")
    made.add(_jpeg(made), "jpeg")
    padded = slice_of(made, 55)
    padded.DataSetTrailingPadding = bytes(100)
    made.add(padded, "padded")
    private = slice_of(made, 56)
    private.private_block(0x0011, "TRIALIMG TEST", create=True).add_new(0x01, "OB", bytes(range(256)) * 20)
    made.add(private, "bulk")
    return made


def deflated(made: Made) -> Dataset:
    return slice_of(made, 60, syntax=DeflatedExplicitVRLittleEndian)


def _jpeg(made: Made) -> Dataset:
    """Give a JPEG stream of pydicom's test files a place in the study."""
    compressed = dcmread(get_testdata_file("JPEG2000.dcm"))
    ds = slice_of(made, 54)
    ds.file_meta.TransferSyntaxUID = compressed.file_meta.TransferSyntaxUID
    for keyword in (
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "SamplesPerPixel",
        "PhotometricInterpretation",
    ):
        setattr(ds, keyword, compressed[keyword].value)
    from pydicom.encaps import generate_frames

    frame = next(generate_frames(compressed.PixelData, number_of_frames=1))
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return ds
