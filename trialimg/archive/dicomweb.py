"""An archive that speaks DICOMweb: Orthanc, dcm4chee-arc, or any other.

What it answers to a STOW is never believed: a 200 may hide losses, a 400 may hide that all is stored
(tried on Orthanc). It is asked before what it has, gets only the rest, and is asked again after.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from typing import BinaryIO, Final

from pydicom.uid import UID, ExplicitVRLittleEndian

from trialimg.archive.forgetting import Forget, forgetter
from trialimg.archive.multipart import Body, Part, media_and_parameters, parts
from trialimg.archive.part10 import identify
from trialimg.archive.port import Frame, Held, Json, Progress, PushResult, Source, valid_uid
from trialimg.archive.stow import Answer
from trialimg.archive.wire import Wire, translated, without_addresses
from trialimg.errors import ArchiveTooNarrow, ArchiveUnavailable, BadInput, Conflict, NotFound

_BATCH: Final = 20
_PAGE: Final = 5000  # instances asked for at a time
_CHUNK: Final = 256 * 1024
_AS_ARCHIVED: Final = 'multipart/related; type="{}"; transfer-syntax=*'
_SERIES, _INSTANCE = "0020000E", "00080018"


class DicomwebArchive:
    """Images behind a DICOMweb root; ``connections`` batches are sent at a time."""

    def __init__(self, wire: Wire, *, connections: int = 4) -> None:
        self.name = f"DICOMweb archive at {wire.host}"
        self._wire = wire
        self._connections = connections
        self._forget: Forget | None = None
        self._asked_what_it_is = False

    @property
    def can_forget(self) -> bool:
        """Ask the archive once what it is; as long as it cannot be reached the answer is no."""
        with suppress(ArchiveUnavailable):
            return self._forgetter() is not None
        return False

    def check(self) -> None:
        """Ask for one study."""
        with translated():
            self._wire.client.search_for_studies(limit=1)

    def push(self, instances: Iterable[Source], progress: Progress | None = None) -> PushResult:
        """Send by study and in batches what the archive does not have."""
        stored: set[str] = set()
        failed: dict[str, str] = {}
        by_study: dict[str, dict[str, Callable[[], BinaryIO]]] = {}
        for uid, opener in instances:
            try:
                by_study.setdefault(_study_of(uid, opener), {})[uid] = opener
            except BadInput as error:
                failed[uid] = error.sentence
        for study_uid, wanted in by_study.items():
            there = self._instances_of(study_uid)
            missing = [(uid, opener) for uid, opener in wanted.items() if uid not in there]
            settled = _Counter(progress, len(stored) + len(failed) + len(wanted) - len(missing))
            answer = self._send(missing, settled)
            there = self._instances_of(study_uid) if missing else there
            lost = wanted.keys() - there
            if lost and answer.full:
                raise ArchiveUnavailable(
                    "The archive is full: what it has it keeps, the rest follows when it has room."
                )
            stored |= wanted.keys() & there
            failed |= {uid: answer.why(uid) for uid in lost}
        return PushResult(frozenset(stored), failed)

    def holds(self, study_uid: str) -> frozenset[Held]:
        """Ask page by page, until a page brings nothing new: some archives cut, some know no offset."""
        valid_uid(study_uid)
        found: set[Held] = set()
        offset = 0
        with suppress(NotFound):
            while True:
                with translated():
                    page = self._wire.client.search_for_instances(study_uid, limit=_PAGE, offset=offset)
                new = {Held(_text(one, _SERIES), _text(one, _INSTANCE)) for one in page} - found
                if not new:
                    break
                found |= new
                offset += len(page)
        return frozenset(found)

    def fetch(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> BinaryIO:
        """Get the Part-10 file, on the disk when it is large."""
        url = self._instance(study_uid, series_uid, sop_instance_uid)
        for part in self._parts(url, _AS_ARCHIVED.format("application/dicom")):
            return part.file
        raise NotFound

    def forget(self, study_uid: str) -> None:
        """Remove the study the way this product lets one, and ask whether it is gone."""
        valid_uid(study_uid)
        forget = self._forgetter()
        if forget is None:
            raise Conflict(
                "This archive does not let us delete: its operator must remove the study, and we see when it is gone."
            )
        forget(study_uid)
        if self.holds(study_uid):
            raise ArchiveUnavailable("The archive was asked to delete a study and still has it: try later.")

    def search_studies(self, filters: dict[str, str]) -> list[Json]:
        """Pass the search on."""
        limits = {key: int(filters[key]) for key in ("limit", "offset") if filters.get(key, "").isdecimal()}
        asked = {key: value for key, value in filters.items() if key not in {"limit", "offset"}}
        with translated():
            return _clean(
                self._wire.client.search_for_studies(
                    search_filters=dict(asked), limit=limits.get("limit"), offset=limits.get("offset")
                )
            )

    def search_series(self, study_uid: str) -> list[Json]:
        """Pass the search on."""
        valid_uid(study_uid)
        with translated():
            return _clean(self._wire.client.search_for_series(study_uid))

    def search_instances(self, study_uid: str, series_uid: str) -> list[Json]:
        """Pass the search on."""
        valid_uid(study_uid, series_uid)
        with translated():
            return _clean(self._wire.client.search_for_instances(study_uid, series_uid))

    def metadata(self, study_uid: str, series_uid: str, sop_instance_uid: str | None = None) -> list[Json]:
        """Ask for metadata and take the archive's own addresses out."""
        valid_uid(study_uid, series_uid, *([sop_instance_uid] if sop_instance_uid else []))
        client = self._wire.client
        with translated():
            if sop_instance_uid is None:
                return _clean(client.retrieve_series_metadata(study_uid, series_uid))
            found = client.retrieve_instance_metadata(study_uid, series_uid, sop_instance_uid)
        return _clean(found if isinstance(found, list) else [found])

    def frames(self, study_uid: str, series_uid: str, sop_instance_uid: str, numbers: list[int]) -> Iterator[Frame]:
        """Ask for frames as they are archived."""
        if not numbers or min(numbers) < 1:
            raise NotFound
        url = self._instance(study_uid, series_uid, sop_instance_uid)
        url += "/frames/" + ",".join(map(str, numbers))
        found = self._parts(url, _AS_ARCHIVED.format("application/octet-stream"))
        try:
            first = next(found)
        except (StopIteration, BadInput) as error:  # Orthanc: 400 for a number beyond
            raise NotFound from error
        return _as_frames(first, found)

    def bulkdata(self, study_uid: str, series_uid: str, sop_instance_uid: str, tail: str) -> bytes:
        """Ask for what stands behind a BulkDataURI of this archive."""
        steps = tail.split("/")
        if not all(step.replace("_", "").replace("-", "").isalnum() and step.isascii() for step in steps):
            raise NotFound
        url = f"{self._instance(study_uid, series_uid, sop_instance_uid)}/{tail}"
        for part in self._parts(url, "*/*"):
            with part.file as file:
                return file.read()
        raise NotFound

    def _instance(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> str:
        valid_uid(study_uid, series_uid, sop_instance_uid)
        return f"{self._wire.base}/studies/{study_uid}/series/{series_uid}/instances/{sop_instance_uid}"

    def _instances_of(self, study_uid: str) -> set[str]:
        return {held.sop_instance_uid for held in self.holds(study_uid)}

    def _parts(self, url: str, accept: str) -> Iterator[Part]:
        with self._wire.call("GET", url, headers={"Accept": accept}) as answer, translated():
            yield from parts(answer.headers.get("Content-Type", ""), answer.iter_content(_CHUNK))

    def _send(self, sources: list[Source], settled: _Counter) -> Answer:
        """Send all batches; the first that the archive cannot take ends those not begun."""
        answer = Answer()
        batches = [sources[start : start + _BATCH] for start in range(0, len(sources), _BATCH)]
        with ThreadPoolExecutor(self._connections, "push") as pool:
            running = [pool.submit(self._send_batch, batch, answer, settled) for batch in batches]
            try:
                for one in running:
                    one.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return answer

    def _send_batch(self, batch: list[Source], answer: Answer, settled: _Counter) -> None:
        body = Body([opener for _, opener in batch])
        headers = {"Content-Type": body.content_type, "Accept": "application/dicom+json"}
        url = f"{self._wire.base}/studies"
        try:
            reply = self._wire.call("POST", url, headers=headers, data=body, any_status=True)
            with reply, translated():
                answer.read(reply.content)
        except ArchiveTooNarrow:
            if len(batch) == 1:
                raise
            for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                self._send_batch(half, answer, settled)
            return
        settled.add(len(batch))

    def _forgetter(self) -> Forget | None:
        if not self._asked_what_it_is:
            self._forget = forgetter(self._wire)
            self._asked_what_it_is = True
        return self._forget


class _Counter:
    """Counts for several threads and tells the caller's progress one at a time."""

    def __init__(self, progress: Progress | None, start: int) -> None:
        self._progress, self._count = progress, start
        self._lock = threading.Lock()
        self.add(0)

    def add(self, number: int) -> None:
        with self._lock:
            self._count += number
            if self._progress is not None:
                self._progress(self._count)


def _study_of(uid: str, opener: Callable[[], BinaryIO]) -> str:
    with opener() as stream:
        who = identify(stream)
    if who.sop_instance_uid != uid:
        raise BadInput("An object holds another instance than the one it was announced as.")
    return who.study_uid


def _clean(found: list[Json]) -> list[Json]:
    return [without_addresses(one) for one in found]


def _text(one: Json, tag: str) -> str:
    values = one.get(tag, {}).get("Value") or [""]
    return str(values[0])


def _as_frames(first: Part, rest: Iterator[Part]) -> Iterator[Frame]:
    for part in chain([first], rest):
        media, parameters = media_and_parameters(part.content_type)
        syntax = parameters.get("transfer-syntax", str(ExplicitVRLittleEndian))
        if not UID(syntax).is_transfer_syntax or not UID(syntax).is_encapsulated:
            syntax = str(ExplicitVRLittleEndian)
        with part.file as file:
            yield Frame(file.read(), syntax, media)
