"""What a trial decides about identity: the profile, its options and the subject's new name.

Everything here is a value. The rules themselves are DICOM PS3.15 Annex E; the engine that applies
them is in ``dicom``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, Self, cast

from trialimg.domain.deid_rule import Rule, read_rules
from trialimg.domain.pattern import late
from trialimg.errors import BadDefinition

Dates = Literal["removed", "shifted", "kept"]

CID_7050: Final[Mapping[str, str]] = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}
"""The de-identification methods (PS3.16 CID 7050) that this engine really applies."""

OPTIONS: Final[Mapping[str, str]] = {
    "retain_safe_private": "113111",
    "retain_uids": "113110",
    "retain_device_identity": "113109",
    "retain_institution_identity": "113112",
    "retain_patient_characteristics": "113108",
    "clean_descriptors": "113105",
    "clean_structured_content": "113104",
    "clean_graphics": "113103",
}
"""The options of table E.1-1 that a trial chooses by name, and the code of each. Those of dates stand under ``dates``;
clean pixel data is claimed where pixels were masked, clean recognizable visual features never."""

LONGEST_LABEL: Final = 64
"""Characters of a number or label in an image (LO, PS3.5 6.2)."""
CLEAN_PIXELS: Final = "113101"
"""The code of what holds for single instances: their pixels were covered, or a person looked at them."""
REVIEWERS: Final = ("site", "imaging_qc")
_KEYS: Final = frozenset(
    {
        *("version", "name", "dates", "keep", "options", "safe_private", "words", "rules"),
        *("deidentify_at", "held_days", "pixel_review", "hold_recognisable", "hold_localizers"),
    }
)
_KEEPABLE: Final = ("sex", "age", "size", "weight")
_WORD: Final = late(r"(?=(?:.*[A-Za-z]){2})(?!.*\d\d)[A-Za-z0-9]{2,32}")
_MOST_WORDS: Final = 500
_FILE: Final = "deidentification.yaml"


class Profile(NamedTuple):
    """How this trial de-identifies: the Basic Profile of PS3.15, its options, and the trial's own rules.

    ``chosen`` are names of ``OPTIONS``; ``safe_private`` is whose list of safe private attributes counts: the
    standard's own table (E.3.10-1), or what archives have found safe besides. ``words`` are the trial's own words that
    cleaned descriptors keep, in small letters. ``held_days`` is how long an original may wait in quarantine before it
    is destroyed. ``pixel_reviewers`` is who sees and judges pixels that nobody has reviewed.
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
    chosen: frozenset[str] = frozenset()
    safe_private: Literal["table", "curated"] = "table"
    words: frozenset[str] = frozenset()
    pixel_reviewers: frozenset[str] = frozenset({"site"})
    hold_recognisable: bool = False
    hold_localizers: bool = True

    @classmethod
    def from_mapping(cls, definition: Mapping[str, Any], *, name: str = "trial") -> Self:
        """Read a trial's ``deidentification.yaml``; BadDefinition names the key that is wrong."""
        if unknown := sorted(set(map(str, definition)) - _KEYS):
            raise BadDefinition(f"{_FILE}: nobody knows the key '{unknown[0]}'.")
        version = str(definition.get("version") or "").strip()
        if not version:
            raise BadDefinition(f"{_FILE}: 'version' is missing; it is written into every image.")
        keep = _several(definition, "keep", _KEEPABLE)
        days = definition.get("held_days", 14)
        if isinstance(days, bool) or not isinstance(days, int) or days < 1:
            raise BadDefinition(f"{_FILE}: 'held_days' must be a whole number of days, at least 1.")
        chosen = _several(definition, "options", tuple(OPTIONS))
        return cls(
            name=str(definition.get("name") or name),
            version=version,
            dates=cast("Dates", _one(definition, "dates", ("removed", "shifted", "kept"), "removed")),
            keep_sex="sex" in keep,
            keep_age="age" in keep,
            keep_size="size" in keep,
            keep_weight="weight" in keep,
            rules=read_rules(definition.get("rules"), _FILE),
            deidentify_at=cast(
                "Literal['server', 'site']", _one(definition, "deidentify_at", ("server", "site"), "site")
            ),
            held_days=days,
            chosen=chosen,
            safe_private=_safe_private(definition, chosen),
            words=_words(definition.get("words"), chosen),
            pixel_reviewers=_reviewers(definition),
            hold_recognisable=_yes(definition, "hold_recognisable", default=False),
            hold_localizers=_yes(definition, "hold_localizers", default=True),
        )

    def to_mapping(self) -> dict[str, Any]:
        """Give the definition again; ``from_mapping`` of it is equal to this profile."""
        kept = {
            "sex": self.keep_sex,
            "age": self.keep_age,
            "size": self.keep_size,
            "weight": self.keep_weight,
        }
        found: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "dates": self.dates,
            "keep": [word for word, keeps in kept.items() if keeps],
            "options": [option for option in OPTIONS if option in self.chosen],
            "rules": [rule.to_mapping() for rule in self.rules],
            "deidentify_at": self.deidentify_at,
            "held_days": self.held_days,
            "pixel_review": [who for who in REVIEWERS if who in self.pixel_reviewers],
            "hold_recognisable": self.hold_recognisable,
            "hold_localizers": self.hold_localizers,
        }
        if "retain_safe_private" in self.chosen:
            found["safe_private"] = self.safe_private
        if self.words:
            found["words"] = sorted(self.words)
        return found

    @property
    def options(self) -> tuple[str, ...]:
        """The codes of CID 7050 under which every instance of this profile is cleaned.

        As PS3.15 E.3 wants it, they say by what rules an instance was cleaned, not that each found something to do.
        """
        codes = {"113100", *(OPTIONS[option] for option in self.chosen)}
        if self.dates != "removed":
            codes.add("113106" if self.dates == "kept" else "113107")
        if self.keep_sex or self.keep_age or self.keep_size or self.keep_weight:
            codes.add("113108")
        return tuple(sorted(codes))

    @property
    def temporal_information(self) -> str:
        """Longitudinal Temporal Information Modified (0028,0303)."""
        return {"removed": "REMOVED", "shifted": "MODIFIED", "kept": "UNMODIFIED"}[self.dates]


def _one(definition: Mapping[str, Any], key: str, possible: tuple[str, ...], default: str) -> str:
    value = definition.get(key, default)
    if value not in possible:
        raise BadDefinition(f"{_FILE}: '{key}' must be {', '.join(possible[:-1])} or {possible[-1]}.")
    return str(value)


def _several(definition: Mapping[str, Any], key: str, possible: tuple[str, ...]) -> frozenset[str]:
    values = definition.get(key) or []
    if not isinstance(values, list) or any(value not in possible for value in map(str, values)):
        raise BadDefinition(f"{_FILE}: '{key}' is a list that may hold {', '.join(possible[:-1])} and {possible[-1]}.")
    return frozenset(map(str, values))


def _safe_private(definition: Mapping[str, Any], chosen: frozenset[str]) -> Literal["table", "curated"]:
    if "safe_private" in definition and "retain_safe_private" not in chosen:
        raise BadDefinition(f"{_FILE}: 'safe_private' means nothing without the option retain_safe_private.")
    return cast("Literal['table', 'curated']", _one(definition, "safe_private", ("table", "curated"), "table"))


def _words(entries: Any, chosen: frozenset[str]) -> frozenset[str]:
    entries = [] if entries is None else entries
    if not isinstance(entries, list) or len(entries) > _MOST_WORDS:
        raise BadDefinition(f"{_FILE}: 'words' is a list of at most {_MOST_WORDS} words.")
    if entries and "clean_descriptors" not in chosen:
        raise BadDefinition(f"{_FILE}: 'words' means nothing without the option clean_descriptors.")
    for number, word in enumerate(entries, 1):
        if not isinstance(word, str) or not _WORD.fullmatch(word):
            raise BadDefinition(
                f"{_FILE}, words, entry {number}: a word has 2 to 32 letters and single digits, and no blank; a longer "
                "number may be somebody's."
            )
    return frozenset(word.lower() for word in entries)


def _yes(definition: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = definition.get(key, default)
    if not isinstance(value, bool):
        raise BadDefinition(f"{_FILE}: '{key}' must be true or false.")
    return value


def _reviewers(definition: Mapping[str, Any]) -> frozenset[str]:
    found = _several(definition, "pixel_review", REVIEWERS)
    if "pixel_review" in definition and "site" not in found:
        raise BadDefinition(f"{_FILE}: 'pixel_review' must name site: its people see their own patients' images.")
    return found or frozenset({"site"})


def fits_an_image(text: str) -> bool:
    """Tell whether an image can carry a number or label as it stands (LO, PS3.5 6.2): one cut or changed is another."""
    return len(text) <= LONGEST_LABEL and text.isprintable() and "\\" not in text


class SubjectIdentity(NamedTuple):
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
