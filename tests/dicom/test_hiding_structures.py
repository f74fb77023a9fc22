"""Files that are written as no file should be: a name in each oddity is taken out, or the file is refused or held."""

from __future__ import annotations

import re
import struct
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.dicom.planted_objects import from_file, write_as_it_stands
from trialimg.dicom.deidentify import clean_file, verify_clean
from trialimg.domain.deidentification import Profile
from trialimg.errors import BadInput, NotClean

NAME = b"Okonkwo "
ITEM, ITEM_END, SEQUENCE_END = (struct.pack("<HH", 0xFFFE, part) for part in (0xE000, 0xE00D, 0xE0DD))
OPEN = b"\xff\xff\xff\xff"
LONG = {"OB", "UN", "SQ", "UT", "OW", "OV", "OX"}


def element(tag, vr, value, *, reserved=b"\0\0"):
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in LONG:
        return head + reserved + struct.pack("<L", len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def implicit(tag, value):
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def sequence(tag, *items, vr="SQ", item_end=bytes(4), end=bytes(4)):
    body = b"".join(ITEM + OPEN + item + ITEM_END + item_end for item in items)
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode() + b"\0\0" + OPEN + body + SEQUENCE_END + end


def nested(depth):
    inside = element(0x00100010, "PN", NAME)
    for _ in range(depth):
        inside = sequence(0x0040A730, inside)
    return inside


PERSON = implicit(0x00100010, NAME)
CODED = element(0x0040A040, "CS", b"TEXT")
BEFORE_PIXELS, END = 0x7FE00010, 0
ODDITIES = {
    "length of a delimiter of an item": (BEFORE_PIXELS, sequence(0x0040A730, CODED, item_end=b"Okon")),
    "length of a delimiter of a sequence": (BEFORE_PIXELS, sequence(0x0040A730, CODED, end=b"Okon")),
    "reserved bytes": (BEFORE_PIXELS, element(0x00283006, "OW", b"\1\0\2\0", reserved=b"Ok")),
    "the same tag before": (0x00080060, element(0x00080060, "CS", NAME)),
    "the same tag after": (0x00080070, element(0x00080060, "CS", NAME)),
    "a second patient": (0x00100020, element(0x00100010, "PN", NAME)),
    "out of order": (0x00180050, element(0x00081030, "LO", NAME) + element(0x00104000, "LT", NAME)),
    "private out of order": (0x00180050, element(0x00091030, "LO", NAME)),
    "length of a group": (0x00080060, element(0x00080000, "UL", NAME)),
    "file meta inside": (0x00180050, element(0x00020016, "AE", NAME)),
    "file meta after its group": (0x00080008, element(0x00020102, "OB", NAME * 8)),
    "item outside of a sequence": (BEFORE_PIXELS, ITEM + struct.pack("<L", 8) + NAME),
    "coefficients behind the pixels": (END, element(0x7FE00020, "OW", NAME)),
    "private behind the pixels": (END, element(0x7FE10010, "LO", NAME) + element(0x7FE11010, "OB", NAME)),
    "bytes behind the pixels": (END, NAME),
    "many bytes behind the pixels": (END, NAME * 8),
    "VR in small letters": (0x00180050, b"\x18\0\x15\0cs\x08\0" + NAME),
    "VR of marks": (0x00180050, b"\x18\0\x15\0??\x08\0" + NAME),
    "VR nobody knows": (0x00180050, b"\x18\0\x15\0ZZ\x08\0" + NAME),
    "VR of a long form nobody knows": (0x00180050, element(0x00180015, "OX", NAME)),
    "odd length": (0x00180050, element(0x00180015, "CS", NAME[:7])),
    "known as UN": (0x00180050, element(0x00180015, "UN", NAME)),
    "number as UN": (0x00280030, element(0x00280012, "UN", NAME)),
    "sequence as UN": (0x00180050, element(0x00180012, "UN", ITEM + struct.pack("<L", len(PERSON)) + PERSON)),
    "open sequence as UN": (0x00180050, sequence(0x00180012, PERSON, vr="UN")),
    "sequence as text": (0x00180050, element(0x00180012, "LO", NAME)),
    "sequence as bytes": (0x00180050, element(0x00180012, "OB", NAME)),
    "term as person": (0x00180050, element(0x00180015, "PN", NAME)),
    "number as bytes": (0x00280030, element(0x00280014, "OB", NAME)),
    "rows as text": (0x00280030, element(0x00280014, "LO", NAME)),
    "forty deep": (BEFORE_PIXELS, nested(40)),
    "private sequence in a public one": (
        BEFORE_PIXELS,
        sequence(0x0040A730, element(0x00090010, "LO", NAME) + sequence(0x00091001, element(0x00100010, "PN", NAME))),
    ),
}


def with_oddity(path, where, oddity):
    dataset = from_file("CT_small.dcm")
    dataset.PatientName, dataset.PatientBirthDate = "Smitherson^Peregrine", "19330317"
    write_as_it_stands(dataset, path)
    data = path.read_bytes()
    at = data.index(struct.pack("<HH", where >> 16, where & 0xFFFF), 300) if where else len(data)
    return data[:at] + oddity + data[at:]


@pytest.mark.parametrize("place", ODDITIES)
def test_a_name_in_an_oddity_of_the_encoding_is_taken_out_or_the_file_is_not_passed(
    place, tmp_path, profile, identity, key
):
    data = with_oddity(tmp_path / "in.dcm", *ODDITIES[place])
    try:
        told = clean_file(BytesIO(data), tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    except BadInput as error:
        refusal = error.sentence
        told = None
    if told is None:
        assert "Okon" not in refusal
        assert not (tmp_path / "out.dcm").exists()
        return
    content = (tmp_path / "out.dcm").read_bytes().lower()
    assert told.hold_reason or not any(part in content for part in (b"okon", b"onkwo", b"owok"))
    if told.hold_reason is None:
        verify_clean(tmp_path / "out.dcm", profile=profile, identity=identity)
        assert pydicom.dcmread(tmp_path / "out.dcm").pixel_array.shape == (128, 128)


@pytest.mark.parametrize("is_implicit", [False, True])
@pytest.mark.parametrize("vr", ["AS", "DA", "DT", "TM", "AE", "UR"])
@pytest.mark.parametrize("tag", [0x00080060, 0x00080104], ids=["modality", "meaning"])
def test_a_term_that_is_written_as_a_date_or_an_address_is_clean_once_it_is_cleaned(  # noqa: PLR0917 - fixtures
    tag, vr, is_implicit, tmp_path, profile, identity, key
):
    """Also where the transfer syntax says that no VR is told, and the file tells each."""
    data = with_oddity(tmp_path / "in.dcm", 0, b"")
    term = element(tag, vr, b"CT") if vr != "UR" else struct.pack("<HH2s2xL", tag >> 16, tag & 0xFFFF, b"UR", 2) + b"CT"
    if tag == 0x00080060:
        at = data.index(b"\x08\0\x60\0CS", 300)
        data = data[:at] + term + data[at + 10 :]
    else:
        at = data.index(b"\x10\0\x10\0PN", 300)
        code = element(0x00080100, "SH", b"12345 ") + element(0x00080102, "SH", b"DCM ") + term
        data = data[:at] + sequence(0x00082218, code) + data[at:]
    kind = b"1.2.840.10008.1.2.1"
    data = data.replace(kind, b"1.2.840.10008.1.2\0\0", 1) if is_implicit else data
    clean_file(BytesIO(data), tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    verify_clean(tmp_path / "out.dcm", profile=profile, identity=identity)


def test_a_preamble_says_nothing(tmp_path, profile, identity, key):
    data = with_oddity(tmp_path / "in.dcm", 0, b"")
    spoken = NAME * 16 + data[128:]
    clean_file(BytesIO(spoken), tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    assert (tmp_path / "out.dcm").read_bytes().startswith(bytes(128) + b"DICM")


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "rtdose.dcm"])
def test_a_claim_that_no_text_is_burned_in_is_not_repeated_where_nobody_looked(name, tmp_path, profile, identity, key):
    dataset, item = from_file(name), Dataset()
    item.BurnedInAnnotation = "NO"
    dataset.BurnedInAnnotation, dataset.SourceImageSequence = "NO", [item]
    dataset.save_as(tmp_path / "in.dcm")
    told = clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    made = pydicom.dcmread(tmp_path / "out.dcm")
    assert (made["BurnedInAnnotation"].is_empty, made.SourceImageSequence[0]["BurnedInAnnotation"].is_empty) == (True, True)
    assert ("(0028,0301)", "Z") in {(action.tag, action.action) for action in told.report.actions}
    verify_clean(tmp_path / "out.dcm", profile=profile, identity=identity)
    made.BurnedInAnnotation = "NO"
    made.save_as(tmp_path / "false.dcm")
    with pytest.raises(NotClean, match=re.escape("(0028,0301)")):
        verify_clean(tmp_path / "false.dcm", profile=profile, identity=identity)


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("MR_small.dcm", "1.2.840.10008.5.1.4.1.1.4.1"),  # Enhanced MR: Type 1C, and NO the only value
        ("CT_small.dcm", "1.2.840.10008.5.1.4.1.1.1"),  # computed radiographs, angiography: NO lets them pass
        ("CT_small.dcm", "1.2.840.10008.5.1.4.1.1.12.1"),
    ],
)
def test_a_claim_that_no_text_is_burned_in_stays_where_a_value_must_stand_or_it_was_believed(
    name, uid, tmp_path, identity, key
):
    profile = Profile("demo", "1")
    for said, stands in (("NO", "NO"), ("YES", "YES"), ("ABC", "YES")):
        dataset = from_file(name)
        dataset.SOPClassUID, dataset.BurnedInAnnotation = uid, said
        dataset.file_meta.MediaStorageSOPClassUID = uid
        dataset.save_as(tmp_path / "in.dcm")
        clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
        made = verify_clean(tmp_path / "out.dcm", profile=profile, identity=identity)
        assert pydicom.dcmread(tmp_path / "out.dcm").BurnedInAnnotation == stands
        assert bool(made.hold_reason) == (said != "NO")


@pytest.mark.parametrize("said", ["NO", "YES"])
def test_a_claim_of_others_that_no_face_can_be_seen_is_not_repeated(said, tmp_path, profile, identity, key):
    dataset = from_file("CT_small.dcm")
    dataset.RecognizableVisualFeatures, dataset.PatientIdentityRemoved = said, "NO"
    dataset.DeidentificationMethod = "by hand"
    dataset.save_as(tmp_path / "in.dcm")
    clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    made = pydicom.dcmread(tmp_path / "out.dcm")
    assert (made.RecognizableVisualFeatures or "") == ("YES" if said == "YES" else "")
    assert made.PatientIdentityRemoved == "YES"
    assert made.DeidentificationMethod != "by hand"
