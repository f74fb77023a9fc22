"""Parts of a long history that are laid out, kept in the vault until the export is whole: a killed worker loses few.

A part is found by what it says, to the letter; so one that would say something else by now is laid out again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from trialimg.vault import Area

_BEGUN: Final = "begun"


@dataclass(frozen=True)
class Shelf:
    """The parts of one export."""

    area: Area

    def begun(self, now: datetime) -> datetime:
        """Give when the first attempt began, which every part of it says; ``now`` where this is the first."""
        text = self.area.read_note(_BEGUN)
        if text is None:
            self.area.note(_BEGUN, now.isoformat().encode())
            return now
        return datetime.fromisoformat(text.decode())

    def take(self, html: str, target: Path) -> int:
        """Write the document that says this, if it is there, and give the number of its pages, else 0."""
        text = self.area.read_note(_key(html))
        if text is None:
            return 0
        kept = json.loads(text)
        with self.area.open(kept["sha256"]) as stream, target.open("wb") as file:
            while piece := stream.read(1 << 20):
                file.write(piece)
        return int(kept["pages"])

    def keep(self, html: str, target: Path, pages: int) -> None:
        """Keep a document; its note, written last, says that it is whole."""
        with target.open("rb") as stream:
            stored = self.area.put(stream)
        self.area.note(_key(html), json.dumps({"sha256": stored.sha256, "pages": pages}).encode())


def _key(html: str) -> str:
    return f"part-{hashlib.sha256(html.encode()).hexdigest()[:48]}"
