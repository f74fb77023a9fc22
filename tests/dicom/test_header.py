from __future__ import annotations

import struct
import time
import zlib
from io import BytesIO

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from tests.dicom.conftest import pydicom_files
from trialimg.dicom.deidentify import clean_file, clean_ordinary
from trialimg.dicom.files.header import is_dicomdir, read_facts
from trialimg.dicom.splicing.ground import Unusual
from trialimg.dicom.standard import part10
from trialimg.dicom.standard.walk import MAX_DEPTH
from trialimg.errors import NotDicom, UnreadableObject


def image(**changes):
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "CT", "3", "12"
    dataset.PatientID, dataset.PatientName = "P1", "Öz^Ada"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel, dataset.BitsAllocated = 4, 6, 1, 16
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.add_new(0x7FE00010, "OW", bytes(48))
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def written(dataset, syntax=ExplicitVRLittleEndian):
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_the_facts_are_those_of_the_header(syntax):
    facts = read_facts(BytesIO(written(image(), syntax)))
    assert (facts.study_instance_uid, facts.series_instance_uid, facts.sop_instance_uid) == (
        "1.2.3",
        "1.2.3.1",
        "1.2.3.4",
    )
    assert (facts.modality, facts.series_number, facts.instance_number) == ("CT", 3, 12)
    assert (facts.patient_id, facts.patient_name) == ("P1", "Öz^Ada")
    assert (facts.rows, facts.columns, facts.frames, facts.has_pixels) == (4, 6, 1, True)
    assert facts.transfer_syntax == syntax
    assert facts.pixel_surplus == 0


def test_facts_agree_with_pydicom_on_its_own_files():
    agreed = 0
    for path in pydicom_files():
        try:
            facts = read_facts(path)
        except (NotDicom, UnreadableObject):
            continue
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        assert facts.sop_instance_uid == dataset.SOPInstanceUID
        assert facts.patient_id == str(dataset.get("PatientID") or "").strip()
        name = str(dataset.get("PatientName") or "").split("=")[0].strip().rstrip("^")
        assert facts.patient_name.split("=")[0].rstrip("^") == name
        assert facts.rows == (dataset.get("Rows") or 0)
        if path.name != "badVR.dcm":  # says it has "1A" frames
            assert facts.frames == int(dataset.get("NumberOfFrames") or 1)
        agreed += 1
    assert agreed > 40


@pytest.mark.parametrize(
    "content",
    [b"", b"just a text file that somebody called image.dcm\n" * 9, b"\0" * 200, b"PK\x03\x04" + b"\0" * 300, b"x"],
    ids=["empty", "text", "zeros", "zip", "one byte"],
)
def test_what_is_no_dicom_is_called_so(content):
    with pytest.raises(NotDicom, match=r"\.$"):
        read_facts(BytesIO(content))


def test_a_file_without_preamble_is_read_all_the_same():
    assert read_facts(BytesIO(written(image())[132:])).modality == "CT"


def test_a_cut_file_is_refused_wherever_it_was_cut():
    whole = written(image())
    assert read_facts(BytesIO(whole))
    for length in range(133, len(whole)):
        with pytest.raises((UnreadableObject, NotDicom), match=r"\.$"):
            read_facts(BytesIO(whole[:length]))


def test_four_gigabytes_that_are_said_and_not_there_are_refused_at_once():
    whole = written(image())
    at = whole.rindex(b"\xe0\x7f\x10\x00OW")
    trap = whole[: at + 8] + struct.pack("<L", 0xFFFFFFF0) + bytes(10)
    with pytest.raises(UnreadableObject, match=r"7FE0,0010.*cut off"):
        read_facts(BytesIO(trap))


@pytest.mark.parametrize(
    ("changes", "syntax"),
    [
        ({"Rows": 5}, ExplicitVRLittleEndian),
        ({"NumberOfFrames": 2}, ImplicitVRLittleEndian),
        ({"SamplesPerPixel": 3}, ExplicitVRLittleEndian),
    ],
)
def test_fewer_pixels_than_the_image_needs_are_refused(changes, syntax):
    with pytest.raises(UnreadableObject, match=r"needs \d+ bytes of pixel data"):
        read_facts(BytesIO(written(image(**changes), syntax)))


def test_more_pixels_than_the_image_needs_are_counted():
    assert read_facts(BytesIO(written(image(Rows=3)))).pixel_surplus == 12


def test_compressed_pixels_with_too_few_frames_are_refused():
    dataset = pydicom.dcmread(get_testdata_file("SC_rgb_jpeg_gdcm.dcm"))
    dataset.NumberOfFrames = 3
    stream = BytesIO()
    dataset.save_as(stream)
    with pytest.raises(UnreadableObject, match="more frames"):
        read_facts(stream)


def test_native_pixels_under_a_compressed_syntax_are_refused():
    whole = written(image()).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1\0")
    meta_end = whole.index(b"\x08\x00\x05\x00CS")
    dataset = image()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID = CTImageStorage, "1.2.3.4"
    head = BytesIO()
    pydicom.filewriter.write_file_meta_info(pydicom.filebase.DicomIO(head), dataset.file_meta)
    with pytest.raises(UnreadableObject, match="compressed"):
        read_facts(BytesIO(b"\0" * 128 + b"DICM" + head.getvalue() + whole[meta_end:]))


def nested(depth, *, undefined):
    inner = b""
    for _ in range(depth):
        item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF if undefined else len(inner)) + inner
        item += struct.pack("<HHL", 0xFFFE, 0xE00D, 0) if undefined else b""
        tail = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0) if undefined else b""
        inner = struct.pack("<HH2s2xL", 0x0040, 0xA730, b"SQ", 0xFFFFFFFF if undefined else len(item)) + item + tail
    return inner


@pytest.mark.parametrize("undefined", [True, False])
def test_three_hundred_nested_sequences_are_refused_and_sixty_are_not(undefined):
    whole = written(image())
    at = whole.rindex(b"\xe0\x7f\x10\x00OW")
    assert read_facts(BytesIO(whole[:at] + nested(MAX_DEPTH - 4, undefined=undefined) + whole[at:]))
    for depth in (MAX_DEPTH + 1, 300, 5000):
        with pytest.raises(UnreadableObject, match="nested"):
            read_facts(BytesIO(whole[:at] + nested(depth, undefined=undefined) + whole[at:]))


def test_a_deflated_bomb_is_refused_before_it_fills_memory(monkeypatch):
    monkeypatch.setattr(part10, "MAX_INFLATED", 1 << 20)
    whole = written(image(), DeflatedExplicitVRLittleEndian)
    meta_length = 132 + 12 + struct.unpack_from("<L", whole, 140)[0]
    packer = zlib.compressobj(wbits=-15)
    bomb = packer.compress(bytes(64 << 20)) + packer.flush()
    assert len(bomb) < 70_000
    started = time.monotonic()
    with pytest.raises(UnreadableObject, match="grows beyond 1 MB"):
        read_facts(BytesIO(whole[:meta_length] + bomb))
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"])
def test_an_object_without_its_uids_is_refused_by_name(keyword):
    whole = written(image())
    stream = BytesIO()
    dataset = pydicom.dcmread(BytesIO(whole))
    delattr(dataset, keyword)
    dataset.save_as(stream)
    with pytest.raises(UnreadableObject, match=r"has no \w+( \w+)* UID"):
        read_facts(stream)


def test_a_dicomdir_is_named_as_what_it_is():
    path = next(path for path in pydicom_files() if path.name == "DICOMDIR")
    assert is_dicomdir(path)
    with pytest.raises(UnreadableObject, match="DICOMDIR"):
        read_facts(path)


def test_burned_in_text_is_seen_at_any_depth():
    item = Dataset()
    item.BurnedInAnnotation = "YES"
    assert read_facts(BytesIO(written(image(SourceImageSequence=[item], BurnedInAnnotation="NO")))).burned_in == "YES"


def test_no_refusal_holds_a_value_of_the_file():
    whole = written(image(PatientName="Okonkwo^Ada", PatientID="Okonkwo-77"))
    for length in range(133, len(whole)):
        with pytest.raises((UnreadableObject, NotDicom)) as refusal:
            read_facts(BytesIO(whole[:length]))
        assert "Okonkwo" not in str(refusal.value)


@pytest.mark.parametrize("other", [(0x7FE00008, "OF"), (0x7FE00009, "OD")])
@pytest.mark.parametrize("name", ["JPEG2000.dcm", "CT_small.dcm"])
def test_two_kinds_of_pixel_data_are_refused_compressed_or_not_by_both_ways(
    name, other, tmp_path, request
):
    dataset = pydicom.dcmread(get_testdata_file(name))
    dataset.add_new(*other, b"Okonkwo^Adaeze  " * 8)
    dataset.save_as(tmp_path / "source")
    profile, identity, key = map(request.getfixturevalue, ("profile", "identity", "key"))
    given = {"profile": profile, "identity": identity, "subject_key": key}
    with pytest.raises(UnreadableObject, match="two kinds"):
        read_facts(tmp_path / "source")
    with pytest.raises((Unusual, UnreadableObject)):
        clean_ordinary(tmp_path / "source", tmp_path / "clean", **given)
    with pytest.raises(UnreadableObject, match="two kinds"):
        clean_file(tmp_path / "source", tmp_path / "clean", **given)
    assert not (tmp_path / "clean").exists()


@pytest.mark.parametrize(
    ("keyword", "name", "vr"),
    [
        *(("Rows", "Rows", vr) for vr in ("LO", "IS", "UQ", "DA", "PN")),
        ("Columns", "Columns", "CS"),
        ("BitsAllocated", "Bits Allocated", "SH"),
        ("SamplesPerPixel", "Samples per Pixel", "DS"),
        ("NumberOfFrames", "Number of Frames", "PN"),
        ("NumberOfFrames", "Number of Frames", "DA"),
        ("SOPClassUID", "SOP Class UID", "SH"),
    ],
)
def test_what_tells_the_shape_of_an_image_as_another_kind_of_value_is_refused_as_damaged_there(
    keyword, name, vr, tmp_path, request
):
    profile, identity, key = map(request.getfixturevalue, ("profile", "identity", "key"))
    tag = pydicom.tag.Tag(keyword)
    content = written(image(NumberOfFrames="1"))
    start = struct.pack("<HH", tag.group, tag.element)
    own = pydicom.datadict.dictionary_VR(tag).encode()
    assert content.count(start + own) == 1
    content = content.replace(start + own, start + vr.encode())
    with pytest.raises(UnreadableObject, match=f"{name} is written as another kind of value"):
        clean_file(BytesIO(content), tmp_path / "out", profile=profile, identity=identity, subject_key=key)
    assert not (tmp_path / "out").exists()
