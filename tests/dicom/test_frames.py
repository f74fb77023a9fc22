from __future__ import annotations

import struct
from io import BytesIO
from itertools import pairwise

import pydicom
import pytest
from PIL import Image, ImageCms, JpegImagePlugin

from tests.dicom.conftest import pydicom_files
from trialimg.dicom.encapsulated.frames import Quiet, find_fragments, has_comments, in_memory, offsets_are_true

NAME = b"seen with Okonkwo"
JPEG, J2K, RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"


def quiet_frames(value, frames, syntax, plane):
    """The whole with quiet frames, the very same where nothing changes, and whether all of it is understood."""
    found = find_fragments(in_memory(value), 0, len(value))
    quiet = Quiet(in_memory(value), found, frames, syntax, plane)
    made = b"".join(quiet.pieces()) + value[found.end :]
    assert (made == value) is not quiet.is_changed
    return value if made == value else made, quiet.is_understood and found.end == len(value)


def cleaned_fragments(value, frames, syntax=JPEG):
    return quiet_frames(value, frames, syntax, 0)[0]


def understood(value, frames=1, syntax=JPEG, plane=0):
    return quiet_frames(value, frames, syntax, plane)[1]


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
            clean, is_understood = quiet_frames(value, int(dataset.get("NumberOfFrames") or 1), syntax, 0)
            assert is_understood, path
            assert len(clean) == len(value), path
            assert clean == value or b"jP  " in value, path
    assert seen > 20


def segment(marker, payload):
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def in_parts(frame, *cuts):
    return [frame[a:b] for a, b in pairwise([0, *cuts, len(frame)])]


def joined(value):
    """The bytes of all fragments but the offset table, one behind the other."""
    position, found = 8, b""
    while position < len(value):
        (length,) = struct.unpack_from("<L", value, position + 4)
        found += value[position + 8 : position + 8 + length]
        position += 8 + length
    return found


def test_a_comment_in_a_later_fragment_of_a_frame_is_blanked():
    plain = jpeg()
    spoken = plain[:-2] + segment(0xFE, NAME) + plain[-2:]
    for cuts in ((400,), (400, 402), (len(plain) // 2 * 2 - 2,), (len(plain) // 2 * 2 + 6,)):
        value = encapsulated(*in_parts(spoken, *cuts))
        clean = cleaned_fragments(value, 1)
        assert b"Okonkwo" not in joined(clean)
        assert len(clean) == len(value)
        assert joined(clean)[: len(plain) - 2] == plain[:-2]
        assert understood(value)


def test_a_fragment_behind_the_end_of_a_picture_is_blanked():
    clean = cleaned_fragments(encapsulated(jpeg() + b"", NAME + b"!", b"more Okonkwo"), 1)
    assert b"Okonkwo" not in clean


@pytest.mark.parametrize("marker", [0xE0, 0xE5, 0xEF, 0xF0, 0xFD, 0xC8, 0x42, 0xBF])
def test_a_segment_that_no_picture_needs_is_blanked(marker):
    plain = jpeg()
    for at in (2, len(plain) - 2):
        value = encapsulated(plain[:at] + segment(marker, NAME) + plain[at:])
        if marker == 0x42 and at != 2:  # between coded data it is no marker
            continue
        assert b"Okonkwo" not in cleaned_fragments(value, 1)


@pytest.mark.parametrize("marker", [0x30, 0x6E, 0x7A])
def test_a_segment_that_jpeg_2000_does_not_know_is_blanked(marker):
    stream = BytesIO()
    Image.effect_noise((32, 32), 60).save(stream, "JPEG2000", no_jp2=True)
    frame = stream.getvalue()
    at = 4 + struct.unpack_from(">H", frame, 4)[0]
    clean = cleaned_fragments(encapsulated(frame[:at] + segment(marker, NAME) + frame[at:]), 1, J2K)
    assert b"Okonkwo" not in clean


def test_a_last_part_of_open_length_ends_at_its_end_marker():
    stream = BytesIO()
    Image.effect_noise((32, 32), 60).save(stream, "JPEG2000", no_jp2=True)
    frame = bytearray(stream.getvalue())
    struct.pack_into(">L", frame, frame.index(b"\xff\x90\0\x0a") + 6, 0)
    value = encapsulated(bytes(frame) + NAME)
    assert b"Okonkwo" not in cleaned_fragments(value, 1, J2K)
    assert understood(value, 1, J2K)


def test_the_colour_of_a_jp2_file_loses_the_texts_of_its_profile():
    stream = BytesIO()
    Image.effect_noise((32, 32), 60).convert("RGB").save(stream, "JPEG2000")
    frame = stream.getvalue()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB built-in".encode("utf-16-be"), "Okonkwo Ada..".encode("utf-16-be"))
    at = frame.index(b"colr") - 4
    (old,) = struct.unpack_from(">L", frame, at)
    box = struct.pack(">L4s", 11 + len(profile), b"colr") + b"\2\0\0" + profile
    more = struct.pack(">L4s", 8 + len(NAME), b"uuid") + NAME
    made = bytearray(frame[:at] + box + more + frame[at + old :])
    header = made.index(b"jp2h") - 4
    struct.pack_into(">L", made, header, struct.unpack_from(">L", made, header)[0] - old + len(box) + len(more))
    value = encapsulated(bytes(made))
    clean = cleaned_fragments(value, 1, J2K)
    assert "Okonkwo".encode("utf-16-be") in value
    assert "Okonkwo".encode("utf-16-be") not in clean
    assert b"Okonkwo" not in clean
    assert understood(clean, 1, J2K)


@pytest.mark.parametrize("frame", [NAME, b"", b"\xff\xd8" + NAME, jpeg()[:200], jpeg()[:-2], jpeg()[:-2] + NAME])
def test_a_frame_that_is_no_whole_picture_is_not_understood(frame):
    assert not understood(encapsulated(frame))


def test_more_or_fewer_pictures_than_frames_are_not_understood():
    assert understood(encapsulated(jpeg(), jpeg()), 2)
    assert not understood(encapsulated(jpeg(), jpeg()), 1)
    assert not understood(encapsulated(jpeg()), 2)
    assert not understood(encapsulated(jpeg()) + NAME, 1)
    assert not understood(encapsulated(jpeg()), 1, "1.2.840.10008.1.2.1.98")


def rle(*segments):
    offsets, at = [], 64
    for part in segments:
        offsets.append(at)
        at += len(part)
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(segments))) + b"".join(segments)


def test_what_follows_the_runs_of_a_segment_is_blanked():
    runs = bytes((3,)) + b"abcd" + bytes((253, 7))  # four as they are, one four times
    value = encapsulated(rle(runs, runs))
    assert quiet_frames(value, 1, RLE, 8) == (value, True)
    assert quiet_frames(value, 1, RLE, 0) == (value, False)
    for frame in (rle(runs + NAME, runs), rle(runs, runs + NAME)):
        clean, is_understood = quiet_frames(encapsulated(frame), 1, RLE, 8)
        assert is_understood
        assert b"Okonkwo" not in clean
    unused = bytearray(rle(runs))
    unused[20:37] = NAME
    assert not understood(encapsulated(bytes(unused)), 1, RLE, 8)
    assert not understood(encapsulated(NAME * 9), 1, RLE, 8)
    assert not understood(encapsulated(rle(runs)), 1, RLE, 9)


def test_only_an_extended_offset_table_that_lists_the_frames_is_true():
    frames = [jpeg(), jpeg(quality=50) + b"", jpeg()]
    value = encapsulated(*frames)
    even = [len(frame) + len(frame) % 2 for frame in frames]
    offsets = struct.pack("<3Q", 0, even[0] + 8, even[0] + even[1] + 16)
    lengths = struct.pack("<3Q", *map(len, frames))
    assert offsets_are_true(value, 3, offsets, lengths)
    assert not offsets_are_true(value, 3, b"Okonkwo^Adaeze^19510203.", lengths)
    assert not offsets_are_true(value, 3, offsets, b"Okonkwo^Adaeze^19510203.")
    assert not offsets_are_true(value, 2, offsets, lengths)
    assert not offsets_are_true(value, 3, offsets, b"")


def test_a_film_is_no_still_picture():
    assert has_comments("1.2.840.10008.1.2.4.50")
    assert has_comments("1.2.840.10008.1.2.4.201")
    assert not has_comments("1.2.840.10008.1.2.4.102")
    assert not has_comments("1.2.840.10008.1.2.5")


ENDLESS = {
    "comments": (b"\xff\xd8" + b"\xff\xfe\0\2" * 500_000 + b"\xff\xd9", JPEG),
    "scans": (b"\xff\xd8" + b"\xff\xda\0\x08\1\1\0\0\0\0" * 200_000, JPEG),
    "restarts": (b"\xff\xd8\xff\xda\0\x08\1\1\0\0\0\0" + b"\xff\xd0" * 1_000_000, JPEG),
    "boxes": (b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x08free" * 500_000, J2K),
    "tiles": (b"\xff\x4f\xff\x51\0\x26" + bytes(36) + b"\xff\x90\0\x0a\0\0\0\0\0\0\0\0\xff\x93" * 200_000, J2K),
    "runs": (struct.pack("<16L", 1, 64, *[0] * 14) + b"\x80" * 1_000_000, RLE),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_frame_made_of_parts_without_end_is_given_up(kind):
    frame, syntax = ENDLESS[kind]
    assert not understood(encapsulated(frame), 1, syntax, 1 << 30)


@pytest.mark.parametrize("lists_frames", [False, True])
def test_a_fragment_of_an_odd_length_is_padded_and_no_table_says_where_it_was(lists_frames):
    frames = [jpeg(), jpeg() + b"\0", jpeg()]
    frames = [frame if len(frame) % 2 else frame + b"\0" for frame in frames]
    bare = [struct.pack("<HHL", 0xFFFE, 0xE000, len(frame)) + frame for frame in frames]
    table = struct.pack("<3L", 0, len(bare[0]), len(bare[0]) + len(bare[1])) if lists_frames else b""
    made, understood = quiet_frames(item(table) + b"".join(bare), 3, JPEG, 0)
    assert understood
    assert made == encapsulated(*(frame + b"\0" for frame in frames))
    assert not offsets_are_true(
        item(b"") + b"".join(bare),
        3,
        struct.pack("<3Q", 0, len(bare[0]), len(bare[0]) + len(bare[1])),
        struct.pack("<3Q", *map(len, frames)),
    )
