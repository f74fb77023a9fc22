"""Valid in, valid out: what dciodvfy finds wrong after cleaning that was not wrong before.

``python -m bench.validity [--every N] [--profile removed|shifted|kept|options|cleaned|all] [FOLDER…]``. Without a
folder: the shared corpora and the files that come with pydicom. Every readable file is cleaned and both are judged by
dciodvfy (dicom3tools); an error that stands more often after than before is printed with the tag and its count. Values
are cut out of the lines, so that nothing of a patient is printed. The exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from trialimg.dicom.deidentify import clean_file
from trialimg.domain.deidentification import OPTIONS, Profile, SubjectIdentity
from trialimg.domain.pseudonym import site_key, subject_key
from trialimg.errors import BadInput

PROFILES: Final = {
    "removed": Profile("bench", "1", "removed"),
    "shifted": Profile("bench", "1", "shifted", keep_sex=True, keep_age=True),
    "kept": Profile("bench", "1", "kept", keep_sex=True, keep_age=True, keep_size=True, keep_weight=True),
    "options": Profile("bench", "1", "shifted", chosen=frozenset(OPTIONS), safe_private="curated"),
    "cleaned": Profile(
        "bench",
        "1",
        chosen=frozenset(option for option in OPTIONS if not option.startswith("retain") or "safe" in option),
    ),
}
IDENTITY: Final = SubjectIdentity("Sponsor", "PROT-1", "A phase II", "101", "Site one", "101-001", "W8", "Week 8")
KEY: Final = subject_key(site_key(b"k" * 32, "101"), "101-001")
_VALUES: Final = re.compile(r"\[\d+\]|(?:=|value is|length is) <[^>]*>")


def files_of(folders: Iterable[Path]) -> list[Path]:
    """Give every file below the folders, or of the default corpora."""
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def default_folders() -> list[Path]:
    """Give the shared corpora, where they are, and the files of pydicom."""
    root = Path(__file__).parent.parent.parent / "shared" / "corpora"
    corpora = Path(os.environ.get("TRIALIMG_CORPORA", root)) / "dicom"
    return [folder for folder in (corpora, Path(pydicom.__file__).parent / "data" / "test_files") if folder.is_dir()]


def violations(path: Path) -> tuple[Counter[str], bool]:
    """Count the errors that dciodvfy tells of a file, without values and item numbers; tell whether it knew the IOD.

    It cannot inflate, so a deflated file is judged as its inflated twin.
    """
    with tempfile.NamedTemporaryFile(suffix=".dcm") as twin:
        judged = _inflated(path, Path(twin.name)) or path
        done = subprocess.run(["dciodvfy", "-new", str(judged)], capture_output=True, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    errors = Counter(_VALUES.sub("", line) for line in lines if line.startswith("Error"))
    return errors, any(re.fullmatch(r"[A-Z]\w+", line) for line in lines)


def _inflated(path: Path, twin: Path) -> Path | None:
    """Write an inflated twin of a deflated file; None where the file is not deflated."""
    with path.open("rb") as stream:
        if DeflatedExplicitVRLittleEndian.encode() not in stream.read(1024):
            return None
    dataset = pydicom.dcmread(path, force=True)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(twin)
    return twin


def new_violations(source: Path, profile: Profile, target: Path, before: Counter[str]) -> Counter[str] | None:
    """Clean a file and give the errors that were not there before; None where the file is refused."""
    try:
        clean_file(source, target, profile=profile, identity=IDENTITY, subject_key=KEY)
    except BadInput:
        return None
    return violations(target)[0] - before


def judge(files: Iterable[Path], names: Iterable[str]) -> Iterator[tuple[Path, str, bool, Counter[str] | None]]:
    """Give for each file and profile whether dciodvfy knows its IOD, and the new errors."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "clean.dcm"
        for path in files:
            before, known = violations(path)
            for name in names:
                yield path, name, known, new_violations(path, PROFILES[name], target, before)


def main() -> int:
    """Judge the files and print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th file")
    parser.add_argument("--profile", choices=[*PROFILES, "all"], default="all")
    parser.add_argument("--files", action="store_true", help="name the files")
    given = parser.parse_args()
    names = list(PROFILES) if given.profile == "all" else [given.profile]
    files = files_of(given.folders or default_folders())[:: given.every]
    counts: Counter[tuple[str, str]] = Counter()
    kinds: Counter[str] = Counter()
    for path, name, known, found in judge(files, names):
        counts[name, "refused" if found is None else "cleaned"] += 1
        if found is None:
            continue
        counts[name, "unknown"] += not known
        counts[name, "worse"] += bool(found)
        kinds.update({f"{name}: {line}": 1 for line in found})
        if found and given.files:
            print(f"{path} ({name}): {dict(found)}", flush=True)
    for line, count in sorted(kinds.items(), key=lambda pair: -pair[1]):
        print(f"{count:5} files  {line}")
    for name in names:
        print(
            f"{name}: {counts[name, 'cleaned']} cleaned, {counts[name, 'worse']} of them with new errors; of "
            f"{counts[name, 'unknown']} dciodvfy does not know the IOD; {counts[name, 'refused']} were refused"
        )
    return 1 if any(counts[name, "worse"] for name in names) else 0


if __name__ == "__main__":
    sys.exit(main())
