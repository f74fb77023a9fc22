"""Cuts frames out of a Part-10 file, as they are stored; no pixel is decoded.

dicomweb-client's own cutting (0.61.2) is not used: it gives everything to the end of the file for the
last plain frame, padding after PixelData included, and refuses RLE, deflated and big-endian files.
"""

from __future__ import annotations

import array
from collections.abc import Iterator
from typing import BinaryIO, Final

from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
)

from trialimg.archive.part10 import PIXELS, read
from trialimg.archive.port import Frame
from trialimg.errors import NotFound, UnreadableObject

_IMPLICIT_HEADER, _EXPLICIT_HEADER = 8, 12  # bytes before a long value, PS3.5 section 7.1
_WORDS: Final = {2: "H", 4: "I", 8: "Q"}
# Never taken for a length: read as one, each would be odd, and lengths are even.
_PIXEL_VRS: Final = frozenset({b"OB", b"OW", b"OF", b"OD", b"UN"})
_TORN: Final = "An image of the archive is damaged: its pixels end before the frame does."

# PS3.18 table 8.7.3-5.
_MEDIA_TYPE: Final = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
}


def frames(stream: BinaryIO, numbers: list[int]) -> Iterator[Frame]:
    """Give frames by number, counted from 1.

    Raises NotFound for an object without pixels or a number beyond its frames, UnreadableObject for
    pixels that end too early.
    """
    ds = read(stream, stop_before_pixels=True)
    count = _count(ds)
    if "Rows" not in ds or not numbers or any(not 1 <= number <= count for number in numbers):
        raise NotFound
    syntax = UID(str(ds.file_meta.get("TransferSyntaxUID", ExplicitVRLittleEndian)))
    if syntax.is_encapsulated:
        return _compressed(stream, ds, numbers, syntax)
    return _plain(stream, ds, numbers, syntax)


def media_type(transfer_syntax: str) -> str:
    """Say what frames of a transfer syntax are called on the web."""
    return _MEDIA_TYPE.get(transfer_syntax, "application/octet-stream")


def _count(ds: Dataset) -> int:
    try:
        return max(1, int(ds.get("NumberOfFrames") or 1))
    except (TypeError, ValueError):
        return 1


def _value_start(stream: BinaryIO) -> int:
    """Find where the pixels begin, the stream standing at their element.

    Looks at the bytes: some files are written in implicit VR though their meta group says otherwise.
    """
    element = stream.tell()
    explicit = stream.read(6)[4:6] in _PIXEL_VRS
    return element + (_EXPLICIT_HEADER if explicit else _IMPLICIT_HEADER)


def _compressed(stream: BinaryIO, ds: Dataset, numbers: list[int], syntax: UID) -> Iterator[Frame]:
    start = _value_start(stream)
    for number in numbers:
        stream.seek(start)
        try:
            data = get_frame(stream, number - 1, number_of_frames=_count(ds))
        except Exception as error:
            raise UnreadableObject(_TORN) from error
        yield Frame(data, str(syntax), media_type(syntax))


def _plain(stream: BinaryIO, ds: Dataset, numbers: list[int], syntax: UID) -> Iterator[Frame]:
    bits = _bits_of_a_frame(ds)
    whole: bytes | None = None
    start = 0
    if syntax in {DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian}:
        whole = _whole(stream, int(ds.BitsAllocated), swap=syntax == ExplicitVRBigEndian)
    else:
        start = _value_start(stream)
    for number in numbers:
        first, end = (number - 1) * bits // 8, -(-number * bits // 8)
        if whole is not None:
            data = whole[first:end]
        else:
            stream.seek(start + first)
            data = stream.read(end - first)
        if len(data) != end - first:
            raise UnreadableObject(_TORN)
        shift = (number - 1) * bits % 8
        yield Frame(_shifted(data, shift, bits), str(ExplicitVRLittleEndian), media_type(""))


def _bits_of_a_frame(ds: Dataset) -> int:
    bits = int(ds.Rows) * int(ds.Columns) * int(ds.get("SamplesPerPixel", 1)) * int(ds.BitsAllocated)
    # PS3.3 C.7.6.3.1.2: in YBR_FULL_422 two pixels share their chrominance.
    return bits * 2 // 3 if ds.get("PhotometricInterpretation") == "YBR_FULL_422" else bits


def _whole(stream: BinaryIO, bits_allocated: int, *, swap: bool) -> bytes:
    """Read all pixels of the two syntaxes in which a file's bytes cannot be cut, in little-endian order."""
    ds = read(stream)
    element = next((ds[tag] for tag in PIXELS if tag in ds), None)
    if element is None:
        raise NotFound
    value: bytes = element.value
    width = max(bits_allocated // 8, 2 if element.VR == "OW" else 1)
    if not swap or width not in _WORDS:
        return value
    words = array.array(_WORDS[width], value[: len(value) // width * width])
    words.byteswap()
    return words.tobytes()


def _shifted(data: bytes, shift: int, bits: int) -> bytes:
    """Let a frame of single bits begin at a byte (PS3.5 section 8.2: bits are packed over frames)."""
    if not shift:
        return data
    return ((int.from_bytes(data, "little") >> shift) & ((1 << bits) - 1)).to_bytes(-(-bits // 8), "little")
