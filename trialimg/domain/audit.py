"""What an audit record is, and how records are chained so that a change to one shows.

The chained record holds commitments, HMAC(salt, value), to the old and the new value. Values and salt lie beside
it, so that a value may be redacted (an identity typed into a text field) without breaking the chain.
Source: 21 CFR 11.10(e), ICH E6(R3) 4.2.2; chain after Haber & Stornetta.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

SYSTEM_CHAIN: Final = "system"
GENESIS: Final = "0" * 64


@dataclass(frozen=True)
class Record:
    """One audit record as it is chained; ``at`` is ISO 8601 in UTC with microseconds."""

    chain: str
    number: int
    at: str
    actor: str
    action: str
    table: str
    row: str
    column: str
    old: str
    new: str
    reason: str
    previous: str

    def digest(self) -> str:
        """Give the SHA-256 that the next record names."""
        fields = [self.chain, self.number, self.at, self.actor, self.action, self.table, self.row, self.column]
        fields += [self.old, self.new, self.reason, self.previous]
        return hashlib.sha256(json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def commitment(salt: str, value: str | None) -> str:
    """Commit to a value (None, *no value*, has the empty commitment); ``salt`` is random, in hex."""
    if value is None:
        return ""
    return hmac.new(bytes.fromhex(salt), value.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Beside:
    """The values that lie beside a record, with their salt."""

    salt: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Fault:
    """Where a chain is broken, in a sentence."""

    chain: str
    number: int
    sentence: str


def verify(
    chain: str, records: Iterable[tuple[Record, str, Beside | None]], redactions: dict[int, int]
) -> Iterator[Fault]:
    """Recompute a chain in order; ``records`` are (record, stored hash, values), ``redactions`` number → by record."""
    previous, expected = GENESIS, 1
    for record, stored, beside in records:
        if record.number != expected:
            yield Fault(chain, expected, f"Record {expected} of chain {chain} is missing.")
            expected = record.number
        if record.previous != previous:
            yield Fault(
                chain, record.number, f"Record {record.number} of chain {chain} does not follow the one before."
            )
        if record.digest() != stored:
            yield Fault(chain, record.number, f"Record {record.number} of chain {chain} was changed.")
        if beside is None:
            if (record.old or record.new) and record.number not in redactions:
                yield Fault(chain, record.number, f"The values of record {record.number} of chain {chain} are gone.")
        elif commitment(beside.salt, beside.old) != record.old or commitment(beside.salt, beside.new) != record.new:
            yield Fault(chain, record.number, f"The values of record {record.number} of chain {chain} were changed.")
        previous, expected = stored, expected + 1


@dataclass(frozen=True)
class Head:
    """The end of a chain, kept outside the data base under a MAC."""

    chain: str
    number: int
    hash: str

    def mac(self, key: bytes) -> str:
        """Authenticate the head under a key that the data base does not hold."""
        return hmac.new(key, f"{self.chain}|{self.number}|{self.hash}".encode(), hashlib.sha256).hexdigest()

    def line(self, key: bytes) -> str:
        """Give the line that is kept."""
        kept = {"chain": self.chain, "number": self.number, "hash": self.hash, "mac": self.mac(key)}
        return json.dumps(kept, separators=(",", ":"))


def read_head(line: str, key: bytes) -> Head | None:
    """Read a kept line; None where its MAC does not fit or it is no head at all."""
    try:
        kept = json.loads(line)
        head = Head(str(kept["chain"]), int(kept["number"]), str(kept["hash"]))
        return head if hmac.compare_digest(head.mac(key), str(kept["mac"])) else None
    except (ValueError, KeyError, TypeError):
        return None
