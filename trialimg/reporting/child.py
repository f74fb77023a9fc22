"""Pictures decoded in a process of its own, with limits; and how every child of an export is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from trialimg.errors import UnreadableObject
from trialimg.settings import Settings

PATIENCE: Final = 4
"""Seconds on the wall for each second of the processor, on a machine that is busy."""
_PACKAGE: Final = Path(__file__).resolve().parents[2]
_KEY_IMAGE: Final = 480


def start(settings: Settings) -> subprocess.Popen[bytes]:
    """Start a child, which is asked and answers line by line; it ends with its input, or with the thread it is of."""
    # Nothing of our environment goes along but what fontconfig needs: it may hold passwords.
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(_PACKAGE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "XDG_CACHE_HOME": str(settings.data.absolute() / "cache"),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "trialimg.reporting.inside"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
    )


def question(settings: Settings, asked: dict[str, Any], seconds: int) -> bytes:
    """Give what is asked of a child as a line, with the limits it must keep; it works in another folder than we do."""
    files = {name: str(Path(asked[name]).absolute()) for name in ("source", "target")}
    limits = {"memory": settings.child_memory_mb * 2**20, "seconds": seconds, "parent": os.getpid()}
    return json.dumps({**asked, **files, **limits}).encode() + b"\n"


def answer_in(line: bytes) -> dict[str, Any]:
    """Give the answer that a line holds; an empty one where the child ended instead."""
    return dict(json.loads(line)) if line.endswith(b"\n") else {}


def key_image(settings: Settings, source: Path, target: Path) -> None:
    """Write the picture of an instance as PNG; raises :class:`UnreadableObject` where none can be made."""
    asked = {"do": "picture", "source": str(source), "target": str(target), "longest": _KEY_IMAGE}
    answer = _ask_once(settings, asked, settings.child_cpu_seconds)
    if "done" not in answer:
        raise UnreadableObject(answer.get("refused", "The picture could not be decoded here."))


def _ask_once(settings: Settings, asked: dict[str, Any], seconds: int) -> dict[str, Any]:
    """Ask a child of its own: what decodes a picture of one subject never sees one of another."""
    with start(settings) as process:
        try:
            out, _ = process.communicate(question(settings, asked, seconds), seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            return {}
        except BaseException:
            process.kill()
            raise
    return answer_in(out)
