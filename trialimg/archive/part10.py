"""Reads a Part-10 file's attributes the way a DICOMweb origin server shows them.

Needed by the two archives that have no such server behind them: a folder, a DIMSE peer.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from trialimg.archive.port import Json, valid_uid
from trialimg.errors import NotDicom, NotFound, UnreadableObject

_BULK_FROM: Final = 2048  # bytes; longer binary values travel on their own (PS3.18 section 8.3.5 lets us)
PIXELS: Final = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_BULK_TAIL: Final = re.compile(r"[0-9A-Fa-f]{8}(?:/[0-9]{1,5}/[0-9A-Fa-f]{8})*")


@dataclass(frozen=True)
class Identity:
    """What an archive files an instance under."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax: str


def identify(stream: BinaryIO) -> Identity:
    """Read the identifiers of a Part-10 file.

    Raises NotDicom when it is none, UnreadableObject when an identifier is missing or not valid.
    """
    wanted = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
    ds = read(stream, stop_before_pixels=True, specific_tags=wanted)
    found = Identity(
        study_uid=str(ds.get("StudyInstanceUID", "")),
        series_uid=str(ds.get("SeriesInstanceUID", "")),
        sop_instance_uid=str(ds.get("SOPInstanceUID", "")),
        sop_class_uid=str(ds.get("SOPClassUID", "")),
        transfer_syntax=str(ds.file_meta.get("TransferSyntaxUID", "")),
    )
    if not all(vars(found).values()):
        raise UnreadableObject("An object lacks an identifier that an archive files it under.")
    valid_uid(*vars(found).values())
    return found


def attributes(stream: BinaryIO) -> Json:
    """Give all attributes without pixels in the DICOM JSON model, long binary values as a relative URI."""
    ds = read(stream, stop_before_pixels=True)
    who = f"studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances/{ds.SOPInstanceUID}"
    syntax = str(ds.file_meta.get("TransferSyntaxUID", ""))
    # 00083002, AvailableTransferSyntaxUID, tells a viewer what it may ask frames in.
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        found = as_json(ds, f"{who}/bulkdata/")
    return found | {"00083002": {"vr": "UI", "Value": [syntax]}}


def bulk(stream: BinaryIO, tail: str) -> bytes:
    """Give the value that ``attributes`` replaced by a URI ending in ``tail``. Raises NotFound."""
    if not _BULK_TAIL.fullmatch(tail):
        raise NotFound
    ds: Any = read(stream, stop_before_pixels=True)
    *steps, last = tail.split("/")
    try:
        for tag, item in zip(steps[::2], steps[1::2], strict=True):
            ds = ds[Tag(tag)].value[int(item)]
        value = ds[Tag(last)].value
    except (KeyError, IndexError, TypeError) as error:
        raise NotFound from error
    if not isinstance(value, bytes):
        raise NotFound
    return value


def read(stream: BinaryIO, **how: Any) -> Dataset:
    """Read a Part-10 file from its start; raises NotDicom or UnreadableObject."""
    stream.seek(0)
    try:
        return dcmread(stream, **how)
    except InvalidDicomError as error:
        raise NotDicom("An object is not a DICOM file.") from error
    except Exception as error:
        raise UnreadableObject("An object is damaged: it cannot be read to its end.") from error


def as_json(ds: Dataset, bulk_root: str) -> Json:
    """Translate a data set, PixelData left out; so is a value that does not fit its VR.

    ``bulk_root`` is what the URI of a long binary value begins with.
    """
    found: Json = {}
    for tag in sorted(ds.keys()):
        # Foreign values raise what they like; the others still show.
        with contextlib.suppress(Exception):
            if tag not in PIXELS:
                name = f"{int(tag):08X}"
                found[name] = _element_as_json(ds[tag], name, bulk_root)
    return found


def _element_as_json(element: Any, name: str, bulk_root: str) -> Json:
    if isinstance(element.value, Sequence):
        items = [as_json(item, f"{bulk_root}{name}/{n}/") for n, item in enumerate(element.value)]
        return {"vr": "SQ", "Value": items}
    if isinstance(element.value, bytes) and len(element.value) > _BULK_FROM:
        return {"vr": element.VR, "BulkDataURI": bulk_root + name}
    translated: Json = element.to_json_dict(None, 0)
    return translated
