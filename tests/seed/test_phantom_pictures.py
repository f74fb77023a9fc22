"""What the pictures show: lesions of the size asked for, the same body at every visit, organs where they belong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from seed_data.phantom.build import build_of
from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES
from seed_data.phantom.lesions import Lesion, place
from tests.seed.conftest import Written

# Halfway between the lesion and what is around it, in HU, and whether the lesion is the brighter one.
HALFWAY = {"lung": (-400, True), "liver": (80, False), "node": (-10, True), "adrenal": (-20, True)}


def longest_diameter(plane: np.ndarray, row: float, column: float, pixel: float, site: str) -> float:
    """Measure as a reader does, in the axial slice: grow from the middle, take the longest line (mm)."""
    level, bright = HALFWAY[site]
    # Wider where little contrast stands against noise: with three pixels noise on the border of a liver
    # lesion adds up to 2.5 mm to the longest line, which is the measurement and not the lesion.
    width = 5 if site == "liver" else 3
    padded = np.pad(plane, width // 2, mode="edge")
    smooth = sum(padded[i : i + 512, j : j + 512] for i in range(width) for j in range(width)) / width**2
    inside = (smooth > level) if bright else (smooth < level)
    if not bright:
        inside &= smooth > 0
    seen, front = set(), [(round(row), round(column))]
    while front:
        at = front.pop()
        if at in seen or not inside[at]:
            continue
        seen.add(at)
        front += [(at[0] + 1, at[1]), (at[0] - 1, at[1]), (at[0], at[1] + 1), (at[0], at[1] - 1)]
        assert len(seen) < 8000, f"the {site} lesion runs into its surroundings"
    points = np.array(sorted(seen), float)
    assert len(points) > 10, f"no {site} lesion at its place"
    angles = np.linspace(0, np.pi, 90, endpoint=False)
    along = points @ np.stack([np.sin(angles), np.cos(angles)])
    return float((np.ptp(along, axis=0) + 0.5).max() * pixel)


@pytest.mark.parametrize("index", range(5), ids=["lung", "liver", "node", "adrenal", "second liver"])
def test_a_lesion_measures_what_was_asked_within_two_millimetres(short_ct: Written, index: int):
    slices = short_ct.axial()
    (contours,) = short_ct.objects("RTSTRUCT")
    lesion = short_ct.lesions[index]
    outlines = contours.ROIContourSequence[index].ContourSequence
    drawn = max(outlines, key=lambda c: np.ptp(np.array(c.ContourData[0::3], float)))
    image = next(ds for ds in slices if ds.SOPInstanceUID == drawn.ContourImageSequence[0].ReferencedSOPInstanceUID)
    pixel = float(image.PixelSpacing[0])
    x, y = (float(np.mean([float(v) for v in drawn.ContourData[axis::3]])) for axis in (0, 1))
    column, row = ((v - float(image.ImagePositionPatient[a])) / pixel for a, v in ((0, x), (1, y)))
    measured = longest_diameter(image.pixel_array - 1024.0, row, column, pixel, lesion.site)
    assert measured == pytest.approx(lesion.diameter_mm, abs=2.0)


@pytest.mark.slow
@pytest.mark.parametrize("who", range(14))
def test_lesions_of_everybody_measure_what_was_asked(who: int, tmp_path: Path):
    lesions = (Lesion("lung", 18), Lesion("liver", 26), Lesion("node", 20), Lesion("adrenal", 16))
    paths = write_ct(
        tmp_path, PATIENT_IDENTITIES[who], study_date="20260105", lesions=lesions, slices=24, study_key="s",
        rtstruct=True,
    )  # fmt: skip
    study = Written(PATIENT_IDENTITIES[who], lesions, paths)
    for index in range(len(lesions)):
        test_a_lesion_measures_what_was_asked_within_two_millimetres(study, index)


def test_the_body_stays_and_only_lesion_and_noise_change_between_visits(tmp_path: Path):
    def middle(key: str, diameter: float) -> np.ndarray:
        paths = write_ct(
            tmp_path / key, PATIENT_IDENTITIES[1], study_date="20260105", lesions=[Lesion("liver", diameter)],
            slices=24, size=256, study_key=key,
        )  # fmt: skip
        return Written(PATIENT_IDENTITIES[1], (), paths).volume()

    before, after = middle("screening", 30), middle("week 8", 14)
    difference = np.abs(before - after).mean(axis=(1, 2))
    assert difference.max() < 15, "nothing but noise and the lesion differs"
    changed = np.abs(before - after) > 55
    assert changed.sum() > 20
    bone = (before > 350) & (after > 350)
    assert bone.sum() > 0.97 * (before > 380).sum()


def test_two_people_do_not_have_the_same_body(tmp_path: Path):
    first, second = (
        Written(
            p,
            (),
            write_ct(tmp_path / p.patient_id, p, study_date="20260105", slices=3, size=128, study_key="a"),
        ).volume()
        for p in PATIENT_IDENTITIES[:2]
    )
    assert np.abs(first - second).mean() > 40


def test_values_are_those_of_the_tissues(short_ct: Written):
    volume = short_ct.volume()
    air = volume[:, :20, :20]
    assert np.mean(air) == pytest.approx(-1000, abs=10)
    share = {
        "lung": ((volume > -920) & (volume < -700)).mean(), "fat": ((volume > -140) & (volume < -60)).mean(),
        "soft tissue": ((volume > 20) & (volume < 160)).mean(), "bone": (volume > 350).mean(),
    }  # fmt: skip
    assert 0.03 < share["lung"] < 0.3
    assert 0.05 < share["fat"] < 0.3
    assert 0.1 < share["soft tissue"] < 0.4
    assert 0.003 < share["bone"] < 0.05


def test_noise_has_grain_and_differs_from_slice_to_slice(short_ct: Written):
    volume = short_ct.volume()
    # In the air outside nothing but noise is there (clipped nowhere at -1000).
    corner = volume[:, 5:85, 5:85] + 1000
    assert 3 < corner.std() < 15
    beside = np.corrcoef(corner[:, :, :-1].ravel(), corner[:, :, 1:].ravel())[0, 1]
    between = np.corrcoef(corner[:-1].ravel(), corner[1:].ravel())[0, 1]
    assert beside > 0.3
    assert abs(between) < 0.1


def test_a_lesion_of_no_size_is_not_there():
    placed = place(build_of(PATIENT_IDENTITIES[0], 1), (Lesion("liver", 0), Lesion("liver", 12)), [285.0, 262.0])
    assert placed[0].size_at(placed[0].depth) == 0
    assert placed[1].size_at(placed[1].depth) == 1


def test_more_lesions_than_a_site_has_room_for_are_refused():
    with pytest.raises(ValueError, match="room for 2"):
        place(build_of(PATIENT_IDENTITIES[0], 1), (Lesion("adrenal", 9),) * 3, [300.0])


def test_the_two_weightings_of_a_head_show_fluid_dark_and_bright(head_mr: Written):
    t2, t1 = (pydicom.dcmread(head_mr.paths[i]).pixel_array for i in (12, 36))
    ventricles = t2 > 700
    assert 100 < ventricles.sum() < 6000
    assert t1[ventricles].mean() < 0.5 * t1[(t2 > 250) & (t2 < 420)].mean()
