"""One hash for one content: equal for files that differ only in how DICOM lets them be written.

Left out are file meta information, group lengths, trailing padding, the length of sequences and items
(told or delimited), and the offset table of encapsulated pixel data; implicit and explicit VR are
equal for public attributes. Byte order is part of the value: archives keep it.
"""

from __future__ import annotations

import hashlib
import struct
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from trialimg.dicom.standard.part10 import Part10, open_part10
from trialimg.dicom.standard.syntaxes import EXPLICIT
from trialimg.dicom.standard.table import vr_of
from trialimg.dicom.standard.walk import walk

if TYPE_CHECKING:
    from hashlib import _Hash

    from pydicom.dataset import Dataset

_PADDED_TEXT: Final = frozenset(
    {*("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN"), *("SH", "ST", "TM", "UC", "UI", "UR", "UT")}
)
_PADDED_BYTES: Final = frozenset({"OB", "UN", "OB or OW"})
_TRAILING_PADDING: Final = 0xFFFCFFFC
_CHUNK: Final = 1 << 20


def canonical_hash(source: Path | BinaryIO | memoryview | Dataset) -> str:
    """Give the SHA-256 (hex) of the content of a file, a stream (read from its start) or a data set.

    Raises NotDicom or UnreadableObject where the bytes are no DICOM file.
    """
    if isinstance(source, Path | memoryview) or not hasattr(source, "original_encoding"):
        return hash_part(open_part10(source))
    return hash_part(_written(cast("Dataset", source)))


def hash_part(part: Part10) -> str:
    """Give the hash of a file that is already laid open."""
    digest = hashlib.sha256()
    data = part.data
    at_offset_table = False
    for kind, tag, stated, start, length, _depth in walk(part):
        if kind == "E":
            if tag & 0xFFFF and tag != _TRAILING_PADDING:
                _take(digest, tag, vr_of(tag) or stated or "UN", data[start : start + length])
        elif kind == "F":
            # The offset table is the first fragment; the fragments behind it are found without it.
            if not at_offset_table:
                digest.update(b"F")
                _bytes(digest, _without_pad(data[start : start + length]))
            at_offset_table = False
        else:
            at_offset_table = kind == "P"
            digest.update(struct.pack(">cL", kind.encode(), tag))
    return digest.hexdigest()


def _take(digest: _Hash, tag: int, vr: str, value: memoryview) -> None:
    digest.update(struct.pack(">cL8s", b"E", tag, vr.encode()[:8]))
    if vr in _PADDED_TEXT:
        _bytes(digest, memoryview(bytes(value).rstrip(b" \0")))
    elif vr in _PADDED_BYTES:
        _bytes(digest, _without_pad(value))
    else:
        _bytes(digest, value)


def _without_pad(value: memoryview) -> memoryview:
    """Leave out one NUL at an even end, which may be the pad byte (PS3.5 6.2); an odd end has none."""
    return value[:-1] if len(value) and len(value) % 2 == 0 and value[-1] == 0 else value


def _bytes(digest: _Hash, value: memoryview) -> None:
    digest.update(struct.pack(">Q", len(value)))
    for position in range(0, len(value), _CHUNK):
        digest.update(value[position : position + _CHUNK])


def _written(dataset: Dataset) -> Part10:
    """Encode a data set as it is, or explicit VR little endian where it was never read from a file."""
    from pydicom.filebase import DicomIO
    from pydicom.filewriter import write_dataset  # not loaded where only files are hashed

    implicit, little = dataset.original_encoding
    implicit, little = bool(implicit), little is not False
    syntax = str(getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", "") or EXPLICIT)
    written = BytesIO()
    stream = DicomIO(written)
    stream.is_implicit_VR, stream.is_little_endian = implicit, little
    write_dataset(stream, dataset)
    return Part10(memoryview(written.getvalue()), 0, {}, b"", syntax, implicit, little)
