"""The list of what a folder archive holds: one SQLite file beside the images, made anew from them if lost.

Not the index of dicomweb-client's DICOMfileClient (0.61.2), although the folders are laid out as it does:
its index is written before the file, unsynced, and keeps the row of what was deleted (tried).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from trialimg.archive.port import Json
from trialimg.errors import ArchiveUnavailable, OurFault

_PATIENCE: Final = 30.0  # seconds to wait for another process that writes
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS instance (
    study_uid TEXT NOT NULL,
    series_uid TEXT NOT NULL,
    sop_instance_uid TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    attributes TEXT NOT NULL,
    PRIMARY KEY (study_uid, series_uid, sop_instance_uid)
)
"""


class Row(NamedTuple):
    """One instance: where it belongs, the hash of its file, its attributes in the DICOM JSON model."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sha256: str
    attributes: Json


class Index:
    """Safe for several threads and processes: every call opens its own connection."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.is_new = not path.exists()
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(_SCHEMA)

    def add(self, rows: list[Row]) -> None:
        """Note instances whose files are on the disk; on return the note is on the disk, too."""
        values = [(*row[:4], json.dumps(row.attributes, separators=(",", ":"))) for row in rows]
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO instance VALUES (?, ?, ?, ?, ?)", values)
            connection.execute("COMMIT")

    def forget(self, study_uid: str) -> None:
        """Drop all rows of a study."""
        with self._open() as connection:
            connection.execute("DELETE FROM instance WHERE study_uid = ?", (study_uid,))

    def keys(self, study_uid: str) -> list[tuple[str, str]]:
        """Give (series, instance) of a study."""
        asked = "SELECT series_uid, sop_instance_uid FROM instance WHERE study_uid = ?"
        return self._ask(asked, study_uid)

    def studies(self) -> list[str]:
        """Give the studies there are."""
        return [row[0] for row in self._ask("SELECT DISTINCT study_uid FROM instance")]

    def series(self, study_uid: str) -> list[tuple[Json, int]]:
        """Give, for each series of a study, the attributes of one instance and how many there are."""
        asked = (
            "SELECT series_uid, min(sop_instance_uid), count(*) FROM instance WHERE study_uid = ? GROUP BY series_uid"
        )
        groups = self._ask(asked, study_uid)
        firsts = [(self.attributes(study_uid, series, sop), count) for series, sop, count in groups]
        return [(found[0], count) for found, count in firsts if found]

    def attributes(
        self, study_uid: str, series_uid: str | None = None, sop_instance_uid: str | None = None
    ) -> list[Json]:
        """Give the attributes of a study's, a series' instances, or of one."""
        asked, values = "SELECT attributes FROM instance WHERE study_uid = ?", [study_uid]
        for column, value in (("series_uid", series_uid), ("sop_instance_uid", sop_instance_uid)):
            if value is not None:
                asked += f" AND {column} = ?"
                values.append(value)
        return [json.loads(row[0]) for row in self._ask(asked, *values)]

    def sha256(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> str | None:
        """Give the hash of an instance's file, None when it is not listed."""
        asked = "SELECT sha256 FROM instance WHERE (study_uid, series_uid, sop_instance_uid) = (?, ?, ?)"
        rows = self._ask(asked, study_uid, series_uid, sop_instance_uid)
        return rows[0][0] if rows else None

    def _ask(self, asked: str, *values: str) -> list[Any]:
        with self._open() as connection:
            return connection.execute(asked, values).fetchall()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = None
        try:
            connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        except sqlite3.OperationalError as error:
            raise ArchiveUnavailable("The archive's index is busy or its disk is full: try later.") from error
        except sqlite3.DatabaseError as error:
            raise OurFault(
                "The archive's index is damaged. The images are not: delete the index file and start again, "
                "it is made anew from them."
            ) from error
        finally:
            if connection is not None:
                connection.close()
