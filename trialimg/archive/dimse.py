"""An archive that speaks DIMSE: C-STORE to fill it, C-FIND to ask, C-GET or C-MOVE to read back.

Slower to look at than DICOMweb, since a whole instance is fetched for one frame; it is kept at hand then.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final

from pynetdicom import build_context

from trialimg.archive import query
from trialimg.archive.association import Peer, status_of
from trialimg.archive.looked_at import LookedAt
from trialimg.archive.part10 import as_json, identify
from trialimg.archive.port import Frame, Held, Json, Progress, PushResult, Source, valid_uid
from trialimg.archive.retrieve import Receive, find, find_each, retrieve
from trialimg.archive.store_scu import Outgoing, Sending
from trialimg.errors import ArchiveUnavailable, BadInput, Conflict, NotFound

_ECHO: Final = "1.2.840.10008.1.1"
_REMEMBERED: Final = 10_000  # series of which the SOP classes are remembered
_STUDY_KEYS: Final = [
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "StudyID",
    "AccessionNumber",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "ReferringPhysicianName",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
]
_SERIES_KEYS: Final = [
    "SeriesInstanceUID",
    "Modality",
    "SeriesNumber",
    "SeriesDescription",
    "SeriesDate",
    "SeriesTime",
    "NumberOfSeriesRelatedInstances",
]
_INSTANCE_KEYS: Final = [
    "SOPInstanceUID",
    "SOPClassUID",
    "InstanceNumber",
    "Rows",
    "Columns",
    "NumberOfFrames",
]


class DimseArchive:
    """Images behind a DICOM peer; ``cache`` is the folder of what people look at."""

    can_forget = False

    def __init__(self, peer: Peer, *, cache: Path, connections: int = 4) -> None:
        self.name = f"DICOM peer {peer.aet} at {peer.host}:{peer.port}"
        self._peer = peer
        self._connections = connections
        self._at_hand = LookedAt(cache)
        self._classes: dict[tuple[str, str], list[str]] = {}

    def check(self) -> None:
        """Ask for an echo (PS3.4 Annex A)."""
        with self._peer.associated([build_context(_ECHO)]) as association:
            if status_of(association.send_c_echo()) != 0:
                raise ArchiveUnavailable("The archive answers an echo with an error: it is tried again.")

    def push(self, instances: Iterable[Source], progress: Progress | None = None) -> PushResult:
        """Send what the peer does not have, and ask it again what it has."""
        wanted: dict[str, Outgoing] = {}
        unfit: dict[str, str] = {}
        for uid, opener in instances:
            try:
                wanted[uid] = _outgoing(uid, opener)
            except BadInput as error:
                unfit[uid] = error.sentence
        studies = {one.who.study_uid for one in wanted.values()}
        there = self._instances_of(studies)
        missing = [one for uid, one in wanted.items() if uid not in there]
        settled = _Counter(progress, len(unfit) + len(wanted) - len(missing))
        sending = Sending(self._peer, settled.one_more)
        sending.send(missing, self._connections)
        there = self._instances_of(studies) if missing else there
        lost = wanted.keys() - there
        if sending.trouble is not None and lost - sending.failed.keys():
            raise sending.trouble
        silent = "The archive did not refuse this instance, and does not have it."
        failed = {uid: sending.failed.get(uid, silent) for uid in lost}
        return PushResult(frozenset(wanted.keys() & there), unfit | failed)

    def holds(self, study_uid: str) -> frozenset[Held]:
        """Ask for the series, then for each one's instances."""
        valid_uid(study_uid)
        series = find(self._peer, "SERIES", {"StudyInstanceUID": study_uid, "SeriesInstanceUID": ""})
        uids = [str(one.SeriesInstanceUID) for one in series if "SeriesInstanceUID" in one]
        asked = [_instance_query(study_uid, uid, ["SOPInstanceUID", "SOPClassUID"]) for uid in uids]
        held: set[Held] = set()
        for uid, found in zip(uids, find_each(self._peer, "IMAGE", asked), strict=True):
            self._remember(study_uid, uid, sorted({str(one.get("SOPClassUID", "")) for one in found} - {""}))
            held |= {Held(uid, str(one.SOPInstanceUID)) for one in found}
        return frozenset(held)

    def fetch(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> BinaryIO:
        """Have the instance sent, from the archive and not from what is at hand."""
        valid_uid(study_uid, series_uid, sop_instance_uid)
        keys = {
            "StudyInstanceUID": study_uid,
            "SeriesInstanceUID": series_uid,
            "SOPInstanceUID": sop_instance_uid,
        }
        got: list[BinaryIO] = []
        self._retrieve("IMAGE", keys, lambda path: got.append(_kept_open(path)))
        if not got:
            raise NotFound
        return got[0]

    def forget(self, study_uid: str) -> None:
        """DIMSE has no word for it."""
        valid_uid(study_uid)
        raise Conflict(
            "This archive does not let us delete: its operator must remove the study, and we see when it is gone."
        )

    def search_studies(self, filters: dict[str, str]) -> list[Json]:
        """Ask the peer with what identifies, and match the rest here."""
        asked = dict.fromkeys(_STUDY_KEYS, "")
        for keyword in ("StudyInstanceUID", "PatientID", "StudyDate", "AccessionNumber"):
            value = filters.get(keyword) or filters.get(query.tag_of(keyword), "")
            asked[keyword] = value.replace(",", "\\") if keyword == "StudyInstanceUID" else value
        return query.search(self._shown("STUDY", asked), filters)

    def search_series(self, study_uid: str) -> list[Json]:
        """Ask the peer."""
        valid_uid(study_uid)
        return self._shown("SERIES", {"StudyInstanceUID": study_uid} | dict.fromkeys(_SERIES_KEYS, ""))

    def search_instances(self, study_uid: str, series_uid: str) -> list[Json]:
        """Ask the peer."""
        valid_uid(study_uid, series_uid)
        return self._shown("IMAGE", _instance_query(study_uid, series_uid, _INSTANCE_KEYS))

    def metadata(self, study_uid: str, series_uid: str, sop_instance_uid: str | None = None) -> list[Json]:
        """Bring the whole series at hand, and read it there."""
        self._bring(study_uid, series_uid)
        return self._at_hand.archive.metadata(study_uid, series_uid, sop_instance_uid)

    def frames(self, study_uid: str, series_uid: str, sop_instance_uid: str, numbers: list[int]) -> Iterator[Frame]:
        """Read from what is at hand."""
        self._bring_one(study_uid, series_uid, sop_instance_uid)
        return self._at_hand.archive.frames(study_uid, series_uid, sop_instance_uid, numbers)

    def bulkdata(self, study_uid: str, series_uid: str, sop_instance_uid: str, tail: str) -> bytes:
        """Read from what is at hand."""
        self._bring_one(study_uid, series_uid, sop_instance_uid)
        return self._at_hand.archive.bulkdata(study_uid, series_uid, sop_instance_uid, tail)

    def _shown(self, level: str, asked: dict[str, str]) -> list[Json]:
        return [as_json(one, "") for one in find(self._peer, level, asked)]

    def _instances_of(self, studies: set[str]) -> set[str]:
        return {held.sop_instance_uid for study in studies for held in self.holds(study)}

    def _classes_of(self, study_uid: str, series_uid: str) -> list[str]:
        if (study_uid, series_uid) not in self._classes:
            self.holds(study_uid)
        classes = self._classes.get((study_uid, series_uid), [])
        if not classes:
            raise NotFound
        return classes

    def _remember(self, study_uid: str, series_uid: str, classes: list[str]) -> None:
        if len(self._classes) >= _REMEMBERED:
            self._classes.clear()
        self._classes[study_uid, series_uid] = classes

    def _bring(self, study_uid: str, series_uid: str) -> None:
        valid_uid(study_uid, series_uid)
        there = {held.sop_instance_uid for held in self.holds(study_uid) if held.series_uid == series_uid}
        if not there:
            raise NotFound
        missing = self._at_hand.missing(study_uid, series_uid, there)
        if missing == there:
            self._bring_by("SERIES", {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid})
            return
        for uid in missing:
            self._bring_one(study_uid, series_uid, uid)

    def _bring_one(self, study_uid: str, series_uid: str, sop_instance_uid: str) -> None:
        valid_uid(study_uid, series_uid, sop_instance_uid)
        if not self._at_hand.has(study_uid, Held(series_uid, sop_instance_uid)):
            keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
            self._bring_by("IMAGE", keys | {"SOPInstanceUID": sop_instance_uid})

    def _bring_by(self, level: str, keys: dict[str, str]) -> None:
        """Have instances sent into a folder that lives for this call, then keep them at hand."""
        with TemporaryDirectory(prefix="trialimg-") as name:
            folder = Path(name)
            self._retrieve(level, keys, lambda path: _file(folder, path))
            sources: list[Source] = [(path.name, _opener(path)) for path in folder.iterdir()]
            self._at_hand.keep(keys["StudyInstanceUID"], sources)

    def _retrieve(self, level: str, keys: dict[str, str], receive: Receive) -> None:
        """Have something sent; what the peer no longer lists is not found, whatever it calls that."""
        study_uid, series_uid = keys["StudyInstanceUID"], keys["SeriesInstanceUID"]
        classes = self._classes_of(study_uid, series_uid)
        try:
            retrieve(self._peer, level, keys, classes, receive)
        except ArchiveUnavailable as error:
            listed = {uid for held in self.holds(study_uid) for uid in held}
            if keys.get("SOPInstanceUID", series_uid) not in listed:
                raise NotFound from error
            raise


class _Counter:
    def __init__(self, progress: Progress | None, start: int) -> None:
        self._progress, self._count = progress, start - 1
        self.one_more()

    def one_more(self) -> None:
        self._count += 1
        if self._progress is not None:
            self._progress(self._count)


def _outgoing(uid: str, opener: Callable[[], BinaryIO]) -> Outgoing:
    with opener() as stream:
        who = identify(stream)
    if who.sop_instance_uid != uid:
        raise BadInput("An object holds another instance than the one it was announced as.")
    return Outgoing(who, opener)


def _instance_query(study_uid: str, series_uid: str, keys: list[str]) -> dict[str, str]:
    return {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid} | dict.fromkeys(keys, "")


def _kept_open(path: Path) -> BinaryIO:
    """Open a file that loses its name at once and its bytes when it is closed."""
    return path.open("rb")


def _file(folder: Path, path: Path) -> None:
    with path.open("rb") as stream:
        uid = identify(stream).sop_instance_uid
    shutil.copyfile(path, folder / uid)


def _opener(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb")
