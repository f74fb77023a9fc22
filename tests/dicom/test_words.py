from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.make_vocabulary import BOTH, NAMES, TARGET
from trialimg.dicom.standard.words import cleaned_words, is_term, vocabulary

ROOT = Path(__file__).parents[2]


def test_the_list_of_words_is_what_its_recipe_makes():
    # In a process of its own: other libraries of the tests register attributes and UIDs with pydicom.
    order = [sys.executable, "-c", "from tools.make_vocabulary import words; print(*words())"]
    made = subprocess.run(order, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split()
    assert TARGET.read_text(encoding="ascii").split() == made
    assert vocabulary() == frozenset(made)


def test_common_names_are_no_words_but_those_that_somebody_decided_on():
    assert set(NAMES.split()) & vocabulary() == {"gray"}
    text = Path(__file__).with_name("common_names.txt").read_text(encoding="ascii")
    common = {word for line in text.splitlines() if not line.startswith("#") for word in line.split()}
    assert len(common) > 1600
    assert common & vocabulary() <= set(BOTH.split())
    assert set(BOTH.split()) <= vocabulary()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("CT CHEST W CONTRAST, Okonkwo, 93Y", "CT CHEST W CONTRAST"),
        ("CT CHEST W CONTRAST", "CT CHEST W CONTRAST"),
        ("T1 axial 3D", "T1 axial 3D"),
        ("ReferencedSegmentNumber", "ReferencedSegmentNumber"),
        ("RGB(37, 231, 253)", "RGB(37, 231, 253)"),
        ("Created by OpenJPEG version 2.5.2", "Created by OpenJPEG version 2.5.2"),
        ("head 03.02.1951", "head"),
        ("chest 2024-03-11", "chest"),
        ("head 4711081", "head"),
        ("Müller", "REMOVED"),
        ("CT CHEST W CONTRAST JONES 067Y", "CT CHEST W CONTRAST"),
        ("XR CHEST AP PORTABLE for Scott Kaufman", "XR CHEST AP PORTABLE for"),
        ("CT ABD/PEL W & W/O C", "CT ABD/PEL W & W/O C"),
        ("t2_tse_dark-fluid_tra_p2 3.0mm", "t2_tse_dark-fluid_tra_p2 3.0mm"),
        ("ep2d_diff_b1000 FLAIR MPRAGE T1W GD", "ep2d_diff_b1000 FLAIR MPRAGE T1W GD"),
        ("MRT Oberbauch nativ", "MRT Oberbauch nativ"),
        ("IRM genou gauche sans injection", "IRM genou gauche sans injection"),
        ("RM rodilla sin contraste", "RM rodilla sin contraste"),
        ("IRM cérébrale sans injection", "IRM cerebrale sans injection"),
        ("Schädel nativ, Müller", "Schaedel nativ"),
        ("ADC mm²/s b=1000", "ADC mm2/s b=1000"),
        ("JPEG 2000 irreversible (lossy) 18:1", "JPEG 2000 irreversible (lossy) 18:1"),
        ("06 12 34 56 78", "REMOVED"),
        ("T1 post gad 0.1 mmol/kg", "T1 post gad 0.1 mmol/kg"),
        ("FDG 370 MBq", "FDG 370 MBq"),
        ("120 kV 200 mAs", "120 kV 200 mAs"),
        ("head Mas", "head"),
        ("matrix 1024x1024", "matrix 1024x1024"),
        ("voxel 24x38x3", "voxel 24x38x3"),
        ("chest 12x05x1950", "chest"),
        ("chest 1950x12", "chest"),
        ("chest 441122x512", "chest"),
        ("Patient no 123", "REMOVED"),
        ("CHEST PAT.-NR. 123", "CHEST"),
        ("chest, record number: 12", "chest"),
        ("chest MRN 12", "chest"),
        ("Patient position 2", "Patient position 2"),
        ("Series number 3", "Series number 3"),
        ("from http://test.org/specimens of chest", "from of chest"),
        ("https://github.com/dcmjs-org/dcmjs", "REMOVED"),
        ("www.hospital.org head", "head"),
        ("hospital.test.org", "REMOVED"),
        ("mail chest@head.example of head", "of head"),
        ("cornerstoneTools@^4.0.0:Length", "cornerstoneTools@^4.0.0:Length"),
        ("tel. 030 555 012 3", "REMOVED"),
        ("19 51 02 03", "REMOVED"),
        ("axial 03:02:51", "axial"),
        ("2/51", "REMOVED"),
        ("3 Feb 51", "REMOVED"),
        ("head 3. Februar", "head"),
        ("brain, aged 97", "brain"),
        ("O K O N K W O", "REMOVED"),
        ("O.K.O.N.K.W.O", "REMOVED"),
        ("OkOnKwO", "REMOVED"),
        ("MaRy", "REMOVED"),
        ("AB12CD34EF", "REMOVED"),
        ("奥孔", "REMOVED"),
        ("head\\Okonkwo\\neck", "head\\REMOVED\\neck"),
        ("", ""),
        ("   ", "   "),
    ],
)
def test_known_words_stay_and_every_other_goes(text, left):
    assert cleaned_words(text) == left
    assert cleaned_words(left) == left


def test_the_trials_own_words_stay_in_any_case_and_inside_others():
    assert cleaned_words("ZAUBER 3D Zauber", frozenset({"zauber"})) == "ZAUBER 3D Zauber"
    assert cleaned_words("ZAUBER 3D") == "3D"


@given(st.text(max_size=60))
def test_cleaning_again_changes_nothing(text):
    once = cleaned_words(text)
    assert cleaned_words(once) == once


@pytest.mark.parametrize("value", ["CHEST", "HFS", "SLICE_AND_FREQ", "3D", "FOR PRESENTATION", "YES", ""])
def test_terms_are_known(value):
    assert is_term(value)


@pytest.mark.parametrize("value", ["OKONKWO", "CHEST OKONKWO", "OKONKWO7", "MÜLLER", "19510203"])
def test_names_and_dates_are_no_terms(value):
    assert not is_term(value)


@pytest.mark.parametrize(
    "unit", ["a", "9", "aB", "(", "( )", "1/", "97 y", "3 Feb ", "12.12.", "a.b", "http://", "x@", "A. ", "head ", "- "]
)
def test_a_text_made_to_take_long_comes_to_an_end(unit):
    """Each pass is bounded, and so is their number; a text that would change for ever is given up."""
    once = cleaned_words(unit * (100_000 // len(unit)))
    assert cleaned_words(once) == once


@pytest.mark.parametrize(
    "text",
    ["CT HEAD 91F", "CT HEAD 91 m", "F/91 CT HEAD", "CT 91/F HEAD", "CT HEAD M/101", "CT HEAD 64-M", "CT HEAD 64/w"],
)
def test_an_age_beside_a_sex_goes(text):
    assert cleaned_words(text) == "CT HEAD"


@pytest.mark.parametrize(
    "text",
    ["18F FDG PET", "F18 FDG", "F-18", "99mTc bone", "99m Tc", "68Ga", "3D 60 W", "T2 64 Matrix", "60 mGy", "B30f"],
)
def test_an_isotope_and_a_measure_are_no_age(text):
    assert cleaned_words(text) == text
