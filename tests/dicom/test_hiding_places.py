"""Places where nobody would look: a stranger's name or number in each, which only closed rules can take out."""

from __future__ import annotations

import struct
from io import BytesIO

import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate

from tests.dicom.planted_objects import from_file, write_as_it_stands
from tests.dicom.planted_places import item, nest, put
from trialimg.dicom.deidentify import clean_file, verify_clean
from trialimg.dicom.rules.unlisted import cleaned_value

NAME = "Okonkwo Adaeze"
NEEDLES = (
    *(NAME[:7].lower().encode(code) for code in ("ascii", "utf-16-le", "utf-16-be")),
    *(b"4711000815", b"19510203", b"15550123"),
)


def at(tag, vr, value):
    return lambda dataset: put(dataset, tag, vr, value)


def inside(sequence, *elements):
    return lambda dataset: nest(dataset, sequence, item(*elements))


def code(tag, vr, value):
    return inside(0x00082218, (0x00080100, "SH", "1"), (tag, vr, value))


PLACES = {
    "offset table of native pixels": at(0x7FE00001, "OV", b"Okonkwo^Adaeze19"),
    "lengths of native pixels": at(0x7FE00002, "OV", b"Okonkwo^Adaeze19"),
    "padding of a wave": inside(0x54000100, (0x5400100A, "OB", NAME)),
    "a wave": inside(0x54000100, (0x54001010, "OW", NAME * 3)),
    "a wave in letters of two bytes": inside(0x54000100, (0x54001010, "OW", NAME.encode("utf-16-le"))),
    "least value of a channel": inside(0x54000100, (0x54000110, "OB", NAME)),
    "palette": at(0x00281201, "OW", NAME),
    "table in bytes": inside(0x00283000, (0x00283006, "OW", NAME)),
    "table in numbers": inside(0x00283000, (0x00283006, "US", NAME)),
    "table in numbers with a mark": inside(0x00283000, (0x00283006, "US", b"OkonkwoPr\x1004LutData ")),
    "spectrum": at(0x56000020, "OF", NAME + "  "),
    "floats": at(0x00720075, "OF", NAME + "  "),
    "maker as a person": at(0x00080070, "LO", "Okonkwo^Adaeze"),
    "maker by mail": at(0x00080070, "LO", "okonkwo@hospital.org"),
    "maker with a number": at(0x00080070, "LO", "made for 4711000815"),
    "model with a date": at(0x00081090, "LO", "x 19510203"),
    "model with a date in marks": at(0x00081090, "LO", "born 03.02.1951 Okonkwo"),
    "versions of a hundred letters": at(0x00181020, "LO", "v1 " + f"{NAME} " * 8),
    "type with a name": at(0x00080008, "CS", "ORIGINAL\\OKONKWO^ADAEZE"),
    "scanning sequence": at(0x00180020, "CS", "OKONKWO"),
    "variant": at(0x00180021, "CS", "OKONKWO"),
    "correction": at(0x00280051, "CS", "OKONKWO"),
    "method of loss": at(0x00282114, "CS", "OKONKWO"),
    "format of a film": at(0x20100010, "ST", NAME),
    "format of a note on a film": at(0x20100030, "CS", "OKONKWO"),
    "kind of a document": at(0x00420012, "LO", f"text/{NAME}"),
    "nucleus": at(0x00180085, "SH", "Okonkwo"),
    "version of a scheme": code(0x00080103, "SH", "Okonkwo"),
    "resource of a mapping": code(0x00080105, "CS", "OKONKWO"),
    "identifier of a context": code(0x0008010F, "CS", "OKONKWO"),
    "sex": at(0x00100040, "CS", "OKONKWO"),
    "size": at(0x00101020, "DS", "Okonkwo"),
    "weight": at(0x00101030, "DS", "Okonkwo"),
    "number behind NUL": at(0x00180050, "DS", b"5\0Okonkwo Ada"),
    "term behind NUL": at(0x00080060, "CS", b"CT\0Okonkwo"),
    "time behind NUL": at(0x00080030, "TM", b"101010\0Okonkwo"),
    "date behind NUL": at(0x00080020, "DA", b"20200101\0Okonkwo"),
    "age behind NUL": at(0x00101010, "AS", b"050Y\0Okonkwo"),
    "UID behind NUL": at(0x00200052, "UI", b"1.2.3\0Okonkwo Adaeze"),
    "class behind NUL": at(0x0008001A, "UI", b"1.2.840.10008.5.1.4.1.1.2\0Okonkwo1"),
    "class in words": inside(0x00081115, (0x00080016, "UI", b"Okonkwo")),
    "UID in words": inside(0x00081140, (0x00081155, "UI", NAME)),
    "number with a long tail": at(0x00280030, "DS", b"0.6\\0.6" + b" " * 40 + b"Okonkwo"),
    "whole number of a patient": at(0x00200012, "IS", "4711000815"),
    "time that is a number": at(0x00080031, "TM", "4711000815"),
    "time that is a telephone": at(0x00080030, "TM", "+49 1 15550123"),
    "date that is a number": at(0x00080022, "DA", "4711000815"),
    "moment that is a telephone": at(0x0008002A, "DT", "015550123-0000"),
    "timezone": at(0x00080201, "SH", "Okonkwo"),
    "timestamp of an authority": at(0x04000310, "OB", NAME),
    "timestamp of a frame": inside(0x00340001, (0x00340007, "OB", NAME)),
    "more numbers than there are": at(0x00280010, "US", b"\x80\0Okonkwo "),
    "rows of tags": at(0x00280009, "AT", b"Okonkwo Adae"),
    "float of letters": at(0x00189073, "FD", b"Okonkwo1"),
    "float of letters and a stroke": at(0x00189073, "FD", b"Okonkwo/Ada (60)"),
    "float of letters in lines": at(0x00186020, "FL", b"Ada\nOkonkwo\r"),
    "float of a report": inside(0x0040A730, (0x0040A040, "CS", "NUM"), (0x0040A161, "FD", b"Okonkwo1")),
    "character set": at(0x00080005, "CS", "ISO_IR 100\\OKONKWO"),
    "tail inside an item": inside(0x00081115, (0xFFFCFFFC, "OB", NAME)),
    "signature inside an item": inside(0x00081115, (0x04000120, "OB", NAME)),
    "vendor's arc under the standard's": at(0x00200052, "UI", "1.2.840.10008.4711000815"),
    "grouped telephone": inside(0x00082218, (0x00080104, "LO", "chest 01 55 50 12 3 Okonkwo")),
    "spelled name": inside(0x00082218, (0x00080104, "LO", "O.k.o.n.k.w.o chest")),
}


@pytest.fixture
def subject(identity, key):
    return {"identity": identity, "subject_key": key}


@pytest.mark.parametrize("dates", ["removed", "shifted", "kept"])
@pytest.mark.parametrize("place", PLACES)
def test_a_stranger_in_a_place_where_nobody_looks_is_taken_out(place, dates, tmp_path, profile, subject):
    dataset = from_file("CT_small.dcm")
    PLACES[place](dataset)
    write_as_it_stands(dataset, tmp_path / "in.dcm")
    chosen = profile._replace(dates=dates)
    clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=chosen, **subject)
    content = (tmp_path / "out.dcm").read_bytes().lower()
    assert [needle for needle in NEEDLES if needle in content] == []
    assert b"o.k.o.n" not in content
    assert b"01 55 50" not in content
    verify_clean(tmp_path / "out.dcm", profile=chosen, identity=subject["identity"])


def test_what_machines_really_write_stays(tmp_path, profile, identity, key):
    dataset = from_file("CT_small.dcm")
    written = {
        "Manufacturer": "GE MEDICAL SYSTEMS",
        "ManufacturerModelName": "LightSpeed Ultra",
        "SoftwareVersions": "453561492081__2.1.0.515__[2011/05/13]",
        "ConvolutionKernel": "B30s",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
        "ScanOptions": "HELICAL MODE",
        "CorrectedImage": ["DECY", "ATTN"],
        "LossyImageCompressionMethod": "ISO_10918_1",
        "ImagedNucleus": "1H",
        "SequenceName": "*fl3d1",
        "TimezoneOffsetFromUTC": "-0500",
        "PatientSex": "F",
    }
    for keyword, value in written.items():
        setattr(dataset, keyword, value)
    dataset.save_as(tmp_path / "in.dcm")
    clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    made = pydicom.dcmread(tmp_path / "out.dcm")
    assert {keyword: made.get(keyword) for keyword in written} == written


# ----- compressed pixel data


def compressed(*fragments, syntax=pydicom.uid.JPEGBaseline8Bit, side=32, frames=1, more=()):
    dataset = from_file("CT_small.dcm")
    dataset.Rows = dataset.Columns = side
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.NumberOfFrames = frames
    for tag, vr, value in more:
        put(dataset, tag, vr, value)
    dataset.PixelData = encapsulate(list(fragments), has_bot=False)
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def picture():
    stream = BytesIO()
    Image.effect_noise((32, 32), 60).save(stream, "JPEG")
    return stream.getvalue()


def test_frames_that_are_no_pictures_wait_for_a_person_and_a_look_does_not_settle_it(tmp_path, profile, identity, key):
    whole = picture()
    for fragments in ((NAME.encode() * 3,), (whole, whole), (whole[:-2] + NAME.encode(),), (whole[:200],)):
        (tmp_path / "in.dcm").write_bytes(compressed(*fragments))
        told = clean_file(
            tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key
        )
        assert "not built as their transfer syntax says" in told.hold_reason
        assert told.hold_code == "image.built_strangely"


def test_a_picture_in_an_object_that_has_none_waits_for_a_person(tmp_path, profile, identity, key):
    dataset = pydicom.dcmread(BytesIO(compressed(picture())))
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    del dataset.Rows, dataset.Columns
    dataset.save_as(tmp_path / "in.dcm", enforce_file_format=True)
    told = clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    assert told.hold_reason


def test_a_name_in_a_later_fragment_or_an_offset_table_is_taken_out(tmp_path, profile, identity, key):
    whole = picture()
    spoken = whole[:-2] + b"\xff\xfe" + struct.pack(">H", 2 + len(NAME)) + NAME.encode() + whole[-2:]
    tables = ((0x7FE00001, "OV", b"Okonkwo "), (0x7FE00002, "OV", b"Okonkwo "))
    data = bytearray(compressed(spoken, more=tables))
    for content in (bytes(data), compressed(whole + NAME.encode())):
        (tmp_path / "in.dcm").write_bytes(content)
        told = clean_file(
            tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key
        )
        assert told.hold_reason is None
        assert b"okonkwo" not in (tmp_path / "out.dcm").read_bytes().lower()
        verify_clean(tmp_path / "out.dcm", profile=profile, identity=identity)


def test_native_pixels_into_which_their_tail_has_slid_wait_for_a_person(tmp_path, profile, identity, key):
    dataset = from_file("CT_small.dcm")
    put(dataset, 0xFFFCFFFC, "OB", f"{NAME} was here, and so was Okonkwo the elder")
    write_as_it_stands(dataset, tmp_path / "whole.dcm")
    data = (tmp_path / "whole.dcm").read_bytes()
    start = data.index(b"\xe0\x7f\x10\0OW") + 12
    for lost in (20, 31, 40):
        (tmp_path / "in.dcm").write_bytes(data[: start + 100] + data[start + 100 + lost :])
        told = clean_file(
            tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key
        )
        assert "slid into the picture" in told.hold_reason
        assert told.hold_code == "image.built_strangely"
    told = clean_file(tmp_path / "whole.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    assert told.hold_reason is None


@pytest.mark.parametrize(
    "value",
    [b"O\0k\0o\0n\0k\0w\0o\0", b"\0O\0k\0o\0n\0k\0w\0o", b"O k o n k w o ", b"O.k.o.n.k.w.o"],
    ids=["utf-16-le", "utf-16-be", "blanks", "marks"],
)
@pytest.mark.parametrize("tag", [0x00080102, 0x00080100], ids=["scheme", "code"])
def test_a_name_spelled_letter_by_letter_is_no_code(tag, value):
    assert cleaned_value(tag, "SH", value, value.decode) in {b"REMOVED", b"REMOVED "}


@pytest.mark.parametrize("value", ["ada@x.org", "1951-02-03", "3.2.1951", "03/02/1951", "1951/2/3", "b 1951-02-03"])
@pytest.mark.parametrize("tag", [0x00080102, 0x00080100], ids=["scheme", "code"])
def test_mail_and_a_date_are_no_code(tag, value):
    assert cleaned_value(tag, "SH", value.encode(), str) == b"REMOVED"


@pytest.mark.parametrize("value", ["47110815", "4711 0815", "A47110815", "+49 761 555", "4711-0815", "12.34.56", "999"])
def test_a_number_is_no_scheme_of_codes(value):
    assert cleaned_value(0x00080102, "SH", value.encode(), str) == b"REMOVED"


@pytest.mark.parametrize(
    "value",
    ["DCM", "SRT", "99SMS_CTMR", "99_OFFIS_DCMTK", "ISO3166_1", "RFC5646", "ICD-O-2", "I10P", ""],
)
def test_a_scheme_stays(value):
    assert cleaned_value(0x00080102, "SH", value.encode(), str) == value.encode()


@pytest.mark.parametrize("value", ["5.10.2.1-3", "18782-3", "T-D1100", "M-8000/3", "397669002", "10*3/uL", "P1-48814"])
def test_a_code_of_digits_and_marks_stays(value):
    assert cleaned_value(0x00080100, "SH", value.encode(), str) == value.encode()


@pytest.mark.parametrize(
    "value", [b"DCM", b"99PMP", b"SRT ", b"T-A0100", b"F-0178B", b"125007", b"ISO639_1", b"de-CH-AT-1"]
)
def test_a_code_stays(value):
    assert cleaned_value(0x00080100, "SH", value, value.decode) == value


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("vr", ["FL", "FD"])
def test_a_text_of_two_bytes_a_letter_is_no_number(vr, encoding):
    assert not cleaned_value(0x00189074, vr, "Okonkwo^Ada ".encode(encoding), str)


def test_numbers_that_look_like_a_letter_here_and_there_stay():
    value = struct.pack("<8f", 2, 8, 32, 128, 512, 2048, 8192, 32768)
    assert cleaned_value(0x00700022, "FL", value, str) == value


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize(
    ("tag", "vr"), [(0x54001010, "OW"), (0x00283006, "US"), (0x00281201, "OW"), (0x00700022, "FL")]
)
def test_an_item_of_a_sequence_is_no_number(tag, vr, byte_order):
    hidden = (
        struct.pack(f"{byte_order}HHLHH2sH", 0xFFFE, 0xE000, 18, 0x0018, 0x1030, b"LO", 10) + b"Ada Okonkw" + bytes(64)
    )
    assert not cleaned_value(tag, vr, hidden, str)


@pytest.mark.parametrize(("byte_order", "is_implicit"), [("<", False), (">", False), ("<", True)])
@pytest.mark.parametrize(
    ("tag", "vr"), [(0x00283006, "US"), (0x00700022, "FL"), (0x00231074, "SL"), (0x00281201, "OW")]
)
def test_attributes_that_a_false_length_has_swallowed_are_no_numbers(tag, vr, is_implicit, byte_order):
    numbers = struct.pack(f"{byte_order}40H", *range(40))
    form = f"{byte_order}HHL" if is_implicit else f"{byte_order}HH2sH"
    head = (0x0008, 0x1048, 8) if is_implicit else (0x0008, 0x1048, b"PN", 8)
    swallowed = numbers + struct.pack(form, *head) + b"Okonkwo " + bytes(44)
    assert not cleaned_value(tag, vr, swallowed, str)
    assert cleaned_value(tag, vr, numbers, str) == numbers
