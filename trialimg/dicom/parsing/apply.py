"""The walk that changes a data set as the plan says, touching no element that stays as it is."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from trialimg.dicom.files.encode import encoded_codes
from trialimg.dicom.parsing.dataset import raw
from trialimg.dicom.rules.plan import CONTENT_SEQUENCE, NUMBERS, PIXELS, Do, Place, Plan, Step
from trialimg.dicom.rules.private import kept_private
from trialimg.dicom.rules.told import CODES, CONCEPT_NAME, EQUIVALENT_CODE, MEANING, steps_for
from trialimg.dicom.rules.values import DUMMY_CODE, Counts, Path, Values, told_of
from trialimg.dicom.standard.part10 import LONG_FORM, PIXEL_DATA

_SHORT_FORM_LIMIT, _UNDEFINED = 0xFFFF, 0xFFFFFFFF
_FORMATS: Final = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_WHOLE: Final = frozenset({Do.KEEP, Do.REMOVE, Do.CLEAN_ITEMS})
"""What is done without a look at the value."""
_NO_LETTERS: Final = 2
"""Characters of a VR; what is longer is a choice that the file does not tell."""


def sop_class_of(dataset: Dataset) -> str:
    """Give the SOP class that a data set names."""
    return text_of(dataset.get_item(0x00080016)) if 0x00080016 in dataset else ""  # noqa: PLR2004 - SOP Class UID


def text_of(element: DataElement | RawDataElement) -> str:
    """Give the values of a text element as one string, undecoded bytes as Latin-1."""
    value = element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("latin-1").strip(" \0")
    if isinstance(value, MultiValue | list | tuple):
        return "\\".join(str(part).strip(" \0") for part in value)
    return str(value).strip(" \0")


def judged_bytes(element: DataElement | RawDataElement, vr: str, *, little: bool = True) -> bytes:
    """Give an encoded value as it stands; of one that the parser decoded already, its numbers or its text again."""
    value = element.value
    if isinstance(value, bytes):
        return value
    if vr in NUMBERS:
        numbers = value if isinstance(value, MultiValue | list | tuple) else (() if value is None else (value,))
        try:
            return b"".join(_encoded_number(number, vr, "<" if little else ">") for number in numbers)
        except (struct.error, TypeError, ValueError):
            pass  # they are no numbers of this VR, so they are judged as a text
    return text_of(element).encode("utf-8", "surrogateescape")


def _encoded_number(number: float, vr: str, sign: str) -> bytes:
    if vr == "AT":
        return struct.pack(f"{sign}HH", int(number) >> 16, int(number) & 0xFFFF)
    return struct.pack(sign + _FORMATS[vr], number)


class Cleaning:
    """One instance being cleaned: what is applied, and the count of what was done."""

    def __init__(self, plan: Plan, subject_number: str, subject_key: bytes) -> None:
        self.values = Values(plan, subject_number, subject_key)
        self.done: Counts = Counter()
        self.cleaned_structured_content = False

    def clean(self, dataset: Dataset, place: Place | None = None, path: Path = ()) -> None:
        """Change a data set, and every item in it, in place."""
        if place is None:
            present = {int(tag) for tag in dataset.keys()}  # noqa: SIM118 - iterating decodes
            place = self.values.plan.root(sop_class_of(dataset), present)
        place_step = place.step
        explicit = not dataset.original_encoding[0]
        private = kept_private_of(dataset, place) if self.values.plan.keeps_private else {}
        told = steps_by_name(dataset, place)
        for tag in list(dataset.keys()):
            element = dataset.get_item(tag)
            step = told.get(int(tag)) or private.get(int(tag)) or place_step(int(tag), element.VR)
            if step.do not in _WHOLE:
                self._change(dataset, int(tag), element, step, path)
                continue
            self._tell((*path, int(tag)), step.told)
            if step.do is Do.REMOVE:
                del dataset[tag]
            elif step.do is Do.CLEAN_ITEMS:
                self._clean_items(dataset, int(tag), place, (*path, int(tag)))
            elif (explicit or int(tag) in private) and (
                element.VR == "UN" or element.VR is None or len(element.VR) != _NO_LETTERS
            ):
                _say_vr(dataset, int(tag), element, step.vr)

    def _change(
        self, dataset: Dataset, tag: int, element: DataElement | RawDataElement, step: Step, path: Path
    ) -> None:
        if step.vr == "SQ":
            self._tell((*path, tag), step.told)
            self._replace_codes(dataset, tag, element, step)
            return
        before = judged_bytes(element, step.vr, little=dataset.original_encoding[1] is not False)
        after = self.values.changed(tag, step, before, lambda: text_of(dataset[tag]))
        self._tell((*path, tag), told_of(step, before, after, tag))
        if after is None:
            del dataset[tag]
        elif after is not before or step.do is Do.EMPTY:
            dataset[tag] = raw(dataset, tag, step.vr, after)
        elif step.vr != element.VR and (tag >> 16 & 1 or not dataset.original_encoding[0]):
            _say_vr(dataset, tag, element, step.vr)

    def _tell(self, path: Path, letter: str) -> None:
        if letter:
            self.done[path, letter] += 1

    def _replace_codes(self, dataset: Dataset, tag: int, element: DataElement | RawDataElement, step: Step) -> None:
        """Empty a sequence, or put one item of a dummy code in place of those that it had."""
        implicit, little = dataset.original_encoding
        dummy = encoded_codes((DUMMY_CODE,), implicit=bool(implicit), little=little is not False)
        has_items = step.do is Do.DUMMY and bool(element.value)
        dataset[tag] = raw(dataset, tag, "SQ", dummy if has_items else b"")

    def _clean_items(self, dataset: Dataset, tag: int, place: Place, path: Path) -> None:
        items = dataset[tag].value
        if not isinstance(items, Sequence):
            del dataset[tag]
            return
        if tag == CONTENT_SEQUENCE:
            self.cleaned_structured_content = True
        inside = place.inside(tag)
        for item in items:
            for number in PIXELS & set(item.keys()):
                del item[number]  # pixels of an item would be an icon's
            self.clean(item, inside, path)

    def codes(self) -> tuple[str, ...]:
        """Give the codes of CID 7050 that are true of this instance."""
        return self.values.codes(structured_content=self.cleaned_structured_content)


def kept_private_of(dataset: Dataset, place: Place) -> dict[int, Step]:
    """Give the private elements of a data set or item that do not go whole."""
    present = [(int(tag), dataset.get_item(tag).VR) for tag in dataset.keys()]  # noqa: SIM118 - iterating decodes
    return kept_private(place.private, present, lambda tag: text_of(dataset.get_item(tag)))


def steps_by_name(dataset: Dataset, place: Place) -> Mapping[int, Step]:
    """Give what is done with the values of an item whose coded name says that it tells of the patient."""
    return steps_for(place, *name_of(dataset)) if CONCEPT_NAME in dataset else {}


def name_of(item: Dataset) -> tuple[frozenset[str], tuple[str, ...]]:
    """Give the codes and the meanings that name an item, of equivalent codes too."""
    concepts = list(_concepts(item, CONCEPT_NAME))
    codes = [text_of(concept.get_item(tag)) for concept in concepts for tag in CODES if tag in concept]
    return frozenset(codes), tuple(text_of(concept.get_item(MEANING)) for concept in concepts if MEANING in concept)


def _concepts(holder: Dataset, sequence: int) -> Iterator[Dataset]:
    value = holder[sequence].value if sequence in holder else ()
    for concept in value if isinstance(value, Sequence) else ():
        yield concept
        yield from _concepts(concept, EQUIVALENT_CODE)


def _say_vr(dataset: Dataset, tag: int, element: DataElement | RawDataElement, vr: str) -> None:
    """Write a public attribute that came without its VR, or as UN, under its own, so that nothing hides in it."""
    value = element.value if isinstance(element.value, bytes) else b""
    if len(value) > _SHORT_FORM_LIMIT and vr.encode("ascii") not in LONG_FORM:
        if not dataset.original_encoding[0]:
            del dataset[tag]
        return
    undefined = isinstance(element, RawDataElement) and element.length == _UNDEFINED
    if tag == PIXEL_DATA and not undefined:
        vr = "OW"  # native pixels of one byte may be written so too (PS3.5 8.1.2)
    written = raw(dataset, tag, vr, value)
    dataset[tag] = written._replace(length=_UNDEFINED) if undefined else written
