"""A short name, for which bytes are not searched, in the parts that a decoder of compressed frames steps over."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from PIL import Image

from tests.dicom.test_frames import J2K, JPEG, RLE, encapsulated, jpeg, quiet_frames, rle, segment, understood
from trialimg.dicom.encapsulated.frames import Quiet, find_fragments, in_memory

NAME = b" Ng, Vy "
SCAN = b"\xff\xda"
JPEG_LS = "1.2.840.10008.1.2.4.80"


def longer(frame, head, add=NAME):
    """A frame of whose first part with this head something follows what it needs."""
    at = frame.index(head) + 2
    (length,) = struct.unpack_from(">H", frame, at)
    return frame[:at] + struct.pack(">H", length + len(add)) + frame[at + 2 : at + length] + add + frame[at + length :]


def j2k(*, no_jp2=True, **options):
    stream = BytesIO()
    Image.effect_noise((32, 32), 60).convert("RGB").save(stream, "JPEG2000", no_jp2=no_jp2, **options)
    return stream.getvalue()


def box(kind, content):
    return struct.pack(">L4s", 8 + len(content), kind) + content


def in_header(frame, part):
    """A JP2 file with one box more at the end of its header."""
    at = frame.index(b"jp2h") - 4
    (length,) = struct.unpack_from(">L", frame, at)
    head = struct.pack(">L", length + len(part)) + frame[at + 4 : at + length]
    return frame[:at] + head + part + frame[at + length :]


@pytest.mark.parametrize("head", [b"\xff\xdb", b"\xff\xc0", b"\xff\xc4", SCAN])
def test_a_segment_of_jpeg_that_is_longer_than_it_needs_to_be_is_not_understood(head):
    assert understood(encapsulated(jpeg()))
    assert not understood(encapsulated(longer(jpeg(), head)))


@pytest.mark.parametrize("marker", [0xC5, 0xCC, 0xDC, 0xDD, 0xDE, 0xDF, 0xF7, 0xF8])
def test_a_segment_of_jpeg_that_is_not_what_its_marker_says_is_not_understood(marker):
    at = jpeg().index(SCAN)
    assert not understood(encapsulated(jpeg()[:at] + segment(marker, NAME) + jpeg()[at:]))


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1}, {"dpi": (300, 300)}]
)
def test_what_an_encoder_of_jpeg_writes_is_understood_and_stays(options):
    value = encapsulated(jpeg(**options))
    assert quiet_frames(value, 1, JPEG, 0) == (value, True)


def test_the_presets_of_jpeg_ls_are_understood_and_nothing_else_of_its_kind():
    frame = segment(0xF7, b"\x08\0\x20\0\x20\1\1\x11\0"), segment(0xDA, b"\1\1\0\0\0\0") + b"\x12\x34\xff\xd9"
    thresholds = b"\1" + struct.pack(">5H", 255, 3, 7, 21, 64)
    for presets, is_understood in ((thresholds, True), (thresholds + NAME, False), (b"\2\1\1" + NAME, False)):
        value = encapsulated(b"\xff\xd8" + frame[0] + segment(0xF8, presets) + frame[1])
        assert understood(value, 1, JPEG_LS) is is_understood


@pytest.mark.parametrize(("marker", "said"), [(0xE0, b"JFIF\0Ng Vy\0\0"), (0xEE, b"AdobeNg Vy, ")])
def test_letters_where_numbers_say_how_colours_are_read_are_blanked(marker, said):
    value = encapsulated(jpeg()[:2] + segment(marker, said) + jpeg()[2:])
    assert b"Ng Vy" not in quiet_frames(value, 1, JPEG, 0)[0]


@pytest.mark.parametrize("head", [b"\xff\x51", b"\xff\x52", b"\xff\x5c"])
def test_a_segment_of_jpeg_2000_that_is_longer_than_it_needs_to_be_is_not_understood(head):
    assert understood(encapsulated(j2k()), 1, J2K)
    assert not understood(encapsulated(longer(j2k(), head)), 1, J2K)


@pytest.mark.parametrize("marker", [0x50, 0x53, 0x55, 0x56, 0x59, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x74, 0x79])
def test_a_segment_of_jpeg_2000_that_is_not_what_its_marker_says_is_not_understood(marker):
    at = j2k().index(b"\xff\x5c")
    frame = j2k()[:at] + segment(marker, b"Nguyen, V") + j2k()[at:]
    assert not understood(encapsulated(frame), 1, J2K)


@pytest.mark.parametrize(
    "options",
    [
        {"irreversible": True},
        {"tile_size": (16, 16)},
        {"quality_layers": [40, 20, 5]},
        {"precinct_size": (32, 32), "codeblock_size": (16, 16)},
        {"progression": "CPRL", "num_resolutions": 3},
        {"plt": True},
    ],
)
def test_what_an_encoder_of_jpeg_2000_writes_is_understood_and_stays(options):
    for no_jp2 in (True, False):
        value = encapsulated(j2k(no_jp2=no_jp2, **options))
        assert quiet_frames(value, 1, J2K, 0) == (value, True)


@pytest.mark.parametrize("kind", [b"jP  ", b"rreq"])
def test_a_box_that_is_not_what_its_kind_says_is_not_understood(kind):
    frame = j2k(no_jp2=False)
    at = frame.index(b"jp2h") - 4
    assert not understood(encapsulated(frame[:at] + box(kind, b"Nguyen, V") + frame[at:]), 1, J2K)


@pytest.mark.parametrize("kind", [b"ihdr", b"bpcc", b"pclr", b"cmap", b"cdef", b"colr"])
def test_a_box_of_the_header_that_is_not_what_its_kind_says_is_not_understood(kind):
    frame = in_header(j2k(no_jp2=False), box(kind, b"\1Ng,Vyx"))
    assert not understood(encapsulated(frame), 1, J2K)


def test_a_box_of_a_kind_that_nobody_knows_has_another_name_than_a_persons():
    frame = j2k(no_jp2=False)
    at = frame.index(b"jp2h") - 4
    for made in (frame[:at] + box(b"NgVy", b"12345678") + frame[at:], in_header(frame, box(b"NgVy", b"12345678"))):
        clean, is_understood = quiet_frames(encapsulated(made), 1, J2K, 0)
        assert b"NgVy" not in clean
        assert is_understood
        assert quiet_frames(clean, 1, J2K, 0) == (clean, True)


def test_a_run_that_goes_beyond_the_picture_is_not_understood():
    within, padded = bytes((7,)) + b"abcdefgh", bytes((8,)) + b"abcdefgh\0"
    beyond = bytes((7 + len(NAME),)) + b"abcdefgh" + NAME
    assert [understood(encapsulated(rle(run)), 1, RLE, 8) for run in (within, padded, beyond)] == [True, True, False]


def parts_of(frame):
    """Where the parts of tiles of a picture begin, with the number of their tile and their length."""
    at = frame.index(b"\xff\x90")
    while frame[at : at + 2] == b"\xff\x90":
        tile, length = struct.unpack_from(">HL", frame, at + 4)
        yield at, tile, length
        at += length


def with_lengths(frame, form, pairs):
    """A picture that says how long its parts are, in one of the forms of T.800 table A.33."""
    at = frame.index(b"\xff\x90")
    told = b"".join(struct.pack(form, *pair) for pair in pairs)
    kind = {">L": 0x40, ">BL": 0x50, ">HL": 0x60, ">BH": 0x10}[form]
    return frame[:at] + segment(0x55, bytes([0, kind]) + told) + frame[at:]


@pytest.mark.parametrize("form", [">L", ">BL", ">HL", ">BH"])
def test_lengths_of_the_parts_of_a_picture_stay_where_they_are_true(form):
    frame = j2k(tile_size=(16, 16))
    true = [(length,) if form == ">L" else (tile, length) for _, tile, length in parts_of(frame)]
    assert len(true) == 4
    told = encapsulated(with_lengths(frame, form, true))
    assert quiet_frames(told, 1, J2K, 0) == (told, True)
    for pairs in (true[1:] + true[:1], true[:-1], [*true[:-1], (*true[-1][:-1], true[-1][-1] + 1)], [*true, true[0]]):
        assert not understood(encapsulated(with_lengths(frame, form, pairs)), 1, J2K)


def with_packets(frame, told):
    """A picture of whose first part lengths of packets are told."""
    at, tile, length = next(parts_of(frame))
    added = segment(0x58, told)
    head = struct.pack(">HHHLBB", 0xFF90, 10, tile, length + len(added), 0, 1)
    return frame[:at] + head + added + frame[at + 12 :]


def test_lengths_of_packets_that_do_not_come_to_the_length_of_their_part_become_an_empty_comment():
    picture = j2k()
    coded = next(parts_of(picture))[2] - 14  # without the heads of the part and of its data
    true = b"\0" + bytes([0x80 | coded >> 7, coded & 0x7F])
    told = encapsulated(with_packets(picture, true))
    assert quiet_frames(told, 1, J2K, 0) == (told, True)
    for false in (b"\0" + NAME, b"\1" + true[1:], true[:-1], true + b"\1", b""):
        frame = with_packets(picture, false)
        made, is_understood = quiet_frames(encapsulated(frame), 1, J2K, 0)
        silent = frame.replace(segment(0x58, false), segment(0x64, bytes(len(false))), 1)
        assert (made, is_understood) == (encapsulated(silent), True)
        assert quiet_frames(made, 1, J2K, 0) == (made, True)
        assert Image.open(BytesIO(silent)).tobytes() == Image.open(BytesIO(picture)).tobytes()


@pytest.mark.parametrize(("marker", "becomes"), [(0x57, 0x64), (0x63, 0x63)])
def test_lengths_of_all_packets_and_the_registration_of_components_say_nothing(marker, becomes):
    picture = j2k()
    at = picture.index(b"\xff\x90")
    said, silent = (
        encapsulated(picture[:at] + segment(kind, value) + picture[at:])
        for kind, value in ((marker, NAME), (becomes, bytes(len(NAME))))
    )
    assert quiet_frames(said, 1, J2K, 0) == (silent, True)


def test_two_letters_in_place_of_the_kind_of_a_comment_go():
    picture = j2k()
    at = picture.index(b"\xff\x90")
    made, _ = quiet_frames(encapsulated(picture[:at] + segment(0x64, b"Ng") + picture[at:]), 1, J2K, 0)
    assert segment(0x64, b"\0\0") in made


def with_values(frame, head, at, values):
    """A frame of whose first part with this head some bytes are others."""
    start = frame.index(head) + 4 + at
    return frame[:start] + values + frame[start + len(values) :]


@pytest.mark.parametrize(
    ("head", "at", "said"), [(b"\xff\xc4", 17, b"NgVy"), (b"\xff\xc4", 17, b"\1\1"), (b"\xff\xc4", 1, b"NgVy")]
)
def test_what_codes_of_jpeg_stand_for_is_nothing_else(head, at, said):
    assert not understood(encapsulated(with_values(jpeg(), head, at, said)))


def test_thresholds_of_jpeg_ls_follow_one_another():
    frame = segment(0xF7, b"\x08\0\x20\0\x20\1\1\x11\0"), segment(0xDA, b"\1\1\0\0\0\0") + b"\x12\x34\xff\xd9"
    for told, is_understood in (
        ((0, 0, 0, 0, 0), True),
        ((4095, 18, 67, 276, 64), True),
        ((0, 3, 7, 21, 64), True),
        (struct.unpack(">5H", b"Nguyen, Vy"), False),
        ((0, *struct.unpack(">4H", b"Ng, Vy A")), False),
    ):
        presets = b"\1" + struct.pack(">5H", *told)
        value = encapsulated(b"\xff\xd8" + frame[0] + segment(0xF8, presets) + frame[1])
        assert understood(value, 1, JPEG_LS) is is_understood


@pytest.mark.parametrize(("head", "at", "said"), [(b"\xff\x51", 36, b"NgVyAda"), (b"\xff\x5c", 1, b"NgVy")])
def test_depths_and_steps_of_jpeg_2000_are_no_letters(head, at, said):
    assert not understood(encapsulated(with_values(j2k(), head, at, said)), 1, J2K)


@pytest.mark.parametrize(("planes", "is_understood"), [(0, True), (1, False), (2, True), (3, False)])
def test_an_rle_frame_has_as_many_segments_as_its_pixels_have_bytes(planes, is_understood):
    run = b"\x0f" + bytes(range(16)) + b"\0"
    frame = struct.pack("<16L", 2, 64, 64 + len(run), *[0] * 13) + run + run
    value = encapsulated(frame)
    quiet = Quiet(in_memory(value), find_fragments(in_memory(value), 0, len(value)), 1, RLE, 16, planes)
    quiet.look()
    assert quiet.is_understood is is_understood


@pytest.mark.parametrize("no_jp2", [None, True, False])
def test_a_picture_of_another_size_than_the_image_has_is_not_understood(no_jp2):
    frame, syntax = (jpeg(), JPEG) if no_jp2 is None else (j2k(no_jp2=no_jp2), J2K)
    assert understood(encapsulated(frame), 1, syntax, 32 * 32)
    assert not understood(encapsulated(frame), 1, syntax, 32 * 31)
    assert not understood(encapsulated(frame), 1, syntax, 64 * 64)
