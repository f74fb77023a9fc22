"""Looks for the words of made-up people in everything an installation wrote."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from seed_data.phantom.identities import Patient, planted_strings

_AT_ONCE: Final = 8 * 1024 * 1024
_QUARANTINE: Final = "quarantine."


def needles(people: Iterable[Patient]) -> dict[bytes, str]:
    """Give every spelling of every planted string in ISO 8859-1 and UTF-8, their ASCII letters in lower case."""
    found: dict[bytes, str] = {}
    for person in people:
        for text in planted_strings(person):
            for spelling in {text, text.replace("^", " "), text.replace("^", ", ")}:
                for cased in (spelling, spelling.lower(), spelling.upper()):
                    for encoding in ("utf-8", "latin-1"):
                        # Bytes know the case of ASCII letters only, as the text that is searched does.
                        found[cased.encode(encoding).lower()] = text
    return found


def spoken_of(people: Iterable[Patient], files: Iterable[Path]) -> list[tuple[str, str]]:
    """Give (file, string) for every planted string in these files."""
    sought = needles(people)
    longest = max(map(len, sought))
    found = []
    for path in files:
        with path.open("rb") as stream:
            tail = b""
            while block := stream.read(_AT_ONCE):
                text = (tail + block).lower()
                found += [(str(path), word) for needle, word in sought.items() if needle in text]
                tail = text[-longest:]
    return sorted(set(found))


def outside_quarantine(folder: Path) -> list[Path]:
    """Give every file below a folder but the originals that lie in quarantine."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not any(part.startswith(_QUARANTINE) for part in path.parts)
    ]
