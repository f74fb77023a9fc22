"""`make demo`: an installation with the demo trial, seeded through the real acts, and served until Ctrl-C.

People and forms are there before it serves; the images arrive while one looks, with a line for each.
"""

from __future__ import annotations

import argparse
import ipaddress
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from flask import Flask

from seed_data import casebook, reading, sending
from seed_data.people import make_accounts, read_accounts
from trialimg.app import create_app, migrate_up
from trialimg.casework.access import trial_place
from trialimg.casework.accounts import OPERATOR
from trialimg.casework.services import services
from trialimg.casework.setup import install, load_trial
from trialimg.errors import EXIT_CODE, Misconfigured, NotFound, TrialimgError
from trialimg.keyring import Keyring
from trialimg.serving import serve
from trialimg.settings import Settings, read_settings
from trialimg.store.unit_of_work import unit_of_work

FORMS: Final = Path(__file__).resolve().parent.parent / "forms" / "demo" / "1.0"
SEEDED: Final = "demo-seeded-on"


def say(sentence: str) -> None:
    """Tell the person at the terminal."""
    print(f"· {sentence}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--data", type=Path, default=Path("var/demo"))
    parser.add_argument("--reset", action="store_true", help="start over with an empty data folder")
    parser.add_argument("--public", action="store_true", help="serve other addresses than this machine's own")
    return parser.parse_args()


def _only_here(host: str, *, public: bool) -> None:
    try:
        own = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        own = False
    if not own and not public:
        raise Misconfigured(
            "The demo's passwords stand in a file, so it serves this machine only. To serve others all the same: "
            "python -m seed_data.demo --public --host …"
        )


def _empty(data: Path) -> None:
    """Remove a demo's data, and nothing that is not a demo's."""
    if not data.exists():
        return
    if any(data.iterdir()) and not (data / "keys").exists():
        raise Misconfigured("The folder given with DATA holds something else than a demo; it was not touched.")
    say("Removing the earlier data.")
    shutil.rmtree(data)


def _prepare(app: Flask, settings: Settings) -> bool:
    """Make the trial, its people and forms where they are not there yet; True where this is a new installation."""
    try:
        trial_place(casebook.TRIAL)
    except NotFound:
        pass
    else:
        return False
    started = time.monotonic()
    say("Loading the demo trial and inviting its people.")
    with unit_of_work(OPERATOR.actor, "trial load demo") as uow:
        load_trial(uow, services(), FORMS)
    trial = trial_place(casebook.TRIAL)
    make_accounts(services(), trial, casebook.make_sites(trial), settings.data)
    say("Enrolling twelve subjects and filling their forms.")
    today = datetime.now(UTC).date()
    for enrolled in casebook.enrol_everybody():
        casebook.fill(enrolled, today)
    (settings.data / SEEDED).write_text(today.isoformat())
    say(f"People and forms are ready ({time.monotonic() - started:.0f} s).")
    del app
    return True


def _table(settings: Settings, address: str) -> None:
    accounts = read_accounts(settings.data)
    print(f"\n  trialimg serves the demo trial at {address}\n")
    print(f"  {'role':<20} {'user':<34} {'password':<22} site")
    for account in accounts:
        print(f"  {account.role:<20} {account.user:<34} {account.password:<22} {account.site}")
    print(f"\n  The accounts are also in {settings.data / 'demo-accounts.json'}. Ctrl-C ends it.\n", flush=True)


def seed_images(app: Flask, stopping: threading.Event) -> int:
    """Send every study of the story that was not sent yet; gives how many were."""
    with app.app_context():
        tools = services()
        kept = tools.settings.data / SEEDED
        today = date.fromisoformat(kept.read_text()) if kept.exists() else datetime.now(UTC).date()
        todo = [s for s in sending.sendings(casebook.numbered(), today) if not sending.sent_already(tools, s)]
        if not todo:
            return 0
        started = time.monotonic()
        say(f"{len(todo)} imaging studies are made and sent through the pipeline while you look around.")
        with tempfile.TemporaryDirectory(prefix="trialimg-phantoms-") as folder:
            for number, (item, files) in enumerate(sending.in_another_process(Path(folder), todo), 1):
                if stopping.is_set():
                    return number - 1
                sending.send(tools, item, files)
                shutil.rmtree(Path(folder) / f"{number - 1:02d}", ignore_errors=True)
                seconds = time.monotonic() - started
                say(f"  {number:2d} of {len(todo)}  {item.label:<16} {len(files):3d} files  ({seconds:.0f} s)")
        return len(todo)


def seed_reads(app: Flask) -> None:
    """Let the demo's readers read what is linked."""
    with app.app_context():
        tools = services()
        count = reading.read_everything(tools, tools.settings.data)
        if count:
            say(f"{count} reads were made by the two readers: open, draft, signed and reopened ones.")


def _seed_in_background(app: Flask, stopping: threading.Event) -> threading.Thread:
    def run() -> None:
        try:
            seed_images(app, stopping)
            if not stopping.is_set():
                seed_reads(app)
        except TrialimgError as error:
            say(f"Seeding stopped: {error.sentence} Start the demo again to carry on.")
        except Exception as error:  # noqa: BLE001 (a thread's last word; the demo serves on)
            if not stopping.is_set():
                say(f"Seeding stopped ({type(error).__name__}). Start the demo again to carry on.")

    thread = threading.Thread(target=run, name="seed", daemon=True)
    thread.start()
    return thread


def _worker_beside(settings: Settings) -> subprocess.Popen[bytes] | None:
    """On PostgreSQL the jobs are run by a worker process of their own."""
    if not settings.on_postgresql:
        return None
    say("Starting a worker process beside the server.")
    return subprocess.Popen([sys.executable, "-m", "trialimg", "--data", str(settings.data), "worker"])  # noqa: S603 (own words, no shell)


def run(arguments: argparse.Namespace) -> None:
    """Set up, seed, and serve."""
    _only_here(arguments.host, public=arguments.public)
    if arguments.reset:
        _empty(arguments.data)
    arguments.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings, _sources = read_settings(data=arguments.data, host=arguments.host, port=arguments.port)
    install(Keyring(settings.keys_folder))
    app = create_app(settings)
    with app.app_context():
        say("Bringing the data base up to date.")
        migrate_up()
        _prepare(app, settings)
        tools = services()
        tools.archive.check()
        say(f"Images go to {tools.archive.name}.")
    worker, stopping = _worker_beside(settings), threading.Event()

    def started(address: str) -> None:
        _table(settings, address)
        _seed_in_background(app, stopping)

    try:
        serve(app, settings, started)
    finally:
        stopping.set()
        if worker is not None:
            worker.terminate()
            worker.wait(30)
    say("Ended. The same command continues with the same data.")


def main() -> None:
    """Run the demo; what cannot work is a sentence."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        run(_arguments())
    except TrialimgError as error:
        print(f"! {error.sentence}", file=sys.stderr)
        sys.exit(EXIT_CODE[type(error)])
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
