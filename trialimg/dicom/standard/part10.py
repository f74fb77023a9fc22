"""The bytes of a DICOM file (PS3.10): where the data set begins, and how it is encoded."""

from __future__ import annotations

import struct
from io import UnsupportedOperation
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from trialimg.dicom.standard.syntaxes import BIG_ENDIAN, DEFLATED, ENCAPSULATED, EXPLICIT, IMPLICIT, TRANSFER_SYNTAXES
from trialimg.dicom.standard.table import tag_text
from trialimg.errors import NotDicom, UnreadableObject

MAX_INFLATED: Final = 512 * 1024 * 1024
"""Bytes of a deflated data set once it is inflated."""
_INFLATED_OF_ANY: Final = 48 * 1024 * 1024
_INFLATED_TIMES: Final = 16
"""A small file may grow to the former, a larger one this many times: images come to a half or a tenth."""

PIXEL_DATA: Final = 0x7FE00010

LONG_FORM: Final = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
"""The VRs whose length takes four bytes in explicit VR (PS3.5 7.1.2)."""

_PREAMBLE: Final = 128


class Part10(NamedTuple):
    """A DICOM file laid open: file meta information as raw values, and the data set's bytes."""

    data: memoryview
    start: int
    meta: dict[int, bytes]
    preamble: bytes
    transfer_syntax: str
    implicit: bool
    little: bool

    @property
    def is_encapsulated(self) -> bool:
        """Tell whether pixel data are a sequence of compressed fragments (PS3.5 A.4)."""
        return self.transfer_syntax in ENCAPSULATED


def buffer_of(source: Path | BinaryIO) -> memoryview:
    """Give all bytes of a file, mapped rather than read where the system can; a stream is read from 0."""
    if isinstance(source, Path):
        with source.open("rb") as stream:
            return buffer_of(stream)
    import mmap  # neither this nor zlib is loaded for files that are cleaned by their bytes

    source.seek(0)
    try:
        return memoryview(mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ))
    except (UnsupportedOperation, AttributeError, OSError, ValueError):
        return memoryview(source.read())


def open_part10(source: Path | BinaryIO | memoryview) -> Part10:
    """Find the data set of a file.

    A file without preamble is taken if it begins like a data set of an image. Raises NotDicom, and
    UnreadableObject for a transfer syntax nobody knows or a deflated data set beyond the limit.
    """
    data = source if isinstance(source, memoryview) else buffer_of(source)
    if not len(data):
        raise NotDicom("The file is empty. Nothing can be taken from it; ask for the file again.")
    preamble, position = b"", 0
    if bytes(data[_PREAMBLE : _PREAMBLE + 4]) == b"DICM":
        preamble, position = bytes(data[:_PREAMBLE]), _PREAMBLE + 4
    elif not _begins_like_a_data_set(data):
        raise NotDicom("This is not a DICOM file. It is left out; choose the files that the scanner wrote.")
    meta, position = read_meta(data, position)
    syntax = meta.get(0x00020010, b"").rstrip(b"\0 ").decode("ascii", "replace") or _guess_syntax(data, position)
    if syntax not in TRANSFER_SYNTAXES:
        raise UnreadableObject(
            "The file is written in a transfer syntax that the DICOM standard does not list, so nobody can "
            "check it. Ask the site to export it again in a standard one."
        )
    if syntax == DEFLATED:
        data, position = _inflate(data[position:]), 0
    return Part10(data, position, meta, preamble, syntax, _is_implicit(data, position, syntax), syntax != BIG_ENDIAN)


def _is_implicit(data: memoryview, position: int, syntax: str) -> bool:
    """Believe the first element rather than the transfer syntax: some writers contradict themselves."""
    vr = bytes(data[position + 4 : position + 6])
    return not (vr.isalpha() and vr.isupper()) if len(vr) == 2 else syntax == IMPLICIT  # noqa: PLR2004 - a VR is there


def _begins_like_a_data_set(data: memoryview) -> bool:
    """Tell whether bytes without a preamble start with a first attribute of group 0002 or 0008."""
    if len(data) < 16:  # noqa: PLR2004 - two element headers
        return False
    first_vr = bytes(data[4:6])
    if first_vr in {b"UL", b"UI", b"CS", b"OB", b"DA", b"TM"}:
        return bytes(data[:2]) in {b"\x02\0", b"\x08\0", b"\0\x08"}
    group, _, length = struct.unpack_from("<HHL", data)
    return bool(group == 0x0008 and length <= 256)  # noqa: PLR2004 - a first value is short


def read_meta(data: memoryview, position: int) -> tuple[dict[int, bytes], int]:
    """Read group 0002, always explicit VR little endian (PS3.10 7.1)."""
    meta: dict[int, bytes] = {}
    while position + 8 <= len(data):
        group, element, vr, length = struct.unpack_from("<HH2sH", data, position)
        if group != 0x0002:  # noqa: PLR2004 - the end of file meta
            break
        start = position + 8
        if vr in LONG_FORM:
            if start + 4 > len(data):
                raise truncated(0x00020000 | element)
            (length,) = struct.unpack_from("<L", data, start)
            start += 4
        if start + length > len(data):
            raise truncated(0x00020000 | element)
        meta[0x00020000 | element] = bytes(data[start : start + length])
        position = start + length
    return meta, position


def _guess_syntax(data: memoryview, position: int) -> str:
    vr = bytes(data[position + 4 : position + 6])
    if not (vr.isalpha() and vr.isupper()):
        return IMPLICIT
    big = len(data) > position + 2 and data[position] == 0 and data[position + 1] != 0
    return BIG_ENDIAN if big else EXPLICIT


def _inflate(packed: memoryview) -> memoryview:
    import zlib

    most = min(max(_INFLATED_OF_ANY, _INFLATED_TIMES * len(packed)), MAX_INFLATED)
    try:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        plain = inflater.decompress(packed, most + 1)
    except zlib.error as error:
        raise UnreadableObject("The deflated data set is damaged. Ask for the file again.") from error
    if len(plain) > most:
        raise UnreadableObject(
            f"The deflated data set grows beyond {most // 1024 // 1024} MB, which no image of this kind "
            "needs. It is not opened; ask the site for it in another transfer syntax."
        )
    if not inflater.eof:
        raise UnreadableObject("The deflated data set ends too early. Ask for the file again.")
    return memoryview(plain)


def truncated(tag: int) -> UnreadableObject:
    """Give the refusal of a file that ends inside an attribute."""
    return UnreadableObject(
        f"The file ends before its attribute {tag_text(tag)} does: it was cut off on its way. Ask for it again."
    )


def damaged(tag: int) -> UnreadableObject:
    """Give the refusal of a file whose lengths or delimiters contradict each other."""
    return UnreadableObject(f"The file is damaged at its attribute {tag_text(tag)}. Ask the site to export it again.")
