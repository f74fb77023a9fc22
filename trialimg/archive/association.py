"""A DICOM peer and associations with it; what pynetdicom leaves unsaid is said here at once."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.presentation import PresentationContext

from trialimg.archive.stow import sentence
from trialimg.errors import ArchiveRefusesUs, ArchiveUnavailable, Misconfigured

# A data set goes out as the bytes of its file and comes in as a file, never decoded, never whole in
# memory. These are switches of the whole process: any C-STORE handler in it reads event.dataset_path.
_config.STORE_SEND_CHUNKED_DATASET = True
_config.STORE_RECV_CHUNKED_DATASET = True

_AE_TITLE: Final = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")  # PS3.5 VR AE, no backslash
_CONNECT, _AGREE, _SILENCE = 10, 30, 120  # seconds: TCP, association, a response
_PERMANENT, _NOT_RECOGNISED = 1, frozenset({3, 7})  # PS3.8 table 9-21: calling, called AE title
_OUT_OF_RESOURCES: Final = 0xA700
_PENDING: Final = frozenset({0xFF00, 0xFF01})
LOST: Final = "The archive broke off the association or does not answer in time: it is tried again."
_HOW: Final = (
    "A DICOM peer's address must look like dimse://CALLED@host:port?calling=OURS, "
    "optionally with &move_port=… where it knows to find us."
)


@dataclass(frozen=True)
class Peer:
    """A DICOM application: its AE title and address, and ours.

    ``move_port``: where we take what a C-MOVE sends, 0 when the peer does not know our address.
    ``timeout``: seconds of silence.
    """

    aet: str
    host: str
    port: int
    calling: str = "TRIALIMG"
    move_port: int = 0
    timeout: float = _SILENCE

    @classmethod
    def from_url(cls, url: str) -> Peer:
        """Read ``dimse://CALLED@host:port?calling=OURS&move_port=11113``; raises Misconfigured."""
        try:
            found = urlsplit(url)
            pairs = parse_qs(found.query, keep_blank_values=True, strict_parsing=bool(found.query))
            asked = {key: values[-1] for key, values in pairs.items()}
            peer = cls(
                aet=found.username or "",
                host=found.hostname or "",
                port=found.port or 104,
                calling=asked.pop("calling", "TRIALIMG"),
                move_port=int(asked.pop("move_port", "0")),
                timeout=float(asked.pop("timeout", str(_SILENCE))),
            )
        except ValueError as error:
            raise Misconfigured(_HOW) from error
        titles = all(_AE_TITLE.fullmatch(title) for title in (peer.aet, peer.calling))
        if asked or not titles or not peer.host or found.scheme != "dimse":
            raise Misconfigured(_HOW)
        return peer

    @contextmanager
    def associated(
        self, contexts: list[PresentationContext], *, roles: list[Any] | None = None, handlers: Any = ()
    ) -> Iterator[Any]:
        """Hold an association; raises ArchiveUnavailable or ArchiveRefusesUs when there is none."""
        ae = AE(ae_title=self.calling)
        ae.connection_timeout, ae.acse_timeout = _CONNECT, min(_AGREE, self.timeout)
        ae.dimse_timeout = ae.network_timeout = self.timeout
        try:
            association = ae.associate(
                self.host,
                self.port,
                contexts=contexts,
                ae_title=self.aet,
                max_pdu=0,
                ext_neg=roles or [],
                evt_handlers=[(evt.EVT_CONN_OPEN, _no_delay), *handlers],
            )
        except (OSError, RuntimeError) as error:
            raise ArchiveUnavailable("The archive cannot be reached: it is tried again.") from error
        if not association.is_established:
            raise _why_not(association)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()
            else:
                association.abort()


def responses(answers: Iterator[tuple[Dataset, Dataset | None]]) -> Iterator[Dataset]:
    """Give the matches of a C-FIND; raises when it does not end with success."""
    for status, found in answers:
        code = status_of(status)
        if code in _PENDING and found is not None:
            yield found
        elif code not in _PENDING and code != 0:
            raise ArchiveUnavailable(f"The archive did not answer a query (status {code:04X}H): try later.")


def status_of(answer: Dataset) -> int:
    """Give a response's status; an empty one, pynetdicom's sign of a lost association, raises."""
    if "Status" not in answer:
        raise ArchiveUnavailable(LOST)
    return int(answer.Status)


def accepted(association: Any, sop_class: str) -> bool:
    """Say whether the peer offers a service."""
    return any(context.abstract_syntax == sop_class for context in association.accepted_contexts)


def full(status: int) -> bool:
    """Say whether a C-STORE status means out of resources (PS3.4 section B.2.3)."""
    return status & 0xFF00 == _OUT_OF_RESOURCES


def why(status: int) -> str:
    """Say in words why a C-STORE failed."""
    return sentence(status)


def _no_delay(event: Any) -> None:
    """Send small PDUs at once: waiting for the peer's delayed ACK makes an association ten times slower."""
    with suppress(AttributeError, OSError):
        event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _why_not(association: Any) -> ArchiveUnavailable:
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        if answer.result == _PERMANENT and answer.diagnostic in _NOT_RECOGNISED:
            return ArchiveRefusesUs(
                "The archive does not know our AE title, or not its own: its operator must enter ours, "
                "or an administrator correct the settings."
            )
        return ArchiveUnavailable("The archive takes no association from us for now: it is tried again.")
    if association.acceptor.primitive is not None and not association.accepted_contexts:
        return ArchiveRefusesUs("The archive offers us none of the services we need: its operator must allow them.")
    return ArchiveUnavailable("The archive cannot be reached: it is tried again.")
