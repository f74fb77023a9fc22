from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES
from trialimg.errors import UnreadableObject
from trialimg.pixels.thumbnail import thumbnail


def picture(name: str, longest: int = 128) -> Image.Image:
    with Path(str(get_testdata_file(name))).open("rb") as stream:
        return Image.open(BytesIO(thumbnail(stream, longest=longest)))


@pytest.mark.parametrize(
    "name",
    [
        "CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "JPEG2000.dcm",
        "SC_rgb_small_odd_jpeg.dcm", "SC_rgb_rle_2frame.dcm", "MR_small_bigendian.dcm", "examples_ybr_color.dcm",
        "MR_small_jpeg_ls_lossless.dcm", "examples_palette.dcm", "liver_1frame.dcm",
    ],
)  # fmt: skip
def test_a_picture_is_made_of_every_common_encoding(name: str) -> None:
    made = picture(name)
    assert max(made.size) <= 128
    values = np.asarray(made.convert("L"))
    assert values.max() > values.min(), "a picture of nothing"


def test_a_small_image_is_not_blown_up_and_a_large_one_keeps_its_shape() -> None:
    assert picture("MR_small.dcm").size == (64, 64)
    made = picture("JPEG2000.dcm", 100)
    with Path(str(get_testdata_file("JPEG2000.dcm"))).open("rb") as stream:
        header = dcmread(stream, stop_before_pixels=True)
    assert abs(made.width / made.height - header.Columns / header.Rows) < 0.05


def test_a_ct_shows_bone_brighter_than_lung_brighter_than_air(tmp_path: Path) -> None:
    files = write_ct(tmp_path, PATIENT_IDENTITIES[0], slices=3, size=128, study_date="20260302", seed=1, study_key="t")
    with files[2].open("rb") as stream:
        values = np.asarray(Image.open(BytesIO(thumbnail(stream))))
    assert values[2, 2] == 0
    assert values.max() == 255
    assert 40 < np.median(values[48:80, 48:80]) < 220


def test_white_and_black_are_exchanged_where_the_file_says_so(tmp_path: Path) -> None:
    dataset = dcmread(str(get_testdata_file("CT_small.dcm")))
    plain = BytesIO()
    dataset.save_as(plain)
    dataset.PhotometricInterpretation = "MONOCHROME1"
    turned = BytesIO()
    dataset.save_as(turned)
    one, other = (np.asarray(Image.open(BytesIO(thumbnail(each))), dtype=int) for each in (plain, turned))
    assert np.abs(one + other - 255).max() <= 1


@pytest.mark.parametrize("name", ["rtplan.dcm", "reportsi.dcm"])
def test_what_has_no_picture_says_so(name: str) -> None:
    with pytest.raises(UnreadableObject, match="no picture"):
        picture(name)


def test_a_picture_that_cannot_be_decoded_says_so_and_is_no_fault() -> None:
    dataset = dcmread(str(get_testdata_file("JPEG2000.dcm")))
    dataset.PixelData = dataset.PixelData[:40] + bytes(60)
    broken = BytesIO()
    dataset.save_as(broken)
    with pytest.raises(UnreadableObject, match="cannot be decoded"):
        thumbnail(broken)
