"""What is printed by the program agrees with it, and what is written by hand names only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools.make_docs import an_app, documents

WRITTEN = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return documents(an_app(tmp_path_factory.mktemp("docs")))


@pytest.mark.parametrize("name", ["settings.md", "permissions.md", "pipeline.md", "deidentification.md"])
def test_a_printed_document_is_what_the_program_prints(printed: dict[str, str], name: str) -> None:
    assert (ROOT / "docs" / name).read_text("utf-8") == printed[name], "run: python tools/make_docs.py"


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_every_link_of_a_document_leads_to_a_file(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_every_file_a_document_names_exists(path: Path) -> None:
    folders = "trialimg|tests|tools|bench|deploy|forms|docs|seed_data|migrations"
    named = re.findall(rf"`((?:{folders})/[\w./-]+)`", path.read_text("utf-8"))
    # A name in capitals stands for any: KEY.yaml.
    assert [n for n in named if not (ROOT / n).exists() and not re.search(r"/[A-Z]+\.", n)] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_every_setting_a_document_names_is_one(printed: dict[str, str], path: Path) -> None:
    named = set(re.findall(r"TRIALIMG_[A-Z_]+", path.read_text("utf-8"))) - {"TRIALIMG_SETTINGS"}
    assert {name for name in named if f"`{name}`" not in printed["settings.md"]} == set()
