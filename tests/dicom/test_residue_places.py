"""Whoever is named in a place that an object may have, is searched for in all others."""

from __future__ import annotations

import struct

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from tests.dicom.planted_objects import write_as_it_stands
from trialimg.dicom.deidentify import clean_file
from trialimg.domain.deid_rule import Rule

NAME = "Zwickelhuber"
PEOPLE = ("HumanPerformerName", "InterpretationAuthor", "InterpretationRecorder", "InterpretationTranscriber")
PLACES = (
    *("HumanPerformerOrganization", "ResponsibleOrganization", "RegionOfResidence", "CurrentPatientLocation"),
    *("ClinicalTrialSiteName", "ClinicalTrialSiteID", "ScheduledStationName", "SpecimenIdentifier"),
    *("ContainerIdentifier", "ScheduledProcedureStepID", "PerformedProcedureStepID"),
)


def hold_of(original, tmp_path, **given):
    write_as_it_stands(original, tmp_path / "in.dcm")
    return clean_file(tmp_path / "in.dcm", tmp_path / "out.dcm", **given).hold_reason or ""


@pytest.mark.parametrize("keyword", PEOPLE + PLACES)
def test_what_is_named_in_one_place_is_found_in_another(keyword, tmp_path, profile, identity, key):
    for nested in (False, True):
        original = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
        place = Dataset() if nested else original
        setattr(place, keyword, f"{NAME}^Otto" if keyword in PEOPLE else f"{NAME} 77881")
        if nested:
            original.RequestAttributesSequence = [place]
        original.SoftwareVersions = NAME if keyword in PEOPLE else f"{NAME} 77881"
        held = hold_of(original, tmp_path, profile=profile, identity=identity, subject_key=key)
        assert "(0018,1020)" in held


@pytest.mark.parametrize("vr", ["AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV"])
def test_a_name_in_private_numbers_that_a_rule_keeps_is_found(vr, tmp_path, profile, identity, key):
    original = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    original.PatientName = f"{NAME}^Otto"
    rules = (Rule(0x00190001, "K", "the reason", "ACME", vr),)
    tag = Tag(original.private_block(0x19, "ACME", create=True).get_tag(1))
    for value in (f"{NAME} was in here".encode(), struct.pack("<6d", 1, 2.5, 3, 4, 5, 6)):
        original[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
        held = hold_of(original, tmp_path, profile=profile._replace(rules=rules), identity=identity, subject_key=key)
        assert (f"(0019,{tag.element:04X})" in held) == (NAME.encode() in value)
