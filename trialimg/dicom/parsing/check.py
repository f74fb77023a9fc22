"""Whether a data set is what the engine would have made: the closed profile, seen from behind."""

from __future__ import annotations

from typing import Final, NamedTuple

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from trialimg.dicom.files.encode import IMPLEMENTATION_CLASS_UID, META_TAGS
from trialimg.dicom.files.header import BURNED_IN
from trialimg.dicom.parsing.apply import judged_bytes, kept_private_of, sop_class_of, steps_by_name, text_of
from trialimg.dicom.parsing.markers import ALWAYS_PRESENT, METHOD_CODES, expected_markers
from trialimg.dicom.rules.plan import CLAIMS, PIXELS, Do, Place, Plan, Step
from trialimg.dicom.rules.unlisted import cleaned_value
from trialimg.dicom.rules.values import (
    DUMMY_CODE,
    dummy,
    is_date,
    is_known_character_set,
    is_uid,
    nested_subject,
    says_no,
)
from trialimg.dicom.standard.part10 import Part10
from trialimg.dicom.standard.table import is_registered, tag_text
from trialimg.domain.deidentification import CLEAN_PIXELS, SubjectIdentity
from trialimg.domain.pseudonym import cap_age, is_mapped_uid, shift_date
from trialimg.errors import NotClean

_STUDY_UID: Final = 0x0020000D
_IMPLEMENTATION: Final = 0x00020012
_OPTIONAL_CODES: Final = frozenset({CLEAN_PIXELS, "113104"})
"""What is true of some instances only: their pixels were looked at or covered; their structured content was cleaned."""


def _not_clean(path: str, why: str) -> NotClean:
    return NotClean(f"The file is not de-identified as this trial wants it: {path} {why}. Clean the original again.")


def check_file(part: Part10, end: int) -> None:
    """Check what stands around the data set; NotClean names the place."""
    if part.preamble.strip(b"\0") or len(part.preamble) != 128:  # noqa: PLR2004 - PS3.10 7.1
        raise _not_clean("the preamble", "is not 128 zero bytes")
    for tag, value in part.meta.items():
        if tag not in META_TAGS:
            raise _not_clean(tag_text(tag), "does not belong in the file meta information")
        if tag == _IMPLEMENTATION and value.rstrip(b"\0 ").decode("ascii", "replace") != IMPLEMENTATION_CLASS_UID:
            raise _not_clean(tag_text(tag), "is not of this program")
    if end != len(part.data):
        raise _not_clean("the end of the file", "holds bytes that belong to no attribute")


def check_data_set(dataset: Dataset, plan: Plan, identity: SubjectIdentity) -> tuple[str, ...]:
    """Check every element at any depth, and the markers; give the codes of the methods it names.

    Raises NotClean with a sentence that names the tag, never a value.
    """
    study = dataset.get(_STUDY_UID)
    markers = expected_markers(plan.profile, identity, str(study.value) if study is not None else "")
    for tag, (_vr, text) in markers.items():
        if tag not in dataset:
            raise _not_clean(tag_text(tag), "is missing")
        if text_of(dataset[tag]).strip() != text:
            raise _not_clean(tag_text(tag), "does not say what it should for this subject and profile")
    codes = _codes(dataset)
    if not set(plan.profile.options) <= set(codes) <= {*plan.profile.options, *_OPTIONAL_CODES}:
        raise _not_clean(tag_text(METHOD_CODES), "names other methods than the profile")
    for tag in ALWAYS_PRESENT:
        if tag not in dataset:
            raise _not_clean(tag_text(tag), "is missing")
    place = plan.root(sop_class_of(dataset), {int(tag) for tag in dataset.keys()})  # noqa: SIM118 - iterating decodes
    wanted = _Wanted(nested_subject(identity.subject_number), plan, is_seen=CLEAN_PIXELS in codes)
    _check(dataset, place, wanted, "", frozenset({*markers, METHOD_CODES}))
    return codes


def _codes(dataset: Dataset) -> tuple[str, ...]:
    if METHOD_CODES not in dataset:
        raise _not_clean(tag_text(METHOD_CODES), "is missing")
    items = dataset[METHOD_CODES].value
    return tuple(str(item.get("CodeValue", "")) for item in items) if isinstance(items, Sequence) else ()


class _Wanted(NamedTuple):
    subject: str
    plan: Plan
    is_seen: bool
    """Whether it says that a person looked at its pixels."""


def _check(dataset: Dataset, place: Place, wanted: _Wanted, path: str, ours: frozenset[int]) -> None:
    private = kept_private_of(dataset, place) if wanted.plan.keeps_private else {}
    told = steps_by_name(dataset, place)
    for key in list(dataset.keys()):
        tag = int(key)
        if tag in ours:
            continue
        element = dataset.get_item(key)
        if path and tag in PIXELS:
            raise _not_clean(f"{path}{tag_text(tag)}", "should have been removed")
        step = told.get(tag) or private.get(tag) or place.step(tag, element.VR)
        where = f"{path}{tag_text(tag)}"
        if step.do is Do.CLEAN_ITEMS:
            items = dataset[key].value
            for number, item in enumerate(items if isinstance(items, Sequence) else (), 1):
                _check(item, place.inside(tag), wanted, f"{where}[{number}].", frozenset())
        elif element.VR == "UN":
            raise _not_clean(where, "is of unknown representation")
        elif (why := _objection(dataset[key] if step.vr == "SQ" else element, step, wanted)) is not None:
            raise _not_clean(where, why)


_TELLS_NOTHING: Final = {
    Do.REMOVE: "should have been removed",
    Do.EMPTY: "should be empty",
    Do.DUMMY: "should hold a dummy value",
}


def _objection(element: DataElement | RawDataElement, step: Step, wanted: _Wanted) -> str | None:
    """Say what is wrong with a value under its step, None if nothing is."""
    do = step.do
    if do is Do.KEEP:
        return None
    if do in _TELLS_NOTHING:
        # Nothing and a dummy tell the same; which of them stands was decided by the modules of the original.
        tells_nothing = bool(step.vr) and (not element.value or _is_dummy(element, step))
        return None if tells_nothing else _TELLS_NOTHING[do]
    text = text_of(element)
    if do is Do.JUDGE:
        value = judged_bytes(element, step.vr)
        # Where the text is not ASCII it holds words that no list knows, so its character set need not be asked.
        tag = int(element.tag)
        after = cleaned_value(tag, step.vr, value, lambda: value.decode("latin-1"), wanted.plan.words)
        if tag in CLAIMS and says_no(text) and (step.needed or (wanted.is_seen and tag == BURNED_IN)):
            return None
        allowed = after.rstrip(b" \0") == value.rstrip(b" \0") or (step.needed and _is_dummy(element, step))
        return None if allowed else "holds what the profile does not let stand"
    if do is Do.KEEP_DATE:
        return None if is_date(text, step.vr) else "holds no date or time"
    return _objection_to_text(do, text, wanted.subject)


def _is_dummy(element: DataElement | RawDataElement, step: Step) -> bool:
    if step.vr == "SQ":
        items = element.value if isinstance(element.value, Sequence) else ()
        codes = [tuple(str(value.value) for value in item) for item in items]
        return codes == [DUMMY_CODE]
    stands = element.value if isinstance(element.value, bytes) else text_of(element).encode()
    return stands.rstrip(b" \0") == dummy(step.vr, int(element.tag)).rstrip(b" \0")


def _objection_to_text(do: Do, text: str, subject: str) -> str | None:
    if do is Do.MAP_UID:
        well = all(not uid or is_registered(uid) or is_mapped_uid(uid) for uid in text.split("\\"))
        return None if well else "holds a UID that was not replaced"
    if do is Do.KEEP_UID:
        return None if all(is_uid(uid) or is_mapped_uid(uid) for uid in text.split("\\")) else "holds no UID"
    if do is Do.SHIFT:
        well = all(not date or shift_date(date, 0) == date for date in text.split("\\"))
        return None if well else "holds no date"
    if do is Do.CAP_AGE:
        return None if text in {"", cap_age(text)} else "holds an age that may not be told"
    if do is Do.KNOWN_CHARACTER_SET:
        return None if is_known_character_set(text) else "names no character set of the standard"
    return None if text == subject else "does not hold the subject's number"
