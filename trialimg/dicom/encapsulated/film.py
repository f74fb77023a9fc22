"""A film without what is said beside its pictures; it keeps its length."""

from __future__ import annotations

from typing import Final

from trialimg.dicom.encapsulated.messages import AVC, HEVC, MPEG2, Found, Read, edits_of_stream
from trialimg.dicom.encapsulated.mp4 import Mp4, is_mp4
from trialimg.dicom.encapsulated.transport import is_transport, quiet_transport

_SYNTAX: Final = "1.2.840.10008.1.2.4."
_CODINGS: Final = {**dict.fromkeys(("100", "101"), MPEG2), **dict.fromkeys(("107", "108"), HEVC)}
_STARTS: Final = (b"\0\0\1", b"\0\0\0\1")
_PROGRAM_STREAM: Final = 0xBA
_LONGEST_BEGINNING: Final = 192


def quiet_film(read: Read, size: int, transfer_syntax: str) -> Found:
    """Tell whether a film is built as one is, and what is changed in it, in the order of the places."""
    coding = _CODINGS.get(transfer_syntax.removeprefix(_SYNTAX).split(".")[0], AVC)
    beginning = read(0, _LONGEST_BEGINNING)
    if is_mp4(beginning):
        film = Mp4(read, size, coding)
        return film.is_understood, film.edits
    if is_transport(beginning):
        return quiet_transport(read, size, coding)
    # What stands in a program stream is parted anywhere, and no film of DICOM is written so (PS3.5 8.2).
    if beginning.startswith(_STARTS) and beginning[3] != _PROGRAM_STREAM:
        return edits_of_stream(read, size, coding)
    return False, []
