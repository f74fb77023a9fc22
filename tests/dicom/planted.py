"""Makes one CT-like file with identities planted wherever a DICOM file can hold one."""

from __future__ import annotations

import struct
import warnings
from io import BytesIO
from pathlib import Path

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

STUDY, SERIES, INSTANCE, FRAME = (f"1.2.826.0.1.3680043.9.7.{n}.20240311.1" for n in (1, 2, 3, 4))
BIRTH_DATE = "19510203"
STUDY_DATE = "20240311"
SIDE = 32


class _Plants:
    """Gives a new name for every place, and remembers them all."""

    def __init__(self) -> None:
        self.all: list[str] = []

    def __call__(self, place: str) -> str:
        name = f"Okonkwo{len(self.all):02d}{place}"
        self.all.append(name)
        return name

    def also(self, *values: str) -> None:
        self.all.extend(values)


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def make_planted(path: Path, *, hidden: bool = False, instance: str = INSTANCE) -> list[str]:
    """Write the file and give every planted string.

    With ``hidden`` one more name stands in an attribute that the profile keeps as it is (Manufacturer), in capitals: only a search for what named the patient finds it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is planted breaks rules of its VR on purpose
        return _make(path, hidden=hidden, instance=instance)


def _make(path: Path, *, hidden: bool, instance: str) -> list[str]:
    plant = _Plants()
    dataset = Dataset()
    _patient(dataset, plant)
    _study(dataset, plant)
    _image(dataset, instance)
    _hiding_places(dataset, plant)
    if hidden:
        dataset.Manufacturer = f"as {plant.all[0].upper()} likes it"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.SourceApplicationEntityTitle = plant("Src")[:16]
    meta.SendingApplicationEntityTitle = plant("Snd")[:16]
    meta.ReceivingApplicationEntityTitle = plant("Rcv")[:16]
    meta.PrivateInformationCreatorUID = "1.2.826.0.1.3680043.9.7.99"
    meta.PrivateInformation = plant("MetaPrivate").encode()
    dataset.file_meta = meta
    dataset.preamble = plant("Preamble").encode().ljust(128, b"\0")
    # Said to have been read like this, so that elements of UN are written as they stand.
    dataset.set_original_encoding(False, True, dataset._character_set)
    stream = BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    # Behind the pixel data: a signature, padding, and bytes that are nothing at all.
    stream.seek(0, 2)
    stream.write(_explicit(0xFFFC, 0xFFFC, b"OB", plant("Padding").encode()))
    stream.write(plant("Garbage").encode() * 2)
    path.write_bytes(stream.getvalue())
    plant.also(STUDY, SERIES, instance, FRAME, BIRTH_DATE)
    return plant.all


def _explicit(group: int, element: int, vr: bytes, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HH2s2xL", group, element, vr, len(value)) + value


def _add_un(dataset: Dataset, tag: int, value: bytes) -> None:
    """Add an element as UN, which pydicom would otherwise turn into what it knows the attribute to be."""
    value += b" " * (len(value) % 2)
    dataset[tag] = RawDataElement(BaseTag(tag), "UN", len(value), value, 0, False, True)


def _patient(dataset: Dataset, plant: _Plants) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"{plant('Name')}^Adaeze=奥孔^阿达=오콘^아다"
    plant.also("Adaeze", "奥孔", "阿达", "오콘", "아다")
    dataset.PatientID = plant("Id")
    dataset.IssuerOfPatientID = plant("Issuer")
    dataset.PatientBirthDate = BIRTH_DATE
    dataset.PatientBirthTime = "010203"
    dataset.PatientSex = "F"
    dataset.PatientAge = "093Y"
    dataset.PatientSize, dataset.PatientWeight = "1.61", "58.5"
    dataset.OtherPatientIDs = [plant("Other1"), plant("Other2")]
    dataset.OtherPatientNames = plant("Maiden")
    dataset.OtherPatientIDsSequence = [_item(PatientID=plant("OtherSeq"), IssuerOfPatientID=plant("OtherIss"))]
    dataset.PatientMotherBirthName = plant("Mother")
    dataset.PatientAddress = plant("Street")
    dataset.PatientTelephoneNumbers = plant("T")[:16]
    dataset.PatientComments = f"known to {plant('Comment')}"
    dataset.AdditionalPatientHistory = f"sister of {plant('History')}"
    dataset.EthnicGroup = plant("Eth")[:16]


def _study(dataset: Dataset, plant: _Plants) -> None:
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = STUDY_DATE
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "101500"
    dataset.AcquisitionDateTime = f"{STUDY_DATE}101500.25+0100"
    dataset.AccessionNumber, dataset.StudyID = plant("Acc")[:16], plant("Sid")[:16]
    dataset.ReferringPhysicianName = plant("Referrer")
    dataset.ReferringPhysicianIdentificationSequence = [_item(InstitutionName=plant("RefInst"))]
    dataset.PerformingPhysicianName = plant("Performer")
    dataset.OperatorsName = plant("Operator")
    dataset.RequestingPhysician = plant("Requester")
    dataset.InstitutionName, dataset.InstitutionAddress = plant("Hospital"), plant("Road")
    dataset.StationName, dataset.DeviceSerialNumber = plant("Stn")[:16], plant("Serial")
    dataset.StudyDescription = f"CT for {plant('StudyDesc')}"
    dataset.SeriesDescription = f"axial {plant('SeriesDesc')}"
    dataset.ProtocolName = plant("Protocol")
    dataset.ImageComments = plant("ImageComment")
    dataset.DerivationDescription = plant("Derivation")
    dataset.RetrieveAETitle = plant("Ae")[:16]
    dataset.RequestAttributesSequence = [
        _item(RequestedProcedureDescription=plant("Request"), RequestedProcedureID="1")
    ]
    dataset.PerformedProcedureStepDescription = plant("Step")
    dataset.ReferencedPatientSequence = [_item(ReferencedSOPClassUID="1.2.3", ReferencedSOPInstanceUID=f"{STUDY}.77")]
    dataset.ClinicalTrialSubjectID = plant("FormerTrial")
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = f"by {plant('Method')}"


def _image(dataset: Dataset, instance: str) -> None:
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, instance
    dataset.FrameOfReferenceUID = FRAME
    dataset.Modality, dataset.Manufacturer = "CT", "Phantom Works"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesNumber, dataset.InstanceNumber = 2, 7
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, 5], [1, 0, 0, 0, 1, 0]
    dataset.SliceThickness, dataset.PixelSpacing, dataset.KVP = "5", [0.7, 0.7], "120"
    dataset.RescaleIntercept, dataset.RescaleSlope = "-1024", "1"
    dataset.Rows = dataset.Columns = SIDE
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    pixels = bytes(i * 7 % 251 if i % 2 == 0 else i % 16 for i in range(SIDE * SIDE * 2))
    dataset.add_new(0x7FE00010, "OW", pixels)
    dataset.ReferencedImageSequence = [
        _item(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=f"{INSTANCE}.2")
    ]


def _hiding_places(dataset: Dataset, plant: _Plants) -> None:
    block = dataset.private_block(0x0029, f"MAKER {plant('Creator')}", create=True)
    block.add_new(0x10, "LO", plant("PrivateText"))
    block.add_new(0x11, "OB", f"<csa>{plant('PrivateBlob')}</csa>".encode())
    block.add_new(0x12, "SQ", Sequence([_item(PatientName=plant("PrivateNested"))]))
    dataset.add_new(0x00310040, "LO", plant("NoCreator"))
    dataset.add_new(0x00089876, "LO", plant("UnknownTag"))
    _add_un(dataset, 0x00104321, plant("UnknownUn").encode())
    _add_un(dataset, 0x00102203, plant("KnownUn").encode())
    hidden = plant("UnSequence").encode().ljust(40, b" ")
    nested = struct.pack("<HHL", 0x0010, 0x0010, len(hidden)) + hidden
    _add_un(dataset, 0x00082112, struct.pack("<HHL", 0xFFFE, 0xE000, len(nested)) + nested)
    modified = _item(PatientName=plant("OriginalName"), PatientID=plant("OriginalId"))
    dataset.OriginalAttributesSequence = [
        _item(ModifiedAttributesSequence=[modified], SourceOfPreviousValues=plant("Source"))
    ]
    deep = _item(TextValue=f"seen by {plant('Text')}", PersonName=plant("PersonItem"), ValueType="TEXT")
    dataset.ContentSequence = [_item(ContentSequence=[_item(ContentSequence=[deep])])]
    dataset.IconImageSequence = [_item(Rows=2, Columns=2, PatientComments=plant("Icon"))]
    dataset.add_new(0x50000022, "LO", plant("CurveDescription"))
    dataset.add_new(0x50003000, "OW", plant("CurveData0").encode().ljust(32))
    dataset.add_new(0x60000010, "US", 4)
    dataset.add_new(0x60000011, "US", 8)
    dataset.add_new(0x60000022, "LO", plant("OverlayDescription"))
    dataset.add_new(0x60001500, "LO", plant("OverlayLabel"))
    dataset.add_new(0x60003000, "OW", plant("OverlayBits0").encode().ljust(32))
    dataset.add_new(0x60004000, "LT", plant("OverlayComment"))
    dataset.EncryptedAttributesSequence = [_item(EncryptedContent=plant("Encrypted").encode())]
    dataset.MACParametersSequence = [_item(MACIDNumber=1, MACAlgorithm=plant("Mac")[:16])]
    dataset.add_new(
        0xFFFAFFFA,
        "SQ",
        Sequence([_item(CertificateOfSigner=plant("Signer").encode())]),
    )
    dataset.add_new(0x00041500, "CS", plant("File")[:16])
