"""The walk that changes a data set as the plan says, touching no element that stays as it is."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from pydicom.charset import python_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from trialimg.dicom.encode import encoded_codes, raw
from trialimg.dicom.part10 import LONG_FORM, PIXEL_DATA
from trialimg.dicom.plan import CONTENT_SEQUENCE, NUMBERS, PIXELS, Do, Place, Plan, Step
from trialimg.dicom.table import confidentiality_table, is_registered, keyword_of, tag_text
from trialimg.dicom.unlisted import cleaned_value
from trialimg.domain.deid_report import ActionCount, Report, rules_of
from trialimg.domain.deidentification import Profile
from trialimg.domain.pseudonym import cap_age, date_shift, map_uid, shift_date

REMOVED_TEXT: Final = b"REMOVED"
DUMMY_CODE: Final = ("REMOVED", "99TRIALIMG", "REMOVED")
"""Value, scheme and meaning; a scheme of one's own begins with 99 (PS3.16 chapter 8)."""
_SHAPED: Final = {0x00080201: b"+0000"}
"""Attributes whose value has a form that their VR does not tell: Timezone Offset From UTC."""
_ZEROS: Final = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "UV": 8, "SV": 8, "FD": 8}
_DUMMIES: Final = {
    "AS": b"000Y",
    "DA": b"19000101",
    "DT": b"19000101000000",
    "TM": b"000000",
    "DS": b"0",
    "IS": b"0",
    "UR": b"urn:removed",
    **{vr: b"\0" * size for vr, size in _ZEROS.items()},
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "UN"), b"\x00" * 8),
}
_DATE_OR_TIME: Final = re.compile(r"[\d.:+\-/ ]{0,26}", re.ASCII)
_SHORT_FORM_LIMIT, _UNDEFINED = 0xFFFF, 0xFFFFFFFF


def dummy(vr: str, tag: int = 0) -> bytes:
    """Give the value, the same for every subject, that stands where one must and may not be told."""
    return _SHAPED.get(tag) or _DUMMIES.get(vr, REMOVED_TEXT)


def dummy_for(dataset: Dataset, vr: str, tag: int) -> bytes:
    """Give the encoded dummy for a data set; of a sequence of codes it is one item."""
    if vr != "SQ":
        return dummy(vr, tag)
    implicit, little = dataset.original_encoding
    return encoded_codes((DUMMY_CODE,), implicit=bool(implicit), little=little is not False)


def sop_class_of(dataset: Dataset) -> str:
    """Give the SOP class that a data set names."""
    return text_of(dataset.get_item(0x00080016)) if 0x00080016 in dataset else ""  # noqa: PLR2004 - SOP Class UID


def nested_subject(subject_number: str) -> str:
    """Give the subject's number as it stands inside items, in whatever character set they are written."""
    return subject_number.encode("ascii", "replace").decode("ascii").replace("\\", "/")[:64].strip()


def is_known_character_set(text: str) -> bool:
    """Tell whether every value is a term of the standard (PS3.3 C.12.1.1.2); the first may be empty."""
    return all(name.strip() in python_encoding for name in text.split("\\"))


def is_date(text: str) -> bool:
    """Tell whether every value is made as dates and times are: scanners write more forms than PS3.5 6.2 has."""
    return all(_DATE_OR_TIME.fullmatch(value) for value in text.split("\\"))


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


def judged_bytes(element: DataElement | RawDataElement, vr: str) -> bytes:
    """Give an encoded value as it stands; of one that the parser decoded already, its text, and none of its numbers."""
    value = element.value
    if isinstance(value, bytes):
        return value
    return b"" if vr in NUMBERS else text_of(element).encode("utf-8", "surrogateescape")


class Cleaning:
    """One instance being cleaned: what is applied, and the count of what was done."""

    def __init__(self, plan: Plan, subject_number: str, subject_key: bytes) -> None:
        self.plan, self.key = plan, subject_key
        self.subject = nested_subject(subject_number)
        self.days = date_shift(subject_key) if plan.profile.dates == "shifted" else 0
        self.done: Counter[tuple[int, str]] = Counter()
        self.cleaned_structured_content = False
        self._uids: dict[str, str] = {}

    def clean(self, dataset: Dataset, place: Place | None = None) -> None:
        """Change a data set, and every item in it, in place."""
        if place is None:
            place = self.plan.root(sop_class_of(dataset), {int(tag) for tag in dataset.keys()})  # noqa: SIM118
        place_step, done = place.step, self.done
        explicit = not dataset.original_encoding[0]
        for tag in list(dataset.keys()):
            element = dataset.get_item(tag)
            step = place_step(int(tag), element.VR)
            if step.told:
                done[int(tag), step.told] += 1
            if step.do is Do.REMOVE:
                del dataset[tag]
            elif step.do is not Do.KEEP:
                self._change(dataset, int(tag), element, step, place)
            elif explicit and (element.VR == "UN" or element.VR is None or len(element.VR) != 2):  # noqa: PLR2004
                _say_vr(dataset, int(tag), element, step.vr)

    def _change(
        self, dataset: Dataset, tag: int, element: DataElement | RawDataElement, step: Step, place: Place
    ) -> None:
        if step.do is Do.CLEAN_ITEMS:
            self._clean_items(dataset, tag, place)
        elif step.do is Do.EMPTY:
            dataset[tag] = raw(dataset, tag, step.vr, b"")
        elif step.do is Do.DUMMY:
            # What was empty stays so: a dummy would claim that something stood there.
            dataset[tag] = raw(dataset, tag, step.vr, dummy_for(dataset, step.vr, tag) if element.value else b"")
        elif step.do is Do.JUDGE:
            self._judge(dataset, tag, element, step)
        elif step.do is Do.KNOWN_CHARACTER_SET:
            if not is_known_character_set(text_of(element)):
                del dataset[tag]
        else:
            before = text_of(element)
            after = self._new_text(step, before)
            if before and not after and step.needed:
                after = dummy(step.vr, tag).decode("ascii")
            if after != before or step.vr != element.VR:
                dataset[tag] = raw(dataset, tag, step.vr, after.encode("ascii", "replace"))

    def _judge(self, dataset: Dataset, tag: int, element: DataElement | RawDataElement, step: Step) -> None:
        vr = step.vr
        before = judged_bytes(element, vr)
        after = cleaned_value(tag, vr, before, lambda: text_of(dataset[tag]))
        if after != before:
            self.done[tag, "C"] += 1
            if step.needed and not after.strip(b" \0"):
                after = dummy(vr, tag)
            dataset[tag] = raw(dataset, tag, vr, after)
        elif vr != element.VR and not dataset.original_encoding[0]:
            _say_vr(dataset, tag, element, vr)

    def _new_text(self, step: Step, text: str) -> str:
        if step.do is Do.MAP_UID:
            return "\\".join(self.new_uid(uid.strip(" \0")) for uid in text.split("\\"))
        if step.do is Do.SHIFT:
            return "\\".join(shift_date(value, self.days) for value in text.split("\\"))
        if step.do is Do.KEEP_DATE:
            return text if is_date(text) else ""
        return cap_age(text) if step.do is Do.CAP_AGE else self.subject

    def _clean_items(self, dataset: Dataset, tag: int, place: Place) -> None:
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
            self.clean(item, inside)

    def new_uid(self, uid: str) -> str:
        """Give the UID that stands for ``uid`` from now on; what the standard registered stays."""
        if not uid or is_registered(uid):
            return uid
        mapped = self._uids.get(uid)
        if mapped is None:
            mapped = self._uids[uid] = map_uid(self.key, uid)
        return mapped

    def codes(self) -> tuple[str, ...]:
        """Give the codes of CID 7050 that are true of this instance."""
        profile = self.plan.profile
        return tuple(sorted({*profile.options, *(("113104",) if self.cleaned_structured_content else ())}))

    def report(self) -> Report:
        """Give the account of what was done."""
        return report_of(self.plan.profile, self.codes(), self.done)


def report_of(profile: Profile, codes: tuple[str, ...], done: Counter[tuple[int, str]]) -> Report:
    """Write down the counts of one instance."""
    actions = sorted(
        ActionCount(tag_text(tag), keyword_of(tag), action, count) for (tag, action), count in done.items()
    )
    edition = confidentiality_table().edition
    return Report(profile.name, profile.version, 1, codes, tuple(actions), rules=rules_of(profile), table=edition)


def _say_vr(dataset: Dataset, tag: int, element: DataElement | RawDataElement, vr: str) -> None:
    """Write a public attribute that came without its VR, or as UN, under its own, so that nothing hides in it."""
    value = element.value if isinstance(element.value, bytes) else b""
    if len(value) > _SHORT_FORM_LIMIT and vr.encode("ascii") not in LONG_FORM:
        del dataset[tag]
        return
    undefined = isinstance(element, RawDataElement) and element.length == _UNDEFINED
    if tag == PIXEL_DATA and not undefined:
        vr = "OW"  # native pixels of one byte may be written so too (PS3.5 8.1.2)
    written = raw(dataset, tag, vr, value)
    dataset[tag] = written._replace(length=_UNDEFINED) if undefined else written
