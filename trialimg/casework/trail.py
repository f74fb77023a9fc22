"""The audit trail: verified against its own chains and the heads kept outside, redacted, and read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from trialimg.casework.services import Services
from trialimg.domain.audit import Beside, Fault, Head, Record
from trialimg.domain.audit import verify as verify_chain
from trialimg.errors import BadInput, Conflict, NotFound
from trialimg.keyring import AUDIT
from trialimg.store.audit import AuditChain, AuditRecord, AuditValue
from trialimg.store.base import db
from trialimg.store.heads import HeadsFile
from trialimg.store.unit_of_work import REDACT, UnitOfWork

_AT_A_TIME = 1000


@dataclass(frozen=True)
class ChainResult:
    """One chain: how many records it has, and how many of them are newer than its newest kept head."""

    chain: str
    records: int
    after_head: int
    redactions: tuple[tuple[int, str], ...] = ()

    @property
    def redacted(self) -> int:
        """Give how many of its records were redacted."""
        return len(self.redactions)


@dataclass(frozen=True)
class VerifyResult:
    """What a verification found; the trail is whole where there are no faults."""

    chains: tuple[ChainResult, ...]
    faults: tuple[Fault, ...]

    @property
    def whole(self) -> bool:
        """Say whether the trail is whole."""
        return not self.faults

    def sentences(self) -> list[str]:
        """Say what was found, chain by chain, faults last."""
        said = []
        for each in self.chains:
            parts = [f"{each.records} records"]
            parts += [f"{each.after_head} newer than the newest kept head"] if each.after_head else []
            parts += [f"{each.redacted} redacted"] if each.redacted else []
            said.append(f"Chain {each.chain}: {', '.join(parts)}.")
            said += [
                f"Record {number} of chain {each.chain} was redacted by record {by}." for number, by in each.redactions
            ]
        said += [fault.sentence for fault in self.faults]
        return [*said, "The trail is whole." if self.whole else f"The trail is NOT whole: {len(self.faults)} faults."]


def verify(services: Services) -> VerifyResult:
    """Recompute every chain and compare it with the kept heads; needs memory for the heads, not for the records.

    A head that is not in its chain, a kept line that was not written by us, values that were changed or are gone, and
    missing heads are faults. Records newer than the newest head are counted: a kill between commit and keeping is no
    tampering.
    """
    # Heads first: each was committed before it was kept, so what is read later must contain it.
    heads_file = _heads_file(services)
    faults = list(_file_faults(heads_file))
    kept = _by_chain(heads_file)
    session = Session(db.engine)
    try:
        names = {
            *kept,
            *session.scalars(select(AuditChain.chain)),
            *session.scalars(select(AuditRecord.chain).distinct()),
        }
        results = []
        for chain in sorted(names):
            result, found = _verify_chain(session, chain, kept.get(chain, {}))
            results.append(result)
            faults += found
    finally:
        session.rollback()
        session.close()
    if any(result.records for result in results) and not kept:
        faults.append(
            Fault("", 0, "There are records but no kept heads: the file of heads is missing or empty. Restore it.")
        )
    return VerifyResult(tuple(results), tuple(faults))


def _heads_file(services: Services) -> HeadsFile:
    return HeadsFile(services.settings.audit_heads_file, lambda: services.keyring.get(AUDIT))


def _file_faults(heads: HeadsFile) -> Iterator[Fault]:
    for line, head in enumerate(heads.read(), start=1):
        if head is None:
            yield Fault("", line, f"Line {line} of the file of heads was not written by this installation, or changed.")


def _by_chain(heads: HeadsFile) -> dict[str, dict[int, set[bytes]]]:
    kept: dict[str, dict[int, set[bytes]]] = {}
    for head in heads.read():
        if head is not None:
            kept.setdefault(head.chain, {}).setdefault(head.number, set()).add(bytes.fromhex(head.hash))
    return kept


def _verify_chain(session: Session, chain: str, kept: dict[int, set[bytes]]) -> tuple[ChainResult, list[Fault]]:
    """Verify one chain; every kept head, and the row that numbers the next record, must be found in it."""
    wanted = {number: set(hashes) for number, hashes in kept.items()}
    row = session.get(AuditChain, chain)
    if row is not None and row.number:
        wanted.setdefault(row.number, set()).add(bytes.fromhex(row.hash))
    newest, count, last = max(kept, default=0), 0, 0

    def watched() -> Iterator[tuple[Record, str, Beside | None]]:
        nonlocal count, last
        for record, digest, beside in _records(session, chain):
            count, last = count + 1, record.number
            hashes = wanted.get(record.number)
            if hashes is not None:
                hashes.discard(bytes.fromhex(digest))
            yield record, digest, beside

    redactions = _redactions(session, chain)
    faults = list(verify_chain(chain, watched(), {number: by for number, _, by in redactions}))
    for number in sorted(number for number, hashes in wanted.items() if hashes):
        cut = number > last
        what = "is missing: the end of the chain was cut off" if cut else "is not the one that was written"
        faults.append(Fault(chain, number, f"Record {number} of chain {chain} {what}."))
    named = tuple((number, f"{by} of chain {where}" if where != chain else str(by)) for number, where, by in redactions)
    return ChainResult(chain, count, max(0, last - newest), named), faults


def _records(session: Session, chain: str) -> Iterator[tuple[Record, str, Beside | None]]:
    rows = session.execute(
        select(AuditRecord, AuditValue)
        .outerjoin(AuditValue, AuditValue.record_id == AuditRecord.id)
        .where(AuditRecord.chain == chain)
        .order_by(AuditRecord.number)
        .execution_options(yield_per=_AT_A_TIME)
    )
    for record, value in rows:
        beside = None if value is None else Beside(value.salt, value.old, value.new)
        yield _as_chained(record), record.hash, beside
        session.expunge(record)
        if value is not None:
            session.expunge(value)


def _as_chained(row: AuditRecord) -> Record:
    return Record(
        row.chain, row.number, row.at.isoformat(timespec="microseconds"), row.actor, row.action, row.table_name,
        row.row_id, row.column_name, row.old, row.new, row.reason, row.previous,
    )  # fmt: skip


def _redactions(session: Session, chain: str) -> list[tuple[int, str, int]]:
    """Give the redacted records of a chain, each with the chain and number of the record that redacted it."""
    redacting = aliased(AuditRecord)
    rows = session.execute(
        select(AuditRecord.number, redacting.chain, redacting.number)
        .join(redacting, redacting.row_id == AuditRecord.id)
        .where(AuditRecord.chain == chain, redacting.action == REDACT)
        .order_by(AuditRecord.number)
    )
    return [(number, where, by) for number, where, by in rows]


def catch_up_heads(services: Services) -> int:
    """Keep the head of each chain whose newest record is not covered by one; give how many were kept.

    What was committed and not kept (a kill between the two) is covered from now on. A chain shorter than its newest
    kept head is left as it is, for ``verify`` to tell.
    """
    heads = _heads_file(services)
    newest, kept = heads.newest(), 0
    for row in db.session.scalars(select(AuditChain)):
        known = newest.get(row.chain)
        if row.number and (known is None or known.number < row.number):
            heads.keep(Head(row.chain, row.number, row.hash))
            kept += 1
    return kept


def redact(uow: UnitOfWork, record_id: str) -> None:
    """Erase the values beside a record, such as an identity typed into a text field; the chain stays whole.

    The redaction is a record of its own, with the unit of work's reason, and the only thing that lets the values go.
    What stands in the case record itself is not touched: correct it first. Raises :class:`BadInput` without a reason,
    :class:`NotFound`, :class:`Conflict` where the values are gone already.
    """
    if not uow.reason.strip():
        raise BadInput("A redaction needs a reason, which stands in the audit trail. Nothing was changed. Say why.")
    if uow.session.get(AuditRecord, record_id) is None:
        raise NotFound
    if uow.session.get(AuditValue, record_id) is None:
        raise Conflict("The values of this record were redacted before. Nothing was changed.")
    uow.redact(record_id)
