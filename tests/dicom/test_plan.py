from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from pydicom.config import RAISE
from pydicom.filereader import read_dataset
from pydicom.valuerep import validate_value

from tests.dicom.made_objects import classes, made_object
from trialimg.dicom.parsing.apply import Cleaning
from trialimg.dicom.rules.actions import _OTHER_STATES, BEYOND
from trialimg.dicom.rules.plan import Do, Plan
from trialimg.dicom.rules.values import dummy
from trialimg.dicom.standard import iod
from trialimg.dicom.standard.table import confidentiality_table, keyword_of, vr_of
from trialimg.domain.deid_rule import Rule
from trialimg.domain.deidentification import OPTIONS, Profile

CT, RTSTRUCT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.481.3"
RADIATION_RECORD = "1.2.840.10008.5.1.4.1.1.481.17"  # where an operator overrides a violated tolerance
PROTOCOL_APPROVAL = "1.2.840.10008.5.1.4.1.1.200.3"
ENHANCED_MR, COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.88.33"
TELLS_NOTHING = {Do.REMOVE, Do.EMPTY, Do.DUMMY, Do.MAP_UID, Do.NAME, Do.CLEAN_ITEMS}
PROFILES = {
    "removed": Profile("demo", "1", "removed"),
    "shifted": Profile("demo", "1", "shifted", keep_age=True),
    "kept": Profile("demo", "1", "kept", keep_sex=True, keep_age=True, keep_size=True, keep_weight=True),
    "options": Profile("demo", "1", "shifted", chosen=frozenset(OPTIONS), safe_private="curated"),
}


def step(sop_class, tag, *, path=(), present=None, profile=PROFILES["removed"]):
    plan = Plan(profile)
    place = plan.place(iod.place_of(sop_class, present))
    for sequence in path:
        place = place.inside(sequence)
    return place.step(tag, vr_of(tag).split(" or ")[0])


@pytest.mark.parametrize("kind", ["1", "2", "3"])
def test_every_row_of_the_table_is_obeyed_whatever_the_type(kind, monkeypatch):
    monkeypatch.setattr("trialimg.dicom.rules.plan.type_at", lambda at, tag: kind)
    place = Plan(PROFILES["removed"]).place(())
    wanted = {"1": Do.DUMMY, "2": Do.EMPTY}
    for tag, row in confidentiality_table().rows.items():
        vr = vr_of(tag).split(" or ")[0]
        made = place.step(tag, vr)
        assert made.do in TELLS_NOTHING, (hex(tag), row)
        if not vr or tag > 0x7FE00010 or tag >> 16 in {0, 0x0012} or tag in {*BEYOND, *_OTHER_STATES}:
            continue
        if made.do is Do.CLEAN_ITEMS:
            assert kind == "1" or row.basic in {"D", "X/Z/U*"}, (hex(tag), row)
        elif vr not in {"SQ", "UI"} and made.do is not Do.NAME and tag != 0x00200010:
            assert made.do is (Do.DUMMY if row.basic == "D" else wanted.get(kind, Do(row.basic[0]))), (hex(tag), row)


def test_what_nobody_knows_is_removed():
    place = Plan(PROFILES["kept"]).root(CT, set())
    for tag, vr in ((0x00091001, "LO"), (0x00089876, "LO"), (0x00104321, "UN"), (0x50000010, "US"), (0x60003000, "OW")):
        assert place.step(tag, vr).do is Do.REMOVE
    assert place.step(0x00280010, "LO").do is Do.REMOVE  # Rows written as text is no Rows
    assert place.step(0x00280010, "US").do is Do.JUDGE
    assert place.step(0x00081190, "UR").do is Do.REMOVE  # Retrieve URL


def test_one_attribute_is_removed_emptied_or_given_a_dummy_as_its_class_wants_it():
    content_date = 0x00080023
    assert step(CT, content_date).do is Do.EMPTY  # of Type 2C there: whoever has it may have it empty
    assert step(ENHANCED_MR, content_date).do is Do.DUMMY
    assert step(RTSTRUCT, 0x00081010).do is Do.REMOVE  # station name
    assert step(CT, 0x00181030).do is Do.REMOVE  # protocol name
    assert step(CT, 0x00180010).do is Do.EMPTY  # contrast agent: Type 2 of a module that is not demanded
    assert step(COMPREHENSIVE_SR, 0x0040A160, path=(0x0040A730, 0x0040A730, 0x0040A730)).do is Do.DUMMY


def test_an_attribute_of_a_module_that_the_object_has_not_is_optional():
    device_serial_number = 0x00181000
    enhanced_equipment = {0x00080070, 0x00081090, device_serial_number, 0x00181020}
    sr = "1.2.840.10008.5.1.4.1.1.88.71"  # acquisition context SR: enhanced general equipment is demanded
    assert step(sr, device_serial_number, present=set()).do is Do.DUMMY
    us_volume = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    assert step(us_volume, device_serial_number, present={device_serial_number}).do is Do.REMOVE
    assert step(CT, device_serial_number, present=enhanced_equipment).do in {Do.REMOVE, Do.DUMMY}


def test_a_code_that_identifies_becomes_one_legal_dummy_code():
    person = 0x00401101  # Person Identification Code Sequence
    assert step(CT, person, path=(0x00081072,)).do is Do.DUMMY
    dataset = parsed(made_object(RADIATION_RECORD, depth=4))
    Cleaning(Plan(PROFILES["removed"]), "101-001", b"k" * 32).clean(dataset)
    found = [e for e in dataset.iterall() if e.tag == person]
    assert found
    for element in found:
        (item,) = element.value
        assert (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) == ("REMOVED", "99TRIALIMG", "REMOVED")
        assert len(item) == 3


def test_a_rule_of_the_trial_cannot_make_an_object_invalid():
    manufacturer, rows = 0x00080070, 0x00280010
    ruled = Profile("demo", "1", rules=(Rule(manufacturer, "X", ""), Rule(rows, "X", "")))
    assert step(CT, manufacturer, profile=ruled).do is Do.EMPTY  # Type 2
    assert step(ENHANCED_MR, manufacturer, profile=ruled).do is Do.DUMMY  # Type 1


def test_an_empty_value_is_given_no_dummy():
    dataset = pydicom.Dataset()
    dataset.SOPClassUID, dataset.ContentDate, dataset.ContentTime = ENHANCED_MR, "", "101500"
    Cleaning(Plan(PROFILES["removed"]), "101-001", b"k" * 32).clean(dataset)
    assert dataset.ContentDate == ""
    assert dataset.ContentTime == "000000"


def parsed(data):
    return read_dataset(BytesIO(data), is_implicit_VR=False, is_little_endian=True)


@pytest.mark.parametrize("uid", classes())
def test_an_object_of_every_class_keeps_what_its_types_demand(uid):
    for name, depth in (("removed", 2), ("shifted", 1), ("kept", 1), ("options", 1)):
        keeps_what_its_types_demand(uid, made_object(uid, depth=depth), PROFILES[name])


@pytest.mark.slow
@pytest.mark.parametrize("uid", [ENHANCED_MR, COMPREHENSIVE_SR, RTSTRUCT, RADIATION_RECORD, PROTOCOL_APPROVAL])
def test_an_object_keeps_what_its_types_demand_at_any_depth(uid):
    keeps_what_its_types_demand(uid, made_object(uid, depth=5), PROFILES["removed"])


def keeps_what_its_types_demand(uid, data, profile):
    original, cleaned = parsed(data), parsed(data)
    Cleaning(Plan(profile), "101-001", b"k" * 32).clean(cleaned)
    place = iod.place_of(uid, {int(tag) for tag in original.keys()})  # noqa: SIM118 - iterating decodes
    assert list(missing(original, cleaned, place, "")) == []
    for element in cleaned.iterall():
        if element.VR not in {"SQ", "OB", "OD", "OF", "OL", "OV", "OW", "UN", "AT"} and element.value not in (None, ""):
            for value in [element.value] if isinstance(element.value, (str, int, float)) else element.value:
                validate_value(element.VR, str(value) if element.VR in {"DS", "IS"} else value, RAISE)


def missing(before, after, place, path):
    """What of Type 1 has no value and what of Type 2 is not there, though it was."""
    for element in before:
        tag, kind = int(element.tag), iod.type_at(place, int(element.tag))
        where = f"{path}{keyword_of(tag)} ({kind})"
        if tag not in after:
            conditional_claim = tag >> 16 == 0x0012 and kind in {"1C", "2C"}  # demanded by others of its group only
            if kind != "3" and tag not in _OTHER_STATES and not conditional_claim:
                yield where
        elif kind in {"1", "1C"} and after[tag].is_empty:
            yield where
        elif element.VR == "SQ" and len(after[tag].value) and not is_dummy(after[tag].value):
            for one, other in zip(element.value, after[tag].value, strict=True):
                yield from missing(one, other, iod.inside(place, tag), f"{where}.")


def is_dummy(items):
    return items[0].get("CodeValue") == dummy("SH").decode() and len(items[0]) == 3
