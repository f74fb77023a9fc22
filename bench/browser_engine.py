"""The engine in the browser's Python: CT of 0.5 MB per second under Pyodide in node, beside CPython in the same run.

``python -m bench.browser_engine [--slices N] [--rounds N]``. Every file goes in and out as bytes, with its report and
the search for what is left. The first round warms up and is not counted. Counted are seconds of the processor, since
other work on the machine makes the clock's longer; those are printed too. Measured are slices as the scanner wrote
them, and the same without preamble, which go the parser's way.
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


def rate_here(files: Sequence[Path], target: Path, rounds: int) -> tuple[float, list[str]]:
    """Give how many files a second this Python cleans, and the hashes of what came out."""
    results, _ = run_here(files, target)
    start = processor_seconds()
    for _ in range(rounds):
        run_here(files, target)
    return rounds * len(files) / (processor_seconds() - start), [each["sha256"] for each in results]


def rates_there(ran: Ran, count: int) -> tuple[float, float]:
    """Give how many files a second of the processor and of the clock Pyodide cleans once it is warm."""
    warm = ran.rounds[1:]
    return tuple(len(warm) * count / sum(each[way] for each in warm) for way in (1, 0))  # type: ignore[return-value]


def measure(folder: Path, *, count: int, rounds: int, with_preamble: bool) -> bool:
    """Measure one series and print it; tell whether both Pythons made the same files."""
    folder.mkdir()
    files = slices(folder, count=count, with_preamble=with_preamble)
    here, hashes = rate_here(files, folder / "here", rounds)
    ran = run_under_node(files, rounds=rounds + 1)
    there, by_clock = rates_there(ran, len(files))
    same = hashes == [each["sha256"] for each in ran.results]
    way = "by the parser" if ran.loaded_the_parser else "without the parser"
    print(f"{len(files)} CT of {files[0].stat().st_size / 1e6:.2f} MB, {rounds} times, {way}:")
    print(f"  Pyodide {ran.version} in node  {there:6.1f} a second ({by_clock:.1f} by the clock)")
    print(f"  CPython {sys.version.split()[0]:<16}  {here:6.1f} a second, {here / there:.1f} times as many")
    print(f"  loaded in {ran.load_seconds:.1f} s by the clock; heap {ran.memory['heap'] / 1e6:.0f} MB")
    print(f"  the files of both are {'the same' if same else 'NOT THE SAME'}")
    if with_preamble:
        print(f"  at least {BAR} a second: {'met' if there >= BAR else 'NOT MET'}")
    return same


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    quick = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 (memory, in which the name is random)
    work = Path(tempfile.mkdtemp(prefix="trialimg-bench-", dir=quick))
    try:
        given = {"count": asked.slices, "rounds": asked.rounds}
        same = [
            measure(work / f"{with_preamble}", with_preamble=with_preamble, **given) for with_preamble in (True, False)
        ]
    finally:
        shutil.rmtree(work)
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
