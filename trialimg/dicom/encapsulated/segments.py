"""Whether the parts of a header of a compressed frame are as long, and hold what, their encoding says.

A decoder reads what it needs of a part and steps over the rest, in which anything may be written. Where a part is
longer than it has to be, or is one that nobody can read here and looks like words, its frame is not understood.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final

from trialimg.domain.pattern import late

_WORD: Final = late(rb"[A-Za-z][A-Za-z ^]{3}")
_MOST_COMPONENTS, _MOST_LEVELS, _LONGEST_CAP = 4, 32, 8
_MOST_BITS, _MOST_DEPTH, _COARSEST = 14, 38, 4
"""Of a coefficient, of a sample, and in how many of its pixels a component may have one."""
_SOF: Final = frozenset({*range(0xC0, 0xD0), 0xDE, 0xF7} - {0xC4, 0xC8, 0xCC})
"""Headers of frames of JPEG, of its hierarchical form, and of JPEG-LS."""


def _frame(payload: bytes) -> bool:
    return len(payload) > 5 and payload[5] <= _MOST_COMPONENTS and len(payload) == 6 + 3 * payload[5]  # noqa: PLR2004 - ITU-T T.81 B.2.2


def _scan(payload: bytes) -> bool:
    return bool(payload) and payload[0] <= _MOST_COMPONENTS and len(payload) == 4 + 2 * payload[0]


def _quantization(payload: bytes) -> bool:
    position = 0
    while position < len(payload):
        precision, number = divmod(payload[position], 16)
        if precision > 1 or number > 3:  # noqa: PLR2004 - see ITU-T T.81 B.2.4.1
            return False
        position += 65 + 64 * precision
    return position == len(payload)


def _huffman(payload: bytes) -> bool:
    """Judge tables of codes: so many of each length, and what each stands for, once (T.81 B.2.4.2, F.1.2, H.1.2.2)."""
    position = 0
    while position + 17 <= len(payload):
        kind, number = divmod(payload[position], 16)
        counts = payload[position + 1 : position + 17]
        position += 17
        values = payload[position : position + sum(counts)]
        position += sum(counts)
        if kind > 1 or number > 3 or len(set(values)) != len(values):  # noqa: PLR2004 - see ITU-T T.81 B.2.4.2
            return False
        if (
            sum(count << 15 - length for length, count in enumerate(counts)) > 1 << 16
        ):  # more codes than bits tell apart
            return False
        if any(value & 15 > _MOST_BITS if kind else value > _MOST_BITS + 2 for value in values):
            return False
    return position == len(payload)


def _presets(payload: bytes) -> bool:
    """Judge the presets of JPEG-LS (ITU-T T.87 C.2.4.1): thresholds, or a larger size."""
    if payload[:1] == b"\4":
        return len(payload) in {6, 8, 10}
    if payload[:1] != b"\1" or len(payload) != 11:  # noqa: PLR2004 - see ITU-T T.87
        return False
    most, first, second, third, _ = struct.unpack_from(">5H", payload, 1)
    last = most or 0xFFFF
    return bool(third <= last and (not second or first <= second <= (third or last)) and first <= last)


_JPEG: Final[Mapping[int, Callable[[bytes], bool]]] = {
    **dict.fromkeys(_SOF, _frame),
    0xC4: _huffman,
    0xCC: lambda payload: not len(payload) % 2 and all(table >> 4 <= 1 and table & 15 <= 3 for table in payload[::2]),  # noqa: PLR2004 - see ITU-T T.81 B.2.4.3
    0xDA: _scan,
    0xDB: _quantization,
    0xDC: lambda payload: len(payload) == 2,  # noqa: PLR2004 - a number of lines
    0xDD: lambda payload: 2 <= len(payload) <= 4,  # noqa: PLR2004 - an interval, longer in T.87
    0xDF: lambda payload: len(payload) == 1,
    0xF8: _presets,
}


def fits_jpeg(marker: int, payload: bytes) -> bool:
    """Tell whether a segment of JPEG or JPEG-LS is what its marker says (ITU-T T.81 B.2, T.87 C.2)."""
    return _JPEG[marker](payload)


def _size(payload: bytes) -> bool:
    """Judge how large a picture is, and depth and distances of each component (T.800 A.5.1)."""
    if len(payload) < 36 or len(payload) != 36 + 3 * struct.unpack_from(">H", payload, 34)[0]:  # noqa: PLR2004 - see ITU-T T.800 A.5.1
        return False
    depths, distances = payload[36::3], payload[37::3] + payload[38::3]
    return all(depth & 0x7F < _MOST_DEPTH for depth in depths) and all(1 <= each <= _COARSEST for each in distances)


def _style(payload: bytes, at: int, precincts: int) -> bool:
    """Judge levels, blocks and transformation, and the precincts of every level (T.800 table A.20)."""
    if len(payload) < at + 5 or payload[at] > _MOST_LEVELS:
        return False
    return len(payload) == at + 5 + (payload[at] + 1 if precincts & 1 else 0)


def _steps(payload: bytes) -> bool:
    """Judge the steps of quantization, of one band or of all (T.800 table A.27)."""
    style, length = payload[0] & 0x1F if payload else 3, len(payload) - 1
    if style == 1:
        return length == 2  # noqa: PLR2004 - one step
    width = 1 if style == 0 else 2
    if style == 0 and any(step & 7 for step in payload[1:]):  # exponents alone
        return False
    return style in {0, 2} and length % width == 0 and length // width in _BANDS


_BANDS: Final = frozenset(3 * levels + 1 for levels in range(_MOST_LEVELS + 1))


def _order(payload: bytes) -> bool:
    """Judge changes of the order: a progression, of five, ends each (T.800 A.6.6)."""
    return not len(payload) % 7 and all(order <= 4 for order in payload[6::7])  # noqa: PLR2004 - see ITU-T T.800 table A.16


def _capabilities(payload: bytes) -> bool:
    """Judge which parts of the standard are used, and two bytes on each (T.800 A.5.2)."""
    parts = int.from_bytes(payload[:4], "big").bit_count()
    return len(payload) == 4 + 2 * parts <= _LONGEST_CAP and _no_word(payload)


def _no_word(payload: bytes) -> bool:
    return _WORD.search(payload) is None


_J2K: Final[Mapping[int, Callable[[bytes], bool]]] = {
    0x51: _size,
    0x52: lambda payload: bool(payload) and _style(payload, 5, payload[0]),
    0x53: lambda payload: len(payload) > 1 and _style(payload, 2, payload[1]),
    0x5C: _steps,
    0x5D: lambda payload: _steps(payload[1:]),
    0x5E: lambda payload: len(payload) == 3,  # noqa: PLR2004 - a region of interest
    0x5F: _order,
    0x90: lambda payload: len(payload) == 8,  # noqa: PLR2004 - see ITU-T T.800 A.4.2
    0x50: _capabilities,
    # Heads of packets apart from the packets are of any bytes; no file of the corpora has them.
    **dict.fromkeys((0x60, 0x61), lambda _payload: False),
}
"""Of images of up to 256 components."""


def fits_j2k(marker: int, payload: bytes) -> bool:
    """Tell whether a segment of a header of JPEG 2000 is what its marker says (ITU-T T.800 A.5 to A.9)."""
    return _J2K.get(marker, _no_word)(payload)


def _palette(payload: bytes) -> bool:
    entries, columns = struct.unpack_from(">HB", payload) if len(payload) > 2 else (0, 0)  # noqa: PLR2004 - both
    width = sum(depth % 128 // 8 + 1 for depth in payload[3 : 3 + columns])
    return bool(0 < columns <= _MOST_COMPONENTS and len(payload) == 3 + columns + entries * width)


def _colour(payload: bytes) -> bool:
    """Judge how colours are read: by a number of a colour space, of which there are few, or by a profile."""
    return payload[:1] != b"\1" or (len(payload) == 7 and not any(payload[1:6]))  # noqa: PLR2004 - see ITU-T T.800 I.5.3.3


_BOXES: Final[Mapping[bytes, Callable[[bytes], bool]]] = {
    b"jP  ": lambda payload: payload == b"\r\n\x87\n",
    b"ihdr": lambda payload: len(payload) == 14,  # noqa: PLR2004 - see ITU-T T.800 I.5.3.1
    b"bpcc": lambda payload: len(payload) <= _MOST_COMPONENTS,
    b"pclr": _palette,
    b"cmap": lambda payload: not len(payload) % 4 and all(use <= 1 for use in payload[2::4]),
    b"cdef": lambda payload: len(payload) == 2 + 6 * int.from_bytes(payload[:2], "big"),
    b"colr": _colour,
}


def fits_box(kind: bytes, payload: bytes) -> bool:
    """Tell whether a box of a JP2 file that a decoder needs is what its kind says (T.800 I.5)."""
    return _BOXES.get(kind, _no_word)(payload)
