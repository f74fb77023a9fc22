"""The dose page a scanner keeps as a picture: a Secondary Capture with the patient's name burned in."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from seed_data.phantom.ct_header import DOSE_SERIES, image_uid
from seed_data.phantom.header import Study, save, series_folder, write_common, write_equipment

_SIZE = 512
_COLUMNS = (14, 74, 150, 272, 354, 436)


def report_lines(study: Study) -> list[str]:
    """Give the lines as they stand in the picture, top to bottom; a bar parts the cells of the table."""
    p, day = study.patient, study.date
    when = f"{day[6:]}.{day[4:6]}.{day[:4]}"
    born = f"{p.birth_date[6:]}.{p.birth_date[4:6]}.{p.birth_date[:4]}"
    return [
        p.institution, "",
        f"Name: {p.spoken_name}", f"ID: {p.patient_id}    Born: {born}    Sex: {p.sex}",
        f"Exam date: {when}    Accession: {study.accession}", f"Operator: {p.operator.replace('^', ', ')}", "",
        "Dose Report", "",
        "Series|Type|Range (mm)|CTDIvol|DLP|Phantom",
        "|||(mGy)|(mGy.cm)|cm",
        "1|Scout|S0.0 - I480.0|-|-|-",
        "2|Helical|S0.0 - I480.0|8.74|447.31|Body 32",
        "", "||Total Exam DLP:||447.31", "", "||1/1",
    ]  # fmt: skip


def write_dose_report(folder: Path, study: Study) -> Path:
    """Write the dose page of a CT study as its last series (PS3.3 A.8.1); gives the file."""
    ds = Dataset()
    write_common(ds, study, SecondaryCaptureImageStorage)
    write_equipment(ds, study, "GE MEDICAL SYSTEMS", "Revolution Phantom", "revo_ct_22bc.50")
    ds.Modality, ds.ConversionType = "CT", "WSD"
    ds.SeriesInstanceUID, ds.SeriesNumber = study.uid(f"series {DOSE_SERIES}"), DOSE_SERIES
    ds.SeriesDescription, ds.SeriesDate, ds.SeriesTime = "Dose Report", study.date, study.time(200)
    ds.SOPInstanceUID, ds.InstanceNumber = image_uid(study, DOSE_SERIES, 1), 1
    ds.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    ds.ContentDate, ds.ContentTime, ds.InstanceCreationTime = study.date, study.time(201), study.time(201)
    ds.PatientOrientation, ds.BodyPartExamined = "", study.body_part
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = study.date, study.time(201)
    ds.SecondaryCaptureDeviceManufacturer = "GE MEDICAL SYSTEMS"
    ds.SecondaryCaptureDeviceID = study.patient.station
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = _SIZE
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.WindowCenter, ds.WindowWidth = "128", "256"
    ds.BurnedInAnnotation, ds.LossyImageCompression = "YES", "00"
    ds.ImageComments = f"Dose of {study.patient.spoken_name}"
    ds.PixelData = _draw(report_lines(study))
    return save(ds, series_folder(folder, study, DOSE_SERIES) / "IM000001", study)


def _draw(lines: list[str]) -> bytes:
    picture = Image.new("L", (_SIZE, _SIZE), 0)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    for row, line in enumerate(lines):
        # The built-in font has no letters with accents: it would draw boxes in their place.
        plain = unicodedata.normalize("NFKD", line).encode("ascii", "ignore").decode()
        for column, cell in zip(_COLUMNS, plain.split("|"), strict=False):
            draw.text((column, 16 + 27 * row), cell, fill=235, font=font)
    return picture.tobytes()
