"""A film says nothing beside its pictures, and every byte of these stays.

The films were made with PyAV 18 (x264, x265 and FFmpeg's MPEG-2), 3 frames of 64 by 64, with a name as title, comment,
handler and service, and a time at which they were made; each is decoded to the same pictures before and after.
"""

from __future__ import annotations

import random
import re
import struct
from pathlib import Path

import pydicom
import pytest
from pydicom.encaps import encapsulate

from tests.dicom.planted_objects import from_file
from tests.dicom.test_frames import encapsulated, quiet_frames
from trialimg.dicom.deidentify import clean_file, verify_clean

FILMS = {path.name: path.read_bytes() for path in sorted((Path(__file__).parent / "films").iterdir())}
MPEG2, AVC, HEVC = (f"1.2.840.10008.1.2.4.{leaf}" for leaf in (100, 102, 107))
SYNTAX = {"avc.mp4": AVC, "pieces.mp4": AVC, "hevc.mp4": HEVC, "hevc.ts": HEVC, "mpeg2.ts": MPEG2}
UNDERSTOOD = sorted(SYNTAX.keys() - {"pieces.mp4"})
MADE_AT = struct.pack(">L", 3763534272)
"""2023-04-05 10:11:12 in seconds since 1904."""
SAYS = re.compile(rb"okonkwo|adaeze|x265|Lavf|Lavc", re.IGNORECASE)
PARAMETERS = b"\0\0\0\1\x67\x42\0\x0a\xf8\x41\xa2\0\0\0\1\x68\xce\x38\x80"


def silent(film, syntax, parts=1):
    """What becomes of a film that lies in so many fragments, and whether it is understood."""
    step = -(-len(film) // parts) // 2 * 2 or 2
    value = encapsulated(*(film[at : at + step] for at in range(0, len(film), step)))
    made, understood = quiet_frames(value, 1, syntax, 0)
    assert quiet_frames(made, 1, syntax, 0)[0] == made
    found, at = [], 8
    while at < len(made):
        (length,) = struct.unpack_from("<L", made, at + 4)
        found.append(made[at + 8 : at + 8 + length])
        at += 8 + length
    return b"".join(found)[: len(film)], understood


def messages(text, kind=5):
    """A unit of one message, as H.264 writes it."""
    body = bytes(range(16, 32)) + text
    return b"\0\0\0\1\x06" + bytes([kind, len(body)]) + body + b"\x80"


@pytest.mark.parametrize("parts", [1, 2, 7])
@pytest.mark.parametrize("name", UNDERSTOOD)
def test_titles_names_times_and_messages_of_a_film_go_and_it_keeps_its_length(name, parts):
    film = FILMS[name]
    assert SAYS.search(film)
    assert (MADE_AT in film) is name.endswith("mp4")
    made, understood = silent(film, SYNTAX[name], parts)
    assert understood
    assert len(made) == len(film)
    assert not SAYS.search(made)
    assert MADE_AT not in made


def pictures_of(film):
    """The data of an MP4 film, or the packets of pictures of a transport stream."""
    if film[:1] == b"G":
        packets = [film[at : at + 188] for at in range(0, len(film), 188)]
        return [packet for packet in packets if packet[1] & 0x1F == 1 and packet[2] == 0]
    start = film.index(b"mdat") + 4
    return film[start : start - 8 + int.from_bytes(film[start - 8 : start - 4], "big")]


@pytest.mark.parametrize("name", ["avc.mp4", "hevc.mp4", "mpeg2.ts"])
def test_no_byte_of_a_picture_changes(name):
    film, (made, _) = FILMS[name], silent(FILMS[name], SYNTAX[name])
    assert pictures_of(made) == pictures_of(film)
    assert (b"x264 - core" in made) is (name == "avc.mp4")  # a message of known words stays


def test_a_message_among_the_samples_of_a_film_goes():
    film = FILMS["avc.mp4"].replace(b"x264 - core", b"Okonkwo was")
    made, understood = silent(film, AVC)
    assert understood
    assert not SAYS.search(made)
    start, stop = film.index(b"Okonkwo was") - 16, film.index(b"options:")
    assert {made[at] for at in range(start, stop)} <= {0, 1, 2, 3, ord(".")}


@pytest.mark.parametrize("text", [b"Okonkwo", b"Ng Vy", b"\0\0\3\1Okonkwo\0\0\3\0"])
@pytest.mark.parametrize("kind", [4, 5])
def test_a_message_in_a_stream_of_units_goes_whatever_it_says(kind, text):
    slice_of_a_picture = b"\0\0\0\1\x65\x88\x84" + bytes(range(65, 91))
    film = PARAMETERS + messages(text, kind) + slice_of_a_picture
    made, understood = silent(film, AVC)
    assert understood
    assert re.search(rb"[A-Za-z]{2}", made[len(PARAMETERS) : -len(slice_of_a_picture)]) is None
    assert (made[: len(PARAMETERS)], made[-len(slice_of_a_picture) :]) == (PARAMETERS, slice_of_a_picture)


def test_messages_that_tell_how_pictures_are_shown_stay():
    film = PARAMETERS + messages(b"timing", 1) + messages(b"seen", 6)
    assert silent(film, AVC) == (film, True)


@pytest.mark.parametrize("kind", [1, 2, 6, 200])
def test_words_in_a_message_of_another_kind_go(kind):
    made, understood = silent(PARAMETERS + messages(b"Okonkwo Adaeze", kind), AVC)
    assert understood
    assert not SAYS.search(made)


@pytest.mark.parametrize(
    ("syntax", "head"), [(AVC, b"\x0c"), (AVC, b"\x7a"), (AVC, b"\0"), (HEVC, b"\x4c\1"), (HEVC, b"\x60\1"), (HEVC, b"\x7e\1")]
)
def test_units_of_filling_and_such_as_mean_nothing_say_nothing(syntax, head):
    film = (PARAMETERS if syntax == AVC else b"\0\0\0\1\x42\1\1\x80") + b"\0\0\0\1" + head + b"Okonkwo\x80"
    made, understood = silent(film, syntax)
    assert understood
    assert made == film.replace(b"Okonkwo", b"\xff" * 7)


@pytest.mark.parametrize(
    ("name", "syntax"), [(n, s) for n in UNDERSTOOD for s in (MPEG2, AVC, HEVC) if s != SYNTAX[n]]
)
def test_pictures_of_another_coding_than_the_transfer_syntax_says_are_not_taken_for_messages(name, syntax):
    made, understood = silent(FILMS[name], syntax)
    assert not understood
    assert pictures_of(made) == pictures_of(FILMS[name])


def test_a_kind_of_film_that_nobody_knows_is_the_common_one():
    film = FILMS["avc.mp4"]
    assert silent(film.replace(b"iso2", b"NgVy"), AVC) == (silent(film.replace(b"iso2", b"isom"), AVC)[0], True)


@pytest.mark.parametrize("kind", [b"stsz", b"stts", b"avcC", b"btrt", b"elst"])
def test_a_film_with_words_in_place_of_numbers_is_not_understood(kind):
    film = FILMS["avc.mp4"]
    at = film.index(kind) + 4
    assert not silent(film[:at] + b"Okonkwo " + film[at + 8 :], AVC)[1]


def test_data_that_are_of_no_track_of_a_film_go():
    film = FILMS["avc.mp4"]
    made, understood = silent(film + struct.pack(">L4s", 16, b"mdat") + b"Okonkwo ", AVC)
    assert understood
    assert made == silent(film, AVC)[0] + struct.pack(">L4s", 16, b"mdat") + bytes(8)


def test_user_data_of_an_older_film_go():
    head = b"\0\0\1\xb3\x04\0\x40\x13\xff\xff\xe0\x18"
    picture = b"\0\0\1\0\0\x0f\xff\xf8" + bytes(range(65, 91))
    film = head + b"\0\0\1\xb2Okonkwo, Adaeze" + picture
    made, understood = silent(film, MPEG2)
    assert understood
    assert made == head + b"\0\0\1\xb2" + b"." * 15 + picture


def packet(number, payload, *, start=False, adaptation=b""):
    """A packet of a transport stream, filled up to its length as a writer may."""
    flags = 0x30 if adaptation else 0x10
    head = bytes([0x47, 0x40 * start | number >> 8, number & 0xFF, flags]) + adaptation
    return (head + payload).ljust(188, b"\xff")


@pytest.mark.parametrize(
    "hiding",
    [
        packet(0x11, b"\0\x42Okonkwo", start=True),
        packet(0x300, b"Okonkwo"),
        packet(0x1FFF, b"Okonkwo"),
        packet(0x100, b"", adaptation=b"\xb7\0" + b"Okonkwo".ljust(182, b"\xff")),
        packet(0x100, b"", adaptation=b"\xb7\2\7" + b"Okonkwo".ljust(181, b"\xff")),
    ],
    ids=["service", "unknown", "empty", "filling", "private data"],
)
def test_packets_of_a_film_that_are_no_picture_say_nothing(hiding):
    film = FILMS["hevc.ts"]
    made, understood = silent(film[: 188 * 3] + hiding + film[188 * 3 :], HEVC)
    assert understood
    assert not SAYS.search(made)


@pytest.mark.parametrize(
    "film",
    [
        FILMS["pieces.mp4"],
        FILMS["avc.mp4"][:-40],
        FILMS["avc.mp4"].replace(b"avc1\0\0\0\0", b"tx3g\0\0\0\0"),
        FILMS["avc.mp4"].replace(b"stco", b"skip"),
        FILMS["hevc.ts"] + b"Okonkwo ",
        FILMS["hevc.ts"].replace(b"GA\0", b"GA\1").replace(b"G\1\0", b"G\1\1"),
        b"\0\0\1\xba" + FILMS["hevc.ts"],
        b"Okonkwo Adaeze was here and nobody knows what this is",
    ],
    ids=["in pieces", "cut", "subtitles", "no places", "rest", "no pictures", "program stream", "anything"],
)
def test_what_is_not_built_as_a_film_is_not_understood(film):
    assert not silent(film, HEVC if film[:1] == b"G" else AVC)[1]


def test_a_film_of_millions_of_messages_is_not_understood():
    assert not silent(PARAMETERS + b"\0\0\1\x06" * 1_100_000, AVC)[1]


@pytest.mark.parametrize("name", FILMS)
def test_damage_anywhere_in_a_film_raises_nothing(name):
    chance = random.Random(name)
    for _ in range(60):
        film = bytearray(FILMS[name])
        for _ in range(chance.choice([1, 2, 8])):
            at = chance.randrange(len(film))
            film[at : at + chance.choice([1, 4])] = chance.choice([b"\0", b"\xff\xff\xff\xff", b"\0\0\1\6", b"\x7f\xff"])
        silent(bytes(film), SYNTAX[name], chance.choice([1, 3]))


@pytest.mark.parametrize("name", FILMS)
def test_a_film_waits_for_a_person_and_says_nothing_that_this_one_cannot_see(name, tmp_path, profile, identity, key):
    dataset = from_file("CT_small.dcm")
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
    dataset.Modality, dataset.NumberOfFrames, dataset.Rows, dataset.Columns = "XC", 3, 64, 64
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "YBR_PARTIAL_420"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PatientName = "Smitherson^Peregrine"
    dataset.file_meta.TransferSyntaxUID = SYNTAX[name]
    dataset.PixelData = encapsulate([FILMS[name]], has_bot=False)
    dataset["PixelData"].is_undefined_length, dataset["PixelData"].VR = True, "OB"
    dataset.save_as(tmp_path / "in.dcm")
    told = clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    assert told.hold_reason.startswith("It is a film, in which text may be burned in.")
    assert told.hold_code == ("image.built_strangely" if name == "pieces.mp4" else "image.may_show_text")
    assert ("(7FE0,0010)", "C") in {(action.tag, action.action) for action in told.report.actions}
    if name != "pieces.mp4":
        assert not SAYS.search((tmp_path / "out.dcm").read_bytes())
        verify_clean(tmp_path / "out.dcm", profile=profile, identity=identity)
    assert pydicom.dcmread(tmp_path / "out.dcm").file_meta.TransferSyntaxUID == SYNTAX[name]
