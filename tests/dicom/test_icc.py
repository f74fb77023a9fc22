"""Colour profiles keep their colours and lose every word, wherever it stands."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from PIL import Image, ImageCms

from trialimg.dicom.standard.icc import cleaned_profile

NAME = b"seen with Okonkwo"


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


def built_profile(*parts):
    """A colour profile of tags and their data, as ICC.1 writes it."""
    table, data, at = b"", b"", 132 + 12 * len(parts)
    for signature, part in parts:
        table += struct.pack(">4sLL", signature, at + len(data), len(part))
        data += part + b"\0" * (-len(part) % 4)
    head = struct.pack(">L4sL4s4s4s", at + len(data), b"lcms", 0x04400000, b"mntr", b"RGB ", b"XYZ ").ljust(36, b"\0")
    return (head + b"acspAPPL").ljust(128, b"\0") + struct.pack(">L", len(parts)) + table + data


LANGUAGES = b"mluc" + struct.pack(">3L", 0, 2, 12) + struct.pack(">4sLL4sLL", b"enUS", 14, 40, b"jaJP", 14, 54)
HIDING = {
    "several languages": (b"desc", LANGUAGES + "OkonkwoOkonkwo".encode("utf-16-be")),
    "behind a curve": (b"rTRC", b"curv" + struct.pack(">LLH", 0, 1, 256) + NAME),
    "behind a formula": (b"rTRC", b"para" + struct.pack(">LHHL", 0, 0, 0, 65536) + NAME),
    "behind a point": (b"rXYZ", b"XYZ " + struct.pack(">L3L", 0, 1, 2, 3) + NAME),
    "behind a signature": (b"tech", b"sig \0\0\0\0dcam" + NAME),
    "an array of bytes": (b"ncl2", b"ui08\0\0\0\0" + NAME),
    "a text": (b"cprt", b"text\0\0\0\0" + NAME),
    "a type nobody knows": (b"vcgt", b"xxxx\0\0\0\0" + NAME),
    "another profile": (b"psid", b"data\0\0\0\0" + built_profile((b"cprt", b"text\0\0\0\0" + NAME))),
    "behind a table of bytes": (b"A2B0", b"mft1\0\0\0\0\1\1\2\0" + bytes(36 + 256 + 2 + 256) + NAME),
    "behind a table": (b"A2B0", b"mft2\0\0\0\0\1\1\2\0" + bytes(36) + b"\0\2\0\2" + bytes(12) + NAME),
    "in place of a table": (b"A2B0", b"mAB \0\0\0\0\3\3\0\0" + NAME * 9),
    "a signature of a tag": (b"Okon", b"XYZ " + struct.pack(">L3L", 0, 1, 2, 3)),
}


@pytest.mark.parametrize("place", HIDING)
def test_no_part_of_a_colour_profile_holds_a_name(place):
    profile = built_profile((b"wtpt", b"XYZ " + struct.pack(">L3L", 0, 1, 2, 3)), HIDING[place])
    assert b"Okon" in profile.replace(b"\0O\0k\0o\0n", b"Okon")
    clean = cleaned_profile(profile)
    assert len(clean) == len(profile)
    assert b"Okon" not in clean.replace(b"\0", b"")
    assert cleaned_profile(clean) is clean


@pytest.mark.parametrize("at", [4, 8, 40, 44, 48, 52, 56, 64, 68, 72, 76, 80, 84, 100], ids=lambda at: f"byte {at}")
def test_the_head_of_a_colour_profile_holds_no_name_of_four_letters(at):
    profile = built_profile((b"wtpt", b"XYZ " + struct.pack(">L3L", 0, 1, 2, 3)))
    clean = cleaned_profile(profile[:at] + b"NgVy" + profile[at + 4 :])
    assert len(clean) == len(profile)
    assert b"NgVy" not in clean
    assert cleaned_profile(clean) is clean


@pytest.mark.parametrize("at", [12, 16, 20], ids=["class", "colours", "connection"])
def test_what_names_no_class_and_no_colours_is_no_colour_profile(at):
    profile = built_profile((b"wtpt", b"XYZ " + struct.pack(">L3L", 0, 1, 2, 3)))
    assert cleaned_profile(profile[:at] + b"NgVy" + profile[at + 4 :]) == b""


@pytest.mark.parametrize("junk", [b"Okonkwo", b"Okonkwo" * 40, b"\0" * 128])
def test_what_is_no_colour_profile_goes(junk):
    assert cleaned_profile(junk) == b""
