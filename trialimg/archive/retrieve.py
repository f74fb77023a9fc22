"""Asks a DICOM peer what it has (C-FIND) and gets it back (C-GET, or C-MOVE where that is not offered)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydicom.dataset import Dataset
from pynetdicom import AE, build_context, build_role, evt

from trialimg.archive.association import Peer, accepted, responses, status_of
from trialimg.errors import ArchiveUnavailable, Misconfigured, NotFound

Receive = Callable[[Path], None]
"""Takes a Part-10 file that the peer sent; it is there for the time of the call."""

# The study root information models (PS3.4 section C.6.2).
_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
_PENDING, _SUBOPERATIONS_FAILED = 0xFF00, 0xB000
_TAKEN, _NO_ROOM = 0x0000, 0xA700
_MOST_CLASSES: Final = 5  # times the syntaxes below: what fits in the 128 contexts of an association
_MOVING: Final = threading.Lock()  # the port we receive on is one

# Every way an instance may be archived: each is offered on its own, so that nothing is transcoded for us.
_SYNTAXES: Final = [
    *(f"1.2.840.10008.1.2{tail}" for tail in ("", ".1", ".1.99", ".2", ".5")),
    *(
        f"1.2.840.10008.1.2.4.{number}"
        for number in (
            50,
            51,
            57,
            70,
            80,
            81,
            90,
            91,
            92,
            93,
            100,
            101,
            102,
            103,
            104,
            105,
            106,
            107,
            108,
            201,
            203,
        )
    ),
]


def find(peer: Peer, level: str, keys: dict[str, str]) -> list[Dataset]:
    """Give the matches of one query; ``keys`` are attributes by keyword, an empty value asks for it.

    Raises ArchiveUnavailable, or Misconfigured when the peer answers no queries.
    """
    return find_each(peer, level, [keys])[0]


def find_each(peer: Peer, level: str, queries: list[dict[str, str]]) -> list[list[Dataset]]:
    """Give the matches of each of several queries, all on one association."""
    if not queries:
        return []
    with peer.associated([build_context(_FIND)]) as association:
        if not accepted(association, _FIND):
            raise Misconfigured(
                "The DICOM peer answers no queries (C-FIND): it cannot be proved there what it keeps. "
                "Use one that does."
            )
        return [list(responses(association.send_c_find(_identifier(level, one), _FIND))) for one in queries]


def retrieve(peer: Peer, level: str, keys: dict[str, str], sop_classes: list[str], receive: Receive) -> None:
    """Have the peer send what the keys name, as it is archived; ``receive`` gets each file.

    ``sop_classes`` are those to expect. Raises NotFound when the peer has none of it,
    ArchiveUnavailable when some could not be sent.
    """
    for start in range(0, len(sop_classes), _MOST_CLASSES):
        some = sop_classes[start : start + _MOST_CLASSES]
        if not _get(peer, _identifier(level, keys), some, receive):
            _move(peer, _identifier(level, keys), some, receive)


def _identifier(level: str, keys: dict[str, str]) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value or None)
    return identifier


def _get(peer: Peer, identifier: Dataset, sop_classes: list[str], receive: Receive) -> bool:
    """Use C-GET; gives False, nothing received, when the peer does not offer it."""
    contexts = [
        build_context(_GET),
        *(build_context(one, syntax) for one in sop_classes for syntax in _SYNTAXES),
    ]
    roles = [build_role(one, scp_role=True) for one in sop_classes]
    handlers = [(evt.EVT_C_STORE, _taking(receive))]
    with peer.associated(contexts, roles=roles, handlers=handlers) as association:
        if not accepted(association, _GET):
            return False
        _follow(association.send_c_get(identifier, _GET))
    return True


def _move(peer: Peer, identifier: Dataset, sop_classes: list[str], receive: Receive) -> None:
    """Use C-MOVE to a receiver of ours, which listens only while it is needed."""
    if not peer.move_port:
        raise ArchiveUnavailable(
            "The archive does not offer C-GET: for C-MOVE its operator must enter our address, and the "
            "archive's address here needs &move_port=… with the port."
        )
    ae = AE(ae_title=peer.calling)
    ae.require_called_aet = True
    ae.require_calling_aet = [peer.aet]
    for one in sop_classes:
        ae.add_supported_context(one, _SYNTAXES)
    with _MOVING:
        try:
            server = ae.start_server(
                ("", peer.move_port), block=False, evt_handlers=[(evt.EVT_C_STORE, _taking(receive))]
            )
        except OSError as error:
            raise Misconfigured("The port to receive on (move_port) is taken by another program.") from error
        try:
            with peer.associated([build_context(_MOVE)]) as association:
                if not accepted(association, _MOVE):
                    raise Misconfigured("The DICOM peer offers neither C-GET nor C-MOVE: nothing can be read back.")
                _follow(association.send_c_move(identifier, peer.calling, _MOVE))
        finally:
            if server is not None:
                server.shutdown()


def _taking(receive: Receive) -> Callable[[Any], int]:
    def take(event: Any) -> int:
        path: Path = event.dataset_path
        try:
            event.request._dataset_file.close()  # noqa: SLF001 - it may still hold back the last bytes
            receive(path)
        except OSError:
            return _NO_ROOM
        finally:
            path.unlink(missing_ok=True)
        return _TAKEN

    return take


def _follow(answers: Any) -> None:
    for answer, _ in answers:
        status = status_of(answer)
        if status & 0xFF00 == _PENDING:
            continue
        failed = int(answer.get("NumberOfFailedSuboperations") or 0)
        if status == _SUBOPERATIONS_FAILED or failed:
            raise ArchiveUnavailable("The archive could not send all that it has: try later.")
        if status != 0:
            raise ArchiveUnavailable(f"The archive did not send what it has (status {status:04X}H): try later.")
        if int(answer.get("NumberOfCompletedSuboperations") or 0) == 0:
            raise NotFound
