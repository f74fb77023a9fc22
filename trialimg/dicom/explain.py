"""Says of each element of a file what a plan does with it and why: what people always ask; never a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from trialimg.dicom.files.header import facts_and_end
from trialimg.dicom.parsing.apply import judged_bytes, kept_private_of, sop_class_of, steps_by_name, text_of
from trialimg.dicom.parsing.by_parser import PARSER_GIVES_UP
from trialimg.dicom.parsing.dataset import parse
from trialimg.dicom.rules.plan import Do, Place, Plan, Step
from trialimg.dicom.rules.values import Values
from trialimg.dicom.standard.part10 import buffer_of, open_part10
from trialimg.errors import UnreadableObject

Tags = tuple[int, ...]
_BY_VALUE: Final = frozenset({Do.JUDGE, Do.KEEP_DATE, Do.KEEP_UID, Do.KNOWN_CHARACTER_SET, Do.SHIFT, Do.CAP_AGE})


class Came(StrEnum):
    """What came of a value where not the attribute alone decides."""

    AS_DECIDED = ""
    KEPT = "kept"
    CUT = "changed"
    EMPTIED = "emptied"
    REMOVED = "removed"


def steps_of(source: Path | BinaryIO, plan: Plan) -> Counter[tuple[Tags, Step, Came]]:
    """Give the step for each element, by its path of tags without numbers of items, what came of it where that is the
    value's to decide, and how often both stand there.

    Raises :class:`NotDicom` or :class:`UnreadableObject` where the file is no whole image.
    """
    part = open_part10(buffer_of(source))
    _facts, end = facts_and_end(part)
    try:
        dataset = parse(part, end)
        place = plan.root(sop_class_of(dataset), {int(tag) for tag in dataset.keys()})  # noqa: SIM118 (decodes nothing)
        return Counter(_walk(dataset, place, (), Values(plan, "", bytes(32))))
    except PARSER_GIVES_UP:
        raise UnreadableObject("The file is damaged inside an attribute, so it cannot be explained.") from None


def _walk(dataset: Dataset, place: Place, path: Tags, values: Values) -> Iterator[tuple[Tags, Step, Came]]:
    private, told = kept_private_of(dataset, place), steps_by_name(dataset, place)
    for key in dataset.keys():  # noqa: SIM118 (iterating a data set decodes it)
        tag = int(key)
        step = told.get(tag) or private.get(tag) or place.step(tag, dataset.get_item(key).VR)
        yield (*path, tag), step, _came(dataset, tag, step, values) if step.do in _BY_VALUE else Came.AS_DECIDED
        items = dataset[key].value if step.do is Do.CLEAN_ITEMS else None
        for item in items if isinstance(items, Sequence) else ():
            yield from _walk(item, place.inside(tag), (*path, tag), values)


def _came(dataset: Dataset, tag: int, step: Step, values: Values) -> Came:
    """Do to a value what is done when it is cleaned, and say what came of it."""
    before = judged_bytes(dataset.get_item(tag), step.vr, little=dataset.original_encoding[1] is not False)
    after = values.changed(tag, step, before, lambda: text_of(dataset[tag]))
    if after is None:
        return Came.REMOVED
    if after is before:
        return Came.KEPT
    return Came.CUT if after.strip(b" \0") else Came.EMPTIED
