"""Looks for the words of made-up people in everything an installation wrote."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from seed_data.phantom.identities import Patient, planted_strings

_AT_ONCE: Final = 8 * 1024 * 1024
_FILES_AT_ONCE: Final = 400
_QUARANTINE: Final = "quarantine."
_MIXED: Final = re.compile(rb"[0-9a-f]{24,}")
"""What hashes, keys and UIDs look like in lower case: any seven digits stand in one of them sooner or later."""


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
    for path in _suspects(list(files), sought):
        with path.open("rb") as stream:
            tail = b""
            while block := stream.read(_AT_ONCE):
                text = (tail + block).lower()
                found += [(str(path), word) for needle, word in sought.items() if _stands(needle, text)]
                tail = text[-longest:]
        if path.suffix == ".sqlite":
            numbers = {needle: word for needle, word in sought.items() if needle.isdigit()}
            found += [(str(path), word) for needle, word in numbers.items() if _is_a_value(needle.decode(), path)]
    return sorted(set(found))


def _stands(needle: bytes, text: bytes) -> bool:
    """Say whether the needle stands in the text; a number, outside of what is a hash, a key or a UID."""
    if needle not in text or not needle.isdigit():
        return needle in text
    mixed = [found.span() for found in _MIXED.finditer(text)]
    inside = sum(text.count(needle, start, end) for start, end in mixed)
    return text.count(needle) > inside


def _is_a_value(number: str, database: Path) -> bool:
    """Say whether a number stands by itself in a value of an SQLite file, where values lie against one another."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / database.name
        with (
            closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            alone = re.compile(rf"(?<![0-9a-f]){number}(?![0-9a-f])", re.IGNORECASE)
            return any(alone.search(line) for line in target.iterdump())


def _suspects(files: list[Path], sought: Iterable[bytes]) -> list[Path]:
    """Give the files in which grep, which looks for all strings at once, finds any."""
    found: list[Path] = []
    with tempfile.NamedTemporaryFile() as patterns:
        patterns.write(b"\n".join(sought))
        patterns.flush()
        for start in range(0, len(files), _FILES_AT_ONCE):
            names = [str(path) for path in files[start : start + _FILES_AT_ONCE]]
            done = subprocess.run(
                ["grep", "-aiFlZ", "-f", patterns.name, "--", *names],
                env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=False,
            )  # fmt: skip
            # A running server tidies up: a file that went since it was listed is no fault, one not readable is.
            wrong = [line for line in done.stderr.splitlines() if not line.endswith(b"No such file or directory")]
            if wrong:
                raise RuntimeError(f"grep could not read every file: {wrong[0].decode()}")
            found += [Path(name.decode()) for name in done.stdout.split(b"\0") if name]
    return found


def outside_quarantine(folder: Path) -> list[Path]:
    """Give every file below a folder but the originals that lie in quarantine."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not any(part.startswith(_QUARANTINE) for part in path.parts)
    ]
