"""Every version of the reads of a subject with what was signed, for exports of who may see values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select

from trialimg.casework.access import Person
from trialimg.casework.read_basis import Bench, bench, values_of
from trialimg.casework.read_page import history
from trialimg.casework.read_results import SubjectReads, reads_on, shows_values
from trialimg.domain.read_values import ReadValues
from trialimg.store.base import db
from trialimg.store.reading import Read, ReadingCode, ReadSignature, ReadVersion


@dataclass(frozen=True)
class Signed:
    """One signature: who, when (in the signer's zone), what for, and the hashes it binds.

    ``superseded`` is why it no longer counts, ``fault`` what does not fit; ``computed`` is what followed from the
    values then.
    """

    name: str
    account: str
    at: datetime
    zone: str
    meaning: str
    content_sha256: str
    basis_sha256: str
    seal: str
    superseded: str
    fault: str
    computed: Mapping[str, str]


@dataclass(frozen=True)
class Version:
    """One version of a read; ``values`` is None while it is a draft, of which only the audit trail tells."""

    version: int
    state: str
    reason: str
    values: ReadValues | None
    answers: tuple[tuple[str, str], ...]
    signatures: tuple[Signed, ...]


def reads_with_versions(subject_id: str, person: Person) -> tuple[SubjectReads, dict[str, tuple[Version, ...]]]:
    """Give a subject's reads and, by read, their versions in order; no version to who may not see values."""
    found = bench(db.session(), subject_id)
    code = db.session.scalar(select(ReadingCode.code).where(ReadingCode.subject_id == subject_id))
    reads = reads_on(found, person, code or "")
    if not reads.lines or not shows_values(person, found.subject.trial_id, found.design):
        return reads, {}
    return reads, {line.read_id: _versions(found, line.read_id) for line in reads.lines}


def _versions(found: Bench, read_id: str) -> tuple[Version, ...]:
    row = found.rows[read_id]
    return tuple(_version(row, each) for each in row.versions)


def _version(row: Read, version: ReadVersion) -> Version:
    if not version.signatures:
        return Version(version.version, version.state, version.reason, None, (), ())
    faults = [one.fault for each in history(row) if each.version == version.version for one in each.signatures]
    return Version(
        version.version,
        version.state,
        version.reason,
        values_of(version),
        tuple((each["lesion"] or each["group"], each["answer"]) for each in json.loads(version.answers)),
        tuple(_signed(one, wrong) for one, wrong in zip(version.signatures, faults, strict=True)),
    )


def _signed(kept: ReadSignature, wrong: str) -> Signed:
    try:
        at = kept.signed_at.astimezone(ZoneInfo(kept.zone))
    except (ZoneInfoNotFoundError, ValueError):  # a machine without the names of zones: the moment is the same
        at = kept.signed_at
    return Signed(
        kept.name, kept.account, at, kept.zone, kept.meaning, kept.content_sha256, kept.basis_sha256, kept.seal,
        kept.superseded_why, wrong, json.loads(kept.computed),
    )  # fmt: skip
