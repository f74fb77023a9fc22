from __future__ import annotations

import shutil
import subprocess
from io import BytesIO

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.dicom.conftest import pydicom_files
from trialimg.dicom.deidentify import clean_file
from trialimg.dicom.files.canonical import canonical_hash
from trialimg.dicom.files.header import read_facts
from trialimg.errors import BadInput


def written(dataset, syntax=None):
    if syntax is not None:
        dataset.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream


def set_lengths(dataset, *, undefined):
    for element in dataset.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = undefined
            element.value.is_undefined_length = undefined
            for item in element.value:
                item.is_undefined_length_sequence_item = undefined


def readable():
    for path in pydicom_files():
        try:
            read_facts(path)
        except BadInput:
            continue
        yield path


@pytest.mark.parametrize("undefined", [True, False])
def test_told_and_delimited_lengths_of_sequences_give_one_hash(undefined):
    tried = 0
    for path in readable():
        dataset = pydicom.dcmread(path, force=True)
        if dataset.file_meta.get("TransferSyntaxUID") is None or path.name == "SC_rgb_jpeg.dcm":
            continue
        before = canonical_hash(path)
        set_lengths(dataset, undefined=undefined)
        again = BytesIO()
        dataset.save_as(again)
        tried += any(element.VR == "SQ" for element in dataset)
        if not any(element.tag.is_private for element in dataset.iterall()):
            assert canonical_hash(again) == before, path.name
    assert tried > 10


def test_file_meta_information_and_preamble_are_no_part_of_the_content():
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    before = canonical_hash(written(dataset))
    dataset.preamble = b"x" * 128
    dataset.file_meta.SourceApplicationEntityTitle = "SOMEONE"
    assert canonical_hash(written(dataset)) == before


def test_implicit_and_explicit_vr_give_one_hash():
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.remove_private_tags()
    explicit = canonical_hash(written(dataset, ExplicitVRLittleEndian))
    assert canonical_hash(written(dataset, ImplicitVRLittleEndian)) == explicit


def test_padding_and_group_lengths_are_left_out():
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    before = canonical_hash(written(dataset))
    dataset.add_new(0xFFFCFFFC, "OB", bytes(64))
    assert canonical_hash(written(dataset)) == before
    whole = written(dataset).getvalue()
    at = whole.index(b"\x08\x00\x05\x00CS")
    assert canonical_hash(BytesIO(whole[:at] + b"\x08\x00\x00\x00UL\x04\x00\x10\x00\x00\x00" + whole[at:])) == before
    assert canonical_hash(BytesIO(whole.replace(b"ISO_IR 100", b"ISO_IR 100\0\0".ljust(10)[:10]))) == before


def test_the_offset_table_is_no_part_of_the_content_and_the_fragments_are():
    dataset = pydicom.dcmread(get_testdata_file("SC_rgb_jpeg_gdcm.dcm"))
    frames = list(generate_frames(dataset.PixelData))
    dataset.PixelData = encapsulate(frames, has_bot=True)
    with_table = canonical_hash(written(dataset))
    dataset.PixelData = encapsulate(frames, has_bot=False)
    assert canonical_hash(written(dataset)) == with_table
    changed = bytearray(frames[0])
    changed[len(changed) // 2] ^= 1
    dataset.PixelData = encapsulate([bytes(changed)])
    assert canonical_hash(written(dataset)) != with_table


@pytest.mark.parametrize("change", ["pixel", "text", "gone", "moved"])
def test_any_change_of_content_changes_the_hash(change):
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    before = canonical_hash(written(dataset))
    if change == "pixel":
        dataset.PixelData = dataset.PixelData[:-1] + bytes([dataset.PixelData[-1] ^ 1])
    elif change == "text":
        dataset.PatientID = "1CT2"
    elif change == "gone":
        del dataset.PatientID
    else:
        dataset.OtherPatientIDs, dataset.PatientID = dataset.PatientID, ""
    assert canonical_hash(written(dataset)) != before


def test_an_item_that_moves_into_another_sequence_changes_the_hash():
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    item = pydicom.Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3"
    dataset.ReferencedImageSequence, dataset.SourceImageSequence = [item, item], []
    two = canonical_hash(written(dataset))
    dataset.ReferencedImageSequence, dataset.SourceImageSequence = [item], [item]
    assert canonical_hash(written(dataset)) != two


def test_a_data_set_in_memory_has_the_hash_of_its_file():
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    assert canonical_hash(dataset) == canonical_hash(written(dataset))


@pytest.mark.skipif(shutil.which("dcmconv") is None, reason="dcmconv (DCMTK) is not installed")
@pytest.mark.parametrize("option", ["+e", "-e", "+ti", "+g"])
def test_another_toolkit_that_writes_the_same_content_gives_the_same_hash(tmp_path, profile, identity, key, option):
    tried = 0
    for path in readable():
        result = clean_file(path, tmp_path / "c.dcm", profile=profile, identity=identity, subject_key=key)
        syntax = UID(result.facts.transfer_syntax)
        if option == "+ti" and (syntax.is_encapsulated or not syntax.is_little_endian):
            continue
        subprocess.run(["dcmconv", option, tmp_path / "c.dcm", tmp_path / "d.dcm"], check=True, capture_output=True)
        assert canonical_hash(tmp_path / "d.dcm") == result.canonical_hash, path.name
        tried += 1
    assert tried > 20
