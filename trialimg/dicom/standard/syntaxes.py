"""The encodings of DICOM that this engine can read: transfer syntaxes and character sets, by their names.

Lists, not code, so that nothing has to be loaded to ask them; a test compares them with pydicom's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

IMPLICIT: Final = "1.2.840.10008.1.2"
EXPLICIT: Final = "1.2.840.10008.1.2.1"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
_PLAIN: Final = frozenset({IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN})

_FILMS: Final = ("100", "101", "102", "103", "104", "105", "106")
VIDEO_SYNTAXES: Final = frozenset(
    f"{IMPLICIT}.4.{leaf}" for leaf in (*_FILMS, *(f"{film}.1" for film in _FILMS), "107", "108")
)
_PICTURES: Final = (
    *("50", "51", "57", "70", "80", "81", "90", "91", "92", "93"),
    *("201", "202", "203", "204", "205"),
)
ENCAPSULATED: Final = VIDEO_SYNTAXES | {
    *(f"{IMPLICIT}.4.{leaf}" for leaf in _PICTURES),
    f"{IMPLICIT}.5",
    *(f"{IMPLICIT}.7.{leaf}" for leaf in (1, 2, 3)),
}
"""Those whose pixel data are a sequence of compressed fragments (PS3.5 A.4)."""
TRANSFER_SYNTAXES: Final = _PLAIN | ENCAPSULATED

CHARACTER_SETS: Final = frozenset(
    {
        *("", "GB18030", "GBK", "ISO 2022 58", "ISO 2022 GBK", "ISO_IR 13", "ISO_IR 166", "ISO_IR 192", "ISO_IR 6"),
        *(f"ISO_IR {number}" for number in (100, 101, 109, 110, 126, 127, 138, 144, 148)),
        *(f"ISO 2022 IR {number}" for number in (6, 13, 58, 87, 100, 101, 109, 110, 126, 127, 138, 144, 148, 149)),
        *(f"ISO 2022 IR {number}" for number in (159, 166)),
    }
)
"""The defined terms of Specific Character Set (PS3.3 C.12.1.1.2), as the parser knows them."""

_ISO_8859: Final = {100: 1, 101: 2, 109: 3, 110: 4, 126: 7, 127: 6, 138: 8, 144: 5, 148: 9}
SIMPLE_ENCODINGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("", "ISO_IR 6"), "iso8859-1"),
    **{f"ISO_IR {number}": f"iso8859-{part}" for number, part in _ISO_8859.items()},
    "ISO_IR 192": "utf-8",
}
"""Of the terms that, alone, name one encoding in which no byte of ASCII stands for anything else, that encoding.

Without a term the parser reads what is not ASCII as Latin-1, and so does whoever asks here.
"""
