"""Private attributes: known by their creator's text, kept only where a rule or a list of safe ones says so."""

from __future__ import annotations

import csv
import os
import struct
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.dicom.planted_objects import from_file
from tests.dicom.planted_places import item
from tools.make_safe_private import TARGET, entries
from trialimg.dicom.deidentify import clean_file, verify_clean
from trialimg.dicom.rules.private import safe_private
from trialimg.dicom.standard.table import read_data
from trialimg.domain.deidentification import Profile
from trialimg.errors import NotClean

MAKER = "TRIALIMG TEST MAKER"
SAFE = Profile("t", "1", chosen=frozenset({"retain_safe_private"}))


def ruled(*rules, **more):
    return Profile.from_mapping({"version": "1", "rules": list(rules), **more})


def keep(element, action="K", **more):
    why = {"why": "the analysis needs it"} if action == "K" else {}
    private = {"creator": MAKER, "element": element, **({"vr": more.pop("vr")} if "vr" in more else {})}
    return {"private": private, "action": action, **why, **more}


@pytest.fixture
def cleaned(tmp_path, identity, key):
    def clean(dataset, profile):
        dataset.save_as(tmp_path / "in.dcm", enforce_file_format=True)
        result = clean_file(
            tmp_path / "in.dcm", tmp_path / "out.dcm", profile=profile, identity=identity, subject_key=key
        )
        verify_clean(tmp_path / "out.dcm", profile=profile, identity=identity)
        return pydicom.dcmread(BytesIO((tmp_path / "out.dcm").read_bytes())), result

    return clean


def private_tags(dataset):
    return {f"{int(e.tag) >> 16:04X},{int(e.tag) & 0xFFFF:04X}": e for e in dataset if e.tag.is_private}


def an_image(*, syntax=ExplicitVRLittleEndian):
    dataset = from_file("CT_small.dcm")
    dataset.remove_private_tags()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.set_original_encoding(syntax == ImplicitVRLittleEndian, True, "iso8859")
    return dataset


def test_the_list_of_safe_ones_is_what_its_recipe_makes():
    source = Path(os.environ.get("TRIALIMG_REFERENCE", Path(__file__).parents[3] / "shared" / "reference"))
    if not (source / "safe-private.csv").is_file():
        pytest.skip(f"the reference table is not here ({source}); set TRIALIMG_REFERENCE")
    with (source / "safe-private.csv").open(encoding="utf-8", newline="") as stream:
        made = entries(list(csv.DictReader(stream)))
    assert {name: read_data(TARGET.name)[name] for name in made} == made


def test_the_standards_list_is_a_part_of_the_curated_one_and_holds_no_person_date_or_bulk():
    table, curated = safe_private("table"), safe_private("curated")
    assert table.items() <= curated.items()
    assert (len(table), len(curated)) == (87, 2235)
    assert not set(curated.values()) & {"PN", "OB", "OW", "UN", ""}
    assert not set(table.values()) & {"DA", "DT", "TM", "UI"}


def test_without_a_rule_no_private_element_stays(cleaned):
    made, result = cleaned(from_file("CT_small.dcm"), Profile("t", "1", "kept"))
    assert private_tags(made) == {}
    assert "113111" not in result.report.options


def test_what_the_standard_lists_as_safe_stays_with_its_creator_and_nothing_else(cleaned):
    original = from_file("CT_small.dcm")
    made, result = cleaned(original, SAFE)
    assert set(private_tags(made)) == {"0019,0010", "0019,1023", "0019,1024", "0019,1027"}
    assert made[0x00191023].value == original[0x00191023].value
    assert made[0x00190010].value == "GEMS_ACQU_01"
    assert "113111" in result.report.options


def test_the_curated_list_keeps_more_and_no_date_written_as_a_number(cleaned):
    made, _ = cleaned(from_file("CT_small.dcm"), Profile.from_mapping(
        {"version": "1", "options": ["retain_safe_private"], "safe_private": "curated"}
    ))  # fmt: skip
    kept = set(private_tags(made))
    assert {"0019,1023", "0043,1040", "0027,1035"} <= kept
    assert not kept & {"0009,1027", "0009,10E9", "0043,1028", "0043,102A"}


def test_blocks_are_told_apart_by_their_creators_text_and_not_by_their_number(cleaned):
    dataset = an_image()
    for block, creator in ((0x10, "SOMEBODY ELSE"), (0x20, f"{MAKER}  "), (0x30, MAKER), (0x40, f"{MAKER} OTHER")):
        dataset.add_new(0x00190000 | block, "LO", creator)
        dataset.add_new(0x00190000 | block << 8 | 0x0C, "IS", str(block))
        dataset.add_new(0x00190000 | block << 8 | 0x0D, "IS", str(block))
    dataset.add_new(0x0019500C, "IS", "5")  # nobody reserved its block
    dataset.add_new(0x001B200C, "IS", "6")  # another group
    made, _ = cleaned(dataset, ruled(keep("0019,xx0C")))
    assert set(private_tags(made)) == {"0019,0020", "0019,200C", "0019,0030", "0019,300C"}
    assert made[0x0019200C].value == 0x20


def test_a_creator_that_says_more_than_its_rule_is_no_match(cleaned):
    dataset = an_image()
    dataset.add_new(0x00190010, "LO", f"{MAKER}\\OKONKWO")
    dataset.add_new(0x0019100C, "IS", "5")
    made, _ = cleaned(dataset, ruled(keep("0019,xx0C")))
    assert private_tags(made) == {}


def test_what_is_kept_by_rule_is_still_a_uid_a_date_an_age_or_a_sequence(cleaned):
    dataset = an_image()
    block = dataset.private_block(0x0019, MAKER, create=True)
    block.add_new(0x01, "UI", "1.2.826.0.1.3680043.9.7.1")
    block.add_new(0x02, "DA", "20240311")
    block.add_new(0x03, "AS", "093Y")
    inner = item((0x00100010, "PN", "Okonkwo^Ada"), (0x00080100, "SH", "T-A0100"), (0x00190010, "LO", MAKER))
    inner.add_new(0x00191001, "UI", "1.2.826.0.1.3680043.9.7.1")
    inner.add_new(0x00191009, "LO", "Okonkwo")
    block.add_new(0x04, "SQ", [inner])
    block.add_new(0x05, "OB", b"\1\2\3\4")
    rules = [keep(f"0019,xx{number:02X}") for number in range(1, 6)]
    made, _ = cleaned(dataset, ruled(*rules, dates="removed"))
    kept = private_tags(made)
    assert set(kept) == {"0019,0010", "0019,1001", "0019,1003", "0019,1004", "0019,1005"}
    assert kept["0019,1001"].value.startswith("2.25.")
    assert kept["0019,1003"].value == "089Y"
    (inner,) = kept["0019,1004"].value
    assert inner[0x00191001].value == kept["0019,1001"].value
    assert inner.PatientName == "101-001"
    assert 0x00191009 not in inner
    shifted, _ = cleaned(dataset, ruled(*rules, dates="shifted"))
    assert shifted[0x00191002].value not in {"20240311", ""}
    as_it_was, _ = cleaned(dataset, ruled(*rules, dates="kept"))
    assert as_it_was[0x00191002].value == "20240311"


def test_a_private_element_that_is_kept_is_searched_for_the_patient(cleaned):
    dataset = an_image()
    dataset.PatientName = "Okonkwo^Ada"
    dataset.private_block(0x0019, MAKER, create=True).add_new(0x0C, "LO", "seen by OKONKWO")
    _, result = cleaned(dataset, ruled(keep("0019,xx0C")))
    assert "(0019,100C)" in result.hold_reason


def test_a_text_that_is_safe_by_the_list_keeps_only_words_that_name_nobody(cleaned):
    dataset = an_image()
    dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x9E, "LO", "FSE for Adaeze")
    made, _ = cleaned(dataset, SAFE)
    assert made[0x0019109E].value == "FSE for"


def test_a_rule_can_take_out_or_empty_what_the_list_calls_safe(cleaned):
    rules = [
        {"private": {"creator": "GEMS_ACQU_01", "element": "0019,xx23"}, "action": "X"},
        {"private": {"creator": "GEMS_ACQU_01", "element": "0019,xx24"}, "action": "Z"},
    ]
    made, _ = cleaned(from_file("CT_small.dcm"), ruled(*rules, options=["retain_safe_private"]))
    assert 0x00191023 not in made
    assert made[0x00191024].is_empty
    assert 0x00191027 in made


def test_a_rule_for_a_class_goes_before_one_for_all_and_leaves_other_classes_alone(cleaned):
    dataset = an_image()
    dataset.private_block(0x0019, MAKER, create=True).add_new(0x0C, "IS", "5")
    everywhere, for_ct = keep("0019,xx0C", "X"), keep("0019,xx0C", sop_class=["CT Image Storage"])
    made, _ = cleaned(dataset, ruled(everywhere, for_ct))
    assert 0x0019100C in made
    made, _ = cleaned(dataset, ruled(keep("0019,xx0C", sop_class=["MR Image Storage"])))
    assert 0x0019100C not in made
    description = {"tag": "0008,103E", "action": "K", "why": "needed", "sop_class": ["MR Image Storage"]}
    dataset.SeriesDescription = "AXIAL"
    assert "SeriesDescription" not in cleaned(dataset, ruled(description))[0]
    description["sop_class"] = ["CT Image Storage"]
    assert cleaned(dataset, ruled(description))[0].SeriesDescription == "AXIAL"


def test_another_vr_than_the_list_has_is_another_attribute(cleaned):
    dataset = an_image()
    dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x23, "LO", "5")
    assert private_tags(cleaned(dataset, SAFE)[0]) == {}


@pytest.mark.parametrize(("vr", "stays"), [("", False), ("IS", True)])
def test_where_the_file_tells_no_vr_the_rule_must(vr, stays, cleaned):
    dataset = an_image(syntax=ImplicitVRLittleEndian)
    dataset.private_block(0x0019, MAKER, create=True).add_new(0x0C, "IS", "5")
    made, _ = cleaned(dataset, ruled(keep("0019,xx0C", **({"vr": vr} if vr else {}))))
    assert (0x0019100C in made) == stays


def test_what_is_safe_stays_in_a_file_that_tells_no_vr_and_where_it_is_written_as_unknown(cleaned):
    dataset = an_image(syntax=ImplicitVRLittleEndian)
    dataset.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x23, "DS", "5.0")
    assert cleaned(dataset, SAFE)[0][0x00191023].value == 5
    dataset = an_image()
    dataset.add_new(0x00190010, "LO", "GEMS_ACQU_01")
    dataset[0x00191023] = RawDataElement(BaseTag(0x00191023), "UN", 4, b"5.0 ", 0, False, True)
    made, _ = cleaned(dataset, SAFE)
    assert (made[0x00191023].VR, made[0x00191023].value) == ("DS", 5)
    dataset[0x00191023] = RawDataElement(BaseTag(0x00191023), "UN", 8, b"Okonkwo ", 0, False, True)
    assert b"Okonkwo" not in str(cleaned(dataset, SAFE)[0]).encode()


def test_a_clean_file_with_a_private_element_more_is_not_clean(cleaned, tmp_path, identity):
    made, _ = cleaned(from_file("CT_small.dcm"), SAFE)
    made.add_new(0x00191025, "SS", 1)
    made.save_as(tmp_path / "more.dcm")
    with pytest.raises(NotClean, match="0019,1025"):
        verify_clean(tmp_path / "more.dcm", profile=SAFE, identity=identity)


@pytest.mark.parametrize("is_implicit", [False, True])
def test_the_length_of_a_group_goes_from_the_items_of_a_private_sequence_that_stays(
    is_implicit, tmp_path, identity, key
):
    def element(group, number, vr, value):
        told = b"" if is_implicit else vr + (b"\0\0" if vr == b"SQ" else b"")
        length = len(value).to_bytes(4 if is_implicit or vr == b"SQ" else 2, "little")
        return struct.pack("<HH", group, number) + told + length + value

    names = [element(group, 0, b"UL", b"Okonkwo ") for group in (0x0008, 0x0019, 0x0040)]
    inside = names[0] + element(0x0008, 0x0060, b"CS", b"CT") + names[1] + names[2]
    block = element(0x2001, 0, b"UL", b"Okonkwo ") + element(0x2001, 0x0010, b"LO", b"Philips Imaging DD 001")
    block += element(0x2001, 0x1069, b"SQ", struct.pack("<HHL", 0xFFFE, 0xE000, len(inside)) + inside)
    an_image(syntax=ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian).save_as(tmp_path / "in.dcm")
    data = (tmp_path / "in.dcm").read_bytes()
    at = data.index(b"\x28\0\x02\0")
    clean_file(
        BytesIO(data[:at] + block + data[at:]), tmp_path / "out.dcm", profile=SAFE, identity=identity, subject_key=key
    )
    verify_clean(tmp_path / "out.dcm", profile=SAFE, identity=identity)
    (inner,) = pydicom.dcmread(tmp_path / "out.dcm")[0x20011069].value
    assert list(inner.keys()) == [0x00080060]
    assert b"Okonkwo" not in (tmp_path / "out.dcm").read_bytes()


@pytest.mark.parametrize("is_ruled", [False, True])
def test_what_was_written_without_vr_under_an_explicit_syntax_is_clean_once_it_is_cleaned(
    is_ruled, tmp_path, identity, key
):
    dataset = an_image(syntax=ImplicitVRLittleEndian)
    creator = MAKER if is_ruled else "GEMS_ACQU_01"
    for number, value in ((0x23, b"1       "), (0x24, b"Okonkwo ")):
        dataset.private_block(0x0019, creator, create=True).add_new(number, "UN", value)
    dataset.save_as(tmp_path / "in.dcm")
    data = (tmp_path / "in.dcm").read_bytes()
    said, meant = b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1\0"
    at = data.index(said)
    data = data[: at - 2] + len(meant).to_bytes(2, "little") + meant + data[at + len(said) :]
    data = data[:140] + (int.from_bytes(data[140:144], "little") + 2).to_bytes(4, "little") + data[144:]
    how = ruled(keep("0019,xx23", vr="DS"), keep("0019,xx24", "Z", vr="DS")) if is_ruled else SAFE
    clean_file(BytesIO(data), tmp_path / "out.dcm", profile=how, identity=identity, subject_key=key)
    verify_clean(tmp_path / "out.dcm", profile=how, identity=identity)
    made = pydicom.dcmread(tmp_path / "out.dcm")
    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (made[0x00191023].VR, made[0x00191023].value) == ("DS", 1)
    assert made[0x00191024].is_empty
