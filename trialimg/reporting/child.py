"""Pages laid out and pictures decoded in processes of their own, with limits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from trialimg.errors import Misconfigured, OurFault, UnreadableObject
from trialimg.settings import Settings

_PACKAGE: Final = Path(__file__).resolve().parents[2]
_PATIENCE: Final = 4
"""Seconds on the wall for each second of the processor, on a machine that is busy."""
_PAGES_SECONDS: Final = 600
_KEY_IMAGE: Final = 480


def lay_out(settings: Settings, html: str, target: Path) -> int:
    """Write a page as PDF and give the number of its pages; raises :class:`OurFault` where that fails."""
    source = target.with_suffix(".html")
    source.write_text(html, "utf-8")
    try:
        answer = _ask(settings, {"do": "pages", "source": str(source), "target": str(target)}, _PAGES_SECONDS)
    finally:
        source.unlink(missing_ok=True)
    if answer.get("failed") == "OSError":
        raise Misconfigured(
            "Documents cannot be made on this machine: the library Pango is missing or broken, or the disk is full. "
            "On Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0; then try again."
        )
    if "done" not in answer:
        raise OurFault(f"A document could not be laid out ({answer.get('failed', 'the process ended')}).")
    return int(answer["done"]["pages"])


def key_image(settings: Settings, source: Path, target: Path) -> None:
    """Write the picture of an instance as PNG; raises :class:`UnreadableObject` where none can be made."""
    asked = {"do": "picture", "source": str(source), "target": str(target), "longest": _KEY_IMAGE}
    answer = _ask(settings, asked, settings.child_cpu_seconds)
    if "done" not in answer:
        raise UnreadableObject(answer.get("refused", "The picture could not be decoded here."))


def _ask(settings: Settings, asked: dict[str, Any], seconds: int) -> dict[str, Any]:
    limits = {"memory": settings.child_memory_mb * 2**20, "seconds": seconds, "parent": os.getpid()}
    # Nothing of our environment goes along but what fontconfig needs: it may hold passwords.
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(_PACKAGE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "XDG_CACHE_HOME": str(settings.data / "cache"),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "trialimg.reporting.inside"],
            input=json.dumps({**asked, **limits}).encode() + b"\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            timeout=seconds * _PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {}
    line = done.stdout.strip().rpartition(b"\n")[2]
    return dict(json.loads(line)) if line.startswith(b"{") else {}
