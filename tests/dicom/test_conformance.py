"""Valid in, valid out, as another program judges it: dciodvfy of dicom3tools."""

from __future__ import annotations

import shutil

import pytest

from bench.validity import IDENTITY, KEY, PROFILES, judge, violations
from tests.dicom.conftest import pydicom_files
from tests.dicom.made_objects import classes, made_object
from tests.dicom.test_plan import parsed
from trialimg.dicom.parsing.apply import Cleaning
from trialimg.dicom.parsing.dataset import write_file
from trialimg.dicom.parsing.markers import write_markers
from trialimg.dicom.rules.plan import Plan
from trialimg.dicom.standard.syntaxes import EXPLICIT

pytestmark = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
FEWEST = 90
"""Files of pydicom that can be cleaned and whose IOD dciodvfy knows."""


@pytest.mark.slow
@pytest.mark.parametrize("name", PROFILES)
def test_cleaning_pydicoms_files_adds_no_error(name):
    worse, judged = {}, 0
    for path, _name, known, found in judge(pydicom_files(), [name]):
        judged += known and found is not None
        if found:
            worse[path.name] = dict(found)
    assert worse == {}
    assert judged >= FEWEST


@pytest.mark.slow
@pytest.mark.corpora
@pytest.mark.parametrize("name", ["removed", "shifted"])
def test_cleaning_real_files_adds_no_error(corpus_files, name):
    worse, judged = {}, 0
    for path, _name, known, found in judge(corpus_files[::3], [name]):
        judged += known and found is not None
        if found:
            worse[path.name] = dict(found)
    assert worse == {}
    assert judged > 50


@pytest.mark.slow
def test_cleaning_an_object_of_any_class_adds_no_error(tmp_path):
    worse, judged, profile = {}, 0, PROFILES["removed"]
    for uid in classes():
        data = made_object(uid, depth=1)
        original, cleaned = parsed(data), parsed(data)
        cleaning = Cleaning(Plan(profile), IDENTITY.subject_number, KEY)
        cleaning.clean(cleaned)
        write_markers(cleaned, profile, IDENTITY, cleaning.codes())
        for name, dataset in (("before", original), ("after", cleaned)):
            with (tmp_path / name).open("wb") as stream:
                write_file(stream, dataset, EXPLICIT, (uid, "1.2.3"))
        before, known = violations(tmp_path / "before")
        judged += known
        if found := violations(tmp_path / "after")[0] - before:
            worse[uid] = dict(found)
    assert worse == {}
    assert judged > 80
