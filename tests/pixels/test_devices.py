"""Rules of known devices, and what lies outside of an ultrasound's regions."""

from __future__ import annotations

import json
from importlib.resources import files
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from tests.pixels.rendered import image, written
from trialimg.dicom.files.captures import known_captures
from trialimg.dicom.files.header import read_facts
from trialimg.dicom.files.screen import pixel_risk
from trialimg.domain.mask import Box
from trialimg.pixels.devices import OUTSIDE, known_devices, outside_the_regions, rule_for
from trialimg.pixels.propose import propose

SPOTS = st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(1, 40), st.integers(1, 30))


def header(**attributes: object) -> Dataset:
    dataset = Dataset()
    dataset.Modality, dataset.Rows, dataset.Columns = "US", 600, 800
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def region(x: int, y: int, width: int, height: int) -> Dataset:
    item = Dataset()
    item.RegionLocationMinX0, item.RegionLocationMinY0 = x, y
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = x + width - 1, y + height - 1
    return item


PAGE = {
    "Modality": "CT", "Manufacturer": "TOSHIBA", "ManufacturerModelName": "Aquilion ONE", "Rows": 512, "Columns": 512,
    "ImageType": ["DERIVED", "SECONDARY", "AXIAL"],
}  # fmt: skip
RADIOGRAPH = {
    "Modality": "DX", "Manufacturer": "Canon", "ManufacturerModelName": "CXDI-50G", "Rows": 2672, "Columns": 2200
}  # fmt: skip
CLASSES = {"CT": "2", "NM": "20", "PT": "128"}


def test_what_a_rule_covers_is_held_so_that_a_person_is_asked_at_all():
    """Of classes whose pictures usually show none; ultrasound is held by its class."""
    ct = read_facts(Path(get_testdata_file("CT_small.dcm")))
    rules = [rule for rule in known_devices() if rule.get("modality") != "US"]
    assert len(rules) > 15
    for rule in rules:
        modality = rule.get("modality", "DX")
        facts = ct._replace(
            sop_class_uid="1.2.840.10008.5.1.4.1.1." + CLASSES.get(modality, "1.1.1"), modality=modality,
            manufacturer=rule["manufacturer"].upper(), model=rule.get("model", ""), rows=rule.get("rows", 512),
            columns=rule.get("columns", 512), image_type=("DERIVED", "PRIMARY", rule.get("image_type", "")),
            series_description=rule.get("description", ""), software=rule.get("software", ""),
        )  # fmt: skip
        assert pixel_risk(facts), rule
        assert pixel_risk(facts._replace(image_type=("ORIGINAL", rule.get("image_type", "PRIMARY")))), rule


def test_the_screening_asks_the_devices_under_the_same_conditions():
    conditions = [{key: rule[key] for key in rule if key not in {"boxes", "source"}} for rule in known_devices()]
    for rule in known_captures():
        assert rule in conditions


def test_every_rule_has_a_source_and_lies_on_an_image_of_its_size():
    data = json.loads(files("trialimg.pixels").joinpath("data/devices.json").read_text("utf-8"))
    assert len(known_devices()) == len(data["rules"]) > 70
    assert {rule["source"] for rule in data["rules"]} == set(data["sources"])
    for rule in data["rules"]:
        for x, y, width, height in rule["boxes"]:
            box = Box(x, y, width or rule.get("columns", 4000), height)
            assert box.clipped(rule.get("columns", 4000), rule.get("rows", 4000)) == box, rule


@pytest.mark.parametrize(
    ("attributes", "name", "boxes"),
    [
        ({"Manufacturer": "Philips Medical Systems", "ManufacturerModelName": "iU22"}, "Philips iU22, 600 rows", [Box(0, 0, 800, 59)]),
        ({"Manufacturer": "PHILIPS", "ManufacturerModelName": "IU22", "Rows": 768, "Columns": 1024}, "Philips iU22, 768 rows", [Box(0, 0, 1024, 75)]),
        ({"Manufacturer": "GE Healthcare", "ManufacturerModelName": "LOGIQE9"}, "GE LOGIQE9", [Box(0, 0, 800, 70)]),
        ({"Manufacturer": "GE Healthcare", "ManufacturerModelName": "LOGIQ E9"}, "GE LOGIQE9", [Box(0, 0, 800, 70)]),
        ({**PAGE}, "Toshiba Aquilion ONE, 512 rows", [Box(0, 0, 410, 240)]),
        ({**PAGE, "WindowWidth": 1}, "Toshiba Aquilion ONE, 512 rows", [Box(0, 0, 410, 240)]),
        ({**RADIOGRAPH, "SoftwareVersions": "V4.2"}, "Canon CXDI, 2672 rows", [Box(0, 0, 2200, 64)]),
        ({"Manufacturer": "GE MEDICAL SYSTEMS", "Modality": "CT", "SeriesDescription": "Dose Report"}, "GE", [Box(0, 0, 800, 110)]),
        ({"Manufacturer": "SIEMENS", "ManufacturerModelName": "ACUSON S2000", "Rows": 768, "Columns": 1024}, "Siemens S2000, 768 rows", [Box(0, 0, 1024, 60)]),
    ],
)  # fmt: skip
def test_a_device_is_known_by_maker_model_and_size(attributes, name, boxes):
    rule = rule_for(header(**attributes))
    assert rule is not None
    assert (rule.name, list(rule.boxes)) == (name, boxes)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"Manufacturer": "Philips", "ManufacturerModelName": "iU22", "Rows": 601},
        {"Manufacturer": "Philips", "ManufacturerModelName": "iU22", "Modality": "OT"},
        {"Manufacturer": "Nobody", "ManufacturerModelName": "iU22"},
        {"Manufacturer": "Philips"},
        {**PAGE, "WindowWidth": 400},
        {**RADIOGRAPH, "SoftwareVersions": "V7.0"},
    ],
)
def test_a_device_nobody_listed_has_no_rule(attributes):
    assert rule_for(header(**attributes)) is None


@given(st.lists(SPOTS, min_size=1, max_size=4))
def test_outside_the_regions_covers_every_other_pixel_but_slivers_and_none_of_theirs(spots):
    dataset = header(Rows=70, Columns=100, SequenceOfUltrasoundRegions=[region(*spot) for spot in spots])
    inside, outside = np.zeros((70, 100), bool), np.zeros((70, 100), bool)
    for x, y, width, height in spots:
        inside[y : y + height, x : x + width] = True
    for box in outside_the_regions(dataset):
        outside[box.y : box.bottom, box.x : box.right] = True
    assert not (inside & outside).any()
    left = ~inside & ~outside
    for y, x in np.argwhere(left):  # what neither covers is nowhere six pixels wide and high
        assert not left[y : y + 6, x : x + 6].all() or left[y : y + 6, x : x + 6].size < 36


def test_an_image_without_regions_or_with_nonsense_has_none_outside():
    assert outside_the_regions(header()) == ()
    assert outside_the_regions(header(SequenceOfUltrasoundRegions=[Dataset()])) == ()


def test_boxes_of_a_rule_are_told_from_text_and_text_under_them_is_not_told_twice():
    frames = np.zeros((600, 800), np.uint8)
    shown = image(frames, Manufacturer="Philips", ManufacturerModelName="iU22")
    told = propose(BytesIO(written(shown)))
    assert (told["device"], told["boxes"]) == ("Philips iU22, 600 rows", [[None, 0, 0, 800, 59, 1.0]])
    regions = image(frames, SequenceOfUltrasoundRegions=[region(0, 60, 800, 540)])
    assert propose(BytesIO(written(regions)))["device"] == OUTSIDE
