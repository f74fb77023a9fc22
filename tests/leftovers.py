"""Nothing that tests start or write outlives them: not when one fails, not when the run is interrupted or killed.

Every process that a run starts, and what those start, inherits the mark of the run; every temporary folder of theirs
lies in one folder. A watchdog waits until the run is over, however it ends, then ends what still carries the mark,
says so, and removes the folder. Only pytest's own folder of failed tests stays, beside it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

MARK = "TESTS_OF_TRIALIMG"
GRACE_SECONDS = 4.0


def carriers(mark: str) -> list[int]:
    """Find the processes, other than this one, that were started with this mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0") and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


def name_of(pid: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return words[:100].strip()
    return ""


def _gone(mark: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while carriers(mark):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def sweep(mark: str, folder: Path, grace: float = GRACE_SECONDS) -> list[str]:
    """End what carries the mark and does not end by itself, remove the folder, and name what had to be ended."""
    ended: dict[int, str] = {}
    for how in (None, signal.SIGTERM, signal.SIGKILL):
        if how is not None:
            for pid in carriers(mark):
                ended.setdefault(pid, name_of(pid))
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
        if _gone(mark, grace):
            break
    shutil.rmtree(folder, ignore_errors=True)
    return sorted(name for name in ended.values() if name)


class Watchdog:
    """The mark and the folder of this run, and the process that clears up after it."""

    def __init__(self) -> None:
        self._before = {name: os.environ.get(name) for name in (MARK, "TMPDIR", "PYTEST_DEBUG_TEMPROOT")}
        kept = os.environ.get("PYTEST_DEBUG_TEMPROOT") or tempfile.gettempdir()
        folder = Path(tempfile.mkdtemp(prefix="trialimg-run-"))
        folder.chmod(0o711)  # PostgreSQL's own account passes through
        self._process = subprocess.Popen(
            [sys.executable, __file__, folder.name, str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self._set({MARK: folder.name, "TMPDIR": str(folder), "PYTEST_DEBUG_TEMPROOT": kept})

    def finish(self) -> str:
        """Let it clear up, and give what it says."""
        self._set(self._before)
        said, _ = self._process.communicate()
        return said

    def _set(self, values: dict[str, str | None]) -> None:
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        tempfile.tempdir = None


_WATCHDOG = pytest.StashKey[Watchdog]()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and MARK not in os.environ:
        config.stash[_WATCHDOG] = Watchdog()


def pytest_unconfigure(config: pytest.Config) -> None:
    watchdog = config.stash.get(_WATCHDOG, None)
    if watchdog is not None:
        print(watchdog.finish(), end="")


if __name__ == "__main__":
    sys.stdin.read()  # ends with the run, however that ends
    for each in sweep(sys.argv[1], Path(sys.argv[2])):
        print(f"The tests left this running; it was ended: {each}")
