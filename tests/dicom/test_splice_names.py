"""Names that are not ASCII: an ordinary file in a simple encoding needs no parser, and what it says is known as the
parser would know it."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.charset import python_encoding
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from trialimg.dicom.deidentify import clean_file, clean_unusual, plan_of
from trialimg.dicom.files.header import facts_and_end
from trialimg.dicom.parsing.dataset import parse
from trialimg.dicom.parsing.residue import identifying_values
from trialimg.dicom.splicing import left
from trialimg.dicom.splicing import splice_file as ours
from trialimg.dicom.splicing.ground import Unusual
from trialimg.dicom.standard.part10 import open_part10
from trialimg.dicom.standard.syntaxes import SIMPLE_ENCODINGS
from trialimg.domain.deidentification import Profile

NAMES = {
    "ISO_IR 100": ("Krötenpfuhl^Balduin", "Sankt-Anna-Krankenhaus Köln"),
    "ISO_IR 101": ("Wąsowska^Łucja", "Szpital Śląski"),
    "ISO_IR 109": ("Ĉapelisto^Ĝoja", "Malsanulejo Ŝtona"),
    "ISO_IR 110": ("Bērziņš^Jānis", "Rīgas slimnīca"),
    "ISO_IR 126": ("Παπαδόπουλος^Νίκος", "Νοσοκομείο Αθηνών"),
    "ISO_IR 127": ("حداد^مريم", "مستشفى القدس"),
    "ISO_IR 138": ("שרון^דבורה", "בית חולים"),
    "ISO_IR 144": ("Люкceмбypг^Роза", "Больница № 5"),
    "ISO_IR 148": ("Çağlayan^Işıl", "İstanbul Hastanesi"),
    "ISO_IR 192": ("Müller^Zoë=山田^太郎", "Hôpital Saint-Éloi"),
    "": ("Krötenpfuhl^Balduin", "Sankt-Anna-Krankenhaus Köln"),
}
PROFILES = (Profile("demo", "1"), Profile("demo", "1", "kept", chosen=frozenset({"clean_descriptors"})))


def named(path, character_set, encoding, *, item_set=None):
    """A CT whose patient, physician, hospital and an order inside have names in an encoding."""
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    del dataset.SpecificCharacterSet, dataset.OtherPatientIDsSequence
    if character_set:
        dataset.SpecificCharacterSet = character_set.split("\\")
    texts = [text.encode(encoding) for text in NAMES.get(character_set, NAMES["ISO_IR 100"])]
    person, place = (text + b" " * (len(text) % 2) for text in texts)
    # Written as letters that any encoding has, and replaced where they stand.
    dataset.PatientName = dataset.ReferringPhysicianName = "P" * len(person)
    dataset.InstitutionName = "H" * len(place)
    order = Dataset()
    order.RequestingPhysician = "P" * len(person)
    if item_set is not None:
        order.SpecificCharacterSet = item_set
    dataset.RequestAttributesSequence = [order]
    dataset.save_as(path)
    data = path.read_bytes().replace(b"P" * len(person), person).replace(b"H" * len(place), place)
    assert (data.count(person), data.count(place)) == (3, 1)
    path.write_bytes(data)
    return path


@pytest.fixture
def asked(monkeypatch):
    """Hears what the way of the bytes takes for identifying."""
    heard = []

    def needles_of(*given):
        heard.append(found := real(*given))
        return found

    real = left.needles_of
    monkeypatch.setattr(left, "needles_of", needles_of)
    return heard


@pytest.mark.parametrize("character_set", NAMES)
def test_names_in_a_simple_encoding_are_known_without_the_parser(tmp_path, identity, key, asked, character_set):
    source = named(tmp_path / "a.dcm", character_set, SIMPLE_ENCODINGS[character_set])
    part = open_part10(source)
    wanted = identifying_values(parse(part, facts_and_end(part)[1]))
    assert sum(not value.isascii() for value in wanted) >= 2
    for profile in PROFILES:
        given = plan_of(profile), identity, key
        made = ours.splice_file(source, tmp_path / "bytes", given)
        assert asked[-1].values == wanted
        facts, report, found = clean_unusual(source, tmp_path / "parser", given)
        assert (made.before, made.report, []) == (facts, report, found)
        assert (tmp_path / "bytes").read_bytes() == (tmp_path / "parser").read_bytes()


@pytest.mark.parametrize("character_set", ["ISO 2022 IR 100", "ISO_IR 100\\ISO_IR 192", "GB18030", "ISO_IR 13", "ISO_IR 7"])
def test_names_in_another_encoding_are_left_to_the_parser(tmp_path, identity, key, character_set):
    source = named(tmp_path / "a.dcm", character_set, "latin-1")
    with pytest.raises(Unusual):
        ours.splice_file(source, tmp_path / "bytes", (plan_of(PROFILES[0]), identity, key))
    assert not (tmp_path / "bytes").exists()


def test_what_is_not_in_the_encoding_that_the_file_tells_is_left_to_the_parser(tmp_path, identity, key):
    source = named(tmp_path / "a.dcm", "ISO_IR 192", "utf-16-le")
    with pytest.raises(Unusual):
        ours.splice_file(source, tmp_path / "bytes", (plan_of(PROFILES[0]), identity, key))


@pytest.mark.parametrize("character_set", ["ISO_IR 100", ""])
def test_an_item_with_an_encoding_of_its_own_is_left_to_the_parser(tmp_path, identity, key, character_set):
    source = named(tmp_path / "a.dcm", character_set, "latin-1", item_set="ISO_IR 101")
    with pytest.raises(Unusual):
        ours.splice_file(source, tmp_path / "bytes", (plan_of(PROFILES[0]), identity, key))


def test_a_part_of_such_a_name_that_is_left_holds_the_file(tmp_path, identity, key):
    source = named(tmp_path / "a.dcm", "ISO_IR 100", "latin-1")
    data = source.read_bytes()
    at = data.index(b"\x08\x00\x90\x10LO")
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    (tmp_path / "left.dcm").write_bytes(data[: at + 6] + b"\x08\x00BALDUIN " + data[at + 8 + length :])
    given = plan_of(PROFILES[0]), identity, key
    with pytest.raises(Unusual):
        ours.splice_file(tmp_path / "left.dcm", tmp_path / "bytes", given)
    result = clean_file(tmp_path / "left.dcm", tmp_path / "c", profile=PROFILES[0], identity=identity, subject_key=key)
    assert result.hold_code == "image.residue"
    assert "(0008,1090)" in result.hold_reason


def test_the_simple_encodings_are_those_of_the_parser():
    every = bytes(range(256))
    for term, encoding in SIMPLE_ENCODINGS.items():
        for byte in every if encoding != "utf-8" else ():
            one = bytes([byte])
            assert one.decode(encoding, "replace") == one.decode(python_encoding[term], "replace"), term
    assert "äöü".encode(SIMPLE_ENCODINGS["ISO_IR 192"]) == "äöü".encode(python_encoding["ISO_IR 192"])
    assert all(every[:128].decode(encoding) == every[:128].decode("ascii") for encoding in SIMPLE_ENCODINGS.values())
