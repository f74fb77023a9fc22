"""The encodings of DICOM that this engine can read: transfer syntaxes and character sets, by their names.

Lists, not code, so that nothing has to be loaded to ask them; a test compares them with pydicom's.
"""

from __future__ import annotations

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
