"""A lesion at one time point, as a reader records it by RECIST 1.1.

Source: Eisenhauer et al., Eur J Cancer 45 (2009) 228-247, below “the paper”; EORTC's questions and
clarifications of it. All lengths are millimetres with one decimal, held as Decimal: no threshold is ever
compared in floating point.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

MOST_TARGETS: Final = 5
MOST_TARGETS_AN_ORGAN: Final = 2
SMALLEST_LONG_AXIS: Final = Decimal(10)
SMALLEST_SHORT_AXIS: Final = Decimal(15)
NORMAL_NODE_BELOW: Final = Decimal(10)
TOO_SMALL_COUNTS_AS: Final = Decimal(5)
THICK_SLICE_ABOVE: Final = Decimal(5)
LONGEST: Final = Decimal(500)
"""The paper's limits in mm: sections 3.1, 3.2 and 4.3, figure 1; ``LONGEST`` is ours, against a slip."""

_DIAMETER = re.compile(r"(\d{1,4})(?:[.,](\d))?", re.ASCII)
Point = tuple[Decimal, Decimal]
"""Column and row in an image's pixel matrix, counted from the upper left corner, with fractions."""


class Organ(StrEnum):
    """Where a lesion is (CDISC location terms); paired organs are one, and so are all lymph nodes."""

    ADRENAL = "ADRENAL GLAND"
    BLADDER = "BLADDER"
    BONE = "BONE"
    BRAIN = "BRAIN"
    BREAST = "BREAST"
    CHEST_WALL = "CHEST WALL"
    COLON = "COLON"
    HEAD_AND_NECK = "HEAD AND NECK"
    KIDNEY = "KIDNEY"
    LIVER = "LIVER"
    LUNG = "LUNG"
    LYMPH_NODE = "LYMPH NODE"
    MEDIASTINUM = "MEDIASTINUM"
    OVARY = "OVARY"
    PANCREAS = "PANCREAS"
    PERITONEUM = "PERITONEUM"
    PLEURA = "PLEURA"
    PROSTATE = "PROSTATE GLAND"
    RECTUM = "RECTUM"
    SKIN = "SKIN"
    SOFT_TISSUE = "SOFT TISSUE"
    SPLEEN = "SPLEEN"
    STOMACH = "STOMACH"
    THYROID = "THYROID GLAND"
    UTERUS = "UTERUS"
    OTHER = "OTHER"


class TargetState(StrEnum):
    """What became of a target lesion at a time point; at baseline every one is measured."""

    MEASURED = "measured"
    TOO_SMALL = "too small to measure"
    ABSENT = "absent"
    MERGED = "merged into another lesion"
    NOT_EVALUABLE = "not evaluable"


class NonTargetState(StrEnum):
    """What became of a non-target lesion; at baseline every one is present."""

    PRESENT = "present"
    ABSENT = "absent"
    PROGRESSED = "unequivocal progression"
    NOT_EVALUABLE = "not evaluable"


class Seen(StrEnum):
    """Whether there are new lesions; an equivocal one is looked at again before it is progression (4.3.5)."""

    NO = "no"
    EQUIVOCAL = "equivocal"
    YES = "yes"


@dataclass(frozen=True)
class Measurement:
    """One diameter and where it was taken.

    ``diameter`` is kept as typed, so that a draft loses nothing; ``mm`` is what it means. ``frame`` counts
    from 1. ``slice_thickness`` is the instance's own (0018,0050) in mm, where the server knows it.
    """

    diameter: str
    sop_instance_uid: str = ""
    frame: int = 1
    end_points: tuple[Point, ...] = ()
    slice_thickness: Decimal | None = None

    @property
    def mm(self) -> Decimal | None:
        """The diameter, or None where it is no number with at most one decimal."""
        return millimetres(self.diameter)


@dataclass(frozen=True)
class TargetLesion:
    """A target lesion; ``id``, organ and location stay those of baseline for as long as the subject is read.

    A lesion that came apart has a measurement for each part, whose longest diameters are added; one that
    grew together with another names it in ``merged_into``, and the other one is measured as the whole
    (the paper's appendix II).
    """

    id: str
    organ: Organ
    location: str
    state: TargetState | None = None
    measurements: tuple[Measurement, ...] = ()
    merged_into: str = ""
    reason: str = ""

    @property
    def nodal(self) -> bool:
        """Whether it is a lymph node, of which the short axis is measured."""
        return self.organ is Organ.LYMPH_NODE

    @property
    def counted_mm(self) -> Decimal | None:
        """What it adds to the sum, or None where that is not known."""
        match self.state:
            case TargetState.MEASURED:
                parts = [each.mm for each in self.measurements]
                known = [part for part in parts if part is not None]
                return sum(known, Decimal(0)) if known and len(known) == len(parts) else None
            case TargetState.TOO_SMALL:
                return TOO_SMALL_COUNTS_AS
            case TargetState.ABSENT | TargetState.MERGED:
                return Decimal(0)
            case _:
                return None

    @property
    def disease(self) -> bool | None:
        """Whether there is disease left of it: a node under 10 mm is normal; None where that is not known."""
        mm = self.counted_mm
        if mm is None:
            return None
        return mm >= NORMAL_NODE_BELOW if self.nodal else mm > 0


@dataclass(frozen=True)
class NonTargetLesion:
    """A non-target lesion or a group of them in one organ (“multiple”), which is not measured."""

    id: str
    organ: Organ
    location: str
    state: NonTargetState | None = None
    reason: str = ""


@dataclass(frozen=True)
class NewLesion:
    """A lesion that was not there at baseline, with the instance on which it is seen."""

    id: str
    organ: Organ
    location: str
    certainty: Seen
    sop_instance_uid: str = ""
    frame: int = 1


@dataclass(frozen=True)
class Sum:
    """The sum of diameters: ``total`` is None where a lesion is missing, ``known`` adds what there is."""

    total: Decimal | None
    known: Decimal


def millimetres(text: str) -> Decimal | None:
    """Read a diameter, with decimal point or comma and at most one decimal; None for anything else."""
    found = _DIAMETER.fullmatch(unicodedata.normalize("NFKC", text).strip())
    return Decimal(f"{found[1]}.{found[2] or 0}") if found else None


def smallest_mm(lesion: TargetLesion) -> Decimal:
    """Give the diameter that makes a lesion measurable at baseline.

    10 mm in the long axis, 15 mm in a node's short axis; twice the slice thickness where slices are thicker
    than 5 mm (the paper's section 3.1.1 and appendix II).
    """
    smallest = SMALLEST_SHORT_AXIS if lesion.nodal else SMALLEST_LONG_AXIS
    slices = [each.slice_thickness for each in lesion.measurements if each.slice_thickness is not None]
    return max([smallest, *(2 * each for each in slices if each > THICK_SLICE_ABOVE)])


def counting_organ(lesion: TargetLesion) -> str:
    """Name what “two an organ” counts: the organ, or for another one its location as written."""
    place = " ".join(lesion.location.casefold().split())
    return f"{lesion.organ.value}: {place}" if lesion.organ is Organ.OTHER else lesion.organ.value


def sum_of_diameters(targets: Iterable[TargetLesion]) -> Sum:
    """Add the long axes, and the short axes of nodes (4.2); without any target there is no sum."""
    counted = [each.counted_mm for each in targets]
    known = sum((each for each in counted if each is not None), Decimal(0))
    return Sum(known if counted and None not in counted else None, known)
