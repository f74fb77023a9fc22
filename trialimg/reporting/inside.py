"""What runs in a child process of an export: a picture decoded, pages laid out; its memory goes when it ends.

It is asked once, in JSON on standard input, and answers in JSON; everything else goes by files in a folder of the
vault. It limits itself before it reads anything and ends with its parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any, Final

from trialimg.errors import TrialimgError

_PR_SET_PDEATHSIG: Final = 1


def _limit(asked: dict[str, Any]) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != asked["parent"]:
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"],) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (asked["seconds"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _picture(asked: dict[str, Any]) -> dict[str, Any]:
    from trialimg.pixels.thumbnail import thumbnail  # numpy and codecs only where a picture is decoded

    with Path(asked["source"]).open("rb") as stream:
        Path(asked["target"]).write_bytes(thumbnail(stream, longest=asked["longest"]))
    return {}


def _pages(asked: dict[str, Any]) -> dict[str, Any]:
    from trialimg.documents.pdf import write_pdf  # WeasyPrint loads Pango

    return {"pages": write_pdf(Path(asked["source"]).read_text("utf-8"), Path(asked["target"]))}


_WORKS: Final = {"picture": _picture, "pages": _pages}


def main() -> None:
    """Do the one thing asked for; every failure is an answer without a word of what was read."""
    asked = json.loads(sys.stdin.buffer.readline())
    _limit(asked)
    try:
        answer: dict[str, Any] = {"done": _WORKS[asked["do"]](asked)}
    except TrialimgError as error:
        answer = {"refused": error.sentence}
    except Exception as error:  # noqa: BLE001 (the parent says what it means)
        answer = {"failed": type(error).__name__}
    sys.stdout.write(json.dumps({**answer, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}) + "\n")


if __name__ == "__main__":
    main()
