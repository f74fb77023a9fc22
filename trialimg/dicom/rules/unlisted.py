"""Public attributes that table E.1-1 does not list: which are never carried on, and which values are let stand.

The standard lets all of them stay. But a person or a program may have written anything into them, so a value stays
only where it is what the attribute is for: a number, a term, words that name nobody, a colour profile without its
texts. Only what the machine's maker wrote stays as it is, and is searched for what names the patient.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from trialimg.dicom.standard.icc import cleaned_profile
from trialimg.dicom.standard.machine import (
    FORMS,
    OF_THE_MACHINE,
    holds_attributes,
    is_text,
    machine_words,
    value_of_form,
)
from trialimg.dicom.standard.table import keyword_of, vm_of, vr_of
from trialimg.dicom.standard.words import REMOVED, cleaned_words, is_term, vocabulary
from trialimg.domain.pattern import late

NEVER_KEPT: Final = frozenset(
    [
        "PrivateDataElement",
        "PrivateDataElementName",
        "PrivateDataElementKeyword",
        "PrivateDataElementDescription",
        "PrivateDataElementEncoding",
        "PrivateDataElementDefinitionSequence",
        "PrivateDataElementCharacteristicsSequence",
        "CodingSchemeURL",
        "CodingSchemeExternalID",
        "StoredInstanceBaseURI",
        "FolderAccessURI",
        "FileAccessURI",
        "FilenameInContainer",
        "RetrieveURL",
        "PixelDataProviderURL",
        "StorageURL",
        "RetrieveURI",
        "ContactURI",
        "ContactDisplayName",
        "RelativeURIReferenceWithinEncapsulatedDocument",
        "PatientBirthDateInAlternativeCalendar",
        "PatientDeathDateInAlternativeCalendar",
        "RecordKey",
        "PriorRecordKey",
        "Signature",
        "EncryptedContent",
        "DigitalSignaturesSequence",
        "HPGLDocument",
        "DarkCurrentCounts",
        "AirCounts",
        "BadPixelImage",
        "CoordinateSystemAxisValues",
        "DetectorCalibrationData",
        "ThreatROIBitmap",
        "FillPattern",
        "SelectorOBValue",
        "SelectorOWValue",
        "SelectorOVValue",
        "SelectorOLValue",
        "SelectorUTValue",
        "SelectorUCValue",
        "SelectorLTValue",
        "SelectorSTValue",
        "SelectorPNValue",
        "ItineraryID",
        "ItineraryIDAssigningAuthority",
        "RouteID",
        "BoardingPassID",
        "CarrierID",
        "NTPSourceAddress",
        "InteroperabilityVersion",
        "EXIFVersion",
        "FiducialIdentifier",
        "DeviceAlternateIdentifier",
    ]
)
"""Private data elements, what a file claims of them and how they are encoded, addresses of web and file, keys of
inventories, birth and death in another calendar, signatures and what is encrypted, plots, luggage, and tables of
industrial detectors."""

_CODES: Final = frozenset({0x00080100, 0x00080102, 0x00080119})
"""Code Value, Coding Scheme Designator, Long Code Value."""
_LONG_CODE: Final = 0x00080119
_SCHEME: Final = 0x00080102
_MAIL_OR_DATE: Final = (
    r"@|(?<!\d)(?:(?:1[89]|20)\d\d([./-])(?:0?[1-9]|1[0-2])\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2(?:1[89]|20)\d\d)(?!\d)"
)
_NO_CODE: Final = late(_MAIL_OR_DATE)
_NO_SCHEME: Final = late(rf"{_MAIL_OR_DATE}|\d{{5}}|\d\D+\d\D+\d|\A[^A-Za-z]+\Z")
"""Of a scheme also a number of five digits, or three of any, and what has no letter."""
_NO_LONG_CODE: Final = "-".join([REMOVED] * 3)
"""Of more than 16 characters, as a Long Code Value must be (PS3.3 table 8.8-1)."""
_ICC_PROFILE: Final = 0x00282000
_WORDED: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_SIZES: Final = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "UV": 8, "SV": 8, "FD": 8}
_NUMBER: Final = late(rb"[ \0]*(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)?[ \0]*")
_DATE_AS_NUMBER: Final = late(
    rb"[ \0]*(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    rb"(?:(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?)?(?:\.\d*)?[ \0]*"
)
"""Of 447,805 numbers of real files none looks so."""
_CLASS_UID: Final = late(rb"[0-9.]{0,64}[ \0]*")
_TEXT: Final = late(rb"[ -~\t\n\r]+\0*")
_LETTER: Final = late(rb"[A-Za-z]")
_SHORTEST_HIDING: Final = 8
"""Bytes of numbers in which there is room for an item, or for another attribute."""
_SPELLED: Final = late(r"[A-Za-z](?:[^A-Za-z\d]{1,2}[A-Za-z](?![A-Za-z])){3}")
"""Letters one by one, with marks between them, or with the zeros of a text in UTF-16."""
_INTEGERS: Final = frozenset({"US", "SS", "UL", "SL", "UV", "SV"})
_BULK: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_SHORTEST_TEXT: Final = 8
"""Bytes of numbers that are all letters: no measure looks so (as one FD it would be beyond 10^5, or beyond 10^100)."""
_NO_ADDRESS: Final = b"urn:removed"
_LONGEST_CACHED: Final = 256
_MOST_OF_IS: Final = 1 << 31
_LONGEST_NUMBER: Final = 16
"""Bytes of a DS (PS3.5 6.2); files hold longer ones, whose digits say nothing more: beyond twice it is no number."""


def is_judged(tag: int, vr: str) -> bool:
    """Tell whether values of an attribute without a row must be looked at before they stay."""
    formed = vr in {"CS", "DS", "IS", "AE", "AS", "UR", "UI"}
    return formed or keyword_of(tag) in OF_THE_MACHINE or vr in _WORDED or vr in _SIZES or vr in _BULK


def cleaned_value(
    tag: int, vr: str, value: bytes, text: Callable[[], str], words: frozenset[str] = frozenset()
) -> bytes:
    """Give what stays of an encoded value; ``text`` decodes it by the file's character set where ASCII is not enough.

    ``words``, in small letters, stay besides. Cleaning again changes nothing. An equal value is given as the very same
    object.
    """
    keyword = keyword_of(tag)
    if keyword in FORMS or (keyword in OF_THE_MACHINE and vr in vr_of(tag)):
        return value_of_form(tag, value) if keyword in FORMS else machine_words(tag, vr, value)
    if vr in _WORDED:
        if value.isascii() and b"\x1b" not in value:
            cleaned = _cleaned_ascii if len(value) <= _LONGEST_CACHED else _of_words
            return cleaned(tag, value, words)
        return cleaned_words(text(), words).encode("ascii", "ignore")
    if len(value) >= _SHORTEST_HIDING and (vr in _SIZES or vr in _BULK) and holds_attributes(value):
        return b""
    if vr in _SIZES:
        return _bounded(tag, vr, value)
    return _cleaned_bulk(tag, value) if vr in _BULK else _cleaned_form(vr, value, words)


def _cleaned_bulk(tag: int, value: bytes) -> bytes:
    if tag == _ICC_PROFILE:
        return cleaned_profile(value)
    return b"" if is_text(value) else value


@lru_cache(maxsize=4096)
def _cleaned_ascii(tag: int, value: bytes, words: frozenset[str]) -> bytes:
    return _of_words(tag, value, words)


def _of_words(tag: int, value: bytes, words: frozenset[str]) -> bytes:
    before = value.decode("ascii").strip(" \0")
    after = _code(tag, before) if tag in _CODES else cleaned_words(before, words)
    return value if after == before else after.encode("ascii", "ignore")


def _code(tag: int, text: str) -> str:
    """Keep a code: digits and capitals in any order, but no run of letters that might be a name."""
    runs = re.findall(r"[A-Za-z]+", text)
    looks_strange = _NO_SCHEME if tag == _SCHEME else _NO_CODE
    known = all(len(run) <= 3 or run.lower() in vocabulary() for run in runs)  # noqa: PLR2004 - RFC 5646, SRT
    known = known and not (_SPELLED.search(text) or looks_strange.search(text))
    if known and text.isascii() and "^" not in text and len(text) <= 64:  # noqa: PLR2004 - a longer one is a text
        return text
    return _NO_LONG_CODE if tag == _LONG_CODE else REMOVED


@lru_cache(maxsize=4096)
def _cleaned_form(vr: str, value: bytes, words: frozenset[str]) -> bytes:
    """Judge a value that has a form: numbers, terms, UIDs of classes; titles of machines and addresses never stay."""
    parts = value.split(b"\\")
    if vr in {"DS", "IS"}:
        return value if all(_is_number(p, whole=vr == "IS") for p in parts) else b""
    if vr == "UI":
        return value if all(_CLASS_UID.fullmatch(p) for p in parts) else b""
    if vr == "CS":
        kept = [p if is_term(p.decode("latin-1").strip(" \0"), words) else REMOVED.encode() for p in parts]
        return value if kept == parts else b"\\".join(kept)
    if vr == "UR" and value.strip(b" \0"):
        return value if value.strip() == _NO_ADDRESS else _NO_ADDRESS
    return b""


def _is_number(part: bytes, *, whole: bool) -> bool:
    """Tell whether one value is a number, and no date; a whole one beyond those of PS3.5 6.2 is somebody's."""
    if not _NUMBER.fullmatch(part) or len(part) > 2 * _LONGEST_NUMBER or _DATE_AS_NUMBER.fullmatch(part):
        return False
    text = part.strip(b" \0")
    return not (whole and text) or abs(float(text)) < _MOST_OF_IS


def _bounded(tag: int, vr: str, value: bytes) -> bytes:
    """Cut binary numbers to as many as the attribute has: what follows them is something else, and so is a text."""
    text = _of_two_bytes(value) if vr in {"FL", "FD"} else value
    if len(value) >= _SHORTEST_TEXT and (
        (_TEXT.fullmatch(text) and len(_LETTER.findall(text)) >= _SHORTEST_TEXT - 1)
        or (vr in _INTEGERS and is_text(value))
    ):
        return b""
    most = _most_values(tag)
    whole = len(value) - len(value) % _SIZES[vr]
    keep = whole if most is None else min(whole, most * _SIZES[vr])
    return value if keep == len(value) else value[:keep]


def _of_two_bytes(value: bytes) -> bytes:
    """Give the letters of what may be a text of two bytes a letter; anything else as it is."""
    if not value[1::2].strip(b"\0"):
        return value[::2]
    return value if value[::2].strip(b"\0") else value[1::2]


@lru_cache(maxsize=2048)
def _most_values(tag: int) -> int | None:
    last = vm_of(tag).split("-")[-1]
    return int(last) if last.isdecimal() else None
