"""Sends instances to a DICOM peer over several associations, each file's bytes as they are."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, Final

from pynetdicom import build_context

from trialimg.archive.association import LOST, Peer, full, status_of, why
from trialimg.archive.part10 import Identity
from trialimg.errors import ArchiveUnavailable

_MOST_CONTEXTS: Final = 128  # PS3.8 table 9-18: odd numbers 1 to 255
_WARNING, _DUPLICATE = 0xB000, 0x0111
_NO_CONTEXT: Final = "The archive does not take this kind of object in the encoding it has (transfer syntax)."
_FULL: Final = "The archive is full: what it has it keeps, the rest follows when it has room."


@dataclass(frozen=True)
class Outgoing:
    """One instance on its way."""

    who: Identity
    opener: Callable[[], BinaryIO]


class Sending:
    """One push to a peer, shared by the threads that send.

    Afterwards ``failed`` has the sentences of what was refused for good, and ``trouble`` the reason why
    others may not have been sent: an association was refused or lost, or the archive is full.
    """

    def __init__(self, peer: Peer, settled: Callable[[], None]) -> None:
        self.failed: dict[str, str] = {}
        self.trouble: ArchiveUnavailable | None = None
        self._peer, self._settled = peer, settled
        self._is_full = threading.Event()
        self._lock = threading.Lock()

    def send(self, instances: list[Outgoing], connections: int) -> None:
        """Send all over several associations; what one of them cannot do any more the others do."""
        for group in _groups(instances):
            queue: SimpleQueue[Outgoing] = SimpleQueue()
            for one in group:
                queue.put(one)
            threads = [
                threading.Thread(target=self._run, args=(group, queue), name="push", daemon=True)
                for _ in range(min(connections, len(group)))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _run(self, group: list[Outgoing], queue: SimpleQueue[Outgoing]) -> None:
        kinds = sorted({(one.who.sop_class_uid, one.who.transfer_syntax) for one in group})
        # One context for each pair: of a context with several syntaxes the peer would choose one.
        contexts = [build_context(sop_class, syntax) for sop_class, syntax in kinds]
        try:
            with self._peer.associated(contexts) as association:
                self._drain(association, queue)
        except ArchiveUnavailable as error:
            self.trouble = error

    def _drain(self, association: Any, queue: SimpleQueue[Outgoing]) -> None:
        while not self._is_full.is_set():
            try:
                one = queue.get_nowait()
            except Empty:
                return
            refused = self._send_one(association, one)
            with self._lock:
                if refused:
                    self.failed[one.who.sop_instance_uid] = refused
                self._settled()

    def _send_one(self, association: Any, one: Outgoing) -> str:
        """Send one instance; gives the sentence why it was refused, empty when it was not."""
        try:
            with _on_disk(one.opener) as path:
                status = status_of(association.send_c_store(path))
        except (ValueError, AttributeError):
            return _NO_CONTEXT
        except (OSError, RuntimeError) as error:
            raise ArchiveUnavailable(LOST) from error
        if full(status):
            self._is_full.set()
            raise ArchiveUnavailable(_FULL)
        if status in {0, _DUPLICATE} or status & 0xF000 == _WARNING:
            return ""
        return why(status)


def _groups(instances: list[Outgoing]) -> Iterator[list[Outgoing]]:
    """Split so that one association can agree on every (SOP class, transfer syntax) of a group."""
    kinds = sorted({(one.who.sop_class_uid, one.who.transfer_syntax) for one in instances})
    for start in range(0, len(kinds), _MOST_CONTEXTS):
        some = set(kinds[start : start + _MOST_CONTEXTS])
        yield [one for one in instances if (one.who.sop_class_uid, one.who.transfer_syntax) in some]


@contextmanager
def _on_disk(opener: Callable[[], BinaryIO]) -> Iterator[Path]:
    """Give a path with the instance's bytes, since pynetdicom streams from a path only."""
    with opener() as stream, NamedTemporaryFile(prefix="trialimg-", suffix=".dcm") as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
        copy.flush()
        yield Path(copy.name)
