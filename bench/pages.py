"""Pages per second, and queries a page: 200 subjects with 12 visits each, 20 people, gunicorn, both engines.

``python -m bench.pages [--subjects N] [--engine sqlite|postgresql] [--seconds S]``. Two ways to be twenty: twenty
requests at once, each person asking again as soon as the page is there, which is what the bar is printed for (p95 under
200 ms); and people who read a page for some seconds before they ask for the next one. All the while somebody writes
once in ``WRITING_S`` seconds, so that nothing that is kept until the record changes is kept for longer than that.
Queries are counted on the first view after a change; none may be asked for each row. The data folder is made once, into
var/bench, and kept until tables, forms or the crowd change.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flask import Flask
from sqlalchemy import event, func, select

from bench.crowd import fill
from bench.installation import ROOT, Installation, say
from tests.peers import free_port, missing_postgresql, postgresql
from tests.world import PASSWORD, email_of
from trialimg.app import create_app, migrate_up
from trialimg.casework import session
from trialimg.casework.access import trial_place
from trialimg.casework.services import services
from trialimg.casework.setup import install
from trialimg.keyring import Keyring
from trialimg.settings import read_settings
from trialimg.store.base import db
from trialimg.store.casebook import FormRecord
from trialimg.store.reading import Read
from trialimg.store.subject import Subject, Visit
from trialimg.store.unit_of_work import Actor, unit_of_work

BAR_MS, PEOPLE, READING_S, WRITING_S, SECONDS = 200.0, 20, 5.0, 2.0, 20.0
PAGES: Final = {
    "subject grid": ("monitor", "/trials/DEMO"),
    "grid of a site": ("coordinator-101", "/trials/DEMO?site=101"),
    "my work": ("coordinator-101", "/"),
    "subject": ("coordinator-101", "/trials/DEMO/subjects/101-001"),
    "dashboard": ("sponsor", "/trials/DEMO/dashboard"),
    "reader's reads": ("reader", "/reads"),
    "reads of the trial": ("data-manager", "/trials/DEMO/reads"),
}
"""Each page with somebody who looks at it."""


@dataclass
class Engine:
    """An installation on one data base, and how it is called."""

    name: str
    data: Path
    database_url: str = ""
    port: int = field(default_factory=free_port)

    def app(self) -> Flask:
        """Give the application, for seeding and counting in this process."""
        settings, _ = read_settings({}, data=self.data, database_url=self.database_url, worker=False)
        install(Keyring(settings.keys_folder))
        return create_app(settings)

    def environment(self) -> dict[str, str]:
        """Give the environment of its server."""
        made = Installation(self.data, port=self.port)
        return made.environment(DATABASE_URL=self.database_url, WORKER="no")


@contextmanager
def served(engine: Engine) -> Iterator[None]:
    """Serve by gunicorn, as deployed."""
    command = [sys.executable, "-m", "gunicorn", "wsgi:app", "--log-level", "error"]  # it reads gunicorn.conf.py
    process = subprocess.Popen(command, cwd=ROOT, env=engine.environment(), stdout=sys.stderr)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                ask(engine.port, "/healthz", "")
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(60)


def ask(port: int, path: str, cookie: str, connection: http.client.HTTPConnection | None = None) -> tuple[float, int]:
    """Ask for a page and read it whole; gives the seconds and the status."""
    asking = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    start = time.perf_counter()
    asking.request("GET", path, headers={"Cookie": cookie} if cookie else {})
    answer = asking.getresponse()
    answer.read()
    return time.perf_counter() - start, answer.status


def cookie_of(app: Flask, name: str) -> str:
    """Sign somebody in and give the cookie."""
    client = app.test_client()
    with app.app_context():
        opened = session.sign_in(services(), email_of(name), PASSWORD, "bench")
    with client.session_transaction() as held:
        held["session"] = opened
    found = client.get_cookie("trialimg")
    assert found is not None
    return f"trialimg={found.value}"


def crowd(port: int, cookies: list[tuple[str, str]], reading: float, seconds: float) -> tuple[list[float], float]:
    """Let twenty people look at pages at once for some seconds; gives each wait, and pages per second."""
    waits: list[float] = []
    until, start = time.monotonic() + seconds, time.monotonic()
    lock = threading.Lock()

    def person(number: int) -> None:
        chance = random.Random(number)
        time.sleep(chance.uniform(0, reading))
        mine = []
        while time.monotonic() < until:
            path, cookie = cookies[number % len(cookies)]
            took, status = ask(port, path, cookie)
            if status != 200:
                raise RuntimeError(f"{path} answered {status}")
            mine.append(took)
            time.sleep(chance.uniform(0.5, 1.5) * reading)
        with lock:
            waits.extend(mine)

    people = [threading.Thread(target=person, args=(number,)) for number in range(PEOPLE)]
    for each in people:
        each.start()
    for each in people:
        each.join()
    return waits, len(waits) / (time.monotonic() - start)


@contextmanager
def writing(app: Flask) -> Iterator[None]:
    """Let somebody leave a record on the trial's trail once in a while."""
    end = threading.Event()

    def write() -> None:
        while not end.wait(WRITING_S):
            change(app)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        end.set()
        writer.join()


def change(app: Flask) -> None:
    """Leave one record on the trial's trail."""
    with app.app_context():
        place = trial_place("DEMO")
        with unit_of_work(Actor("bench"), "a change", trial_id=place.trial_id) as uow:
            uow.note("looked", "trial", place.trial_id)
        db.session.remove()


def percentile(waits: list[float], hundredth: int) -> float:
    """Give a percentile of the waits, in milliseconds."""
    return statistics.quantiles(waits, n=100, method="inclusive")[hundredth - 1] * 1000


def queries_of(app: Flask, path: str, cookie: str) -> int:
    """Count the statements that the first view of a page after a change sends to the data base."""
    count = [0]

    def seen(*_args: object) -> None:
        count[0] += 1

    client = app.test_client(use_cookies=False)
    client.get(path, headers={"Cookie": cookie})
    change(app)
    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", seen)
    try:
        answer = client.get(path, headers={"Cookie": cookie})
    finally:
        event.remove(engine, "before_cursor_execute", seen)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    return count[0]


def measure(engine: Engine, seconds: float) -> bool:
    """Measure every page on one engine and print it; says whether the bar is met."""
    app = engine.app()
    cookies = {name: cookie_of(app, who) for name, (who, _) in PAGES.items()}
    counts = {name: queries_of(app, path, cookies[name]) for name, (_, path) in PAGES.items()}
    print(f"{engine.name}: {_size(app)}")
    heads = ("page", "queries", "p50 ms", "p95 ms", "the bar", "pages/s", "p95 reading")
    print("  {:<20} {:>7} {:>7} {:>7} {:>8} {:>8} {:>12}".format(*heads))
    met = True
    with served(engine), writing(app):
        for name, (_, path) in [*PAGES.items(), ("all of them", ("", ""))]:
            mine = [(path, cookies[name])] if path else [(p, cookies[n]) for n, (_, p) in PAGES.items()]
            crowd(engine.port, mine, 0, 2)  # warm
            waits, rate = crowd(engine.port, mine, 0, seconds)
            unhurried, _ = crowd(engine.port, mine, READING_S, seconds)
            high = percentile(waits, 95)
            met = met and high < BAR_MS
            bar = "met" if high < BAR_MS else "NOT MET"
            row = f"  {name:<20} {counts.get(name, ''):>7} {percentile(waits, 50):7.0f} {high:7.0f} {bar:>8}"
            print(f"{row} {rate:8.1f} {percentile(unhurried, 95):12.0f}", flush=True)
    with app.app_context():
        db.engine.dispose()
    return met


def _size(app: Flask) -> str:
    with app.app_context():
        found = [
            db.session.scalar(select(func.count()).select_from(each)) for each in (Subject, Visit, FormRecord, Read)
        ]
        db.session.remove()
    return "{} subjects, {} visits, {} forms, {} reads".format(*found)


def _filled(engine: Engine, folder: Path, subjects: int) -> Engine:
    start = time.monotonic()
    app = engine.app()
    with app.app_context():
        migrate_up()
        fill(app, folder / "definition", subjects)
        db.session.remove()
        db.engine.dispose()
    say(f"Made in {time.monotonic() - start:.0f} s.")
    return engine


def _made_of() -> str:
    """Name what the data was made of: tables, forms, and the crowd's own program."""
    folders = [(ROOT / "migrations" / "versions", "*.py"), (ROOT / "forms" / "demo", "**/*.yaml")]
    files = [path for folder, pattern in folders for path in sorted(folder.glob(pattern))]
    files += [Path(__file__).parent / "crowd.py", Path(__file__).parent / "crowd_reads.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def on_sqlite(folder: Path, subjects: int) -> Engine:
    """Give the installation on SQLite, made now or kept from an earlier run."""
    data = folder / f"pages-sqlite-{subjects}"
    engine, made = Engine("SQLite, two processes", data), data / "made"
    if not made.exists() or made.read_text() != _made_of():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        _filled(engine, folder, subjects)
        made.write_text(_made_of())
    return engine


def run_on_postgresql(folder: Path, subjects: int, then: Callable[[Engine], bool]) -> bool:
    """Measure on a PostgreSQL of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="trialimg-bench-") as name, postgresql(Path(name)) as peer:
        return then(_filled(Engine("PostgreSQL, two processes", Path(name) / "data", peer.url), folder, subjects))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=200)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args()
    folder = ROOT / "var" / "bench"
    print(
        f"{PEOPLE} at once, each asking again at once; the bar: p95 under {BAR_MS:.0f} ms. Reading: people who look "
        f"at each page for about {READING_S:.0f} s. Somebody writes every {WRITING_S:.0f} s."
    )
    if asked.engine != "postgresql":
        measure(on_sqlite(folder, asked.subjects), asked.seconds)
    if asked.engine != "sqlite":
        if missing := missing_postgresql():
            say(missing)
        else:
            run_on_postgresql(folder, asked.subjects, lambda engine: measure(engine, asked.seconds))


if __name__ == "__main__":
    main()
