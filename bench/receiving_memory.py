"""Memory of web and worker while 2 GB arrive: flat, each under 500 MB.

``python -m bench.receiving_memory [--megabytes N]``. Half of it comes as slices of a CT and is taken to *linked*, half
as one object of one piece, which is no image and is refused. The largest resident size of the serving process, of the
worker, and of the worker's children is read ten times a second and printed against the bar.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydicom import dcmread

from bench.installation import DAY, PATIENT, Installation, say
from bench.receiver import Opener, Receiver
from seed_data.phantom.ct import write_ct

if TYPE_CHECKING:  # it is there for type checkers only
    from _typeshed import WriteableBuffer

BAR_MB = 500
_BASE = 16


class Endless(io.RawIOBase):
    """So many bytes that are no image, made as they are read."""

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Give the next bytes."""
        view = memoryview(buffer)
        count = min(len(view), self._left)
        view[:count] = b"%" * count
        self._left -= count
        return count


class Watch:
    """The largest resident size, in MB, of a process and of each of its children, read while it runs."""

    def __init__(self, name: str, pid: int) -> None:
        self.name, self.pid = name, pid
        self.peak: dict[str, float] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watching."""
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.1):
            for label, pid in ((self.name, self.pid), *((f"child of {self.name}", p) for p in children(self.pid))):
                self.peak[label] = max(self.peak.get(label, 0), resident_mb(pid))


def resident_mb(pid: int) -> float:
    """Give the resident size of a process in MB, 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0)


def children(pid: int) -> list[int]:
    """Give the processes below a process, at any depth."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(each) for each in (task / "children").read_text().split()]
    except OSError:
        return found
    return found + [below for each in found for below in children(each)]


def slices(folder: Path, megabytes: int) -> Iterator[Opener]:
    """Make a study out of a few slices by giving each copy an identifier of its own."""
    made = write_ct(folder, PATIENT, study_date=DAY.strftime("%Y%m%d"), slices=_BASE, study_key="memory")[1:]
    base = [path.read_bytes() for path in made]
    uids = [str(dcmread(path, stop_before_pixels=True).SOPInstanceUID).encode() for path in made]
    for number in range(megabytes * 10**6 // len(base[0])):
        data, uid = base[number % _BASE], uids[number % _BASE]
        other = uid[:-5] + f"{number:05d}".encode()

        def opener(data: bytes = data, uid: bytes = uid, other: bytes = other) -> BinaryIO:
            return io.BytesIO(data.replace(uid, other))

        yield opener


def run(made: Installation, folder: Path, megabytes: int) -> float:
    """Send both halves; gives the seconds it took to receive them."""
    receiver = Receiver(made.url, made.token)
    say("Receiving slices.")
    key, start = made.begin(made.subject()), time.monotonic()
    count = receiver.send(key, slices(folder, megabytes // 2))
    seconds = time.monotonic() - start
    say(f"{count} slices were received in {seconds:.0f} s; waiting until they are linked.")
    account = receiver.follow(key)
    say(f"{account['stage']}: {account['sentence']}")
    say("Receiving one large object.")
    key, start = made.begin(made.subject()), time.monotonic()
    receiver.send(key, [lambda: io.BufferedReader(Endless(megabytes // 2 * 10**6))])
    seconds += time.monotonic() - start
    account = receiver.follow(key, confirm=False)
    say(f"{account['stage']}: {account['sentence']}")
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=2000)
    megabytes = parser.parse_args().megabytes
    with tempfile.TemporaryDirectory(prefix="trialimg-bench-") as name:
        made = Installation(Path(name) / "data")
        made.make()
        with made.process("serve", WORKER="no") as web, made.process("worker") as worker:
            made.wait_until_served()
            watches = [Watch("web", web.pid), Watch("worker", worker.pid)]
            seconds = run(made, Path(name) / "ct", megabytes)
            for watch in watches:
                watch.stop()
        print(f"{megabytes} MB received in {seconds:.0f} s")
        for watch in watches:
            for label, peak in watch.peak.items():
                print(f"{label:<18} {peak:6.0f} MB at most; under {BAR_MB} MB: {'met' if peak < BAR_MB else 'NOT MET'}")


if __name__ == "__main__":
    main()
