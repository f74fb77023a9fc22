"""What every archive promises, whatever language it speaks.

Three adapters keep these promises: ``local`` (a folder), ``dicomweb`` and ``dimse``. Errors of their
libraries never pass this port; what comes out is of our own tree:

* ArchiveUnavailable: cannot be reached, does not answer in time, is full or says no for now. The same
  call would work at another time; nothing is lost by it.
* ArchiveRefusesUs: it does not accept our credentials or our AE title.
* NotFound: it does not have what was asked for.
* BadInput: an identifier that is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from trialimg.errors import BadInput

Source = tuple[str, Callable[[], BinaryIO]]
"""An instance to push: its SOPInstanceUID, and how to open its Part-10 file (again, for every attempt)."""

Progress = Callable[[int], None]
"""Told how many of the instances of this push are settled so far, stored or not."""

Json = dict[str, Any]
"""One data set in the DICOM JSON model (PS3.18 Annex F)."""

# PS3.5 section 9.1: at most 64 characters; components are digits without a leading zero. Files of old
# devices have leading zeros, which name a file as well as others, so these are let through.
_UID: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_LONGEST_UID: Final = 64


class Held(NamedTuple):
    """An instance the archive says it has."""

    series_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class PushResult:
    """The end of a push, by SOPInstanceUID.

    ``stored``: the archive says it holds an instance of this name, now or from before; that it is the
    same instance, only ``fetch`` and a comparison can tell. ``failed``: refused for good, with the
    sentence why; to push the same bytes again would not help.
    """

    stored: frozenset[str] = frozenset()
    failed: dict[str, str] = field(default_factory=dict)


class Frame(NamedTuple):
    """The bytes of one frame as stored.

    ``transfer_syntax`` says how they are encoded: a compressed stream of that syntax, or, with Explicit
    VR Little Endian, plain pixels in little-endian order. ``media_type`` is that of PS3.18 table 8.7.3-5.
    """

    data: bytes
    transfer_syntax: str
    media_type: str


class Archive(Protocol):
    """Where images live."""

    @property
    def name(self) -> str:
        """Say what kind of archive this is and where, without credentials: for people and logs."""

    @property
    def can_forget(self) -> bool:
        """Say whether ``forget`` can work here."""

    def check(self) -> None:
        """Return when the archive can be reached and accepts us; raise ArchiveUnavailable otherwise."""

    def push(self, instances: Iterable[Source], progress: Progress | None = None) -> PushResult:
        """Send what the archive does not have yet; one instance's failure never loses another.

        May be repeated with the same end. Nothing an archive holds is ever replaced by it. Raises
        ArchiveUnavailable when the archive cannot take more for now; what it has by then it keeps.
        """

    def holds(self, study_uid: str) -> frozenset[Held]:
        """Ask which instances of a study the archive has; the empty set for a study it does not know."""

    def fetch(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> BinaryIO:
        """Open a Part-10 file of the instance, in the transfer syntax it is archived in; close it after use.

        Always asks the archive itself. Raises NotFound.
        """

    def forget(self, study_uid: str) -> None:
        """Remove a study from the archive; one it does not have is no error.

        Raises Conflict, with the sentence who must do it, where the archive does not let us.
        """

    def search_studies(self, filters: dict[str, str]) -> list[Json]:
        """Find studies (PS3.18 section 10.6); ``filters`` are attributes by keyword or tag, or limit/offset."""

    def search_series(self, study_uid: str) -> list[Json]:
        """List the series of a study."""

    def search_instances(self, study_uid: str, series_uid: str) -> list[Json]:
        """List the instances of a series."""

    def metadata(self, study_uid: str, series_uid: str, sop_instance_uid: str | None = None) -> list[Json]:
        """Give all attributes of a series' instances, or of one; without PixelData.

        A BulkDataURI is relative to the DICOMweb root:
        ``studies/…/series/…/instances/…/bulkdata/<tail>``. Raises NotFound.
        """

    def frames(self, study_uid: str, series_uid: str, sop_instance_uid: str, numbers: list[int]) -> Iterator[Frame]:
        """Give frames, counted from 1, in the order asked for. Raises NotFound before the first one."""

    def bulkdata(self, study_uid: str, series_uid: str, sop_instance_uid: str, tail: str) -> bytes:
        """Give the bytes that a BulkDataURI of ``metadata`` stands for. Raises NotFound."""


def valid_uid(*uids: str) -> None:
    """Raise BadInput unless every one is a UID (PS3.5 section 9.1), safe as a part of a path or URL."""
    for uid in uids:
        if len(uid) > _LONGEST_UID or not _UID.fullmatch(uid):
            raise BadInput("An identifier of a study, series or instance is not a valid DICOM UID.")
