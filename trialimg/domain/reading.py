"""The life of a read: a table of (state, act) → state, what it rests on, and when that has changed.

Reading order: the words, the table, the functions; then the basis.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trialimg.domain.reading_design import ReadingDesign
from trialimg.domain.signature import canonical
from trialimg.errors import ImpossibleStep, OurFault


class ReadState(StrEnum):
    """Where a read stands."""

    OPEN = "open"
    DRAFT = "draft"
    SIGNED = "signed"
    BASIS_CHANGED = "basis changed"
    REOPENED = "reopened"
    VOID = "void"


class Act(StrEnum):
    """What happens to a read."""

    SAVE = "save"
    SIGN = "sign"
    CONFIRM = "confirm by a new signature"
    REOPEN = "reopen"
    VOID = "void"
    BASIS_CHANGES = "what it rests on changes"


S, A = ReadState, Act

TABLE: Final[dict[tuple[ReadState, Act], ReadState]] = {
    (S.OPEN, A.SAVE): S.DRAFT,
    (S.OPEN, A.VOID): S.VOID,
    (S.OPEN, A.BASIS_CHANGES): S.OPEN,
    (S.DRAFT, A.SAVE): S.DRAFT,
    (S.DRAFT, A.SIGN): S.SIGNED,
    (S.DRAFT, A.VOID): S.VOID,
    (S.DRAFT, A.BASIS_CHANGES): S.DRAFT,
    (S.SIGNED, A.REOPEN): S.REOPENED,
    (S.SIGNED, A.VOID): S.VOID,
    (S.SIGNED, A.BASIS_CHANGES): S.BASIS_CHANGED,
    (S.BASIS_CHANGED, A.CONFIRM): S.SIGNED,
    (S.BASIS_CHANGED, A.REOPEN): S.REOPENED,
    (S.BASIS_CHANGED, A.VOID): S.VOID,
    (S.BASIS_CHANGED, A.BASIS_CHANGES): S.BASIS_CHANGED,
    (S.REOPENED, A.SAVE): S.REOPENED,
    (S.REOPENED, A.SIGN): S.SIGNED,
    (S.REOPENED, A.VOID): S.VOID,
    (S.REOPENED, A.BASIS_CHANGES): S.REOPENED,
}
"""A reopened read is a draft of its next version; a void one stays readable and is at its end."""

CAN_CHANGE: Final = frozenset({S.OPEN, S.DRAFT, S.REOPENED})
"""States in which the reader may change values."""

CAN_GIVE: Final = frozenset({S.OPEN, S.DRAFT})
"""States in which a read can be given to another reader: nothing of it was ever signed."""

FINAL: Final = frozenset({S.SIGNED})
"""States in which values count as final in exports; everywhere else they are shown as not final."""

STANDS: Final = frozenset({S.SIGNED, S.BASIS_CHANGED})
"""States in which the newest version is signed, so that a change of its basis is a change to a signed read."""

BASES: Final = STANDS | {S.REOPENED}
"""States in which a read is, or was, something for later reads to rest on."""


def advance(state: ReadState, act: Act) -> ReadState:
    """Give the state that follows; raises ImpossibleStep for what is not in the table."""
    try:
        return TABLE[state, act]
    except KeyError:
        raise ImpossibleStep(
            f"This read is {state.value}, so “{act.value}” is not possible now; nothing was changed. "
            "Load the page again to see where it stands."
        ) from None


def version_after(version: int, act: Act) -> int:
    """Give the version that an act works on or leaves behind: a reopening begins the next one."""
    return version + 1 if act is A.REOPEN else version


@dataclass(frozen=True)
class Read:
    """One read as the rules see it: whose, of which subject's time point, and where it stands.

    ``ordinal`` orders a subject's time points by their images' dates, the baseline being 0. ``version``
    counts from 1.
    """

    id: str
    reader: str
    subject: str
    time_point: str
    ordinal: int
    state: ReadState = S.OPEN
    version: int = 1

    def is_before(self, other: Read) -> bool:
        """Say whether it is an earlier read of the same reader and subject."""
        same = (self.reader, self.subject) == (other.reader, other.subject)
        return same and self.ordinal < other.ordinal


def waits_for(design: ReadingDesign, read: Read, reads: Iterable[Read]) -> str | None:
    """Say why a read cannot be opened yet, None where it can: time points come in order.

    Asked when a read is opened and again when it is signed. Without a signed baseline nothing can be carried
    forward; a read whose basis changed does not open the next one before it is confirmed.
    """
    earlier = [each for each in reads if each.is_before(read) and each.state is not S.VOID]
    if read.ordinal > 0 and not any(each.ordinal == 0 for each in earlier):
        return "The baseline of this subject is not assigned to you yet, and this time point is compared with it."
    for each in sorted(earlier, key=lambda one: one.ordinal):
        if each.ordinal and design.order == "after_baseline":
            continue
        if each.state not in FINAL:
            return f"First sign your read of {each.time_point}, which is {each.state.value}; this one follows it."
    return None


@dataclass(frozen=True)
class Earlier:
    """An earlier read of the same reader that a read rests on, as it stood."""

    read: str
    time_point: str
    version: int
    state: ReadState


@dataclass(frozen=True)
class Basis:
    """What a read rests on: the canonical hashes of all instances shown, and the earlier reads."""

    instances: frozenset[str]
    earlier: frozenset[Earlier] = frozenset()

    @classmethod
    def of(cls, read: Read, instance_hashes: Iterable[str], reads: Iterable[Read]) -> Basis:
        """Gather the basis of a read from what it shows and from all reads; those never signed are none."""
        before = [each for each in reads if each.is_before(read) and each.state in BASES]
        rests = frozenset(Earlier(each.id, each.time_point, each.version, each.state) for each in before)
        return cls(frozenset(instance_hashes), rests)

    def to_plain(self) -> dict[str, object]:
        """Write it for keeping beside the signature, so that a later change can be told in words."""
        earlier = [[each.read, each.time_point, each.version, each.state.value] for each in self.earlier]
        return {"instances": sorted(self.instances), "earlier": sorted(earlier)}

    @classmethod
    def from_plain(cls, plain: object) -> Basis:
        """Rebuild a kept basis; raises OurFault where it is none."""
        try:
            kept = dict(plain)  # type: ignore[call-overload]  # whatever it is, the next lines find out
            earlier = [Earlier(str(i), str(t), int(v), ReadState(s)) for i, t, v, s in kept["earlier"]]
            return cls(frozenset(map(str, kept["instances"])), frozenset(earlier))
        except (TypeError, ValueError, KeyError):
            raise OurFault("The basis kept with a signature cannot be read; tell the administrator.") from None

    def digest(self) -> str:
        """Give the SHA-256 that the signature binds."""
        return hashlib.sha256(canonical(self.to_plain()).encode()).hexdigest()


def basis_changes(signed: Basis, now: Basis) -> str | None:
    """Say what changed since a read was signed and what that means, None where nothing did."""
    joined, gone = len(now.instances - signed.instances), len(signed.instances - now.instances)
    said = [f"{_count(joined)} joined"] if joined else []
    said += [f"{_count(gone)} withdrawn"] if gone else []
    said += _earlier_changes(signed, now)
    if not said:
        return None
    return (
        f"Since this read was signed: {'; '.join(said)}. It does not count as final. "
        "Look at the images again and confirm the read by a new signature, or ask for it to be reopened."
    )


def _count(instances: int) -> str:
    return "1 instance" if instances == 1 else f"{instances} instances"


def _earlier_changes(signed: Basis, now: Basis) -> list[str]:
    before = {each.read: each for each in signed.earlier}
    after = {each.read: each for each in now.earlier}
    said = []
    for read, old in before.items():
        new = after.get(read)
        if new is None:
            said.append(f"your read of {old.time_point} voided")
        elif new != old:
            said.append(f"your read of {old.time_point} {_how(old, new)}")
    said += [f"a read of {new.time_point} added before it" for read, new in after.items() if read not in before]
    return sorted(said)


def _how(old: Earlier, new: Earlier) -> str:
    if new.state is S.SIGNED and new.version != old.version:
        return f"signed again as version {new.version}"
    if new.version != old.version:
        return "reopened"
    return "now " + new.state.value if new.state is not S.SIGNED else "confirmed again"


CODE_SIGNS: Final = "23456789BCDFGHJKMNPQRSTVWXYZ"
"""No vowel (a code is no word), and nothing that is taken for another sign: 0 and O, 1, I and L."""


def new_reading_code(random: bytes) -> str:
    """Make a code such as ``R-7KQ2-MXB4`` from random bytes (32 are enough), under which readers know a subject.

    It comes from chance alone, so that nobody can compute the subject from it; the caller makes sure that it
    is not taken. Raises OurFault where the bytes do not suffice.
    """
    even = 256 - 256 % len(CODE_SIGNS)  # bytes from here on would make some signs likelier
    signs = [CODE_SIGNS[byte % len(CODE_SIGNS)] for byte in random if byte < even][:8]
    if len(signs) < 8:  # noqa: PLR2004 - the length of the code
        raise OurFault("A reading code needs more random bytes; try again.")
    return f"R-{''.join(signs[:4])}-{''.join(signs[4:])}"
