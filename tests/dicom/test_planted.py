"""Nothing is left of any identifier, wherever it was planted; or a person must look at the file."""

from __future__ import annotations

import base64
import json
import logging
import re
import struct
import zlib

import pydicom
import pytest
from pydicom._dicom_dict import DicomDictionary

from tests.client.conftest import run
from tests.dicom.planted_objects import KINDS, from_file, plant_object, write_as_it_stands
from tests.dicom.planted_places import DATES, ENCODINGS, item, nest, put
from trialimg.dicom.deidentify import clean_file, verify_clean
from trialimg.dicom.files.encode import encoded
from trialimg.dicom.rules.plan import CLASSES_AND_SCHEMES, PIXELS
from trialimg.dicom.rules.unlisted import OF_THE_MACHINE
from trialimg.dicom.standard.part10 import open_part10
from trialimg.dicom.standard.table import keyword_of, tag_of, tag_text, vr_of
from trialimg.domain.deidentification import Profile
from trialimg.errors import BadInput


def found_in(content, ledger):
    """Which identifiers are in some bytes, in any spelling; and anything that looks like one of them."""
    small = content.lower()
    found = {name for spelling, name in ledger.spellings().items() if spelling in small}
    stem = "okonkwo"
    for encoding in ENCODINGS:
        if stem.encode(encoding) in small:
            found.add(f"{stem} in {encoding}")
    if base64.b64encode(b"Okonkwo")[:8].lower() in small or stem.encode().hex().encode() in small:
        found.add(f"{stem} coded")
    return sorted(found)


@pytest.fixture
def subject(identity, key):
    return {"identity": identity, "subject_key": key}


@pytest.fixture
def said(caplog, recwarn, capfd):
    """Gives what was logged, warned and printed since it was last asked."""
    caplog.set_level(logging.DEBUG)

    def ask():
        told = caplog.text + "".join(str(warning.message) for warning in recwarn.list) + "".join(capfd.readouterr())
        recwarn.clear()
        caplog.clear()
        return told

    return ask


@pytest.mark.parametrize("dates", ["removed", "shifted", "kept"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_planted_identifier_is_left_in_any_byte(kind, dates, tmp_path, subject, said):
    ledger = plant_object(kind, tmp_path / "in.dcm")
    original = (tmp_path / "in.dcm").read_bytes()
    assert len(ledger.all) >= 120
    assert len(set(ledger.all)) == len(ledger.all)
    assert len(found_in(original, ledger)) > 100
    said()
    profile = Profile("demo", "1", dates, keep_sex=True, keep_age=True)
    target = tmp_path / "out.dcm"
    result = clean_file(tmp_path / "in.dcm", target, profile=profile, **subject)
    left = found_in(target.read_bytes(), ledger)
    if dates == "kept":
        # Dates stay, also the one that somebody wrote into the report and that is the patient's birth date: held.
        assert set(left) <= {*DATES, "19510203"}
        assert "(0040,A730)[4].(0040,A120)" in result.hold_reason
    else:
        assert left == []
        assert "still in" not in str(result.hold_reason)
    told = said() + json.dumps(result.report.to_json()) + str(result.hold_reason) + str(result.facts)
    assert found_in(told.encode(), ledger) == []
    assert verify_clean(target, profile=profile, identity=subject["identity"]).sha256 == result.sha256


def test_file_names_and_the_account_of_a_run_tell_nothing(tmp_path):
    """The command itself: names of files, what it prints, its report, the clean files; one is no image, one a document."""
    source = tmp_path / "Okonkwo Ada 19510203"
    source.mkdir()
    ledgers = [plant_object(kind, source / f"Okonkwo^Ada {kind}.dcm") for kind in KINDS]
    (source / "Okonkwo.txt").write_text("Okonkwo")
    out, report = tmp_path / "out", tmp_path / "report.json"
    order = (
        "--trial",
        "demo",
        "--profile",
        "basic",
        "--pixels",
        "reviewed",
        "--subject",
        "101-001",
        "--report",
        report,
    )
    done = run(tmp_path / "data", "deidentify", source, out, *order)
    made = sorted(out.rglob("*.dcm"))
    assert len(made) == len(KINDS) - 1, done.stderr
    names = " ".join(str(path.relative_to(out)) for path in out.rglob("*"))
    assert "Okonkwo.txt" not in done.stdout + done.stderr
    # The folder is repeated to whoever gave it, as the place of a file that was not taken.
    told = names + report.read_text() + (done.stdout + done.stderr).replace(str(source), "")
    for ledger in ledgers:
        assert found_in(told.encode(), ledger) == []
        for path in made:
            assert found_in(path.read_bytes(), ledger) == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_that_was_cut_off_tells_nothing_when_it_is_refused(kind, tmp_path, profile, subject):
    ledger = plant_object(kind, tmp_path / "in.dcm")
    whole = (tmp_path / "in.dcm").read_bytes()
    refusals = []
    for end in range(200, len(whole), max(len(whole) // 40, 1)):
        (tmp_path / "cut.dcm").write_bytes(whole[:end])
        try:
            result = clean_file(tmp_path / "cut.dcm", tmp_path / "out.dcm", profile=profile, **subject)
        except BadInput as refusal:
            refusals.append(refusal.sentence)
            assert not (tmp_path / "out.dcm").exists()
            continue
        assert result.hold_reason or found_in((tmp_path / "out.dcm").read_bytes(), ledger) == []
        (tmp_path / "out.dcm").unlink()
    assert len(refusals) > 10
    assert found_in(" ".join(refusals).encode(), ledger) == []


def test_a_deflated_object_is_searched_as_it_was_written(tmp_path, profile, identity, key):
    ledger = plant_object("Ct", tmp_path / "in.dcm")
    whole = (tmp_path / "in.dcm").read_bytes()
    part = open_part10(memoryview(whole))
    head = whole[: part.start].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    meta_length = int.from_bytes(head[140:144], "little") + 2
    head = head[:140] + meta_length.to_bytes(4, "little") + head[144:]
    at = head.index(b"1.2.840.10008.1.2.1.99") - 2
    head = head[:at] + (22).to_bytes(2, "little") + head[at + 2 :]
    packer = zlib.compressobj(wbits=-15)
    (tmp_path / "in.dcm").write_bytes(head + packer.compress(whole[part.start :]) + packer.flush())
    profile = profile._replace(dates="shifted")
    clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    made = open_part10(memoryview((tmp_path / "out.dcm").read_bytes()))
    assert found_in(bytes(made.data), ledger) == []


def dictionary():
    """Every attribute of PS3.6 but those of other groups than a data set's, with its VR."""
    for tag in DicomDictionary:
        if tag >> 16 not in {0x0000, 0x0002, 0x0004, 0xFFFE} and tag not in PIXELS:
            yield tag, vr_of(tag).split(" or ")[0]


BULK = {
    *("RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData"),
    *("AlphaPaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData", "BlendingLookupTableData"),
    *("SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData"),
    *("SegmentedAlphaPaletteColorLookupTableData", "RecommendedDisplayCIELabValueList", "WaveformData"),
    *("ChannelMinimumValue", "ChannelMaximumValue", "WaveformPaddingValue", "LUTData"),
}
"""Colours and curves: bytes that only their reader understands. What names the patient is searched in them."""


def is_bulk(tag, vr):
    return vr in {"OF", "OD", "OL"} or keyword_of(tag) in BULK


@pytest.mark.parametrize("nested", [False, True], ids=["outside", "in an item"])
def test_no_attribute_of_the_dictionary_carries_a_strangers_name(nested, tmp_path, identity, key):
    """Over 3,500 places in one object, each with its own name; only what a machine's maker writes stays as it is."""
    dataset = from_file("CT_small.dcm")
    planted, body = {}, b""
    for number, (tag, vr) in enumerate(sorted(dictionary())):
        if vr in {"SQ", "UN", ""} or keyword_of(tag) in OF_THE_MACHINE or is_bulk(tag, vr):
            continue
        if not nested and tag in dataset and vr in {"US", "UI"}:
            continue  # what makes it this image
        name = f"Okonkwo{number:05d}x"
        planted[name] = tag
        text = (
            name.upper()
            if vr == "CS"
            else f"1.2.840.{number:05d}.0815"
            if vr == "UI" and tag not in CLASSES_AND_SCHEMES
            else name
        )
        if not nested:
            put(dataset, tag, vr, text)
        body += encoded(tag, vr, text.encode(), implicit=False, little=True)
    if nested:
        put(dataset, 0x00081140, "SQ", struct.pack("<HHL", 0xFFFE, 0xE000, len(body)) + body)
    write_as_it_stands(dataset, tmp_path / "in.dcm")
    profile = Profile("demo", "1", "removed")
    clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    content = (tmp_path / "out.dcm").read_bytes().lower()
    left = {keyword_of(tag) for name, tag in planted.items() if name.lower().encode() in content}
    assert len(planted) > 3500
    assert left == set()
    assert b"okonkwo" not in content
    assert not re.search(rb"1\.2\.840\.\d{5}\.0815", content)


def test_what_the_maker_of_a_machine_writes_is_searched_for_the_patient(tmp_path, profile, identity, key):
    for tag in sorted(map(tag_of, OF_THE_MACHINE)):
        dataset = from_file("CT_small.dcm")
        put(dataset, 0x00100010, "PN", "Okonkwo^Ada")
        put(dataset, tag, vr_of(tag), "SEEN BY OKONKWO")
        write_as_it_stands(dataset, tmp_path / "in.dcm")
        result = clean_file(
            tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key
        )
        gone = b"okonkwo" not in (tmp_path / "out.dcm").read_bytes().lower()
        assert gone or tag_text(tag) in result.hold_reason, keyword_of(tag)


def test_an_age_above_89_in_a_report_is_told_as_89(tmp_path, profile, identity, key):
    dataset = from_file("reportsi.dcm")
    numbers = [item((0x0040A040, "CS", "NUM")), item((0x0040A040, "CS", "NUM"))]
    for number, (code_value, meaning) in zip(numbers, (("121033", "Subject Age"), ("121401", "Mean")), strict=True):
        concept = item((0x00080100, "SH", code_value), (0x00080102, "SH", "DCM"), (0x00080104, "LO", meaning))
        nest(number, 0x0040A043, concept)
        nest(number, 0x0040A300, item((0x0040A30A, "DS", "97")))
    nest(dataset, 0x0040A730, *numbers)
    write_as_it_stands(dataset, tmp_path / "in.dcm")
    clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key)
    made = pydicom.dcmread(tmp_path / "out.dcm").ContentSequence
    assert [item.MeasuredValueSequence[0].NumericValue for item in made] == [89, 97]
    verify_clean(tmp_path / "out.dcm", profile=profile, identity=identity)
