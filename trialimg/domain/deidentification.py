"""What a trial decides about identity: the profile, the keys, the subject's new name, and the report.

Everything here is a value. The rules themselves are DICOM PS3.15 Annex E; the engine that applies
them is in ``dicom``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, cast

from trialimg.errors import BadDefinition

Dates = Literal["removed", "shifted", "kept"]
RuleAction = Literal["K", "X", "Z", "D", "U"]

CID_7050: Final[Mapping[str, str]] = {
    "113100": "Basic Application Confidentiality Profile",
    "113104": "Clean Structured Content Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
}
"""The de-identification methods (PS3.16 CID 7050) that this engine really applies."""


_TAG: Final = re.compile(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-f]{4})\)?")
_KEYS: Final = frozenset({"version", "name", "dates", "keep", "rules", "deidentify_at", "held_days"})
_KEEPABLE: Final = ("sex", "age", "size", "weight")

# What a rule of a trial may not touch: who the subject is, and what we say about the cleaning.
_FIXED_GROUPS: Final = frozenset({0x0000, 0x0002, 0x0004, 0x0012, 0x7FE0, 0xFFFA, 0xFFFC, 0xFFFE})
_FIXED_TAGS: Final = frozenset(
    {
        *(0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00200010),
        *(0x00100010, 0x00100020, 0x00100030, 0x00280303, 0x04000561, 0x04000500),
    }
)


@dataclass(frozen=True)
class Rule:
    """One attribute that this trial treats otherwise than the profile does, and why."""

    tag: int
    action: RuleAction
    justification: str

    @classmethod
    def from_mapping(cls, entry: Any, number: int) -> Self:
        """Read entry ``number`` (from 1) under ``rules``; BadDefinition names what is wrong with it."""
        where = f"deidentification.yaml, rules, entry {number}"
        if not isinstance(entry, Mapping):
            raise BadDefinition(f"{where}: expected tag, action and why.")
        found = _TAG.fullmatch(str(entry.get("tag", "")).strip())
        if found is None:
            raise BadDefinition(f"{where}: 'tag' must look like \"0008,1030\".")
        tag = int(found.group(1) + found.group(2), 16)
        action = entry.get("action")
        if action not in {"K", "X", "Z", "D", "U"}:
            raise BadDefinition(f"{where}: 'action' must be one of K, X, Z, D, U (PS3.15 table E.1-1a).")
        group = tag >> 16
        if group % 2:
            raise BadDefinition(f"{where}: 'tag' is private; private attributes are always removed.")
        if tag in _FIXED_TAGS or group in _FIXED_GROUPS:
            raise BadDefinition(f"{where}: 'tag' is written by the engine itself and knows no other rule.")
        why = str(entry.get("why") or "").strip()
        if action == "K" and not why:
            raise BadDefinition(f"{where}: 'why' is missing; whoever keeps more than the profile says why.")
        return cls(tag, action, why)

    def to_mapping(self) -> dict[str, str]:
        """Give the entry as it stands in the trial's definition."""
        return {
            "tag": f"{self.tag >> 16:04X},{self.tag & 0xFFFF:04X}",
            "action": self.action,
            "why": self.justification,
        }


@dataclass(frozen=True)
class Profile:
    """How this trial de-identifies: the Basic Profile of PS3.15, its options, and the trial's own rules.

    ``held_days`` is how long an original may wait in quarantine before it is destroyed.
    """

    name: str
    version: str
    dates: Dates = "removed"
    keep_sex: bool = False
    keep_age: bool = False
    keep_size: bool = False
    keep_weight: bool = False
    rules: tuple[Rule, ...] = ()
    deidentify_at: Literal["server", "site"] = "site"
    held_days: int = 14

    @classmethod
    def from_mapping(cls, definition: Mapping[str, Any], *, name: str = "trial") -> Self:
        """Read a trial's ``deidentification.yaml``; BadDefinition names the key that is wrong."""
        file = "deidentification.yaml"
        if unknown := sorted(set(map(str, definition)) - _KEYS):
            raise BadDefinition(f"{file}: nobody knows the key '{unknown[0]}'.")
        version = str(definition.get("version") or "").strip()
        if not version:
            raise BadDefinition(f"{file}: 'version' is missing; it is written into every image.")
        dates = definition.get("dates", "removed")
        if dates not in {"removed", "shifted", "kept"}:
            raise BadDefinition(f"{file}: 'dates' must be removed, shifted or kept.")
        keep = definition.get("keep") or []
        if not isinstance(keep, list) or (unknown := [k for k in map(str, keep) if k not in _KEEPABLE]):
            raise BadDefinition(f"{file}: 'keep' is a list that may hold sex, age, size and weight.")
        place = definition.get("deidentify_at", "site")
        if place not in {"server", "site"}:
            raise BadDefinition(f"{file}: 'deidentify_at' must be server or site.")
        days = definition.get("held_days", 14)
        if isinstance(days, bool) or not isinstance(days, int) or days < 1:
            raise BadDefinition(f"{file}: 'held_days' must be a whole number of days, at least 1.")
        return cls(
            name=str(definition.get("name") or name),
            version=version,
            dates=cast("Dates", dates),
            keep_sex="sex" in keep,
            keep_age="age" in keep,
            keep_size="size" in keep,
            keep_weight="weight" in keep,
            rules=_read_rules(definition.get("rules"), file),
            deidentify_at=cast("Literal['server', 'site']", place),
            held_days=days,
        )

    def to_mapping(self) -> dict[str, Any]:
        """Give the definition again; ``from_mapping`` of it is equal to this profile."""
        kept = {
            "sex": self.keep_sex,
            "age": self.keep_age,
            "size": self.keep_size,
            "weight": self.keep_weight,
        }
        return {
            "name": self.name,
            "version": self.version,
            "dates": self.dates,
            "keep": [word for word, keeps in kept.items() if keeps],
            "rules": [rule.to_mapping() for rule in self.rules],
            "deidentify_at": self.deidentify_at,
            "held_days": self.held_days,
        }

    @property
    def options(self) -> tuple[str, ...]:
        """The codes of CID 7050 that are true of every instance cleaned under this profile."""
        codes = ["113100"]
        if self.dates != "removed":
            codes.append("113106" if self.dates == "kept" else "113107")
        if self.keep_sex or self.keep_age or self.keep_size or self.keep_weight:
            codes.append("113108")
        return tuple(codes)

    @property
    def temporal_information(self) -> str:
        """Longitudinal Temporal Information Modified (0028,0303)."""
        return {"removed": "REMOVED", "shifted": "MODIFIED", "kept": "UNMODIFIED"}[self.dates]


def _read_rules(entries: Any, file: str) -> tuple[Rule, ...]:
    entries = [] if entries is None else entries
    if not isinstance(entries, list):
        raise BadDefinition(f"{file}: 'rules' is a list of tag, action and why.")
    rules = tuple(Rule.from_mapping(entry, number) for number, entry in enumerate(entries, 1))
    seen: set[int] = set()
    for number, rule in enumerate(rules, 1):
        if rule.tag in seen:
            raise BadDefinition(f"{file}, rules, entry {number}: 'tag' has a rule already.")
        seen.add(rule.tag)
    return rules


@dataclass(frozen=True)
class SubjectIdentity:
    """Who the images are of, in the trial's words: this stands where the patient stood.

    ``subject_number`` becomes Patient ID and Patient's Name; the rest fills the Clinical Trial
    Subject and Study modules (PS3.3 C.7.1.3, C.7.2.3).
    """

    sponsor: str
    protocol_id: str
    protocol_name: str
    site_id: str
    site_name: str
    subject_number: str
    time_point_id: str
    time_point_description: str
