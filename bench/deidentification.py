"""How fast a folder is cleaned: whole processes, with start, report and search, beside other tools in the same run.

``python -m bench.deidentification [--quick] [--repeat N] [--only ct|mr|memory|jobs]``. Files and results lie in memory
(/dev/shm). What is compared is processor time, of which the least of the repeats counts, since others may use this
computer too; the share of two jobs is of time on the clock. Peers: ``gdcmanon -e`` (Debian libgdcm-tools), and from pip
dicom-anonymizer and dicognito in an environment of their own (var/bench-peers); one that is absent is named, and where
a bar is held against it the bench fails.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from bench.deidentification_files import sizes, write_ct, write_enhanced_mr, write_small_ct

ROOT: Final = Path(__file__).resolve().parent.parent
PEERS: Final = ROOT / "var" / "bench-peers"
_LOCK: Final = ROOT / "requirements-bench.txt"
_BARS: Final = {"gdcmanon on CT": 1.2, "dicom-anonymizer on CT": 12.0, "gdcmanon on enhanced MR": 1.0, "two jobs": 1.7}
_MOST_MEMORY: Final = 60
_LAUNCHER: Final = """
import os, sys, time
began = time.monotonic()
child = os.fork()
if not child:
    silent = os.open(os.devnull, os.O_RDWR)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    os.execv(sys.argv[1], sys.argv[1:])
usage = os.wait4(child, 0)[2]
print(usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss)
"""
"""A small process that starts a tool: what is in the memory of the one that starts it counts for the tool too."""
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a folder of random name is made in it)


class Cost(NamedTuple):
    """What a whole process took: seconds of processor, seconds on the clock, megabytes at its fullest."""

    processor: float
    clock: float
    memory: float
    files: int


Order = Callable[[Path, Path], list[str]]


def environment() -> dict[str, str]:
    """Give an environment in which compiled modules are found, as an installation has them."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def ours(jobs: int) -> Order:
    """Clean with trialimg: the Basic Profile, report and search for what is left, files forced to the disk."""

    def order(source: Path, target: Path) -> list[str]:
        done = [str(Path(sys.executable).with_name("trialimg")), "deidentify", str(source), str(target)]
        return [*done, "--profile", "basic", "--subject", "101-001", "--jobs", str(jobs), "--report", f"{target}.json"]

    return order


def gdcmanon(certificate: Path) -> Order:
    """Clean with GDCM's tool, in its mode that replaces (it wants a certificate, to put the old values in)."""
    tool = shutil.which("gdcmanon") or ""
    return lambda source, target: [
        tool,
        "-e",
        "-c",
        str(certificate),
        "-i",
        str(source),
        "-o",
        str(target),
        "-r",
        "--continue",
    ]


def measure(order: Order, source: Path, folder: Path) -> Cost:
    """Run a tool over a folder once, and count what it wrote."""
    target = folder / "out"
    target.mkdir()
    try:
        told = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, *order(source, target)],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        processor, clock, memory = map(float, told.stdout.split())
        files = sum(1 for path in target.rglob("*") if path.is_file() and not path.name.startswith("."))
        return Cost(processor, clock, memory / 1024, files)
    finally:
        shutil.rmtree(target)
        Path(f"{target}.json").unlink(missing_ok=True)


def certificate_in(folder: Path) -> Path | None:
    """Make the certificate that gdcmanon wants; None where it or openssl is not here."""
    if shutil.which("gdcmanon") is None or shutil.which("openssl") is None:
        return None
    path = folder / "certificate.pem"
    made = [*("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=bench", "-days", "2")]
    done = subprocess.run(
        [*made, "-keyout", str(folder / "key.pem"), "-out", str(path)], capture_output=True, check=False
    )
    return path if done.returncode == 0 else None


def peer_of(name: str) -> str | None:
    """Give a peer from pip, set up on the first run; None where that did not work."""
    tool = PEERS / "bin" / name
    if not tool.exists():
        print(f"Setting up the peers in {PEERS.relative_to(ROOT)} (once).", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        pip = [str(PEERS / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", str(_LOCK)], check=False)
    return str(tool) if tool.exists() else None


class Bench:
    """One run of the bench."""

    def __init__(self, folder: Path, repeat: int, *, quick: bool) -> None:
        self.folder, self.repeat, self.quick = folder, repeat, quick
        self.failed: list[str] = []

    def compare(self, what: str, source: Path, tools: dict[str, Order], once: frozenset[str] = frozenset()) -> None:
        """Run all tools over one folder in turn, and print each and its ratio to ours."""
        costs: dict[str, list[Cost]] = {name: [] for name in tools}
        for turn in range(self.repeat):
            for name, order in tools.items():
                if turn == 0 or name not in once:
                    costs[name].append(measure(order, source, self.folder))
        count = sum(1 for _ in source.iterdir())
        one = self.folder / "one"
        one.mkdir()
        shutil.copy(min(source.iterdir()), one)
        starts = {name: measure(order, one, self.folder).processor for name, order in tools.items()}
        shutil.rmtree(one)
        best = {name: min(all_of, key=lambda cost: cost.processor) for name, all_of in costs.items()}
        mine = best["trialimg"]
        for name, cost in best.items():
            each = (cost.processor - starts[name]) / (count - 1) * 1000
            print(
                f"  {name:<18} {cost.processor:7.2f} s: {starts[name]:5.2f} s for one, {each:7.3f} ms for each other, "
                f"{cost.memory:6.1f} MB, {cost.files} of {count} written  {cost.processor / mine.processor:6.2f} x",
                flush=True,
            )
            if cost is not mine:
                self.hold(f"{name} on {what}", cost.processor / mine.processor)
        if mine.files != count:
            self.failed.append(f"trialimg wrote {mine.files} of {count} {what}")
        if what == "CT" and mine.memory > _MOST_MEMORY:
            self.failed.append(f"trialimg took {mine.memory:.0f} MB on {what}")

    def hold(self, what: str, ratio: float) -> None:
        """Hold a ratio against its bar."""
        bar = _BARS.get(what)
        if bar is not None and ratio < bar:
            self.failed.append(f"{what}: {ratio:.2f} x, wanted {bar} x")

    def miss(self, name: str, why: str) -> None:
        """Say that a peer is left out; without it a bar that is held against it is not met."""
        print(f"{why} and is left out.")
        if any(what.startswith(f"{name} on") for what in _BARS):
            self.failed.append(f"{why}, so nobody knows whether its bar is met")

    def tools(self) -> dict[str, Order]:
        """Give all tools that are here."""
        found: dict[str, Order] = {"trialimg": ours(1)}
        certificate = certificate_in(self.folder)
        if certificate is None:
            self.miss("gdcmanon", "gdcmanon (Debian: libgdcm-tools) or openssl is not here")
        else:
            found["gdcmanon"] = gdcmanon(certificate)
        return found

    def ct(self) -> None:
        """CT of half a megabyte, against everybody."""
        source = self.folder / "ct"
        made_of = write_ct(source, 500)
        print(f"500 CT of {sum(sizes(source)) / 500 / 1e6:.2f} MB ({made_of}), one process each:", flush=True)
        tools = self.tools()
        for name in ("dicom-anonymizer", "dicognito") if not self.quick else ():
            tool = peer_of(name)
            if tool is None:
                self.miss(name, f"{name} could not be installed")
            else:
                tools[name] = _by_pip(tool, name)
        self.compare("CT", source, tools, once=frozenset({"dicom-anonymizer", "dicognito"}))
        shutil.rmtree(source)

    def mr(self) -> None:
        """Enhanced MR with thousands of attributes."""
        source = self.folder / "mr"
        attributes = write_enhanced_mr(source, 200)
        print(f"200 enhanced MR of {attributes} attributes, {sum(sizes(source)) / 200 / 1e6:.2f} MB:", flush=True)
        self.compare("enhanced MR", source, self.tools())
        shutil.rmtree(source)

    def memory(self) -> None:
        """What a long run takes, and whether it grows."""
        print("Memory over a long series:", flush=True)
        peaks = {}
        for count in (500, 10_000):
            source = self.folder / "small"
            write_small_ct(source, count)
            cost = measure(ours(1), source, self.folder)
            shutil.rmtree(source)
            peaks[count] = cost.memory
            print(
                f"  {count:>6} files: {cost.memory:.1f} MB, {cost.processor / count * 1000:.3f} ms a file", flush=True
            )
            if cost.files != count or cost.memory > _MOST_MEMORY:
                self.failed.append(f"{count} files: {cost.files} written, {cost.memory:.0f} MB")
        print(f"  growth: {(peaks[10_000] - peaks[500]) * 1024 / 9_500:.2f} KB a file")

    def jobs(self) -> None:
        """What a second processor brings, on the clock."""
        source = self.folder / "ct"
        count = 1000 if self.quick else 4000
        write_ct(source, count)
        clocks = {
            jobs: min(measure(ours(jobs), source, self.folder).clock for _ in range(self.repeat)) for jobs in (1, 2)
        }
        shutil.rmtree(source)
        ratio = clocks[1] / clocks[2]
        print(f"{count} CT: {clocks[1]:.2f} s with one job, {clocks[2]:.2f} s with two, {ratio:.2f} x", flush=True)
        self.hold("two jobs", ratio)


def _by_pip(tool: str, name: str) -> Order:
    if name == "dicognito":
        python = str(Path(tool).with_name("python"))  # its own script does not start
        return lambda source, target: [python, "-m", name, str(source), "--output-directory", str(target), "--quiet"]
    return lambda source, target: [tool, str(source), str(target)]


def main(arguments: list[str]) -> int:
    """Read the order, run, and end with 1 where a bar was not met."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--quick", action="store_true", help="leave out the slow peers")
    reader.add_argument("--repeat", type=int, default=3)
    reader.add_argument("--only", choices=("ct", "mr", "memory", "jobs"))
    order = reader.parse_args(arguments)
    compileall.compile_dir(str(ROOT / "trialimg"), quiet=2)
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        bench = Bench(Path(folder), order.repeat, quick=order.quick)
        for name in (order.only,) if order.only else ("ct", "mr", "memory", "jobs"):
            getattr(bench, name)()
    for sentence in dict.fromkeys(bench.failed):
        print(f"! {sentence}")
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
