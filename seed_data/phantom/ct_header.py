"""The header of a CT series: the CT Image IOD (PS3.3 A.3), with a scanner's own private groups."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage

from seed_data.phantom.header import Study, code, reference, write_common, write_equipment
from seed_data.phantom.uids import number_from

LOCALIZER_SERIES, AXIAL_SERIES, RT_SERIES, DOSE_SERIES = 1, 2, 80, 999


@dataclass(frozen=True)
class Geometry:
    """A stack of axial slices: ``slices`` of ``slice_mm`` from the head down, ``size``² of ``pixel`` mm.

    ``first_depth`` is the depth of the first slice's middle below the apex of the lungs; ``top`` is the
    scanner's own z of depth 0.
    """

    slices: int
    size: int
    pixel: float
    slice_mm: float
    first_depth: float
    top: float

    @property
    def depths(self) -> list[float]:
        """The depth of each slice's middle in mm."""
        return [self.first_depth + index * self.slice_mm for index in range(self.slices)]

    @property
    def corner(self) -> float:
        """The coordinate (x and y alike) of the first pixel's middle in mm."""
        return -(self.size - 1) / 2 * self.pixel

    def z(self, depth: float) -> float:
        """Give the patient coordinate z (towards the head) of a depth."""
        return self.top - depth


def image_uid(study: Study, series: int, number: int) -> str:
    """Give the SOPInstanceUID of one image."""
    return study.uid(f"instance {series} {number}")


def axial_header(study: Study, geometry: Geometry) -> Dataset:
    """Give everything that is the same in all axial slices."""
    ds = Dataset()
    write_common(ds, study, CTImageStorage)
    write_equipment(ds, study, "GE MEDICAL SYSTEMS", "Revolution Phantom", "revo_ct_22bc.50")
    _write_series(ds, study, AXIAL_SERIES, "CHEST ABDOMEN PORTAL VENOUS")
    _write_acquisition(ds, study, geometry)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [f"{geometry.pixel:.6f}"] * 2
    ds.Rows = ds.Columns = geometry.size
    scout = reference(CTImageStorage, image_uid(study, LOCALIZER_SERIES, 1))
    scout.PurposeOfReferenceCodeSequence = Sequence([code("121311", "DCM", "Localizer")])
    ds.ReferencedImageSequence = Sequence([scout])
    ds.ImageComments = f"{study.patient.family_name}: arms up, breath held"
    _write_private(ds, study)
    return ds


def localizer_header(study: Study, geometry: Geometry, rows: int) -> Dataset:
    """Give the header of the frontal localizer, ``rows`` pixels high from depth 0 down."""
    ds = Dataset()
    write_common(ds, study, CTImageStorage)
    write_equipment(ds, study, "GE MEDICAL SYSTEMS", "Revolution Phantom", "revo_ct_22bc.50")
    _write_series(ds, study, LOCALIZER_SERIES, "SCOUT FRONTAL")
    _write_acquisition(ds, study, geometry)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    ds.ImagePositionPatient = [f"{geometry.corner:.3f}", "0.000", f"{geometry.z(0):.3f}"]
    ds.PixelSpacing = [f"{geometry.pixel:.6f}"] * 2
    ds.Rows, ds.Columns = rows, geometry.size
    ds.SOPInstanceUID = image_uid(study, LOCALIZER_SERIES, 1)
    ds.InstanceNumber, ds.AcquisitionNumber = 1, 1
    ds.ContentDate, ds.ContentTime, ds.InstanceCreationTime = study.date, study.time(40), study.time(41)
    ds.AcquisitionTime = study.time(40)
    ds.WindowCenter, ds.WindowWidth = "-150", "900"
    _write_private(ds, study)
    return ds


def _write_series(ds: Dataset, study: Study, number: int, description: str) -> None:
    ds.Modality, ds.SeriesNumber, ds.SeriesDescription = "CT", number, description
    ds.SeriesInstanceUID = study.uid(f"series {number}")
    ds.SeriesDate, ds.SeriesTime, ds.ProtocolName = (
        study.date,
        study.time(20 * number),
        "5.7 CHEST ABDOMEN TRIAL",
    )
    ds.PatientPosition, ds.BodyPartExamined = "FFS", study.body_part
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = study.uid("frame of reference"), "XY"


def _write_acquisition(ds: Dataset, study: Study, geometry: Geometry) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    ds.PixelPaddingValue = -2000
    ds.WindowCenter, ds.WindowWidth = ["40", "-600"], ["400", "1500"]
    ds.WindowCenterWidthExplanation = ["ABDOMEN", "LUNG"]
    ds.AcquisitionDate = study.date
    ds.SliceThickness, ds.SpacingBetweenSlices = f"{geometry.slice_mm:.3f}", f"{geometry.slice_mm:.3f}"
    ds.ScanOptions, ds.KVP, ds.ExposureTime = "HELICAL MODE", "120", 500
    ds.XRayTubeCurrent, ds.Exposure, ds.GeneratorPower = 285, 142, 48000
    ds.FilterType, ds.FocalSpots, ds.ConvolutionKernel = "BODY FILTER", ["1.2"], "STANDARD"
    ds.DataCollectionDiameter, ds.ReconstructionDiameter = "500.0", f"{geometry.size * geometry.pixel:.3f}"
    ds.DistanceSourceToDetector, ds.DistanceSourceToPatient = "949.075", "541.000"
    ds.GantryDetectorTilt, ds.TableHeight, ds.RotationDirection = "0.0", "152.5", "CW"
    ds.RevolutionTime, ds.SingleCollimationWidth, ds.TotalCollimationWidth = 0.5, 0.625, 80.0
    ds.TableSpeed, ds.TableFeedPerRotation, ds.SpiralPitchFactor = 158.75, 79.375, 0.992
    ds.CTDIvol = 8.74
    ds.CTDIPhantomTypeCodeSequence = Sequence([code("113691", "DCM", "IEC Body Dosimetry Phantom")])
    ds.ContrastBolusAgent, ds.ContrastBolusRoute = "IOMEPROL 350", "Intravenous"
    ds.ContrastBolusVolume, ds.ContrastBolusStartTime = "100", study.time(10)
    ds.ContrastFlowRate, ds.ContrastBolusIngredient = ["3"], "IODINE"
    ds.BurnedInAnnotation = "NO"
    ds.LossyImageCompression = "00"


def _write_private(ds: Dataset, study: Study) -> None:
    """Write groups in the manner of a maker's own, with identities in them and nested in them."""
    p = study.patient
    ident = ds.private_block(0x0009, "GEMS_IDEN_01", create=True)
    ident.add_new(0x01, "LO", "CT_PHANTOM")
    ident.add_new(0x02, "SH", p.station)
    ident.add_new(0x04, "SH", "Revolution CT")
    ident.add_new(0x27, "SL", number_from("clock", study.uid("study")) % 2**30)
    ident.add_new(0xE3, "UI", study.uid("private study"))
    patient = ds.private_block(0x0011, "GEMS_PATI_01", create=True)
    patient.add_new(0x10, "SS", 0)
    patient.add_new(0x11, "LO", p.spoken_name)
    acquisition = ds.private_block(0x0019, "GEMS_ACQU_01", create=True)
    acquisition.add_new(0x02, "SL", 912)
    acquisition.add_new(0x0F, "DS", "1093.2")
    acquisition.add_new(0x23, "DS", "79.375")
    acquisition.add_new(0x27, "DS", "0.5")
    relation = ds.private_block(0x0021, "GEMS_RELA_01", create=True)
    relation.add_new(0x03, "SS", 1)
    relation.add_new(0x05, "SH", f"{study.number}")
    parameters = ds.private_block(0x0043, "GEMS_PARM_01", create=True)
    parameters.add_new(0x10, "US", 400)
    parameters.add_new(0x27, "SH", "/2000.0:1")
    parameters.add_new(0x40, "FL", [178.13, 94.2, 3.5, 0.1])
    nested = Dataset()
    nested.PatientName, nested.PatientID, nested.StudyDate = p.name, p.patient_id, study.date
    inner = Dataset()
    inner.OperatorsName, inner.AccessionNumber = p.operator, study.accession
    nested.RequestAttributesSequence = Sequence([inner])
    site = ds.private_block(0x0045, "QUIRL ROUTING 1.0", create=True)
    site.add_new(0x01, "SQ", Sequence([nested]))
    site.add_new(0x02, "LT", f"{p.patient_id} {p.name} born {p.birth_date}; {p.address}")
    site.add_new(0x03, "UN", f"PID={p.patient_id};SER={p.device_serial}".encode("latin-1").ljust(64, b"\0"))
