"""Reads the answer to a STOW-RS request (PS3.18 section 10.5.3), whatever its status.

The answer is a hint, no proof: ``holds`` decides what was stored, this gives the sentences.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

_FAILED, _INSTANCE, _REASON = "00081198", "00081155", "00081197"
_OUT_OF_RESOURCES: Final = range(0xA700, 0xA800)  # PS3.4 table CC.2.8-1, also used by PS3.18 10.5.3
_SENTENCES: Final = {
    0x0110: "The archive had trouble with this instance and did not keep it.",
    0x0122: "The archive does not take this kind of object: its operator must allow this SOP class.",
    0x0124: "The archive does not allow us to store this object.",
    0xA900: "The archive says that this object is not of the kind it claims to be.",
    0xC000: "The archive cannot understand this object.",
    0xC122: "The archive does not take this object's encoding (transfer syntax).",
}
_SILENT: Final = "The archive did not refuse this instance, and does not have it."
_OTHER: Final = "The archive did not keep this instance (reason {reason:04X}H)."


@dataclass
class Answer:
    """Why instances were not stored, by SOPInstanceUID; ``full`` when the archive has no room for now."""

    reasons: dict[str, str] = field(default_factory=dict)
    full: bool = False

    def read(self, body: bytes) -> None:
        """Take in one answer; one that cannot be read says nothing."""
        try:
            found = json.loads(body)
        except ValueError:
            return
        items = found.get(_FAILED, {}).get("Value", []) if isinstance(found, dict) else []
        for item in items:
            uid, reason = _first(item, _INSTANCE), _first(item, _REASON)
            if isinstance(uid, str) and isinstance(reason, int):
                self.full = self.full or reason in _OUT_OF_RESOURCES
                self.reasons[uid] = sentence(reason)

    def why(self, uid: str) -> str:
        """Give the sentence why an instance is not there."""
        return self.reasons.get(uid, _SILENT)


def sentence(reason: int) -> str:
    """Say in words what a failure reason or C-STORE status means."""
    known = _SENTENCES.get(reason) or _SENTENCES.get(reason & 0xFF00) or _SENTENCES.get(reason & 0xF000)
    return known or _OTHER.format(reason=reason)


def _first(item: dict[str, Any], tag: str) -> Any:
    values = item.get(tag, {}).get("Value") or [None]
    return values[0]
