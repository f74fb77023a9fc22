"""Write a short ultrasound clip as a scanner saves it: a moving fan of echoes, with the patient's name in it."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UltrasoundMultiFrameImageStorage

from seed_data.phantom.ct_header import image_uid
from seed_data.phantom.header import Study, save, series_folder, write_common, write_equipment
from seed_data.phantom.identities import Patient
from seed_data.phantom.uids import number_from

CLIP_SERIES = 71
ROWS, COLUMNS = 480, 640
_APEX, _NEAR, _FAR, _HALF_ANGLE = (320.0, 20.0), 45.0, 420.0, 0.62
_REGION = (52, 64, 588, 442)


def write_ultrasound(
    folder: Path, patient: Patient, *, study_date: str, frames: int = 24, seed: int = 1, study_key: str,
    description: str = "CT CHEST ABDOMEN WITH CONTRAST",
) -> Path:  # fmt: skip
    """Write one clip as a further series of a study (PS3.3 A.7); gives the file.

    The same patient, date, seed and key as of a CT make it part of that study.
    """
    study = Study(patient, study_date, seed, study_key, description, "CHEST")
    ds = Dataset()
    write_common(ds, study, UltrasoundMultiFrameImageStorage)
    write_equipment(ds, study, "PHANTOM SONICS", "Fan 5", "fan_5.2")
    ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber = "US", study.uid(f"series {CLIP_SERIES}"), CLIP_SERIES
    ds.SeriesDescription, ds.SeriesDate, ds.SeriesTime = "Liver", study.date, study.time(1200)
    ds.SOPInstanceUID, ds.InstanceNumber = image_uid(study, CLIP_SERIES, 1), 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    ds.ContentDate, ds.ContentTime, ds.InstanceCreationTime = study.date, study.time(1201), study.time(1201)
    ds.AcquisitionDateTime = f"{study.date}{study.time(1200)}"
    ds.PatientOrientation, ds.BodyPartExamined = "", "LIVER"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.NumberOfFrames = ROWS, COLUMNS, frames
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.FrameIncrementPointer, ds.FrameTime = 0x00181063, "40"
    ds.LossyImageCompression = "00"
    ds.SequenceOfUltrasoundRegions = Sequence([_region()])
    ds.PixelData = _clip(study, frames).tobytes()
    return save(ds, series_folder(folder, study, CLIP_SERIES) / "IM000001", study)


def _region() -> Dataset:
    """Say where in the picture the echoes are (PS3.3 C.8.5.5)."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = 1, 1, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = _REGION[:2]
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = _REGION[2:]
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = 0.03
    return item


def burned_in(study: Study) -> tuple[tuple[int, int, str], ...]:
    """Give the words in the picture with their places: two lines that name the patient, and the scanner's own."""
    p, day = study.patient, study.date
    return (
        (10, 8, f"{p.family_name}, {p.name.split('^')[1]}   {p.patient_id}"),
        (10, 30, f"{day[6:]}.{day[4:6]}.{day[:4]}   {study.time()[:2]}:{study.time()[2:4]}   {p.institution[:24]}"),
        (560, 8, "MI 1.1"),
    )


def _clip(study: Study, frames: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(number_from("echoes", study.uid("study")))
    y, x = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float32)
    radius = np.hypot(x - _APEX[0], y - _APEX[1])
    angle = np.arctan2(x - _APEX[0], y - _APEX[1])
    fan = (radius > _NEAR) & (radius < _FAR) & (np.abs(angle) < _HALF_ANGLE) & (y > _REGION[1])
    grain = rng.rayleigh(1.0, (ROWS, COLUMNS)).astype(np.float32)
    words = _words(burned_in(study))
    clip = np.empty((frames, ROWS, COLUMNS), np.uint8)
    for number in range(frames):
        breath = 14 * np.sin(2 * np.pi * number / max(frames, 1))
        tissue = 46 + 20 * np.sin((radius + breath) / 23) * np.cos(angle * 9)
        vessel = np.hypot(x - 350, y - 240 - breath) < 34
        speckle = np.roll(grain, int(breath), axis=0)
        picture = np.where(fan, np.where(vessel, 9, tissue) * speckle * np.exp(-radius / 900), 0)
        clip[number] = np.maximum(np.clip(picture, 0, 190).astype(np.uint8), words)
    return clip


def _words(lines: tuple[tuple[int, int, str], ...]) -> NDArray[np.uint8]:
    picture = Image.new("L", (COLUMNS, ROWS), 0)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    for x, y, line in lines:
        # The built-in font has no letters with accents: it would draw boxes in their place.
        draw.text((x, y), unicodedata.normalize("NFKD", line).encode("ascii", "ignore").decode(), fill=230, font=font)
    return np.asarray(picture)
