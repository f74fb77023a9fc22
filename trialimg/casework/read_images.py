"""The images a diameter can be taken on: the series of a read's own studies with their images in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import select

from trialimg.casework.services import Services
from trialimg.domain.lesion import Measurement
from trialimg.domain.read_values import ReadValues
from trialimg.domain.submission import Fate
from trialimg.errors import BadInput, TrialimgError
from trialimg.store.base import db
from trialimg.store.imaging import ImagingStudy, SubmissionObject

_MODALITY, _ROWS, _NUMBER, _SERIES_NUMBER = "00080060", "00280010", "00200013", "00200011"
_THICKNESS, _FRAMES, _IMAGE_TYPE = "00180050", "00280008", "00080008"
_KEPT: Final = 64


@dataclass(frozen=True)
class Image:
    """One image of a series; ``thickness`` is its slice thickness in mm, where it says one."""

    sop_instance_uid: str
    frames: int = 1
    thickness: Decimal | None = None


@dataclass(frozen=True)
class Series:
    """A series under a name that tells nothing but its number and kind; people count its images from 1.

    ``study`` is its StudyInstanceUID; ``localizer`` says that it was only taken to plan the others.
    """

    key: str
    label: str
    images: tuple[Image, ...]
    study: str = ""
    localizer: bool = False

    @property
    def size(self) -> int:
        """How many pictures there are to scroll through."""
        return sum(each.frames for each in self.images)


@dataclass(frozen=True)
class Images:
    """What can be measured on; empty while the archive is away, when only the viewer's own choice can be kept."""

    series: tuple[Series, ...] = ()

    @property
    def main(self) -> Series | None:
        """The series to begin with: the largest one that is no localizer; None where there is no series."""
        return max(self.series, key=lambda each: (not each.localizer, each.size), default=None)

    def find(self, sop_instance_uid: str) -> tuple[str, int] | None:
        """Give the series and the number of an image; None where it is not one of these."""
        for series in self.series:
            for number, image in enumerate(series.images, 1):
                if image.sop_instance_uid == sop_instance_uid:
                    return series.key, number
        return None

    def image(self, series_key: str, number: str) -> Image:
        """Give the image that a series and a number name; raises BadInput with the numbers there are."""
        series = next((each for each in self.series if each.key == series_key), None)
        if series is None:
            raise BadInput("Choose the series on which the lesion is seen, from the list.")
        if not number.isascii() or not number.isdecimal() or not 1 <= int(number[:6]) <= len(series.images):
            raise BadInput(f"{series.label} has the images 1 to {len(series.images)}; choose one of them.")
        return series.images[int(number) - 1]

    def with_thickness(self, values: ReadValues) -> ReadValues:
        """Give the values with each diameter's slice thickness as its image says it, whatever was sent."""
        known = {image.sop_instance_uid: image.thickness for series in self.series for image in series.images}

        def said(part: Measurement) -> Measurement:
            return replace(part, slice_thickness=known.get(part.sop_instance_uid, part.slice_thickness))

        targets = (replace(each, measurements=tuple(map(said, each.measurements))) for each in values.targets)
        return replace(values, targets=tuple(targets))


def images_of(services: Services, studies: Iterable[str]) -> Images:
    """List the images of linked studies (by key) that can be measured on; asks the archive once for each series."""
    wanted = (
        select(
            ImagingStudy.study_instance_uid,
            SubmissionObject.series_instance_uid,
            SubmissionObject.sop_instance_uid,
        )
        .join(ImagingStudy, ImagingStudy.id == SubmissionObject.study_id)
        .where(SubmissionObject.study_id.in_(list(studies)), SubmissionObject.fate == Fate.SENT.value)
    )
    series: dict[tuple[str, str], set[str]] = {}
    for study_uid, series_uid, sop_uid in db.session.execute(wanted):
        series.setdefault((study_uid, series_uid), set()).add(sop_uid)
    try:
        found = [_series(_Known(services), *key, frozenset(sops)) for key, sops in series.items()]
    except TrialimgError:
        return Images()
    numbered = sorted((each for each in found if each is not None), key=lambda one: one[0])
    return Images(tuple(each for _, each in numbered))


@dataclass(frozen=True, eq=False)
class _Known:
    """The archive, out of the way of the cache: series never change, so what they hold is asked once."""

    services: Services

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and self.services.settings.data == other.services.settings.data

    def __hash__(self) -> int:
        return hash(self.services.settings.data)


@lru_cache(maxsize=_KEPT)
def _series(
    known: _Known, study_uid: str, series_uid: str, sops: frozenset[str]
) -> tuple[tuple[int, str], Series] | None:
    headers = [
        each
        for each in known.services.archive.metadata(study_uid, series_uid)
        if _value(each, "00080018") in sops and _value(each, _ROWS)
    ]
    if not headers:
        return None
    headers.sort(key=_order)
    number = _whole(headers[0], _SERIES_NUMBER)
    count = "1 image" if len(headers) == 1 else f"{len(headers)} images"
    label = f"Series {number}: {_value(headers[0], _MODALITY)}, {count}"
    images = tuple(
        Image(_value(each, "00080018"), max(1, _whole(each, _FRAMES)), _decimal(_value(each, _THICKNESS)))
        for each in headers
    )
    localizer = all("LOCALIZER" in each.get(_IMAGE_TYPE, {}).get("Value", ()) for each in headers)
    return (number, series_uid), Series(series_uid, label, images, study_uid, localizer)


def _order(header: Mapping[str, Any]) -> tuple[int, str]:
    return _whole(header, _NUMBER), _value(header, "00080018")


def _value(header: Mapping[str, Any], tag: str) -> str:
    values = header.get(tag, {}).get("Value") or [""]
    return str(values[0])


def _whole(header: Mapping[str, Any], tag: str) -> int:
    text = _value(header, tag)
    return int(text) if text.isascii() and text.isdecimal() else 0


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and 0 < value < 1000 else None  # noqa: PLR2004 (mm, against nonsense)
