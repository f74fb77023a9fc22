"""What machines write: names of models, versions, values of closed lists, bulk numbers; and what only looks so."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from trialimg.dicom.standard.table import keyword_of
from trialimg.dicom.standard.words import AGE_FORMS, WRITTEN_DATES, cleaned_words
from trialimg.domain.pattern import late

OF_THE_MACHINE: Final = frozenset(
    [
        "ImageType",
        "FrameType",
        "Manufacturer",
        "ManufacturerModelName",
        "ManufacturerRelatedModelGroup",
        "SoftwareVersions",
        "SecondaryCaptureDeviceManufacturer",
        "SecondaryCaptureDeviceManufacturerModelName",
        "SecondaryCaptureDeviceSoftwareVersions",
        "ApplicationVersion",
        "ApplicationManufacturer",
        "ManufacturerModelVersion",
        "DetectorManufacturerName",
        "DetectorManufacturerModelName",
        "DetectorDescription",
        "ConvolutionKernel",
        "FilterType",
        "CollimatorGridName",
        "PlateType",
        "PhosphorType",
        "SequenceName",
        "PulseSequenceName",
        "ReceiveCoilName",
        "TransmitCoilName",
        "ReceiveCoilManufacturerName",
        "TransmitCoilManufacturerName",
        "MultiCoilElementName",
        "MultiCoilConfiguration",
        "AcquisitionDeviceProcessingCode",
        "TransducerData",
        "ProcessingFunction",
        "ScanOptions",
        "DimensionIndexPrivateCreator",
        "FunctionalGroupPrivateCreator",
        "RescaleType",
        "ModalityLUTType",
        "AlgorithmVersion",
        "ReconstructionMethod",
        "AttenuationCorrectionMethod",
        "ScatterCorrectionMethod",
        "DetectorLinesOfResponseUsed",
        "ImageFilter",
        "AcquisitionMode",
    ]
)
"""What the maker of a machine wrote: names of models, versions, coils, kernels and sequences, which no list of words
knows. It stays where it looks like that: without the marks of a person's name or of mail, titles, ages, words of birth
and of records, long numbers and dates. A stranger's bare name would stay; what names the patient, people or place of
the file is found."""

_OF_SOMEBODY: Final = late(
    r"\b(?:dr|mr|ms|hr|fr|sr|sra)\. ?[a-z]|\b(?:prof|mrs|herr|frau|mme|mlle|miss|doctor|professor)\b"
    r"|\b(?:mrn|ssn|dob|born|birth|geb|geboren|n[eé]e|call|tel|phone|accession)\b"
    rf"|\bpat(?:ient)?s?\b[ .'-]*(?:id|nr|no|number|name)\b|{AGE_FORMS}"
)
"""Titles before a name, birth, ages, telephones and numbers of records, in small letters: a pattern for small letters
alone is made in a third of the time. DR and MR alone are modalities."""
_DATED: Final = late(WRITTEN_DATES)
_NO_MODEL: Final = late(
    r"[\^@]|[^\x20-\x7e\r\n]|.{65}|\d{7}|(?:\d+\.){5}"
    r"|(?<!\d)(?:\d{4}([./-])\d{1,2}\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2\d{4})(?!\d)"
    r"|\bDr\.? ?[A-Z]",
    re.DOTALL,
)
_NO_VERSION: Final = late(
    r"[\^@]|[^\x20-\x7e\r\n]|.{65}|(?:\d+\.){8}|(?<![\d.])(?:1\.[23]\.\d{1,3}|2\.(?:16|25))\.\d{3,}"
    r"|\bDr\.? ?[A-Z]",
    re.DOTALL,
)
_VERSIONS: Final = frozenset(
    {"SoftwareVersions", "SecondaryCaptureDeviceSoftwareVersions", "ApplicationVersion", "AlgorithmVersion"}
)
"""Numbers of parts and dates of building are part of them."""
FORMS: Final = {
    keyword: late(form)
    for keyword, form in (
        ("PatientSex", "[MFO]?"),
        ("RecognizableVisualFeatures", "YES|"),  # a NO is a claim of others, and nothing here makes it true
        ("BurnedInAnnotation", "YES|"),  # likewise, until a person has looked (``plan.CLAIMS`` tells where it stays)
        ("CorrectedImage", "DECY|ATTN|SCAT|DTIM|P?MOT|MOTN|CLN|RAN|RADL|DCAL|NORM|LIN|NRGY|FLD|FLT|UNIF|COR|NCO|"),
        ("LossyImageCompressionMethod", r"ISO_\d{5}(_\d{1,2})?|"),
        ("MappingResource", "DCMR|SDM|NCI|FMA|UCUM|SCT|99[A-Z]{0,4}(_[A-Z]{0,4})?|"),
        ("ContextIdentifier", r"(CID ?)?\d{1,5}|99_?[A-Z]{0,3}_?\d{0,5}|"),
        ("TemplateIdentifier", r"(TID ?)?\d{1,5}|99_?[A-Z]{0,3}_?\d{0,5}|"),
        ("ImagedNucleus", r"\d{0,3}[A-Z][a-z]?\d{0,3}|"),
        ("MIMETypeOfEncapsulatedDocument", r"(application|text|image|model|video)/[a-z0-9.+\-]{1,20}|"),
        ("ListOfMIMETypes", r"(application|text|image|model|video)/[a-z0-9.+\-]{1,20}|"),
        ("TimezoneOffsetFromUTC", r"[+-](0\d|1[0-4])[0-5]\d|"),
    )
}
"""Attributes of a closed list of values or of a form of their own."""

_WRITTEN: Final = late(rb"[\x20-\x7e\r\n\t]+")
_UNWRITTEN: Final = late(rb"[^\x20-\x7e\r\n\t]")
_WORD: Final = late(rb"[A-Za-z]{6,}")
_FEWEST_LETTERS: Final = 3
"""Of a text, and different ones in a word."""
_ONE_IN: Final = 5
"""So seldom other bytes stand between written ones, where there is a word of six letters."""
_SHORTEST_TEXT: Final = 8
_LONGEST_TEXT: Final = 4096
"""Bytes. Beyond it are tables, waves and grids, whose numbers may all be printable by chance."""
_LETTER: Final = late(rb"[A-Za-z]")
_HEADS: Final = (
    (late(rb"(?:AE|AS|CS|DA|DS|DT|IS|LO|LT|PN|SH|ST|TM|UI)(?=..)", re.DOTALL), 2),
    (late(rb"[\x08\x10\x18\x20\x28\x32\x40]\0..(?=..\0\0)", re.DOTALL), 4),
)
"""How attributes of written values begin, in explicit VR or without it, and the bytes of their length (PS3.5 7.1)."""
_ITEMS: Final = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
_SHORTEST_OF_A_HEAD, _LONG_ENOUGH = 4, 64
"""Bytes of a written value that are looked at: at least and at most."""


def _is_no_model(text: str) -> bool:
    small = text.lower()
    return any((_NO_MODEL.search(text), _OF_SOMEBODY.search(small), _DATED.search(small)))


def _is_no_version(text: str) -> bool:
    return _NO_VERSION.search(text) is not None or _OF_SOMEBODY.search(text.lower()) is not None


@lru_cache(maxsize=4096)
def machine_words(tag: int, vr: str, value: bytes) -> bytes:
    """Keep what looks like the name of a model or a version; of the rest its words."""
    looks_strange = _is_no_version if keyword_of(tag) in _VERSIONS else _is_no_model
    text = value.decode("latin-1")
    parts = [text] if vr in {"ST", "LT", "UT"} else text.split("\\")
    kept = [cleaned_words(part) if looks_strange(part.strip(" \0")) else part for part in parts]
    if kept == parts:
        return value
    joined = "\\".join(kept)
    return (joined.upper() if vr == "CS" else joined).encode("ascii", "ignore")


@lru_cache(maxsize=4096)
def value_of_form(tag: int, value: bytes) -> bytes:
    """Keep a value if it is one of its attribute's list or form, else nothing."""
    parts = value.split(b"\\")
    form = FORMS[keyword_of(tag)].fullmatch
    return value if all(form(part.decode("latin-1").strip(" \0")) for part in parts) else b""


def is_text(value: bytes) -> bool:
    """Tell whether bytes that should be numbers are written words, of one byte or two a letter, or nearly so."""
    if not _SHORTEST_TEXT <= len(value) <= _LONGEST_TEXT:
        return False
    for units in (value, value[::2] if not any(value[1::2]) else b"", value[1::2] if not any(value[::2]) else b""):
        text = units.strip(b"\0")
        if _WRITTEN.fullmatch(text) and len(_LETTER.findall(text)) >= _FEWEST_LETTERS:
            return True
        if any(len(set(word)) >= _FEWEST_LETTERS for word in _WORD.findall(text)) and len(
            _UNWRITTEN.findall(text)
        ) * _ONE_IN < len(text):
            return True
    return False


def holds_attributes(value: bytes) -> bool:
    """Tell whether what should be numbers holds an item of a sequence, or a whole attribute with a written value.

    A false length has swallowed it, and nobody judges what is in it.
    """
    if any(head in value for head in _ITEMS):
        return True
    for head, width in _HEADS:
        for found in head.finditer(value):
            start = found.end() + width
            told = value[found.end() : start]
            for length in {int.from_bytes(told, "little"), int.from_bytes(told, "big")}:
                written = value[start : start + min(length, _LONG_ENOUGH)].rstrip(b"\0")
                if _SHORTEST_OF_A_HEAD <= length <= len(value) - start and _WRITTEN.fullmatch(written):
                    return True
    return False
