"""Casebooks as jobs with two workers: one subject, one with 20,000 audit records, 500 subjects with a broken one.

``python -m bench.casebook [--records N] [--subjects N] [--quick] [--engine sqlite|postgresql]``. Each is asked for as
on the page and made by the workers as deployed (two on PostgreSQL, the only one on SQLite). The resident size of every
worker and of each of its children is read ten times a second; the bar is 400 MB for each, and flat: the largest of the
second half of a job is not much above that of the first. When a quarter of the many is made, the worker that is at it
is killed with SIGKILL: what it had made must not be made again. A job is run by one worker, with two children that lay
pages out; the other stays free for images and other exports, and takes the job up when the first is gone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pypdf
from flask import Flask

from bench.casebook_subjects import break_one, enrol, lengthen
from bench.installation import Installation, say
from bench.pages import Engine
from bench.receiving_memory import children, resident_mb
from tests.peers import missing_postgresql, postgresql
from tests.world import World, make_world
from trialimg.app import migrate_up
from trialimg.casework.services import services
from trialimg.reporting import export
from trialimg.reporting.export import CASEBOOK, ExportLine
from trialimg.store.base import db

BAR_MB: Final = 400.0
FLAT_MB: Final = 40.0


@dataclass
class Memory:
    """The resident size, in MB, of workers and of each of their children, read ten times a second while a job runs."""

    workers: dict[str, int]
    seen: list[tuple[float, str, float]] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch for as long as the job runs."""
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.1):
            now = time.monotonic()
            for name, pid in self.workers.items():
                for label, each in ((name, pid), *((f"a child of {name}", child) for child in children(pid))):
                    if size := resident_mb(each):
                        self.seen.append((now, label, size))

    def rows(self) -> Iterator[tuple[str, float, float]]:
        """Give the largest size of each in the first and in the second half of the time."""
        middle = (self.seen[0][0] + self.seen[-1][0]) / 2
        for label in sorted({each[1] for each in self.seen}):
            first = [size for at, name, size in self.seen if name == label and at <= middle]
            second = [size for at, name, size in self.seen if name == label and at > middle]
            yield label, max(first, default=0), max(second, default=0)


@dataclass
class Bench:
    """An installation with its trial and its workers."""

    app: Flask
    world: World
    workers: dict[str, int]

    def make(self, title: str, numbers: list[str], meanwhile: Callable[[str, ExportLine], None] | None = None) -> str:
        """Have casebooks made as a job and print what it took; ``meanwhile`` is called with each look at it."""
        person, start = self.world.person("sponsor"), time.monotonic()
        with person.acting("export: casebook", self.world.trial) as uow:
            key = export.ask(uow, person, self.world.trial, CASEBOOK, numbers)
        memory, before = Memory(self.workers), self._processor_seconds()
        shown: set[int] = set()
        said: set[int] = set()
        with memory.watched():
            while not (line := self.line(key)).finished:
                shown.add(line.done)
                if meanwhile is not None:
                    meanwhile(key, line)
                if len(shown) % 20 == 1 and line.done not in said:
                    said.add(line.done)
                    say(f"{line.done} of {line.total} after {time.monotonic() - start:.0f} s.")
                time.sleep(0.25)
        seconds = time.monotonic() - start
        after = self._processor_seconds()
        used = sum(after[name] - before[name] for name in after)
        print(
            f"{title}: {line.state} in {seconds:.0f} s ({used:.0f} s of the processors' time, load "
            f"{os.getloadavg()[0]:.0f}), {line.size / 1e6:.1f} MB; {len(shown)} steps of progress seen"
        )
        if line.sentence:
            print(f"  on the page: {line.sentence}")
        for label, first, second in memory.rows():
            met = "met" if max(first, second) < BAR_MB else "NOT MET"
            flat = "flat" if not first or second - first < FLAT_MB else "GROWING"
            print(f"  {label:<20} {max(first, second):5.0f} MB at most (bar {BAR_MB:.0f}: {met}), {flat}", flush=True)
        return key

    def _processor_seconds(self) -> dict[str, float]:
        """Give what each worker that lives has used, with its children that have ended."""
        ticks = {
            name: Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[11:15]
            for name, pid in self.workers.items()
        }
        return {name: sum(map(int, each)) / os.sysconf("SC_CLK_TCK") for name, each in ticks.items()}

    def line(self, key: str) -> ExportLine:
        """Look at an export as its page does."""
        db.session.rollback()
        db.session.expire_all()
        return export.export_line(self.world.person("sponsor"), self.world.trial, key)

    def fetch(self, key: str) -> bytes:
        """Download the file of an export."""
        person = self.world.person("sponsor")
        with person.acting("a bench", self.world.trial) as uow:
            stream, _ = export.download(uow, person, self.world.trial, key)
        with stream:
            return stream.read()


@dataclass
class Killing:
    """Kills, with SIGKILL, the worker that is at a job when a quarter of it is made, and remembers what there was."""

    workers: dict[str, int]
    made: dict[str, float] = field(default_factory=dict)
    at: float = 0.0
    gone: str = ""
    taken_up: float = 0.0

    def __call__(self, key: str, line: ExportLine) -> None:
        """Look at the job."""
        if self.gone and not self.taken_up and self._notes(key) != self.made:
            self.taken_up = time.monotonic() - self.at
        if self.gone or line.done * 4 < line.total or not line.total:
            return
        name = next((name for name, pid in self.workers.items() if children(pid)), "")
        if name:
            os.kill(self.workers.pop(name), signal.SIGKILL)
            time.sleep(1)
            self.made, self.at, self.gone = self._notes(key), time.monotonic(), name

    def tell(self, key: str) -> None:
        """Say what became of what was made before."""
        now = self._notes(key)
        again = sum(now.get(name) != when for name, when in self.made.items())
        made = f"{len(self.made)} casebooks made"
        print(f"  {self.gone} was killed with {made}; {self.taken_up:.0f} s later the other had taken the job up,")
        print(f"  and made {len(now) - len(self.made)} more; made twice: {again}")

    def _notes(self, key: str) -> dict[str, float]:
        folder = services().settings.data / "vault" / "areas" / f"exports.{key}"
        found = {path: json.loads(path.read_bytes()) for path in folder.glob("note-subject-*")}
        return {path.name: path.stat().st_mtime for path, note in found.items() if not note["line"]["sentence"]}


def measure(bench: Bench, records: int, subjects: int) -> None:
    """Measure the three."""
    (first,) = enrol(bench.world, 1)
    bench.make("one subject", [first])
    say(f"Writing {records} audit records.")
    lengthen(bench.world, first, records)
    bench.make(f"one subject with {records} audit records more", [first])
    many = enrol(bench.world, subjects)
    broken = many[len(many) // 3]
    break_one(bench.world, broken)
    killing = Killing(bench.workers) if len(bench.workers) > 1 else None
    key = bench.make(f"{len(many)} subjects in one job, {broken} broken", many, killing)
    if killing is not None:
        killing.tell(key)
    with zipfile.ZipFile(io.BytesIO(bench.fetch(key))) as package:
        index = pypdf.PdfReader(io.BytesIO(package.read("index.pdf")))
        text = "".join("".join(page.extract_text() for page in index.pages).split())
        casebooks = len(package.namelist()) - 1
    told = f"{broken}{broken[:3]}Notmade:" in text and "1couldnotbemade" in text
    print(f"  in the zip: {casebooks} casebooks; the index {'names' if told else 'DOES NOT NAME'} the broken one")


def run(engine: Engine, workers: int, given: argparse.Namespace) -> None:
    """Make the installation, its subjects and its workers, and measure."""
    app = engine.app()
    with app.app_context(), ExitStack() as stack:
        migrate_up()
        world = make_world(app)
        made = Installation(engine.data)
        pids = {
            f"worker {at + 1}": stack.enter_context(made.process("worker", DATABASE_URL=engine.database_url)).pid
            for at in range(workers)
        }
        print(f"{engine.name}; {json.dumps(pids)}", file=sys.stderr)
        measure(Bench(app, world, pids), given.records, given.subjects)
        db.session.remove()
        db.engine.dispose()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--subjects", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="2,000 records and 20 subjects")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="postgresql")
    given = parser.parse_args()
    if given.quick:
        given.records, given.subjects = 2_000, 20
    missing = missing_postgresql()
    with tempfile.TemporaryDirectory(prefix="trialimg-bench-") as name:
        data = Path(name) / "data"
        if given.engine == "sqlite" or missing:
            say(missing or "On SQLite there is one worker.")
            run(Engine("SQLite, one worker", data), 1, given)
            return
        with postgresql(Path(name)) as peer:
            run(Engine("PostgreSQL, two workers", data, peer.url), 2, given)


if __name__ == "__main__":
    main()
