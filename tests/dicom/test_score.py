"""The answer key in the manner of MIDI-B, over pydicom's files; ``make deid-score`` has the corpora too."""

from __future__ import annotations

from collections import Counter

import pydicom
import pytest

from tests.dicom.conftest import pydicom_files
from tools import deid_score
from tools.deid_score import LEAST_RIGHT, PROFILE, score_file, score_files
from trialimg.dicom import deidentify


@pytest.fixture(scope="module")
def score():
    return score_files(pydicom_files())


@pytest.mark.parametrize(
    "action",
    ["text removed", "date shifted", "uid changed", "uid consistent", "patient id consistent", "pixels retained", "pixels hidden"],
)
def test_every_removal_shift_consistency_and_pixel_check_is_right(score, action):
    assert score.share(action) == 1.0, score.where


def test_the_attributes_and_the_words_that_research_needs_stay(score):
    assert score.share("tag retained") >= LEAST_RIGHT, score.where
    assert score.share("text retained") >= LEAST_RIGHT, score.where
    assert score.right.total() >= LEAST_RIGHT * score.checks
    assert score.checks > 5000
    assert score.files["cleaned"] + score.files["held"] > 60


def test_a_leak_a_lost_tag_and_other_pixels_are_counted_as_wrong(tmp_path, monkeypatch):
    """What is scored is the file, not what the engine says: one that does next to nothing scores badly."""
    source = next(path for path in pydicom_files() if path.name == "CT_small.dcm")

    def lazy(stream, target, **_given):
        stream.seek(0)
        dataset = pydicom.dcmread(stream)
        dataset.PixelData = dataset.PixelData[::-1]
        del dataset.KVP
        dataset.StudyDescription = "REMOVED"
        dataset.save_as(target)
        monkeypatch.undo()
        return deidentify.clean_file(source, tmp_path / "other.dcm", profile=PROFILE, **_subject)

    _subject = {"identity": deid_score._IDENTITY, "subject_key": deid_score.KEY}
    monkeypatch.setattr(deid_score, "clean_file", lazy)
    score = deid_score.Score()
    score_file(score, source, 1, tmp_path)
    wrong = Counter({action: score.wrong[action] for action in score.wrong})
    assert wrong["text removed"] > 5
    assert wrong["uid changed"] > 2
    assert wrong["date shifted"] > 1
    assert wrong["patient id consistent"] == wrong["pixels retained"] == 1
    assert wrong["tag retained"] == 1
    assert wrong["text retained"] >= 1


def scored(monkeypatch, tmp_path, spoil, name="CT_small.dcm"):
    """Score a file that is cleaned well and then spoilt."""
    source = next(path for path in pydicom_files() if path.name == name)

    def clean_and_spoil(stream, target, **given):
        made = deidentify.clean_file(stream, target, **given)
        dataset = pydicom.dcmread(target)
        spoil(dataset)
        dataset.save_as(target)
        return made

    monkeypatch.setattr(deid_score, "clean_file", clean_and_spoil)
    score = deid_score.Score()
    score_file(score, source, 1, tmp_path)
    return score


def test_a_date_that_is_gone_is_no_date_that_was_shifted(tmp_path, monkeypatch):
    score = scored(monkeypatch, tmp_path, lambda dataset: setattr(dataset, "StudyDate", ""))
    assert score.where == {("date shifted", "StudyDate stands"): 1}


def test_one_uid_for_all_is_not_consistent(tmp_path, monkeypatch):
    def level(dataset):
        dataset.SeriesInstanceUID = dataset.StudyInstanceUID

    score = scored(monkeypatch, tmp_path, level)
    assert score.wrong == {"uid consistent": 1}


def test_a_uid_that_is_left_is_found_behind_one_that_begins_alike(tmp_path, monkeypatch):
    old = pydicom.dcmread(next(path for path in pydicom_files() if path.name == "CT_small.dcm")).StudyInstanceUID

    def leave(dataset):
        dataset.add_new(0x00080058, "UI", [f"{old}.1", str(old)])

    assert scored(monkeypatch, tmp_path, leave).wrong["uid changed"] == 1


def test_a_name_that_is_left_is_found_in_a_deflated_file(tmp_path, monkeypatch):
    def leave(dataset):
        dataset.PatientComments = "Zq0001x00"

    score = scored(monkeypatch, tmp_path, leave, name="image_dfl.dcm")
    assert score.wrong["text removed"] == 1


def test_a_picture_that_was_not_covered_is_counted_as_wrong(tmp_path, monkeypatch):
    source = next(path for path in pydicom_files() if path.name == "CT_small.dcm")
    monkeypatch.setattr(deid_score, "write_masked", lambda clean, masked, mask: masked.write_bytes(clean.read_bytes()))
    score = deid_score.Score()
    score_file(score, source, 0, tmp_path)
    assert score.wrong["pixels hidden"] == 2


def a_score(**wrong):
    score = deid_score.Score()
    score.right["text removed"], score.files["cleaned"], score.files["held"] = 20_000, 290, 10
    score.wrong.update(wrong)
    return score


@pytest.mark.parametrize(
    ("wrong", "least", "least_files", "good"),
    [
        ({}, 20_000, 300, True), ({}, 20_001, 300, False), ({}, 20_000, 301, False), ({"tag retained": 9}, 20_000, 300, True),
        ({"tag retained": 11}, 20_000, 300, False), *(({action: 1}, 20_000, 300, False) for action in deid_score.MUST_BE_RIGHT),
    ],
)  # fmt: skip
def test_a_score_is_good_only_with_enough_checks_and_files_and_where_no_removal_is_wrong(wrong, least, least_files, good):
    assert deid_score.is_good(a_score(**wrong), least=least, least_files=least_files) is good
