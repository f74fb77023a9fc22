"""The engine in the browser's Python: the same bytes and the same account as on the server, and nothing from elsewhere."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from bench.pyodide_run import engine_files, find_node, run_here, run_under_node
from seed_data.phantom.ct import write_ct
from seed_data.phantom.identities import PATIENT_IDENTITIES
from tests import peers
from tests.dicom.planted_objects import KINDS, plant_object
from tests.web.preview.browser import need_frontend

ALL_OPTIONS = {
    "version": "1",
    "dates": "shifted",
    "keep": ["sex", "age", "size", "weight"],
    "options": ["clean_descriptors", "clean_structured_content", "clean_graphics", "retain_device_identity"],
}
_BY_THE_PARSER = ("ExplVR_BigEnd.dcm", "image_dfl.dcm")
_ORDINARY = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm")
NOT_IN_A_BROWSER = {
    "fcntl",
    "resource",
    "multiprocessing",
    "subprocess",
    "ctypes",
    "ssl",
    "socket",
    "threading",
    "signal",
}
"""Modules that Pyodide has not, or that cannot do there what they are for."""


@pytest.fixture(autouse=True)
def node() -> None:
    need_frontend()
    peers.require(None if find_node() else "node is not here: python tools/frontend.py brings it")


def copied(folder: Path, *names: str) -> list[Path]:
    """Files that come with pydicom, in a folder of their own."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(Path(get_testdata_file(name, download=False)).read_bytes())
    return [folder / name for name in names]


def ct_slice(folder: Path, patient: int) -> Path:
    """The last slice of a small CT, as the demo's scanner writes it."""
    made = write_ct(
        folder / "study", PATIENT_IDENTITIES[patient], study_date="20260302", slices=1, size=64, study_key="p"
    )
    return made[-1].rename(folder / f"slice_of_{patient}.dcm")


def compare(files: list[Path], tmp_path: Path, **given):
    """Clean the same files here and there; everything that comes out must be equal."""
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    results, report = run_here(files, here, **given)
    ran = run_under_node(files, there, **given, everything=True)
    assert ran.results == results
    assert ran.report == report
    assert sorted(path.name for path in there.iterdir()) == sorted(path.name for path in here.iterdir())
    for path in here.iterdir():
        assert (there / path.name).read_bytes() == path.read_bytes(), path.name
    return ran


@pytest.mark.slow
@pytest.mark.parametrize("profile", [{"version": "1"}, ALL_OPTIONS], ids=["basic", "options"])
def test_what_is_cleaned_under_pyodide_is_byte_for_byte_what_the_server_makes(tmp_path, profile):
    files = copied(tmp_path / "in", *_ORDINARY, *_BY_THE_PARSER)
    files += [ct_slice(tmp_path / "in", patient) for patient in (0, 4)]
    for kind in KINDS:
        files.append(tmp_path / "in" / f"planted_{kind}.dcm")
        plant_object(kind, files[-1])
    ran = compare(files, tmp_path, profile=profile)
    assert not any("refused" in each for each in ran.results)
    assert ran.loaded_the_parser


@pytest.mark.slow
def test_what_is_refused_here_is_refused_there_in_the_same_words(tmp_path):
    files = copied(tmp_path / "in", "CT_small.dcm")
    whole = files[0].read_bytes()
    for name, data in (("cut", whole[: len(whole) // 2]), ("text", b"Dear Sir or Madam, " * 20), ("empty", b"")):
        files.append(tmp_path / "in" / name)
        files[-1].write_bytes(data)
    ran = compare(files, tmp_path)
    assert ["refused" in each for each in ran.results] == [False, True, True, True]


@pytest.mark.slow
def test_the_browser_needs_no_more_than_the_engine_and_loads_the_parser_only_for_a_file_that_wants_it(tmp_path):
    files = copied(tmp_path / "in", *_ORDINARY)
    ran = run_under_node(files, tmp_path)
    assert not ran.loaded_the_parser
    assert all("sha256" in each for each in ran.results)
    ran = run_under_node(files[:1], tmp_path, everything=True)
    modules = {
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for name in engine_files()
        if name.endswith(".py")
    }
    assert {"trialimg", *ran.modules} == modules
    assert {name.split(".")[1] for name in ran.modules} == {"errors", "domain", "dicom"}


def test_the_engine_asks_for_nothing_that_a_browser_has_not():
    wanted = set()
    for name, path in engine_files().items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                wanted |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                wanted.add((node.module or "").split(".")[0])
    assert {"hashlib", "re", "struct", "pydicom", "trialimg"} <= wanted
    assert not wanted & NOT_IN_A_BROWSER
    assert wanted - {"pydicom", "trialimg"} <= sys.stdlib_module_names
