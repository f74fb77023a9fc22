from __future__ import annotations

import struct
from io import BytesIO

import pydicom
import pytest
from PIL import Image, ImageCms, JpegImagePlugin

from tests.dicom.conftest import pydicom_files
from trialimg.dicom.frames import cleaned_fragments, has_comments
from trialimg.dicom.icc import cleaned_profile

NAME = b"seen with Okonkwo"


def item(value):
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value


def encapsulated(*frames):
    return item(b"") + b"".join(item(frame) for frame in frames)


def jpeg(**options):
    stream = BytesIO()
    Image.effect_noise((32, 32), 60).convert("RGB").save(stream, "JPEG", **options)
    return stream.getvalue()


def colours(frame):
    return Image.open(BytesIO(frame)).convert("RGB").tobytes()


def first_frame(value):
    (length,) = struct.unpack_from("<L", value, 12)
    return value[16 : 16 + length]


@pytest.mark.parametrize("progressive", [False, True])
def test_a_comment_in_a_frame_is_blanked_and_the_picture_stays(progressive):
    spoken, silent = jpeg(comment=NAME, progressive=progressive), jpeg(progressive=progressive)
    assert NAME in spoken
    assert isinstance(Image.open(BytesIO(spoken)), JpegImagePlugin.JpegImageFile)
    value = encapsulated(spoken, silent)
    clean = cleaned_fragments(value, 2)
    assert len(clean) == len(value)
    assert b"Okonkwo" not in clean
    assert colours(first_frame(clean)) == colours(spoken)
    assert clean.endswith(value[-len(silent) :])
    assert cleaned_fragments(clean, 2) is clean


def test_application_data_that_no_decoder_needs_are_blanked():
    exif = Image.Exif()
    exif[0x013B] = "Okonkwo"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frame = jpeg(exif=exif, icc_profile=profile)
    assert b"Okonkwo" in frame
    clean = first_frame(cleaned_fragments(encapsulated(frame), 1))
    assert b"Okonkwo" not in clean
    assert b"JFIF" in clean
    assert colours(clean) == colours(frame)


def test_the_name_of_a_program_may_stay():
    value = encapsulated(jpeg(comment=b"Created by OpenJPEG version 2.5.2"))
    assert cleaned_fragments(value, 1) is value


def test_what_follows_the_end_of_a_frame_is_blanked():
    frame = jpeg()
    clean = cleaned_fragments(encapsulated(frame + NAME), 1)
    assert b"Okonkwo" not in clean
    assert first_frame(clean)[: len(frame)] == frame


def test_a_comment_of_jpeg_2000_is_blanked_and_the_picture_stays():
    stream = BytesIO()
    Image.effect_noise((32, 32), 60).save(stream, "JPEG2000", no_jp2=True, comment=NAME)
    frame = stream.getvalue()
    assert NAME in frame
    clean = cleaned_fragments(encapsulated(frame + b"behind Okonkwo"), 1)
    assert b"Okonkwo" not in clean
    assert Image.open(BytesIO(first_frame(clean))).tobytes() == Image.open(BytesIO(frame)).tobytes()


def test_a_box_beside_the_picture_is_blanked():
    stream = BytesIO()
    Image.effect_noise((32, 32), 60).save(stream, "JPEG2000", comment=NAME)
    frame = stream.getvalue() + struct.pack(">L4s", 8 + len(NAME), b"xml ") + NAME
    clean = cleaned_fragments(encapsulated(frame), 1)
    assert b"Okonkwo" not in clean
    assert Image.open(BytesIO(first_frame(clean))).tobytes() == Image.open(BytesIO(frame)).tobytes()


def test_an_offset_table_that_lists_no_frames_is_emptied():
    frames = [item(jpeg()), item(jpeg())]
    good = item(struct.pack("<LL", 0, len(frames[0])))
    assert cleaned_fragments(good + b"".join(frames), 2) == good + b"".join(frames)
    for table in (b"Okonkwo!", b"Okon", struct.pack("<LL", 0, 8)):
        clean = cleaned_fragments(item(table) + b"".join(frames), 2)
        assert clean == item(b"") + b"".join(frames)


def test_frames_of_real_files_stay_as_they_are_but_for_what_is_said_beside_them():
    seen = 0
    for path in pydicom_files():
        try:
            dataset = pydicom.dcmread(path)
            syntax = dataset.file_meta.TransferSyntaxUID
        except Exception:  # noqa: BLE001 - files that are no image are no matter here
            continue
        if "PixelData" in dataset and has_comments(syntax):
            seen += 1
            value = dataset.PixelData
            clean = cleaned_fragments(value, int(dataset.get("NumberOfFrames") or 1))
            assert len(clean) == len(value), path
            assert clean == value or b"jP  " in value, path
    assert seen > 20


def test_a_film_is_no_still_picture():
    assert has_comments("1.2.840.10008.1.2.4.50")
    assert has_comments("1.2.840.10008.1.2.4.201")
    assert not has_comments("1.2.840.10008.1.2.4.102")
    assert not has_comments("1.2.840.10008.1.2.5")


def test_a_colour_profile_loses_its_texts_and_keeps_its_colours():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    name = "sRGB built-in"
    written = profile.replace(name.encode("utf-16-be"), "Okonkwo Ada..".encode("utf-16-be"))
    assert written != profile
    clean = cleaned_profile(written)
    assert len(clean) == len(written)
    assert "Okonkwo".encode("utf-16-be") not in clean
    assert cleaned_profile(clean) is clean
    picture = Image.effect_noise((32, 32), 60).convert("RGB")
    lab = ImageCms.createProfile("LAB")
    before, after = (
        ImageCms.profileToProfile(picture, ImageCms.ImageCmsProfile(BytesIO(p)), lab, outputMode="LAB").tobytes()
        for p in (profile, clean)
    )
    assert before == after


@pytest.mark.parametrize("junk", [b"Okonkwo", b"Okonkwo" * 40, b"\0" * 128])
def test_what_is_no_colour_profile_goes(junk):
    assert cleaned_profile(junk) == b""
