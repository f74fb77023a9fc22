"""Contours drawn on a CT: an RT Structure Set that refers to the very slices (PS3.3 A.19)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, RTStructureSetStorage

from seed_data.phantom.build import Build
from seed_data.phantom.ct_header import AXIAL_SERIES, RT_SERIES, Geometry, image_uid
from seed_data.phantom.header import (
    STUDY_COMPONENT_MANAGEMENT,
    Study,
    code,
    reference,
    save,
    series_folder,
    write_common,
    write_equipment,
)
from seed_data.phantom.lesions import PlacedLesion

_COLOURS = ([255, 64, 64], [255, 200, 0], [0, 200, 255], [190, 90, 255], [0, 220, 120], [255, 140, 0])


def write_rtstruct(folder: Path, study: Study, geometry: Geometry, build: Build, placed: list[PlacedLesion]) -> Path:
    """Write the contours of every lesion and of the spinal canal; gives the file."""
    ds = Dataset()
    write_common(ds, study, RTStructureSetStorage)
    write_equipment(ds, study, "CONTOURWORKS", "Planner Phantom", "9.1")
    del ds.PerformedStationAETitle, ds.PerformedStationName
    ds.Modality, ds.SeriesNumber = "RTSTRUCT", RT_SERIES
    ds.SeriesInstanceUID, ds.SeriesDescription = study.uid(f"series {RT_SERIES}"), "Target volumes"
    ds.SOPInstanceUID, ds.InstanceNumber = image_uid(study, RT_SERIES, 1), 1
    ds.InstanceCreationTime = ds.StructureSetTime = study.time(3600)
    ds.SeriesDate, ds.SeriesTime = study.date, study.time(3590)
    ds.StructureSetLabel, ds.StructureSetDate = "TARGETS", study.date
    ds.StructureSetName = f"{study.patient.family_name} targets"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = study.uid("frame of reference"), ""
    ds.ReferencedFrameOfReferenceSequence = Sequence([_frame(study, geometry)])
    ds.ApprovalStatus, ds.ReviewDate, ds.ReviewTime = "APPROVED", study.date, study.time(4000)
    ds.ReviewerName = study.patient.performing_physician
    ds.StructureSetROISequence = Sequence()
    ds.ROIContourSequence, ds.RTROIObservationsSequence = Sequence(), Sequence()
    drawings = [(f"Lesion {p.number} {p.lesion.site}", "GTV", _lesion_outlines(p, geometry)) for p in placed]
    drawings.append(("Spinal canal", "AVOIDANCE", _canal_outlines(build, geometry)))
    for number, drawing in enumerate((d for d in drawings if d[2]), 1):
        _add_roi(ds, study, geometry, number, drawing)
    return save(ds, series_folder(folder, study, RT_SERIES) / "RS000001", study)


def _frame(study: Study, geometry: Geometry) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = study.uid(f"series {AXIAL_SERIES}")
    series.ContourImageSequence = Sequence(
        reference(CTImageStorage, image_uid(study, AXIAL_SERIES, number + 1)) for number in range(geometry.slices)
    )
    of_study = reference(STUDY_COMPONENT_MANAGEMENT, study.uid("study"))
    of_study.RTReferencedSeriesSequence = Sequence([series])
    frame = Dataset()
    frame.FrameOfReferenceUID = study.uid("frame of reference")
    frame.RTReferencedStudySequence = Sequence([of_study])
    return frame


Outlines = dict[int, np.ndarray[tuple[int, int], np.dtype[np.float64]]]
"""For each slice (its index) the corners of one closed outline, as rows of x and y in mm."""


def _lesion_outlines(one: PlacedLesion, geometry: Geometry) -> Outlines:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.asarray(one.radius(angle.astype(np.float32)), np.float64)
    found: Outlines = {}
    for index, depth in enumerate(geometry.depths):
        size = one.size_at(depth)
        if size:
            far = radius * size
            found[index] = np.stack([one.x + far * np.cos(angle), one.y + far * np.sin(angle)], axis=1)
    return found


def _canal_outlines(build: Build, geometry: Geometry) -> Outlines:
    angle, found = np.linspace(0, 2 * np.pi, 24, endpoint=False), Outlines()
    for index, depth in enumerate(geometry.depths):
        y = float(build.spine(depth)) + 22 * build.scale
        found[index] = np.stack([10 * np.cos(angle), y + 8 * np.sin(angle)], axis=1)
    return found


def _add_roi(ds: Dataset, study: Study, geometry: Geometry, number: int, drawing: tuple[str, str, Outlines]) -> None:
    name, kind, outlines = drawing
    roi = Dataset()
    roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, name, "MANUAL"
    roi.ReferencedFrameOfReferenceUID = study.uid("frame of reference")
    roi.ROIDescription = f"drawn by {study.patient.operator.split('^')[0]}"
    drawn = Dataset()
    drawn.ROIDisplayColor, drawn.ReferencedROINumber = _COLOURS[(number - 1) % len(_COLOURS)], number
    drawn.ContourSequence = Sequence(
        _contour(study, geometry, index, corners, place) for place, (index, corners) in enumerate(outlines.items(), 1)
    )
    seen = Dataset()
    seen.ObservationNumber, seen.ReferencedROINumber, seen.RTROIInterpretedType = number, number, kind
    seen.ROIInterpreter = study.patient.performing_physician
    if kind == "GTV":
        seen.RTROIIdentificationCodeSequence = Sequence([code("86049000", "SCT", "Neoplasm, Primary")])
    ds.StructureSetROISequence.append(roi)
    ds.ROIContourSequence.append(drawn)
    ds.RTROIObservationsSequence.append(seen)


def _contour(study: Study, geometry: Geometry, index: int, corners: object, number: int) -> Dataset:
    z = f"{geometry.z(geometry.depths[index]):.3f}"
    points = np.asarray(corners)
    item = Dataset()
    item.ContourNumber, item.ContourGeometricType = number, "CLOSED_PLANAR"
    item.NumberOfContourPoints = len(points)
    item.ContourData = [value for x, y in points for value in (f"{x:.3f}", f"{y:.3f}", z)]
    image = image_uid(study, AXIAL_SERIES, index + 1)
    item.ContourImageSequence = Sequence([reference(CTImageStorage, image)])
    return item
