"""What a reader says about one time point: the values of one version of a read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from trialimg.domain.lesion import (
    NewLesion,
    NonTargetLesion,
    Seen,
    TargetLesion,
)


class ImageQuality(StrEnum):
    """How well the images of the time point can be read."""

    GOOD = "good"
    LIMITED = "limited"
    UNREADABLE = "not readable"


@dataclass(frozen=True)
class ReadValues:
    """The values of a read version; None and empty texts are what was not answered yet."""

    targets: tuple[TargetLesion, ...] = ()
    non_targets: tuple[NonTargetLesion, ...] = ()
    new: Seen | None = None
    new_lesions: tuple[NewLesion, ...] = ()
    quality: ImageQuality | None = None
    comment: str = ""

    @property
    def instances(self) -> frozenset[str]:
        """The SOP Instance UIDs it names; the server must find each among those shown to the reader."""
        measured = {part.sop_instance_uid for each in self.targets for part in each.measurements}
        return frozenset((measured | {each.sop_instance_uid for each in self.new_lesions}) - {""})


def carried_forward(baseline: ReadValues) -> ReadValues:
    """Begin a later time point: the same lesions in the same order, with nothing said about them yet."""
    targets = [replace(each, state=None, measurements=(), merged_into="", reason="") for each in baseline.targets]
    non_targets = [replace(each, state=None, reason="") for each in baseline.non_targets]
    return ReadValues(tuple(targets), tuple(non_targets))
