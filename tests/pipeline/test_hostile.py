"""What bad input gets: each answered by a sentence, nothing lost, nothing stopped."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian

from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests.pipeline.bed import PATIENT, Bed, small_ct
from trialimg.casework.services import services
from trialimg.domain.submission import Fate, Stage


def refused(bed: Bed, data: bytes, name: str = "a file") -> str:
    """Send one file alone; it must be refused with a sentence, and its bytes must be gone."""
    key = bed.survey([(name, data)])
    assert bed.stage(key) is Stage.REFUSED, bed.sentence(key)
    assert services().vault.area(f"quarantine/{key}").listing() == []
    assert bed.objects(key)[0].code
    return bed.sentence(key)


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return packed.getvalue()


def as_bytes(dataset: Dataset) -> bytes:
    written = io.BytesIO()
    dataset.save_as(written)
    return written.getvalue()


def test_an_empty_file(bed: Bed) -> None:
    assert "empty" in refused(bed, b"")


def test_a_text_file_called_dcm(bed: Bed) -> None:
    assert "not a DICOM file" in refused(bed, b"Dear colleague, please find the images attached.", "IM1.dcm")


def test_a_truncated_instance(bed: Bed, ct: list[Path]) -> None:
    data = ct[0].read_bytes()
    assert "cut off" in refused(bed, data[: len(data) * 2 // 3])


def test_four_gigabytes_declared_and_ten_bytes_there(bed: Bed, ct: list[Path]) -> None:
    data = ct[0].read_bytes()
    at = data.rindex(b"\xe0\x7f\x10\x00OW")
    assert refused(bed, data[: at + 8] + struct.pack("<L", 0xFFFFFFF0) + b"0123456789")


def test_three_hundred_nested_sequences(bed: Bed, ct: list[Path]) -> None:
    dataset = dcmread(ct[0])
    inner = Dataset()
    inner.CodeValue = "1"
    for _ in range(300):
        outer = Dataset()
        outer.add_new(0x00081140, "SQ", Sequence([inner]))
        inner = outer
    # Written by hand: pydicom itself gives up on writing this.
    nested = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 300
    data = as_bytes(dataset)
    at = data.index(b"\x08\x00\x60\x00CS")
    assert "nested" in refused(bed, data[:at] + nested + data[at:]).lower()


def test_a_deflated_bomb(bed: Bed, ct: list[Path]) -> None:
    dataset = dcmread(ct[0])
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    whole = as_bytes(dcmread(ct[0]))
    head = whole[: whole.index(b"\x08\x00\x05\x00")]
    head = head.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99"[:20])
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(bytes(1 << 24)) for _ in range(64)) + packer.flush()
    meta = dcmread(ct[0]).file_meta
    meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    from pydicom.filewriter import write_file_meta_info

    written = io.BytesIO()
    written.write(bytes(128) + b"DICM")
    write_file_meta_info(written, meta)
    assert refused(bed, written.getvalue() + bomb)


def test_an_encrypted_zip(bed: Bed, ct: list[Path]) -> None:
    data = bytearray(zipped(("a/IM1", ct[0].read_bytes())))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    assert "encrypted" in refused(bed, bytes(data), "a.zip")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\\..\\..\\b", "C:/windows"])
def test_a_zip_that_names_places_outside(bed: Bed, ct: list[Path], name: str) -> None:
    assert "outside itself" in refused(bed, zipped((name, ct[0].read_bytes())), "a.zip")


def test_a_thousandfold_compression(bed: Bed) -> None:
    assert "times its size" in refused(bed, zipped(("IM1", bytes(20_000_000))), "a.zip")


def test_a_zip_that_lies_about_its_size(bed: Bed) -> None:
    data = bytearray(zipped(("IM1", bytes(5_000_000))))
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(magic) + offset
        data[at : at + 4] = struct.pack("<L", 1000)
    assert refused(bed, bytes(data), "a.zip")


def test_a_damaged_zip(bed: Bed, ct: list[Path]) -> None:
    assert "damaged" in refused(bed, zipped(("IM1", ct[0].read_bytes()))[:-200], "a.zip")


def test_an_archive_of_another_kind(bed: Bed) -> None:
    assert "7-Zip" in refused(bed, b"7z\xbc\xaf\x27\x1c" + bytes(100), "a.7z")
    assert "This is a tar file, which is not unpacked" in refused(bed, bytes(257) + b"ustar" + bytes(250), "a.tar")


def test_a_letter_is_no_file_to_unpack(bed: Bed) -> None:
    assert "This is a PDF, not a DICOM file." in refused(bed, b"%PDF-1.7 " + bytes(100), "letter.pdf")


def test_a_zip_within_a_zip_and_a_link_are_left_and_the_rest_goes_on(bed: Bed, ct: list[Path]) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    inner = zipped(("x", b"y"))
    good = [(f"study/{n}/IM\u00e4 {n}\n", path.read_bytes()) for n, path in enumerate(ct)]
    key = bed.survey([("a.zip", zipped(("inner.zip", inner), (link, b"/etc/passwd"), *good))])
    assert bed.stage(key) is Stage.SURVEYED
    assert bed.fates(key).count(Fate.REFUSED) == 2
    assert bed.submission(key).announced == 1 + 2 + len(ct)
    assert bed.objects(key)[0].sentence == f"The zip was unpacked into {2 + len(ct)} files."
    names = [each.name for each in bed.summary(key).objects]
    assert "a.zip/study/0/IM\u00e4 0\N{REPLACEMENT CHARACTER}" in names
    bed.confirm(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED, bed.sentence(key)
    assert bed.fates(key).count(Fate.SENT) == len(ct)


def test_a_dicomdir_is_left_out_and_points_nowhere(bed: Bed, ct: list[Path]) -> None:
    from pydicom.data import get_testdata_file

    index = Path(str(get_testdata_file("DICOMDIR")))
    key = bed.survey([index, *ct])
    assert bed.fates(key)[0] is Fate.LEFT_OUT
    assert "DICOMDIR" in bed.objects(key)[0].sentence
    assert bed.stage(key) is Stage.SURVEYED


def test_two_patients_in_one_folder_are_named_and_stop(bed: Bed, ct: list[Path], tmp_path: Path) -> None:
    other = PATIENT_IDENTITIES[1]
    files = [*ct, *small_ct(tmp_path, patient=other, study_key="other")]
    key = bed.survey(files)
    (told,) = [p for p in bed.summary(key).problems if "2 persons" in p.sentence]
    assert told.level == "stop"
    assert PATIENT.patient_id in told.sentence
    assert other.patient_id in told.sentence
    assert PATIENT.patient_id not in bed.sentence(key)


def test_one_file_twice_under_two_names_is_taken_once(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey([*ct, ("copy", ct[0].read_bytes())])
    assert bed.fates(key) == [Fate.RECEIVED] * len(ct) + [Fate.DUPLICATE]


def test_one_instance_written_in_two_ways_is_taken_once(bed: Bed, ct: list[Path]) -> None:
    again = dcmread(ct[0])
    again.preamble = b"x" * 128
    key = bed.survey([*ct, ("copy", as_bytes(again))])
    assert bed.fates(key)[-1] is Fate.DUPLICATE


def test_the_same_instance_with_other_pixels_is_refused_on_both_sides(bed: Bed, ct: list[Path]) -> None:
    other = dcmread(ct[1])
    other.PixelData = bytes(len(other.PixelData))
    key = bed.survey([*ct, ("other", as_bytes(other))])
    assert bed.stage(key) is Stage.SURVEYED
    assert [n for n, fate in enumerate(bed.fates(key)) if fate is Fate.REFUSED] == [1, len(ct)]
    bed.confirm(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED
    assert bed.fates(key).count(Fate.SENT) == len(ct) - 1


def test_one_bad_file_among_good_ones_is_named_and_the_rest_is_linked(bed: Bed, ct: list[Path]) -> None:
    key = bed.survey([*ct, ("notes of Mrs Meier.txt", b"hello, this is a text")])
    assert any("notes of Mrs Meier.txt" in p.sentence for p in bed.summary(key).problems)
    assert "Meier" not in bed.sentence(key) + "".join(each.sentence for each in bed.objects(key))
    bed.confirm(key)
    bed.run()
    assert bed.stage(key) is Stage.LINKED
