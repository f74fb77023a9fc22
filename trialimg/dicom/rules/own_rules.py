"""Which of a trial's own rules can make an object invalid, or do not do what they say; asked before any file is.

A rule takes out, or puts a dummy in place of, whatever it names. Where PS3.3 demands a value (Type 1 or 1C) and that
value is of a closed list, counts something or says how others are read, no dummy is one; so such a rule is refused. A
measure that is no measure is legal, and told as a doubt. What table E.1-1 lists may go: the engine knows how.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from trialimg.dicom.rules.actions import (
    CLASSES_AND_SCHEMES,
    DATES,
    NEEDED,
    NUMBERS,
    Attribute,
    Step,
    effective_vr,
    is_never_carried,
)
from trialimg.dicom.rules.plan import WORDED, Plan
from trialimg.dicom.rules.private import safe_private, without_block
from trialimg.dicom.standard.iod import is_code_anywhere, is_known, types_anywhere
from trialimg.dicom.standard.table import confidentiality_table, keyword_of, uid_name, vr_of
from trialimg.domain.deid_rule import Rule
from trialimg.domain.deidentification import Profile
from trialimg.errors import BadDefinition

_MEASURES: Final = frozenset({"DS", "FD", "FL"})
_BULK: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_CLOSED: Final = (NUMBERS - _MEASURES) | _BULK | {"CS", "IS", "SQ"}
_CLOSED_TEXTS: Final = frozenset({0x00281054, 0x00283004, 0x00080100, 0x00080102, 0x00080119, 0x00080120})
"""Texts that machines read: what pixel values mean, and what a code is."""
_SHAPE: Final = frozenset(
    {0x00280008, *range(0x00280002, 0x00280007), 0x00280010, 0x00280011, *range(0x00280100, 0x00280104)}
)
"""How pixels are read: without these they are none, whatever the class."""
_OF_NO_CLASS: Final = "is no class whose objects are cleaned, so the rule would never count; look its UID up in PS3.6"
_OF_OTHERS: Final = "X/Z/U*"
"""The row of a sequence that refers to other objects."""


class Objection(NamedTuple):
    """What is to be said of entry ``number`` (from 1) under ``rules``; ``refuses`` where it cannot be done."""

    number: int
    sentence: str
    refuses: bool


def objections(profile: Profile) -> Iterator[Objection]:
    """Give what speaks against the own rules of a profile, at most one thing of each."""
    for number, rule in enumerate(profile.rules, 1):
        if unknown := [uid for uid in rule.sop_classes if not is_known(uid)]:
            yield Objection(number, f"sop_class {unknown[0]} {_OF_NO_CLASS}", refuses=True)
        elif rule.creator:
            continue
        elif sentence := _does_nothing(rule, profile) or _invalid(rule):
            yield Objection(number, f"{keyword_of(rule.tag)} {sentence}", refuses=True)
        elif sentence := _doubtful(rule):
            yield Objection(number, f"{keyword_of(rule.tag)} {sentence}", refuses=False)


def refuse_impossible(profile: Profile) -> None:
    """Raise BadDefinition where a rule cannot be done; it names the entry and why."""
    for each in objections(profile):
        if each.refuses:
            raise BadDefinition(f"deidentification.yaml, rules, entry {each.number}: {each.sentence}.")


def _does_nothing(rule: Rule, profile: Profile) -> str:
    """Say of a rule that promises something why it would do something else."""
    vrs = _vrs(rule.tag)
    if rule.action == "X":
        return ""
    if not vrs:
        return "is no attribute that PS3.6 knows, so it is removed whatever a rule says; take the rule out"
    if is_never_carried(rule.tag):
        return "is never carried on, whatever a rule says; take the rule out"
    if rule.action == "U" and (not vrs & {"UI", "SQ"} or rule.tag in CLASSES_AND_SCHEMES):
        return "holds no UID that could be replaced (U); remove it with X, or empty it with Z"
    if rule.action == "K":
        return _keeps_a_uid(rule, vrs, profile) or _keeps_a_date(vrs, profile)
    return _cleans_nothing(vrs, profile) if rule.action == "C" else ""


def _keeps_a_uid(rule: Rule, vrs: frozenset[str], profile: Profile) -> str:
    if "UI" not in vrs or rule.tag in CLASSES_AND_SCHEMES or "retain_uids" in profile.chosen:
        return ""
    return (
        "is a UID, and one that stays beside others that are replaced refers to nothing; say U, or choose the option "
        "retain_uids"
    )


def _keeps_a_date(vrs: frozenset[str], profile: Profile) -> str:
    if profile.dates == "shifted" and vrs & (DATES - {"TM"}):
        return "is a date, and one true date beside the shifted ones tells by how many days they are; say C, or X"
    if profile.dates == "removed" and vrs & DATES:
        return (
            "is a date or time, and every image says that none is left (0028,0303); choose “dates: shifted”, which "
            "keeps times and intervals, or “dates: kept”"
        )
    return ""


def _cleans_nothing(vrs: frozenset[str], profile: Profile) -> str:
    if not vrs & (WORDED | DATES | {"SQ"}):
        return "is neither text nor date nor sequence, so nothing in it can be cleaned (C); say K or X"
    if vrs & DATES and profile.dates == "removed":
        return "is a date or time, and this trial removes dates, so C would remove it; say K, X, or choose “dates” anew"
    return ""


def _invalid(rule: Rule) -> str:
    """Say of a rule that takes something out why objects would be invalid without it."""
    tag, vrs = rule.tag, _vrs(rule.tag)
    if rule.action not in {"X", "Z", "D"}:
        return ""
    if tag in _SHAPE:
        return "says how the pixels are read; without it they are none, so take the rule out"
    row = confidentiality_table().rows.get(tag)
    if rule.action == "D" and vrs & (_CLOSED - {"SQ"}) and (row is None or row.basic != "D"):
        return "holds what machines read, and no dummy (D) is any of it; remove it with X, or empty it with Z"
    closed = bool(vrs & _CLOSED) or tag in _CLOSED_TEXTS or tag in CLASSES_AND_SCHEMES
    if row is not None or not closed or is_code_anywhere(tag):
        return ""
    if not NEEDED & types_anywhere(tag, rule.sop_classes):
        return ""
    return (
        "is of Type 1 or 1C where it stands (PS3.3), and no dummy is a value that programs can read there, so objects "
        "would be invalid; take the rule out, or limit it by “sop_class” to classes that do not demand it"
    )


def _doubtful(rule: Rule) -> str:
    tag, vrs = rule.tag, _vrs(rule.tag)
    if rule.action not in {"X", "Z", "D"}:
        return ""
    row = confidentiality_table().rows.get(tag)
    if row is None and vrs & _MEASURES and (rule.action == "D" or NEEDED & types_anywhere(tag, rule.sop_classes)):
        return (
            "is a measure, and where the standard demands one (Type 1 or 1C) a 0 or 1 would stand that nobody has "
            "measured; look whether a cleaned object can still be used"
        )
    if (row is None and vrs & _CLOSED) or (row is not None and row.basic == _OF_OTHERS):
        return (
            "may be what the standard asks others by, or refers to them; judge a cleaned object with dciodvfy "
            "(dicom3tools) before the trial begins"
        )
    return ""


def demanded(plan: Plan, tag: int, types: frozenset[str]) -> Step | None:
    """Give what is done where PS3.3 gives an attribute one of these Types; None where it does so nowhere."""
    found = sorted(types & types_anywhere(tag))
    vr = effective_vr(tag, "UN")
    if not found or not vr:
        return None
    everywhere = (rule for rule in plan.profile.rules if not rule.creator and not rule.sop_classes)
    rule = next((rule for rule in everywhere if rule.tag == tag), None)
    do, told, why = plan.choose(Attribute(tag, vr, found[0], is_code=vr == "SQ" and is_code_anywhere(tag)), rule)
    return Step(do, told, vr, why=why)


def exceptions(plan: Plan, tag: int) -> Iterator[tuple[str, Step]]:
    """Give where an attribute is treated otherwise: in which classes, or of which private creator, and how."""
    rules, block = plan.profile.rules, without_block(tag)
    for rule in rules:
        if rule.tag != (block if rule.creator else tag) or not (rule.creator or rule.sop_classes):
            continue
        place = plan.of_class(rule.sop_classes[0] if rule.sop_classes else "")
        step = place.private(rule.creator, tag, None) if rule.creator else place.step(tag, None)
        classes = ", ".join(uid_name(uid) or uid for uid in rule.sop_classes)
        whose = f"of the private creator {rule.creator}" if rule.creator else ""
        yield ", ".join(filter(None, (whose, f"in {classes} only" if classes else ""))), step
    if tag >> 16 & 1 and "retain_safe_private" in plan.profile.chosen:
        ruled = {rule.creator for rule in rules if rule.creator and rule.tag == block and not rule.sop_classes}
        for creator, known in safe_private(plan.profile.safe_private):
            if known == block and creator not in ruled:
                yield f"of the private creator {creator}", plan.of_class().private(creator, tag, None)


def _vrs(tag: int) -> frozenset[str]:
    return frozenset(vr_of(tag).split(" or ")) - {""}
