"""What a person is shown to accept or change: boxes around text that was found, and those of a rule for the device."""

from __future__ import annotations

from typing import Any, BinaryIO, Final

from trialimg.domain.mask import MOST_BOXES
from trialimg.pixels.devices import rule_for
from trialimg.pixels.frames import Frames
from trialimg.pixels.looks import look
from trialimg.pixels.text import Found, joined

_BY_RULE: Final = 1.0
_MOST_SURE: Final = 0.999


def propose(stream: BinaryIO) -> dict[str, Any]:
    """Give the boxes of one instance, each ``[frame or null, x, y, width, height, score]``: 1 for a rule's, else less.

    ``looked_at`` are the frames in which text was sought; ``through`` is the number of frames that the brightest and
    the darkest picture of a clip were made of. Raises UnreadableObject where it cannot be decoded.
    """
    frames = Frames(stream)
    looked = look(frames)
    rule = rule_for(frames.header)
    boxes = [Found(box.clipped(frames.columns, frames.rows), _BY_RULE) for box in rule.boxes] if rule else []
    boxes = [each for each in boxes if not each.box.is_empty]
    text = [each for each in joined(looked.found) if not any(other.box.covers(each.box) for other in boxes)]
    surest = sorted(text, key=lambda each: -each.score)[: MOST_BOXES - len(boxes)]
    proposed = [*boxes, *(Found(each.box, min(each.score, _MOST_SURE)) for each in sorted(surest))]
    return {
        "frames": frames.frames,
        "rows": frames.rows,
        "columns": frames.columns,
        "boxes": [[None, each.box.x, each.box.y, each.box.width, each.box.height, each.score] for each in proposed],
        "device": rule.name if rule else "",
        "looked_at": list(looked.looked_at),
        "through": looked.through,
    }
