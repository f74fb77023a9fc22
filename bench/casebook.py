"""Measures casebooks: one subject, and one with a long history; the time, and the most memory any process took.

    python bench/casebook.py --data FOLDER --user ADDRESS [--records 20000] [--subjects N]

Works on a copy of an installation (such as that of `make demo`), so that nothing of it is changed.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from trialimg.app import create_app, migrate_up
from trialimg.casework.access import subject_place
from trialimg.casework.accounts import find_person
from trialimg.casework.services import services
from trialimg.reporting.export import CASEBOOK, subjects_within, trials_within
from trialimg.reporting.package import Order, make_casebook
from trialimg.settings import read_settings
from trialimg.store.base import db
from trialimg.store.casebook import FormRecord, ItemValue
from trialimg.store.subject import Visit
from trialimg.store.unit_of_work import Actor, unit_of_work

MIB = 1024


def lengthen(trial_id: str, subject_id: str, records: int) -> None:
    """Change one value of a subject so often that its history has so many records."""
    wanted = select(ItemValue.id).join(FormRecord).join(Visit).where(Visit.subject_id == subject_id)
    key, done = db.session.scalar(wanted.limit(1)), 0
    db.session.rollback()
    while done < records:
        with unit_of_work(Actor("bench"), "a long history", trial_id=trial_id) as uow:
            value = uow.session.get_one(ItemValue, key)
            for _ in range(min(1000, records - done)):
                done += 1
                value.value = str(done)
                uow.session.flush()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--subjects", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        data, out = Path(name) / "data", Path(name) / "out"
        shutil.copytree(given.data, data)
        out.mkdir()
        app = create_app(read_settings({}, data=data)[0])
        with app.app_context():
            migrate_up()
            person = find_person(given.user)
            (trial,) = trials_within(person, CASEBOOK)
            order = Order(services(), person, datetime.now(UTC))
            numbers = subjects_within(person, trial, CASEBOOK)[: given.subjects]
            for number in numbers:
                measure(order, trial, number, out)
            if given.records:
                place = subject_place(trial, numbers[0])
                lengthen(place.trial_id, place.subject_id, given.records)
                measure(order, trial, numbers[0], out)


def measure(order: Order, trial: str, number: str, out: Path) -> None:
    """Make one casebook and print what it took."""
    began = time.monotonic()
    line = make_casebook(order, subject_place(trial, number), out)
    own, children = (
        resource.getrusage(who).ru_maxrss / MIB for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    parts = f", {len(line.parts)} parts of history" if line.parts else ""
    print(
        f"{number}: {time.monotonic() - began:.1f} s, {line.pages} pages{parts}; most memory: "
        f"this process {own:.0f} MB, a child {children:.0f} MB {line.sentence}"
    )


if __name__ == "__main__":
    main()
