"""What the header of an instance says: who, what, which, and whether the file is whole.

Reads originals, so its results hold a patient's identity: for the quarantine's child process only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from trialimg.dicom.files.decoded import ascii_of, decoded, is_one_wide, short_of
from trialimg.dicom.standard.part10 import PIXEL_DATA, Part10, buffer_of, open_part10
from trialimg.dicom.standard.syntaxes import VIDEO_SYNTAXES
from trialimg.dicom.standard.table import uid_name
from trialimg.dicom.standard.walk import is_followed_well, walk
from trialimg.domain.pattern import late
from trialimg.errors import UnreadableObject

NUMBER_OF_FRAMES: Final = 0x00280008
DICOMDIR_CLASS: Final = "1.2.840.10008.1.3.10"

_TEXT: Final[Mapping[str, int]] = {
    "sop_class_uid": 0x00080016,
    "sop_instance_uid": 0x00080018,
    "study_instance_uid": 0x0020000D,
    "series_instance_uid": 0x0020000E,
    "modality": 0x00080060,
    "series_description": 0x0008103E,
    "study_date": 0x00080020,
    "study_description": 0x00081030,
    "patient_id": 0x00100020,
    "patient_name": 0x00100010,
    "birth_date": 0x00100030,
    "sex": 0x00100040,
    "issuer": 0x00100021,
    "manufacturer": 0x00080070,
    "model": 0x00081090,
    "software": 0x00181020,
    "conversion_type": 0x00080064,
    "photometric_interpretation": 0x00280004,
    "body_part": 0x00180015,
    "slice_thickness": 0x00180050,
    "protocol_name": 0x00181030,
    "label_in_image": 0x00480010,
}
_NUMBERS: Final = {"series_number": 0x00200011, "instance_number": 0x00200013, "frames": NUMBER_OF_FRAMES}
_ROWS, _COLUMNS, _SAMPLES, _BITS = 0x00280010, 0x00280011, 0x00280002, 0x00280100
_CHARACTER_SET, _IMAGE_TYPE, BURNED_IN = 0x00080005, 0x00080008, 0x00280301
WINDOW_WIDTH: Final = 0x00281051
REGIONS, OVERLAY_BITS = 0x00186011, 0x0100
_FLOAT_PIXELS, _DOUBLE_PIXELS = 0x7FE00008, 0x7FE00009
_FREE_TEXT: Final = frozenset(
    {0x0008103E, 0x00081030, 0x00100020, 0x00100010, 0x00100021, 0x00080070, 0x00181030, 0x00081090, 0x00181020}
)
GATHERED: Final = frozenset(
    {*_TEXT.values(), *_NUMBERS.values(), _ROWS, _COLUMNS, _SAMPLES, _BITS, _CHARACTER_SET, _IMAGE_TYPE, WINDOW_WIDTH}
)
_PIXEL_VRS: Final = frozenset({"", "OB", "OW", "UN", "OF", "OD"})
_CLASS: Final = late(rb"[0-9.]+[ \0]*")
_LETTERS: Final = late(rb"[A-Za-z^=\x80-\xff]{4}")
_TWO_KINDS: Final = "It holds two kinds of pixel data, and nobody can tell which is the image."
_SLID: Final = 1 << 20
"""Bytes at the end of native pixel data, in which something like letters is looked for where their tail is damaged."""
_BINARY_VRS: Final = frozenset({"", "US", "SS", "UL", "SL", "UN", "OB", "OW", "OL", "OV", "SV", "UV", "AT"})
_SHAPE: Final[Mapping[int, tuple[str, frozenset[str]]]] = {
    0x00080016: ("SOP Class UID", frozenset({"", "UI", "UN"})),
    NUMBER_OF_FRAMES: ("Number of Frames", _BINARY_VRS | {"IS", "DS"}),
    _SAMPLES: ("Samples per Pixel", _BINARY_VRS),
    _ROWS: ("Rows", _BINARY_VRS),
    _COLUMNS: ("Columns", _BINARY_VRS),
    _BITS: ("Bits Allocated", _BINARY_VRS),
}
"""What tells what an image is, and the VRs that its value is read by; as another it is changed."""
_REQUIRED: Final[Mapping[int, str]] = {
    0x00080016: "SOP Class UID",
    0x00080018: "SOP Instance UID",
    0x0020000D: "Study Instance UID",
    0x0020000E: "Series Instance UID",
}


class InstanceFacts(NamedTuple):
    """What one instance says of itself; text is as decoded, empty where the file says nothing.

    ``frames`` is at least 1; ``rows`` and ``columns`` are 0 where there is no image. ``burned_in`` is ``YES`` if any
    Burned In Annotation of the file is, at any depth, else what the outermost data set says. ``pixel_surplus`` counts
    bytes of native pixel data that no pixel explains (more than the padding of one). ``is_followed_well`` is False
    where what stands behind native pixel data is damaged and some of it seems to be read as pixels.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    series_number: int | None
    series_description: str
    study_date: str
    study_description: str
    patient_id: str
    patient_name: str
    birth_date: str
    sex: str
    issuer: str
    rows: int
    columns: int
    frames: int
    transfer_syntax: str
    burned_in: str
    instance_number: int | None
    image_type: tuple[str, ...]
    manufacturer: str
    conversion_type: str
    photometric_interpretation: str
    has_pixels: bool
    has_regions: bool
    has_overlay_in_pixels: bool
    pixel_surplus: int
    is_followed_well: bool = True
    body_part: str = ""
    slice_thickness: str = ""
    protocol_name: str = ""
    label_in_image: str = ""  # of a slide
    model: str = ""
    software: str = ""
    is_black_and_white: bool | None = None  # by the window to be shown with; None where the file names none

    @property
    def is_video(self) -> bool:
        """Tell whether the pixels are one compressed film."""
        return self.transfer_syntax in VIDEO_SYNTAXES


class Gathered:
    """What one walk over a file collected: values of ``GATHERED`` of the outermost data set, and what else tells."""

    def __init__(self, values: dict[int, bytes]) -> None:
        self.values = values
        self.burned_in = ""
        self.has_regions = self.overlay_in_pixels = False
        self.native_length: int | None = None
        self.fragments: int | None = None
        self.sample_bits = 0
        self.end = 0
        self.is_followed_well = True

    def take_burned_in(self, value: bytes, *, is_outermost: bool) -> None:
        """Take a Burned In Annotation: a YES from any depth, anything else from the outermost data set only."""
        told = "YES" if "YES" in ascii_of(value).upper() else ascii_of(value).upper()
        self.burned_in = told if self.burned_in != "YES" and (is_outermost or told == "YES") else self.burned_in

    def take_overlay(self, value: bytes, *, little: bool = True) -> None:
        """Take the Overlay Bits Allocated of an overlay, at any depth."""
        self.overlay_in_pixels = self.overlay_in_pixels or short_of(value, little=little) > 1


def is_dicomdir(source: Path | BinaryIO | memoryview) -> bool:
    """Tell whether a file is the index of a medium (PS3.10 chapter 8) and no image."""
    return _is_dicomdir(open_part10(source))


def _is_dicomdir(part: Part10) -> bool:
    return part.meta.get(0x00020002, b"").rstrip(b"\0 ") == DICOMDIR_CLASS.encode()


def read_facts(source: Path | BinaryIO | memoryview) -> InstanceFacts:
    """Read the header of a file and prove that the file is whole, without decoding pixels.

    Raises NotDicom; UnreadableObject if it is damaged, cut off, beyond the limits of the reader, an
    index of a medium, or has no UIDs.
    """
    return facts_of(open_part10(source if isinstance(source, memoryview) else buffer_of(source)))


def facts_of(part: Part10) -> InstanceFacts:
    """Do what ``read_facts`` does for a file that is already laid open."""
    return facts_and_end(part)[0]


def facts_and_end(part: Part10) -> tuple[InstanceFacts, int]:
    """Give the facts, and the position in ``part.data`` where the image ends: what follows is none of it."""
    if _is_dicomdir(part):
        raise UnreadableObject(
            "This is a DICOMDIR index, not an image; it is skipped. The images it lists are read by themselves."
        )
    found = _gather(part)
    return described(found, part.transfer_syntax, little=part.little), found.end


def described(found: Gathered, transfer_syntax: str, *, little: bool = True) -> InstanceFacts:
    """Make the facts of what was gathered, and prove that the image is whole; raises UnreadableObject."""
    values = found.values
    for tag, name in _REQUIRED.items():
        if not values.get(tag, b"").strip(b"\0 "):
            raise UnreadableObject(f"The object has no {name}, so nobody can refer to it. Ask for another export.")
    if not _CLASS.fullmatch(values[_TEXT["sop_class_uid"]]):
        raise UnreadableObject("Its SOP Class UID is no UID, so nobody knows what it is. Ask for another export.")
    numbers = {name: whole(values.get(tag)) for name, tag in _NUMBERS.items()}
    frames = max(numbers["frames"] or 1, 1)
    surplus = _check_pixels(found, transfer_syntax, frames, little=little)
    return InstanceFacts(
        **_decode(values),
        series_number=numbers["series_number"],
        instance_number=numbers["instance_number"],
        frames=frames,
        rows=short_of(values.get(_ROWS), little=little),
        columns=short_of(values.get(_COLUMNS), little=little),
        transfer_syntax=transfer_syntax,
        burned_in=found.burned_in,
        image_type=tuple(ascii_of(values.get(_IMAGE_TYPE, b"")).split("\\")),
        has_pixels=found.native_length is not None or found.fragments is not None,
        has_regions=found.has_regions,
        has_overlay_in_pixels=found.overlay_in_pixels,
        pixel_surplus=surplus,
        is_followed_well=found.is_followed_well,
        is_black_and_white=is_one_wide(values[WINDOW_WIDTH]) if WINDOW_WIDTH in values else None,
    )


def _gather(part: Part10) -> Gathered:
    found = Gathered({})
    data = part.data
    found.end = part.start
    for kind, tag, vr, start, length, depth in walk(part, past_pixels=False):
        found.end = start + length if depth == 0 else found.end
        if kind == "E":
            if depth == 0 and tag in GATHERED:
                _refuse_misnamed(tag, vr)
                found.values[tag] = bytes(data[start : start + length])
            elif tag == BURNED_IN:
                found.take_burned_in(bytes(data[start : start + length]), is_outermost=depth == 0)
            elif depth == 0 and tag in {PIXEL_DATA, _FLOAT_PIXELS, _DOUBLE_PIXELS}:
                _take_pixels(found, tag, vr, length)
            elif tag >> 24 == 0x60 and tag & 0xFFFF == OVERLAY_BITS:  # noqa: PLR2004 - overlay groups 60xx
                found.take_overlay(bytes(data[start : start + length]), little=part.little)
        elif kind == "S" and tag == REGIONS:
            found.has_regions = True
        elif kind == "P" and tag == PIXEL_DATA and depth == 0:
            found.fragments = -1  # the first fragment is the offset table
        elif kind == "F" and depth == 1 and found.fragments is not None:
            found.fragments += 1
    found.is_followed_well = not _has_slid(part, found)
    return found


def _refuse_misnamed(tag: int, vr: str) -> None:
    """Refuse a file that tells of its shape under a VR by which the value would be read, and cleaned, as another."""
    if tag in _SHAPE and vr not in _SHAPE[tag][1]:
        raise UnreadableObject(
            f"Its {_SHAPE[tag][0]} is written as another kind of value (VR) than it is: the file is damaged there. "
            "Ask the site to export it again."
        )


def _has_slid(part: Part10, found: Gathered) -> bool:
    """Tell whether the tail of the file is damaged and native pixel data end in what looks like letters."""
    if not found.native_length or is_followed_well(part, found.end):
        return False
    return _LETTERS.search(part.data, found.end - min(found.native_length, _SLID), found.end) is not None


def _take_pixels(found: Gathered, tag: int, vr: str, length: int) -> None:
    if vr not in _PIXEL_VRS:
        raise UnreadableObject("The pixel data are said to be something else. Ask for another export.")
    if found.native_length is not None:
        raise UnreadableObject(_TWO_KINDS)
    found.native_length = length
    found.sample_bits = {_FLOAT_PIXELS: 32, _DOUBLE_PIXELS: 64}.get(tag, 0)


def _check_pixels(found: Gathered, transfer_syntax: str, frames: int, *, little: bool) -> int:
    """Compare the pixel data that are there with the image that is described; give the bytes too many."""
    if found.fragments is not None:
        if found.native_length is not None:
            raise UnreadableObject(_TWO_KINDS)
        if found.fragments < (1 if transfer_syntax in VIDEO_SYNTAXES else frames):
            raise UnreadableObject(
                "The image says it has more frames than the file holds: it was cut off. Ask for it again."
            )
        return 0
    if found.native_length is None:
        if uid_name(ascii_of(found.values[_TEXT["sop_class_uid"]])).endswith("Image Storage"):
            raise UnreadableObject(
                "It is an image by its class and has no pixel data: it was cut off. Ask for it again."
            )
        return 0
    rows, columns, samples, bits = (
        short_of(found.values.get(tag), little=little) for tag in (_ROWS, _COLUMNS, _SAMPLES, _BITS)
    )
    if "422" in ascii_of(found.values.get(_TEXT["photometric_interpretation"], b"")) and samples > 1:
        samples = 2  # two pixels share their colour (PS3.3 C.7.6.3.1.2)
    expected = (rows * columns * (samples or 1) * (found.sample_bits or bits) * frames + 7) // 8
    if found.native_length < expected:
        raise UnreadableObject(
            f"The image needs {expected} bytes of pixel data and the file has {found.native_length}: it was cut "
            "off or is described wrongly. Ask for it again."
        )
    surplus = found.native_length - expected
    return surplus if surplus > 1 else 0


def _decode(values: Mapping[int, bytes]) -> dict[str, str]:
    """Decode the texts, free ones by the character set of the file."""
    character_set = values.get(_CHARACTER_SET, b"")
    return {
        name: decoded(values.get(tag, b""), character_set, is_name=name == "patient_name")
        if tag in _FREE_TEXT
        else ascii_of(values.get(tag, b""))
        for name, tag in _TEXT.items()
    }


def whole(value: bytes | None) -> int | None:
    """Read the first value of an IS."""
    first = ascii_of(value or b"").split("\\")[0].strip()
    try:
        return int(float(first)) if first else None
    except (ValueError, OverflowError):
        return None
