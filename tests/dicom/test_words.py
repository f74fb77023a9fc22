from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.make_vocabulary import NAMES, TARGET
from trialimg.dicom.words import cleaned_words, is_term, vocabulary

ROOT = Path(__file__).parents[2]


def test_the_list_of_words_is_what_its_recipe_makes():
    # In a process of its own: other libraries of the tests register attributes and UIDs with pydicom.
    order = [sys.executable, "-c", "from tools.make_vocabulary import words; print(*words())"]
    made = subprocess.run(order, check=True, capture_output=True, text=True, cwd=ROOT).stdout.split()
    assert TARGET.read_text(encoding="ascii").split() == made
    assert vocabulary() == frozenset(made)


def test_common_names_are_no_words_that_name_nobody():
    assert set(NAMES.split()) & vocabulary() == {"gray", "march"} & set(NAMES.split())


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
        ("奥孔", "REMOVED"),
        ("head\\Okonkwo\\neck", "head\\REMOVED\\neck"),
        ("", ""),
        ("   ", "   "),
    ],
)
def test_known_words_stay_and_every_other_goes(text, left):
    assert cleaned_words(text) == left
    assert cleaned_words(left) == left


@pytest.mark.parametrize("value", ["CHEST", "HFS", "SLICE_AND_FREQ", "3D", "FOR PRESENTATION", "YES", ""])
def test_terms_are_known(value):
    assert is_term(value)


@pytest.mark.parametrize("value", ["OKONKWO", "CHEST OKONKWO", "OKONKWO7", "MÜLLER", "19510203"])
def test_names_and_dates_are_no_terms(value):
    assert not is_term(value)
