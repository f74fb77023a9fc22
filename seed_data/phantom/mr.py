"""Write an MR of the head as a scanner's export: a T1 series after contrast and a T2 series."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import MRImageStorage

from seed_data.phantom.brain import Plane, head_of, paint_head
from seed_data.phantom.ct import Progress
from seed_data.phantom.header import Study, reference, save, series_folder, write_common, write_equipment
from seed_data.phantom.identities import Patient
from seed_data.phantom.uids import number_from

Stored = NDArray[np.uint16]
_FIELD_MM = 230.0
# series number · weighting · description · TR · TE · TI · echo train · flip angle · sequence · variant
_SERIES = (
    (3, "T2", "t2_tse_tra_p2", "4800", "94", None, 15, "150", "*tse2d1_15", "SK"),
    (7, "T1", "t1_fl2d_tra_KM", "420", "8.4", None, 1, "70", "*fl2d1", "SP"),
)


def write_mr(
    folder: Path, patient: Patient, *, study_date: str, lesions: Sequence[float] = (), slices: int = 24,
    size: int = 256, slice_mm: float = 5.0, seed: int = 1, study_key: str, progress: Progress | None = None,
) -> list[Path]:  # fmt: skip
    """Write one MR study of the head below ``folder`` and give its files, T2 first, then T1.

    ``lesions`` are the diameters in mm of up to three metastases of the brain; the first is always the
    same one. Slices run from the base to the crown. ``study_date`` is YYYYMMDD. The same seed, patient,
    study key and date give the same bytes.
    """
    study = Study(patient, study_date, seed, study_key, "MR HEAD WITH AND WITHOUT CONTRAST", "BRAIN")
    head, pixel = head_of(patient, seed, slices, size), _FIELD_MM / size
    rng = np.random.default_rng(number_from("mr noise", study.uid("study")))
    written: list[Path] = []
    lowest = 12 - (slices - 1) * slice_mm / 2
    for row in _SERIES:
        series, weighting = row[0], row[1]
        ds = _series_header(study, row, size, pixel, slice_mm)
        for index in range(slices):
            z, seconds = lowest + index * slice_mm, 120 * series + 2.4 * index
            ds.SOPInstanceUID, ds.InstanceNumber = study.uid(f"instance {series} {index + 1}"), index + 1
            corner = f"{-(size - 1) / 2 * pixel:.4f}"
            ds.ImagePositionPatient, ds.SliceLocation = [corner, corner, f"{z:.3f}"], f"{z:.3f}"
            ds.AcquisitionTime, ds.ContentTime = study.time(seconds), study.time(seconds + 3)
            ds.InstanceCreationTime = study.time(seconds + 3)
            picture = paint_head(head, index, z, pixel=pixel, weighting=weighting, diameters=lesions)
            stored, top = _received(picture, rng), 4095
            ds.SmallestImagePixelValue, ds.LargestImagePixelValue = (
                int(stored.min()),
                min(top, int(stored.max())),
            )
            ds.PixelData = stored.tobytes()
            written.append(save(ds, series_folder(folder, study, series) / f"IM{index + 1:06}", study))
            if progress:
                progress(len(written), slices * len(_SERIES))
    return written


def _received(picture: Plane, rng: np.random.Generator) -> Stored:
    """Give what the coils receive: brighter near them, blurred by the echo train, with Rician noise."""
    size = picture.shape[0]
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    coil = 0.84 + 0.22 * (axis[None, :] ** 2 + axis[:, None] ** 2)
    soft = picture.copy()
    soft[1:-1] = 0.2 * picture[:-2] + 0.6 * picture[1:-1] + 0.2 * picture[2:]
    signal = soft * coil
    real, imaginary = rng.normal(0, 13, (2, size, size)).astype(np.float32)
    received = np.clip(np.hypot(signal + real, imaginary), 0, 4095)
    stored: Stored = received.astype("<u2")
    return stored


def _series_header(study: Study, row: tuple[object, ...], size: int, pixel: float, slice_mm: float) -> Dataset:
    series, weighting, description, repetition, echo, _, train, flip, sequence, variant = row
    ds = Dataset()
    write_common(ds, study, MRImageStorage)
    write_equipment(ds, study, "SIEMENS", "Aera Phantom", "syngo MR E11")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"]
    ds.Modality, ds.SeriesNumber, ds.SeriesDescription = "MR", series, description
    ds.SeriesInstanceUID, ds.ProtocolName = study.uid(f"series {series}"), description
    ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = study.date
    ds.SeriesTime = study.time(120 * int(str(series)))
    ds.PatientPosition, ds.BodyPartExamined = "HFS", study.body_part
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = study.uid("frame of reference"), ""
    ds.ScanningSequence, ds.SequenceVariant = ("SE" if weighting == "T2" else "GR"), variant
    ds.ScanOptions, ds.MRAcquisitionType, ds.SequenceName = "PFP", "2D", sequence
    ds.AngioFlag, ds.SliceThickness, ds.SpacingBetweenSlices = "N", f"{slice_mm:.3f}", f"{slice_mm:.3f}"
    ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength, ds.FlipAngle = repetition, echo, train, flip
    ds.NumberOfAverages, ds.ImagingFrequency, ds.ImagedNucleus = "1", "63.682", "1H"
    ds.EchoNumbers, ds.MagneticFieldStrength, ds.PixelBandwidth = 1, "1.5", "195"
    ds.NumberOfPhaseEncodingSteps, ds.PercentSampling, ds.PercentPhaseFieldOfView = size, "100", "100"
    ds.AcquisitionMatrix, ds.InPlanePhaseEncodingDirection = [size, 0, 0, size], "ROW"
    ds.TransmitCoilName, ds.VariableFlipAngleFlag, ds.SAR, ds.dBdt = "Body", "N", "0.0731", "0"
    if weighting == "T1":
        ds.ContrastBolusAgent, ds.ContrastBolusVolume = "GADOBUTROL", "8"
    ds.AcquisitionNumber = 1
    ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [f"{pixel:.6f}"] * 2
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", size, size
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.WindowCenter, ds.WindowWidth = "430", "900"
    other = study.uid(f"instance {_SERIES[0][0]} 1")
    ds.ReferencedImageSequence = Items([reference(MRImageStorage, other)])
    ds.BurnedInAnnotation = "NO"
    _write_private(ds, study)
    return ds


def _write_private(ds: Dataset, study: Study) -> None:
    """Write private groups in the manner of this maker: a binary header that repeats who the patient is."""
    p = study.patient
    measure = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    measure.add_new(0x08, "CS", "IMAGE NUM 4")
    measure.add_new(0x12, "SL", [0, 0, -1362])
    measure.add_new(0x15, "FD", [-114.5, -114.5, 12.0])
    csa = ds.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    csa.add_new(0x08, "CS", "IMAGE NUM 4")
    csa.add_new(0x09, "LO", study.date)
    csa.add_new(0x10, "OB", _binary_header(study, ("EchoLinePosition", "UsedPatientWeight", "ImaCoilString")))
    csa.add_new(0x20, "OB", _binary_header(study, ("tPatientName", "tPatientID", "PatientBirthday", "DeviceSerial")))
    other = ds.private_block(0x0051, "SIEMENS MR HEADER", create=True)
    other.add_new(0x08, "CS", "IMAGE NUM 4")
    other.add_new(0x0A, "LO", "TA 02:14")
    other.add_new(0x0F, "LO", "HEA;HEP")
    other.add_new(0x19, "LO", p.spoken_name)


def _binary_header(study: Study, names: tuple[str, ...]) -> bytes:
    p = study.patient
    known = {
        "tPatientName": p.name, "tPatientID": p.patient_id, "PatientBirthday": p.birth_date,
        "DeviceSerial": p.device_serial, "UsedPatientWeight": f"{p.weight_kg:.1f}",
    }  # fmt: skip
    encoding = "utf-8" if p.charset == "ISO_IR 192" else "latin-1"
    parts = [b"SV10\4\3\2\1", len(names).to_bytes(4, "little"), (77).to_bytes(4, "little")]
    for name in names:
        value = known.get(name, "0").encode(encoding)
        parts.extend([name.encode().ljust(64, b"\0"), len(value).to_bytes(4, "little"), value.ljust(68, b"\0")])
    return b"".join(parts)
