"""A running demo, as ``make demo`` makes it, and its people."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass
from typing import Final

from tests.e2e.installation import Installation
from tests.e2e.visitor import Visit, Visitor

AT_WORK: Final = "('received', 'confirmed', 'clean', 'promised', 'sent', 'verified')"
SEEDING: Final = 1200.0
"""Seconds it may take until the last read is made: a busy machine needs many times what an idle one does."""


@dataclass(frozen=True)
class Demo:
    """A running demo, and how many seconds it took until nothing was left to do."""

    installation: Installation
    seconds: float

    def password(self, user: str) -> tuple[str, str]:
        """Give the address and password of an account of demo-accounts.json."""
        accounts = json.loads((self.installation.data / "demo-accounts.json").read_text())
        found = next(account for account in accounts if account["user"].startswith(f"{user}@"))
        return found["user"], found["password"]

    def comes(self, visit: Visit, user: str, path: str = "/") -> Visitor:
        """Let somebody of the demo sign in and be somewhere."""
        person = visit(self.installation.url)
        person.goto(path)
        person.sign_in(*self.password(user))
        return person

    def stages(self) -> dict[str, int]:
        """Count the submissions by stage, as the data base has them."""
        return dict(self._rows("SELECT stage, count(*) FROM submission GROUP BY stage"))

    def at_rest(self) -> bool:
        """Say whether every study of the story was sent, every read made, and no step is to come by itself."""
        printed = self.installation.output.read_text(errors="replace")
        if "Seeding stopped" in printed:
            raise AssertionError(printed[-2000:])
        last = re.findall(r"(\d+) of (\d+) ", printed)
        if not last or last[-1][0] != last[-1][1] or "reads were made" not in printed:
            return False
        return not self._rows(f"SELECT 1 FROM submission WHERE stage IN {AT_WORK}")

    def _rows(self, sql: str) -> list[tuple[str, int]]:
        database = sqlite3.connect(f"file:{self.installation.data / 'trialimg.sqlite'}?mode=ro", uri=True)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()
