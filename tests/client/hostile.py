"""Files nobody should be sent, and each the reason why none of them may stop the others."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

from pydicom import dcmread
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import DeflatedExplicitVRLittleEndian


def _nested(good: bytes) -> bytes:
    # Written by hand: pydicom itself gives up on writing this.
    sequences = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 300
    at = good.index(b"\x08\x00\x60\x00CS")
    return good[:at] + sequences + good[at:]


def _four_gigabytes(good: bytes) -> bytes:
    at = good.rindex(b"\xe0\x7f\x10\x00OW")
    return good[: at + 8] + struct.pack("<L", 0xFFFFFFF0) + b"0123456789"


def _bomb(good: bytes) -> bytes:
    meta = dcmread(io.BytesIO(good)).file_meta
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    written = io.BytesIO()
    written.write(bytes(128) + b"DICM")
    write_file_meta_info(written, meta)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return written.getvalue() + b"".join(packer.compress(bytes(1 << 24)) for _ in range(256)) + packer.flush()


def make_hostile(folder: Path, good: Path) -> list[Path]:
    """Write them into a folder, made from one good file; gives what must be refused, the links not counted."""
    data = good.read_bytes()
    made = {
        "empty.dcm": b"",
        "text.dcm": b"Dear colleague, please find the images attached.",
        "cut.dcm": data[: len(data) * 2 // 3],
        "declared.dcm": _four_gigabytes(data),
        "nested.dcm": _nested(data),
        "bomb.dcm": _bomb(data),
        "Müller Jürgen 画像\r\n.dcm": b"no image either",
    }
    folder.mkdir(parents=True)
    for name, content in made.items():
        (folder / name).write_bytes(content)
    (folder / "link.dcm").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe.dcm")
    return [folder / name for name in made]
