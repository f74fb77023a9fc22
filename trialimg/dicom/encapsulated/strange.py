"""Whether a file is built as it says, or something may hide in it that looking at the picture does not show."""

from __future__ import annotations

from trialimg.dicom.encapsulated.frames import Quiet, find_fragments, in_memory
from trialimg.dicom.files.header import InstanceFacts
from trialimg.dicom.standard.part10 import PIXEL_DATA, Part10
from trialimg.dicom.standard.walk import walk

_BITS_ALLOCATED, _SAMPLES = 0x00280100, 0x00280002


def is_built_strangely(facts: InstanceFacts, strange: str | None) -> bool:
    """Tell whether there is more in an image than its picture, so that no look at it settles what it holds.

    ``strange`` is what ``strange_frames`` says of it.
    """
    return strange is not None or facts.pixel_surplus > 0 or not facts.is_followed_well


def strange_frames(part: Part10, facts: InstanceFacts) -> str | None:
    """Say why a person must look at compressed frames, or at a film beyond its pictures, or None."""
    if not (part.is_encapsulated and facts.has_pixels):
        return None
    bits, samples, begin, end = 8, 1, 0, 0
    for event in walk(part, past_pixels=False):
        if event.depth == 0 and event.tag in {_BITS_ALLOCATED, _SAMPLES} and event.kind == "E":
            number = int.from_bytes(part.data[event.start : event.start + min(event.length, 2)], "little")
            bits, samples = (number, samples) if event.tag == _BITS_ALLOCATED else (bits, number)
        elif event.depth == 0 and event.tag == PIXEL_DATA and event.kind in "Pp":
            begin, end = (event.start, end) if event.kind == "P" else (begin, event.start - 8)
    read = in_memory(part.data)
    quiet = Quiet(
        read,
        find_fragments(read, begin, end),
        facts.frames,
        part.transfer_syntax,
        plane_of(facts.rows * facts.columns, bits),
        planes_of(samples, bits),
    )
    quiet.look()
    return strange_where(facts, is_understood=quiet.is_understood)


def strange_where(facts: InstanceFacts, *, is_understood: bool) -> str | None:
    """Say why a person must look at frames that are understood, or not, or None."""
    if not facts.has_pixels or (facts.rows and facts.columns and is_understood):
        return None
    if facts.is_video:
        return (
            "The film is not built as the standard says, so words may stand in it that nobody sees. Discard the "
            "instance and have it exported again, as MP4 in one piece or as a transport stream."
        )
    return (
        "Its compressed frames are not built as their transfer syntax says, so something else may be hidden in them. "
        "Discard the instance and have it exported again, uncompressed."
    )


def plane_of(pixels: int, bits_allocated: int) -> int:
    """Count the bytes of one segment of a frame: a byte of every pixel (PS3.5 G.2), or a bit."""
    return (pixels + 7) // 8 if bits_allocated == 1 else pixels


def planes_of(samples: int, bits_allocated: int) -> int:
    """Count the segments of a frame: one for each byte of each sample of a pixel (PS3.5 G.2)."""
    return max(samples, 1) * max(bits_allocated // 8, 1)
