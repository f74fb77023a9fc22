"""What the files of a phantom study promise to those who read them."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import UID

from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES, planted_strings
from seed_data.phantom.lesions import Lesion
from seed_data.phantom.mr import write_mr
from seed_data.phantom.ultrasound import write_ultrasound
from tests.seed.conftest import Written


def complaints(paths: list[Path]) -> list[str]:
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    found = []
    for path in paths:
        said = subprocess.run([program, str(path)], capture_output=True, text=True, errors="replace", check=False)
        lines = said.stdout + said.stderr
        assert lines.strip(), "dciodvfy names at least the object's class"
        found += [f"{path.parent.name}/{path.name}: {line}" for line in lines.splitlines() if line.startswith("Error")]
    return found


def test_a_validator_finds_no_error_in_ct_localizer_contours_and_dose_page(short_ct: Written):
    classes = {pydicom.dcmread(p, stop_before_pixels=True).SOPClassUID.name for p in short_ct.paths}
    assert classes == {"CT Image Storage", "Secondary Capture Image Storage", "RT Structure Set Storage"}
    assert complaints([short_ct.paths[0], *short_ct.paths[1:24:8], *short_ct.paths[-2:]]) == []


def test_a_validator_finds_no_error_in_both_mr_series(head_mr: Written):
    assert complaints([head_mr.paths[0], head_mr.paths[23], head_mr.paths[24], head_mr.paths[-1]]) == []


@pytest.mark.slow
def test_a_validator_finds_no_error_in_anybodys_study(tmp_path: Path):
    for number, patient in enumerate(PATIENT_IDENTITIES):
        paths = write_ct(
            tmp_path / str(number), patient, study_date="20260105", slices=2, size=64, study_key="a",
            dose_report=True, rtstruct=True,
        )  # fmt: skip
        paths += write_mr(tmp_path / f"mr{number}", patient, study_date="20260106", slices=2, size=64, study_key="b")
        assert complaints(paths) == []


@pytest.mark.parametrize("patient", PATIENT_IDENTITIES, ids=lambda p: p.patient_id)
def test_every_planted_string_stands_in_the_raw_bytes_of_a_study(patient, tmp_path: Path):
    paths = write_ct(tmp_path, patient, study_date="20260105", slices=1, size=64, study_key="a", rtstruct=True)
    raw = b"".join(path.read_bytes() for path in paths)
    encoding = "utf-8" if patient.charset == "ISO_IR 192" else "latin-1"
    missing = [text for text in planted_strings(patient) if text.encode(encoding) not in raw]
    assert missing == []


def test_the_mr_hides_identities_in_binary_private_values(head_mr: Written):
    ds = head_mr.objects("MR")[0]
    blob = ds[0x0029, 0x1020].value
    assert head_mr.patient.name.encode() in blob
    assert head_mr.patient.patient_id.encode() in blob


def test_no_two_people_share_what_identifies_one_of_them():
    for field in ("name", "patient_id", "other_id", "address", "phone", "accession", "birth_date"):
        values = [getattr(p, field) for p in PATIENT_IDENTITIES]
        assert len(set(values)) == len(values), field
    assert len(PATIENT_IDENTITIES) == 14


def test_slices_are_contiguous_in_one_frame_of_reference(short_ct: Written):
    slices = short_ct.axial()
    assert len(slices) == 24
    heights = [float(ds.ImagePositionPatient[2]) for ds in slices]
    assert all(a - b == pytest.approx(5.0) for a, b in pairwise(heights))
    assert {float(ds.SliceThickness) for ds in slices} == {5.0}
    assert len({ds.FrameOfReferenceUID for ds in slices}) == 1
    assert all(float(ds.SliceLocation) == float(ds.ImagePositionPatient[2]) for ds in slices)


def test_every_reference_of_the_contours_is_a_slice_of_the_study_at_that_height(short_ct: Written):
    slices = {ds.SOPInstanceUID: ds for ds in short_ct.axial()}
    (contours,) = short_ct.objects("RTSTRUCT")
    frame = contours.ReferencedFrameOfReferenceSequence[0]
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    one = next(iter(slices.values()))
    assert frame.FrameOfReferenceUID == one.FrameOfReferenceUID
    assert series.SeriesInstanceUID == one.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in series.ContourImageSequence} == set(slices)
    assert len(contours.ROIContourSequence) == len(short_ct.lesions) + 1
    for roi in contours.ROIContourSequence:
        for drawn in roi.ContourSequence:
            image = slices[drawn.ContourImageSequence[0].ReferencedSOPInstanceUID]
            assert {float(z) for z in drawn.ContourData[2::3]} == {float(image.ImagePositionPatient[2])}
            assert len(drawn.ContourData) == 3 * drawn.NumberOfContourPoints


def test_slices_refer_to_the_localizer_of_their_own_study(short_ct: Written):
    localizer = pydicom.dcmread(short_ct.paths[0])
    assert localizer.ImageType[2] == "LOCALIZER"
    for ds in short_ct.axial():
        assert ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID == localizer.SOPInstanceUID


def test_uids_are_valid_unique_and_of_the_uuid_kind(short_ct: Written, head_mr: Written):
    headers = [pydicom.dcmread(p, stop_before_pixels=True) for p in [*short_ct.paths, *head_mr.paths]]
    uids = [ds.SOPInstanceUID for ds in headers]
    assert len(set(uids)) == len(uids)
    assert all(uid.startswith("2.25.") and UID(uid).is_valid for uid in uids)
    assert len({ds.StudyInstanceUID for ds in headers}) == 2


def test_the_same_request_gives_the_same_bytes_and_another_visit_other_ones(tmp_path: Path):
    def write(place: str, key: str) -> list[bytes]:
        paths = write_ct(
            tmp_path / place, PATIENT_IDENTITIES[4], study_date="20260105", slices=2, size=64, study_key=key,
            lesions=[Lesion("liver", 20)], dose_report=True, rtstruct=True,
        )  # fmt: skip
        paths += write_mr(
            tmp_path / place, PATIENT_IDENTITIES[4], study_date="20260105", slices=2, size=64, study_key=key
        )
        return [path.read_bytes() for path in paths]

    first = write("one", "screening")
    assert first == write("two", "screening")
    assert not set(first) & set(write("three", "week 8"))


def test_the_dose_page_shows_the_name_in_its_pixels(short_ct: Written):
    page = pydicom.dcmread(short_ct.paths[-2])
    assert page.BurnedInAnnotation == "YES"
    name_line = page.pixel_array[66:92]
    assert (name_line > 128).sum() > 200
    assert (page.pixel_array[470:] > 128).sum() == 0


def test_the_clip_shows_the_name_in_every_frame_beside_the_echoes_and_is_valid(tmp_path: Path):
    path = write_ultrasound(tmp_path, PATIENT_IDENTITIES[0], study_date="20260302", study_key="screening", frames=3)
    clip = pydicom.dcmread(path)
    assert clip.NumberOfFrames == 3
    top = clip.SequenceOfUltrasoundRegions[0].RegionLocationMinY0
    assert all((frame[:top] > 128).sum() > 500 for frame in clip.pixel_array)
    assert len({frame.tobytes() for frame in clip.pixel_array}) == 3
    assert complaints([path]) == []


def test_progress_is_told_up_to_the_last_file(tmp_path: Path):
    told: list[tuple[int, int]] = []
    paths = write_ct(
        tmp_path, PATIENT_IDENTITIES[2], study_date="20260105", slices=3, size=64, study_key="a", rtstruct=True,
        progress=lambda done, of: told.append((done, of)),
    )  # fmt: skip
    assert told[-1] == (len(paths), len(paths))
    assert told[0] == (1, len(paths))
