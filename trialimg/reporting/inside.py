"""What runs in a child process of an export: pictures decoded, pages laid out; its memory goes when it ends.

It is asked in JSON, a line each on standard input, answers each with a line of JSON, and ends with its input;
everything else goes by files in a folder of the vault. It limits itself before it reads anything and ends with its
parent.
"""

from __future__ import annotations

import ctypes
import gc
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
    """Take the limits of what is asked: memory of the process, processor seconds from now on."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != asked["parent"]:
        sys.exit(1)
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + asked["seconds"]
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"],) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds if hard == resource.RLIM_INFINITY else min(seconds, hard), hard))
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


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Do one thing; every failure is an answer without a word of what was read."""
    try:
        return {"done": _WORKS[asked["do"]](asked)}
    except TrialimgError as error:
        return {"refused": error.sentence}
    except Exception as error:  # noqa: BLE001 (the parent says what it means)
        return {"failed": type(error).__name__}


def _peak() -> int:
    """Give the most memory this process ever had, in KiB; ``ru_maxrss`` would be that of a larger parent."""
    try:
        said = Path("/proc/self/status").read_text("ascii")
        return int(said.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Do what is asked, one thing after another."""
    # While a page is laid out nearly all of it is in use to the end, so the collector would search in vain.
    gc.disable()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())  # what a library prints is no answer
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        _limit(asked)
        answer = _answer(asked)
        gc.collect()
        answers.write(json.dumps({**answer, "memory": _peak()}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
