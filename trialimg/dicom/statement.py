"""The conformance statement, docs/deidentification.md, as the engine's own data and decisions tell it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from trialimg.dicom.rules.actions import BEYOND, DATES, Attribute, Do
from trialimg.dicom.rules.plan import OF_EVERYBODY, Plan
from trialimg.dicom.rules.private import safe_private
from trialimg.dicom.rules.unlisted import NEVER_KEPT
from trialimg.dicom.standard.machine import OF_THE_MACHINE
from trialimg.dicom.standard.table import (
    confidentiality_table,
    is_retired,
    keyword_of,
    read_data,
    tag_text,
    uid_name,
    vr_of,
)
from trialimg.dicom.statement_text import AFTER_CLASSES, HEAD, OPTIONS_SAID, PRIVATE, RULES, TABLE_HEAD
from trialimg.domain.deidentification import CID_7050, OPTIONS, Profile

_LETTERS: Final = {
    Do.KEEP: "K",
    Do.KEEP_UID: "K",
    Do.KEEP_DATE: "K",
    Do.KNOWN_CHARACTER_SET: "K",
    Do.REMOVE: "X",
    Do.EMPTY: "Z",
    Do.DUMMY: "D",
    Do.NAME: "D",
    Do.MAP_UID: "U",
    Do.SHIFT: "C",
    Do.CAP_AGE: "C",
    Do.JUDGE: "C",
    Do.CLEAN_ITEMS: "C",
}
_COLUMNS: Final = {
    "UIDs": Profile("s", "1", chosen=frozenset({"retain_uids"})),
    "device": Profile("s", "1", chosen=frozenset({"retain_device_identity"})),
    "institution": Profile("s", "1", chosen=frozenset({"retain_institution_identity"})),
    "patient": Profile("s", "1", chosen=frozenset({"retain_patient_characteristics"})),
    "full dates": Profile("s", "1", "kept"),
    "mod. dates": Profile("s", "1", "shifted"),
    "descriptors": Profile("s", "1", chosen=frozenset({"clean_descriptors"})),
    "struct.": Profile("s", "1", chosen=frozenset({"clean_structured_content"})),
    "graphics": Profile("s", "1", chosen=frozenset({"clean_graphics"})),
}
_OPTION_OF: Final = {
    "UIDs": "retain_uids",
    "device": "retain_device_identity",
    "institution": "retain_institution_identity",
    "patient": "retain_patient_characteristics",
    "full dates": "retain_longitudinal_full_dates",
    "mod. dates": "retain_longitudinal_modified_dates",
    "descriptors": "clean_descriptors",
    "struct.": "clean_structured_content",
    "graphics": "clean_graphics",
}
_NOT_OF_THE_OBJECT: Final = frozenset({0x0000, 0x0002, 0x0004, 0x0012})
"""Groups of commands, files and media, which are never carried on, and of the trial, which are written anew."""
_NEWER: Final = "Newer than the data dictionary of the package: nobody knows them, so they go, under any option"
_OTHER: Final = {
    "C": "D in the table; the sequence stays and its items are cleaned, so that what it describes keeps its shape",
    "D": "Z in the table; the subject's number in the trial stands there",
    "X": "Removed whole, though the table would let something stand",
}


def statement() -> str:
    """Give the whole document."""
    table = confidentiality_table()
    parts = (
        HEAD.format(edition=table.edition),
        *_options(),
        RULES,
        *_unlisted(),
        PRIVATE,
        *_private(),
        *_classes(),
        AFTER_CLASSES,
        *_differences(),
        TABLE_HEAD,
        *_table(),
    )
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)) + "\n"


def _options() -> Iterator[str]:
    yield "| in `deidentification.yaml` | CID 7050 | what it does here |"
    yield "|---|---|---|"
    for key, code in OPTIONS.items():
        yield f"| `options: [{key}]` | {code} {CID_7050[code]} | {OPTIONS_SAID[key]} |"
    for key, code in (("dates: kept", "113106"), ("dates: shifted", "113107"), ("keep: […]", "113108")):
        yield f"| `{key}` | {code} {CID_7050[code]} | {OPTIONS_SAID[key]} |"
    yield f"| (a mask) | 113101 {CID_7050['113101']} | {OPTIONS_SAID['mask']} |"
    yield f"| (never) | 113102 Clean Recognizable Visual Features Option | {OPTIONS_SAID['faces']} |"


def _unlisted() -> Iterator[str]:
    yield f"- Removed by name, though the table does not list them: {', '.join(sorted(NEVER_KEPT))}."
    yield f"- Free texts for which the table looks to the sequence around them: {_keywords(BEYOND)}."
    yield f"- What a machine's maker wrote stays where it looks like that: {', '.join(sorted(OF_THE_MACHINE))}."
    retired = sum(is_retired(tag) for tag in map(_tag, read_data("ps3_6_dictionary.json")["attributes"]))
    yield f"- The {retired} retired attributes of PS3.6 go, but for those that have a row."


def _tag(text: str) -> int:
    return int(text, 16)


def _keywords(tags: Iterable[int]) -> str:
    return ", ".join(sorted(keyword_of(tag) for tag in tags))


def _private() -> Iterator[str]:
    lists: tuple[tuple[Literal["table", "curated"], str], ...] = (
        ("table", "`table` (PS3.15 table E.3.10-1)"),
        ("curated", "`curated` (these, and what image archives publish as safe)"),
    )
    for whose, said in lists:
        creators = Counter(creator for creator, _tag in safe_private(whose))
        yield f"\n{said}: {creators.total()} attributes of {len(creators)} creators."
        if whose == "table":
            yield "\n| private creator | attributes |\n|---|---|"
            found = defaultdict(list)
            for (creator, tag), vr in safe_private("table").items():
                found[creator].append(f"{tag >> 16:04X},xx{tag & 0xFF:02X} {vr}")
            for creator in sorted(found):
                yield f"| {creator} | {', '.join(sorted(found[creator]))} |"


def _classes() -> Iterator[str]:
    yield "\n## SOP classes\n"
    yield "A class that is not in this list is held for a person, never passed."
    found: dict[str, dict[str, list[str]]] = {how: defaultdict(list) for how in ("rule", "pixels", "held")}
    classes = read_data("sop_classes.json")["classes"]
    count = Counter(uid_name(uid) for uid in classes)
    for uid, said in classes.items():
        how, _, what = said.partition("|")
        name = uid_name(uid) or uid
        found[how][what].append(f"{name} ({uid})" if count[name] > 1 else name)
    heads = {
        "rule": "### Cleaned by rule",
        "pixels": "### Cleaned by rule, and looked at by a person, since the picture may show text",
        "held": "### Held: no rule can read what is inside",
    }
    for how, kinds in found.items():
        yield f"\n{heads[how]}\n"
        for what, names in sorted(kinds.items()):
            yield f"- {what.strip(',') + ': ' if what else ''}{', '.join(sorted(names))}."


def _differences() -> Iterator[str]:
    """Say where a row or a column of the table is not done as it stands, with the reason."""
    plain = Plan(Profile("s", "1"))
    plans = {name: Plan(profile) for name, profile in _COLUMNS.items()}
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for tag, row in sorted(confidentiality_table().rows.items()):
        here, named = _letter(plain, tag), f"{row.name} {tag_text(tag)}"
        if not vr_of(tag):
            found[_NEWER][named] = None
        elif tag >> 16 not in _NOT_OF_THE_OBJECT:
            if here not in {row.basic[0], "U"} and not (here == "C" and row.basic == "X/Z/U*"):
                found[_OTHER.get(here, "")][named] = None
            for name, plan in plans.items():
                wanted = row.options.get(_OPTION_OF[name])
                if wanted and _letter(plan, tag) == here and here not in {wanted, "C"}:
                    found[_why_less(tag)][named] = None
    for reason, names in found.items():
        yield f"- {reason}: {', '.join(names)}."


def _why_less(tag: int) -> str:
    vr = vr_of(tag)
    if tag in OF_EVERYBODY:
        return "Versions of published lists: their true dates, beside the shifted, would give the shift away"
    if vr == "AE":
        return "Titles of machines in the network cannot be cleaned, so they go under retain device identity too"
    if vr in DATES:
        return "Dates of a device are treated as all dates: a true one beside shifted ones would give the shift away"
    return "Bytes, in which anybody may be named: they go under every option"


def _letter(plan: Plan, tag: int, kind: str = "3") -> str:
    vr = vr_of(tag).split(" or ", maxsplit=1)[0]
    if not vr:
        return "X"
    return _LETTERS[plan.choose(Attribute(tag, vr, kind, is_code=False))[0]]


def _table() -> Iterator[str]:
    yield f"| tag | attribute | table | here | {' | '.join(_COLUMNS)} |"
    yield f"|---|---|---|---|{'---|' * len(_COLUMNS)}"
    plain = Plan(Profile("s", "1"))
    plans = [Plan(profile) for profile in _COLUMNS.values()]
    table = confidentiality_table()
    for tag, row in sorted(table.rows.items()):
        letters = list(dict.fromkeys(_letter(plain, tag, kind) for kind in ("3", "2", "1")))
        options = [_letter(plan, tag) for plan in plans]
        shown = ["" if letter == letters[0] else letter for letter in options]
        yield f"| {tag_text(tag)} | {row.name} | {row.basic} | {'/'.join(letters)} | {' | '.join(shown)} |"
    for mask, row in sorted(table.masks.items()):
        name = mask if mask == "private" else f"({mask[:4]},{mask[4:]})"
        yield f"| {name} | {row.name} | {row.basic} | X | {' | '.join('' for _ in plans)} |"
