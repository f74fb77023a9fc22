"""What a trial decides about identity: the profile, the keys, the subject's new name, and the report.

Everything here is a value. The rules themselves are DICOM PS3.15 Annex E; the engine that applies
them is in ``dicom``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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

OLDEST_AGE_TOLD: Final = 89
"""Years. Whoever is older is given this age: very old people are few and can be found by their age."""

_TAG: Final = re.compile(r"\(?([0-9A-Fa-f]{4}),? ?([0-9A-Fa-f]{4})\)?")
_KEYS: Final = frozenset({"version", "name", "dates", "keep", "rules", "deidentify_at", "held_days"})
_KEEPABLE: Final = ("sex", "age", "size", "weight")
_DATE_OR_MOMENT: Final = re.compile(r"\d{8}(\d{2}){0,3}(\.\d{1,6})?([+-]\d{4})?", re.ASCII)
_LONGEST_SHIFT: Final = 365

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


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────


def _mac(key: bytes, message: str) -> bytes:
    return hmac.new(key, message.encode(), hashlib.sha256).digest()


def site_key(trial_key: bytes, site: str) -> bytes:
    """Derive the key of a site from the trial's, which never leaves the server."""
    return _mac(trial_key, f"site:{site}")


def subject_key(key_of_site: bytes, subject: str) -> bytes:
    """Derive the key of a subject from that of the site where it was enrolled; it stays for life."""
    return _mac(key_of_site, f"subject:{subject}")


def fingerprint_key(key_of_site: bytes) -> bytes:
    """Derive the key under which a site's original studies are recognised again."""
    return _mac(key_of_site, "fingerprints")


def fingerprint(key: bytes, study_instance_uid: str) -> str:
    """Give a mark of the original study (64 hex digits) that tells nothing without the key."""
    return _mac(key, f"study:{study_instance_uid}").hex()


def map_uid(key_of_subject: bytes, uid: str) -> str:
    """Give the new UID for ``uid``: the same for the same subject, always, everywhere.

    ``2.25.`` and the decimal number of a UUID (PS3.5 B.2), version 8, of 122 bits of the MAC.
    """
    mac = bytearray(_mac(key_of_subject, f"uid:{uid}")[:16])
    mac[6] = mac[6] & 0x0F | 0x80
    mac[8] = mac[8] & 0x3F | 0x80
    return f"2.25.{int.from_bytes(mac, 'big')}"


def is_mapped_uid(uid: str) -> bool:
    """Tell whether ``uid`` has the form that ``map_uid`` gives."""
    digits = uid.removeprefix("2.25.")
    if digits == uid or not digits.isdecimal() or len(digits) > 39 or str(int(digits)) != digits:  # noqa: PLR2004
        return False
    number = int(digits)
    return number >> 128 == 0 and (number >> 76) & 0xF == 8 and (number >> 62) & 0b11 == 0b10  # noqa: PLR2004


def study_id(mapped_study_uid: str) -> str:
    """Give a Study ID (0020,0010), 16 characters: a blank one makes some archives merge two studies.

    Made from the mapped Study Instance UID, so that whoever holds the clean file can check it.
    """
    return hashlib.sha256(mapped_study_uid.encode()).hexdigest()[:16].upper()


def date_shift(key_of_subject: bytes) -> int:
    """Give the days, -1 to -365, by which every date of this subject is moved."""
    return -1 - int.from_bytes(_mac(key_of_subject, "dates")[:8], "big") % _LONGEST_SHIFT


def shift_date(value: str, days: int) -> str:
    """Move a DA (YYYYMMDD or the old YYYY.MM.DD) or the date in a DT; what is no full date gives ``""``."""
    text = value.strip(" \0")
    if re.fullmatch(r"\d{4}\.\d\d\.\d\d", text):
        text = text.replace(".", "")
    if _DATE_OR_MOMENT.fullmatch(text) is None:
        return ""
    try:
        moved = dt.date(int(text[:4]), int(text[4:6]), int(text[6:8])) + dt.timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}{text[8:]}"


def cap_age(value: str) -> str:
    """Give an AS (``nnnD``, ``nnnW``, ``nnnM``, ``nnnY``) of at most 89 years; what is no age gives ``""``."""
    found = re.fullmatch(r"(\d{3})([DWMY])", value.strip(" \0").upper())
    if found is None:
        return ""
    number, unit = int(found.group(1)), found.group(2)
    years = number / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[unit]
    return f"{OLDEST_AGE_TOLD:03d}Y" if years > OLDEST_AGE_TOLD else f"{number:03d}{unit}"


# ── the report ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, order=True)
class ActionCount:
    """How often one attribute was met and what was done to it; ``keyword`` may be ``private``."""

    tag: str
    keyword: str
    action: str
    count: int


@dataclass(frozen=True)
class Report:
    """What was done to one study (or one instance of it): attributes, actions, counts, never a value."""

    profile: str
    version: str
    instances: int
    options: tuple[str, ...]
    actions: tuple[ActionCount, ...] = field(default=())

    def __add__(self, other: Report) -> Report:
        """Join the reports of two parts; both must have been made under one version of one profile."""
        if (self.profile, self.version) != (other.profile, other.version):
            raise ValueError("reports of different profiles cannot be joined")
        return Report(
            self.profile,
            self.version,
            self.instances + other.instances,
            tuple(sorted({*self.options, *other.options})),
            _join((*self.actions, *other.actions)),
        )

    def to_json(self) -> dict[str, Any]:
        """Give the report as plain values, with the meaning of each code."""
        return {
            "profile": self.profile,
            "version": self.version,
            "instances": self.instances,
            "options": [{"code": code, "meaning": CID_7050[code]} for code in self.options],
            "actions": [[a.tag, a.keyword, a.action, a.count] for a in self.actions],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` gave."""
        return cls(
            document["profile"],
            document["version"],
            document["instances"],
            tuple(option["code"] for option in document["options"]),
            tuple(ActionCount(*entry) for entry in document["actions"]),
        )


def _join(actions: Iterable[ActionCount]) -> tuple[ActionCount, ...]:
    sums: dict[tuple[str, str, str], int] = {}
    for action in actions:
        key = (action.tag, action.keyword, action.action)
        sums[key] = sums.get(key, 0) + action.count
    return tuple(sorted(ActionCount(*key, count) for key, count in sums.items()))
