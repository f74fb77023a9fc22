"""What a cleaned instance says of itself: whose it is in the trial, and how it was cleaned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from trialimg.dicom.files.encode import encoded_codes
from trialimg.dicom.rules.plan import PATIENT_ID, PATIENT_NAME
from trialimg.domain.deidentification import CID_7050, Profile, SubjectIdentity
from trialimg.domain.pseudonym import study_id

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

METHOD_CODES: Final = 0x00120064
STUDY_ID: Final = 0x00200010
STUDY_UID: Final = 0x0020000D
BIRTH_DATE: Final = 0x00100030
_METHOD: Final = 0x00120063
_LONGEST_LO: Final = 64
_CHARACTER_SET: Final = 0x00080005

ALWAYS_PRESENT: Final[Mapping[int, str]] = {
    0x00080020: "DA",
    0x00080030: "TM",
    0x00080050: "SH",
    0x00080090: "PN",
    BIRTH_DATE: "DA",
    0x00100040: "CS",
}
"""Type 2 in every image's study and patient module (PS3.3 C.7.1.1, C.7.2.1): empty rather than absent."""


def expected_markers(profile: Profile, identity: SubjectIdentity, mapped_study_uid: str) -> dict[int, tuple[str, str]]:
    """Give the VR and text of every attribute that the engine writes itself, by tag.

    Text is cut to what the VR holds (PS3.5 6.2) and holds no backslash, which would part it in two; the method is
    told in as many values as it needs.
    """
    texts = {
        PATIENT_NAME: ("PN", identity.subject_number),
        PATIENT_ID: ("LO", identity.subject_number),
        STUDY_ID: ("SH", study_id(mapped_study_uid)),
        0x00120010: ("LO", identity.sponsor),
        0x00120020: ("LO", identity.protocol_id),
        0x00120021: ("LO", identity.protocol_name),
        0x00120030: ("LO", identity.site_id),
        0x00120031: ("LO", identity.site_name),
        0x00120040: ("LO", identity.subject_number),
        0x00120050: ("LO", identity.time_point_id),
        0x00120051: ("ST", identity.time_point_description),
        0x00120062: ("CS", "YES"),
        0x00280303: ("CS", profile.temporal_information),
    }
    room = {"LO": _LONGEST_LO, "PN": 64, "SH": 16, "ST": 1024, "CS": 16}
    markers = {tag: (vr, text.replace("\\", "/")[: room[vr]].strip()) for tag, (vr, text) in texts.items()}
    markers[_METHOD] = ("LO", _method(profile))
    return markers


def _method(profile: Profile) -> str:
    """Give the values of De-identification Method; one that is longer than a value may be is parted in several."""
    told = ("PS3.15 E.1 Basic Profile", profile.name, f"version {profile.version}", f"own rules: {len(profile.rules)}")
    texts = [text.replace("\\", "/").strip() for text in told]
    parts = [text[at : at + _LONGEST_LO].strip() for text in texts for at in range(0, len(text), _LONGEST_LO)]
    return "\\".join(filter(None, parts))


def write_markers(dataset: Dataset, profile: Profile, identity: SubjectIdentity, codes: tuple[str, ...]) -> None:
    """Write the subject, the trial and the method into a data set whose UIDs are mapped already."""
    from trialimg.dicom.parsing.dataset import raw  # the parser is not loaded where bytes suffice

    study = dataset.get(STUDY_UID)
    markers = expected_markers(profile, identity, str(study.value) if study is not None else "")
    for tag, vr in ALWAYS_PRESENT.items():
        if tag not in dataset:
            dataset[tag] = raw(dataset, tag, vr, b"")
    if not all(text.isascii() for _, text in markers.values()):
        write_in_utf8(dataset)
    for tag, (vr, text) in markers.items():
        if text.isascii():
            dataset[tag] = raw(dataset, tag, vr, text.encode("ascii"))
        else:
            dataset.add_new(tag, vr, text)
    implicit, little = dataset.original_encoding
    meanings = tuple((code, "DCM", CID_7050[code]) for code in codes)
    items = encoded_codes(meanings, implicit=bool(implicit), little=little is not False)
    dataset[METHOD_CODES] = raw(dataset, METHOD_CODES, "SQ", items)


def write_in_utf8(dataset: Dataset) -> None:
    """Turn every text into Unicode, so that the trial's own names can be written beside what is there."""
    dataset.decode()
    for element in dataset.iterall():
        if element.VR == "SQ":
            for item in element.value:
                if _CHARACTER_SET in item:
                    del item[_CHARACTER_SET]
    dataset.add_new(_CHARACTER_SET, "CS", "ISO_IR 192")
