"""A bed for tests of held pixels: a small CT with an ultrasound clip in one study, and screens saved beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import MPEG4HP41
from sqlalchemy import select

from seed_data.phantom.identities import PATIENT_IDENTITIES
from seed_data.phantom.uids import made_uid
from seed_data.phantom.ultrasound import write_ultrasound
from tests.pipeline.bed import DAY, Bed, small_ct
from trialimg.casework.access import submission_place
from trialimg.casework.pixel_review_page import SeriesView, review_page, series_view
from trialimg.domain.submission import Fate
from trialimg.pipeline import look
from trialimg.pipeline.child import Json, ask_each
from trialimg.store.base import db
from trialimg.store.imaging import SubmissionObject
from trialimg.store.pixel_review import PixelReview

PATIENT: Final = PATIENT_IDENTITIES[0]
NAME_BOX: Final = (5, 6, 290, 45)
"""Where the clip names its patient: left, top, width, height."""
FOUND: Final = [[None, *NAME_BOX, 0.97]]


def clip_study(folder: Path, *, frames: int = 3, screens: int = 0) -> list[Path]:
    """A CT of two slices with a clip in the same study; ``screens`` further series of one saved screen each."""
    files = small_ct(folder, slices=2)
    day = DAY.strftime("%Y%m%d")
    clip = write_ultrasound(folder, PATIENT, study_date=day, frames=frames, study_key="W8")
    files.append(clip)
    for number in range(screens):
        ds = dcmread(clip)
        ds.SeriesInstanceUID = made_uid(1, PATIENT, "W8", f"screens {number}")
        ds.SOPInstanceUID = made_uid(1, PATIENT, "W8", f"screen {number}")
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.SeriesNumber, ds.InstanceNumber = 80 + number, number + 1
        ds.save_as(folder / f"screen-{number}.dcm")
        files.append(folder / f"screen-{number}.dcm")
    return files


def plate_study(folder: Path, *, columns: int = 3000, rows: int = 2000) -> list[Path]:
    """A CT of two slices with a plate in the same study: one grey frame, larger than the pictures made of it ahead."""
    files = clip_study(folder, frames=1)
    ds = dcmread(files[-1])
    levels = np.zeros((rows, columns), np.uint8)
    levels[::2] = 255  # lines that only the picture at full size keeps apart
    ds.PixelData, ds.Rows, ds.Columns = levels.tobytes(), rows, columns
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.NumberOfFrames = 1, "MONOCHROME2", "1"
    for keyword in ("PlanarConfiguration", "SequenceOfUltrasoundRegions"):
        if keyword in ds:
            delattr(ds, keyword)
    ds.save_as(files[-1])
    return files


FILM: Final = Path(__file__).parents[1] / "dicom" / "films" / "avc.mp4"


def film_study(folder: Path) -> list[Path]:
    """A CT of two slices with a film in the same study, of which nothing here makes a picture."""
    files = clip_study(folder, frames=1)
    ds = dcmread(files[-1])
    ds.file_meta.TransferSyntaxUID = MPEG4HP41
    ds.PixelData = encapsulate([FILM.read_bytes()])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(files[-1])
    return files


@pytest.fixture
def known_finds(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the search for text finds is given by the test; everything else is the real child's."""
    told: dict[str, Any] = {"boxes": FOUND, "looked_at": [0, 2], "device": "", "frames": 3, "rows": 480, "columns": 640}

    def answered(requests: Iterable[Json], setup: Mapping[str, Any], limits: Any) -> Iterator[tuple[Json, Json]]:
        waiting = list(requests)
        for request in waiting:
            if request["do"] == "find_text":
                yield request, {"done": dict(told)} if told else {"refused": {"code": "x", "sentence": "x"}}
        yield from ask_each([each for each in waiting if each["do"] != "find_text"], setup, limits)

    monkeypatch.setattr(look, "ask_each", answered)
    return told


def reviews(key: str) -> list[PixelReview]:
    db.session.rollback()
    wanted = select(PixelReview).join(SubmissionObject, SubmissionObject.id == PixelReview.object_id)
    return list(db.session.scalars(wanted.where(PixelReview.submission_id == key).order_by(SubmissionObject.ordinal)))


def held_of(bed: Bed, key: str) -> list[int]:
    return [each.ordinal for each in bed.objects(key) if each.fate == Fate.HELD]


def view_of(key: str, number: int = 0) -> SeriesView:
    """The n-th series that waits for a look."""
    db.session.rollback()
    place = submission_place(key)
    found = series_view(place, review_page(place).lines[number].series)
    db.session.rollback()
    return found
