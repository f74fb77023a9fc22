"""Values of a header: texts decoded by the character set of the file (PS3.5 chapter 6), and numbers."""

from __future__ import annotations

from collections.abc import Sequence

from trialimg.dicom.standard.syntaxes import CHARACTER_SETS


def decoded(value: bytes, character_set: bytes, *, is_name: bool) -> str:
    """Decode a free text or a name; what its character set does not know is read as Latin."""
    if value.isascii() and b"\x1b" not in value:
        return ascii_of(value)
    # Not loaded where every text is ASCII.
    from pydicom.charset import convert_encodings, decode_bytes

    from trialimg.dicom.standard.quiet import silence_the_parser

    silence_the_parser()
    named = ascii_of(character_set).split("\\")
    declared = [name.strip() if name.strip() in CHARACTER_SETS else "" for name in named]
    try:
        encodings: Sequence[str] = convert_encodings(declared)
    except (LookupError, ValueError):
        encodings = ["iso8859"]
    try:
        return decode_bytes(value, encodings, {0x5E, 0x3D} if is_name else {0x5C}).strip(" \0")
    except (LookupError, ValueError):
        return value.decode("latin-1").strip(" \0")


def ascii_of(value: bytes) -> str:
    """Decode what may hold ASCII only."""
    return value.decode("ascii", "replace").strip(" \0")


def short_of(value: bytes | None, *, little: bool) -> int:
    """Read the first value of a US; 0 where there is none."""
    return int.from_bytes(value[:2], "little" if little else "big") if value is not None and len(value) > 1 else 0


def is_one_wide(width: bytes) -> bool:
    """Tell whether a window is one value wide, as it is for pictures of a page."""
    return width.strip(b" \0") in {b"1", b"1.0", b"1.00", b"1.000000"}
