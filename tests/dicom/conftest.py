from __future__ import annotations

import os
from pathlib import Path

import pydicom
import pytest

from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.domain.pseudonym import site_key, subject_key


@pytest.fixture
def profile() -> Profile:
    """The demo trial's: study dates, sex, age, size and weight stay."""
    return Profile("demo", "1", "kept", keep_sex=True, keep_age=True, keep_size=True, keep_weight=True)


@pytest.fixture
def identity() -> SubjectIdentity:
    return SubjectIdentity("Sponsor", "PROT-1", "A phase II", "101", "Site one", "101-001", "W8", "Week 8")


@pytest.fixture
def key() -> bytes:
    return subject_key(site_key(b"k" * 32, "101"), "101-001")


def pydicom_files() -> list[Path]:
    """The files that come with pydicom, named without asking for others."""
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    return sorted(path for path in folder.rglob("*") if path.is_file())


def corpora() -> Path:
    return Path(os.environ.get("TRIALIMG_CORPORA", Path(__file__).parents[3] / "shared" / "corpora")) / "dicom"


@pytest.fixture
def corpus_files() -> list[Path]:
    """A sample of real files; whoever has none is told so."""
    folder = corpora()
    if not folder.is_dir():
        pytest.skip(f"the shared corpora are not here ({folder}); set TRIALIMG_CORPORA")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for number, path in enumerate(files) if "dcm_qa_nih" not in path.parts or number % 20 == 0]
