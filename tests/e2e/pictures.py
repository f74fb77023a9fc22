"""Keeps the pictures of the walk, and says at the end of the tests where they are; a plugin of the whole suite."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import pytest

_KEPT: Final = Path(__file__).resolve().parents[2] / "var" / "pictures"
_BEGAN: Final = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the pictures go into another folder."""
    parser.addoption("--pictures", type=Path, help="folder for the pictures of the walk and of the README")


def pytest_configure(config: pytest.Config) -> None:
    """Remember when the tests began."""
    config.stash[_BEGAN] = time.time()


def folder_of(config: pytest.Config) -> Path:
    """Give the folder the pictures go to, made; those of an earlier run are replaced one by one."""
    folder: Path = config.getoption("--pictures") or _KEPT
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where the pictures of this run are."""
    folder: Path = config.getoption("--pictures") or _KEPT
    made = [path for path in folder.rglob("*.png") if path.stat().st_mtime >= config.stash[_BEGAN] - 1]
    if made:
        terminalreporter.write_line(f"{len(made)} pictures of the walk are kept in {folder.resolve()}")
