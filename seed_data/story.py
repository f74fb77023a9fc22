"""The story of the demo trial: twelve subjects of three sites, in every state a trial can be in.

Days count back from today, so that what is overdue is always overdue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from seed_data.phantom.lesions import Lesion


class Ending(StrEnum):
    """How far the images of a slot come."""

    LINKED = "confirmed by the coordinator, and linked"
    TO_CONFIRM = "sent, waiting for the coordinator to confirm"
    TWO_PATIENTS = "two patients in one folder, found before anything leaves quarantine"
    REFUSED = "no images among the files"
    HELD = "only a dose report, which a person must look at"
    RECEIVING = "the upload is not finished"


@dataclass(frozen=True)
class Images:
    """What is sent to a slot."""

    slot: str = "CT"
    ending: Ending = Ending.LINKED
    slices: int = 16
    size: int = 256
    lesions: tuple[Lesion, ...] = ()
    dose_report: bool = False
    rtstruct: bool = False
    ultrasound: bool = False


@dataclass(frozen=True)
class VisitStory:
    """One visit: how many days ago, its images, and how its forms were left."""

    days_ago: int
    images: tuple[Images, ...] = ()
    forms: str = "complete"
    slot_not_done: str = ""


@dataclass(frozen=True)
class SubjectStory:
    """One subject of a site; ``person`` is who they are outside the trial (an index of the made-up identities)."""

    site: str
    person: int
    visits: dict[str, VisitStory] = field(default_factory=dict)


def _tumours(lung: float, liver: float, node: float) -> tuple[Lesion, ...]:
    return Lesion("lung", lung), Lesion("liver", liver), Lesion("node", node)


def _full(days_ago: int, lesions: tuple[Lesion, ...], *, extras: bool = False) -> VisitStory:
    images = Images(slices=96, size=512, lesions=lesions, dose_report=extras, rtstruct=extras)
    return VisitStory(days_ago, (images,))


_SMALL: Final = _tumours(21, 18, 16)

SITES: Final = {
    "101": ("University Hospital North", "DE"),
    "102": ("City Clinic West", "FR"),
    "103": ("Lakeside Cancer Centre", "IE"),
}

STORY: Final = (
    # Shrinks at Week 8 and 16 (partial response), grows again at the end (progression).
    SubjectStory(
        "101",
        0,
        {
            "SCR": _full(190, _tumours(34, 24, 20), extras=True),
            "W8": _full(134, _tumours(25, 17, 15)),
            "W16": _full(78, _tumours(19, 13, 12)),
            "EOT": _full(22, _tumours(30, 22, 18)),
        },
    ),
    SubjectStory(
        "101",
        1,
        {
            "SCR": VisitStory(70, (Images(lesions=_SMALL),)),
            "W8": VisitStory(13, (Images(lesions=_SMALL, ending=Ending.TO_CONFIRM),), forms="in progress"),
        },
    ),
    # A clip with the patient's name in it waits for a look at its pixels; the CT beside it is linked.
    SubjectStory("101", 2, {"SCR": VisitStory(90, (Images(lesions=_SMALL, ultrasound=True),))}),
    SubjectStory(
        "101", 3, {"SCR": VisitStory(20, (Images(lesions=_SMALL), Images(slot="MR", slices=24)), forms="complete")}
    ),
    # Grows slowly from visit to visit: stable, then progression.
    SubjectStory(
        "102",
        4,
        {
            "SCR": _full(200, _tumours(22, 19, 17)),
            "W8": _full(145, _tumours(24, 20, 17)),
            "W16": _full(88, _tumours(25, 22, 18)),
            "EOT": _full(30, _tumours(31, 28, 21)),
        },
    ),
    SubjectStory(
        "102",
        5,
        {
            "SCR": VisitStory(65, (Images(lesions=_SMALL),)),
            "W8": VisitStory(9, (Images(lesions=_SMALL, ending=Ending.TWO_PATIENTS),), forms="open checks"),
        },
    ),
    SubjectStory("102", 6, {"SCR": VisitStory(12, (Images(ending=Ending.REFUSED),), forms="in progress")}),
    SubjectStory("102", 7, {"SCR": VisitStory(30, (Images(ending=Ending.HELD, dose_report=True),))}),
    SubjectStory("103", 8),
    SubjectStory(
        "103",
        9,
        {
            "SCR": VisitStory(75, (Images(lesions=_SMALL),)),
            "W8": VisitStory(18, slot_not_done="The scanner was out of service for the whole window of the visit."),
        },
    ),
    SubjectStory("103", 10, {"SCR": VisitStory(5, (Images(ending=Ending.RECEIVING),), forms="in progress")}),
    SubjectStory("103", 11, {"SCR": VisitStory(40, forms="open checks")}),
)
