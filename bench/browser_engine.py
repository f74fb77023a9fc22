"""The engine in the browser's Python: CT of 0.5 MB per second under Pyodide in node, beside CPython in the same run.

``python -m bench.browser_engine [--slices N] [--rounds N]``. Every file goes in and out as bytes, with its report and
the search for what is left. The first round warms up and is not counted. Counted are seconds of the processor, since
other work on the machine makes the clock's longer; those are printed too. Measured are slices as the scanner wrote
them, without and with the two digests that the server wants, and the same without preamble, which go the parser's way.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.installation import DAY, PATIENT
from bench.pyodide_run import Ran, run_here, run_under_node
from seed_data.phantom.ct import write_ct

BAR: Final = 60
"""Instances per second of the processor."""
_SMALLEST: Final = 500_000
_PREAMBLE: Final = 132


def slices(folder: Path, *, count: int, with_preamble: bool) -> list[Path]:
    """Make the slices of one series, side by side in a folder."""
    made = write_ct(folder / "study", PATIENT, study_date=DAY.strftime("%Y%m%d"), slices=count, study_key="browser")
    files = [path for path in made if path.stat().st_size > _SMALLEST]
    for path in files if not with_preamble else ():
        path.write_bytes(path.read_bytes()[_PREAMBLE:])
    return [path.rename(folder / f"{number:04d}.dcm") for number, path in enumerate(files)]


def processor_seconds() -> float:
    """Give the seconds that this process has had of the processor."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def rate_here(files: Sequence[Path], target: Path, *, digests: bool, rounds: int) -> float:
    """Give how many files a second this Python cleans."""
    run_here(files, target, digests=digests)
    start = processor_seconds()
    for _ in range(rounds):
        run_here(files, target, digests=digests)
    return rounds * len(files) / (processor_seconds() - start)


def rate_there(ran: Ran, count: int, *, by_clock: bool = False) -> float:
    """Give how many files a second, of the processor or of the clock, Pyodide cleans once it is warm."""
    warm = ran.rounds[1:]
    return len(warm) * count / sum(seconds if by_clock else processor for seconds, processor in warm)


def measure(folder: Path, files: list[Path], *, digests: bool, rounds: int) -> bool:
    """Clean one series both here and there, and print it; tell whether the files are the same and fast enough."""
    here, there = folder / "here", folder / "there"
    for each in (here, there):
        each.mkdir(parents=True)
    rate = rate_here(files, here, digests=digests, rounds=rounds)
    ran = run_under_node(files, there, digests=digests, rounds=rounds + 1)
    found = rate_there(ran, len(files))
    same = all((here / path.name).read_bytes() == (there / path.name).read_bytes() for path in files)
    way = "by the parser" if ran.loaded_the_parser else "by their bytes"
    size, clock = files[0].stat().st_size / 1e6, rate_there(ran, len(files), by_clock=True)
    print(f"{len(files)} CT of {size:.2f} MB, {way}, {'with two digests' if digests else 'without digests'}:")
    print(f"  Pyodide {ran.version} in node  {found:6.1f} a second ({clock:.1f} by the clock)")
    print(f"  CPython {sys.version.split()[0]:<16}  {rate:6.1f} a second, {rate / found:.1f} times as many")
    print(f"  loaded in {ran.load_seconds:.1f} s by the clock; heap {ran.memory['heap'] / 1e6:.0f} MB")
    print(f"  the files of both are {'the same' if same else 'NOT THE SAME'}")
    if not ran.loaded_the_parser:
        print(f"  at least {BAR} a second: {'met' if found >= BAR else 'NOT MET'}")
    return same and (ran.loaded_the_parser or found >= BAR)


def main() -> int:
    """Measure and print; end with 1 where the files differ, or it is too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    quick = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 (memory, in which the name is random)
    work = Path(tempfile.mkdtemp(prefix="trialimg-bench-", dir=quick))
    try:
        ordinary = slices(work / "ordinary", count=asked.slices, with_preamble=True)
        unusual = slices(work / "unusual", count=asked.slices, with_preamble=False)
        tries = ((ordinary, False), (ordinary, True), (unusual, True))
        good = [
            measure(work / f"try-{number}", files, digests=digests, rounds=asked.rounds)
            for number, (files, digests) in enumerate(tries)
        ]
    finally:
        shutil.rmtree(work)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
