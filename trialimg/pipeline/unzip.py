"""A zip unpacked into the vault, by content only: its names are never used as paths.

Runs inside a child process. Refused as a whole: what is encrypted, explosive, damaged, or names places outside
itself. Links, and zips within the zip, are kept from being followed by the caller, one sentence each.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedIOBase
from typing import BinaryIO, Final, cast

from trialimg.errors import NotDicom, UnsafeArchiveFile
from trialimg.vault import Area

_SMALL: Final = 1 << 20
"""Bytes up to which a good ratio means nothing."""
_ENCRYPTED: Final = 0x1
_PACKED: Final = {
    b"Rar!": "RAR",
    b"7z\xbc\xaf": "7-Zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}
_NEVER: Final = (".ds_store", "thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Entry:
    """One file of a zip, now in the vault; ``refused`` is the sentence why it is not to be looked at, or empty."""

    name: str
    sha256: str
    size: int
    refused: str = ""


class _Counted(BufferedIOBase):
    """A member read with a limit, whatever length it claims."""

    def __init__(self, source: BinaryIO, limit: int) -> None:
        self._source, self._left = source, limit

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Give the next bytes; raises UnsafeArchiveFile beyond the limit."""
        data = self._source.read(size if size is not None and size >= 0 else _SMALL)
        self._left -= len(data)
        if self._left < 0:
            raise UnsafeArchiveFile(
                "A file in the zip unpacks to more than the zip says. It was made to do harm or is damaged; nothing "
                "of it was taken. Pack the folder again, or send it unpacked."
            )
        return data


def begins_like_zip(start: bytes) -> bool:
    """Say whether bytes begin as a zip does."""
    return start.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def why_not_opened(start: bytes) -> str:
    """Say why a file that begins so is not looked into, "" where it is."""
    if start.startswith(b"%PDF"):
        return "This is a PDF, not a DICOM file. It is left out; choose the files that the scanner wrote."
    packed = next((name for begin, name in _PACKED.items() if start.startswith(begin)), "")
    if start[257:262] == b"ustar":
        packed = "tar"
    if not packed:
        return ""
    return (
        f"This is a {packed} file, which is not unpacked here. Unpack it on your computer and send the folder, or "
        "send it as zip."
    )


def unpack(
    stream: BinaryIO, area: Area, *, most: int, ratio: int, largest: int, goes_on: Callable[[], None]
) -> list[Entry]:
    """Put every file of a zip into the area.

    ``most`` files, ``ratio`` bytes for one packed byte, ``largest`` bytes in all; ``goes_on`` is called between
    files. Raises UnsafeArchiveFile, with nothing of the zip named in the sentence; NoSpace when the disk is full.
    """
    try:
        with zipfile.ZipFile(stream) as packed:
            members = [m for m in packed.infolist() if not m.is_dir() and not _is_litter(m.filename)]
            _check(members, most=most, ratio=ratio, largest=largest)
            entries = []
            for member in members:
                entries.append(_take(packed, member, area))
                goes_on()
            return entries
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError):
        raise UnsafeArchiveFile(
            "The zip is damaged, cut off, or packed in a way that is not read here. Pack the folder again, or send it "
            "unpacked."
        ) from None


def _is_litter(name: str) -> bool:
    parts = name.lower().split("/")
    return parts[0] == "__macosx" or parts[-1] in _NEVER


def _check(members: list[zipfile.ZipInfo], *, most: int, ratio: int, largest: int) -> None:
    if not members:
        raise NotDicom("The zip is empty. Pack the folder of the study again, or send it unpacked.")
    if len(members) > most:
        raise UnsafeArchiveFile(
            f"The zip holds {len(members)} files; at most {most} are taken at once. Send the study in several parts."
        )
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise UnsafeArchiveFile(
            "The zip is encrypted, so nobody here can look into it. Unpack it on your computer and send the folder."
        )
    if any(_points_outside(member.filename) for member in members):
        raise UnsafeArchiveFile(
            "The zip names places outside itself, as one made to do harm does. Nothing of it was taken. Unpack it on "
            "your computer and send the folder."
        )
    size, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
    if size > largest:
        raise UnsafeArchiveFile(
            "The zip unpacks to more than this installation can take now. Send the study in several parts."
        )
    if size > _SMALL and size > ratio * max(packed, 1):
        raise UnsafeArchiveFile(
            f"The zip unpacks to more than {ratio} times its size, as one made to do harm does. Nothing of it was "
            "taken. Unpack it on your computer and send the folder."
        )


def _points_outside(name: str) -> bool:
    plain = name.replace("\\", "/")
    return plain.startswith("/") or ".." in plain.split("/") or plain[1:2] == ":"


def _take(packed: zipfile.ZipFile, member: zipfile.ZipInfo, area: Area) -> Entry:
    with packed.open(member) as source:
        counted = _Counted(cast("BinaryIO", source), member.file_size)
        try:
            stored = area.put(cast("BinaryIO", counted))
        except RuntimeError:  # what zipfile raises for a member encrypted without saying so
            raise UnsafeArchiveFile("The zip is encrypted. Unpack it and send the folder.") from None
    refused = ""
    if stat.S_ISLNK(member.external_attr >> 16):
        refused = "This entry of the zip is a link to another place, which is not followed. Send the file itself."
    else:
        with area.open(stored.sha256) as stream:
            if begins_like_zip(stream.read(4)):
                refused = "A zip within a zip is not unpacked. Unpack it on your computer and send the folder."
    return Entry(member.filename, stored.sha256, stored.size, refused)
