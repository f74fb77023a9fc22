"""What the maker of a machine wrote stays; what tells of somebody does not, and labels that others refer to resolve."""

from __future__ import annotations

import re

import pytest

from trialimg.dicom.rules.plan import Do, Plan, Step
from trialimg.dicom.rules.unlisted import cleaned_value
from trialimg.dicom.rules.values import Values
from trialimg.dicom.standard.machine import OF_THE_MACHINE, machine_words
from trialimg.dicom.standard.table import tag_of, vr_of
from trialimg.domain.deidentification import Profile

LABELS = ("LUTLabel", "StackID", "OpticalPathIdentifier", "ReferencedOpticalPathIdentifier", "EnergyWindowName")
REFERRED_TO = ("StackID", "OpticalPathIdentifier", "ReferencedOpticalPathIdentifier")
MODELS = ("ManufacturerModelName", "Manufacturer", "SequenceName", "ConvolutionKernel", "TransducerData")
VERSIONS = ("SoftwareVersions", "AlgorithmVersion")


def judged(keyword, text):
    tag = tag_of(keyword)
    return cleaned_value(tag, vr_of(tag), text.encode(), lambda: text).decode()


@pytest.mark.parametrize("keyword", LABELS)
@pytest.mark.parametrize(
    "text", ["Otto Zwickelhuber", "Dr. Otto Zwickelhuber", "OTTO.ZWICKELHUBER", "born 12 May 1950", "MRN 441122"]
)
def test_a_label_that_anybody_may_have_written_keeps_its_known_words_only(keyword, text):
    assert keyword not in OF_THE_MACHINE
    assert not re.search("otto|zwickel|1950|12|441122", judged(keyword, text), re.IGNORECASE)


@pytest.mark.parametrize("keyword", [*MODELS, *VERSIONS])
@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Otto Zwickelhuber 45Y", "zwick|45"),
        ("Otto Zwickelhuber, 45 years", "zwick|45"),
        ("Zwickelhuber aged 45", "zwick|45"),
        ("Dr. Otto Zwickelhuber", "zwick"),
        ("Dr Zwickelhuber", "zwick"),
        ("Prof. Zwickelhuber", "zwick"),
        ("Mrs Zwickelhuber", "zwick"),
        ("Mr. Zwickelhuber", "zwick"),
        ("FRAU ZWICKELHUBER", "zwick"),
        ("born 12 May 1950", "1950|12"),
        ("DOB 12-MAY-50", "50|12"),
        ("geb. 1950", "1950"),
        ("MRN 441122", "441122"),
        ("Patient ID 441122", "441122"),
        ("Pat.-Nr. 441122", "441122"),
        ("call 089-123456", "089|123"),
    ],
)
def test_a_title_an_age_a_birth_or_a_record_number_is_nothing_that_a_machines_maker_writes(keyword, text, gone):
    assert not re.search(gone, judged(keyword, text), re.IGNORECASE)


@pytest.mark.parametrize("text", ["Zwickelhuber 12 May 1950", "12-MAY-50 Zwickelhuber", "May 1950 Zwickelhuber"])
def test_a_date_with_the_name_of_its_month_is_in_no_name_of_a_model(text):
    assert not re.search("zwick|50", judged("ManufacturerModelName", text), re.IGNORECASE)


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("ManufacturerModelName", "SOMATOM Definition AS+"),
        ("ManufacturerModelName", "Definium DR 3500"),
        ("ManufacturerModelName", "Gyroscan NT Intera MR"),
        ("ManufacturerModelName", "DR SYSTEM"),
        ("Manufacturer", "Carl Zeiss Meditec"),
        ("Manufacturer", "https://github.com/QIICR/Slicer-SUVFactorCalculator"),
        ("SoftwareVersions", "Vers. Wed May 24 09:02:14 EDT 2017"),
        ("SoftwareVersions", "syngo MR E11"),
        ("SoftwareVersions", "453561453792__OS.09.460__Operating System__[2010/06/14]_16:45"),
        ("SoftwareVersions", "1.2.3.4.5678.9"),
        ("SequenceName", "*tfl3d1_16ns"),
        ("TransducerData", "C5-1"),
        ("LUTLabel", "Philips"),
        ("StackID", "1"),
        ("EnergyWindowName", "Tc99m"),
    ],
)
def test_the_name_of_a_model_or_a_version_stays(keyword, text):
    assert judged(keyword, text) == text


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.999.77345", "1.3.46.670589.11.0", "2.25.30121", "2.16.840.1.113883"])
def test_a_uid_is_no_version(uid):
    assert uid not in machine_words(tag_of("SoftwareVersions"), "LO", uid.encode()).decode()


@pytest.fixture
def values(key):
    return Values(Plan(Profile("demo", "1")), "101-001", key)


def changed(values, keyword, text):
    tag = tag_of(keyword)
    return values.changed(tag, Step(Do.JUDGE, "", vr_of(tag)), text.encode(), lambda: text).decode().strip()


def test_a_label_that_goes_is_another_one_everywhere_so_that_references_to_it_resolve(values):
    texts = [f"Zwickelhuber {number}" for number in range(50)]
    for keyword in REFERRED_TO:
        assert [changed(values, keyword, text) for text in texts] == [changed(values, "StackID", text) for text in texts]
    made = {changed(values, "StackID", text) for text in texts}
    assert len(made) == len(texts)
    assert all(len(label) <= 16 and "Zwick" not in label for label in made)
    assert changed(values, "OpticalPathIdentifier", "1") == "1"


def test_a_new_label_stays_when_it_is_cleaned_again_and_is_another_for_another_subject(values):
    label = changed(values, "StackID", "Otto Zwickelhuber")
    assert changed(values, "StackID", label) == label
    other = Values(Plan(Profile("demo", "1")), "101-002", b"another key of 32 bytes or so...")
    assert changed(other, "StackID", "Otto Zwickelhuber") != label
