"""Scores the engine against an answer key, in the manner of the MIDI-B benchmark (arXiv 2507.23608, 2508.01889).

Usage: python -m tools.deid_score [--corpora ../shared/corpora/dicom] [--least 20000] [--json FILE]

Every real file is given a made-up identity in the places that the original already has, and in a few more; the key
(``bench.answer_key``) says by the rules of PS3.15, not by asking the engine, what must become of every element: the
check is made on the clean file, of held ones too. Prints the share that is right, by action. Files that are refused,
and those that pydicom cannot write with an identity in them, are counted and not checked.

The profile cleans descriptors, structured content and graphics, retains safe private attributes and patient
characteristics, and shifts dates. *Pixels hidden* lays two boxes on the clean pictures of every fifth file, as the
review page does, and decodes them again: nothing may be left inside, and nothing other outside.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from bench.answer_key import RETAINED, Planted, is_safe_kept, lost_dates, mapped_uids, moved_dates, plant, things
from tests.dicom.pictures import same_image
from trialimg.dicom.deidentify import clean_file
from trialimg.dicom.standard.quiet import silence_the_parser
from trialimg.dicom.standard.table import keyword_of
from trialimg.domain.deidentification import Profile, SubjectIdentity
from trialimg.domain.mask import Box, Mask
from trialimg.domain.pseudonym import date_shift, site_key, subject_key
from trialimg.errors import BadInput, TrialimgError
from trialimg.pixels.masking import write_masked

ACTIONS: Final = (
    *("tag retained", "text removed", "text retained", "date shifted", "uid changed", "uid consistent"),
    *("patient id consistent", "pixels retained", "pixels hidden"),
)
PROFILE: Final = Profile(
    "score",
    "1",
    "shifted",
    keep_sex=True,
    keep_age=True,
    keep_size=True,
    keep_weight=True,
    chosen=frozenset({"clean_descriptors", "clean_structured_content", "clean_graphics", "retain_safe_private"}),
)
KEY: Final = subject_key(site_key(b"score" * 8, "101"), "101-001")
_IDENTITY: Final = SubjectIdentity("Sponsor", "PROT", "Protocol", "101", "Site", "101-001", "W8", "Week 8")
LEAST_RIGHT: Final = 0.9995
MUST_BE_RIGHT: Final = (
    *("text removed", "uid changed", "uid consistent", "patient id consistent", "date shifted"),
    *("pixels retained", "pixels hidden"),
)
_EVERY: Final = 5
"""Pictures of every n-th file get boxes: each is decoded three times for it."""
_SMALLEST: Final = 16
_MOST_SAMPLES: Final = 8_000_000


@dataclass
class Score:
    """Right and wrong checks by action, and for each wrong one how often which attribute was it."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    where: Counter[tuple[str, str]] = field(default_factory=Counter)
    files: Counter[str] = field(default_factory=Counter)
    uids: dict[str, str] = field(default_factory=dict)
    olds: dict[str, str] = field(default_factory=dict)

    def check(self, action: str, what: str, *, right: bool) -> None:
        """Count one check."""
        (self.right if right else self.wrong)[action] += 1
        if not right:
            self.where[action, what] += 1

    @property
    def checks(self) -> int:
        """Count all checks."""
        return self.right.total() + self.wrong.total()

    def share(self, action: str) -> float | None:
        """Give the share of right checks, from 0 to 1; None where there was none."""
        all_of_it = self.right[action] + self.wrong[action]
        return self.right[action] / all_of_it if all_of_it else None


def score_file(score: Score, path: Path, number: int, folder: Path) -> None:
    """Plant, clean and check one file; what is no image is left out."""
    try:
        original = pydicom.dcmread(path)
        planted = plant(original, number)
        stream = BytesIO()
        original.save_as(stream, enforce_file_format=True)
    except Exception:  # noqa: BLE001 - a file that the parser cannot write again cannot be given an identity
        score.files["left out"] += 1
        return
    target = folder / "out.dcm"
    try:
        result = clean_file(stream, target, profile=PROFILE, identity=_IDENTITY, subject_key=KEY)
    except BadInput:
        score.files["refused"] += 1
        return
    score.files["held" if result.hold_reason else "cleaned"] += 1
    before = pydicom.dcmread(BytesIO(stream.getvalue()))
    _check(score, before, _inflated(target.read_bytes()), planted)
    if number % _EVERY == 0 and "PixelData" in before:
        _check_hidden(score, target, folder / "masked.dcm")


def _check(score: Score, before: Dataset, content: bytes, planted: Planted) -> None:
    after = pydicom.dcmread(BytesIO(content))
    for word in planted.gone:
        score.check("text removed", word[6:], right=word.encode() not in content)
    for keyword, words in planted.stays.items():
        left = str(after.get(keyword, "")).split()
        for word in words:
            score.check("text retained", f"{keyword}: {word}", right=word in left)
    for keyword in RETAINED:
        if keyword in before:
            same = keyword in after and (keyword == "NumberOfFrames" or before[keyword].value == after[keyword].value)
            score.check("tag retained", keyword, right=same)
    score.check("tag retained", "safe private", right=is_safe_kept(after, planted))
    for tag, right in moved_dates(before, after, date_shift(KEY)):
        score.check("date shifted", keyword_of(tag), right=right)
    for keyword, stands in lost_dates(before, after):
        score.check("date shifted", f"{keyword} stands", right=stands)
    score.check("date shifted", "PatientBirthDate", right=not after.PatientBirthDate and b"19510203" not in content)
    score.check("patient id consistent", "PatientID", right=after.PatientID == after.PatientName == "101-001")
    if "PixelData" in before:
        score.check("pixels retained", "PixelData", right=same_image(before, after))
    _check_uids(score, before, after, content)


def _check_uids(score: Score, before: Dataset, after: Dataset, content: bytes) -> None:
    """One new UID for each old one over all files, another for another, and none of the old ones left."""
    for old, new in mapped_uids(before, after):
        same = score.uids.setdefault(old, new) == new and score.olds.setdefault(new, old) == old
        score.check("uid consistent", "UID", right=same)
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        score.check("uid consistent", f"{keyword} stands", right=bool(after.get(keyword)))
    for old in sorted(things(before)):
        score.check("uid changed", "UID", right=not _stands(old, content))


def _check_hidden(score: Score, clean: Path, masked: Path) -> None:
    """Lay boxes on the clean picture, and look with another program's decoder at what is inside and outside."""
    try:
        dataset = pydicom.dcmread(clean)
        rows, columns, frames = int(dataset.Rows), int(dataset.Columns), int(dataset.get("NumberOfFrames") or 1)
        if min(rows, columns) < _SMALLEST or rows * columns * frames > _MOST_SAMPLES:
            return
        before = pixel_array(dataset).reshape(frames, rows, columns, -1)
    except Exception:  # noqa: BLE001 - what no decoder reads cannot be looked at
        return
    boxes = (Box(1, 2, columns // 3, rows // 5), Box(columns // 2, rows // 2, columns // 4, rows // 4))
    try:
        write_masked(clean, masked, Mask.everywhere(boxes))
    except TrialimgError:
        score.files["not paintable"] += 1  # such a picture is discarded, never sent
        return
    after = pixel_array(pydicom.dcmread(masked)).reshape(frames, rows, columns, -1)
    outside = np.ones((rows, columns), bool)
    for box in boxes:
        part = np.s_[:, box.y : box.y + box.height, box.x : box.x + box.width]
        for original, frame in zip(before[part], after[part], strict=True):
            if not _is_even(original):  # where nothing was to be seen nothing could be hidden
                score.check("pixels hidden", "inside", right=_is_even(frame))
        outside[box.y : box.y + box.height, box.x : box.x + box.width] = False
    same = before.shape == after.shape and bool((before[:, outside] == after[:, outside]).all())
    score.check("pixels retained", "outside of boxes", right=same)


def _is_even(frame: np.ndarray) -> bool:
    """Tell whether a part of a picture shows nothing: all of it is one colour."""
    return bool((frame == frame[0, 0]).all())


def _inflated(content: bytes) -> bytes:
    """Give the data set as it can be searched: of a deflated file, what it holds."""
    if DeflatedExplicitVRLittleEndian.encode() not in content[:1024]:
        return content
    dataset, stream = pydicom.dcmread(BytesIO(content)), BytesIO()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(stream)
    return stream.getvalue()


def _stands(uid: str, content: bytes) -> bool:
    """Tell whether a UID stands somewhere, as a whole: not as the beginning or the end of another."""
    whole = rb"(?<![\d.])" + re.escape(uid.encode()) + rb"(?![\d.])"
    return re.search(whole, content) is not None


def score_files(files: list[Path]) -> Score:
    """Score files one after the other."""
    silence_the_parser()
    score = Score()
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(files):
            score_file(score, path, number, Path(folder))
    return score


def printed(score: Score) -> Iterator[str]:
    """Say the share of right checks by action, and which attributes were wrong most often."""
    yield f"{score.files.total()} files: {dict(score.files)}; {score.checks} checks"
    for action in ACTIONS:
        share = score.share(action)
        told = "not tried" if share is None else f"{share:9.4%}  of {score.right[action] + score.wrong[action]}"
        yield f"  {action:22} {told}"
    yield f"  {'all':22} {score.right.total() / max(score.checks, 1):9.4%}  of {score.checks}"
    for (action, what), count in score.where.most_common(12):
        yield f"    wrong: {action}, {what}: {count}"


def files_of(corpora: Path) -> list[Path]:
    """Give pydicom's own files and those of the corpora, where they are."""
    own = Path(pydicom.__file__).parent / "data" / "test_files"
    folders = [own, *([corpora] if corpora.is_dir() else [])]
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]


def is_good(score: Score, *, least: int, least_files: int) -> bool:
    """Tell whether a score is what was promised: enough checks over enough files, and right where it must be."""
    enough = score.checks >= least and score.files["cleaned"] + score.files["held"] >= least_files
    right = score.right.total() >= LEAST_RIGHT * score.checks
    return enough and right and not any(score.wrong[action] for action in MUST_BE_RIGHT)


def main(arguments: list[str]) -> int:
    """Score, print, and end with 1 where the score is not what was promised."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("TRIALIMG_CORPORA", Path(__file__).parents[2] / "shared" / "corpora")
    reader.add_argument("--corpora", type=Path, default=Path(default) / "dicom")
    reader.add_argument("--least", type=int, default=20000)
    reader.add_argument("--least-files", type=int, default=300)
    reader.add_argument("--json", type=Path)
    order = reader.parse_args(arguments)
    score = score_files(files_of(order.corpora))
    print("\n".join(printed(score)))
    if order.json:
        shares: dict[str, Any] = {action: score.share(action) for action in ACTIONS}
        order.json.write_text(json.dumps({"checks": score.checks, "files": dict(score.files), "right": shares}))
    return 0 if is_good(score, least=order.least, least_files=order.least_files) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
