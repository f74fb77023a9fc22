"""Valid in, valid out, as another program judges it: dciodvfy of dicom3tools."""

from __future__ import annotations

import shutil

import pytest

from bench.validity import PROFILES, judge
from tests.dicom.conftest import pydicom_files

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
