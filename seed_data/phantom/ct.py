"""Write a CT of chest and abdomen as a scanner's export: localizer, axial slices, and what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seed_data.phantom.body import FIELD_MM, anatomy, body_of
from seed_data.phantom.canvas import Canvas, Plane
from seed_data.phantom.ct_header import (
    AXIAL_SERIES,
    LOCALIZER_SERIES,
    Geometry,
    axial_header,
    image_uid,
    localizer_header,
)
from seed_data.phantom.dose_report import write_dose_report
from seed_data.phantom.header import Study, save, series_folder
from seed_data.phantom.identities import Patient
from seed_data.phantom.lesions import Lesion, paint_lesions, place
from seed_data.phantom.rtstruct import write_rtstruct
from seed_data.phantom.uids import number_from

Progress = Callable[[int, int], None]
"""Told how many images are written and how many there will be."""

_FULL_MM, _SHORT_MIDDLE = 480.0, 258.0
_NOISE_TILE = 1024


def write_ct(
    folder: Path, patient: Patient, *, study_date: str, lesions: Sequence[Lesion] = (), slices: int = 96,
    size: int = 512, slice_mm: float = 5.0, seed: int = 1, study_key: str, dose_report: bool = False,
    rtstruct: bool = False, progress: Progress | None = None,
) -> list[Path]:  # fmt: skip
    """Write one CT study below ``folder`` and give its files: localizer, axial slices, then the others.

    The same seed and patient give the same body, so that visits differ only in lesions, noise, position and
    header; the same ``study_key`` as well gives the same bytes. A stack shorter than 480 mm lies around the
    diaphragm, where the first lesions of lung, liver, node and adrenal are. ``study_date`` is YYYYMMDD.

    Raises ValueError when a site has no room for that many lesions.
    """
    study = Study(patient, study_date, seed, study_key, "CT CHEST ABDOMEN WITH CONTRAST", "CHEST")
    geometry = _geometry(study, slices, size, slice_mm)
    body = body_of(patient, seed)
    placed = place(body.build, tuple(lesions), geometry.depths)
    total = slices + 1 + dose_report + rtstruct
    rng = np.random.default_rng(number_from("noise", study.uid("study")))
    ds, target = axial_header(study, geometry), series_folder(folder, study, AXIAL_SERIES)
    written: list[Path] = []
    shadow: list[NDArray[np.float32]] = []
    for index, depth in enumerate(geometry.depths):
        c = Canvas(size, geometry.pixel, depth, slice_mm, index)
        c.hu = anatomy(patient, seed, size=size, depth=depth, thickness=slice_mm, index=index)
        paint_lesions(c, placed)
        shadow.append(_thickness(c.hu))
        number, seconds = index + 1, 60 + 0.031 * index
        ds.SOPInstanceUID, ds.InstanceNumber = image_uid(study, AXIAL_SERIES, number), number
        ds.ImagePositionPatient = [f"{geometry.corner:.4f}"] * 2 + [f"{geometry.z(depth):.3f}"]
        ds.SliceLocation = f"{geometry.z(depth):.3f}"
        ds.AcquisitionNumber = 2
        ds.AcquisitionTime = ds.ContentTime = study.time(seconds)
        ds.ContentDate, ds.InstanceCreationTime = study.date, study.time(seconds + 9)
        ds.PixelData = _stored(c, rng)
        written.append(save(ds, target / f"IM{number:06}", study))
        if progress:
            progress(number, total)
    written.insert(0, _write_localizer(folder, study, geometry, np.stack(shadow)))
    if dose_report:
        written.append(write_dose_report(folder, study))
    if rtstruct:
        written.append(write_rtstruct(folder, study, geometry, body.build, placed))
    if progress:
        progress(total, total)
    return written


def _geometry(study: Study, slices: int, size: int, slice_mm: float) -> Geometry:
    length = slices * slice_mm
    # A short stack starts on the same grid as the long one, so that lesions sit in slices alike.
    start = 0.0 if length >= _FULL_MM - 40 else max(0.0, round((_SHORT_MIDDLE - length / 2) / slice_mm) * slice_mm)
    top = 120 + number_from("table", study.uid("study")) % 160 / 2
    return Geometry(slices, size, FIELD_MM / size, slice_mm, start + slice_mm / 2, top)


def _stored(c: Canvas, rng: np.random.Generator) -> bytes:
    """Give the slice as stored values, with the noise of a scanner: grainy, stronger behind much tissue."""
    tile = _noise()
    y, x = rng.integers(0, _NOISE_TILE - c.size, 2)
    noise = tile[y : y + c.size, x : x + c.size]
    if rng.random() < 0.5:
        noise = noise[::-1]
    if rng.random() < 0.5:
        noise = noise[:, ::-1]
    body = _thickness_map(c)
    hu = c.hu + noise * body
    np.maximum(hu, -1024, out=hu)
    return (hu + np.float32(1024.5)).astype("<i2").tobytes()


def _thickness_map(c: Canvas) -> Plane:
    # The middle of the body gets the fewest photons: twice the noise of its border.
    far = (c.x / np.float32(150)) ** 2 + (c.y / np.float32(110)) ** 2
    return np.float32(7.0) + np.float32(8.0) * np.exp(-far)


@cache
def _noise() -> Plane:
    """Give unit noise with the grain of a standard kernel: band-pass, as filtered back projection leaves it."""
    shape = (_NOISE_TILE, _NOISE_TILE)
    white = np.random.default_rng(77).standard_normal(shape, dtype=np.float32)
    frequency = np.sqrt(np.fft.fftfreq(shape[0])[:, None] ** 2 + np.fft.rfftfreq(shape[1])[None, :] ** 2)
    spectrum = np.fft.rfft2(white) * np.sqrt(frequency) * np.exp(-((frequency / 0.24) ** 2))
    grain = np.fft.irfft2(spectrum, shape).astype(np.float32)
    grain /= grain.std()
    return grain


def _thickness(hu: Plane) -> NDArray[np.float32]:
    """Give what one row of the localizer's detector sees: the mean attenuation from front to back."""
    columns: NDArray[np.float32] = np.maximum(hu, -1000).mean(axis=0) + 1000
    return columns


def _write_localizer(folder: Path, study: Study, geometry: Geometry, shadow: NDArray[np.float32]) -> Path:
    """Write the frontal scout: the projection of the slices, stretched to square pixels."""
    rows = int(geometry.slices * geometry.slice_mm / geometry.pixel)
    at = (np.arange(rows) * geometry.pixel - geometry.slice_mm / 2) / geometry.slice_mm
    low = np.clip(at.astype(int), 0, geometry.slices - 1)
    high, part = np.minimum(low + 1, geometry.slices - 1), np.clip(at - low, 0, 1)[:, None]
    picture = shadow[low] * (1 - part) + shadow[high] * part
    noise = np.random.default_rng(number_from("scout", study.uid("study"))).normal(0, 9, picture.shape)
    stored = np.clip(picture * 1.5 - 700 + noise + 1024, 0, 4000).astype("<i2")
    ds = localizer_header(study, geometry, rows)
    # The scan begins above the first slice when the stack is short.
    ds.ImagePositionPatient[2] = f"{geometry.z(geometry.first_depth - geometry.slice_mm / 2):.3f}"
    ds.PixelData = stored.tobytes()
    return save(ds, series_folder(folder, study, LOCALIZER_SERIES) / "IM000001", study)
