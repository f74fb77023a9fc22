"""The DICOMweb door (PS3.18): every request is authorised against the studies this person may see.

The upstream request is rebuilt from parsed parts, the hierarchy is checked against the record, query keys are
allow-listed, and what a person may not see is the same 404 as what does not exist. Readers, and everybody where a trial
shifts dates, see every answer under a mask of ``casework.viewing_masks``: no attribute, and no whole file, leaves here
without it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from trialimg.archive.port import Frame
from trialimg.casework.access import study_place
from trialimg.casework.services import services
from trialimg.casework.viewing import StudyCard, StudyContents, admit_to_images, seen_by, visible_studies
from trialimg.dicom.blind import blind_json, may_be_told
from trialimg.dicom.blind_file import blind_file
from trialimg.domain.permission import Permission
from trialimg.errors import BadInput, NotFound
from trialimg.web.guard import current_person, current_place, requires, somewhere

blueprint = Blueprint("dicomweb", __name__, url_prefix="/dicomweb")

Json = dict[str, Any]
_STUDY_KEYS: Final = {
    "StudyInstanceUID": "study", "0020000D": "study", "PatientID": "patient", "00100020": "patient",
    "limit": "limit", "offset": "offset", "includefield": "", "fuzzymatching": "",
    "ModalitiesInStudy": "modality", "00080061": "modality",
}  # fmt: skip
_CHUNK: Final = 64 * 1024
_MOST: Final = 1000
_FRAMES: Final = re.compile(r"[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*", re.ASCII)


def _value(vr: str, *values: object) -> Json:
    return {"vr": vr, "Value": list(values)} if values and values != ("",) else {"vr": vr}


def _study_json(card: StudyCard) -> Json:
    day = card.acquired.strftime("%Y%m%d") if card.acquired else ""
    return {
        "00080005": _value("CS", "ISO_IR 192"),
        "00080020": _value("DA", day),
        "00080030": _value("TM", ""),
        "00080050": _value("SH", ""),
        "00080056": _value("CS", "ONLINE"),
        "00080061": _value("CS", *card.modalities),
        "00081030": _value("LO", card.description),
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": card.patient_name}]},
        "00100020": _value("LO", card.patient_id),
        "0020000D": _value("UI", card.study_instance_uid),
        "00200010": _value("SH", ""),
        "00201206": _value("IS", card.series_count),
        "00201208": _value("IS", card.instance_count),
    }


def _number(name: str, default: int) -> int:
    try:
        number = int(request.args.get(name, default))
    except ValueError:
        raise BadInput(f"The query key {name} must be a whole number.") from None
    return max(0, min(number, _MOST))


def _no_query() -> None:
    unknown = sorted(set(request.args) - {"includefield", "limit", "offset", "fuzzymatching", "SeriesInstanceUID"})
    if unknown:
        raise BadInput("This address takes no such query key; see the DICOMweb part of the interface's description.")


@blueprint.get("/studies")
@requires(Permission.OPEN_IMAGES, on=somewhere, admitting=admit_to_images)
def studies() -> Response:
    """Answer QIDO-RS for studies with the permitted ones only, from the record."""
    if any(key not in _STUDY_KEYS for key in request.args):
        raise BadInput("This address takes StudyInstanceUID, PatientID, ModalitiesInStudy, limit and offset only.")
    meant = {_STUDY_KEYS[key]: value for key, value in request.args.items()}
    uids = frozenset(meant["study"].replace("\\", ",").split(",")) if meant.get("study") else None
    cards = visible_studies(current_person(), study_instance_uids=uids, patient_id=meant.get("patient") or None)
    if meant.get("modality"):
        cards = [card for card in cards if meant["modality"] in card.modalities]
    start = _number("offset", 0)
    return _json(_study_json(card) for card in cards[start : start + _number("limit", _MOST)])


def _json(found: Iterable[Json]) -> Response:
    response = jsonify(list(found))
    response.headers["Content-Type"] = "application/dicom+json"
    return response


def _seen() -> StudyContents:
    return seen_by(current_person(), current_place())


def _shown(seen: StudyContents, entry: Json) -> Json:
    """Give an answer of the archive as this person may see it."""
    return entry if seen.mask is None else blind_json(entry, seen.mask)


def _text(entry: Json, tag: str) -> str:
    values = entry.get(tag, {}).get("Value") or [""]
    return str(values[0])


@blueprint.get("/studies/<study_instance_uid>/series")
@requires(Permission.OPEN_IMAGES, on=study_place, admitting=admit_to_images)
def series(study_instance_uid: str) -> Response:
    """Answer QIDO-RS for the series of a permitted study."""
    _no_query()
    seen = _seen()
    found = []
    for entry in services().archive.search_series(study_instance_uid):
        uid = _text(entry, "0020000E")
        if uid in seen.series:
            # The archive may know instances that are withdrawn: the count is the record's.
            found.append({**_shown(seen, entry), "00201209": _value("IS", len(seen.series[uid]))})
    return _json(found)


@blueprint.get("/studies/<study_instance_uid>/series/<series_uid>/instances")
@requires(Permission.OPEN_IMAGES, on=study_place, admitting=admit_to_images)
def instances(study_instance_uid: str, series_uid: str) -> Response:
    """Answer QIDO-RS for the instances of a series."""
    _no_query()
    seen = _seen()
    allowed = seen.instances_of(series_uid)
    found = services().archive.search_instances(study_instance_uid, series_uid)
    return _json(_shown(seen, entry) for entry in found if _text(entry, "00080018") in allowed)


def _with_bulkdata_here(value: Any) -> Any:
    """Make every BulkDataURI an address of this door."""
    if isinstance(value, dict):
        return {
            k: f"/dicomweb/{v.lstrip('/')}" if k == "BulkDataURI" and isinstance(v, str) else _with_bulkdata_here(v)
            for k, v in value.items()
        }
    return [_with_bulkdata_here(part) for part in value] if isinstance(value, list) else value


def _metadata(seen: StudyContents, series_uid: str, sop_uid: str | None = None) -> Iterator[Json]:
    allowed = seen.instances_of(series_uid)
    for entry in services().archive.metadata(seen.study_instance_uid, series_uid, sop_uid):
        if _text(entry, "00080018") in allowed:
            yield _with_bulkdata_here(_shown(seen, entry))


@blueprint.get("/studies/<study_instance_uid>/metadata")
@requires(Permission.OPEN_IMAGES, on=study_place, admitting=admit_to_images)
def study_metadata(study_instance_uid: str) -> Response:
    """Answer WADO-RS for the metadata of a whole study."""
    del study_instance_uid
    _no_query()
    seen = _seen()
    return _json(entry for uid in sorted(seen.series) for entry in _metadata(seen, uid))


@blueprint.get("/studies/<study_instance_uid>/series/<series_uid>/metadata")
@requires(Permission.OPEN_IMAGES, on=study_place, admitting=admit_to_images)
def series_metadata(study_instance_uid: str, series_uid: str) -> Response:
    """Answer WADO-RS for the metadata of a series."""
    del study_instance_uid
    _no_query()
    return _json(_metadata(_seen(), series_uid))


@blueprint.get("/studies/<study_instance_uid>/series/<series_uid>/instances/<sop_uid>/metadata")
@requires(Permission.OPEN_IMAGES, on=study_place, admitting=admit_to_images)
def instance_metadata(study_instance_uid: str, series_uid: str, sop_uid: str) -> Response:
    """Answer WADO-RS for the metadata of an instance."""
    del study_instance_uid
    _no_query()
    seen = _seen()
    seen.require(series_uid, sop_uid)
    return _json(_metadata(seen, series_uid, sop_uid))


def _multipart(parts: Iterable[tuple[str, Iterable[bytes]]], kind: str) -> Response:
    boundary = secrets.token_hex(16)

    def body() -> Iterator[bytes]:
        for content_type, chunks in parts:
            yield f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode()
            yield from chunks
            yield b"\r\n"
        yield f"--{boundary}--\r\n".encode()

    return Response(body(), content_type=f'multipart/related; type="{kind}"; boundary={boundary}')


def _kept(response: Response) -> Response:
    # An instance never changes under its UID; the browser, never a proxy, may keep it while its tab lives.
    response.headers["Cache-Control"] = "private, max-age=3600, immutable"
    response.headers["Vary"] = "Cookie, Authorization"
    return response


@blueprint.get("/studies/<study_instance_uid>/series/<series_uid>/instances/<sop_uid>/frames/<numbers>")
@requires(Permission.OPEN_IMAGES, on=study_place, admitting=admit_to_images)
def frames(study_instance_uid: str, series_uid: str, sop_uid: str, numbers: str) -> Response:
    """Answer WADO-RS for frames, counted from 1, as they are stored."""
    _seen().require(series_uid, sop_uid)
    if not _FRAMES.fullmatch(numbers):
        raise BadInput("Frames are given by their numbers, counted from 1, with commas between.")
    wanted = [int(number) for number in numbers.split(",")]
    if len(wanted) > _MOST or len(set(wanted)) < len(wanted):
        raise BadInput("At most 1000 frames are given at a time, and each of them once.")
    found = services().archive.frames(study_instance_uid, series_uid, sop_uid, wanted)
    first = next(found, None)
    if first is None:
        raise NotFound

    def parts() -> Iterator[tuple[str, Iterable[bytes]]]:
        yield _part_type(first), [first.data]
        for frame in found:
            yield _part_type(frame), [frame.data]

    return _kept(_multipart(parts(), first.media_type))


def _part_type(frame: Frame) -> str:
    return f"{frame.media_type}; transfer-syntax={frame.transfer_syntax}"


@blueprint.get("/studies/<study_instance_uid>/series/<series_uid>/instances/<sop_uid>")
@requires(Permission.OPEN_IMAGES, on=study_place, admitting=admit_to_images)
def instance(study_instance_uid: str, series_uid: str, sop_uid: str) -> Response:
    """Answer WADO-RS with the instance as a file: as archived, or for a reader with its header written again."""
    seen = _seen()
    seen.require(series_uid, sop_uid)
    stream = services().archive.fetch(study_instance_uid, series_uid, sop_uid)
    if seen.mask is None:
        chunks = iter(lambda: stream.read(_CHUNK), b"")
    else:
        try:
            chunks = blind_file(stream, seen.mask)
        except BaseException:
            stream.close()
            raise

    def closing() -> Iterator[bytes]:
        with stream:
            yield from chunks

    return _kept(_multipart([("application/dicom", closing())], "application/dicom"))


@blueprint.get("/studies/<study_instance_uid>/series/<series_uid>/instances/<sop_uid>/bulkdata/<path:tail>")
@requires(Permission.OPEN_IMAGES, on=study_place, admitting=admit_to_images)
def bulkdata(study_instance_uid: str, series_uid: str, sop_uid: str, tail: str) -> Response:
    """Answer WADO-RS with the bytes a BulkDataURI of ours stands for."""
    seen = _seen()
    seen.require(series_uid, sop_uid)
    if seen.mask is not None and not seen.mask.dates_only and not may_be_told(tail):
        raise NotFound
    data = services().archive.bulkdata(study_instance_uid, series_uid, sop_uid, tail)
    return _kept(_multipart([("application/octet-stream", [data])], "application/octet-stream"))
