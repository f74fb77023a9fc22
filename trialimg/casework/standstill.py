"""What was worked out from the record holds while the record stands still: until the audit trail has a new head.

Every change to what is audited leaves a record in a chain in the same transaction, so the hashes of the chains' heads
name the state of all of it. They are read before anything else is, in the same transaction: what is worked out under
a head can be newer than it, never older, and nobody is given it who was not to get it anyway, since the key says all
that the answer depends on. Something kept is gone when a head moves, whoever moved it, in whatever process.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Table, select

from trialimg.store.audit import AuditChain
from trialimg.store.base import db

T = TypeVar("T")
_CHAIN: Final = cast("Table", AuditChain.__table__).c
_HEADS: Final = select(_CHAIN.chain, _CHAIN.hash).order_by(_CHAIN.chain)


class _Answer:
    """An answer, worked out once by whoever holds the lock; the others wait rather than work it out beside it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made: list[Any] = []


class Standstill:
    """Keeps the ``most`` answers asked for last, for as long as nothing is written."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heads: tuple[Any, ...] = ()
        self._kept: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give what ``make`` gives, or gave since the last change. ``key`` names all that it depends on but the record.

        What is given is shared: it must not be changed. What ``make`` raises is not kept.
        """
        heads = tuple(tuple(row) for row in db.session.execute(_HEADS))
        answer = self._answer(heads, key)
        with answer.lock:
            if not answer.made:
                answer.made.append(make())
        return cast("T", answer.made[0])

    def _answer(self, heads: tuple[Any, ...], key: Hashable) -> _Answer:
        with self._guard:
            if heads != self._heads:
                self._kept.clear()
                self._heads = heads
            answer = self._kept.setdefault(key, _Answer())
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return answer
