"""One planted object of every kind that a trial sends: built from pydicom's files, or from nothing."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
from PIL import Image, ImageCms
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit
from pypdf import PdfWriter

from tests.dicom.planted_places import Ledger, code, everywhere, item, nest, put, the_patient
from trialimg.dicom.standard.quiet import silence_the_parser

_STORAGE = "1.2.840.10008.5.1.4.1.1"
_UID = "1.2.826.0.1.3680043.9.7.4711"


def from_file(name: str) -> Dataset:
    """Read a file of pydicom, decoded, so that it can be written in explicit VR."""
    dataset = pydicom.dcmread(str(get_testdata_file(name)), force=True)
    for _ in dataset.iterall():
        pass
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _from_nothing(leaf: str, modality: str) -> Dataset:
    dataset = item(
        (0x00080016, "UI", f"{_STORAGE}.{leaf}"),
        (0x00080018, "UI", f"{_UID}.9.1"),
        (0x00080060, "CS", modality),
        (0x0020000D, "UI", f"{_UID}.9.2"),
        (0x0020000E, "UI", f"{_UID}.9.3"),
    )
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _ct(plant: Ledger) -> Dataset:
    return from_file("CT_small.dcm")


def _enhanced_mr(plant: Ledger) -> Dataset:
    """A frame's own groups, dimensions and stacks, with free text in each."""
    dataset = from_file("MR_small.dcm")
    put(dataset, 0x00080016, "UI", f"{_STORAGE}.4.1")
    frame = item((0x00209156, "US", b"\1\0"), (0x00209158, "LT", plant("FrameComment")))
    nest(frame, 0x00082112, item((0x00081155, "UI", f"{_UID}.77")))
    nest(dataset, 0x52009230, item((0x00280010, "US", b"\1\0")))
    nest(dataset[0x52009230].value[0], 0x00209111, frame)
    nest(dataset, 0x00209222, item((0x00209421, "LO", plant("Dimension")), (0x00209164, "UI", f"{_UID}.78")))
    put(dataset, 0x00209158, "LT", plant("FrameCommentOutside"))
    plant.also(f"{_UID}.77", f"{_UID}.78")
    return dataset


def _ultrasound(plant: Ledger) -> Dataset:
    """Compressed frames with a comment, Exif, a colour profile with a name, and bytes behind the end."""
    dataset = from_file("SC_rgb_jpeg.dcm")
    picture = BytesIO()
    exif = Image.Exif()
    exif[0x013B] = plant("Exif")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile[:24] + b"\x07\xea\0\1\0\1" + bytes(6) + profile[36:]  # made on one day, so that it is the same each time
    texts = profile.replace("sRGB built-in".encode("utf-16-be"), plant("IccDesc")[:13].encode("utf-16-be"))
    noise = random.Random(4).randbytes(dataset.Columns * dataset.Rows)
    Image.frombytes("L", (dataset.Columns, dataset.Rows), noise).convert("RGB").save(
        picture, "JPEG", comment=plant("JpegComment").encode(), exif=exif, icc_profile=texts
    )
    dataset.PixelData = encapsulate([picture.getvalue() + plant("BehindFrame").encode()])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    put(dataset, 0x00080016, "UI", f"{_STORAGE}.6.1")
    put(dataset, 0x00080060, "CS", "US")
    put(dataset, 0x00282000, "OB", texts)
    nest(dataset, 0x00186011, item((0x00186012, "US", b"\1\0"), (0x00281055, "LO", plant("Region"))))
    return dataset


def _report(plant: Ledger) -> Dataset:
    """Deep text, people, places and numbers; an observer, a participant and a verifier."""
    dataset = from_file("reportsi.dcm")
    deep = item((0x0040A040, "CS", "TEXT"), (0x0040A160, "UT", plant("Deep")))
    nest(deep, 0x0040A043, code(plant, "Concept"))
    for level in range(4):
        outer = item((0x0040A040, "CS", "CONTAINER"), (0x0040A010, "CS", "CONTAINS"))
        nest(outer, 0x0040A730, deep, item((0x0040A123, "PN", plant(f"Level{level}"))))
        deep = outer
    observer = item((0x0040A123, "PN", plant("Observer")), (0x00080080, "LO", plant("ObserverAt")))
    nest(dataset, 0x0040A078, observer)
    nest(dataset, 0x0040A07A, item((0x0040A075, "PN", plant("Participant"))))
    verifier = item((0x0040A075, "PN", plant("Verifier")), (0x0040A027, "LO", plant("VerifierAt")))
    nest(verifier, 0x0040A088, code(plant, "VerifierCode"))
    nest(dataset, 0x0040A073, verifier)
    nest(dataset, 0x0040A370, item((0x00080050, "SH", plant("RefAcc", 16)), (0x00402017, "LO", plant("Filler"))))
    dataset.HL7InstanceIdentifier = plant("Hl7")
    nest(dataset, 0x0040A504, deep)
    return dataset


def _structure_set(plant: Ledger) -> Dataset:
    dataset = from_file("rtstruct.dcm")
    for number, roi in enumerate(dataset.StructureSetROISequence):
        roi.ROIName, roi.ROIDescription = plant(f"Roi{number}"), plant(f"RoiDesc{number}")
    for number, roi in enumerate(dataset.RTROIObservationsSequence):
        put(roi, 0x30060085, "SH", plant(f"Label{number}", 16))
        put(roi, 0x300600A6, "PN", plant(f"Interpreter{number}"))
    dataset.StructureSetLabel, dataset.StructureSetName = plant("Set", 16), plant("SetName")
    put(dataset, 0x300E0008, "PN", plant("Approver"))
    put(dataset, 0x300A00C2, "LO", plant("Beam"))
    return dataset


def _segmentation(plant: Ledger) -> Dataset:
    dataset = from_file("liver_1frame.dcm")
    segment = dataset.SegmentSequence[0]
    put(segment, 0x00620005, "LO", plant("Segment"))
    put(segment, 0x00620006, "ST", plant("SegmentText"))
    put(segment, 0x00620009, "LO", plant("Algorithm"))
    put(segment, 0x00620020, "UT", plant("Tracking"))
    nest(segment, 0x00620003, code(plant, "Category"))
    return dataset


def _presentation_state(plant: Ledger) -> Dataset:
    """Text drawn on the image, layers with names, a look-up table and a shutter that say who."""
    dataset = _from_nothing("11.1", "PR")
    text = item((0x00700006, "ST", plant("Drawn")), (0x00700014, "FL", b"\0" * 8))
    layer = plant("Layer", 16).upper()
    nest(dataset, 0x00700001, item((0x00700002, "CS", layer)))
    nest(dataset[0x00700001].value[0], 0x00700008, text)
    nest(dataset, 0x00700060, item((0x00700002, "CS", layer), (0x00700068, "LO", plant("LayerText"))))
    nest(dataset, 0x00283010, item((0x00283003, "LO", plant("Lut")), (0x00283006, "US", plant("LutData").encode())))
    put(dataset, 0x00700082, "DA", "19510203")
    put(dataset, 0x0070008D, "LO", plant("Alias"))
    return dataset


def _document(plant: Ledger) -> Dataset:
    """A PDF with a name in its metadata, and all that stands around it."""
    dataset = _from_nothing("104.1", "DOC")
    writer, stream = PdfWriter(), BytesIO()
    writer.add_blank_page(72, 72)
    writer.add_metadata({"/Author": plant("PdfAuthor"), "/Title": plant("PdfTitle")})
    writer.write(stream)
    put(dataset, 0x00420011, "OB", stream.getvalue())
    put(dataset, 0x00420012, "LO", "application/pdf")
    put(dataset, 0x00420010, "ST", plant("Title"))
    nest(dataset, 0x0040A043, code(plant, "DocConcept"))
    nest(dataset, 0x00420013, item((0x00081155, "UI", f"{_UID}.99"), (0x00204000, "LT", plant("Src"))))
    plant.also(f"{_UID}.99")
    return dataset


def _whole_slide(plant: Ledger) -> Dataset:
    dataset = _ultrasound(plant)
    put(dataset, 0x00080016, "UI", f"{_STORAGE}.77.1.6")
    put(dataset, 0x00080060, "CS", "SM")
    put(dataset, 0x00400512, "LO", plant("Container"))
    put(dataset, 0x22000002, "UT", plant("LabelText"))
    put(dataset, 0x22000005, "LT", plant("Barcode"))
    preparation = item((0x0040A160, "UT", plant("Prepared")), (0x00400590, "LO", plant("Made")))
    specimen = item(
        (0x00400551, "LO", plant("Specimen")),
        (0x00400554, "UI", f"{_UID}.88"),
        (0x00400600, "LO", plant("SpecimenShort")),
        (0x00400602, "UT", plant("SpecimenLong")),
    )
    nest(specimen, 0x00400610, preparation)
    nest(dataset, 0x00400560, specimen)
    nest(dataset, 0x00480105, item((0x00480107, "ST", plant("Optical")), (0x00282000, "OB", plant("BadIcc"))))
    plant.also(f"{_UID}.88")
    return dataset


KINDS: dict[str, tuple[Callable[[Ledger], Dataset], str]] = {
    "Ct": (_ct, "ISO_IR 192"),
    "Mr": (_enhanced_mr, "ISO_IR 100"),
    "Us": (_ultrasound, "\\ISO 2022 IR 87"),
    "Sr": (_report, "\\ISO 2022 IR 149"),
    "Rt": (_structure_set, "GB18030"),
    "Sg": (_segmentation, "ISO_IR 144"),
    "Pr": (_presentation_state, "ISO_IR 192"),
    "Pd": (_document, "ISO_IR 100"),
    "Sm": (_whole_slide, "GB18030"),
}
"""What is made, by a short name, and the character set in which its patient is written."""


def write_as_it_stands(dataset: Dataset, path: Path) -> None:
    """Write a data set in explicit VR, its raw elements byte for byte, whatever is wrong with them."""
    dataset.set_original_encoding(False, True, dataset._character_set)
    stream = BytesIO()
    dcmwrite(stream, dataset, enforce_file_format=True)
    path.write_bytes(stream.getvalue())


def plant_object(kind: str, path: Path) -> Ledger:
    """Write a planted object and give what was planted."""
    silence_the_parser()
    build, character_set = KINDS[kind]
    plant = Ledger(kind)
    dataset = build(plant)
    everywhere(dataset, plant)
    the_patient(dataset, plant, character_set)
    for tag, end in ((0x00080018, 1), (0x0020000D, 2), (0x0020000E, 3), (0x00200052, 4)):
        put(dataset, tag, "UI", f"{_UID}.{ord(kind[0])}.{ord(kind[1])}.{end}")
        plant.also(f"{_UID}.{ord(kind[0])}.{ord(kind[1])}.{end}")
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = UID(f"{_UID}.0815.1")  # another than the object's own
    meta.SourceApplicationEntityTitle = plant("Src", 16)
    meta.SendingApplicationEntityTitle, meta.ReceivingApplicationEntityTitle = plant("Snd", 16), plant("Rcv", 16)
    meta.PrivateInformationCreatorUID, meta.PrivateInformation = UID(f"{_UID}.0815.2"), plant("MetaPrivate").encode()
    plant.also(f"{_UID}.0815.1", f"{_UID}.0815.2")
    dataset.file_meta, dataset.preamble = meta, plant("Preamble").encode().ljust(128, b"\0")
    write_as_it_stands(dataset, path)
    tail = plant("Behind").encode()
    path.write_bytes(path.read_bytes() + struct.pack("<HH2s2xL", 0xFFFD, 0x0010, b"OB", len(tail)) + tail)
    return plant
