"""Boxes are laid on every kind of pixel data: what is under them is gone from every frame, what is beside them stays."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import parse_basic_offsets
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.pixels.rendered import covered, image, picture, written
from trialimg.domain.mask import Box, Mask, MaskBox
from trialimg.errors import BadInput, UnreadableObject
from trialimg.pixels.encode import Fragments
from trialimg.pixels.frames import Frames
from trialimg.pixels.looks import look
from trialimg.pixels.masking import told_of_masking, write_masked

BOX = Box(7, 5, 12, 9)
NATIVE = "1.2.840.10008.1.2.1"


def masked(source: Dataset | Path, mask: Mask, tmp_path: Path) -> Path:
    if isinstance(source, Dataset):
        (tmp_path / "original.dcm").write_bytes(written(source))
        source = tmp_path / "original.dcm"
    target = tmp_path / "masked.dcm"
    write_masked(source, target, mask)
    return target


def frames_of(path: Path, *, raw: bool = True) -> list[np.ndarray]:
    with path.open("rb") as stream:
        return [pixels.copy() for pixels in Frames(stream).decoded(raw=raw)]


def must_be_covered(before: list[np.ndarray], after: list[np.ndarray], box: Box = BOX) -> None:
    assert len(before) == len(after)
    shades = set()
    for old, new in zip(before, after, strict=True):
        beside = np.ones(old.shape[:2], dtype=bool)
        beside[box.y : box.bottom, box.x : box.right] = False
        assert np.array_equal(old[beside], new[beside])
        inside = new[box.y : box.bottom, box.x : box.right]
        assert (inside == inside[0, 0]).all()
        shades.add(inside[0, 0].tobytes())
    assert len(shades) == 1


def noise(*shape: int, kind: type = np.uint8, low: int = 0, high: int = 255) -> np.ndarray:
    return np.random.default_rng(4).integers(low, high, shape).astype(kind)


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("CT_small.dcm", NATIVE), ("MR_small_implicit.dcm", "1.2.840.10008.1.2"),
        ("MR_small_bigendian.dcm", "1.2.840.10008.1.2.2"), ("SC_rgb_small_odd_big_endian.dcm", "1.2.840.10008.1.2.2"),
        ("SC_rgb_small_odd.dcm", NATIVE), ("examples_palette.dcm", NATIVE), ("image_dfl.dcm", NATIVE),
        ("MR_small_RLE.dcm", "1.2.840.10008.1.2.5"), ("SC_rgb_rle_2frame.dcm", "1.2.840.10008.1.2.5"),
        ("MR_small_jp2klossless.dcm", "1.2.840.10008.1.2.4.90"), ("examples_jpeg2k.dcm", "1.2.840.10008.1.2.4.90"),
        ("MR_small_jpeg_ls_lossless.dcm", "1.2.840.10008.1.2.4.80"), ("SC_rgb_jpeg_gdcm.dcm", NATIVE),
    ],
)  # fmt: skip
def test_without_loss_every_bit_beside_the_boxes_stays(name, syntax, tmp_path):
    source = Path(str(get_testdata_file(name)))
    box = BOX if dcmread(source).Columns > 40 else Box(1, 0, 1, 2)
    target = masked(source, Mask.everywhere([box]), tmp_path)
    assert dcmread(target).file_meta.TransferSyntaxUID == syntax
    must_be_covered(frames_of(source), frames_of(target), box)


@pytest.mark.parametrize("name", ["SC_rgb_jpeg_dcmtk.dcm", "examples_ybr_color.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_lossy_gdcm.dcm"])
def test_a_lossy_picture_keeps_what_was_decoded_and_says_what_it_is(name, tmp_path):
    source = Path(str(get_testdata_file(name)))
    target = masked(source, Mask.everywhere([BOX]), tmp_path)
    made = dcmread(target)
    if dcmread(source).file_meta.TransferSyntaxUID.is_encapsulated:
        assert (made.file_meta.TransferSyntaxUID, made.LossyImageCompression) == (NATIVE, "01")
        assert made.PhotometricInterpretation in {"RGB", "MONOCHROME2"}
    must_be_covered(frames_of(source, raw=False), frames_of(target, raw=False), _whole_pairs(made))


def _whole_pairs(dataset: Dataset) -> Box:
    """Where two pixels share their colour, both are covered."""
    return Box(6, 5, 14, 9) if dataset.PhotometricInterpretation == "YBR_FULL_422" else BOX


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("shape", [(3, 71, 83), (3, 71, 83, 3)])
def test_compressed_clips_stay_compressed_with_a_true_offset_table(syntax, shape, tmp_path):
    clip = image(noise(*shape))
    clip.compress(syntax, encoding_plugin={RLELossless: "pylibjpeg", JPEGLSLossless: "pyjpegls", JPEG2000Lossless: "pylibjpeg"}[syntax], generate_instance_uid=False)
    target = masked(clip, Mask.everywhere([BOX]), tmp_path)
    made = dcmread(target)
    assert made.file_meta.TransferSyntaxUID == syntax
    must_be_covered(list(noise(*shape)), frames_of(target))
    offsets = parse_basic_offsets(made.PixelData)
    base = 8 + 4 * len(offsets)
    assert [made.PixelData[base + offset : base + offset + 4] for offset in offsets] == [b"\xfe\xff\x00\xe0"] * 3


def test_frames_without_a_box_are_copied_as_they_came(tmp_path):
    clip = image(noise(3, 71, 83))
    clip.compress(RLELossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    target = masked(clip, Mask((MaskBox(BOX, 1),)), tmp_path)
    before, after = list(noise(3, 71, 83)), frames_of(target)
    must_be_covered(before[1:2], after[1:2])
    for number in (0, 2):
        assert np.array_equal(before[number], after[number])


def test_an_extended_offset_table_is_written_anew(tmp_path):
    clip = image(noise(4, 71, 83))
    clip.compress(RLELossless, encoding_plugin="pylibjpeg", generate_instance_uid=False, encapsulate_ext=True)
    made = dcmread(masked(clip, Mask.everywhere([BOX]), tmp_path))
    offsets = np.frombuffer(made.ExtendedOffsetTable, "<u8").tolist()
    lengths = np.frombuffer(made.ExtendedOffsetTableLengths, "<u8").tolist()
    assert parse_basic_offsets(made.PixelData) == []
    assert all(after - before == 8 + length for (before, after), length in zip(pairwise(offsets), lengths, strict=False))
    assert len(offsets) == len(lengths) == 4


def test_a_table_too_narrow_for_its_offsets_becomes_the_extended_one():
    header, fragments = Dataset(), Fragments(BytesIO(), [2**31, 2**31, 10])
    assert fragments.describe(header, extended=False) == b""
    assert np.frombuffer(header.ExtendedOffsetTable, "<u8").tolist() == [0, 2**31 + 8, 2**32 + 16]


@pytest.mark.parametrize(
    ("pixels", "attributes", "black"),
    [
        (noise(71, 83), {}, 0),
        (noise(71, 83), {"PhotometricInterpretation": "MONOCHROME1"}, 255),
        (noise(71, 83, kind=np.uint16, high=4095), {"BitsStored": 12, "HighBit": 11}, 0),
        (noise(71, 83, kind=np.uint16, high=4095), {"BitsStored": 12, "HighBit": 11, "PhotometricInterpretation": "MONOCHROME1"}, 4095),
        (noise(71, 83, kind=np.int16, low=-900, high=900), {}, -1024),
        (noise(71, 83, 3), {}, 0),
        (noise(71, 83, 3), {"PhotometricInterpretation": "YBR_FULL"}, (0, 128, 128)),
        (noise(2, 71, 83, 3), {}, 0),
    ],
)  # fmt: skip
def test_the_colour_that_covers_is_black_in_every_interpretation(pixels, attributes, black, tmp_path):
    target = masked(image(pixels, **attributes), Mask.everywhere([BOX]), tmp_path)
    after = frames_of(target)
    must_be_covered([pixels] if pixels.ndim == len(after[0].shape) else list(pixels), after)
    assert (after[0][BOX.y, BOX.x] == black).all()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_other_native_syntaxes_are_covered_too(syntax, tmp_path):
    plain = image(noise(2, 71, 80, kind=np.uint16, high=60000))
    source, path = BytesIO(), tmp_path / "original.dcm"
    plain.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        plain.PixelData = noise(2, 71, 80, kind=np.uint16, high=60000).astype(">u2").tobytes()
    plain.save_as(source, enforce_file_format=True)
    path.write_bytes(source.getvalue())
    must_be_covered(list(noise(2, 71, 80, kind=np.uint16, high=60000)), frames_of(masked(path, Mask.everywhere([BOX]), tmp_path)))


def test_colours_kept_by_plane_are_covered_in_each(tmp_path):
    by_plane = image(noise(71, 83, 3), PlanarConfiguration=1)
    by_plane.PixelData = np.ascontiguousarray(noise(71, 83, 3).transpose(2, 0, 1)).tobytes() + b"\0"
    must_be_covered([noise(71, 83, 3)], frames_of(masked(by_plane, Mask.everywhere([BOX]), tmp_path)))


def test_what_stands_beside_the_stored_bits_goes_with_the_text(tmp_path):
    hidden = noise(71, 83, kind=np.uint16, high=4095) | np.uint16(1 << 15)
    made = dcmread(masked(image(hidden, BitsStored=12, HighBit=11), Mask.everywhere([BOX]), tmp_path))
    left = np.frombuffer(made.PixelData, "<u2", count=71 * 83).reshape(71, 83)
    assert left.max() < 4096
    must_be_covered([hidden & np.uint16(4095)], [left])


def test_overlays_icons_and_extremes_go_and_the_file_says_what_was_done(tmp_path):
    icon = image(noise(16, 16))
    shown = image(noise(71, 83), SmallestImagePixelValue=0, LargestImagePixelValue=254, IconImageSequence=[icon])
    shown.add_new(0x60000010, "US", 71)
    shown.add_new(0x60003000, "OW", b"\xff" * 160)
    shown.add_new(0x60020022, "LO", "OKONKWO")
    made = dcmread(masked(shown, Mask.everywhere([BOX]), tmp_path))
    assert not [tag for tag in made.keys() if tag.group & 0xFF00 == 0x6000]  # noqa: SIM118 - iterating decodes
    assert not {"IconImageSequence", "SmallestImagePixelValue", "LargestImagePixelValue"} & set(made.dir())
    assert made.BurnedInAnnotation == "NO"
    assert [item.CodeValue for item in made.DeidentificationMethodCodeSequence] == ["113101"]
    assert (made.ImageType[0], made.SOPInstanceUID) == ("ORIGINAL", "1.2.826.0.1.1")


def test_where_a_person_saw_no_text_no_pixel_changes_and_the_file_says_that_one_looked(tmp_path):
    for name in ("CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm"):
        source = Path(str(get_testdata_file(name)))
        target = masked(source, Mask(), tmp_path)
        before, after = dcmread(source), dcmread(target)
        assert after.PixelData == before.PixelData
        assert after.BurnedInAnnotation == "NO"
        assert [item.CodeValue for item in after.DeidentificationMethodCodeSequence] == ["113101"]


def test_what_no_decoder_here_reads_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(UnreadableObject, match="cannot be decoded"):
        masked(Path(str(get_testdata_file("JPGExtended.dcm"))), Mask.everywhere([BOX]), tmp_path)
    assert not (tmp_path / "masked.dcm").exists()


def test_masking_twice_gives_the_same_bytes(tmp_path):
    once = masked(image(noise(2, 71, 83, 3)), Mask.everywhere([BOX]), tmp_path).read_bytes()
    assert masked(image(noise(2, 71, 83, 3)), Mask.everywhere([BOX]), tmp_path).read_bytes() == once


@pytest.mark.parametrize(
    ("source", "mask"),
    [
        (image(noise(71, 83)), Mask.everywhere([Box(90, 5, 4, 4)])),
        (image(noise(71, 83)), Mask((MaskBox(BOX, 1),))),
        (image(noise(71, 83), BitsAllocated=1, BitsStored=1, HighBit=0), Mask.everywhere([BOX])),
        (image(noise(71, 83), PhotometricInterpretation="YBR_PARTIAL_420"), Mask.everywhere([BOX])),
    ],
)  # fmt: skip
def test_a_box_that_cannot_be_laid_is_refused_and_leaves_no_file(source, mask, tmp_path):
    with pytest.raises(BadInput, match="othing was covered|Discard|discard"):
        masked(source, mask, tmp_path)
    assert not (tmp_path / "masked.dcm").exists()


def test_found_masked_and_sought_again_nothing_is_left(tmp_path):
    shown, texts = picture(3)
    still = shown.copy()
    moving = np.repeat(still[None], 3, axis=0)
    moving[1, 10:20, 10:20] = 90
    clip = image(moving)
    found = [each.box for each in look(Frames(BytesIO(written(clip)))).found]
    assert all(covered(text, found) > 0.9 for text in texts)
    target = masked(clip, Mask.everywhere(found), tmp_path)
    for pixels in frames_of(target):
        for box in found:
            part = box.clipped(pixels.shape[1], pixels.shape[0])
            assert not pixels[part.y : part.bottom, part.x : part.right].any()
    with target.open("rb") as stream:
        left = [each.box for each in look(Frames(stream)).found]
    assert [box for box in left if any(covered(text, [box]) > 0 for text in texts)] == []


def dciodvfy_errors(path: Path) -> set[str]:
    done = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, errors="replace", check=False)
    assert done.stderr.strip(), "dciodvfy names at least the object's class"
    return {line for line in done.stderr.splitlines() if line.startswith("Error")}


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_a_validator_finds_no_new_error(syntax, tmp_path):
    for shape in ((71, 83), (2, 71, 83), (71, 83, 3)):
        shown = image(noise(*shape))
        if syntax:
            shown.compress(syntax, encoding_plugin={RLELossless: "pylibjpeg", JPEGLSLossless: "pyjpegls", JPEG2000Lossless: "pylibjpeg"}[syntax], generate_instance_uid=False)
        target = masked(shown, Mask.everywhere([BOX]), tmp_path)
        made = dcmread(target)
        made.PatientIdentityRemoved, made.DeidentificationMethod = "YES", "PS3.15"
        made.save_as(target)
        assert dciodvfy_errors(target) - dciodvfy_errors(tmp_path / "original.dcm") == set()


@pytest.mark.parametrize(
    ("name", "mask", "told"),
    [
        ("CT_small.dcm", Mask.everywhere([BOX]), {("(7FE0,0010)", "C")}),
        ("CT_small.dcm", Mask(()), set()),
        ("MR_small.dcm", Mask.everywhere([BOX]), {("(7FE0,0010)", "C"), ("(0028,0106)", "X"), ("(0028,0107)", "X")}),
        ("examples_ybr_color.dcm", Mask.everywhere([BOX]), {("(7FE0,0010)", "C"), ("(0028,0004)", "D")}),
    ],
)
def test_what_covering_changed_beside_the_pixels_is_told(name, mask, told, tmp_path):
    source = Path(get_testdata_file(name))
    target = masked(source, mask, tmp_path)
    assert {(each.tag, each.action) for each in told_of_masking(source, target, covered=bool(mask))} == told
