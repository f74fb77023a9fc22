"""Runs the engine under Pyodide in node: puts it into archives as a browser would get it, and reads what came of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

from bench.pyodide_task import PROFILE, Batch

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
PYODIDE: Final = ROOT / "tests" / "vendor" / "pyodide" / "pyodide.mjs"
TASK: Final = HERE / "pyodide_task.py"
KEY: Final = "k" * 32
_OLDEST_NODE: Final = 18
_PATIENCE_S: Final = 600
_NOT_PYTHON: Final = {"test_files", "charset_files", "palettes", "__pycache__"}
"""Folders of pydicom that hold pictures and tables for its own tests and for showing images."""


@dataclass(frozen=True)
class Ran:
    """What came of a run under node: per file what became of it, the joined report, times, memory in bytes."""

    version: str
    load_seconds: float
    loaded_the_parser: bool
    rounds: tuple[tuple[float, float], ...]
    memory: dict[str, int]
    modules: list[str]
    results: list[dict[str, Any]]
    report: dict[str, Any] | None


def find_node() -> str | None:
    """Give a node that is new enough: pip's beside this Python, else the machine's."""
    for folder in (str(Path(sys.executable).parent), None):
        node = shutil.which("node", path=folder)
        if node is None:
            continue
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        if told.startswith("v") and int(told[1:].split(".")[0]) >= _OLDEST_NODE:
            return node
    return None


def engine_files() -> dict[str, Path]:
    """Give all that the engine is, by the name it has for an import: what the browser gets, and nothing else."""
    package = ROOT / "trialimg"
    paths = [package / "__init__.py", package / "errors.py"]
    for folder in ("domain", "dicom"):
        paths += sorted((package / folder).rglob("*.py"))
    paths += sorted((package / "dicom" / "data").glob("*.*"))
    return {str(path.relative_to(ROOT)): path for path in paths}


def parser_files() -> dict[str, Path]:
    """Give pydicom as pip installed it here, with the account of its version that it reads."""
    files = distribution("pydicom").files or []
    wanted = (file for file in files if not _NOT_PYTHON.intersection(file.parts) and ".." not in file.parts)
    return {str(file): Path(str(file.locate())) for file in wanted}


def pack(files: dict[str, Path], target: Path) -> Path:
    """Put files into an archive."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            archive.write(path, name)
    return target


def archives(folder: Path) -> list[Path]:
    """Make the two archives that Pyodide unpacks."""
    return [pack(engine_files(), folder / "engine.zip"), pack(parser_files(), folder / "parser.zip")]


def run_under_node(
    files: Iterable[Path],
    target: Path,
    *,
    profile: Mapping[str, Any] = PROFILE,
    digests: bool = True,
    rounds: int = 0,
    everything: bool = False,
) -> Ran:
    """Clean files under Pyodide into a folder, after so many rounds that are timed and leave nothing.

    ``everything`` has each module of the engine loaded too.
    """
    node = find_node()
    if node is None:
        raise RuntimeError("node is not here: python tools/frontend.py brings it")
    with tempfile.TemporaryDirectory(prefix="trialimg-pyodide-") as name:
        job = {"pyodide": str(PYODIDE), "task": str(TASK), "rounds": rounds, "everything": everything}
        job |= {"archives": [str(path) for path in archives(Path(name))], "files": [str(path) for path in files]}
        job |= {"given": {"profile": profile, "key": KEY, "digests": digests}, "target": str(target)}
        told = Path(name) / "job.json"
        told.write_text(json.dumps(job), "utf-8")
        command = [node, str(HERE / "pyodide_node.mjs"), str(told)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    if done.returncode:
        raise RuntimeError(f"Pyodide under node failed: {done.stderr[-4000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    times = tuple((each["seconds"], each["processor"]) for each in said["rounds"])
    return Ran(
        *(said["version"], said["load_seconds"], said["parser"], times, said["memory"]),
        *(said["modules"], said["results"], said["report"]),
    )


def run_here(
    files: Sequence[Path], target: Path, *, profile: Mapping[str, Any] = PROFILE, digests: bool = True
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Clean files of one folder under this Python, by the same task; give what became of each, and the report."""
    batch = Batch(str(files[0].parent), str(target), json.dumps({"profile": profile, "key": KEY, "digests": digests}))
    return [json.loads(batch.clean(path.name)) for path in files], json.loads(batch.report())
