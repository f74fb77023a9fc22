"""Names that are written in another character set than the file declares: they are found all the same."""

from __future__ import annotations

import struct

import pydicom
import pytest
from pydicom.data import get_testdata_file

from tests.dicom.planted_places import put
from trialimg.dicom.deidentify import clean_file
from trialimg.dicom.parsing.residue import find_residue, identifying_values
from trialimg.dicom.rules import needles
from trialimg.domain.deidentification import Profile

NAMES = {
    "utf-8": "Müllerstädt^Grete",
    "iso8859-2": "Kováčová^Jiřina",
    "cp1251": "Люксембург^Роза",
    "koi8-r": "Люксембург^Роза",
    "iso8859-7": "Παπαδόπουλος^Νίκος",
    "iso8859-6": "عبدالرحمن^محمد",
    "cp1256": "عبدالرحمن^محمد",
    "iso8859-8": "אברהמוביץ^יוסף",
    "tis-620": "สมศักดิ์^วิชัย",
    "gb18030": "欧阳锋^小东",
    "big5": "歐陽鋒^小東",
    "shift_jis": "山田崎^太郎丸",
    "euc-kr": "홍길동^길동",
}
"""A patient's name by the encoding in which it is really written."""
MAKER, LABEL = 0x00080070, 0x00281054
BLOCK = 0x00282000


def reading(name, character_set):
    """What is sought where a name of these bytes stands in a file that declares a character set."""
    original = pydicom.Dataset()
    original.set_original_encoding(False, True)
    if character_set:
        put(original, 0x00080005, "CS", character_set.encode())
    put(original, 0x00100010, "PN", name)
    return identifying_values(original)


def is_found(values, written, character_set, tag=MAKER, vr="LO"):
    cleaned = pydicom.Dataset()
    cleaned.set_original_encoding(False, True)
    if character_set:
        put(cleaned, 0x00080005, "CS", character_set.encode())
    put(cleaned, tag, vr, written)
    return bool(find_residue(cleaned, values))


@pytest.mark.parametrize("character_set", ["", "ISO_IR 100", "ISO_IR 192"])
@pytest.mark.parametrize("encoding", NAMES)
def test_a_name_is_found_whatever_character_set_is_claimed(encoding, character_set):
    name = NAMES[encoding]
    family = name.split("^")[0]
    values = reading(name.encode(encoding), character_set)
    for word in (family, family.upper(), family.lower()):
        assert is_found(values, b"of " + word.encode(encoding), character_set), word
    if character_set != "ISO_IR 192":  # as which the parser reads what is Unicode only
        assert is_found(values, b"of " + family.encode(), character_set)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("name", ["Люксембург^Роза", "欧阳锋^小东", "Müllerstädt^Grete"])
def test_a_name_that_is_not_ascii_is_found_among_numbers(name, encoding):
    values = reading(name.encode(), "ISO_IR 192")
    assert is_found(values, b"\1\2\3" + name.split("^")[0].encode(encoding), "ISO_IR 192", BLOCK, "OB")
    assert not is_found(values, bytes(range(256)) * 8, "ISO_IR 192", BLOCK, "OB")


def test_the_escapes_of_gb_2312_are_no_part_of_a_name():
    name = b"\x1b$)A" + "欧阳锋".encode("gb2312") + b"^\x1b$)A" + "小东".encode("gb2312")
    values = reading(name, "\\ISO 2022 IR 58")
    assert {"欧阳锋", "小东"} <= values
    assert not any("\x1b" in value for value in values)
    for written in ("给欧阳锋".encode(), "欧阳锋".encode("gb18030"), b"\x1b$)A" + "小东".encode("gb2312")):
        assert is_found(values, written, "ISO_IR 192")


@pytest.mark.parametrize("text", ["王伟", "给王伟", "王 伟", "伟^王", "王^伟"])
def test_a_chinese_name_of_two_characters_is_found_where_both_stand(text):
    values = reading("Wang^Wei=王^伟".encode(), "ISO_IR 192")
    assert is_found(values, text.encode(), "ISO_IR 192")
    assert not is_found(values, "大王".encode(), "ISO_IR 192")


@pytest.mark.parametrize("name", ["Håkan^Åse", "François^Père", "Bø^Åse"])
def test_a_wrong_reading_of_a_name_alarms_nobody(name):
    values = reading(name.encode("latin-1"), "ISO_IR 100")
    for text in ("pcre 3", "lse", "ase-lse", "hl kan", "br 2"):
        assert is_found(values, text.encode(), "") == ("ase" in text and "Åse" in name), text


def test_a_file_that_lies_about_its_character_set_is_held_where_the_name_is_left(tmp_path, identity, key):
    """Both ways of cleaning agree: what the file declares is the simplest encoding."""
    source = tmp_path / "a.dcm"
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.PatientName, dataset.Manufacturer = "P" * 14, "by MULLERSTADT"
    dataset.save_as(source)
    name = "Müllerstädt".encode() + b" "
    source.write_bytes(source.read_bytes().replace(b"P" * 14, name))
    made = clean_file(source, tmp_path / "b.dcm", profile=Profile("demo", "1"), identity=identity, subject_key=key)
    assert "(0008,0070)" in str(made.hold_reason)


@pytest.fixture
def given(identity, key):
    return {"identity": identity, "subject_key": key}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["Quvendrith^Ada", "Люксембург^Роза", "Παπαδόπουλος^Νίκος"])
@pytest.mark.parametrize("tag", [0x0008103E, 0x00081030, 0x00081090])
def test_a_name_of_two_bytes_a_letter_is_no_text(tag, name, encoding, tmp_path, given):
    """Its bytes are ASCII, or nearly so: no word of them stays, and what a rule keeps is searched for it."""
    source = tmp_path / "a.dcm"
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 192", name
    word = name.split("^")[0].encode(encoding)
    put(dataset, tag, "LO", "Z" * (len(word) + 4))
    dataset.save_as(source)
    source.write_bytes(source.read_bytes().replace(b"Z" * (len(word) + 4), b"of: " + word))
    rule = {"tag": "0008,1030", "action": "K", "why": "a test"}
    profile = Profile.from_mapping({"version": "1", "options": ["clean_descriptors"], "rules": [rule]})
    made = clean_file(source, tmp_path / "b.dcm", profile=profile, **given)
    assert ("(0008,1030)" in str(made.hold_reason)) == (tag == 0x00081030)
    assert tag == 0x00081030 or word not in (tmp_path / "b.dcm").read_bytes()


def test_a_greek_name_is_found_among_numbers_with_its_last_letter():
    values = reading("Παπαδόπουλος^Νίκος".encode(), "ISO_IR 192")
    for word in ("Παπαδόπουλος", "παπαδόπουλος", "ΠΑΠΑΔΌΠΟΥΛΟΣ"):
        assert is_found(values, b"\1\2\3" + word.encode("iso8859-7"), "ISO_IR 192", BLOCK, "OB"), word


@pytest.mark.parametrize(
    ("said", "left"),
    [
        *(("ISO_IR 100\\OKONKWO", "ISO_IR 100"), ("OKONKWO\\ISO 2022 IR 87", "\\ISO 2022 IR 87"), ("OKONKWO", None)),
        *(("\\OKONKWO", None), ("\\ISO 2022 IR 87\\OKONKWO", "\\ISO 2022 IR 87"), ("ISO_IR 192", "ISO_IR 192")),
    ],
)
def test_of_the_names_of_character_sets_those_of_the_standard_stay(said, left, tmp_path, given):
    """What is kept as it is written would be in none, and the object invalid, were they all taken out."""
    source = tmp_path / "a.dcm"
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    put(dataset, 0x00080005, "CS", "Z" * len(said))
    dataset.save_as(source)
    source.write_bytes(source.read_bytes().replace(b"Z" * len(said), said.encode()))
    clean_file(source, tmp_path / "b.dcm", profile=Profile("demo", "1"), **given)
    content = (tmp_path / "b.dcm").read_bytes()
    element = b"" if left is None else b"\x08\0\x05\0CS" + struct.pack("<H", len(left) + len(left) % 2) + left.encode()
    assert b"OKONKWO" not in content
    assert (b"\x08\0\x05\0CS" in content) == (left is not None)
    assert element in content


@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le", "utf-16-be"])
def test_binary_values_are_read_as_text_only_where_a_word_of_what_is_sought_stands(monkeypatch, encoding):
    """A wave of 145 KB took half a second: it is looked through for words first."""
    original = pydicom.Dataset()
    original.PatientName, original.PatientBirthDate = "Quvendrith^Ada", "19450312"
    original.PatientID, original.PatientTelephoneNumbers = "MRN7734512", "+49 761 5550123"
    among, asked = needles.among_of(identifying_values(original)), []
    search = needles._is_in_spellings
    monkeypatch.setattr(needles, "_is_in_spellings", lambda *given: asked.append(given) or search(*given))
    assert not needles.in_binary(bytes(range(256)) * 500, among)
    assert not asked
    for text in ("by Quvendrith", "12 March 1945", "7734512", "(0761) 555 0123", "12.03.1945"):
        assert needles.in_binary(b"\1\2" + text.encode(encoding) + b"\3\4", among), text
    assert len(asked) == 5


@pytest.mark.parametrize("character_set", ["ISO_IR 144", "ISO_IR 100", ""])
def test_thirty_people_of_another_script_are_not_too_many(character_set):
    people = "\\".join(f"Люксембург{chr(0x430 + n)}ж^Роза{chr(0x430 + n)}" for n in range(30))
    assert len(reading(people.encode("iso8859-5"), character_set)) > 60


def test_hundreds_of_people_of_another_script_cost_no_hours():
    """What is found where another is would be left out, but to compare each with each is no bounded work."""
    people = frozenset(f"люксембург{chr(0x430 + n % 32)}{chr(0x430 + n // 32)}ж" for n in range(900))
    written = needles.among_of(people).written
    assert len(written) > 900
    assert "люксембургааж".encode("koi8-r") in written
